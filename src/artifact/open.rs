//! From a place to a verified model.

use super::checksum::{self, Checksum, Policy};
use super::layout::Place;
use super::metadata::FEATURE_KEYS;
use super::root::Root;
use super::{Metadata, family};
use crate::error::{Error, Result, Status, Within};
use crate::formats::detect::detect;
use crate::formats::{Files, ReadOptions};
use crate::model::{Described, Model, in_directory, inside};
use crate::session::Settings;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What must hold for a model to be opened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules<'a> {
    /// Checksums.
    pub checksums: Policy,
    /// Minutes of the caller's bars; 0: unknown.
    pub data_interval_minutes: f64,
    /// The largest file that is read.
    pub max_file_bytes: u64,
    /// Wishes for the runtime of networks.
    pub networks: &'a Settings,
}

/// A candidate that is not the model.
struct Other {
    file: String,
    reason: String,
}

/// Reads the model at a place: the first candidate whose content is of a format that is read. A candidate that is broken, or whose
/// checksum is wrong, is a failure and not passed over: what lies behind it is not what the run means.
///
/// # Errors
/// `MI_INTERVAL_MISMATCH`, `MI_CHECKSUM_MISMATCH`, `MI_UNSIGNED`; `MI_UNSUPPORTED` when no candidate is of a format that is read; those of
/// reading and parsing, also of an imputer or scaler beside the model.
pub fn open(place: &Place, root: &Root, rules: Rules<'_>) -> Result<Model> {
    place.metadata.check_interval(rules.data_interval_minutes)?;
    let beside = if place.candidates.is_empty() { Beside::default() } else { Beside::read(place, root, rules)? };
    let mut others: Vec<Other> = Vec::new();
    let mut failure: Option<Error> = None;
    let mut candidates = place.candidates.iter();
    for path in &mut candidates {
        match candidate(path, place, &beside, root, rules) {
            Ok(read) => {
                let name = file_name(path);
                others.extend(
                    candidates.map(|path| Other { file: file_name(path), reason: format!("{name} came first") }),
                );
                return Ok(describe(read, beside, place, &others));
            }
            Err(error) if passed_over(&error) => {
                let error = error.0;
                others.push(Other { file: file_name(path), reason: error.message().to_owned() });
                // A format that is known says more about the model than content that is not.
                if failure.as_ref().is_none_or(|first| first.status() != Status::Unsupported) {
                    failure = Some(error.within(path.display()));
                }
            }
            Err(error) => return Err(error.0.within(path.display())),
        }
    }
    Err(failure.unwrap_or_else(|| {
        Error::not_found(format!("no model file in {}; it would be called {}", place.path.display(), place.expected))
    }))
}

/// A failure of a candidate, and whether its content was recognised.
struct Failed(Error, bool);

/// Whether the next candidate is tried: the content is of no format that is read.
fn passed_over(Failed(error, recognised): &Failed) -> bool {
    error.status() == Status::Unsupported || !recognised
}

/// A model and its checksum.
struct Read {
    model: Model,
    /// Its file, which may lie in the directory that is the candidate.
    path: PathBuf,
    checksum: Checksum,
    warnings: Vec<String>,
    /// What the model's JSON says about files beside it that are a part of it.
    files: Vec<Value>,
}

/// Imputer and scaler beside a model.
#[derive(Default)]
struct Beside {
    /// Names for messages and bytes, in the order in which they are applied.
    files: Vec<(String, Vec<u8>)>,
    /// What the model's JSON says about them.
    facts: Vec<Value>,
    warnings: Vec<String>,
}

impl Beside {
    fn read(place: &Place, root: &Root, rules: Rules<'_>) -> Result<Self> {
        let mut beside = Self::default();
        for path in &place.sidecars {
            let name = file_name(path);
            let bytes = root.read(path, rules.max_file_bytes)?;
            let found = place.metadata.checksum_beside(&name);
            let (checksum, warning) = verified(&bytes, found, rules).within(|| path.display())?;
            beside.facts.push(json!({"file": name, "checksum": checksum.json()}));
            beside.warnings.extend(warning.map(|warning| format!("{name}: {warning}")));
            beside.files.push((format!("{name} beside it"), bytes.to_vec()));
        }
        Ok(beside)
    }
}

/// The checksum of a file, when the rules ask for it.
fn verified(
    bytes: &[u8],
    found: Result<(Option<&str>, String)>,
    rules: Rules<'_>,
) -> Result<(Checksum, Option<String>)> {
    let (expected, source) = match found {
        Ok(found) => found,
        Err(error) if rules.checksums.verify => return Err(error),
        Err(_) => (None, String::new()),
    };
    checksum::verify(bytes, expected, &source, rules.checksums)
}

