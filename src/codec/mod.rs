//! Syntax of files, nothing of machine learning.

pub mod file;
pub mod json;
pub mod ubjson;
