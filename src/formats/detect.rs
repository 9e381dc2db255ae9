//! What a file is, from its content alone: file endings lie.

use super::{catboost, keras, torch};
use crate::codec::archive::Archive;
use crate::codec::hdf5;
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
    /// An archive of Keras: configuration and weights.
    KerasArchive,
    /// An HDF5 file: a model of Keras, or its weights.
    Hdf5,
    /// An ONNX model.
    Onnx,
    /// A Python pickle or joblib file, compressed or not; its class says what it holds.
    Pickle,
    /// A file of `PyTorch`: an exported program, TorchScript, a pickled module or a state dict.
    Torch,
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
    // Before pickles, of which it is a row.
    if torch::is_legacy(bytes) {
        return Ok(Format::Torch);
    }
    if crate::codec::pickle::looks_like(bytes) {
        return Ok(Format::Pickle);
    }
    if super::onnx::looks_like(bytes) {
        return Ok(Format::Onnx);
    }
    if bytes.starts_with(hdf5::SIGNATURE) {
        return Ok(Format::Hdf5);
    }
    if Archive::looks_like(bytes) {
        return archive(bytes);
    }
    if bytes.get(4..8) == Some(b"ORTM") {
        return Err(Error::unsupported(
            "this is ONNX Runtime's own format, which only the version that wrote it reads; use the .onnx file it was made of",
        ));
    }
    Err(Error::malformed(format!(
        "unknown content (it begins with {}); expected a LightGBM text, an XGBoost JSON, UBJSON or binary, a CatBoost \
         binary or JSON, a pickle, an ONNX model, or a model of Keras or PyTorch",
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

/// What an archive is, by the names of its entries.
fn archive(bytes: &[u8]) -> Result<Format> {
    let archive = Archive::open(bytes)?;
    if keras::is_archive(&archive) {
        return Ok(Format::KerasArchive);
    }
    if torch::is_archive(&archive) {
        return Ok(Format::Torch);
    }
    let names: Vec<String> = archive.names().take(3).collect();
    Err(Error::unsupported(format!(
        "a zip archive with {} in it, which is none of Keras or PyTorch",
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ").escape_default().to_string() }
    )))
}

fn preview(bytes: &[u8]) -> String {
    bytes.iter().take(12).flat_map(|&byte| std::ascii::escape_default(byte)).map(char::from).collect()
}
