//! A forest whose tests are comparisons of integers, before a kernel lays it out.
//!
//! Every node asks one of four things: is the key of a number at most a bound, is a number missing, does a condition on a category
//! hold, or nothing that any row passes. What libraries do differently is gone from here on.

use super::condition::{Answers, Conditions};
use super::key;
use super::legs::Legs;
use super::order::{Levels, Order, Step};
use super::slab::{self, Slab};
use super::weight::{Weight, Weights};
use crate::ir::Forest;
use crate::ir::forest::{self, Missing, Side};
use std::cell::OnceCell;

/// What counts as missing in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// NaN.
    Nan,
    /// NaN and the numbers around 0.
    ZeroOrNan,
    /// Nothing: a NaN is read as 0.
    AsZero,
}

/// Rules that there are.
const RULES: usize = 3;

/// A feature that is compared with bounds, under one rule for missing values.
#[derive(Debug, Clone)]
pub struct Number {
    /// Column of the row.
    pub feature: u32,
    /// What counts as missing.
    pub rule: Rule,
    /// All bounds of the forest, ascending and distinct.
    pub bounds: Vec<i64>,
    /// Whether a node sends missing values to the left.
    pub left: bool,
    /// Whether a node sends missing values to the right.
    pub right: bool,
}

impl Number {
    /// Whether missing values go to both sides, so that nodes must tell them from all numbers.
    pub fn both(&self) -> bool {
        self.left && self.right
    }

    /// The largest code of this column: that of a key above all bounds, or one more where missing values need one of their own.
    pub fn most(&self) -> usize {
        self.bounds.len() + usize::from(self.both())
    }

    /// Columns that it takes to have no code above `most`.
    pub fn spans(&self, most: usize) -> usize {
        self.bounds.len().div_ceil(self.room(most))
    }

    /// Bounds of a column like this one that has no code above `most`.
    fn room(&self, most: usize) -> usize {
        most - usize::from(self.both())
    }

    /// Notes where a node sends missing values.
    fn note(&mut self, missing: Side) {
        if self.rule != Rule::AsZero {
            match missing {
                Side::Left => self.left = true,
                Side::Right => self.right = true,
            }
        }
    }

    /// The largest key that passes a test with this limit.
    pub fn bound(&self, limit: u32) -> i64 {
        self.bounds[limit as usize - 1]
    }
}

/// What a node asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// Left when the code is below `limit`, where a code counts the bounds of the column that are below the key.
    Below {
        /// Index into [`Lowered::numbers`].
        column: u32,
        /// Where missing values go; means nothing under [`Rule::AsZero`].
        missing: Side,
        /// The first code that goes right, from 1: one more than the index of the largest key that passes among the bounds.
        limit: u32,
    },
    /// Left when missing: an index into [`Lowered::presences`].
    Missing(u32),
    /// Left when the condition does not hold: an index into the conditions.
    Condition(u32),
    /// Right.
    Never,
}

/// A forest with tests of this kind.
#[derive(Debug)]
pub struct Lowered<'a> {
    /// Where it comes from.
    pub forest: &'a Forest,
    /// Columns of numbers; those with [`Number::both`] first.
    pub numbers: Vec<Number>,
    /// Features that are only asked whether they are missing, and the rule of that.
    pub presences: Vec<(u32, Rule)>,
    /// Conditions on categories.
    pub conditions: Conditions,
    answers: Answers,
    /// The tests of all nodes; where all trees are symmetric, of all levels.
    asked: Slab<Test>,
    levels: Option<Levels>,
    /// The tests of all nodes of symmetric trees.
    spread: OnceCell<Slab<Test>>,
    /// The levels above the leaves of symmetric trees.
    depths: OnceCell<Slab<u32>>,
    order: OnceCell<Order>,
    legs: OnceCell<Legs>,
    /// For each tree its first leaf among all leaves.
    pub leaves: Vec<u32>,
    weights: OnceCell<Weights>,
}

