//! What the columns of a row leave possible in many trees at once.
//!
//! Every tree has a label with one bit for each of its leaves, and labels lie side by side in vectors of a cache line, a group of trees in
//! each. A node strikes out the leaves on the side that a row does not take. What all nodes of a group that ask a column strike out together
//! depends on the column's code alone, so that it is one vector for each interval of codes, and a row costs a group one look-up and
//! one `and` per column. One leaf is left in each label.
//!
//! These are the bit vectors of QuickScorer (Lucchese et al., SIGIR 2015) with both sides of every node in them; its loop over the
//! thresholds below a value is replaced by what it ends with.
#![allow(unsafe_code)]

use super::super::Number as Value;
use super::condition::Conditions;
use super::lines::{Aligned, Buffer, Line};
use super::lowered::{Lowered, Test};
use super::processor::Processor;
use super::slots::{Code, Slots};
use crate::ir::forest::{Place, Tree};
use hashbrown::{HashMap, HashSet};

/// Labels side by side.
type Vector = Line<[u64; 8]>;

/// Nothing struck out.
const ALL: Vector = Line([u64::MAX; 8]);
/// Bits of a vector.
const BITS: usize = 8 * size_of::<Vector>();
/// Leaves of the largest tree.
const LEAVES: usize = 64;
/// What [`Mesh::ways`] counts: an eighth of a vector, since an instruction can multiply by 8.
const UNIT: usize = size_of::<Vector>() / 8;
/// How many times what a forest holds its tables may take.
const ROOM: usize = 2;
/// Bytes that they always may take.
const LEAST: usize = 512 << 10;
/// Bytes of a node with its leaf: feature, threshold, children, value, cover.
const NODE: usize = 40;

/// Instructions of a row, or as much time, an estimate; `None` where a tree has too many leaves.
#[allow(clippy::cast_precision_loss)]
pub fn cost(lowered: &Lowered<'_>) -> Option<f64> {
    /// Of a look-up.
    const LOOK: f64 = 5.0;
    /// Of a group.
    const GROUP: f64 = 20.0;
    /// Of a tree, from its label to its leaf.
    const LEAF: f64 = 3.0;
    /// Bytes of vectors that stay in the second cache beside everything else.
    const NEAR: f64 = 256e3;
    let side = BITS / bits(lowered)?;
    let trees = lowered.forest.trees().len();
    let mut asked = HashSet::<(Column, usize)>::new();
    let mut columns = HashMap::<Column, usize>::new();
    let (mut looks, mut vectors) = (0, 0);
    for first in (0..trees).step_by(side) {
        asked.clear();
        columns.clear();
        for tree in first..trees.min(first + side) {
            asked.extend(lowered.tests(tree).iter().map(|&test| Column::any(lowered, test)));
        }
        asked.iter().for_each(|&(column, _)| *columns.entry(column).or_default() += 1);
        looks += columns.len();
        vectors += columns.iter().map(|(column, asked)| column.vectors(lowered, *asked)).sum::<usize>();
    }
    let far = (vectors * size_of::<Vector>()) as f64 / NEAR;
    Some(looks as f64 * LOOK * far.clamp(1.0, 4.0) + trees as f64 * (GROUP / side as f64 + LEAF))
}

/// Bits of the labels of a forest; `None` where a tree has too many leaves, or a category no state.
fn bits(lowered: &Lowered<'_>) -> Option<usize> {
    if lowered.conditions.columns.iter().any(|column| column.states().is_none()) {
        return None;
    }
    let leaves = lowered.forest.trees().iter().map(Tree::leaves).max()?;
    (leaves <= LEAVES).then(|| leaves.next_power_of_two().max(8))
}

/// As many trees as a vector has labels.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// Its first vector, in which every leaf is possible; those of its columns follow.
    first: u32,
    /// One past its last column among those that are asked.
    end: u32,
}

/// A forest in such vectors.
#[derive(Debug)]
pub struct Mesh {
    /// Bits of a label.
    bits: usize,
    trees: usize,
    groups: Vec<Group>,
    /// The columns that each group asks, group after group, in fours; none where every group looks all columns up.
    asked: Vec<u16>,
    /// What they leave possible.
    vectors: Aligned<Vector>,
    /// Which vector that is, in [`UNIT`]s from the first one of the group on: a row for each code of each column, in it a place for each
    /// group.
    ways: Vec<u16>,
    /// For each slot from 1 on, which is a column, the place of the row of its least code.
    slots: Vec<u32>,
    /// For each column of categories, which come behind them, the place of the row of its first state.
    states: Vec<u32>,
    /// What makes states of categories.
    categories: Conditions,
    processor: Processor,
}

