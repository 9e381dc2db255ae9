//! The window of one symbol.

use super::{Shape, time};
use crate::error::{Error, Result};
use crate::limits;

/// The last rows of a symbol, in memory of a fixed size that the first push takes.
#[derive(Debug)]
pub(super) struct Ring {
    shape: Shape,
    /// `steps` rows, `oldest` first and round the end; empty before the first push.
    values: Vec<f32>,
    /// Where the next row goes: the place of the oldest one in a full window.
    next: usize,
    rows: usize,
    newest_ns: i64,
}

impl Ring {
    pub fn new(shape: Shape) -> Self {
        Self { shape, values: Vec::new(), next: 0, rows: 0, newest_ns: 0 }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The time stamp of the newest row.
    pub fn newest_ns(&self) -> Option<i64> {
        (self.rows > 0).then_some(self.newest_ns)
    }

    /// Takes the memory of the window, once.
    pub fn reserve(&mut self) -> Result<()> {
        if self.values.is_empty() {
            self.values = limits::vec("numbers of a window", self.shape.values())?;
            self.values.resize(self.shape.values(), 0.0);
        }
        Ok(())
    }

    /// Appends a row of the window's width.
    pub fn push(&mut self, row: &[f32], timestamp_ns: i64) -> Result<()> {
        let timestamp_ns = time(timestamp_ns);
        if let Some(newest) = self.newest_ns().filter(|&newest| timestamp_ns < newest) {
            return Err(Error::invalid(format!(
                "the time stamp {timestamp_ns} lies {} ns before that of the newest row, {newest}; rows come in order of time",
                newest.abs_diff(timestamp_ns)
            )));
        }
        self.reserve()?;
        let Shape { steps, width } = self.shape;
        self.values[self.next * width..][..width].copy_from_slice(row);
        self.next = if self.next + 1 == steps { 0 } else { self.next + 1 };
        self.rows = steps.min(self.rows + 1);
        self.newest_ns = timestamp_ns;
        Ok(())
    }

    /// The numbers of all rows, oldest first, in two pieces.
    pub fn pieces(&self) -> [&[f32]; 2] {
        let Shape { steps, width } = self.shape;
        if self.rows < steps {
            [&self.values[..self.rows * width], &[]]
        } else {
            let (newer, older) = self.values.split_at(self.next * width);
            [older, newer]
        }
    }

    /// Every row, oldest first.
    pub fn each(&self) -> impl Iterator<Item = &[f32]> {
        let [older, newer] = self.pieces();
        older.chunks_exact(self.shape.width).chain(newer.chunks_exact(self.shape.width))
    }

    /// Writes the window: zeros for the rows that are missing, then all rows, oldest first.
    pub fn copy(&self, out: &mut [f32]) {
        let [older, newer] = self.pieces();
        let (missing, rest) = out.split_at_mut(out.len() - older.len() - newer.len());
        let (old, new) = rest.split_at_mut(older.len());
        missing.fill(0.0);
        old.copy_from_slice(older);
        new.copy_from_slice(newer);
    }

    /// A window of `rows` rows, oldest first, that `fill` writes.
    pub fn filled(
        shape: Shape,
        rows: usize,
        newest_ns: i64,
        fill: impl FnOnce(&mut [f32]) -> Result<()>,
    ) -> Result<Self> {
        let mut ring = Self { rows, next: rows % shape.steps, newest_ns, ..Self::new(shape) };
        if rows > 0 {
            ring.reserve()?;
            fill(&mut ring.values[..rows * shape.width])?;
        }
        Ok(ring)
    }

    /// Forgets all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.next = 0;
        self.rows = 0;
    }
}
