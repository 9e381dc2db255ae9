//! Pointer jumping with its codes, for one row and for many.

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::jump::{CODES, Jump, Width};
use super::kernel::{Kernel, Rowwise};
use super::lines::Bytes;
use super::lowered::Lowered;
use super::processor::Processor;
use super::scratch::Scratch;
use super::slots::{Code, Parts};
use super::sums::{Leaves, Sums};
use std::sync::Arc;

/// Rows from which on trees come first and rows within them.
const MANY: usize = 12;
/// The most rows that go through a tree together.
const ROWS: usize = 512;
/// Bytes of codes that such rows may take: they are read over and over.
const BYTES: usize = 256 << 10;

/// A forest in chunks, with what makes its codes.
#[derive(Debug)]
pub struct Chunked<C> {
    coder: Arc<Ranked<C>>,
    jump: Jump,
}

impl<C: Code> Chunked<C> {
    /// Lays a forest out; `None` when it does not fit.
    pub fn new(lowered: &Lowered<'_>, width: Width, most: usize, masked: bool) -> Option<Self> {
        let parts = Parts { second: width != Width::Ranges, conditions: false };
        let coder = Ranked::new(lowered, most, parts, Processor::Vbmi)?;
        let jump = Jump::new(lowered, width, masked, coder.slots(), coder.ranks())?;
        Some(Self { coder: Arc::new(coder), jump })
    }

    /// What makes its codes.
    pub fn coder(&self) -> &Arc<Ranked<C>> {
        &self.coder
    }
}

impl<C: Code> Chunked<C> {
    /// The most rows that go through a tree together.
    fn together(&self) -> usize {
        (BYTES / (64 * self.jump.codes())).min(ROWS)
    }

    /// Calls `take` with tree after tree and the leaves that the rows reach in it.
    fn each_tree<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, mut take: impl FnMut(usize, &[u32])) {
        let lines = self.jump.codes();
        let codes = scratch.codes.room::<C>(rows.count() * lines * 64 / size_of::<C>());
        for (row, codes) in rows.iter().zip(codes.chunks_exact_mut(lines * 64 / size_of::<C>())) {
            self.coder.code(row, codes, &mut scratch.keys);
        }
        let codes = scratch.codes.room::<Bytes>(rows.count() * lines);
        self.jump.stream(codes, rows.count(), &mut scratch.labels, &mut scratch.waiting, &mut take);
    }
}

impl<C: Code> Rowwise for Chunked<C> {
    #[inline]
    fn look<'a, T: Value>(&'a self, row: &[T], scratch: &'a mut Scratch) -> impl Leaves + 'a {
        let codes = scratch.codes.room::<C>(CODES);
        self.coder.code(row, codes, &mut scratch.keys);
        let mut masks = 0;
        if let Some(sets) = self.jump.sets() {
            masks = sets.count();
            sets.fill(self.coder.slots(), row, scratch.masks.room(masks));
        }
        self.jump.leap(scratch.codes.room::<Bytes>(CODES * size_of::<C>() / 64), scratch.masks.room(masks))
    }
}

impl<C: Code> Kernel for Chunked<C> {
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        if rows.count() >= MANY && self.jump.streams() {
            let size = self.together();
            for (block, out) in rows.blocks(size).zip(out.chunks_mut(size * stride)) {
                self.each_tree(block, scratch, |tree, leaves| {
                    sums.add_rows(tree, leaves.iter().copied(), block, out, stride);
                });
            }
            return;
        }
        self.add_each(rows, sums, out, stride, scratch);
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        self.leaves_each(rows, scratch, put);
    }

    fn bytes(&self) -> usize {
        self.coder.bytes() + self.jump.bytes()
    }

    fn prefetch(&self) {
        self.coder.prefetch();
        self.jump.prefetch();
    }
}
