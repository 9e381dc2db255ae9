//! Disk layouts and integrity: where the files of a model lie, whether they are the right ones, what is said about them.

mod name;

pub use name::{DEFAULT_VIEW, Entry, Name, Selector};
