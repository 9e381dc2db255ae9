//! Conditions on categories for pointer jumping: for every state of a column one bit for each node of each chunk.

use super::super::Number as Value;
use super::condition::Conditions;
use super::lowered::Lowered;
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
    pub fn node(&mut self, lowered: &Lowered<'_>, condition: usize, chunk: usize, slot: usize) {
        let (at, _) = self.conditions.column(condition);
        let end = self.first.get(at + 1).copied().unwrap_or(self.masks.len());
        let masks = &mut self.masks[self.first[at]..end];
        lowered.each_word(condition, |first, mut holds| {
            for state in masks.chunks_exact_mut(self.stride).skip(first).take(64) {
                state[chunk] |= (!holds & 1) << slot;
                holds >>= 1;
            }
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

#[cfg(test)]
mod tests {
    use super::super::lowered::Test;
    use super::super::slots::Parts;
    use super::super::tests::garden::{self, Plan, Random};
    use super::*;
    use crate::exec::reference;
    use crate::ir::forest::{self, Side};

    #[test]
    fn bits_are_what_the_nodes_answer() {
        let mut random = Random(21);
        for categories in [20, 100, 700] {
            // A chunk for each tree.
            let plan = Plan { categories: (60, categories), features: 5, nodes: 60, ..Plan::default() };
            let forest = garden::forest(&plan, &mut random);
            let lowered = Lowered::new(&forest);
            let slots = Slots::new(&lowered, Parts::ALL);
            let mut sets = Sets::new(&lowered.conditions, forest.trees().len(), 0).unwrap();
            let asks = |tree: usize| lowered.tests(tree).iter().zip(&forest.trees()[tree].nodes).enumerate();
            for tree in 0..forest.trees().len() {
                for (at, (&test, _)) in asks(tree) {
                    if let Test::Condition(condition) = test {
                        sets.node(&lowered, condition as usize, tree, at);
                    }
                }
            }
            let mut met = 0;
            for value in (-2..710).map(f64::from).chain([f64::NAN, 1e9, 0.5, -0.5]) {
                let row: [f64; 5] = [0.0, 1.0, 2.0, 3.0, 4.0].map(|column| value + column);
                let mut room = vec![u64::MAX; sets.count()];
                sets.fill(&slots, &row, &mut room);
                for (tree, bits) in room.iter().enumerate().take(forest.trees().len()) {
                    for (at, (test, node)) in asks(tree) {
                        let forest::Test::Category { set, member } = node.test else { continue };
                        assert!(matches!(test, Test::Condition(_)));
                        let set = &forest.trees()[tree].sets[set as usize];
                        let value = row[node.feature as usize];
                        let side = reference::category_side(forest.layout(), set, member, node.missing, value);
                        assert_eq!(bits >> at & 1 == 1, side == Side::Left, "{value}");
                        met += 1;
                    }
                }
            }
            assert!(met > 0);
        }
    }
}
