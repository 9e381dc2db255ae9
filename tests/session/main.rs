//! Networks in ONNX Runtime. `make runtime` brings it; without it these tests say so and pass.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/counting.rs"]
mod counting;

/// Ends a test, with a word, on a machine without the runtime.
macro_rules! needs_runtime {
    () => {
        if crate::common::runtime::is_absent() {
            return;
        }
    };
}

mod answers;
mod files;
mod graphs;
mod hostile;
mod loader;
mod networks;
mod providers;
mod seam;
mod warm;

use mi::{Error, Model, Status};

/// The case of this name, opened.
fn open(name: &str) -> Model {
    let case = case(name);
    Model::open(&case.model(), &case.options()).unwrap()
}

fn case(name: &str) -> common::Case {
    common::cases("onnx")
        .into_iter()
        .find(|case| case.folder.ends_with(name))
        .unwrap_or_else(|| panic!("there is no fixture onnx/{name}"))
}

/// Checks a failure: its status, and words of its sentence.
#[track_caller]
fn refused<T>(result: Result<T, Error>, status: Status, words: &[&str]) {
    let error = result.err().expect("a failure");
    assert_eq!(error.status(), status, "{error}");
    for word in words {
        assert!(error.message().contains(word), "'{word}' is not in: {error}");
    }
}
