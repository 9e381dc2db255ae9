//! How a mesh is made: every node's answer in the vectors of its group.

use super::lines::Line;
use super::lowered::{Lowered, Test};
use super::mesh::{BITS, Group, Mesh, UNIT, Vector};
use super::processor::Processor;
use super::slab::{self, Slab};
use super::slots::{Code, Slots};
use crate::ir::forest::{Place, Tree};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// Nothing struck out.
const ALL: Vector = Line([u64::MAX; 8]);
/// Leaves of the largest tree.
const LEAVES: usize = 64;
/// How many times what a forest holds its tables may take.
const ROOM: usize = 2;
/// Bytes that they always may take.
const LEAST: usize = 512 << 10;
/// Answers of conditions in all states of a column that are worth a load.
const ANSWERS: usize = 64 << 20;
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
    let mut asked = Asked::new(lowered);
    let (mut looks, mut vectors) = (0, 0);
    for first in (0..trees).step_by(side) {
        asked.clear();
        for tree in first..trees.min(first + side) {
            lowered.tests(tree).iter().for_each(|&test| asked.add(lowered, test));
        }
        looks += asked.columns.len();
        vectors += asked.columns.iter().map(|&column| column.vectors(lowered, asked.count(column))).sum::<usize>();
    }
    let far = (vectors * size_of::<Vector>()) as f64 / NEAR;
    Some(looks as f64 * LOOK * far.clamp(1.0, 4.0) + trees as f64 * (GROUP / side as f64 + LEAF))
}

/// What some trees ask: different tests, column by column.
struct Asked {
    /// The columns.
    columns: Vec<Column>,
    /// The tests of each column that there is, slots before categories.
    counts: Vec<usize>,
    /// Where the tests of each column begin in `met`.
    first: Vec<usize>,
    /// For each test the turn in which it was met last.
    met: Vec<usize>,
    /// One more with every clearing.
    turn: usize,
    slots: usize,
}

impl Asked {
    fn new(lowered: &Lowered<'_>) -> Self {
        let numbers = lowered.numbers.iter().map(|number| number.bounds.len() + 1);
        let presences = lowered.presences.iter().map(|_| 1);
        let categories = lowered.conditions.columns.iter().map(|column| column.count);
        let (mut first, mut all) = (Vec::new(), 0);
        for tests in std::iter::once(1).chain(numbers).chain(presences).chain(categories) {
            first.push(all);
            all += tests;
        }
        Self {
            columns: Vec::new(),
            counts: vec![0; first.len()],
            first,
            met: vec![0; all],
            turn: 0,
            slots: 1 + lowered.numbers.len() + lowered.presences.len(),
        }
    }

    /// Forgets what was asked.
    fn clear(&mut self) {
        self.turn += 1;
        for column in std::mem::take(&mut self.columns) {
            let index = self.index(column);
            self.counts[index] = 0;
        }
    }

    fn index(&self, column: Column) -> usize {
        match column {
            Column::Slot(slot) => slot,
            Column::Category(category) => self.slots + category,
        }
    }

    /// The different tests of a column.
    fn count(&self, column: Column) -> usize {
        self.counts[self.index(column)]
    }

    fn add(&mut self, lowered: &Lowered<'_>, test: Test) {
        let (column, test) = Column::any(lowered, test);
        let index = self.index(column);
        if std::mem::replace(&mut self.met[self.first[index] + test], self.turn) == self.turn {
            return;
        }
        if self.counts[index] == 0 {
            self.columns.push(column);
        }
        self.counts[index] += 1;
    }
}

