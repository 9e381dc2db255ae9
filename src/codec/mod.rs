//! Syntax of files, nothing of machine learning.

pub mod file;
pub mod flatbuffer;
pub mod json;
