//! What a layer says about itself: JSON of a known meaning, read with sentences about what is expected.

use crate::error::{Error, Result};
use crate::limits;
use serde_json::{Map, Value};

/// The settings of a layer, by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Config<'a>(pub &'a Map<String, Value>);

impl<'a> Config<'a> {
    /// A setting that is there and not null.
    pub fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// A setting that must be there.
    pub fn need(self, key: &str) -> Result<&'a Value> {
        self.get(key).ok_or_else(|| Error::malformed(format!("its configuration has no '{key}'")))
    }

    /// A whole number, not negative and no larger than a row may be.
    pub fn count(self, key: &str) -> Result<usize> {
        count(self.need(key)?).map_err(|error| error.within(key))
    }

    /// The same, or what stands in for it.
    pub fn count_or(self, key: &str, default: usize) -> Result<usize> {
        self.get(key).map_or(Ok(default), |value| count(value).map_err(|error| error.within(key)))
    }

    /// A whole number, alone or as the only one of a list: a setting of one axis.
    pub fn one(self, key: &str, default: usize) -> Result<usize> {
        match self.get(key) {
            Some(Value::Array(list)) if list.len() != 1 => {
                Err(Error::unsupported(format!("{key} has {} numbers; one axis of steps is read", list.len())))
            }
            Some(Value::Array(list)) => count(&list[0]).map_err(|error| error.within(key)),
            _ => self.count_or(key, default),
        }
    }

    /// Two whole numbers, or one that stands for both.
    pub fn pair(self, key: &str) -> Result<(usize, usize)> {
        let value = self.need(key)?;
        match value.as_array().map(Vec::as_slice) {
            Some([first, second]) => Ok((count(first)?, count(second)?)),
            Some([both]) => pair(both),
            Some(_) => Err(Error::malformed(format!("{key}: two numbers are expected"))),
            None => pair(value),
        }
    }

    /// A number, or what stands in for it.
    pub fn number_or(self, key: &str, default: f64) -> Result<f64> {
        self.get(key).map_or(Ok(default), |value| number(value).map_err(|error| error.within(key)))
    }

    /// Yes or no, or what stands in for it.
    pub fn flag(self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(yes)) => Ok(*yes),
            Some(other) => Err(Error::malformed(format!("{key} is {}, true or false is expected", short(other)))),
        }
    }

    /// Text, or what stands in for it.
    pub fn text(self, key: &str, default: &'a str) -> Result<&'a str> {
        self.get(key).map_or(Ok(default), |value| text(value).map_err(|error| error.within(key)))
    }

    /// Axes: one number or a list of them.
    pub fn axes(self, key: &str) -> Result<Option<Vec<i64>>> {
        self.get(key).map(|value| axes(value).map_err(|error| error.within(key))).transpose()
    }
}

/// A whole number.
pub(super) fn count(value: &Value) -> Result<usize> {
    // Numbers of numpy were written as floats by some versions.
    let whole =
        value.as_u64().or_else(|| value.as_f64().filter(|&value| value.fract() == 0.0 && value >= 0.0).map(whole));
    whole
        .and_then(|whole| usize::try_from(whole).ok())
        .filter(|&whole| whole <= limits::ROW_NUMBERS)
        .ok_or_else(|| Error::malformed(format!("{} is there, a whole number is expected", short(value))))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value as u64
}

fn pair(value: &Value) -> Result<(usize, usize)> {
    count(value).map(|both| (both, both))
}

/// A number. JSON has no infinities: they are words.
pub(super) fn number(value: &Value) -> Result<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::String(word) => match word.as_str() {
            "Infinity" | "inf" => Some(f64::INFINITY),
            "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
            "NaN" | "nan" => Some(f64::NAN),
            _ => None,
        },
        // `{"type": "ndarray", "value": 0.3}` of Keras 2, `{"class_name": "__numpy__", "config": {"value": 0.3}}` of Keras 3.
        Value::Object(map) => {
            let inner = map.get("value").or_else(|| map.get("config")?.get("value"));
            return inner.filter(|inner| !inner.is_object()).ok_or_else(|| no_number(value)).and_then(number);
        }
        Value::Array(only) if only.len() == 1 && !only[0].is_array() => return number(&only[0]),
        _ => None,
    }
    .ok_or_else(|| no_number(value))
}

fn no_number(value: &Value) -> Error {
    Error::malformed(format!("{} is there, a number is expected", short(value)))
}

/// A whole number that may be negative: an axis or an index.
pub(super) fn index(value: &Value) -> Result<i64> {
    value.as_i64().ok_or_else(|| Error::malformed(format!("{} is there, an index is expected", short(value))))
}

/// One index or a list of them.
pub(super) fn axes(value: &Value) -> Result<Vec<i64>> {
    match value {
        Value::Array(list) => list.iter().map(index).collect(),
        // A list of TensorFlow's own.
        Value::Object(map) => match map.get("items").or_else(|| map.get("config")?.get("value")) {
            Some(Value::Array(list)) => list.iter().map(index).collect(),
            _ => Err(Error::malformed(format!("{} is there, axes are expected", short(value)))),
        },
        one => index(one).map(|one| vec![one]),
    }
}

/// Text.
pub(super) fn text(value: &Value) -> Result<&str> {
    value.as_str().ok_or_else(|| Error::malformed(format!("{} is there, text is expected", short(value))))
}

/// A value for a message.
pub(super) fn short(value: &Value) -> String {
    match value {
        Value::Object(map) => match map.get("class_name").and_then(Value::as_str) {
            Some(class) => format!("an object of class '{}'", class.escape_debug()),
            None => "an object".to_owned(),
        },
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::String(text) => format!("'{}'", text.chars().take(40).collect::<String>().escape_debug()),
        other => other.to_string(),
    }
}
