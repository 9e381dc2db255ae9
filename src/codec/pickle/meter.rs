//! The memory that a pickle may take, counted before it is taken.

use crate::error::{Error, Result};
use crate::limits;

/// What is left of the memory that [`limits::pickle_memory`] grants.
#[derive(Debug)]
pub(super) struct Meter {
    left: usize,
    total: usize,
}

impl Meter {
    pub fn new(total: usize) -> Self {
        Self { left: total, total }
    }

    /// What is left of it.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Takes this many bytes.
    pub fn take(&mut self, bytes: usize) -> Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| exhausted(self.total))?;
        Ok(())
    }

    /// Ends a vector and returns what it took.
    #[allow(clippy::needless_pass_by_value)] // it is freed here
    pub fn give_back<T>(&mut self, vector: Vec<T>) {
        self.left += vector.capacity() * size_of::<T>();
    }

    /// Room for `count` more elements, growing by half, so that pushing costs constant time on average.
    pub fn reserve<T>(&mut self, vector: &mut Vec<T>, count: usize) -> Result<()> {
        let free = vector.capacity() - vector.len();
        if count <= free {
            return Ok(());
        }
        let more = (count - free).max(vector.capacity() / 2).max(16);
        self.take(more.checked_mul(size_of::<T>()).ok_or_else(|| exhausted(self.total))?)?;
        vector.try_reserve_exact(free + more).map_err(|_| exhausted(self.total))
    }

    #[inline]
    pub fn push<T>(&mut self, vector: &mut Vec<T>, item: T) -> Result<()> {
        if vector.len() == vector.capacity() {
            self.reserve(vector, 1)?;
        }
        vector.push(item);
        Ok(())
    }

    pub fn extend<T: Copy>(&mut self, vector: &mut Vec<T>, items: &[T]) -> Result<()> {
        self.reserve(vector, items.len())?;
        vector.extend_from_slice(items);
        Ok(())
    }
}

#[cold]
pub(super) fn exhausted(total: usize) -> Error {
    Error::limit(format!(
        "the objects of this pickle need more than the {total} bytes granted for a file of its size ({} and {} per byte)",
        limits::PICKLE_MEMORY,
        limits::PICKLE_MEMORY_PER_BYTE
    ))
}
