//! What follows the trees: the parameters of the training and the categories of a pandas frame.

use super::text::Lines;
use crate::codec::json;
use crate::error::Result;
use crate::limits;
use serde_json::{Map, Value};

const PANDAS: &[u8] = b"pandas_categorical:";

/// Facts after the trees; none of them is needed.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The lines `[key: value]` between `parameters:` and `end of parameters`.
    pub(super) parameters: Map<String, Value>,
    /// The categories of each categorical column of the frame that the model was trained on.
    pub(super) pandas_categorical: Option<Value>,
    /// What could not be made sense of.
    pub(super) warnings: Vec<String>,
}

impl Tail {
    /// Reads to the end of the file.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` for more parameters than any version has.
    pub(super) fn read(lines: Lines<'_>) -> Result<Self> {
        let mut tail = Self::default();
        let mut inside = false;
        let mut categories = None;
        for line in lines {
            match line.text {
                b"parameters:" => inside = true,
                b"end of parameters" => inside = false,
                text if inside => tail.parameter(text)?,
                text if text.starts_with(PANDAS) => categories = Some(line),
                _ => {}
            }
        }
        // The last one counts: a feature of this name would stand among the importances.
        if let Some(line) = categories {
            tail.categories(&line.text[PANDAS.len()..], line.number);
        }
        Ok(tail)
    }

    fn parameter(&mut self, text: &[u8]) -> Result<()> {
        let inner = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
        let text = String::from_utf8_lossy(inner.unwrap_or_default());
        if let Some((key, value)) = text.split_once(':') {
            limits::check("parameters", self.parameters.len() + 1, limits::PARAMETERS)?;
            self.parameters.insert(key.trim().to_owned(), Value::String(value.trim().to_owned()));
        }
        Ok(())
    }

    fn categories(&mut self, text: &[u8], line: usize) {
        if text.len() as u64 > limits::METADATA_BYTES {
            self.warnings.push(format!("line {line}: pandas_categorical is left out, it is too long"));
            return;
        }
        match json::parse(text) {
            Ok(Value::Null) => {}
            Ok(categories) => self.pandas_categorical = Some(categories),
            Err(error) => self.warnings.push(format!("line {line}: pandas_categorical is left out: {error}")),
        }
    }
}
