//! Small trees, or trees that ask few columns, all at once: the leaves that each column leaves possible, until one of each tree is left (`mesh`).

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::kernel::{Kernel, Rowwise};
use super::lowered::Lowered;
use super::mesh::{Labels, Mesh};
use super::processor::Processor;
use super::scratch::Scratch;
use super::slots::Code;
use super::sums::{Leaves, Sink, Sums};
use std::sync::Arc;

/// A forest laid out for it.
#[derive(Debug)]
pub struct Sieve<C> {
    coder: Arc<Ranked<C>>,
    mesh: Mesh,
    /// For each tree its first leaf among all leaves.
    leaves: Vec<u32>,
}

impl<C: Code> Sieve<C> {
    /// Lays a forest out; `None` when it does not fit.
    pub fn new(lowered: &Lowered<'_>, coder: Arc<Ranked<C>>, processor: Processor) -> Option<Self> {
        let mesh = Mesh::new(lowered, coder.slots(), processor, |test| coder.place(lowered, test))?;
        Some(Self { coder, mesh, leaves: lowered.leaves.clone() })
    }

    /// What makes its codes.
    pub fn coder(&self) -> &Arc<Ranked<C>> {
        &self.coder
    }
}

/// One row's labels, and the trees they are of.
#[derive(Clone, Copy)]
struct Look<'a> {
    labels: Labels<'a>,
    leaves: &'a [u32],
}

impl Leaves for Look<'_> {
    #[inline]
    #[allow(unsafe_code)]
    fn each<S: Sink>(&self, mut sink: S) -> S {
        assert!(self.labels.trees() == self.leaves.len());
        // SAFETY: every tree has a first leaf, and its label is one of its leaves.
        self.labels.each(|tree, label| unsafe { sink.put(tree, self.leaves.get_unchecked(tree) + label) });
        sink
    }
}

impl<C: Code> Rowwise for Sieve<C> {
    #[inline]
    fn look<'a, T: Value>(&'a self, row: &[T], scratch: &'a mut Scratch) -> impl Leaves + 'a {
        let slots = self.coder.slots();
        let codes = scratch.codes.room::<C>(slots.count().next_multiple_of(64));
        self.coder.code(row, codes, &mut scratch.keys);
        Look {
            labels: self.mesh.labels(slots, row, codes, &mut scratch.points, &mut scratch.vectors),
            leaves: &self.leaves,
        }
    }
}

impl<C: Code> Kernel for Sieve<C> {
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        self.add_each(rows, sums, out, stride, scratch);
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        self.leaves_each(rows, scratch, put);
    }

    fn bytes(&self) -> usize {
        self.coder.bytes() + self.mesh.bytes() + size_of_val(self.leaves.as_slice())
    }

    fn prefetch(&self) {
        self.coder.prefetch();
        self.mesh.prefetch();
        super::warm(&self.leaves);
    }
}
