//! From leaves to margins: values added up in the library's own type and order.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows, reference};
use super::lowered::Lowered;
use super::slab::{self, Slab};
use crate::ir::Precision;
use crate::ir::forest::{Finish, Layout, LinearLeaf, Target, Tree};

/// What takes the leaves that one row reaches, tree after tree.
pub trait Sink {
    /// Whether it wants no more than the values of leaves, which are float32.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // kernels of other processors bring no values
    const SINGLE: bool = false;

    /// The value of the next tree's leaf, where that is all it wants.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    fn add(&mut self, _value: f32) {}

    /// The leaf of a tree.
    ///
    /// # Safety
    /// It is one of the forest whose sums these are.
    unsafe fn put(&mut self, tree: usize, leaf: u32);
}

impl<S: Sink> Sink for &mut S {
    const SINGLE: bool = S::SINGLE;

    #[inline(always)]
    fn add(&mut self, value: f32) {
        (**self).add(value);
    }

    #[inline(always)]
    unsafe fn put(&mut self, tree: usize, leaf: u32) {
        // SAFETY: as promised.
        unsafe { (**self).put(tree, leaf) };
    }
}

/// The leaves that one row reaches in all trees.
pub trait Leaves {
    /// Hands them to a sink in the order of the trees, and gives it back.
    fn each<S: Sink>(&self, sink: S) -> S;
}

/// A single margin of float64.
struct Double<'a> {
    sum: f64,
    values: &'a [f64],
}

impl Sink for Double<'_> {
    #[inline(always)]
    unsafe fn put(&mut self, _: usize, leaf: u32) {
        // SAFETY: every leaf has a value.
        self.sum += unsafe { self.values.get_unchecked(leaf as usize) };
    }
}

/// A single margin of float32, all of whose values are float32 as well.
struct Single<'a> {
    sum: f32,
    values: &'a [f32],
}

impl Sink for Single<'_> {
    const SINGLE: bool = true;

    #[inline(always)]
    fn add(&mut self, value: f32) {
        self.sum += value;
    }

    #[inline(always)]
    unsafe fn put(&mut self, _: usize, leaf: u32) {
        // SAFETY: every leaf has a value.
        self.sum += unsafe { self.values.get_unchecked(leaf as usize) };
    }
}

/// The most margins that [`Several`] has room for.
const SEVERAL: usize = 16;

/// Some margins of float32, all of whose values are float32 as well.
struct Several<'a> {
    sums: [f32; SEVERAL],
    /// The margins of the trees to come.
    targets: std::slice::Iter<'a, u32>,
    values: &'a [f32],
}

impl<'a> Several<'a> {
    /// These margins before the first tree; `None` where there are too many, or other numbers.
    #[allow(clippy::cast_possible_truncation)] // only where nothing is lost
    fn new(sums: &[f64], targets: &'a [u32], values: &'a [f32]) -> Option<Self> {
        let mut own = [0.0; SEVERAL];
        for (own, sum) in own.get_mut(..sums.len())?.iter_mut().zip(sums) {
            *own = *sum as f32;
            if f64::from(*own).to_bits() != sum.to_bits() {
                return None;
            }
        }
        Some(Self { sums: own, targets: targets.iter(), values })
    }
}

impl Sink for Several<'_> {
    const SINGLE: bool = true;

    #[inline(always)]
    fn add(&mut self, value: f32) {
        let Some(&target) = self.targets.next() else { return };
        self.sums[target as usize % SEVERAL] += value;
    }

    #[inline(always)]
    unsafe fn put(&mut self, _: usize, leaf: u32) {
        // SAFETY: every leaf has a value.
        self.add(unsafe { *self.values.get_unchecked(leaf as usize) });
    }
}

/// Blocks of trees for whatever takes them.
struct Blocks<'a> {
    leaves: [u32; 64],
    count: usize,
    first: usize,
    take: &'a mut dyn FnMut(usize, &[u32]),
}

impl Blocks<'_> {
    fn flush(&mut self) {
        (self.take)(self.first, &self.leaves[..self.count]);
        self.first += self.count;
        self.count = 0;
    }
}

impl Sink for Blocks<'_> {
    #[inline(always)]
    unsafe fn put(&mut self, _: usize, leaf: u32) {
        self.leaves[self.count] = leaf;
        self.count += 1;
        if self.count == self.leaves.len() {
            self.flush();
        }
    }
}

/// Calls `take` with block after block of the leaves of a row: the first tree, and the leaves from there on.
pub fn blocks(leaves: &impl Leaves, mut take: impl FnMut(usize, &[u32])) {
    let mut blocks = Blocks { leaves: [0; 64], count: 0, first: 0, take: &mut take };
    leaves.each(&mut blocks);
    blocks.flush();
}

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

