//! Rows as a caller hands them in: a row-major matrix of `f32` or `f64`.

use crate::error::{Error, Result};

/// A type that features come in.
pub trait Number: Copy + Send + Sync {
    /// The same value as `f64`.
    fn widen(self) -> f64;

    /// Whether it is a NaN.
    fn is_missing(self) -> bool;

    /// The numbers as they are, when this is their type.
    fn as_f32(numbers: &[Self]) -> Option<&[f32]>;

    /// The numbers as they are, when this is their type.
    fn as_f64(numbers: &[Self]) -> Option<&[f64]>;
}

impl Number for f64 {
    #[inline]
    fn widen(self) -> f64 {
        self
    }

    #[inline]
    fn is_missing(self) -> bool {
        self.is_nan()
    }

    #[inline]
    fn as_f32(_: &[Self]) -> Option<&[f32]> {
        None
    }

    #[inline]
    fn as_f64(numbers: &[Self]) -> Option<&[f64]> {
        Some(numbers)
    }
}

impl Number for f32 {
    #[inline]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn is_missing(self) -> bool {
        self.is_nan()
    }

    #[inline]
    fn as_f32(numbers: &[Self]) -> Option<&[f32]> {
        Some(numbers)
    }

    #[inline]
    fn as_f64(_: &[Self]) -> Option<&[f64]> {
        None
    }
}

/// A borrowed row-major matrix, of shape (count, columns).
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, T> {
    data: &'a [T],
    count: usize,
    columns: usize,
}

impl<'a, T: Number> Rows<'a, T> {
    /// A matrix over `data`.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` when `data` does not hold `count * columns` numbers.
    #[inline]
    pub fn new(data: &'a [T], count: usize, columns: usize) -> Result<Self> {
        if count.checked_mul(columns) == Some(data.len()) {
            Ok(Self { data, count, columns })
        } else {
            Err(misshapen(data.len(), count, columns))
        }
    }

    /// Number of rows.
    #[inline]
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Numbers per row.
    #[inline]
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All numbers, row after row.
    #[inline]
    #[must_use]
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// The same matrix, over the same numbers in the type that they are known to have.
    #[inline]
    pub(super) fn of<N>(&self, data: &'a [N]) -> Rows<'a, N> {
        debug_assert_eq!(data.len(), self.data.len());
        Rows { data, count: self.count, columns: self.columns }
    }

    /// The row of this index.
    #[inline]
    #[must_use]
    pub fn row(&self, index: usize) -> &'a [T] {
        &self.data[index * self.columns..][..self.columns]
    }

    /// Row after row.
    pub fn iter(&self) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let this = *self;
        (0..this.count).map(move |index| this.row(index))
    }

    /// `count` rows from `first` on.
    #[inline]
    #[must_use]
    pub fn range(&self, first: usize, count: usize) -> Rows<'a, T> {
        let columns = self.columns;
        Rows { data: &self.data[first * columns..][..count * columns], count, columns }
    }

    /// Block after block of at most `size` rows, which is not 0.
    pub fn blocks(&self, size: usize) -> impl Iterator<Item = Rows<'a, T>> + use<'a, T> {
        let this = *self;
        (0..this.count).step_by(size).map(move |first| {
            let count = size.min(this.count - first);
            Rows { data: &this.data[first * this.columns..][..count * this.columns], count, columns: this.columns }
        })
    }

    /// Row after row, each as a matrix of its own.
    pub fn split(&self) -> impl Iterator<Item = Rows<'a, T>> + use<'a, T> {
        let columns = self.columns;
        self.iter().map(move |data| Rows { data, count: 1, columns })
    }
}

#[cold]
fn misshapen(numbers: usize, count: usize, columns: usize) -> Error {
    Error::shape(format!("{numbers} numbers are not {count} rows of {columns} columns"))
}
