//! From a place to a verified model.

use super::checksum::{self, Checksum, Policy};
use super::layout::Place;
use super::root::Root;
use super::{Metadata, family};
use crate::error::{Error, Result, Status};
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
/// `MI_INTERVAL_MISMATCH`, `MI_CHECKSUM_MISMATCH`, `MI_UNSIGNED`; `MI_UNSUPPORTED` when no candidate is of a format that is read, or for a
/// scaler or imputer beside the model; those of reading and parsing.
pub fn open(place: &Place, root: &Root, rules: Rules) -> Result<Model> {
    place.metadata.check_interval(rules.data_interval_minutes)?;
    if let Some(sidecar) = place.sidecars.first() {
        return Err(Error::unsupported(format!(
            "{} lies beside the model: its step comes before the model, and pickled steps are not read yet; \
             train without it, or fold it into the features",
            sidecar.display()
        )));
    }
    let mut others: Vec<Other> = Vec::new();
    let mut failure: Option<Error> = None;
    let mut candidates = place.candidates.iter();
    for path in &mut candidates {
        match candidate(path, place, root, rules) {
            Ok((model, checksum, warnings)) => {
                let name = file_name(path);
                others.extend(
                    candidates.map(|path| Other { file: file_name(path), reason: format!("{name} came first") }),
                );
                return Ok(describe(model, place, path, &checksum, &others, warnings));
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

type Read = (Model, Checksum, Vec<String>);

fn candidate(path: &Path, place: &Place, root: &Root, rules: Rules) -> std::result::Result<Read, Failed> {
    let firm = |error: Error| Failed(error, true);
    if root.inside(path).map_err(firm)?.is_dir() {
        return Err(Failed(
            Error::unsupported("this is a directory (SavedModel), which is not read yet; export the model to one file"),
            true,
        ));
    }
    let bytes = root.read(path, rules.max_file_bytes).map_err(firm)?;
    detect(&bytes).map_err(|error| Failed(error, false))?;
    let (expected, source) = match place.metadata.checksum(&file_name(path)) {
        Ok(found) => found,
        Err(error) if rules.checksums.verify => return Err(firm(error)),
        Err(_) => (None, String::new()),
    };
    let (checksum, warning) = checksum::verify(&bytes, expected, &source, rules.checksums).map_err(firm)?;
    let model = Model::from_bytes(&bytes, &ReadOptions::default()).map_err(firm)?;
    Ok((model, checksum, warning.into_iter().collect()))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn describe(
    model: Model,
    place: &Place,
    path: &Path,
    checksum: &Checksum,
    others: &[Other],
    said: Vec<String>,
) -> Model {
    let mut warnings = place.warnings.clone();
    warnings.extend(said);
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
