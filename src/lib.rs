//! libmi
