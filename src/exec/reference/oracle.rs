//! The oracle: a forest evaluated node by node, as the representation says.

use super::super::{Number, Rows};
use super::{category_side, feature, finish, linear_leaf, side};
use crate::ir::Forest;
use crate::ir::forest::{Compare, Layout, Missing, Place, Side, Target, Test, Tree};

/// Margins of every row into `out`, `stride` numbers apart.
pub fn margins<T: Number>(forest: &Forest, rows: Rows<'_, T>, out: &mut [f64], stride: usize) {
    let layout = forest.layout();
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(stride)) {
        let sums = &mut out[..layout.base.len()];
        sums.copy_from_slice(&layout.base);
        for tree in forest.trees() {
            add_tree(layout, tree, row, sums);
        }
        finish(layout, sums);
    }
}

/// The number of the leaf that each row reaches in each tree; `out` has the shape (rows, trees).
pub fn leaves<T: Number>(forest: &Forest, rows: Rows<'_, T>, out: &mut [f64]) {
    if forest.trees().is_empty() {
        return;
    }
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(forest.trees().len())) {
        for (tree, out) in forest.trees().iter().zip(out) {
            *out = f64::from(tree.leaf_ids[leaf(forest.layout(), tree, row)]);
        }
    }
}

fn add_tree<T: Number>(layout: &Layout, tree: &Tree, row: &[T], sums: &mut [f64]) {
    let leaf = leaf(layout, tree, row);
    match tree.target {
        Target::One(output) => {
            let value = leaf_value(layout, tree, leaf, row);
            let sum = &mut sums[output as usize];
            *sum = layout.sum.round(*sum + value);
        }
        Target::All => {
            let width = sums.len();
            for (sum, value) in sums.iter_mut().zip(&tree.values[leaf * width..]) {
                *sum = layout.sum.round(*sum + value);
            }
        }
    }
}

fn leaf_value<T: Number>(layout: &Layout, tree: &Tree, leaf: usize, row: &[T]) -> f64 {
    let plain = tree.values[leaf];
    tree.linear.get(leaf).map_or(plain, |linear| linear_leaf(layout, linear, plain, row))
}

/// The leaf that a row reaches.
fn leaf<T: Number>(layout: &Layout, tree: &Tree, row: &[T]) -> usize {
    let mut place = tree.root().place();
    loop {
        match place {
            Place::Leaf(leaf) => return leaf,
            Place::Node(index) => {
                let node = &tree.nodes[index];
                let value = feature(layout, row, node.feature);
                let side = match node.test {
                    Test::Threshold(threshold) => threshold_side(layout, threshold, node.missing, value),
                    Test::Category { set, member } => {
                        category_side(layout, &tree.sets[set as usize], member, node.missing, value)
                    }
                };
                place = match side {
                    Side::Left => node.left.place(),
                    Side::Right => node.right.place(),
                };
            }
        }
    }
}

fn threshold_side(layout: &Layout, threshold: f64, missing: Missing, value: f64) -> Side {
    side(missing, value, |value| {
        Side::left_if(match layout.compare {
            Compare::LessEqual => value <= threshold,
            Compare::Less => value < threshold,
        })
    })
}