/// Bits of the labels of a forest; `None` where a tree has too many leaves, or a category no state.
fn bits(lowered: &Lowered<'_>) -> Option<usize> {
    let stateless = lowered.conditions.columns.iter().any(|column| column.states().is_none());
    // Labels are read as they lie in memory, the first in the lowest bits.
    if stateless || cfg!(target_endian = "big") {
        return None;
    }
    let leaves = lowered.forest.trees().iter().map(Tree::leaves).max()?;
    (leaves <= LEAVES).then(|| leaves.next_power_of_two().max(8))
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
            Test::Below { column, limit, .. } => (1 + column as usize, i64::from(limit)),
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
}

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
    /// Bytes that the tables may still take.
    room: usize,
    /// The vectors and the columns of each group.
    piles: Vec<(Vec<Vector>, Vec<u16>)>,
    ways: Slab<u16>,
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
            room: (ROOM * held).max(LEAST),
            piles: bases.into_iter().map(|base| (vec![base], Vec::new())).collect(),
            ways: slab::room(0),
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
        let end = first.checked_add(codes.checked_mul(self.piles.len())?)?;
        u32::try_from(end).ok()?;
        self.take(2 * (end - first))?;
        self.ways.resize(end, 0);
        if category.is_some() && asks.len().checked_mul(codes)? > ANSWERS {
            return None;
        }
        for asks in asks.chunk_by(|a, b| a.group == b.group) {
            match category {
                Some(category) => self.states(first, category, codes, asks)?,
                None => self.intervals(first, codes, asks)?,
            }
            self.piles[asks[0].group].1.push(super::narrow(column));
        }
        Some(())
    }

    /// Takes so many bytes of the room that is left; `None` when that is less.
    fn take(&mut self, bytes: usize) -> Option<()> {
        self.room = self.room.checked_sub(bytes)?;
        Some(())
    }

    /// Adds a vector to a group, and returns its place.
    fn push(&mut self, group: usize, vector: Vector) -> Option<usize> {
        self.take(size_of::<Vector>())?;
        self.piles[group].0.push(vector);
        Some(self.piles[group].0.len() - 1)
    }

    /// The vectors of a group for the intervals between the limits of a column.
    fn intervals(&mut self, first: usize, codes: usize, asks: &[Ask]) -> Option<()> {
        let group = asks[0].group;
        let mut asks = asks.to_vec();
        asks.sort_unstable_by_key(|ask| ask.limit);
        // What is left by the nodes from one on where rows go left.
        let mut lefts = vec![ALL; asks.len() + 1];
        for (at, ask) in asks.iter().enumerate().rev() {
            lefts[at] = lefts[at + 1];
            self.strike(&mut lefts[at], ask, false);
        }
        let mut rights = ALL;
        let (mut passed, mut place) = (0, self.push(group, lefts[0])?);
        for code in 0..codes {
            let before = passed;
            while let Some(ask) = asks.get(passed).filter(|ask| ask.limit <= code) {
                self.strike(&mut rights, ask, true);
                passed += 1;
            }
            if passed > before {
                place = self.push(group, Line(std::array::from_fn(|word| lefts[passed].0[word] & rights.0[word])))?;
            }
            self.way(first, code, group, place)?;
        }
        Some(())
    }

    /// The vectors of a group for the states of a category.
    fn states(&mut self, first: usize, category: usize, states: usize, asks: &[Ask]) -> Option<()> {
        let group = asks[0].group;
        let own = self.lowered.conditions.columns[category].first;
        let mut vectors = vec![ALL; states];
        for ask in asks {
            let (word, strikes) = (ask.lane * self.bits / 64, [false, true].map(|right| self.strikes(ask, right)));
            self.lowered.each_word(own + ask.limit, |first, mut rights| {
                for vector in vectors[first..].iter_mut().take(64) {
                    vector.0[word] &= strikes[usize::from(rights & 1 == 1)];
                    rights >>= 1;
                }
            });
        }
        let mut known = HashMap::<[u64; 8], usize>::with_capacity(states);
        for (state, vector) in vectors.into_iter().enumerate() {
            let place = match known.entry(vector.0) {
                Entry::Occupied(place) => *place.get(),
                Entry::Vacant(place) => *place.insert(self.push(group, vector)?),
            };
            self.way(first, state, group, place)?;
        }
        Some(())
    }

    /// Notes which vector of a group belongs to a code of the column whose ways begin at `first`.
    fn way(&mut self, first: usize, code: usize, group: usize, vector: usize) -> Option<()> {
        self.ways[first + code * self.piles.len() + group] = u16::try_from(vector * UNIT).ok()?;
        Some(())
    }

    /// What a node leaves possible in the word of its lane.
    #[inline]
    fn strikes(&self, ask: &Ask, right: bool) -> u64 {
        !((!ask.keep[usize::from(right)] & u64::MAX >> (64 - self.bits)) << (ask.lane * self.bits % 64))
    }

    /// Strikes out what a node makes impossible.
    #[inline]
    fn strike(&self, vector: &mut Vector, ask: &Ask, right: bool) {
        vector.0[ask.lane * self.bits / 64] &= self.strikes(ask, right);
    }

    fn build(self, trees: usize, processor: Processor) -> Mesh {
        let mut groups = Vec::with_capacity(self.piles.len());
        let mut vectors = slab::room(self.piles.iter().map(|pile| pile.0.len()).sum());
        let mut asked = Vec::new();
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
            vectors,
            ways: self.ways,
            slots: slots.to_vec(),
            states: states.to_vec(),
            categories: self.lowered.conditions.some(0..states.len()),
            processor,
        }
    }
}
