//! Sound trees pass, broken ones are named.

use super::*;

fn node(left: i32, right: i32) -> Node {
    Node {
        feature: 0,
        test: Test::Threshold(0.5),
        missing: Missing::AsZero,
        left: Child::from_code(left),
        right: Child::from_code(right),
    }
}

fn forest(nodes: Vec<Node>) -> Result<Forest> {
    let leaves = nodes.len() + 1;
    let tree = Tree {
        nodes,
        values: vec![1.0; leaves],
        leaf_ids: (0..u32::try_from(leaves).unwrap()).collect(),
        cover: Vec::new(),
        sets: Vec::new(),
        linear: Vec::new(),
        target: Target::One(0),
    };
    let layout = Layout {
        features: 1,
        input: Precision::F64,
        snap_zero: false,
        compare: Compare::LessEqual,
        category: CategoryRule::Truncate,
        accepts_nan: true,
        sum: Precision::F64,
        base: vec![0.0],
        finish: Finish::Sum,
        trees_per_round: 1,
    };
    Forest::new(layout, vec![tree])
}

#[test]
fn sound_trees_pass() {
    assert!(forest(vec![]).is_ok());
    assert!(forest(vec![node(-1, 1), node(-2, -3)]).is_ok());
}

#[test]
fn broken_trees_are_named() {
    for (nodes, words) in [
        (vec![node(-1, 7)], "does not exist"),
        (vec![node(-1, -9)], "does not exist"),
        (vec![node(-1, -1)], "two parents"),
        (vec![node(0, -1)], "two parents"),
        (vec![node(-1, -2), node(1, -3)], "reached from the root"),
    ] {
        let message = forest(nodes).unwrap_err().message().to_owned();
        assert!(message.contains(words) && message.contains("tree 0"), "{message}");
    }
}

#[test]
fn categories_follow_the_rule() {
    use CategoryRule::{NonNegative, Truncate};
    assert_eq!(category(Truncate, -0.5), Some(0));
    assert_eq!(category(NonNegative, -0.5), None);
    assert_eq!(category(Truncate, 2.7), Some(2));
    for rule in [Truncate, NonNegative] {
        for value in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(category(rule, value), None);
        }
    }
}

#[test]
fn low_bytes_wrap() {
    // The branches that HistGradientBoosting 1.0 and 1.3 take for these numbers.
    for (value, byte) in [(257.0, 1), (2.7, 2), (1e10, 0), (f64::INFINITY, 0), (255.0, 255)] {
        assert_eq!(category(CategoryRule::LowByte, value), Some(byte));
        assert_eq!(category(CategoryRule::NonNegativeLowByte, value), Some(byte));
    }
    for (value, byte) in [(-1.0, 255), (-0.5, 0), (-255.0, 1), (f64::NEG_INFINITY, 0)] {
        assert_eq!(category(CategoryRule::LowByte, value), Some(byte));
        assert_eq!(category(CategoryRule::NonNegativeLowByte, value), None);
    }
    assert_eq!(category(CategoryRule::LowByte, f64::NAN), None);
}

#[test]
fn iteration_ranges_are_cut_to_the_model() {
    assert_eq!(rounds(0, 0, 9, 0..5).unwrap(), 0..5);
    assert_eq!(rounds(2, 0, 9, 0..5).unwrap(), 2..9);
    assert_eq!(rounds(0, 99, 9, 0..5).unwrap(), 0..9);
    assert!(rounds(9, 9, 9, 0..5).is_err());
}
