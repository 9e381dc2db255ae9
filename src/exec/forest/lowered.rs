//! A forest whose tests are comparisons of integers, before a kernel lays it out.
//!
//! Every node asks one of four things: is the key of a number at most a bound, is a number missing, does a condition on a category
//! hold, or nothing that any row passes. What libraries do differently is gone from here on.

use super::condition::Conditions;
use super::key;
use super::legs::Legs;
use super::order::{self, Order, Step};
use super::weight::Weights;
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
    tests: Vec<Test>,
    first: Vec<usize>,
    /// The test of each level of each tree, where all trees are symmetric.
    pub levels: Option<Vec<Vec<Test>>>,
    /// The labels and the depths of their leaves.
    symmetric: Option<[Vec<u32>; 2]>,
    order: OnceCell<Order>,
    legs: OnceCell<Legs>,
    /// For each tree its first leaf among all leaves.
    pub leaves: Vec<u32>,
    /// How often rows reach nodes and leaves.
    pub weights: Weights,
}

impl<'a> Lowered<'a> {
    /// Lowers a forest.
    pub fn new(forest: &'a Forest) -> Self {
        let mut columns = Columns::new(forest);
        let mut tests = Vec::with_capacity(forest.trees().iter().map(|tree| tree.nodes.len()).sum());
        let mut first = Vec::with_capacity(forest.trees().len());
        for tree in forest.trees() {
            first.push(tests.len());
            for node in &tree.nodes {
                let test = columns.lower(tree, node, tests.len());
                tests.push(test);
            }
        }
        let Columns { numbers, asked, presences, conditions, .. } = columns;
        let mut lowered = Self {
            forest,
            numbers,
            presences,
            conditions: Conditions::default(),
            tests,
            first,
            levels: None,
            symmetric: None,
            order: OnceCell::new(),
            legs: OnceCell::new(),
            leaves: Vec::new(),
            weights: Weights::new(forest.trees()),
        };
        let conditions_at = conditions.order();
        for test in &mut lowered.tests {
            if let Test::Condition(index) = test {
                *index = conditions_at[*index as usize];
            }
        }
        lowered.conditions = conditions.build(forest.layout());
        lowered.set_limits(asked);
        lowered.order_numbers();
        lowered.label();
        lowered
    }

    /// Looks for symmetric trees, and counts leaves.
    fn label(&mut self) {
        let trees = self.forest.trees();
        let mut symmetric = Vec::new();
        for (index, tree) in trees.iter().enumerate() {
            symmetric.push(order::levels(tree, self.tests(index)));
            if symmetric[index].is_none() {
                break;
            }
        }
        if symmetric.iter().all(Option::is_some) {
            let (levels, labels): (Vec<_>, Vec<_>) = symmetric.into_iter().flatten().unzip();
            let depths = |levels: &Vec<Test>| vec![super::narrow(levels.len()); 1 << levels.len()];
            self.symmetric = Some([labels.concat(), levels.iter().flat_map(depths).collect()]);
            self.levels = Some(levels);
        }
        let mut leaf = 0;
        for tree in trees {
            self.leaves.push(leaf);
            leaf += super::narrow::<u32>(tree.leaves());
        }
    }

    /// Fills in the bounds, and the limits of the tests: for each column of numbers it is told bounds and the tests that ask for them.
    fn set_limits(&mut self, asked: Vec<Vec<(i64, u32)>>) {
        for (number, mut asked) in self.numbers.iter_mut().zip(asked) {
            asked.sort_unstable_by_key(|&(bound, _)| bound);
            for (own, test) in asked {
                if number.bounds.last() != Some(&own) {
                    number.bounds.push(own);
                }
                if let Test::Below { limit, .. } = &mut self.tests[test as usize] {
                    *limit = super::narrow(number.bounds.len());
                }
            }
            number.bounds.shrink_to_fit();
        }
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
        for test in &mut self.tests {
            if let Test::Below { column, .. } = test {
                *column = place[*column as usize];
            }
        }
    }

    /// How many steps walks through the trees go together.
    pub fn legs(&self) -> &Legs {
        self.legs.get_or_init(|| Legs::of(self))
    }

    fn order(&self) -> &Order {
        self.order.get_or_init(|| Order::of(self.forest.trees()))
    }

    /// The nodes of a tree, parents first, and the label that each of its leaves has in that order.
    pub fn order_of(&self, tree: usize) -> (&[Step], &[u32]) {
        let Order { steps, labels, .. } = self.order();
        (&steps[self.first[tree]..][..self.forest.trees()[tree].nodes.len()], self.of_leaves(labels, tree))
    }

    /// The steps from the root to each leaf of a tree.
    pub fn depths(&self, tree: usize) -> &[u32] {
        self.of_leaves(self.all_depths(), tree)
    }

    /// The steps to the leaf that is furthest from its root.
    pub fn depth(&self) -> usize {
        self.all_depths().iter().max().map_or(0, |&depth| depth as usize)
    }

    fn all_depths(&self) -> &[u32] {
        self.symmetric.as_ref().map_or_else(|| &self.order().depths, |[_, depths]| depths)
    }

    /// The label of each leaf of a tree, by which kernels know it: a number below the number of its leaves. Where trees are symmetric,
    /// bit after bit is the turn on a level, else it is that of [`Lowered::order_of`].
    pub fn labels(&self, tree: usize) -> &[u32] {
        self.of_leaves(self.symmetric.as_ref().map_or_else(|| &self.order().labels, |[labels, _]| labels), tree)
    }

    /// What belongs to the leaves of a tree.
    fn of_leaves<'b>(&self, all: &'b [u32], tree: usize) -> &'b [u32] {
        &all[self.leaves[tree] as usize..][..self.forest.trees()[tree].leaves()]
    }

    /// The tests of a tree, in the order of its nodes.
    pub fn tests(&self, tree: usize) -> &[Test] {
        &self.tests[self.first[tree]..][..self.forest.trees()[tree].nodes.len()]
    }
}

/// Columns as they are met.
struct Columns<'a> {
    forest: &'a Forest,
    numbers: Vec<Number>,
    /// For each of them the bounds that are asked for, and the tests that ask.
    asked: Vec<Vec<(i64, u32)>>,
    /// Nodes of each feature.
    nodes: Vec<u32>,
    /// For each feature and rule one more than its place among the numbers; 0 where it has none.
    number_at: Vec<[u32; RULES]>,
    presences: Vec<(u32, Rule)>,
    conditions: super::condition::Builder<'a>,
}

impl<'a> Columns<'a> {
    fn new(forest: &'a Forest) -> Self {
        let mut nodes = vec![0; forest.features()];
        forest.trees().iter().flat_map(|tree| &tree.nodes).for_each(|node| nodes[node.feature as usize] += 1);
        Self {
            forest,
            nodes,
            numbers: Vec::new(),
            asked: Vec::new(),
            number_at: vec![[0; RULES]; forest.features()],
            presences: Vec::new(),
            conditions: super::condition::Builder::default(),
        }
    }

    /// The test of a node, the `index`-th of the forest.
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
            self.asked.push(Vec::with_capacity(self.nodes[feature as usize] as usize));
            *place = super::narrow(self.numbers.len());
        }
        let column = *place - 1;
        self.asked[column as usize].push(asked);
        let number = &mut self.numbers[column as usize];
        if rule != Rule::AsZero {
            match missing {
                Side::Left => number.left = true,
                Side::Right => number.right = true,
            }
        }
        // Known when all bounds are.
        Test::Below { column, missing, limit: 0 }
    }
}