/// What a node asks.
#[derive(Debug, Clone, Copy)]
struct Ask {
    group: usize,
    /// The tree's place in the group.
    lane: usize,
    /// The first code that goes right, or the condition of the column.
    limit: usize,
    /// What is possible to the left and to the right.
    keep: [u64; 2],
}

/// A column that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Column {
    /// A slot of the codes.
    Slot(usize),
    /// A column of categories.
    Category(usize),
}

impl Column {
    /// Something like the column of a test, and how it is asked.
    fn any(lowered: &Lowered<'_>, test: Test) -> (Self, usize) {
        Self::of(lowered, test, &|test| match test {
            Test::Below { column, bound, .. } => (1 + column as usize, bound),
            Test::Missing(index) => (1 + lowered.numbers.len() + index as usize, 0),
            Test::Condition(_) | Test::Never => (0, 0),
        })
    }

    /// The vectors that so many different tests of a column make, about.
    fn vectors(self, lowered: &Lowered<'_>, asked: usize) -> usize {
        match self {
            Self::Slot(_) => asked + 1,
            Self::Category(column) => {
                let states = lowered.conditions.columns[column].states().unwrap_or(2);
                states.min(1 << asked.min(16))
            }
        }
    }

    /// The column of a test, and the first code that goes right or the condition of the column.
    fn of<C: Code>(lowered: &Lowered<'_>, test: Test, place: &impl Fn(Test) -> (usize, C)) -> (Self, usize) {
        if let Test::Condition(index) = test {
            let (column, own) = lowered.conditions.column(index as usize);
            return (Self::Category(column), own);
        }
        let (slot, limit) = place(test);
        (Self::Slot(slot), limit.number())
    }
}

