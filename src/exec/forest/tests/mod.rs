//! Every kernel on every processor of this machine gives the bits of the reference evaluator.
//!
//! `MI_FOREST_EVALUATIONS` says how many rows go through how many trees on each path in all; `make nightly` asks for
//! 10^8.

pub mod garden;

use super::lowered::Lowered;
use super::{Codes, Compiled, Method, Processor, Setup, ranks};
use crate::exec::reference::oracle;
use crate::exec::{Number, Rows};
use crate::ir::forest::{CategoryRule, Compare};
use crate::ir::{Forest, Precision};
use garden::{Gaps, Plan, Random};

/// Rows through trees that each test of this file makes, on every path.
fn evaluations() -> usize {
    std::env::var("MI_FOREST_EVALUATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000_000) / 8
}

fn setups() -> Vec<Setup> {
    let mut setups = Vec::new();
    for processor in Processor::ALL.into_iter().filter(|processor| processor.is_here()) {
        setups.push(Setup { processor, ..Setup::default() });
        for codes in [Codes::Bytes, Codes::Words].map(Some) {
            let methods = [Method::Interleaved, Method::Levels, Method::Heap, Method::Sieve, Method::Tiers].map(Some);
            setups.extend(methods.map(|method| Setup { processor, codes, method, ..Setup::default() }));
            if processor == Processor::Vbmi {
                let ways =
                    [(Method::Jump, false), (Method::Jump, true), (Method::Levels, false), (Method::Levels, true)];
                setups.extend(ways.map(|(method, intel)| {
                    let (method, intel) = (Some(method), Some(intel));
                    Setup { processor, codes, method, intel }
                }));
            }
        }
        if processor == Processor::Portable {
            setups.push(Setup { processor, codes: Some(Codes::Keys), ..Setup::default() });
        }
    }
    setups
}

fn same(found: &[f64], expected: &[f64]) -> Option<usize> {
    (0..expected.len()).find(|&at| {
        let (a, b) = (found[at], expected[at]);
        a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan())
    })
}

/// Compares margins and leaves on every path, in batches of several sizes.
fn check_rows<T: Number>(forest: &Forest, rows: Rows<'_, T>, compiled: &[(Setup, Compiled)], what: &str) {
    let (outputs, trees) = (forest.outputs(), forest.trees().len());
    let stride = outputs + 1;
    let mut margins = vec![0.5; rows.count() * stride];
    oracle::margins(forest, rows, &mut margins, stride);
    let mut leaves = vec![0.0; rows.count() * trees];
    oracle::leaves(forest, rows, &mut leaves);
    for (setup, compiled) in compiled {
        for size in [1, 7, rows.count()] {
            let mut found = vec![0.5; margins.len()];
            for (rows, found) in rows.blocks(size).zip(found.chunks_mut(size * stride)) {
                compiled.margins(rows, found, stride);
            }
            if let Some(at) = same(&found, &margins) {
                panic!(
                    "{what} {setup:?} {}: batches of {size}, row {}, margin {}: {:e}, the oracle says {:e}",
                    compiled.describe(),
                    at / stride,
                    at % stride,
                    found[at],
                    margins[at]
                );
            }
        }
        let mut found = vec![f64::NAN; leaves.len()];
        compiled.leaves(rows, |row, tree, leaf| found[row * trees + tree] = f64::from(leaf));
        if let Some(at) = same(&found, &leaves) {
            panic!("{what} {setup:?}: row {}, tree {}", at / trees, at % trees);
        }
    }
}

/// Checks one forest with rows made for it.
#[allow(clippy::cast_possible_truncation)]
fn check(plan: &Plan, count: usize, random: &mut Random) {
    let forest = garden::forest(plan, random);
    let data = garden::rows(&forest, count, plan.categories.1, random);
    let compiled: Vec<_> = setups().into_iter().map(|setup| (setup, Compiled::new(&forest, setup))).collect();
    let what = format!("{plan:?}");
    check_rows(&forest, Rows::new(&data, count, plan.features).unwrap(), &compiled, &what);
    let single: Vec<f32> = data.iter().map(|&value| value as f32).collect();
    check_rows(&forest, Rows::new(&single, count, plan.features).unwrap(), &compiled, &what);
}

const GAPS: [Gaps; 7] =
    [Gaps::AsZero, Gaps::Left, Gaps::Right, Gaps::Either, Gaps::ZeroEither, Gaps::Mixed, Gaps::None];
const RULES: [CategoryRule; 5] = [
    CategoryRule::Truncate,
    CategoryRule::NonNegative,
    CategoryRule::LowByte,
    CategoryRule::NonNegativeLowByte,
    CategoryRule::NonNegativeOrMissing,
];

