//! libmi: trained models inside native programs.
//!
//! A file on disk becomes a prediction along one street, walked in one direction: [`artifact`] (which file, is it the right one),
//! [`formats`] (bytes to meaning), [`ir`] (what it means), [`exec`] (how it runs; [`session`] where a foreign runtime does), [`engine`] (which model for whom), `ffi` (the C API).
#![deny(unsafe_code)]

/// Files that tests of this crate and tests from outside share say `mi`.
#[cfg(test)]
extern crate self as mi;

pub mod artifact;
pub mod buffer;
pub mod cache;
pub mod codec;
pub mod engine;
pub mod error;
pub mod exec;
pub mod ffi;
pub mod formats;
pub mod ir;
pub mod limits;
pub mod loader;
pub mod model;
pub mod session;

pub use error::{Error, Result, Status};
pub use model::Model;
