//! Working memory of kernels: one per thread, grown once.

use super::lines::Buffer;
use std::cell::RefCell;

thread_local! {
    /// That of this thread.
    pub static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch::new()) };
}

/// Working memory of one thread.
#[derive(Debug)]
pub struct Scratch {
    /// Codes of rows.
    pub codes: Buffer,
    /// Keys of a row, on their way to codes.
    pub keys: Buffer,
}

impl Scratch {
    /// Nothing yet.
    const fn new() -> Self {
        Self { codes: Buffer::new(), keys: Buffer::new() }
    }
}
