//! Conditions on categories: one bit for each set of categories that a forest asks for.
//!
//! What a row's category makes of all conditions on its column is tabulated where the table stays small, so that a row costs one
//! look-up per column of categories, and a node one bit.

use super::super::reference;
use super::slots::Code;
use crate::ir::forest::{CategorySet, Layout, Missing, Side, category};
use hashbrown::HashMap;
use std::borrow::Borrow;

/// Bytes that the table of a column may always have; more where its sets take more.
const TABLE_BYTES: usize = 64 << 10;

/// One question: does a category go to the right?
#[derive(Debug, Clone)]
struct Condition<S = CategorySet> {
    set: S,
    member: Side,
    missing: Missing,
}

impl<S: Borrow<CategorySet>> Condition<S> {
    fn holds(&self, layout: &Layout, value: f64) -> bool {
        reference::category_side(layout, self.set.borrow(), self.member, self.missing, value) == Side::Right
    }

    /// Whether it holds in states of a column with so many known categories, from one on: the first one's bit is lowest.
    fn word(&self, layout: &Layout, known: u32, first: usize) -> u64 {
        let states = first..(known as usize + 2).min(first + 64);
        states.rev().fold(0, |bits, state| bits << 1 | u64::from(self.holds(layout, value(known, state))))
    }
}

/// The conditions on one column.
#[derive(Debug, Clone)]
pub struct Categories {
    /// Column of the row.
    pub feature: u32,
    /// Index of its first condition.
    pub first: usize,
    /// The number of its conditions.
    pub count: usize,
    /// The conditions themselves, where there is no table.
    conditions: Vec<Condition>,
    /// Categories that a set may hold: those below this number.
    known: u32,
    /// One bit per condition for every known category, an unknown one and a missing one; empty where it would be too large.
    table: Vec<u64>,
}

impl Categories {
    /// States of a category: the known ones, an unknown one and a missing one; `None` where a number around 0 is yet another.
    pub fn states(&self) -> Option<usize> {
        let band = self.conditions.iter().any(|condition| matches!(condition.missing, Missing::ZeroOrNan(_)));
        (!band).then_some(self.known as usize + 2)
    }

    /// The state of a value as the forest reads it.
    #[inline]
    pub fn state(&self, layout: &Layout, value: f64) -> usize {
        if value.is_nan() {
            return self.known as usize + 1;
        }
        category(layout.category, value).unwrap_or(u32::MAX).min(self.known) as usize
    }

    /// The bits of a state, from the lowest bit of the first word on.
    #[inline]
    fn bits(&self, state: usize) -> &[u64] {
        let stride = self.count.div_ceil(64);
        &self.table[state * stride..][..stride]
    }

    /// Takes over conditions, as a table where there is room for one; returns the states in which each of them holds then.
    fn take(&mut self, layout: &Layout, conditions: &[Condition<&CategorySet>]) -> Vec<u64> {
        let states = self.known as usize + 2;
        let stride = self.count.div_ceil(64);
        let sets: usize = conditions.iter().map(|condition| size_of_val(condition.set.words())).sum();
        // A band around 0 would be a state of its own; nobody writes such files, so it has no table.
        let band = conditions.iter().any(|condition| matches!(condition.missing, Missing::ZeroOrNan(_)));
        if band || states.saturating_mul(stride * 8) > sets.saturating_mul(4).max(TABLE_BYTES) {
            let own = |&Condition { set, member, missing }: &Condition<&CategorySet>| Condition {
                set: set.clone(),
                member,
                missing,
            };
            self.conditions = conditions.iter().map(own).collect();
            return Vec::new();
        }
        let words = states.div_ceil(64);
        let mut answers = vec![0; self.count * words];
        for (condition, answers) in conditions.iter().zip(answers.chunks_exact_mut(words)) {
            // A row's state below the known ones is a category itself.
            let left = if condition.member == Side::Left { u32::MAX } else { 0 };
            for (at, &members) in condition.set.words().iter().enumerate() {
                answers[at / 2] |= u64::from(members ^ left) << (at % 2 * 32);
            }
            // The others are not in the set, all alike, and then there are two that are no category.
            let mut put = |state: usize| answers[state / 64] |= 1 << (state % 64);
            let others = condition.set.words().len() * 32..self.known as usize;
            let hold = |state: usize| condition.holds(layout, value(self.known, state));
            if !others.is_empty() && hold(others.start) {
                others.for_each(&mut put);
            }
            (self.known as usize..states).filter(|&state| hold(state)).for_each(put);
        }
        self.table = vec![0; states * stride];
        for first in 0..stride {
            for word in 0..words {
                let rows = answers.chunks_exact(words).skip(first * 64).take(64).map(|answers| answers[word]);
                let mut bits = [0; 64];
                bits.iter_mut().zip(rows).for_each(|(to, from)| *to = from);
                transpose(&mut bits);
                let states = self.table.chunks_exact_mut(stride).skip(word * 64);
                states.zip(bits).for_each(|(state, bits)| state[first] = bits);
            }
        }
        answers
    }
}

