//! The C API: every `extern "C"` function and every raw pointer of the crate.
//!
//! One file per noun. A body converts its arguments (`pointer`), calls the safe library and stores the result, all inside of
//! `fence!`, which turns an error into a status and a panic into `MI_INTERNAL`. The header `include/mi.h` is generated from here.
#![allow(unsafe_code)]
#![allow(non_camel_case_types)]
// The docs of exports become the prose of a C header: C's names, and `Requires:` for what the caller promises.
#![allow(clippy::doc_markdown, clippy::missing_safety_doc)]

#[macro_use]
mod fence;
mod buffer;
mod engine;
mod loader;
mod model;
mod network;
mod pointer;
mod sequences;
mod status;
mod strings;
mod version;

pub use buffer::*;
pub use engine::*;
pub use loader::*;
pub use model::*;
pub use sequences::*;
pub use status::*;
pub use strings::*;
pub use version::*;
