//! What the training side wrote about a model: `model_meta.json`, `meta_b0.json` or an entry of a catalogue.

use super::name;
use crate::codec::{self, pickle};
use crate::error::{Error, Result, Status, Within};
use serde_json::{Map, Value};
use std::path::Path;

/// The keys that may hold the columns, the one that is believed first in front: `feature_list` is sorted in real runs, the
/// model's columns follow the other two.
pub const FEATURE_KEYS: [&str; 3] = ["features", "feature_names", "feature_list"];

/// Metadata of a model: its keys are looked at where they are needed, the rest is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    map: Map<String, Value>,
    place: String,
}

/// Reads a JSON file of a run; a pickle of plain data under such a name is read as well.
///
/// # Errors
/// `MI_MALFORMED` for anything that is neither; those of [`pickle::decode`]. All name the path.
pub fn json(bytes: &[u8], path: &Path) -> Result<Value> {
    if pickle::looks_like(bytes) {
        return pickle::decode(bytes).and_then(|graph| graph.root().json()).within(|| path.display());
    }
    codec::json::parse(bytes).within(|| path.display())
}

impl Metadata {
    /// Metadata from a parsed value; `place` says where it stands.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is no object.
    pub fn new(value: Value, place: impl Into<String>) -> Result<Self> {
        let place = place.into();
        match value {
            Value::Object(map) => Ok(Self { map, place }),
            other => Err(Error::malformed(format!("{place}: metadata is an object {{...}}, this is {}", kind(&other)))),
        }
    }

    /// Everything.
    #[must_use]
    pub fn map(&self) -> &Map<String, Value> {
        &self.map
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The value of a key; null counts as absent.
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A string.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is something else under the key.
    pub fn string(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, "a string", other)),
        }
    }

    /// The number under this key; one that is not finite counts as absent.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is something else under the key.
    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            // What `codec::json` makes of the bare words that Python writes.
            Some(Value::String(word)) if ["NaN", "Infinity", "-Infinity"].contains(&word.as_str()) => Ok(None),
            Some(other) => Err(self.wrong(key, "a number", other)),
        }
    }

    /// The name of the model file that the metadata means.
    ///
    /// # Errors
    /// `MI_MALFORMED` for something else than a string, `MI_INVALID_ARGUMENT` for a path.
    pub fn model_file(&self) -> Result<Option<&str>> {
        let file = self.string("model_file")?;
        if let Some(file) = file {
            name::check("model_file", file).within(|| &self.place)?;
        }
        Ok(file)
    }

    /// The checksum that the metadata has for the file of the model, and where it stands. `checksums` names its files;
    /// `model_checksum` is that of the main file: the one `model_file` names, or whichever is read where it names none.
    ///
    /// # Errors
    /// `MI_MALFORMED` for something else than strings under the keys.
    pub fn checksum(&self, file: &str) -> Result<(Option<&str>, String)> {
        let (sum, place) = self.checksum_beside(file)?;
        if sum.is_some() || self.model_file()?.is_some_and(|main| main != file) {
            return Ok((sum, place));
        }
        Ok((self.string("model_checksum")?, format!("`model_checksum` in {}", self.place)))
    }

    /// The checksum that `checksums` has for a file beside the model, and where it stands.
    ///
    /// # Errors
    /// `MI_MALFORMED` for something else than strings under the keys.
    pub fn checksum_beside(&self, file: &str) -> Result<(Option<&str>, String)> {
        let place = format!("`checksums` for '{file}' in {}", self.place);
        match self.get("checksums") {
            None => Ok((None, place)),
            Some(Value::Object(files)) => match files.get(file) {
                None | Some(Value::Null) => Ok((None, place)),
                Some(Value::String(sum)) => Ok((Some(sum), place)),
                Some(other) => Err(self.wrong(&format!("checksums.{file}"), "a string", other)),
            },
            Some(other) => Err(self.wrong("checksums", "an object {file: sha256}", other)),
        }
    }

    /// The lists of columns it holds, the one that is believed first in front. What is no list of strings is left out with a warning.
    #[must_use]
    pub fn feature_lists(&self, warnings: &mut Vec<String>) -> Vec<(&'static str, Vec<String>)> {
        let mut lists = Vec::new();
        for key in FEATURE_KEYS {
            let Some(value) = self.get(key) else { continue };
            let names: Option<Vec<String>> =
                value.as_array().and_then(|array| array.iter().map(|name| name.as_str().map(str::to_owned)).collect());
            match names {
                Some(names) if names.is_empty() => {}
                Some(names) => lists.push((key, names)),
                None => warnings.push(format!("metadata: `{key}` is no list of names and is passed over")),
            }
        }
        lists
    }

    /// Compares the interval of the caller's bars (minutes; 0: unknown) with the one the model was trained on.
    ///
    /// # Errors
    /// `MI_INTERVAL_MISMATCH` when they differ by more than 1e-9, `MI_MALFORMED` when the metadata's is no number.
    pub fn check_interval(&self, data: f64) -> Result<()> {
        if data == 0.0 {
            return Ok(());
        }
        let trained = self.number("interval_minutes")?.filter(|&minutes| minutes != 0.0);
        match trained {
            Some(trained) if (trained - data).abs() > 1e-9 => Err(Error::new(
                Status::IntervalMismatch,
                format!(
                    "the model was trained on bars of {trained} minutes (`interval_minutes` in {}), the data has bars of {data} minutes; \
                     feed it the bars it knows, or load the model trained on these",
                    self.place
                ),
            )),
            _ => Ok(()),
        }
    }

    fn wrong(&self, key: &str, expected: &str, found: &Value) -> Error {
        Error::malformed(format!("{}: `{key}` is {}, {expected} was expected", self.place, kind(found)))
    }
}

