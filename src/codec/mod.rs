//! Syntax of files, nothing of machine learning.

pub mod json;