/// Anything at all.
fn anything(random: &mut Random) -> Plan {
    let single = random.chance(50);
    let precision = |single| if single { Precision::F32 } else { Precision::F64 };
    let depth = u32::try_from(1 + random.below(7)).unwrap();
    let oblivious = random.chance(20);
    Plan {
        features: random.pick(&[1, 3, 28, 60, 130, 255, 256, 300, 700]),
        trees: random.pick(&[1, 2, 5, 13, 40, 100]),
        nodes: if oblivious {
            (1 << depth) - 1
        } else {
            random.pick(&[0, 1, 2, 7, 31, 62, 63, 64, 200, 254, 255, 700])
        },
        full: random.chance(40),
        balanced: random.chance(30),
        oblivious,
        thresholds: random.pick(&[1, 5, 14, 15, 40, 200, 254, 255, 700]),
        gaps: random.pick(&GAPS),
        categories: if random.chance(30) {
            (random.below(100), random.pick(&[2, 31, 60, 64, 150, 250, 3000]))
        } else {
            (0, 0)
        },
        outputs: random.pick(&[1, 1, 1, 2, 5]),
        vectors: random.pick(&[0, 0, 100, 30]),
        linear: random.pick(&[0, 0, 100, 30]),
        input: precision(single),
        sum: precision(random.chance(50)),
        compare: if single && random.chance(60) { Compare::Less } else { Compare::LessEqual },
        snap_zero: random.chance(30),
        rule: random.pick(&RULES),
        finish: random.below(4),
        own_ids: random.chance(50),
    }
}

#[test]
fn every_kernel_that_is_asked_for_is_there() {
    let plain = Plan { nodes: 31, full: true, balanced: true, thresholds: 40, ..Plan::default() };
    let symmetric = Plan { oblivious: true, ..plain.clone() };
    let forest = |plan| garden::forest(plan, &mut Random(4));
    let (plain, symmetric) = (forest(&plain), forest(&symmetric));
    for setup in setups() {
        let Some(method) = setup.method else { continue };
        let compiled = Compiled::new(if method == Method::Levels { &symmetric } else { &plain }, setup);
        let (kernel, expected) = (&compiled.describe()["kernel"], method.name());
        let vectors = setup.processor > Processor::Portable;
        match method {
            // Bytes in registers.
            Method::Tiers if !vectors => assert_ne!(kernel, expected),
            Method::Levels if setup.codes == Some(Codes::Words) => assert_ne!(kernel, expected),
            _ => assert_eq!(kernel, expected, "{setup:?}"),
        }
    }
}

#[test]
fn many_thresholds_are_codes_of_bytes_all_the_same() {
    let many = Plan { features: 5, trees: 300, nodes: 60, thresholds: 700, ..Plan::default() };
    let either = Plan { gaps: Gaps::Either, ..many.clone() };
    // So few steps that more codes would cost one row more than they save.
    let few = Plan { features: 2, trees: 4, nodes: 200, full: true, balanced: true, ..many.clone() };
    for (plan, split) in [(many, true), (either, true), (few, false)] {
        let forest = garden::forest(&plan, &mut Random(6));
        let lowered = Lowered::new(&forest);
        let spans: usize = lowered.numbers.iter().map(|number| number.spans(ranks::BYTES)).sum();
        assert!(spans > plan.features);
        let facts = Compiled::new(&forest, Setup::default()).describe();
        assert_eq!(facts["batch_columns"], spans);
        let (codes, columns) = if split { ("8 bits", spans) } else { ("16 bits", plan.features) };
        assert_eq!((&facts["codes"], &facts["columns"]), (&codes.into(), &columns.into()), "{plan:?}");
    }
    let mut random = Random(7);
    for (gaps, input) in [(Gaps::Either, Precision::F64), (Gaps::Mixed, Precision::F64), (Gaps::Either, Precision::F32)]
    {
        let plan = Plan { features: 2, trees: 16, nodes: 100, full: true, thresholds: 700, ..Plan::default() };
        check(&Plan { gaps, input, ..plan }, 70, &mut random);
    }
}

#[test]
fn random_forests_of_every_shape() {
    let mut random = Random(1);
    let mut made = 0;
    while made < evaluations() * 4 {
        let plan = anything(&mut random);
        let count = (20_000 / plan.trees).clamp(7, 150);
        check(&plan, count, &mut random);
        made += plan.trees * count * 2;
    }
}

