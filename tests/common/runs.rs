//! Training runs that a test builds, around model files of the fixtures.

use super::fixtures;
use mi::artifact::checksum::sha256;
use mi::loader::{Loader, Options};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// A run in a temporary directory.
pub struct TestRun {
    pub folder: tempfile::TempDir,
}

impl TestRun {
    /// A run without models.
    pub fn new() -> Self {
        let run = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(run.path().join("targets")).unwrap();
        run
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A family's directory below the root, made when it is not there.
    pub fn family(&self, below: &str) -> Family {
        let folder = self.path().join(below);
        std::fs::create_dir_all(&folder).unwrap();
        Family { folder, metadata: Map::new() }
    }

    /// The directory of a family in the default view.
    pub fn plain(&self, target: &str, family: &str) -> Family {
        self.family(&format!("targets/{target}/models/view=CROSS_SECTIONAL/family={family}"))
    }

    pub fn loader(&self) -> Loader {
        Loader::open(self.path(), Options::default()).unwrap()
    }

    pub fn loader_with(&self, change: impl FnOnce(&mut Options)) -> Loader {
        let mut options = Options::default();
        change(&mut options);
        Loader::open(self.path(), options).unwrap()
    }
}

/// The directory of a family: files and the metadata about them.
pub struct Family {
    pub folder: PathBuf,
    metadata: Map<String, Value>,
}

impl Family {
    /// Copies a fixture's model to `file` and signs it as the main file.
    pub fn model(mut self, case: &str, file: &str) -> Self {
        let bytes = model_bytes(case);
        self.metadata.insert("model_checksum".to_owned(), json!(sha256(&bytes)));
        self.file(file, &bytes)
    }

    /// Writes any file.
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        std::fs::write(self.folder.join(name), bytes).unwrap();
        self
    }

    /// A key of the metadata; null takes it away.
    pub fn says(mut self, key: &str, value: Value) -> Self {
        if value.is_null() {
            self.metadata.remove(key);
        } else {
            self.metadata.insert(key.to_owned(), value);
        }
        self
    }

    /// Writes `model_meta.json`.
    pub fn done(self) -> PathBuf {
        self.done_as("model_meta.json")
    }

    pub fn done_as(self, name: &str) -> PathBuf {
        let text = Value::Object(self.metadata).to_string();
        std::fs::write(self.folder.join(name), text).unwrap();
        self.folder
    }
}

/// The model file of a fixture: `lightgbm/regression`.
pub fn model_bytes(case: &str) -> Vec<u8> {
    let folder = fixtures().join(case);
    let json: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
    std::fs::read(folder.join(json["model"].as_str().unwrap())).unwrap()
}

/// Rows of a fixture and what its library answers to them, to the bit.
pub struct Answers {
    pub rows: super::npy::Matrix,
    pub values: super::npy::Matrix,
}

/// What the library of a fixture answers: `MI_VALUE` of the rows in float64.
pub fn answers(case: &str) -> Answers {
    let folder = fixtures().join(case);
    let json: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
    let expected = json["expect"]
        .as_array()
        .unwrap()
        .iter()
        .find(|expected| expected["output"] == "value" && expected["input"] == "f64")
        .expect("values of float64 rows");
    assert_eq!(expected["tolerance"], json!({"ulp": 0}), "{case}");
    let read = |file: &Value| super::npy::read(&folder.join(file.as_str().unwrap()));
    Answers { rows: read(&json["input"]), values: read(&expected["file"]) }
}

impl Answers {
    pub fn row(&self, index: usize) -> &[f64] {
        &self.rows.data[index * self.rows.columns..][..self.rows.columns]
    }
}
