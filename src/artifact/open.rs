//! From a place to a verified model.

use super::checksum::{self, Checksum, Policy};
use super::layout::Place;
use super::root::Root;
use super::{Metadata, family};
use crate::error::{Error, Result, Status, Within};
use crate::formats::ReadOptions;
use crate::formats::detect::detect;
use crate::model::{Described, Model};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What must hold for a model to be opened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Checksums.
    pub checksums: Policy,
    /// Minutes of the caller's bars; 0: unknown.
    pub data_interval_minutes: f64,
    /// The largest file that is read.
    pub max_file_bytes: u64,
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
pub fn open(place: &Place, root: &Root, rules: Rules) -> Result<Model> {
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
                return Ok(describe(read, beside, place, path, &others));
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
    checksum: Checksum,
    warnings: Vec<String>,
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
    fn read(place: &Place, root: &Root, rules: Rules) -> Result<Self> {
        let mut beside = Self::default();
        for path in &place.sidecars {
            let name = file_name(path);
            let bytes = root.read(path, rules.max_file_bytes)?;
            let found = place.metadata.checksum_beside(&name);
            let (checksum, warning) = verified(&bytes, found, rules).within(|| path.display())?;
            beside.facts.push(json!({"file": name, "checksum": checksum.json()}));
            beside.warnings.extend(warning.map(|warning| format!("{name}: {warning}")));
            beside.files.push((format!("{name} beside it"), bytes));
        }
        Ok(beside)
    }
}

/// The checksum of a file, when the rules ask for it.
fn verified(bytes: &[u8], found: Result<(Option<&str>, String)>, rules: Rules) -> Result<(Checksum, Option<String>)> {
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
    rules: Rules,
) -> std::result::Result<Read, Failed> {
    let firm = |error: Error| Failed(error, true);
    if root.inside(path).map_err(firm)?.is_dir() {
        return Err(Failed(
            Error::unsupported("this is a directory (SavedModel), which is not read yet; export the model to one file"),
            true,
        ));
    }
    let bytes = root.read(path, rules.max_file_bytes).map_err(firm)?;
    detect(&bytes).map_err(|error| Failed(error, false))?;
    let (checksum, warning) = verified(&bytes, place.metadata.checksum(&file_name(path)), rules).map_err(firm)?;
    let options = ReadOptions { family: Some(place.entry.family.clone()), ..ReadOptions::default() };
    let model = Model::with_steps(&bytes, &beside.files, &options).map_err(firm)?;
    Ok(Read { model, checksum, warnings: warning.into_iter().collect() })
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn describe(read: Read, beside: Beside, place: &Place, path: &Path, others: &[Other]) -> Model {
    let Read { model, checksum, warnings: said } = read;
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
    if !beside.facts.is_empty() {
        facts.insert("sidecars".into(), Value::Array(beside.facts));
    }
    facts.insert("metadata".into(), Value::Object(place.metadata.map().clone()));
    let others: Vec<Value> = others.iter().map(|other| json!({"file": other.file, "reason": other.reason})).collect();
    facts.insert("other_candidates".into(), Value::Array(others));
    let count = place.metadata.map().get("n_features").and_then(Value::as_u64);
    model.described(Described { facts, warnings, lists, count })
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
