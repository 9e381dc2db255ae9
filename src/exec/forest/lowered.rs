//! A forest whose tests are comparisons of integers, before a kernel lays it out.
//!
//! Every node asks one of four things: is the key of a number at most a bound, is a number missing, does a condition on a category
//! hold, or nothing that any row passes. What libraries do differently is gone from here on.

use super::condition::Conditions;
use super::key;
use super::order::{self, Order};
use super::weight::Weights;
use crate::ir::Forest;
use crate::ir::forest::{self, Missing, Side};
use hashbrown::HashMap;

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

    /// The first code that fails a bound of this column, where a code counts the bounds below a key.
    pub fn limit(&self, bound: i64) -> usize {
        self.bounds.partition_point(|&other| other < bound) + 1
    }
}

/// What a node asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// Left when the key is at most `bound`.
    Below {
        /// Index into [`Lowered::numbers`].
        column: u32,
        /// Where missing values go; means nothing under [`Rule::AsZero`].
        missing: Side,
        /// The largest key that passes.
        bound: i64,
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
    labels: Vec<u32>,
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
            tests.extend(tree.nodes.iter().map(|node| columns.lower(tree, node)));
        }
        let Columns { numbers, presences, conditions, .. } = columns;
        let mut lowered = Self {
            forest,
            numbers,
            presences,
            conditions: Conditions::default(),
            tests,
            first,
            levels: None,
            labels: Vec::new(),
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
        lowered.order_numbers();
        lowered.label();
        lowered
    }

    /// Labels the leaves of all trees.
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
            self.levels = Some(levels);
            self.labels = labels.concat();
        } else {
            self.labels = trees.iter().flat_map(|tree| Order::of(tree).labels).collect();
        }
        let mut leaf = 0;
        for tree in trees {
            self.leaves.push(leaf);
            leaf += super::narrow::<u32>(tree.leaves());
        }
    }

    /// Sorts the bounds, and the columns in the order that is promised.
    fn order_numbers(&mut self) {
        for number in &mut self.numbers {
            number.bounds.sort_unstable();
            number.bounds.dedup();
            number.bounds.shrink_to_fit();
        }
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

    /// The label of each leaf of a tree, by which kernels know it: a number below the number of its leaves.
    pub fn labels(&self, tree: usize) -> &[u32] {
        &self.labels[self.leaves[tree] as usize..][..self.forest.trees()[tree].leaves()]
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
    number_at: HashMap<(u32, Rule), u32>,
    presences: Vec<(u32, Rule)>,
    conditions: super::condition::Builder<'a>,
}

impl<'a> Columns<'a> {
    fn new(forest: &'a Forest) -> Self {
        Self {
            forest,
            numbers: Vec::new(),
            number_at: HashMap::new(),
            presences: Vec::new(),
            conditions: super::condition::Builder::default(),
        }
    }

    fn lower(&mut self, tree: &'a forest::Tree, node: &forest::Node) -> Test {
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
            Some(bound) => self.below(node.feature, rule, missing, bound),
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

    fn below(&mut self, feature: u32, rule: Rule, missing: Side, bound: i64) -> Test {
        let numbers = &mut self.numbers;
        let column = *self.number_at.entry((feature, rule)).or_insert_with(|| {
            numbers.push(Number { feature, rule, bounds: Vec::new(), left: false, right: false });
            super::narrow(numbers.len() - 1)
        });
        let number = &mut self.numbers[column as usize];
        number.bounds.push(bound);
        if rule != Rule::AsZero {
            match missing {
                Side::Left => number.left = true,
                Side::Right => number.right = true,
            }
        }
        Test::Below { column, missing, bound }
    }
}
