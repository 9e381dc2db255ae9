//! What several test programs share: fixtures, as the libraries wrote them.
#![allow(dead_code)] // each test program uses a part of it

pub mod npy;
pub mod runs;
pub mod runtime;
pub mod subjects;
pub mod workshop;

use serde_json::Value;
use std::path::{Path, PathBuf};

/// The folder of all fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// One fixture: a model file and what its library said about it.
pub struct Case {
    pub folder: PathBuf,
    pub json: Value,
}

impl Case {
    /// Library and name of the case.
    pub fn name(&self) -> String {
        let tail: PathBuf = self.folder.iter().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
        tail.display().to_string()
    }

    /// The name without the version at its end.
    pub fn subject(&self) -> String {
        let name = self.folder.file_name().unwrap().to_string_lossy();
        name.rsplit_once('-').map_or(name.as_ref(), |(subject, _)| subject).to_owned()
    }

    /// The model file.
    pub fn model(&self) -> PathBuf {
        self.folder.join(self.json["model"].as_str().expect("case.json names a model"))
    }

    /// A matrix that the case names.
    pub fn matrix(&self, file: &Value) -> npy::Matrix {
        npy::read(&self.folder.join(file.as_str().expect("a file name")))
    }

    /// Columns of text in ascending order, each with the text of every row, `None` where it is missing.
    pub fn categories(&self) -> Option<Vec<(usize, Vec<Option<String>>)>> {
        let file = self.json["categories"].as_str()?;
        let json = mi::codec::json::parse(&std::fs::read(self.folder.join(file)).unwrap()).unwrap();
        let mut columns: Vec<(usize, Vec<Option<String>>)> = json
            .as_object()
            .expect("columns of categories")
            .iter()
            .map(|(column, texts)| {
                let text = |text: &Value| {
                    assert!(text.is_string() || text.is_null(), "a category is text or null");
                    text.as_str().map(str::to_owned)
                };
                (column.parse().unwrap(), texts.as_array().unwrap().iter().map(text).collect())
            })
            .collect();
        columns.sort_unstable_by_key(|(column, _)| *column);
        Some(columns)
    }

    /// How the case wants its model to be read.
    pub fn options(&self) -> mi::formats::ReadOptions {
        let options = &self.json["options"];
        let number = |key: &str| u32::try_from(options[key].as_u64().unwrap_or(0)).expect("a small number");
        mi::formats::ReadOptions {
            family: options["family"].as_str().map(str::to_owned),
            iteration_begin: number("iteration_begin"),
            iteration_end: number("iteration_end"),
            processor: None,
            output: options["output"].as_str().map(str::to_owned),
            feature_count: number("feature_count") as usize,
            sequence_length: number("sequence_length") as usize,
        }
    }
}

/// The cases of a library whose names, without the version at their end, are in `names`.
pub fn cases_of(library: &str, names: &[&str]) -> Vec<Case> {
    let mut cases = cases(library);
    for name in names {
        assert!(cases.iter().any(|case| case.subject() == *name), "no fixture of {library} is called {name}");
    }
    cases.retain(|case| names.contains(&case.subject().as_str()));
    cases
}

/// All cases of a library, sorted by name.
pub fn cases(library: &str) -> Vec<Case> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(fixtures().join(library))
        .unwrap_or_else(|cause| panic!("no fixtures of {library}: {cause}"))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").exists())
        .collect();
    folders.sort();
    folders
        .into_iter()
        .map(|folder| {
            let bytes = std::fs::read(folder.join("case.json")).unwrap();
            let json = mi::codec::json::parse(&bytes).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
            Case { folder, json }
        })
        .collect()
}
