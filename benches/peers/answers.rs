//! Whether a library answers what the training library answered.

use crate::peer::Meaning;
use std::path::Path;

/// How a library's answers compare with those of the library that trained the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Equality {
    /// The same bits.
    Exact,
    /// The largest distance, relative to the larger of 1 and the expected number.
    Off(f64),
}

/// Compares answers.
pub fn compare(meaning: Meaning, found: &[f64], expected: &[f64], outputs: usize) -> Equality {
    let expected = match meaning {
        Meaning::Margin => expected.to_vec(),
        Meaning::Shares => expected.chunks(outputs).flat_map(softmax).collect(),
    };
    if found.iter().zip(&expected).all(|(found, expected)| found.to_bits() == expected.to_bits()) {
        return Equality::Exact;
    }
    let distance = |(found, expected): (&f64, &f64)| (found - expected).abs() / expected.abs().max(1.0);
    Equality::Off(found.iter().zip(&expected).map(distance).fold(0.0, f64::max))
}

fn softmax(margins: &[f64]) -> Vec<f64> {
    let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = margins.iter().map(|margin| (margin - largest).exp()).collect();
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

/// Why there is no such file, as `convert.py` wrote it down.
pub fn why_not(folder: &Path, file: &str) -> String {
    let notes = std::fs::read(folder.join("peers/convert.json")).unwrap_or_default();
    let notes: serde_json::Value = serde_json::from_slice(&notes).unwrap_or_default();
    match notes[file]["why"].as_str() {
        Some(why) => why.to_owned(),
        None => "does not read this kind of model".to_owned(),
    }
}
