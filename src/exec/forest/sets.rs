//! Conditions on categories for pointer jumping: for every state of a column one bit for each node of each chunk.

use super::super::Number as Value;
use super::condition::Conditions;
use super::slots::Slots;

/// Bytes that the bits may take, whatever the chunks take.
const BYTES: usize = 4 << 20;
/// Masks in a line.
const LINE: usize = 8;

/// The bits of all states.
#[derive(Debug)]
pub struct Sets {
    conditions: Conditions,
    /// For each column where the masks of its first state begin.
    first: Vec<usize>,
    /// Masks of a state: those of the chunks, and what fills the last line up.
    stride: usize,
    /// State behind state: a mask for each chunk, whose bits are the nodes that the state passes.
    masks: Vec<u64>,
}

impl Sets {
    /// No bits yet, for so many chunks; `None` where they would take much more than `chunks` themselves, or cannot be.
    pub fn new(conditions: &Conditions, chunks: usize, bytes: usize) -> Option<Self> {
        let stride = chunks.next_multiple_of(LINE);
        let mut first = Vec::with_capacity(conditions.columns.len());
        let mut masks = 0usize;
        for column in &conditions.columns {
            first.push(masks);
            masks = masks.checked_add(column.states()?.checked_mul(stride)?)?;
        }
        let fits = masks.checked_mul(8)? <= BYTES.max(bytes);
        fits.then(|| Self { conditions: conditions.clone(), first, stride, masks: vec![0; masks] })
    }

    /// Enters a node of a chunk that asks a condition.
    pub fn node(&mut self, slots: &Slots, condition: usize, chunk: usize, slot: usize) {
        let (at, own) = self.conditions.column(condition);
        let masks = &mut self.masks[self.first[at]..];
        slots.each_state(&self.conditions.columns[at], own, |state, holds| {
            masks[state * self.stride + chunk] |= u64::from(!holds) << slot;
        });
    }

    /// For each chunk the nodes that the categories of a row pass.
    #[inline(always)]
    pub fn fill<T: Value>(&self, slots: &Slots, row: &[T], room: &mut [u64]) {
        let room = &mut room[..self.stride];
        slots.states(&self.conditions, row, |column, state| {
            let masks = &self.masks[self.first[column] + state * self.stride..][..self.stride];
            if column == 0 {
                room.copy_from_slice(masks);
            } else {
                room.iter_mut().zip(masks).for_each(|(room, mask)| *room |= mask);
            }
        });
    }

    /// Masks of a row.
    #[inline]
    pub fn count(&self) -> usize {
        self.stride
    }

    /// Bytes of the bits.
    pub fn bytes(&self) -> usize {
        size_of_val(self.masks.as_slice()) + self.conditions.bytes()
    }

    /// Reads all bits.
    pub fn prefetch(&self) {
        super::warm(&self.masks);
    }
}
