//! What a file is, from its content alone: file endings lie.

use super::catboost;
use crate::codec::json::first_key;
use crate::error::{Error, Result};

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `CatBoost`'s own binary format.
    CatboostBinary,
    /// `CatBoost`'s JSON.
    CatboostJson,
    /// `LightGBM`'s own text.
    LightgbmText,
    /// `XGBoost`'s JSON.
    XgboostJson,
    /// `XGBoost`'s UBJSON.
    XgboostUbjson,
    /// `XGBoost`'s deprecated binary format, with or without the header that Spark writes before it.
    XgboostBinary,
    /// An ONNX model.
    Onnx,
    /// A Python pickle or joblib file, compressed or not; its class says what it holds.
    Pickle,
}

/// The format of these bytes.
///
/// # Errors
/// `MI_UNSUPPORTED` naming what it is, when that is known but not read; `MI_MALFORMED` when it is nothing known.
pub fn detect(bytes: &[u8]) -> Result<Format> {
    let text = bytes.trim_ascii_start();
    if bytes.is_empty() {
        return Err(Error::malformed("the file is empty"));
    }
    // First, because this format has no magic number and may begin with any bytes; the check itself leaves no room for others.
    if crate::formats::xgboost::is_binary(bytes) {
        return Ok(Format::XgboostBinary);
    }
    if text.starts_with(b"tree\n") || text.starts_with(b"tree\r\n") {
        return Ok(Format::LightgbmText);
    }
    if bytes.starts_with(catboost::MAGIC) {
        return Ok(Format::CatboostBinary);
    }
    if let Some(rest) = text.strip_prefix(b"{") {
        return Ok(match rest.first() {
            Some(b'L' | b'l' | b'I' | b'i' | b'U' | b'$' | b'#') => Format::XgboostUbjson,
            _ => json_dialect(bytes),
        });
    }
    if crate::codec::pickle::looks_like(bytes) {
        return Ok(Format::Pickle);
    }
    if super::onnx::looks_like(bytes) {
        return Ok(Format::Onnx);
    }
    if let Some(name) = known_but_not_read(bytes) {
        return Err(Error::unsupported(name));
    }
    Err(Error::malformed(format!(
        "unknown content (it begins with {}); expected a LightGBM text, an XGBoost JSON, UBJSON or binary, a \
         CatBoost binary or JSON, or an ONNX model",
        preview(bytes)
    )))
}

/// Which library's JSON it is: the first key that only one of them writes at the top level tells.
fn json_dialect(bytes: &[u8]) -> Format {
    let mut keys = vec!["learner"];
    keys.extend(catboost::KEYS);
    match first_key(bytes, &keys) {
        Some(1..) => Format::CatboostJson,
        _ => Format::XgboostJson,
    }
}

fn known_but_not_read(bytes: &[u8]) -> Option<&'static str> {
    let is = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.get(4..8) == Some(b"ORTM") {
        Some(
            "this is ONNX Runtime's own format, which only the version that wrote it reads; use the .onnx file it was made of",
        )
    } else if is(b"PK\x03\x04") {
        Some("this is a zip archive (Keras or PyTorch), which is not read yet")
    } else if is(b"\x89HDF\r\n\x1a\n") {
        Some("this is an HDF5 file (Keras), which is not read yet")
    } else {
        None
    }
}

fn preview(bytes: &[u8]) -> String {
    bytes.iter().take(12).flat_map(|&byte| std::ascii::escape_default(byte)).map(char::from).collect()
}
