//! Working memory of a thread: the results of steps, and room for what a step needs besides.

use super::matrix::Packed;
use super::real::Real;

/// Where a tensor lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// In the caller's rows, from this column on.
    Row(usize),
    /// In the result of a step: its slot, elements between rows, the first element of a row.
    Slot { slot: usize, stride: usize, offset: usize },
    /// Among the constants, the same for all rows.
    Constant { index: usize, offset: usize },
}

/// A tensor of a block of rows: `size` elements of each, that begin `stride` elements apart.
#[derive(Clone, Copy)]
pub(super) struct View<'a, T> {
    data: &'a [T],
    stride: usize,
    size: usize,
}

impl<'a, T> View<'a, T> {
    pub(super) fn new(data: &'a [T], stride: usize, size: usize) -> Self {
        Self { data, stride, size }
    }

    /// The elements of a row.
    #[inline]
    pub(super) fn row(&self, index: usize) -> &'a [T] {
        &self.data[index * self.stride..][..self.size]
    }

    /// Elements from the beginning of one row to that of the next; 0 when they share them.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Everything from the first row on.
    pub(super) fn data(&self) -> &'a [T] {
        self.data
    }
}

/// Vectors that grow with the first calls and are kept.
#[derive(Debug)]
pub(super) struct Memory<T> {
    /// The caller's rows in the type of the network.
    pub(super) rows: Vec<T>,
    pub(super) slots: Vec<Vec<T>>,
    pub(super) spare: Spare<T>,
}

/// Room inside of one step.
#[derive(Debug)]
pub(super) struct Spare<T> {
    pub(super) first: Vec<T>,
    pub(super) second: Vec<T>,
    pub(super) third: Vec<T>,
    pub(super) packed: Packed<T>,
}

impl<T: Real> Memory<T> {
    pub(super) const fn new() -> Self {
        let spare = Spare { first: Vec::new(), second: Vec::new(), third: Vec::new(), packed: Packed::empty() };
        Self { rows: Vec::new(), slots: Vec::new(), spare }
    }
}

/// The first `len` elements of a vector that grows when it must.
pub(super) fn room<T: Real>(vector: &mut Vec<T>, len: usize) -> &mut [T] {
    if vector.len() < len {
        vector.resize(len, T::default());
    }
    &mut vector[..len]
}