impl Mesh {
    /// Lays a forest out; `place` gives the slot and the limit of a test. `None` where a tree has too many leaves, or all of them take too
    /// much room.
    pub fn new<C: Code>(
        lowered: &Lowered<'_>,
        slots: &Slots,
        processor: Processor,
        place: impl Fn(Test) -> (usize, C),
    ) -> Option<Self> {
        let trees = lowered.forest.trees();
        let bits = bits(lowered)?;
        let side = BITS / bits;
        let mut bases = vec![Line([0; 8]); trees.len().div_ceil(side)];
        let behind = slots.behind() - 1;
        let mut asks = vec![Vec::new(); behind + lowered.conditions.columns.len()];
        for (index, tree) in trees.iter().enumerate() {
            let (group, lane) = (index / side, index % side);
            let mut possible = u64::MAX >> (64 - tree.leaves());
            for (&test, keep) in lowered.tests(index).iter().zip(keeps(tree, lowered.labels(index))) {
                if test == Test::Never {
                    possible &= keep[1];
                    continue;
                }
                let (column, limit) = match Column::of(lowered, test, &place) {
                    (Column::Slot(slot), limit) => (slot - 1, limit),
                    (Column::Category(column), limit) => (behind + column, limit),
                };
                asks[column].push(Ask { group, lane, limit, keep });
            }
            put(&mut bases[group], bits, lane, possible);
        }
        u16::try_from(asks.len()).ok()?;
        let mut builder = Builder::new(lowered, slots, bits, bases);
        for (column, asks) in asks.iter().enumerate() {
            builder.add(column, asks)?;
        }
        Some(builder.build(trees.len(), processor))
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.vectors)
            + size_of_val(self.ways.as_slice())
            + size_of_val(self.asked.as_slice())
            + size_of_val(self.groups.as_slice())
    }

    /// Reads all tables.
    pub fn prefetch(&self) {
        super::warm(&self.vectors);
        super::warm(&self.ways);
        super::warm(&self.asked);
        super::warm(&self.slots);
        super::warm(&self.groups);
    }

    /// The labels of all trees for a row with these codes; the buffers are working memory.
    ///
    /// # Panics
    /// When there are fewer codes than slots.
    #[inline]
    pub fn labels<'a, T: Value, C: Code>(
        &self,
        slots: &Slots,
        row: &[T],
        codes: &[C],
        points: &mut Buffer,
        labels: &'a mut Buffer,
    ) -> Labels<'a> {
        let columns = self.slots.len() + self.states.len();
        let points = points.room::<u32>(columns.next_multiple_of(4));
        slots.states(&self.categories, row, |column, state| {
            points[self.slots.len() + column] = self.states[column] + state as u32 * self.stride();
        });
        let labels = labels.room::<Vector>(self.groups.len());
        assert!(codes.len() > self.slots.len());
        let codes = &codes[1..=self.slots.len()];
        match self.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is; the codes are those of all slots, the points of categories are there.
            Processor::Avx2 => unsafe { self.look_avx2(codes, points, labels) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Processor::Avx512 | Processor::Vbmi => unsafe { self.look_avx512(codes, points, labels) },
            // SAFETY: as above.
            _ => unsafe { self.look_here(codes, points, labels) },
        }
        Labels { vectors: labels, bits: self.bits, trees: self.trees }
    }

    /// Places of a row of ways.
    #[inline(always)]
    fn stride(&self) -> u32 {
        self.groups.len() as u32
    }

    /// What is left possible in each group; `load` reads a vector, `both` keeps what is in both of two, `store` writes one.
    ///
    /// # Safety
    /// There are a code for every slot and room for a point of every column, in fours, where those of categories are.
    #[inline(always)]
    unsafe fn look<C: Code, V: Copy>(
        &self,
        codes: &[C],
        points: &mut [u32],
        labels: &mut [Vector],
        load: impl Fn(&Vector) -> V,
        both: impl Fn(V, V) -> V,
        store: impl Fn(&mut Vector, V),
    ) {
        for ((point, &first), code) in points.iter_mut().zip(&self.slots).zip(codes) {
            *point = first + code.number() as u32 * self.stride();
        }
        let columns = self.slots.len() + self.states.len();
        // What is looked up twice changes nothing.
        if let Some(&last) = points[..columns].last() {
            points[columns..].fill(last);
        }
        let mut asked = self.asked.as_slice();
        let mut start = 0;
        for (index, (group, label)) in self.groups.iter().zip(labels).enumerate() {
            let (own, rest) = asked.split_at((group.end - start) as usize);
            (asked, start) = (rest, group.end);
            // SAFETY: a group has its vectors, and ways lead to them; the rest is as promised.
            unsafe {
                let first = self.vectors.as_ptr().add(group.first as usize);
                let ways = self.ways.as_ptr().add(index);
                let mut left = load(&*first);
                let mut look = |point: u32| {
                    let way = *ways.add(point as usize);
                    left = both(left, load(&*first.byte_add(usize::from(way) * 8)));
                };
                if self.asked.is_empty() {
                    points.as_chunks::<4>().0.iter().flatten().for_each(|&point| look(point));
                } else {
                    let columns = own.as_chunks::<4>().0.iter().flatten();
                    columns.for_each(|&column| look(*points.get_unchecked(usize::from(column))));
                }
                store(label, left);
            }
        }
    }

    /// # Safety
    /// As [`Self::look`].
    unsafe fn look_here<C: Code>(&self, codes: &[C], points: &mut [u32], labels: &mut [Vector]) {
        let both = |a: Vector, b: Vector| Line(std::array::from_fn(|at| a.0[at] & b.0[at]));
        // SAFETY: as promised.
        unsafe { self.look(codes, points, labels, |vector| *vector, both, |label, left| *label = left) };
    }

    /// # Safety
    /// As [`Self::look`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn look_avx2<C: Code>(&self, codes: &[C], points: &mut [u32], labels: &mut [Vector]) {
        use std::arch::x86_64::*;
        // SAFETY: a line is twice 32 bytes at a multiple of 64; the rest is as promised.
        unsafe {
            self.look(
                codes,
                points,
                labels,
                |vector| {
                    let halves = std::ptr::from_ref(vector).cast::<__m256i>();
                    [_mm256_load_si256(halves), _mm256_load_si256(halves.add(1))]
                },
                |[a, b], [c, d]| [_mm256_and_si256(a, c), _mm256_and_si256(b, d)],
                |label, [low, high]| {
                    let halves = std::ptr::from_mut(label).cast::<__m256i>();
                    _mm256_store_si256(halves, low);
                    _mm256_store_si256(halves.add(1), high);
                },
            );
        }
    }

    /// # Safety
    /// As [`Self::look`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn look_avx512<C: Code>(&self, codes: &[C], points: &mut [u32], labels: &mut [Vector]) {
        use std::arch::x86_64::*;
        // SAFETY: a line is 64 bytes at a multiple of 64; the rest is as promised.
        unsafe {
            self.look(
                codes,
                points,
                labels,
                |vector| _mm512_load_si512(std::ptr::from_ref(vector).cast()),
                |a, b| _mm512_and_si512(a, b),
                |label, left| _mm512_store_si512(std::ptr::from_mut(label).cast(), left),
            );
        }
    }
}

