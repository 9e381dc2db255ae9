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
    /// Codes as the steps of walks take them.
    pub words: Buffer,
    /// Keys of a row, on their way to codes.
    pub keys: Buffer,
    /// Codes of some rows before they are turned into columns.
    pub turn: Buffer,
    /// Labels or leaves of the rows of a block, or leaves of the trees of one.
    pub labels: Buffer,
    /// Which of them have not arrived.
    pub waiting: Buffer,
    /// Where the codes of a row lead in the tables of a mesh.
    pub points: Buffer,
    /// The leaves that they leave possible.
    pub vectors: Buffer,
    /// Margins of the rows of a block.
    #[cfg(target_arch = "x86_64")]
    pub sums: Buffer,
    /// Nodes that the categories of a row pass.
    #[cfg(target_arch = "x86_64")]
    pub masks: Buffer,
}

impl Scratch {
    /// Nothing yet.
    const fn new() -> Self {
        Self {
            codes: Buffer::new(),
            words: Buffer::new(),
            keys: Buffer::new(),
            turn: Buffer::new(),
            labels: Buffer::new(),
            waiting: Buffer::new(),
            points: Buffer::new(),
            vectors: Buffer::new(),
            #[cfg(target_arch = "x86_64")]
            sums: Buffer::new(),
            #[cfg(target_arch = "x86_64")]
            masks: Buffer::new(),
        }
    }
}
