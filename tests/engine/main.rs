//! Predictions by name.

#[path = "../common/mod.rs"]
mod common;

/// Ends a test, with a word, on a machine without the runtime.
macro_rules! needs_runtime {
    () => {
        if crate::common::runtime::is_absent() {
            return;
        }
    };
}

mod groups;
mod named;
mod sequences;
mod single;

use common::runs::TestRun;
use mi::engine::{Engine, Options};
use mi::{Result, Status};
use std::sync::Arc;

/// An engine with default options over a run.
fn engine(run: &TestRun) -> Engine {
    engine_with(run, Options::default())
}

fn engine_with(run: &TestRun, options: Options) -> Engine {
    Engine::new(Arc::new(run.loader()), options).unwrap()
}

/// Fails unless the result is an error of this status whose sentence holds all of these words.
#[track_caller]
fn refused<T>(result: Result<T>, status: Status, words: &[&str]) {
    let Err(error) = result else { panic!("{status:?} was expected") };
    assert_eq!(error.status(), status, "{error}");
    for word in words {
        assert!(error.message().contains(word), "'{word}' is not in: {error}");
    }
}
