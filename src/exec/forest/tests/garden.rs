//! Random forests of every shape, and the rows that are hardest for each of them.

use crate::ir::forest::{
    CategoryRule, CategorySet, Child, Compare, Finish, Layout, LinearLeaf, Missing, Node, Side, Target, Test, Tree,
    ZERO_BAND,
};
use crate::ir::{Forest, Precision};

/// Random numbers of a seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[allow(clippy::cast_possible_truncation)]
    pub fn below(&mut self, count: usize) -> usize {
        (self.bits() % count.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    #[allow(clippy::cast_precision_loss)]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn side(&mut self) -> Side {
        Side::left_if(self.chance(50))
    }
}

/// What missing values do in a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// Nodes read NaN as 0.
    AsZero,
    /// NaN goes left in all nodes.
    Left,
    /// NaN goes right in all nodes.
    Right,
    /// NaN goes either way.
    Either,
    /// NaN and zero go either way.
    ZeroEither,
    /// All of that.
    Mixed,
    /// The trees have no rule.
    None,
}

/// What a random forest is like.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone)]
pub struct Plan {
    pub features: usize,
    pub trees: usize,
    /// Nodes of a tree: up to this many.
    pub nodes: usize,
    /// Whether all trees have exactly that many.
    pub full: bool,
    /// Whether the next node to split is the one nearest to the root.
    pub balanced: bool,
    /// All nodes of a level ask the same; `nodes` is one less than a power of two.
    pub oblivious: bool,
    /// Thresholds to choose from for each feature.
    pub thresholds: usize,
    pub gaps: Gaps,
    /// Percent of the nodes that ask for categories, and how many categories there are.
    pub categories: (usize, usize),
    pub outputs: usize,
    /// Percent of the trees with a value for each margin.
    pub vectors: usize,
    /// Percent of the trees with linear leaves.
    pub linear: usize,
    pub input: Precision,
    pub sum: Precision,
    pub compare: Compare,
    pub snap_zero: bool,
    pub rule: CategoryRule,
    pub finish: usize,
    /// Whether leaves are numbered by the library in its own way.
    pub own_ids: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            features: 12,
            trees: 20,
            nodes: 30,
            full: false,
            balanced: false,
            oblivious: false,
            thresholds: 40,
            gaps: Gaps::AsZero,
            categories: (0, 0),
            outputs: 1,
            vectors: 0,
            linear: 0,
            input: Precision::F64,
            sum: Precision::F64,
            compare: Compare::LessEqual,
            snap_zero: false,
            rule: CategoryRule::Truncate,
            finish: 0,
            own_ids: false,
        }
    }
}

/// Thresholds of a feature: some where floats are delicate, the others anywhere.
fn thresholds(plan: &Plan, random: &mut Random) -> Vec<f64> {
    const DELICATE: [f64; 16] = [
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        ZERO_BAND,
        -ZERO_BAND,
        5e-324,
        -5e-324,
        1e-45,
        1e300,
        -1e300,
        f64::MAX,
        0.1,
        1.0,
        f64::NAN,
        1e-36,
    ];
    (0..plan.thresholds.max(1))
        .map(|_| {
            let value = match random.below(20) {
                0 => random.pick(&DELICATE),
                1 => 1.0 + random.unit() * 1e-13,
                2..=4 => (random.unit() * 20.0).round() - 10.0,
                5..=6 => (random.unit() * 8.0 - 4.0).exp(),
                _ => random.unit() * 4.0 - 2.0,
            };
            // XGBoost's thresholds are float32.
            if plan.compare == Compare::Less { Precision::F32.round(value) } else { value }
        })
        .collect()
}

fn missing(gaps: Gaps, random: &mut Random) -> Missing {
    let side = random.side();
    match gaps {
        Gaps::AsZero => Missing::AsZero,
        Gaps::Left => Missing::Nan(Side::Left),
        Gaps::Right | Gaps::None => Missing::Nan(Side::Right),
        Gaps::Either => Missing::Nan(side),
        Gaps::ZeroEither => Missing::ZeroOrNan(side),
        Gaps::Mixed => random.pick(&[Missing::AsZero, Missing::Nan(side), Missing::ZeroOrNan(side)]),
    }
}

fn node(plan: &Plan, pool: &[Vec<f64>], sets: &mut Vec<CategorySet>, random: &mut Random) -> Node {
    // Features are used unequally, as in life.
    let feature = random.below(plan.features).min(random.below(plan.features * 2));
    let missing = missing(plan.gaps, random);
    let test = if random.chance(plan.categories.0) {
        let categories = plan.categories.1;
        let members = (0..categories).filter(|_| random.chance(30)).map(|c| u32::try_from(c).unwrap());
        sets.push(CategorySet::from_categories(members.collect::<Vec<_>>()).unwrap());
        Test::Category { set: u32::try_from(sets.len() - 1).unwrap(), member: random.side() }
    } else {
        Test::Threshold(random.pick(&pool[feature]))
    };
    let child = Child::from_code(0);
    Node { feature: u32::try_from(feature).unwrap(), test, missing, left: child, right: child }
}