impl<'a> Lowered<'a> {
    /// Lowers a forest.
    pub fn new(forest: &'a Forest) -> Self {
        let trees = forest.trees();
        let levels = Levels::of(trees);
        let nodes = || trees.iter().enumerate().flat_map(|(index, tree)| asking(tree, index, levels.as_ref()));
        let mut columns = Columns::new(forest, nodes().map(|(_, node)| node.feature));
        let count =
            levels.as_ref().map_or_else(|| trees.iter().map(|tree| tree.nodes.len()).sum(), |all| all.nodes.len());
        let mut asked = slab::room(count);
        for (tree, node) in nodes() {
            asked.push(columns.lower(tree, node, asked.len()));
        }
        let Columns { numbers, bounds, presences, conditions, .. } = columns;
        let first_leaf = |leaf: &mut u32, tree: &forest::Tree| {
            let first = *leaf;
            *leaf += super::narrow::<u32>(tree.leaves());
            Some(first)
        };
        let mut lowered = Self {
            forest,
            numbers,
            presences,
            conditions: Conditions::default(),
            answers: Answers::default(),
            asked,
            spread: OnceCell::new(),
            depths: OnceCell::new(),
            order: OnceCell::new(),
            legs: OnceCell::new(),
            leaves: trees.iter().scan(0, first_leaf).collect(),
            weights: OnceCell::new(),
            levels,
        };
        let conditions_at = conditions.order();
        for test in &mut lowered.asked {
            if let Test::Condition(index) = test {
                *index = conditions_at[*index as usize];
            }
        }
        (lowered.conditions, lowered.answers) = conditions.build(forest.layout());
        lowered.set_limits(bounds);
        lowered.order_numbers();
        lowered
    }

    /// Fills in the bounds, and the limits of the tests: for each column of numbers it is told bounds and the tests that ask for them.
    fn set_limits(&mut self, bounds: Vec<Vec<(i64, u32)>>) {
        for (number, mut bounds) in self.numbers.iter_mut().zip(bounds) {
            bounds.sort_unstable_by_key(|&(bound, _)| bound);
            for (own, test) in bounds {
                if number.bounds.last() != Some(&own) {
                    number.bounds.push(own);
                }
                if let Test::Below { limit, .. } = &mut self.asked[test as usize] {
                    *limit = super::narrow(number.bounds.len());
                }
            }
            number.bounds.shrink_to_fit();
        }
    }

    /// Leaves no codes above `most`: of a column with more, every *span* of bounds becomes a column by itself.
    pub fn split(&mut self, most: usize) {
        if self.numbers.iter().all(|number| number.most() <= most) {
            return;
        }
        let whole = std::mem::take(&mut self.numbers);
        let mut spans = Vec::with_capacity(whole.len());
        for number in whole {
            let room = number.room(most);
            spans.push((self.numbers.len(), room));
            self.numbers.extend(number.bounds.chunks(room).map(|bounds| Number {
                bounds: bounds.to_vec(),
                left: false,
                right: false,
                ..number
            }));
        }
        for test in &mut self.asked {
            if let Test::Below { column, missing, limit } = test {
                let (first, room) = spans[*column as usize];
                let bound = *limit as usize - 1;
                *column = super::narrow(first + bound / room);
                *limit = super::narrow(bound % room + 1);
                self.numbers[*column as usize].note(*missing);
            }
        }
        self.spread = OnceCell::new();
        self.order_numbers();
    }

    /// Puts the columns in the order that is promised.
    fn order_numbers(&mut self) {
        let mut order: Vec<usize> = (0..self.numbers.len()).collect();
        order.sort_by_key(|&at| {
            let number = &self.numbers[at];
            (!number.both(), super::ranks::levels(number.most()), number.feature, number.rule as u8)
        });
        let mut place = vec![0u32; order.len()];
        let mut numbers: Vec<Option<Number>> = std::mem::take(&mut self.numbers).into_iter().map(Some).collect();
        for (to, &from) in order.iter().enumerate() {
            place[from] = super::narrow(to);
            self.numbers.extend(numbers[from].take());
        }
        for test in &mut self.asked {
            if let Test::Below { column, .. } = test {
                *column = place[*column as usize];
            }
        }
    }

    /// Calls `put` with the first of every 64 states of the column of a condition, and in which of them it holds: the first one's bit is
    /// lowest.
    pub fn each_word(&self, condition: usize, put: impl FnMut(usize, u64)) {
        self.answers.each(self.forest.layout(), &self.conditions, self.conditions.column(condition), put);
    }

    /// How many steps walks through the trees go together.
    pub fn legs(&self) -> &Legs {
        self.legs.get_or_init(|| Legs::of(self))
    }

    fn weights(&self) -> &Weights {
        self.weights.get_or_init(|| Weights::new(self.forest.trees()))
    }