/// The labels of a row.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    vectors: &'a [Vector],
    bits: usize,
    trees: usize,
}

impl Labels<'_> {
    /// Trees.
    #[inline(always)]
    pub fn trees(&self) -> usize {
        self.trees
    }

    /// Calls `put` with every tree and the label of the leaf that is left.
    #[inline(always)]
    pub fn each(&self, put: impl FnMut(usize, u32)) {
        match self.bits {
            8 => self.each_of::<u8>(put),
            16 => self.each_of::<u16>(put),
            32 => self.each_of::<u32>(put),
            _ => self.each_of::<u64>(put),
        }
    }

    #[inline(always)]
    fn each_of<L: Label>(&self, mut put: impl FnMut(usize, u32)) {
        debug_assert!(self.trees <= self.vectors.len() * (BITS / (8 * size_of::<L>())));
        let labels = self.vectors.as_ptr().cast::<L>();
        for tree in 0..self.trees {
            // SAFETY: every tree has a label, and nodes leave the bit of the leaf that a row reaches.
            let bit = unsafe { (*labels.add(tree)).bit() };
            put(tree, bit);
        }
    }
}

/// A label.
trait Label: Copy {
    /// Its lowest bit.
    ///
    /// # Safety
    /// It has one.
    unsafe fn bit(self) -> u32;
}

macro_rules! labels {
    ($($label:ty),*) => { $(impl Label for $label {
        #[inline(always)]
        unsafe fn bit(self) -> u32 {
            // SAFETY: as promised.
            unsafe { std::num::NonZero::new_unchecked(self) }.trailing_zeros()
        }
    })* };
}
labels!(u8, u16, u32, u64);

/// Sets the label of a lane.
fn put(vector: &mut Vector, bits: usize, lane: usize, label: u64) {
    let (word, shift) = (lane * bits / 64, lane * bits % 64);
    let mask = u64::MAX >> (64 - bits) << shift;
    vector.0[word] = vector.0[word] & !mask | label << shift & mask;
}

/// What is possible to the left and to the right of each node of a tree whose leaves have these labels.
fn keeps(tree: &Tree, labels: &[u32]) -> Vec<[u64; 2]> {
    let mut keeps = vec![[0; 2]; tree.nodes.len()];
    let mut below = vec![0; tree.nodes.len()];
    let mut waiting = vec![(tree.root().place(), false)];
    while let Some((place, done)) = waiting.pop() {
        let Place::Node(node) = place else { continue };
        let children = [tree.nodes[node].left.place(), tree.nodes[node].right.place()];
        if !done {
            waiting.push((place, true));
            waiting.extend(children.map(|child| (child, false)));
            continue;
        }
        let [left, right] = children.map(|child| match child {
            Place::Node(node) => below[node],
            Place::Leaf(leaf) => 1u64 << labels[leaf],
        });
        below[node] = left | right;
        keeps[node] = [!right, !left];
    }
    keeps
}

/// A mesh in the making.
struct Builder<'a> {
    lowered: &'a Lowered<'a>,
    of: &'a Slots,
    bits: usize,
    /// Bytes that the tables may take.
    most: usize,
    /// The vectors and the columns of each group.
    piles: Vec<(Vec<Vector>, Vec<u16>)>,
    ways: Vec<u16>,
    /// The first place of each column.
    first: Vec<u32>,
}

impl<'a> Builder<'a> {
    fn new(lowered: &'a Lowered<'a>, of: &'a Slots, bits: usize, bases: Vec<Vector>) -> Self {
        let sets = |tree: &Tree| -> usize { tree.sets.iter().map(|set| size_of_val(set.words())).sum() };
        let held: usize = lowered.forest.trees().iter().map(|tree| NODE * tree.nodes.len() + sets(tree)).sum();
        Self {
            lowered,
            of,
            bits,
            most: (ROOM * held).max(LEAST),
            piles: bases.into_iter().map(|base| (vec![base], Vec::new())).collect(),
            ways: Vec::new(),
            first: Vec::new(),
        }
    }