#[test]
fn forests_of_each_library() {
    let lightgbm = Plan { snap_zero: true, trees: 50, nodes: 62, full: true, features: 100, ..Plan::default() };
    let xgboost = Plan {
        input: Precision::F32,
        sum: Precision::F32,
        compare: Compare::Less,
        gaps: Gaps::Either,
        balanced: true,
        own_ids: true,
        nodes: 63,
        full: true,
        features: 60,
        trees: 50,
        ..Plan::default()
    };
    let forests = [
        Plan { gaps: Gaps::Either, ..lightgbm.clone() },
        Plan { gaps: Gaps::ZeroEither, ..lightgbm.clone() },
        Plan { nodes: 254, thresholds: 254, ..lightgbm.clone() },
        Plan { outputs: 5, nodes: 30, ..lightgbm.clone() },
        Plan { categories: (40, 50), gaps: Gaps::Right, ..lightgbm.clone() },
        Plan { linear: 100, ..lightgbm.clone() },
        Plan { nodes: 255, thresholds: 700, ..xgboost.clone() },
        Plan { outputs: 3, vectors: 100, ..xgboost.clone() },
        // More slots than a byte names, were every column there twice, and more trees than a register holds.
        Plan { features: 200, trees: 70, ..xgboost.clone() },
        Plan { oblivious: true, compare: Compare::LessEqual, sum: Precision::F64, finish: 3, ..xgboost.clone() },
        Plan { gaps: Gaps::None, compare: Compare::LessEqual, sum: Precision::F64, nodes: 700, ..xgboost.clone() },
        lightgbm,
        xgboost,
    ];
    let mut random = Random(2);
    let mut made = 0;
    while made < evaluations() * 4 {
        for plan in &forests {
            // As many as go through the trees together, by one vector or by several, and some more.
            let count = random.pick(&[70, 130, 300, 700]);
            check(plan, count, &mut random);
            made += plan.trees * count * 2;
        }
    }
}

#[test]
fn extreme_forests() {
    let mut random = Random(3);
    // A single leaf; no tree at all; stumps; ten thousand trees; one tree of a hundred thousand nodes; a tree as deep as it is large.
    check(&Plan { nodes: 0, ..Plan::default() }, 20, &mut random);
    check(&Plan { trees: 0, ..Plan::default() }, 20, &mut random);
    check(&Plan { nodes: 1, full: true, trees: 700, ..Plan::default() }, 20, &mut random);
    check(&Plan { nodes: 7, trees: 10_000, thresholds: 3000, ..Plan::default() }, 14, &mut random);
    check(&Plan { nodes: 100_000, full: true, trees: 1, thresholds: 20_000, ..Plan::default() }, 40, &mut random);
    check(
        &Plan { nodes: 90_000, full: true, trees: 1, thresholds: 70_000, features: 1, ..Plan::default() },
        40,
        &mut random,
    );
    check_chain(5000, &mut random);
    // More symmetric trees than are found before any is added.
    check(&Plan { oblivious: true, nodes: 31, full: true, trees: 1100, ..Plan::default() }, 15, &mut random);
    // More rows than go through the trees together, of one margin and of several.
    check(&Plan { gaps: Gaps::Either, ..Plan::default() }, 1100, &mut random);
    check(&Plan { outputs: 3, categories: (50, 60), ..Plan::default() }, 700, &mut random);
    check(&Plan { categories: (50, 150), ..Plan::default() }, 130, &mut random);
    // Small nodes, but more of them than a cache holds.
    check(&Plan { nodes: 254, full: true, trees: 600, thresholds: 100, ..Plan::default() }, 30, &mut random);
}

/// A tree that is one long chain.
fn check_chain(length: usize, random: &mut Random) {
    let mut forest = garden::forest(&Plan { trees: 1, nodes: length, full: true, ..Plan::default() }, random);
    let mut tree = forest.trees()[0].clone();
    for index in 0..length {
        use crate::ir::forest::Child;
        let (next, leaf) = (Child::node(index + 1).unwrap(), Child::leaf(index).unwrap());
        let last = index + 1 == length;
        tree.nodes[index].left = if last { Child::leaf(length).unwrap() } else { next };
        tree.nodes[index].right = leaf;
    }
    forest = Forest::new(forest.layout().clone(), vec![tree]).unwrap();
    let data = garden::rows(&forest, 30, 0, random);
    let compiled: Vec<_> = setups().into_iter().map(|setup| (setup, Compiled::new(&forest, setup))).collect();
    check_rows(&forest, Rows::new(&data, 30, forest.features()).unwrap(), &compiled, "chain");
}