/// The leaves of a forest and what becomes of them. A leaf is known by a number within its tree, such as its label, and the numbers of all
/// trees before its own.
#[derive(Debug)]
pub struct Sums {
    layout: Layout,
    kind: Kind,
    values: Slab<f64>,
    /// The values as float32, where base and values are such numbers, so that sums of float32 may be made in that type.
    singles: Option<Slab<f32>>,
    /// The numbers that the library reports for the leaves.
    ids: Slab<u32>,
    /// Trees.
    trees: usize,
}

/// Leaves of one value each.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a> {
    /// The values of all leaves.
    pub values: &'a [f64],
    /// The margin of each tree; `None`: all add to the first one.
    pub targets: Option<&'a [u32]>,
    /// The type of the sum.
    pub sum: Precision,
}

impl Sums {
    /// Takes the leaves of a forest, in the order of their labels.
    pub fn by_label(lowered: &Lowered<'_>) -> Self {
        Self::new(lowered, |tree| by_label(lowered.labels(tree)))
    }

    /// Takes the leaves of a forest, as a kernel numbers them: `numbered` gives for a tree the leaf of each number.
    #[allow(clippy::cast_possible_truncation)] // only where nothing is lost
    pub fn new(lowered: &Lowered<'_>, numbered: impl Fn(usize) -> Vec<usize>) -> Self {
        let layout = lowered.forest.layout();
        let trees = lowered.forest.trees();
        let mut values = slab::room(trees.iter().map(|tree| tree.values.len()).sum());
        let mut ids = slab::room(trees.iter().map(Tree::leaves).sum());
        let mut linear = Vec::with_capacity(trees.len());
        let mut first = Vec::with_capacity(trees.len());
        for (index, tree) in trees.iter().enumerate() {
            let numbered = numbered(index);
            let width = tree.values.len() / tree.leaves();
            first.push((ids.len(), values.len()));
            if width == 1 {
                slab::add(&mut values, &numbered, |leaf| tree.values[leaf]);
            } else {
                values.extend(numbered.iter().flat_map(|&leaf| &tree.values[leaf * width..][..width]));
            }
            slab::add(&mut ids, &numbered, |leaf| tree.leaf_ids[leaf]);
            let in_order = |leaf: &usize| tree.linear.get(*leaf).cloned();
            linear.push(if tree.linear.is_empty() {
                Vec::new()
            } else {
                numbered.iter().filter_map(in_order).collect()
            });
        }
        let fits = |value: &f64| Precision::F32.round(*value).to_bits() == value.to_bits();
        Self {
            kind: Kind::of(trees, linear, &first),
            singles: (layout.sum == Precision::F32 && layout.base.iter().chain(&values).all(fits))
                .then(|| slab::collected(values.iter().map(|&value| value as f32))),
            values,
            ids,
            trees: trees.len(),
            layout: layout.clone(),
        }
    }

    /// Trees.
    pub fn trees(&self) -> usize {
        self.trees
    }

