//! Syntax of files, nothing of machine learning.

pub mod archive;
pub mod file;
pub mod flatbuffer;
pub mod hdf5;
pub mod inflate;
pub mod json;
pub mod ndarray;
pub mod npy;
pub mod pickle;
pub mod protobuf;
pub mod ubjson;
