//! The general kernel with its codes, for one row and for many.

use super::super::{Number as Value, Rows};
use super::choice::{Choice, Codes};
use super::coder::{Coder, Keys, Ranked};
use super::entry::{Entry, Keyed, Small, Wide};
use super::grove::Grove;
use super::lowered::Lowered;
use super::ranks::{BYTE_BOUNDS, WORD_BOUNDS};
use super::scratch::Scratch;
use super::sums::Sums;
use crate::ir::Precision;

/// Trees of one row between two additions to its margins.
const TREES: usize = 48;
/// Rows that go through a tree together.
const ROWS: usize = 48;
/// Rows from which on trees come first and rows within them.
const MANY: usize = 12;

/// A forest in one layout.
#[derive(Debug)]
pub struct Walk<C, E> {
    coder: C,
    grove: Grove<E>,
}

/// A forest in the layout that was chosen for it.
#[derive(Debug)]
pub enum Walks {
    /// Codes of 8 bits, nodes of 4 bytes.
    Small(Walk<Ranked<u8>, Small>),
    /// Codes of 16 bits, nodes of 8 bytes.
    Wide(Walk<Ranked<u16>, Wide>),
    /// Keys of float32.
    Keyed32(Walk<Keys<i32>, Keyed<i32>>),
    /// Keys of float64.
    Keyed64(Walk<Keys<i64>, Keyed<i64>>),
}

macro_rules! with {
    ($walks:expr, $walk:ident => $body:expr) => {
        match $walks {
            Walks::Small($walk) => $body,
            Walks::Wide($walk) => $body,
            Walks::Keyed32($walk) => $body,
            Walks::Keyed64($walk) => $body,
        }
    };
}

impl Walks {
    /// Lays a forest out as was chosen; where it does not fit, the choice becomes the next layout that it fits.
    pub fn new(lowered: &Lowered<'_>, choice: &mut Choice) -> Self {
        if choice.codes == Codes::Bytes {
            let coder = Ranked::new(lowered, BYTE_BOUNDS, choice.processor);
            if let Some(walk) = coder.and_then(|coder| Walk::new(lowered, coder)) {
                return Self::Small(walk);
            }
            choice.codes = Codes::Words;
        }
        if choice.codes == Codes::Words {
            let coder = Ranked::new(lowered, WORD_BOUNDS, choice.processor);
            if let Some(walk) = coder.and_then(|coder| Walk::new(lowered, coder)) {
                return Self::Wide(walk);
            }
            choice.codes = Codes::Keys;
        }
        let fits = "every forest that is read has fewer than 2^31 nodes";
        match lowered.forest.layout().input {
            Precision::F32 => Self::Keyed32(Walk::new(lowered, Keys::new(lowered)).expect(fits)),
            Precision::F64 => Self::Keyed64(Walk::new(lowered, Keys::new(lowered)).expect(fits)),
        }
    }

    /// Bytes of tables and nodes.
    pub fn bytes(&self) -> usize {
        with!(self, walk => walk.coder.bytes() + walk.grove.bytes())
    }

    /// Reads tables and nodes.
    pub fn prefetch(&self) {
        with!(self, walk => {
            walk.coder.prefetch();
            walk.grove.prefetch();
        });
    }

    /// Adds the trees to the margins of every row, `stride` numbers apart.
    pub fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        with!(self, walk => walk.add(rows, sums, out, stride, scratch));
    }

    /// Calls `put` with row, tree and leaf for every row and every tree.
    pub fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        with!(self, walk => walk.leaves(rows, scratch, put));
    }
}

impl<C: Coder, E: Entry<Code = C::Code>> Walk<C, E> {
    fn new(lowered: &Lowered<'_>, coder: C) -> Option<Self> {
        let grove = Grove::new(lowered, coder.slots().count(), |test| coder.place(lowered, test))?;
        Some(Self { coder, grove })
    }

    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        let outputs = sums.layout().base.len();
        if rows.count() >= MANY {
            for (block, out) in rows.blocks(ROWS).zip(out.chunks_mut(ROWS * stride)) {
                self.each_tree(block, scratch, |tree, leaves| sums.add_rows(tree, leaves, block, out, stride));
            }
            return;
        }
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(stride)) {
            self.each_block(row, sums.trees(), scratch, |first, leaves| {
                sums.add(first, leaves, row, &mut out[..outputs]);
            });
        }
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        for (index, row) in rows.iter().enumerate() {
            self.each_block(row, self.grove.trees(), scratch, |first, leaves| {
                for (tree, &leaf) in (first..).zip(leaves) {
                    put(index, tree, leaf);
                }
            });
        }
    }

    /// Calls `put` with block after block of trees: the first tree, and the leaves that the row reaches from there on.
    #[inline]
    fn each_block<T: Value>(&self, row: &[T], trees: usize, scratch: &mut Scratch, mut put: impl FnMut(usize, &[u32])) {
        let codes = scratch.codes.room(self.grove.slots());
        self.coder.code(row, codes, &mut scratch.keys);
        let mut leaves = [0; TREES];
        for first in (0..trees).step_by(TREES) {
            let leaves = &mut leaves[..TREES.min(trees - first)];
            self.grove.row(codes, first, leaves);
            put(first, leaves);
        }
    }

    /// Calls `put` with tree after tree and the leaves that the rows reach in it.
    #[inline]
    fn each_tree<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, mut put: impl FnMut(usize, &[u32])) {
        // Rows of codes begin at cache lines.
        let stride = self.grove.slots().next_multiple_of(64 / size_of::<C::Code>());
        let codes = scratch.codes.room(stride * rows.count());
        for (row, codes) in rows.iter().zip(codes.chunks_exact_mut(stride)) {
            self.coder.code(row, &mut codes[..self.grove.slots()], &mut scratch.keys);
        }
        let mut leaves = [0; ROWS];
        let leaves = &mut leaves[..rows.count()];
        for tree in 0..self.grove.trees() {
            self.grove.rows(codes, stride, tree, leaves);
            put(tree, leaves);
        }
    }
}
