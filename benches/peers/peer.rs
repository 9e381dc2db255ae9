//! What the measurement asks of a library.

use crate::rows::Rows;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where the libraries lie.
pub struct Setting {
    /// The folder of Python packages that the wheels were unpacked to.
    pub packages: PathBuf,
    /// `libmi.so`.
    pub ours: PathBuf,
}

/// What a peer computes for a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// The margin before the link, as the training library prints it.
    Margin,
    /// The share of each class.
    Shares,
}

/// A model held by a library.
pub trait Peer {
    /// What its answers are.
    fn meaning(&self) -> Meaning {
        Meaning::Margin
    }

    /// Predicts one row by the fastest entry that the library has for that.
    fn row(&mut self, index: usize);

    /// Predicts the first `count` rows with `threads` threads; `false` when the library cannot.
    fn batch(&mut self, count: usize, threads: usize) -> bool;

    /// What the last call answered, for `count` rows.
    fn answers(&self, count: usize) -> Vec<f64>;
}

/// Opens a model, or says why not. The first part dlopens the library, the second reads the model: a load time is that of the second.
pub type Open = fn(&Setting, &Path) -> Result<Loader, String>;

/// A library that is open and has yet to read the model.
pub type Loader = Box<dyn FnOnce(Rc<Rows>) -> Result<Box<dyn Peer>, String>>;

/// Hands parts of a batch to threads, for libraries that leave threads to their callers.
pub fn split(count: usize, threads: usize, predict: impl Fn(usize, usize) + Sync) {
    let share = count.div_ceil(threads);
    std::thread::scope(|scope| {
        let predict = &predict;
        for first in (share..count).step_by(share) {
            scope.spawn(move || predict(first, share.min(count - first)));
        }
        predict(0, share.min(count));
    });
}