/// Makes columns of bits of the rows, and rows of the columns.
///
/// Source: H. S. Warren, Hacker's Delight, 7-3: halves of blocks change places, then halves of these.
fn transpose(bits: &mut [u64; 64]) {
    let (mut half, mut mask) = (32, u64::from(u32::MAX));
    while half > 0 {
        for row in (0..64).filter(|row| row & half == 0) {
            let change = ((bits[row] >> half) ^ bits[row + half]) & mask;
            bits[row] ^= change << half;
            bits[row + half] ^= change;
        }
        half /= 2;
        mask ^= mask << half;
    }
}

/// A value of a state, where so many categories are known.
fn value(known: u32, state: usize) -> f64 {
    match u32::try_from(state) {
        Ok(state) if state < known => f64::from(state),
        Ok(state) if state == known => -1.0,
        _ => f64::NAN,
    }
}

/// All conditions of a forest.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// By column, in the order of their first conditions.
    pub columns: Vec<Categories>,
    /// Number of conditions.
    pub count: usize,
}

impl Conditions {
    /// Whether every condition holds for a row, as codes, of which there is one for each; `read` gives a column as the forest reads it.
    #[inline(always)]
    pub fn fill<C: Code>(&self, layout: &Layout, read: impl Fn(u32) -> f64, codes: &mut [C]) {
        for column in &self.columns {
            let value = read(column.feature);
            let codes = &mut codes[column.first..][..column.count];
            if column.table.is_empty() {
                for (code, condition) in codes.iter_mut().zip(&column.conditions) {
                    *code = if condition.holds(layout, value) { C::ONE } else { C::LEAST };
                }
                continue;
            }
            for (codes, &bits) in codes.chunks_mut(64).zip(column.bits(column.state(layout, value))) {
                spread(bits, codes);
            }
        }
    }

    /// The column of a condition, and which of the column's it is.
    pub fn column(&self, index: usize) -> (usize, usize) {
        let column = self.columns.partition_point(|column| column.first <= index) - 1;
        (column, index - self.columns[column].first)
    }

    /// Some columns, for [`Categories::state`] alone.
    pub fn some(&self, columns: impl IntoIterator<Item = usize>) -> Self {
        let column = |at: usize| Categories { conditions: Vec::new(), table: Vec::new(), ..self.columns[at] };
        Self { columns: columns.into_iter().map(column).collect(), count: self.count }
    }

    /// Bytes of the tables.
    pub fn bytes(&self) -> usize {
        let sets = |column: &Categories| -> usize {
            column.conditions.iter().map(|condition| size_of_val(condition.set.words())).sum()
        };
        self.columns.iter().map(|column| size_of_val(column.table.as_slice()) + sets(column)).sum()
    }

    /// Reads the tables.
    pub fn prefetch(&self) {
        self.columns.iter().for_each(|column| super::warm(&column.table));
    }
}

/// The bits of a byte as bytes.
const SPREAD: [[u8; 8]; 256] = {
    let mut bytes = [[0; 8]; 256];
    let mut at = 0;
    while at < 256 * 8 {
        bytes[at / 8][at % 8] = ((at / 8) >> (at % 8) & 1 == 1) as u8;
        at += 1;
    }
    bytes
};

/// Bits as codes, the lowest first.
#[inline(always)]
fn spread<C: Code>(bits: u64, codes: &mut [C]) {
    if let Some(codes) = C::bytes(codes) {
        let ones = bits.to_le_bytes().map(|byte| SPREAD[usize::from(byte)]);
        match codes.first_chunk_mut::<64>() {
            Some(codes) => codes.copy_from_slice(ones.as_flattened()),
            None => codes.copy_from_slice(&ones.as_flattened()[..codes.len()]),
        }
        return;
    }
    for (index, code) in codes.iter_mut().enumerate() {
        *code = if bits >> index & 1 == 1 { C::ONE } else { C::LEAST };
    }
}

