//! Fixtures of pickles.

use serde_json::Value;
use std::path::{Path, PathBuf};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pickles")
}

/// A file of the fixtures.
#[allow(dead_code)] // each test program uses a part of it
pub struct File {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Its entry of `expect.json`.
    pub entry: Value,
}

pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file that an `expect.json` names.
pub fn files() -> Vec<File> {
    let mut folders: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let mut files = Vec::new();
    for folder in folders.iter().filter(|folder| folder.join("expect.json").exists()) {
        for entry in json(&folder.join("expect.json"))["files"].as_array().unwrap() {
            let name = entry["file"].as_str().unwrap();
            let place = format!("{}/{name}", folder.file_name().unwrap().to_str().unwrap());
            let bytes = std::fs::read(folder.join(name)).unwrap();
            files.push(File { name: place, bytes, entry: entry.clone() });
        }
    }
    files
}
