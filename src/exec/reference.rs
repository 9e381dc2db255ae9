//! The oracle: slow, obvious, and right. Every fast path is tested equal to it.

use super::{Number, Rows};
use crate::ir::forest::{
    CategoryRule, Compare, Finish, Layout, Missing, Place, Side, Target, Test, Tree, ZERO_BAND, category,
};
use crate::ir::linear::LinearOrder;
use crate::ir::{Forest, Linear};

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

/// Adds the trees to margins that start elsewhere than at the forest's base.
pub fn add(forest: &Forest, row: &[f64], sums: &mut [f64]) {
    for tree in forest.trees() {
        add_tree(forest.layout(), tree, row, sums);
    }
    finish(forest.layout(), sums);
}

/// The number of the leaf that a row reaches in each tree, tree by tree.
pub fn leaf_ids<'a>(forest: &'a Forest, row: &'a [f64]) -> impl Iterator<Item = u32> + 'a {
    forest.trees().iter().map(|tree| tree.leaf_ids[leaf(forest.layout(), tree, row)])
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

/// Margins of a linear model.
pub fn linear<T: Number>(linear: &Linear, rows: Rows<'_, T>, out: &mut [f64], stride: usize) {
    let precision = linear.precision();
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(stride)) {
        for (output, out) in out[..linear.outputs()].iter_mut().enumerate() {
            let intercept = linear.intercept()[output];
            let mut sum = match linear.order() {
                LinearOrder::InterceptFirst => intercept,
                LinearOrder::InterceptLast => 0.0,
            };
            for (value, coefficient) in row.iter().zip(linear.coefficients(output)) {
                let value = precision.round(value.widen());
                if !value.is_nan() {
                    sum = precision.round(sum + precision.round(value * coefficient));
                }
            }
            *out = match linear.order() {
                LinearOrder::InterceptFirst => sum,
                LinearOrder::InterceptLast => precision.round(sum + intercept),
            };
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
    let Some(linear) = tree.linear.get(leaf) else {
        return tree.values[leaf];
    };
    let mut sum = linear.constant;
    for &(column, coefficient) in &linear.terms {
        let value = feature(layout, row, column);
        if value.is_nan() {
            return tree.values[leaf];
        }
        sum += coefficient * value;
    }
    sum
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
                let value = if unknown(layout, tree, node.test, value) { f64::NAN } else { value };
                let side = match node.missing {
                    Missing::Nan(side) if value.is_nan() => side,
                    Missing::ZeroOrNan(side) if value.is_nan() || value.abs() <= ZERO_BAND => side,
                    Missing::AsZero if value.is_nan() => test(layout, tree, node.test, 0.0),
                    _ => test(layout, tree, node.test, value),
                };
                place = match side {
                    Side::Left => node.left.place(),
                    Side::Right => node.right.place(),
                };
            }
        }
    }
}

/// Whether the value is no category that the split knows, where the library takes that for missing.
fn unknown(layout: &Layout, tree: &Tree, test: Test, value: f64) -> bool {
    match test {
        Test::Category { set, .. } if layout.category == CategoryRule::NonNegativeOrMissing => {
            let words = tree.sets[set as usize].words().len();
            category(layout.category, value).is_none_or(|category| category as usize / 32 >= words)
        }
        _ => false,
    }
}

fn test(layout: &Layout, tree: &Tree, test: Test, value: f64) -> Side {
    match test {
        Test::Threshold(threshold) => Side::left_if(match layout.compare {
            Compare::LessEqual => value <= threshold,
            Compare::Less => value < threshold,
        }),
        Test::Category { set, member } => {
            let inside =
                category(layout.category, value).is_some_and(|category| tree.sets[set as usize].contains(category));
            Side::left_if(inside == (member == Side::Left))
        }
    }
}

/// The feature as the library's comparison sees it.
#[inline]
fn feature<T: Number>(layout: &Layout, row: &[T], column: u32) -> f64 {
    let value = layout.input.round(row[column as usize].widen());
    if layout.snap_zero && value.abs() <= ZERO_BAND { 0.0 } else { value }
}

fn finish(layout: &Layout, sums: &mut [f64]) {
    match &layout.finish {
        Finish::Sum => {}
        Finish::Divide(divisor) => sums.iter_mut().for_each(|sum| *sum /= divisor),
        Finish::Base(base) => {
            for (sum, base) in sums.iter_mut().zip(base) {
                *sum = layout.sum.round(*sum + base);
            }
        }
        Finish::ScaleBias { scale, bias } => {
            for (sum, bias) in sums.iter_mut().zip(bias) {
                *sum = *sum * scale + bias;
            }
        }
    }
}
