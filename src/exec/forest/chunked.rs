//! Pointer jumping with its codes, for one row and for many.

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::jump::{CODES, Jump, Leap, Width};
use super::kernel::Kernel;
use super::lines::Bytes;
use super::lowered::Lowered;
use super::processor::Processor;
use super::scratch::Scratch;
use super::slots::{Code, Parts};
use super::sums::{Sums, blocks};
use std::sync::Arc;

/// A forest in chunks, with what makes its codes.
#[derive(Debug)]
pub struct Chunked<C> {
    coder: Arc<Ranked<C>>,
    jump: Jump,
}

impl<C: Code> Chunked<C> {
    /// Lays a forest out; `None` when it does not fit.
    pub fn new(lowered: &Lowered<'_>, width: Width, most: usize) -> Option<Self> {
        let parts = Parts { second: width != Width::Ranges, conditions: false };
        let coder = Ranked::new(lowered, most, parts, Processor::Vbmi)?;
        let jump = Jump::new(lowered, width, coder.slots(), coder.ranks())?;
        Some(Self { coder: Arc::new(coder), jump })
    }

    /// What makes its codes.
    pub fn coder(&self) -> &Arc<Ranked<C>> {
        &self.coder
    }

    /// The leaves of a row.
    #[inline]
    fn leap<'a, T: Value>(&'a self, row: &[T], scratch: &'a mut Scratch) -> Leap<'a> {
        let codes = scratch.codes.room::<C>(CODES);
        self.coder.code(row, codes, &mut scratch.keys);
        let mut masks = 0;
        if let Some(sets) = self.jump.sets() {
            sets.fill(self.coder.slots(), row, &mut scratch.masks);
            masks = sets.count();
        }
        self.jump.leap(scratch.codes.room::<Bytes>(CODES * size_of::<C>() / 64), scratch.masks.room(masks))
    }
}

impl<C: Code> Kernel for Chunked<C> {
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        let outputs = sums.layout().base.len();
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(stride)) {
            sums.add_row(&self.leap(row, scratch), row, &mut out[..outputs]);
        }
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        for (index, row) in rows.iter().enumerate() {
            blocks(&self.leap(row, scratch), |first, leaves| {
                for (tree, &leaf) in (first..).zip(leaves) {
                    put(index, tree, leaf);
                }
            });
        }
    }

    fn bytes(&self) -> usize {
        self.coder.bytes() + self.jump.bytes()
    }

    fn prefetch(&self) {
        self.coder.prefetch();
        self.jump.prefetch();
    }
}
