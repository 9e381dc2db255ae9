//! From leaves to margins: values added up in the library's own type and order.

use super::super::{Number as Value, Rows, reference};
use crate::ir::forest::{Layout, LinearLeaf, Target, Tree};
use crate::ir::{Forest, Precision};

/// How the leaves of all trees are added.
#[derive(Debug)]
enum Kind {
    /// One value per leaf, all to the same margin.
    Single,
    /// One value per leaf; the margin of each tree.
    Each(Vec<u32>),
    /// Trees that differ, of which some have vectors or functions in their leaves.
    Mixed(Vec<Mixed>),
}

/// A tree of [`Kind::Mixed`].
#[derive(Debug)]
struct Mixed {
    target: Target,
    /// Its first leaf among all leaves.
    leaf: usize,
    /// Its first value among all values.
    value: usize,
    /// The functions of its leaves, or none.
    linear: Vec<LinearLeaf>,
}

/// The leaves of a forest and what becomes of them. A leaf is known by its place among all leaves, tree behind tree.
#[derive(Debug)]
pub struct Sums {
    layout: Layout,
    kind: Kind,
    values: Vec<f64>,
    /// Whether base and values are numbers of float32, so that sums of float32 may be made in that type.
    single: bool,
    /// The numbers that the library reports for the leaves; empty when a tree counts its own from 0.
    ids: Vec<u32>,
    /// For each tree its first leaf.
    first: Vec<u32>,
}

impl Sums {
    /// Takes the leaves of a forest.
    pub fn new(forest: &Forest) -> Self {
        let layout = forest.layout();
        let trees = forest.trees();
        let values: Vec<f64> = trees.iter().flat_map(|tree| tree.values.iter().copied()).collect();
        let fits = |value: &f64| Precision::F32.round(*value).to_bits() == value.to_bits();
        let counted = trees.iter().all(|tree| tree.leaf_ids.iter().zip(0..).all(|(&id, index): (_, u32)| id == index));
        let mut first = Vec::with_capacity(trees.len());
        let mut leaf = 0;
        for tree in trees {
            first.push(leaf);
            leaf += super::narrow::<u32>(tree.leaves());
        }
        Self {
            kind: Kind::of(trees),
            single: layout.sum == Precision::F32 && layout.base.iter().chain(&values).all(fits),
            values,
            ids: if counted { Vec::new() } else { trees.iter().flat_map(|tree| tree.leaf_ids.clone()).collect() },
            first,
            layout: layout.clone(),
        }
    }

    /// Trees.
    pub fn trees(&self) -> usize {
        self.first.len()
    }

    /// What the trees share.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes of values and numbers of leaves.
    pub fn bytes(&self) -> usize {
        size_of_val(self.values.as_slice()) + size_of_val(self.ids.as_slice()) + size_of_val(self.first.as_slice())
    }

    /// Margins before the first tree.
    pub fn start(&self, sums: &mut [f64]) {
        sums.copy_from_slice(&self.layout.base);
    }

    /// Margins after the last tree.
    pub fn finish(&self, sums: &mut [f64]) {
        reference::finish(&self.layout, sums);
    }

    /// Adds the leaves that a row reaches in the trees from `first` on.
    #[inline]
    pub fn add<T: Value>(&self, first: usize, leaves: &[u32], row: &[T], sums: &mut [f64]) {
        match &self.kind {
            Kind::Single => sums[0] = self.chain(sums[0], leaves),
            Kind::Each(targets) => {
                for (&leaf, &target) in leaves.iter().zip(&targets[first..]) {
                    let sum = &mut sums[target as usize];
                    *sum = self.layout.sum.round(*sum + self.values[leaf as usize]);
                }
            }
            Kind::Mixed(trees) => {
                for (&leaf, tree) in leaves.iter().zip(&trees[first..]) {
                    self.mixed(tree, leaf as usize, row, sums);
                }
            }
        }
    }

    /// The sum of a single margin.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // only where nothing is lost
    fn chain(&self, start: f64, leaves: &[u32]) -> f64 {
        let value = |leaf: &u32| self.values[*leaf as usize];
        if self.layout.sum == Precision::F64 {
            return leaves.iter().fold(start, |sum, leaf| sum + value(leaf));
        }
        if self.single && f64::from(start as f32).to_bits() == start.to_bits() {
            return f64::from(leaves.iter().fold(start as f32, |sum, leaf| sum + value(leaf) as f32));
        }
        leaves.iter().fold(start, |sum, leaf| Precision::F32.round(sum + value(leaf)))
    }

    /// Adds the leaves that rows reach in one tree; the margins of a row stand `stride` behind those of the one before.
    #[inline]
    pub fn add_rows<T: Value>(&self, tree: usize, leaves: &[u32], rows: Rows<'_, T>, out: &mut [f64], stride: usize) {
        let target = match &self.kind {
            Kind::Single => 0,
            Kind::Each(targets) => targets[tree] as usize,
            Kind::Mixed(trees) => {
                let width = self.layout.base.len();
                for ((&leaf, row), out) in leaves.iter().zip(rows.iter()).zip(out.chunks_exact_mut(stride)) {
                    self.mixed(&trees[tree], leaf as usize, row, &mut out[..width]);
                }
                return;
            }
        };
        for (&leaf, out) in leaves.iter().zip(out.chunks_exact_mut(stride)) {
            out[target] = self.layout.sum.round(out[target] + self.values[leaf as usize]);
        }
    }

    fn mixed<T: Value>(&self, tree: &Mixed, leaf: usize, row: &[T], sums: &mut [f64]) {
        let own = leaf - tree.leaf;
        let target = match tree.target {
            Target::One(target) => target as usize,
            Target::All => {
                let width = sums.len();
                for (sum, value) in sums.iter_mut().zip(&self.values[tree.value + own * width..]) {
                    *sum = self.layout.sum.round(*sum + value);
                }
                return;
            }
        };
        let plain = self.values[tree.value + own];
        let value =
            tree.linear.get(own).map_or(plain, |linear| reference::linear_leaf(&self.layout, linear, plain, row));
        sums[target] = self.layout.sum.round(sums[target] + value);
    }

    /// The library's number of a leaf of a tree.
    #[inline]
    pub fn id(&self, tree: usize, leaf: u32) -> u32 {
        self.ids.get(leaf as usize).copied().unwrap_or_else(|| leaf - self.first[tree])
    }

    /// Reads all values.
    pub fn prefetch(&self) {
        super::warm(&self.values);
        super::warm(&self.first);
        if let Kind::Each(targets) = &self.kind {
            super::warm(targets);
        }
    }
}

impl Kind {
    fn of(trees: &[Tree]) -> Self {
        let mut targets = Vec::with_capacity(trees.len());
        for tree in trees {
            match tree.target {
                Target::One(target) if tree.linear.is_empty() => targets.push(target),
                _ => return Self::mixed(trees),
            }
        }
        if targets.iter().all(|&target| target == 0) { Kind::Single } else { Kind::Each(targets) }
    }

    fn mixed(trees: &[Tree]) -> Self {
        let (mut leaf, mut value) = (0, 0);
        let mixed = trees.iter().map(|tree| {
            let mixed = Mixed { target: tree.target, leaf, value, linear: tree.linear.clone() };
            leaf += tree.leaves();
            value += tree.values.len();
            mixed
        });
        Kind::Mixed(mixed.collect())
    }
}