    /// How often rows reach nodes and leaves of a tree.
    pub fn weight(&self, tree: usize) -> Weight<'_> {
        self.weights().tree(self.forest.trees(), tree)
    }

    /// How often rows reach the leaves of a tree, and the steps to each of them: the share of its rows, and the steps.
    #[allow(clippy::cast_precision_loss)] // for estimates
    pub fn arrivals(&self, tree: usize) -> impl Iterator<Item = (f64, u32)> {
        let weights = self.weights().leaves(tree);
        let all: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        let share = 1.0 / all as f64;
        weights.iter().zip(self.depths(tree)).map(move |(&weight, &steps)| (f64::from(weight) * share, steps))
    }

    fn order(&self) -> &Order {
        self.order.get_or_init(|| Order::of(self.forest.trees()))
    }

    /// The nodes of a tree, parents first, and the label that each of its leaves has in that order.
    pub fn order_of(&self, tree: usize) -> (&[Step], &[u32]) {
        let Order { steps, labels, .. } = self.order();
        (self.of_nodes(steps, tree), self.of_leaves(labels, tree))
    }

    /// The steps from the root to each leaf of a tree.
    pub fn depths(&self, tree: usize) -> &[u32] {
        self.of_leaves(self.all_depths(), tree)
    }

    /// The steps to the leaf that is furthest from its root.
    pub fn depth(&self) -> usize {
        match &self.levels {
            Some(levels) => levels.most(),
            None => self.all_depths().iter().max().map_or(0, |&depth| depth as usize),
        }
    }

    fn all_depths(&self) -> &[u32] {
        match &self.levels {
            Some(levels) => self.depths.get_or_init(|| levels.depths()),
            None => &self.order().depths,
        }
    }

    /// The label of each leaf of a tree, by which kernels know it: a number below the number of its leaves. Where trees are symmetric,
    /// bit after bit is the turn on a level, else it is that of [`Lowered::order_of`].
    pub fn labels(&self, tree: usize) -> &[u32] {
        self.of_leaves(self.levels.as_ref().map_or_else(|| &self.order().labels, |levels| &levels.labels), tree)
    }

    /// What belongs to the leaves of a tree.
    fn of_leaves<'b>(&self, all: &'b [u32], tree: usize) -> &'b [u32] {
        &all[self.leaves[tree] as usize..][..self.forest.trees()[tree].leaves()]
    }

    /// What belongs to the nodes of a tree.
    fn of_nodes<'b, T>(&self, all: &'b [T], tree: usize) -> &'b [T] {
        // Every tree before it has a leaf more than nodes.
        &all[self.leaves[tree] as usize - tree..][..self.forest.trees()[tree].nodes.len()]
    }

    /// Whether all trees ask the same on each of their levels.
    pub fn symmetric(&self) -> bool {
        self.levels.is_some()
    }

    /// The test of each level of a tree, the root's first, where all trees are symmetric.
    pub fn levels(&self, tree: usize) -> Option<&[Test]> {
        self.levels.as_ref().map(|levels| &self.asked[levels.of_tree(tree)])
    }

    /// The tests of a tree, in the order of its nodes.
    pub fn tests(&self, tree: usize) -> &[Test] {
        let all = match &self.levels {
            Some(levels) => self.spread.get_or_init(|| self.spread(levels)),
            None => &self.asked,
        };
        self.of_nodes(all, tree)
    }

    /// The tests of all nodes of symmetric trees.
    fn spread(&self, levels: &Levels) -> Slab<Test> {
        let mut all = slab::room(self.forest.trees().iter().map(|tree| tree.nodes.len()).sum());
        let mut waiting = Vec::new();
        for (index, tree) in self.forest.trees().iter().enumerate() {
            let first = all.len();
            all.resize(first + tree.nodes.len(), Test::Never);
            waiting.push((tree.root(), &self.asked[levels.of_tree(index)]));
            while let Some((child, tests)) = waiting.pop() {
                if let (forest::Place::Node(node), Some((&test, below))) = (child.place(), tests.split_first()) {
                    all[first + node] = test;
                    waiting.extend([tree.nodes[node].left, tree.nodes[node].right].map(|child| (child, below)));
                }
            }
        }
        all
    }
}

/// The nodes of a tree that are asked for what to compare: one of each level, where trees are symmetric.
fn asking<'a>(
    tree: &'a forest::Tree,
    index: usize,
    levels: Option<&Levels>,
) -> impl Iterator<Item = (&'a forest::Tree, &'a forest::Node)> {
    let some = levels.map(|levels| &levels.nodes[levels.of_tree(index)]);
    let count = some.map_or(tree.nodes.len(), <[u32]>::len);
    (0..count).map(move |at| (tree, &tree.nodes[some.map_or(at, |some| some[at] as usize)]))
}

/// Columns as they are met.
struct Columns<'a> {
    forest: &'a Forest,
    numbers: Vec<Number>,
    /// For each of them the bounds that are asked for, and the tests that ask.
    bounds: Vec<Vec<(i64, u32)>>,
    /// Tests of each feature.
    tests: Vec<u32>,
    /// For each feature and rule one more than its place among the numbers; 0 where it has none.
    number_at: Vec<[u32; RULES]>,
    presences: Vec<(u32, Rule)>,
    conditions: super::condition::Builder<'a>,
}

