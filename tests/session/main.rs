//! Networks in ONNX Runtime. `make runtime` brings it.

mod graphs;
mod seam;
