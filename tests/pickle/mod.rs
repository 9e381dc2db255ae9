//! Fixtures of pickles, and everything a reader can ask of an object.

use mi::codec::pickle::{Graph, Ref};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pickles")
}

/// A file of the fixtures.
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

/// Asks everything of everything, up to so many objects; answers and errors are both fine. How many objects were asked.
#[allow(dead_code)]
pub fn ask_everything(graph: &Graph<'_>, objects: usize) -> usize {
    let _ = (graph.globals(), graph.rest(), graph.objects());
    let mut waiting = vec![graph.root()];
    let mut asked = 0;
    while let Some(object) = waiting.pop() {
        asked += 1;
        if asked > objects {
            break;
        }
        ask(object, &mut waiting);
    }
    asked
}

fn ask<'g>(object: Ref<'g>, waiting: &mut Vec<Ref<'g>>) {
    let _ = (object.class(), object.global(), object.describe(), object.path(), format!("{object:?}"));
    let _ = (object.as_f64(), object.as_i64(), object.as_usize(), object.as_bool(), object.is_none(), object.is_str());
    let _ = (object.as_str(), object.bytes(), object.shape(), object.dtype(), object.is_array(), object.slice());
    let _ = (object.array_f64(), object.array_i64(), object.array_bool(), object.array_strings());
    let _ = (object.attr("coef_"), object.dict_get("a"), object.attr_some("none"));
    if let Ok(structured) = object.structured() {
        for name in structured.names() {
            let _ = (structured.f64(name), structured.i64(name), structured.len());
            if let Ok(field) = structured.field(name) {
                let _ = (field.strings(), field.bools());
            }
        }
    }
    waiting.extend(object.persistent_id());
    waiting.extend(object.state());
    // Some of each: what waits is not the library's memory.
    waiting.extend(object.args().unwrap_or_default().into_iter().take(100));
    waiting.extend(object.list().unwrap_or_default().into_iter().take(100));
    waiting.extend(object.object_array().map(|array| array.data).unwrap_or_default().into_iter().take(100));
    for (key, value) in object.items().unwrap_or_default().into_iter().take(100) {
        waiting.extend([key, value]);
    }
}
