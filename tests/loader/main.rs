//! From a directory to models by name.

#[path = "../common/mod.rs"]
mod common;

mod candidates;
mod catalogue;
mod checksums;
mod layout;
mod metadata;
mod older;
mod pickled;
mod safety;
mod threads;

use mi::{Result, Status};

/// Fails unless the result is an error of this status whose sentence holds all of these words.
#[track_caller]
fn refused<T>(result: Result<T>, status: Status, words: &[&str]) {
    let Err(error) = result else { panic!("{status:?} was expected") };
    assert_eq!(error.status(), status, "{error}");
    for word in words {
        assert!(error.message().contains(word), "'{word}' is not in: {error}");
    }
}

/// The warnings in a model's facts.
fn warnings(model: &mi::Model) -> Vec<String> {
    let warnings = model.facts()["warnings"].as_array().expect("a list of warnings");
    warnings.iter().map(|warning| warning.as_str().unwrap().to_owned()).collect()
}