/// What a value is, for a sentence.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(value: Value) -> Metadata {
        Metadata::new(value, "meta").unwrap()
    }

    #[test]
    fn a_checksum_belongs_to_its_file() {
        let both =
            metadata(json!({"model_file": "model.pkl", "model_checksum": "aa", "checksums": {"model.txt": "bb"}}));
        assert_eq!(both.checksum("model.txt").unwrap().0, Some("bb"));
        assert_eq!(both.checksum("model.pkl").unwrap().0, Some("aa"));
        assert_eq!(both.checksum("model.ubj").unwrap().0, None, "model_checksum is that of model.pkl only");
        let one = metadata(json!({"model_checksum": "aa"}));
        assert_eq!(one.checksum("model.ubj").unwrap().0, Some("aa"));
        assert!(metadata(json!({"model_checksum": 5})).checksum("model.ubj").is_err());
        assert!(metadata(json!({"checksums": ["aa"]})).checksum("model.ubj").is_err());
    }

    #[test]
    fn intervals_are_compared_where_both_are_known() {
        let five = metadata(json!({"interval_minutes": 5}));
        five.check_interval(0.0).unwrap();
        five.check_interval(5.0 + 1e-10).unwrap();
        let error = five.check_interval(15.0).unwrap_err();
        assert_eq!(error.status(), Status::IntervalMismatch);
        assert!(error.message().contains("5 minutes") && error.message().contains("15 minutes"), "{error}");
        for unknown in [json!({}), json!({"interval_minutes": null}), json!({"interval_minutes": "NaN"})] {
            metadata(unknown).check_interval(15.0).unwrap();
        }
        assert_eq!(
            metadata(json!({"interval_minutes": "5m"})).check_interval(5.0).unwrap_err().status(),
            Status::Malformed
        );
    }

    #[test]
    fn features_come_before_the_sorted_list() {
        let mut warnings = Vec::new();
        let lists = metadata(json!({"feature_list": ["a", "b"], "features": ["b", "a"], "feature_names": 7}))
            .feature_lists(&mut warnings);
        assert_eq!(lists.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["features", "feature_list"]);
        assert_eq!(warnings.len(), 1);
    }
}