impl<'a> Columns<'a> {
    fn new(forest: &'a Forest, features: impl Iterator<Item = u32>) -> Self {
        let mut tests = vec![0; forest.features()];
        features.for_each(|feature| tests[feature as usize] += 1);
        Self {
            forest,
            tests,
            numbers: Vec::new(),
            bounds: Vec::new(),
            number_at: vec![[0; RULES]; forest.features()],
            presences: Vec::new(),
            conditions: super::condition::Builder::default(),
        }
    }

    /// The test of a node, the `index`-th of all tests.
    fn lower(&mut self, tree: &'a forest::Tree, node: &forest::Node, index: usize) -> Test {
        let threshold = match node.test {
            forest::Test::Category { set, member } => {
                let set = &tree.sets[set as usize];
                return Test::Condition(self.conditions.add(node.feature, set, member, node.missing));
            }
            forest::Test::Threshold(threshold) => threshold,
        };
        let (rule, missing) = match node.missing {
            // Nobody hands in a NaN that the forest does not take.
            Missing::Nan(_) if !self.forest.layout().accepts_nan => (Rule::Nan, Side::Right),
            Missing::Nan(side) => (Rule::Nan, side),
            Missing::ZeroOrNan(side) => (Rule::ZeroOrNan, side),
            Missing::AsZero => (Rule::AsZero, Side::Right),
        };
        match key::bound(self.forest.layout(), threshold) {
            Some(bound) => self.below(node.feature, rule, missing, (bound, super::narrow(index))),
            None if missing == Side::Right => Test::Never,
            None => {
                let place = self.presences.iter().position(|&other| other == (node.feature, rule));
                Test::Missing(super::narrow(place.unwrap_or_else(|| {
                    self.presences.push((node.feature, rule));
                    self.presences.len() - 1
                })))
            }
        }
    }

    fn below(&mut self, feature: u32, rule: Rule, missing: Side, asked: (i64, u32)) -> Test {
        let place = &mut self.number_at[feature as usize][rule as usize];
        if *place == 0 {
            self.numbers.push(Number { feature, rule, bounds: Vec::new(), left: false, right: false });
            self.bounds.push(Vec::with_capacity(self.tests[feature as usize] as usize));
            *place = super::narrow(self.numbers.len());
        }
        let column = *place - 1;
        self.bounds[column as usize].push(asked);
        self.numbers[column as usize].note(missing);
        // Known when all bounds are.
        Test::Below { column, missing, limit: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::garden::{self, Gaps, Plan, Random};
    use super::*;

    /// What a node asks, whatever the columns are: its test but for column and limit, and instead of these feature, rule and bound.
    type Asked = (Test, Option<(u32, Rule, i64)>);

    fn asked(lowered: &Lowered<'_>) -> Vec<Asked> {
        let trees = 0..lowered.forest.trees().len();
        let resolve = |&test: &Test| match test {
            Test::Below { column, missing, limit } => {
                let number = &lowered.numbers[column as usize];
                (Test::Below { column: 0, missing, limit: 0 }, Some((number.feature, number.rule, number.bound(limit))))
            }
            other => (other, None),
        };
        trees.flat_map(|tree| lowered.tests(tree)).map(resolve).collect()
    }

    #[test]
    fn spans_ask_what_columns_asked() {
        let mut random = Random(21);
        for gaps in [Gaps::AsZero, Gaps::Either, Gaps::ZeroEither, Gaps::Mixed, Gaps::Left] {
            for oblivious in [false, true] {
                let (trees, nodes) = if oblivious { (300, 63) } else { (60, 100) };
                let plan = Plan { features: 3, trees, thresholds: 700, nodes, oblivious, gaps, ..Plan::default() };
                let forest = garden::forest(&plan, &mut random);
                for most in [2, 17, super::super::ranks::BYTES, 100_000] {
                    let mut lowered = Lowered::new(&forest);
                    let (before, columns) = (asked(&lowered), lowered.numbers.len());
                    let spans: usize = lowered.numbers.iter().map(|number| number.spans(most)).sum();
                    let wide = lowered.numbers.iter().any(|number| number.most() > most);
                    lowered.split(most);
                    assert_eq!(asked(&lowered), before);
                    assert_eq!(lowered.numbers.len(), spans);
                    assert_eq!(spans > columns, wide, "{spans} of {columns}");
                    assert!(lowered.numbers.iter().all(|number| number.most() <= most && !number.bounds.is_empty()));
                    let order = |number: &Number| (!number.both(), super::super::ranks::levels(number.most()));
                    assert!(lowered.numbers.is_sorted_by_key(order));
                }
            }
        }
    }
}