/// A tree grown by splitting leaves; node 0 is the root, the others come in any order.
fn tree(plan: &Plan, pool: &[Vec<f64>], random: &mut Random) -> Tree {
    let count = if plan.full || plan.oblivious { plan.nodes } else { random.below(plan.nodes + 1) };
    let mut sets = Vec::new();
    let level: Vec<Node> = (0..usize::BITS).map(|_| node(plan, pool, &mut sets, random)).collect();
    let mut nodes: Vec<Node> = Vec::new();
    // Leaves as they are met: their parent and side.
    let mut leaves: std::collections::VecDeque<(usize, Side, usize)> = [(usize::MAX, Side::Left, 0)].into();
    for index in 0..count {
        let at = if plan.balanced || plan.oblivious { 0 } else { random.below(leaves.len()) };
        let (parent, side, depth) = leaves.remove(at).unwrap();
        nodes.push(if plan.oblivious { level[depth] } else { node(plan, pool, &mut sets, random) });
        if parent != usize::MAX {
            let child = Child::node(index).unwrap();
            match side {
                Side::Left => nodes[parent].left = child,
                Side::Right => nodes[parent].right = child,
            }
        }
        leaves.push_back((index, Side::Left, depth + 1));
        leaves.push_back((index, Side::Right, depth + 1));
    }
    let mut order: Vec<usize> = (0..leaves.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    for (leaf, &(parent, side, _)) in order.iter().zip(&leaves) {
        if parent != usize::MAX {
            let child = Child::leaf(*leaf).unwrap();
            match side {
                Side::Left => nodes[parent].left = child,
                Side::Right => nodes[parent].right = child,
            }
        }
    }
    let vector = random.chance(plan.vectors);
    let width = if vector { plan.outputs } else { 1 };
    let count = leaves.len();
    let value = |random: &mut Random| {
        let value = (random.unit() - 0.5) * random.pick(&[1.0, 1e-3, 1e3]);
        plan.sum.round(value)
    };
    let linear = !vector && random.chance(plan.linear);
    Tree {
        nodes,
        values: (0..count * width).map(|_| value(random)).collect(),
        leaf_ids: (0..count)
            .map(|leaf| u32::try_from(if plan.own_ids { leaf * 2 + random.below(2) } else { leaf }).unwrap())
            .collect(),
        cover: if random.chance(50) { Vec::new() } else { (0..count).map(|_| cover(random)).collect() },
        sets,
        linear: (0..if linear { count } else { 0 })
            .map(|_| LinearLeaf {
                constant: random.unit(),
                terms: (0..random.below(4))
                    .map(|_| (u32::try_from(random.below(plan.features)).unwrap(), random.unit() - 0.5))
                    .collect(),
            })
            .collect(),
        target: if vector { Target::All } else { Target::One(u32::try_from(random.below(plan.outputs)).unwrap()) },
    }
}

/// What a file may say of a leaf's rows, in earnest or not.
#[allow(clippy::cast_precision_loss)]
fn cover(random: &mut Random) -> f32 {
    let count = (1 << random.below(16)) as f32;
    if random.chance(5) { random.pick(&[0.0, -1.0, f32::NAN, f32::INFINITY, f32::MAX]) } else { count }
}

/// A forest of this plan.
pub fn forest(plan: &Plan, random: &mut Random) -> Forest {
    let pool: Vec<Vec<f64>> = (0..plan.features).map(|_| thresholds(plan, random)).collect();
    let mut trees: Vec<Tree> = (0..plan.trees).map(|_| tree(plan, &pool, random)).collect();
    // One value is enough for sums that have to be rounded after each tree.
    if plan.sum == Precision::F32 && plan.trees > 0 && random.chance(20) {
        let values = &mut trees[random.below(plan.trees)].values;
        let odd = random.below(values.len());
        values[odd] += 1e-12;
    }
    let base: Vec<f64> = (0..plan.outputs).map(|_| plan.sum.round(random.unit())).collect();
    let layout = Layout {
        features: plan.features,
        input: plan.input,
        snap_zero: plan.snap_zero,
        compare: plan.compare,
        category: plan.rule,
        accepts_nan: plan.gaps != Gaps::None,
        sum: plan.sum,
        finish: match plan.finish {
            0 => Finish::Sum,
            1 => Finish::Divide(3.0),
            2 => Finish::Base(base.clone()),
            _ => Finish::ScaleBias { scale: 0.7, bias: base.clone() },
        },
        base,
        trees_per_round: 1,
    };
    Forest::new(layout, trees).unwrap()
}

/// Rows on thresholds, one step beside them, and of everything else that floats can be.
#[allow(clippy::cast_possible_truncation)]
pub fn rows(forest: &Forest, count: usize, categories: usize, random: &mut Random) -> Vec<f64> {
    const STRANGE: [f64; 18] = [
        f64::NAN,
        -f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        5e-324,
        -5e-324,
        1e-40,
        -1e-40,
        ZERO_BAND,
        -ZERO_BAND,
        1e308,
        -1e308,
        1e39,
        -0.5,
        -1.0,
        f64::MIN_POSITIVE,
    ];
    let features = forest.features();
    let mut thresholds = vec![vec![]; features];
    for node in forest.trees().iter().flat_map(|tree| &tree.nodes) {
        if let Test::Threshold(threshold) = node.test {
            thresholds[node.feature as usize].push(threshold);
        }
    }
    let nan = forest.layout().accepts_nan;
    let mut rows = Vec::with_capacity(count * features);
    for row in 0..count {
        // Some rows are strange all over, most of them here and there.
        let odd = if row % 8 == 0 { 60 } else { 8 };
        for near in &thresholds {
            let value = if random.chance(odd) {
                random.pick(&STRANGE)
            } else if categories > 0 && random.chance(50) {
                f64::from(u32::try_from(random.below(categories + 3)).unwrap())
            } else if !near.is_empty() && random.chance(50) {
                let threshold = random.pick(near);
                match random.below(7) {
                    0 => threshold.next_up(),
                    1 => threshold.next_down(),
                    2 => f64::from((threshold as f32).next_up()),
                    3 => f64::from((threshold as f32).next_down()),
                    4 => f64::from(threshold as f32),
                    _ => threshold,
                }
            } else {
                random.unit() * 6.0 - 3.0
            };
            rows.push(if value.is_nan() && !nan { 0.25 } else { value });
        }
    }
    rows
}