    /// Adds a column, whose asks are in the order of their groups; `None` when there is no room.
    fn add(&mut self, column: usize, asks: &[Ask]) -> Option<()> {
        let first = self.ways.len();
        let category = column.checked_sub(self.of.behind() - 1);
        let codes = match category {
            Some(category) => self.lowered.conditions.columns[category].states()?,
            None => self.of.most(self.lowered, column + 1) + 1,
        };
        self.first.push(u32::try_from(first).ok()?);
        self.ways.resize(first + codes * self.piles.len(), 0);
        for asks in asks.chunk_by(|a, b| a.group == b.group) {
            match category {
                Some(category) => self.states(first, category, codes, asks)?,
                None => self.intervals(first, codes, asks)?,
            }
            self.piles[asks[0].group].1.push(super::narrow(column));
        }
        let vectors: usize = self.piles.iter().map(|pile| size_of_val(pile.0.as_slice())).sum();
        (vectors + size_of_val(self.ways.as_slice()) <= self.most).then_some(())
    }

    /// The vectors of a group for the intervals between the limits of a column.
    fn intervals(&mut self, first: usize, codes: usize, asks: &[Ask]) -> Option<()> {
        let group = asks[0].group;
        let mut asks = asks.to_vec();
        asks.sort_unstable_by_key(|ask| ask.limit);
        let mut passed = 0;
        for code in 0..codes {
            let before = passed;
            passed += asks[passed..].iter().take_while(|ask| ask.limit <= code).count();
            if code == 0 || passed > before {
                let mut vector = ALL;
                asks.iter().enumerate().for_each(|(at, ask)| self.strike(&mut vector, ask, at < passed));
                self.piles[group].0.push(vector);
            }
            self.way(first, code, group, self.piles[group].0.len() - 1)?;
        }
        Some(())
    }

    /// The vectors of a group for the states of a category.
    fn states(&mut self, first: usize, category: usize, states: usize, asks: &[Ask]) -> Option<()> {
        let group = asks[0].group;
        let column = &self.lowered.conditions.columns[category];
        let mut vectors = vec![ALL; states];
        for ask in asks {
            self.of.each_state(column, ask.limit, |state, right| self.strike(&mut vectors[state], ask, right));
        }
        let mut known = HashMap::<[u64; 8], usize>::new();
        for (state, vector) in vectors.into_iter().enumerate() {
            let pile = &mut self.piles[group].0;
            let at = *known.entry(vector.0).or_insert_with(|| {
                pile.push(vector);
                pile.len() - 1
            });
            self.way(first, state, group, at)?;
        }
        Some(())
    }

    /// Notes which vector of a group belongs to a code of the column whose ways begin at `first`.
    fn way(&mut self, first: usize, code: usize, group: usize, vector: usize) -> Option<()> {
        self.ways[first + code * self.piles.len() + group] = u16::try_from(vector * UNIT).ok()?;
        Some(())
    }

    /// Strikes out what a node makes impossible.
    #[inline]
    fn strike(&self, vector: &mut Vector, ask: &Ask, right: bool) {
        let (word, shift) = (ask.lane * self.bits / 64, ask.lane * self.bits % 64);
        vector.0[word] &= !((!ask.keep[usize::from(right)] & u64::MAX >> (64 - self.bits)) << shift);
    }

    fn build(self, trees: usize, processor: Processor) -> Mesh {
        let mut groups = Vec::with_capacity(self.piles.len());
        let (mut vectors, mut asked) = (Vec::new(), Vec::new());
        let looks: usize = self.piles.iter().map(|pile| pile.1.len()).sum();
        // Looking a column up for nothing is cheaper than asking which ones are to be.
        let all = 4 * looks >= 3 * self.first.len() * self.piles.len();
        for (pile, columns) in &self.piles {
            let first = super::narrow(vectors.len());
            vectors.extend_from_slice(pile);
            if let Some(&last) = columns.last().filter(|_| !all) {
                asked.extend_from_slice(columns);
                asked.resize(asked.len().next_multiple_of(4), last);
            }
            groups.push(Group { first, end: super::narrow(asked.len()) });
        }
        let (slots, states) = self.first.split_at(self.of.behind() - 1);
        Mesh {
            bits: self.bits,
            trees,
            groups,
            asked,
            vectors: Aligned::new(&vectors),
            ways: self.ways,
            slots: slots.to_vec(),
            states: states.to_vec(),
            categories: self.lowered.conditions.some(0..states.len()),
            processor,
        }
    }
}
