//! Small trees, or trees that ask few columns, all at once: the leaves that each column leaves possible, until one of each tree is left (`mesh`).

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::kernel::Kernel;
use super::lowered::Lowered;
use super::mesh::{Labels, Mesh};
use super::processor::Processor;
use super::scratch::Scratch;
use super::slots::Code;
use super::sums::{Leaves, Sink, Sums, blocks};
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

    /// The leaves of a row.
    #[inline]
    fn look<'a, T: Value>(&'a self, row: &[T], scratch: &'a mut Scratch) -> Look<'a> {
        let slots = self.coder.slots();
        let codes = scratch.codes.room::<C>(slots.count().next_multiple_of(64));
        self.coder.code(row, codes, &mut scratch.keys);
        Look {
            labels: self.mesh.labels(slots, row, codes, &mut scratch.points, &mut scratch.vectors),
            leaves: &self.leaves,
        }
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

impl<C: Code> Kernel for Sieve<C> {
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        let outputs = sums.layout().base.len();
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(stride)) {
            sums.add_row(&self.look(row, scratch), row, &mut out[..outputs]);
        }
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        for (index, row) in rows.iter().enumerate() {
            blocks(&self.look(row, scratch), |first, leaves| {
                for (tree, &leaf) in (first..).zip(leaves) {
                    put(index, tree, leaf);
                }
            });
        }
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
