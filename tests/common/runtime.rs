//! ONNX Runtime, which tests of networks need and machines may lack.

use mi::formats::ReadOptions;
use mi::{Model, Status};

/// Whether there is none: then says so, and how to get it.
pub fn is_absent() -> bool {
    let network = super::fixtures().join("onnx/graph_dense/model.onnx");
    match Model::open(&network, &ReadOptions::default()) {
        Err(error) if error.status() == Status::BackendMissing => {
            println!("skipped: {error}");
            true
        }
        _ => false,
    }
}
