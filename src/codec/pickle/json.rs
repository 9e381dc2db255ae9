//! Plain data in a pickle as JSON: metadata that was dumped instead of written.

use super::value::Node;
use super::view::Ref;
use crate::error::Result;
use serde_json::{Map, Value};

impl Ref<'_> {
    /// Numbers, texts, lists, dicts and numpy's numbers and arrays as JSON. Numbers that JSON does not have are the words that Python
    /// writes (`"NaN"`), keys that are no text are written out; any other object is the text that says what it is.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a damaged array, `MI_LIMIT_EXCEEDED` for what is nested too deep or shared too often.
    pub fn json(self) -> Result<Value> {
        if let Ok(text) = self.as_str() {
            return Ok(text.into_owned().into());
        }
        match self.node() {
            Node::None => return Ok(Value::Null),
            Node::Bool(yes) => return Ok(yes.into()),
            Node::Int(number) => return Ok(number.into()),
            Node::Float(number) => return Ok(real(number)),
            _ => {}
        }
        if self.is_array() {
            return self.array_json();
        }
        if let Ok(pairs) = self.items()
            && (self.class().is_none() || !pairs.is_empty())
        {
            let mut object = Map::new();
            for (key, value) in pairs {
                let key = match key.json()? {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                object.insert(key, value.json()?);
            }
            return Ok(Value::Object(object));
        }
        match self.list() {
            Ok(items) => items.into_iter().map(Self::json).collect::<Result<Vec<_>>>().map(Value::Array),
            Err(_) => Ok(self.describe().into()),
        }
    }

    fn array_json(self) -> Result<Value> {
        let Some(array) = self.raw_array()? else {
            return self.list()?.into_iter().map(Self::json).collect::<Result<Vec<_>>>().map(Value::Array);
        };
        let shape = array.shape().to_vec();
        let values: Vec<Value> = if let Ok(marks) = self.array_bool() {
            marks.data.into_iter().map(Value::from).collect()
        } else if let Ok(numbers) = self.array_i64() {
            numbers.data.into_iter().map(Value::from).collect()
        } else if let Ok(numbers) = self.array_f64() {
            numbers.data.into_iter().map(real).collect()
        } else if let Ok(texts) = self.array_strings() {
            texts.data.into_iter().map(Value::from).collect()
        } else {
            return Ok(self.describe().into());
        };
        Ok(nested(values, &shape))
    }
}

fn real(number: f64) -> Value {
    match serde_json::Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => "NaN".into(),
        None if number > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// Values in C order as lists in lists; no axes: the only value.
fn nested(mut values: Vec<Value>, shape: &[usize]) -> Value {
    let Some((_, inner)) = shape.split_first() else { return values.pop().unwrap_or_default() };
    for &len in inner.iter().rev() {
        if len == 0 {
            return Value::Array(Vec::new());
        }
        let mut groups = Vec::with_capacity(values.len() / len);
        let mut rest = values.into_iter();
        loop {
            let group: Vec<Value> = rest.by_ref().take(len).collect();
            if group.is_empty() {
                break;
            }
            groups.push(Value::Array(group));
        }
        values = groups;
    }
    Value::Array(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn axes_nest() {
        let numbers = |count: i64| (0..count).map(Value::from).collect::<Vec<_>>();
        assert_eq!(nested(numbers(6), &[2, 3]), json!([[0, 1, 2], [3, 4, 5]]));
        assert_eq!(nested(numbers(4), &[2, 2, 1]), json!([[[0], [1]], [[2], [3]]]));
        assert_eq!(nested(numbers(1), &[]), json!(0));
        assert_eq!(nested(numbers(0), &[0, 3]), json!([]));
    }

    #[test]
    fn plain_data_is_json() {
        let bytes = b"\x80\x04}(X\x01\x00\x00\x00a(K\x01G\x7f\xf8\x00\x00\x00\x00\x00\x00NtK\x07]\x88aX\x01\x00\x00\x00ccos\nsystem\n)Ru.";
        let graph = crate::codec::pickle::decode(bytes).unwrap();
        assert_eq!(graph.root().json().unwrap(), json!({"a": [1, "NaN", null], "7": [true], "c": "a os.system"}));
    }
}