/// Gathers conditions, equal ones once.
#[derive(Debug, Default)]
pub struct Builder<'a> {
    columns: Vec<(u32, Vec<Condition<&'a CategorySet>>)>,
    column_at: HashMap<u32, usize>,
    met: Vec<(usize, usize)>,
    known: HashMap<(u32, Side, Missing, &'a [u32]), u32>,
}

impl<'a> Builder<'a> {
    /// The index of a condition in the order of their appearance.
    pub fn add(&mut self, feature: u32, set: &'a CategorySet, member: Side, missing: Missing) -> u32 {
        let (columns, column_at, met) = (&mut self.columns, &mut self.column_at, &mut self.met);
        *self.known.entry((feature, member, missing, set.words())).or_insert_with(|| {
            let column = *column_at.entry(feature).or_insert_with(|| {
                columns.push((feature, Vec::new()));
                columns.len() - 1
            });
            met.push((column, columns[column].1.len()));
            columns[column].1.push(Condition { set, member, missing });
            super::narrow(met.len() - 1)
        })
    }

    /// For each condition in the order of appearance, its index among all of them by column.
    pub fn order(&self) -> Vec<u32> {
        let mut first = Vec::with_capacity(self.columns.len());
        let mut count = 0;
        for (_, conditions) in &self.columns {
            first.push(count);
            count += conditions.len();
        }
        self.met.iter().map(|&(column, index)| super::narrow(first[column] + index)).collect()
    }

    /// The conditions with their tables, and what they answer.
    pub fn build(self, layout: &Layout) -> (Conditions, Answers) {
        let mut all = Conditions::default();
        let mut answers = Answers::default();
        for (feature, conditions) in self.columns {
            let words = conditions.iter().map(|condition| condition.set.words().len()).max().unwrap_or(0);
            let mut column = Categories {
                feature,
                first: all.count,
                count: conditions.len(),
                conditions: Vec::new(),
                known: super::narrow(words * 32),
                table: Vec::new(),
            };
            answers.0.push(column.take(layout, &conditions));
            all.count += column.count;
            all.columns.push(column);
        }
        (all, answers)
    }
}

/// For each column the states in which each of its conditions holds, a bit each; nothing for columns without a table.
#[derive(Debug, Default)]
pub struct Answers(Vec<Vec<u64>>);

impl Answers {
    /// Calls `put` with the first of every 64 states of a column, and in which of them a condition holds: the first one's bit is lowest.
    pub fn each(
        &self,
        layout: &Layout,
        conditions: &Conditions,
        (column, index): (usize, usize),
        mut put: impl FnMut(usize, u64),
    ) {
        let (answers, column) = (&self.0[column], &conditions.columns[column]);
        let states = column.known as usize + 2;
        let words = states.div_ceil(64);
        for (first, word) in (0..states).step_by(64).zip(index * words..) {
            let answer = || column.conditions[index].word(layout, column.known, first);
            put(first, answers.get(word).copied().unwrap_or_else(answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lowered::Lowered;
    use super::super::tests::garden::{self, Plan, Random};
    use super::*;
    use crate::exec::reference;
    use crate::ir::forest::CategoryRule;

    #[test]
    fn rows_of_bits_become_columns() {
        let mut random = Random(7);
        let rows: [u64; 64] = std::array::from_fn(|_| random.bits());
        let mut columns = rows;
        transpose(&mut columns);
        for (row, bits) in rows.iter().enumerate() {
            for (column, of_column) in columns.iter().enumerate() {
                assert_eq!(bits >> column & 1, of_column >> row & 1);
            }
        }
    }

    #[test]
    fn a_state_holds_what_its_values_hold() {
        let mut random = Random(12);
        for rule in [CategoryRule::Truncate, CategoryRule::LowByte, CategoryRule::NonNegativeOrMissing] {
            for (share, categories) in [(60, 20), (60, 300), (60, 3000)] {
                let plan = Plan { categories: (share, categories), rule, features: 5, trees: 30, ..Plan::default() };
                let forest = garden::forest(&plan, &mut random);
                let layout = forest.layout();
                let lowered = Lowered::new(&forest);
                let mut met = 0;
                for (tree, nodes) in forest.trees().iter().enumerate().map(|(index, tree)| (index, &tree.nodes)) {
                    for (node, &test) in nodes.iter().zip(lowered.tests(tree)) {
                        let (
                            super::super::lowered::Test::Condition(index),
                            crate::ir::forest::Test::Category { set, member },
                        ) = (test, &node.test)
                        else {
                            continue;
                        };
                        let set = &forest.trees()[tree].sets[*set as usize];
                        let (column, _) = lowered.conditions.column(index as usize);
                        let column = &lowered.conditions.columns[column];
                        if column.states().is_none() {
                            continue;
                        }
                        let mut held = vec![false; column.states().unwrap()];
                        lowered.each_word(index as usize, |first, mut holds| {
                            for held in held[first..].iter_mut().take(64) {
                                *held = holds & 1 == 1;
                                holds >>= 1;
                            }
                            assert_eq!(holds, 0, "states that there are not");
                        });
                        for value in (-2..3100).map(f64::from).chain([f64::NAN, 1e9, f64::INFINITY, 0.5, -0.5]) {
                            let right =
                                reference::category_side(layout, set, *member, node.missing, value) == Side::Right;
                            assert_eq!(held[column.state(layout, value)], right, "{rule:?} {value}");
                            met += 1;
                        }
                    }
                }
                assert!(met > 0);
            }
        }
    }
}