fn candidate(
    path: &Path,
    place: &Place,
    beside: &Beside,
    root: &Root,
    rules: Rules<'_>,
) -> std::result::Result<Read, Failed> {
    let firm = |error: Error| Failed(error, true);
    let mut name = file_name(path);
    let real = root.inside(path).map_err(firm)?;
    let inside = if real.is_dir() { Some(in_directory(&real).map_err(firm)?) } else { None };
    if let Some(file) = &inside {
        name = format!("{name}/{}", file_name(file));
    }
    let path = inside.as_deref().unwrap_or(path);
    let bytes = root.read(path, rules.max_file_bytes).map_err(firm)?;
    detect(&bytes).map_err(|error| Failed(error, false))?;
    let (checksum, warning) = verified(&bytes, place.metadata.checksum(&name), rules).map_err(firm)?;
    let weights = Weights { folder: path.parent().unwrap_or(path), place, root, rules, read: RefCell::default() };
    let model = Model::read(&bytes, &beside.files, &hints(place), rules.networks, &weights).map_err(firm)?;
    let mut warnings: Vec<String> = warning.into_iter().collect();
    let mut files = Vec::new();
    for (file, checksum, warning) in weights.read.into_inner() {
        warnings.extend(warning.map(|warning| format!("{file}: {warning}")));
        files.push(json!({"file": file, "checksum": checksum.json()}));
    }
    Ok(Read { model, path: path.to_owned(), checksum, warnings, files })
}

/// What the metadata knows about a model whose own file may leave it open.
fn hints(place: &Place) -> ReadOptions {
    let map = place.metadata.map();
    let count = |key: &str| map.get(key).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
    let listed = |key: &str| map.get(key).and_then(Value::as_array).map(Vec::len);
    let mode = text(&place.metadata, "input_mode").unwrap_or_default();
    let channels = if mode == "raw_sequence" { listed("sequence_channels") } else { None };
    let columns = channels.or_else(|| FEATURE_KEYS.into_iter().find_map(listed)).or_else(|| count("n_features"));
    ReadOptions {
        family: Some(place.entry.family.clone()),
        feature_count: columns.unwrap_or(0),
        sequence_length: if mode == "features" { 0 } else { count("sequence_length").unwrap_or(0) },
        ..ReadOptions::default()
    }
}

/// Weights in files beside a model: inside of its folder and of the run, hashed as the model is.
struct Weights<'a> {
    folder: &'a Path,
    place: &'a Place,
    root: &'a Root,
    rules: Rules<'a>,
    read: RefCell<Vec<(String, Checksum, Option<String>)>>,
}

impl Files for Weights<'_> {
    fn read(&self, name: &str) -> Result<Arc<[u8]>> {
        let path = self.folder.join(inside(name)?);
        let bytes = self.root.read(&path, self.rules.max_file_bytes)?;
        let found = self.place.metadata.checksum_beside(name);
        let (checksum, warning) = verified(&bytes, found, self.rules).within(|| path.display())?;
        self.read.borrow_mut().push((name.to_owned(), checksum, warning));
        Ok(Arc::from(&*bytes))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn describe(read: Read, beside: Beside, place: &Place, others: &[Other]) -> Model {
    let Read { model, path, checksum, warnings: said, files } = read;
    let mut warnings = place.warnings.clone();
    warnings.extend(said.into_iter().chain(beside.warnings));
    if !beside.facts.is_empty() && model.facts().contains_key("steps") {
        warnings
            .push("the model file holds steps of its own; those of the files beside it come before them".to_owned());
    }
    disagreements(place, &mut warnings);
    let lists = place.metadata.feature_lists(&mut warnings);
    let entry = &place.entry;
    let mut facts = Map::new();
    facts.insert("family".into(), json!(entry.family));
    facts.insert("target".into(), json!(entry.target));
    facts.insert("view".into(), json!(entry.view));
    facts.insert("symbol".into(), json!(entry.symbol));
    facts.insert("path".into(), json!(path.display().to_string()));
    facts.insert("checksum".into(), checksum.json());
    if !files.is_empty() {
        facts.insert("files".into(), Value::Array(files));
    }
    if !beside.facts.is_empty() {
        facts.insert("sidecars".into(), Value::Array(beside.facts));
    }
    facts.insert("metadata".into(), Value::Object(place.metadata.map().clone()));
    let others: Vec<Value> = others.iter().map(|other| json!({"file": other.file, "reason": other.reason})).collect();
    facts.insert("other_candidates".into(), Value::Array(others));
    let number = |key: &str| place.metadata.map().get(key).and_then(Value::as_u64);
    let (count, steps) = (number("n_features"), number("sequence_length"));
    model.described(Described { facts, warnings, lists, count, steps })
}

/// Warnings for names in the metadata that are not those of the directories.
fn disagreements(place: &Place, warnings: &mut Vec<String>) {
    let entry = &place.entry;
    let said = |key: &str| -> Option<&str> { text(&place.metadata, key) };
    let mut differ = |key: &str, said: &str, here: &str| {
        warnings.push(format!("metadata: `{key}` is '{said}', the directory says '{here}'"));
    };
    if let Some(name) = said("family")
        && family::canonical(name) != family::canonical(&entry.family)
    {
        differ("family", name, &entry.family);
    }
    if let Some(name) = said("target")
        && name.replace(['/', '\\'], "_") != entry.target
    {
        differ("target", name, &entry.target);
    }
    if let Some(name) = said("view")
        && !name.eq_ignore_ascii_case(&entry.view)
    {
        differ("view", name, &entry.view);
    }
    if let (Some(name), Some(symbol)) = (said("symbol"), &entry.symbol)
        && name != symbol
    {
        differ("symbol", name, symbol);
    }
}

fn text<'a>(metadata: &'a Metadata, key: &str) -> Option<&'a str> {
    metadata.map().get(key).and_then(Value::as_str)
}