    /// Values by leaf, where every leaf has one and they may be added up in the type of the sum from the start; `None` elsewhere.
    #[cfg(target_arch = "x86_64")]
    pub fn plain(&self) -> Option<Plain<'_>> {
        let targets = match &self.kind {
            Kind::Single => None,
            Kind::Each(targets) => Some(targets.as_slice()),
            Kind::Mixed(_) => return None,
        };
        let sum = self.layout.sum;
        (sum == Precision::F64 || self.singles.is_some()).then_some(Plain { values: &self.values, targets, sum })
    }

    /// What the trees share.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes of values and numbers of leaves.
    pub fn bytes(&self) -> usize {
        size_of_val(self.values.as_slice())
            + self.singles.as_ref().map_or(0, |values| size_of_val(values.as_slice()))
            + size_of_val(self.ids.as_slice())
    }

    /// Margins of all rows before the first tree, `stride` numbers apart.
    #[inline]
    pub fn start(&self, out: &mut [f64], stride: usize) {
        match (&self.layout.base[..], &mut *out) {
            (&[base], [out]) => *out = base,
            (&[base], out) if stride == 1 => out.fill(base),
            _ => out
                .chunks_exact_mut(stride)
                .for_each(|out| out[..self.layout.base.len()].copy_from_slice(&self.layout.base)),
        }
    }

    /// The same after the last tree.
    #[inline]
    pub fn finish(&self, out: &mut [f64], stride: usize) {
        if !matches!(self.layout.finish, Finish::Sum) {
            let outputs = self.layout.base.len();
            out.chunks_exact_mut(stride).for_each(|out| reference::finish(&self.layout, &mut out[..outputs]));
        }
    }

    /// Adds the leaves that a row reaches.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // only where nothing is lost
    pub fn add_row<T: Value>(&self, leaves: &impl Leaves, row: &[T], sums: &mut [f64]) {
        match (&self.kind, &self.singles) {
            (Kind::Single, _) if self.layout.sum == Precision::F64 => {
                sums[0] = leaves.each(Double { sum: sums[0], values: &self.values }).sum;
            }
            (Kind::Single, Some(values)) if f64::from(sums[0] as f32).to_bits() == sums[0].to_bits() => {
                sums[0] = leaves.each(Single { sum: sums[0] as f32, values }).sum.into();
            }
            (Kind::Each(targets), Some(values)) if let Some(several) = Several::new(sums, targets, values) => {
                let several = leaves.each(several).sums;
                sums.iter_mut().zip(several).for_each(|(sum, own)| *sum = own.into());
            }
            _ => blocks(leaves, |first, leaves| self.add(first, leaves, row, sums)),
        }
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
        if let Some(values) = self.singles.as_ref().filter(|_| f64::from(start as f32).to_bits() == start.to_bits()) {
            return f64::from(leaves.iter().fold(start as f32, |sum, leaf| sum + values[*leaf as usize]));
        }
        leaves.iter().fold(start, |sum, leaf| Precision::F32.round(sum + value(leaf)))
    }

    /// Adds the leaves that rows reach in one tree; the margins of a row stand `stride` behind those of the one before.
    #[inline]
    pub fn add_rows<T: Value>(
        &self,
        tree: usize,
        leaves: impl Iterator<Item = u32>,
        rows: Rows<'_, T>,
        out: &mut [f64],
        stride: usize,
    ) {
        let target = match &self.kind {
            Kind::Single => 0,
            Kind::Each(targets) => targets[tree] as usize,
            Kind::Mixed(trees) => {
                let width = self.layout.base.len();
                for ((leaf, row), out) in leaves.zip(rows.iter()).zip(out.chunks_exact_mut(stride)) {
                    self.mixed(&trees[tree], leaf as usize, row, &mut out[..width]);
                }
                return;
            }
        };
        for (leaf, out) in leaves.zip(out.chunks_exact_mut(stride)) {
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
        let value = self.of(tree, own, row);
        sums[target] = self.layout.sum.round(sums[target] + value);
    }

    /// The value of a leaf of a tree with one margin.
    fn of<T: Value>(&self, tree: &Mixed, own: usize, row: &[T]) -> f64 {
        let plain = self.values[tree.value + own];
        tree.linear.get(own).map_or(plain, |linear| reference::linear_leaf(&self.layout, linear, plain, row))
    }

    /// The margin, the values and the functions of a tree's leaves, the last two in the order of their labels; `None` where a leaf has
    /// several values, or the forest neither functions nor such leaves.
    #[cfg(target_arch = "x86_64")]
    pub fn functions(&self, tree: usize) -> Option<(u32, &[f64], &[LinearLeaf])> {
        let Kind::Mixed(trees) = &self.kind else { return None };
        let Target::One(target) = trees[tree].target else { return None };
        let end = trees.get(tree + 1).map_or(self.values.len(), |next| next.value);
        Some((target, &self.values[trees[tree].value..end], &trees[tree].linear))
    }

    /// The value of a leaf of a tree that has [`Self::functions`].
    ///
    /// # Panics
    /// When it has none.
    #[cfg(target_arch = "x86_64")]
    #[cold]
    pub fn value<T: Value>(&self, tree: usize, leaf: usize, row: &[T]) -> f64 {
        let Kind::Mixed(trees) = &self.kind else { unreachable!("a forest with functions") };
        self.of(&trees[tree], leaf - trees[tree].leaf, row)
    }

    /// The library's number of a leaf.
    #[inline]
    pub fn id(&self, leaf: u32) -> u32 {
        self.ids[leaf as usize]
    }

    /// Reads all values.
    pub fn prefetch(&self) {
        super::warm(&self.values);
        self.singles.iter().for_each(|values| super::warm(values));
        if let Kind::Each(targets) = &self.kind {
            super::warm(targets);
        }
    }
}

impl Kind {
    /// `first` are the first leaf and the first value of each tree.
    fn of(trees: &[Tree], linear: Vec<Vec<LinearLeaf>>, first: &[(usize, usize)]) -> Self {
        let mut targets = Vec::with_capacity(trees.len());
        for tree in trees {
            match tree.target {
                Target::One(target) if tree.linear.is_empty() => targets.push(target),
                _ => return Self::mixed(trees, linear, first),
            }
        }
        if targets.iter().all(|&target| target == 0) { Kind::Single } else { Kind::Each(targets) }
    }

    fn mixed(trees: &[Tree], linear: Vec<Vec<LinearLeaf>>, first: &[(usize, usize)]) -> Self {
        let trees = trees.iter().zip(linear).zip(first);
        Self::Mixed(
            trees.map(|((tree, linear), &(leaf, value))| Mixed { target: tree.target, leaf, value, linear }).collect(),
        )
    }
}

/// For each label the leaf that has it.
fn by_label(labels: &[u32]) -> Vec<usize> {
    let mut leaves = vec![0; labels.len()];
    for (leaf, &label) in labels.iter().enumerate() {
        leaves[label as usize] = leaf;
    }
    leaves
}
