//! Trees as columns of numbers, the way both the documents and the binary format give them, and what they mean.
//!
//! Nodes are taken as they stand where parents come before their children and all of them are reached, else they are met by walking from
//! the root: what pruning left behind in the file is not kept. The numbers of the leaves stay those of the file.

use super::sapling::Sapling;
use crate::error::{Error, Result};
use crate::ir::forest::{Child, Missing, Node, Place, Side, Target, Test, Tree};
use crate::limits;
use std::cmp::Ordering;

/// The columns of one tree, one entry per node of the file.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Left children; -1 marks a leaf.
    pub left: Vec<i32>,
    /// Right children.
    pub right: Vec<i32>,
    /// Columns of the row that the splits look at.
    pub feature: Vec<i32>,
    /// Thresholds of splits; values of leaves, unless [`Columns::leaves`] has them.
    pub threshold: Vec<f32>,
    /// 1 where a missing value goes left.
    pub default_left: Vec<u8>,
    /// 1 where a split asks for a category; empty in a file that has none.
    pub categorical: Vec<u8>,
    /// Nodes that ask for a category, in ascending order.
    pub category_nodes: Vec<i32>,
    /// Where the categories of each of them begin in `categories`.
    pub category_begins: Vec<i64>,
    /// How many they are.
    pub category_counts: Vec<i64>,
    /// Categories that go right.
    pub categories: Vec<i32>,
    /// Gains of the splits, when the file has them.
    pub gain: Option<Vec<f32>>,
    /// Hessians of the rows in each node, summed; whatever has not one entry per node is left out.
    pub cover: Vec<f32>,
    /// Where the values of the leaves are.
    pub leaves: Leaves,
}

/// Where the values of the leaves are.
#[derive(Debug, Default)]
pub(super) enum Leaves {
    /// One per leaf, in the place of its threshold.
    #[default]
    Scalar,
    /// So many per node of the file, leaf or not (2.0 to 3.1).
    PerNode {
        /// Values per node.
        width: usize,
        /// Of shape (nodes, width).
        values: Vec<f32>,
    },
    /// So many per leaf; the right child of a leaf is its row (3.2 and later).
    PerLeaf {
        /// Values per leaf.
        width: usize,
        /// Of shape (leaves, width).
        values: Vec<f32>,
    },
}

impl Columns {
    #[inline]
    fn entry<T: Copy>(column: &[T], name: &str, node: usize) -> Result<T> {
        match column.get(node) {
            Some(&entry) => Ok(entry),
            None => Err(no_entry(name, column.len(), node)),
        }
    }

    #[inline]
    fn child(&self, node: usize, side: Side) -> Result<usize> {
        let (column, name) = match side {
            Side::Left => (&self.left, "left_children"),
            Side::Right => (&self.right, "right_children"),
        };
        let child = Self::entry(column, name, node)?;
        match usize::try_from(child) {
            Ok(child) if child < self.left.len() => Ok(child),
            _ => Err(no_child(name, node, child, self.left.len())),
        }
    }

    /// Takes the tree out of its columns.
    ///
    /// # Errors
    /// `MI_MALFORMED` naming the column and the node at fault, `MI_LIMIT_EXCEEDED` past the caps.
    pub fn grow(self) -> Result<Sapling> {
        let count = self.left.len();
        limits::check("nodes", count, limits::NODES)?;
        if count == 0 {
            return Err(Error::malformed("left_children is empty; even a tree without splits has one node"));
        }
        let mut grown = Grown::new(&self);
        if let Some(children) = self.children() {
            for (at, (&left, &right)) in self.left.iter().zip(&self.right).enumerate() {
                if left == -1 {
                    grown.leaf(at)?;
                } else {
                    let child = |child: i32| children[child.unsigned_abs() as usize];
                    grown.node(at, child(left), child(right))?;
                }
            }
        } else {
            self.walk(&mut grown)?;
        }
        Ok(grown.finish())
    }

    /// For each node of the file what refers to it, where every parent comes before its children and every node is reached.
    fn children(&self) -> Option<Vec<Child>> {
        let mut children = limits::vec("nodes", self.left.len()).ok()?;
        let (mut nodes, mut leaves) = (0, 0);
        for &left in &self.left {
            let next = if left == -1 { &mut leaves } else { &mut nodes };
            children.push(Child::from_code(if left == -1 { !*next } else { *next }));
            *next += 1;
        }
        let mut met = limits::vec("nodes", self.left.len()).ok()?;
        met.resize(self.left.len(), false);
        for (at, (&left, &right)) in self.left.iter().zip(&self.right).enumerate().filter(|(_, (left, _))| **left != -1)
        {
            for child in [left, right] {
                let child = usize::try_from(child).ok().filter(|&child| child > at)?;
                if std::mem::replace(met.get_mut(child)?, true) {
                    return None;
                }
            }
        }
        // Every node has one parent, but for the root.
        (leaves == nodes + 1 && self.right.len() >= self.left.len()).then_some(children)
    }

    fn walk(&self, grown: &mut Grown<'_>) -> Result<()> {
        let mut met = limits::vec("nodes", self.left.len())?;
        met.resize(self.left.len(), false);
        let nowhere = Child::from_code(0);
        let mut waiting: Vec<(usize, Option<(usize, Side)>)> = vec![(0, None)];
        while let Some((at, parent)) = waiting.pop() {
            if std::mem::replace(&mut met[at], true) {
                return Err(Error::malformed(format!("node {at} has two parents or is its own ancestor")));
            }
            let own = if self.left[at] == -1 { grown.leaf(at)? } else { grown.node(at, nowhere, nowhere)? };
            match parent {
                Some((parent, Side::Left)) => grown.sapling.tree.nodes[parent].left = own,
                Some((parent, Side::Right)) => grown.sapling.tree.nodes[parent].right = own,
                None => {}
            }
            if let Place::Node(node) = own.place() {
                for side in [Side::Right, Side::Left] {
                    waiting.push((self.child(at, side)?, Some((node, side))));
                }
            }
        }
        Ok(())
    }
}

#[cold]
fn no_entry(name: &str, entries: usize, node: usize) -> Error {
    Error::malformed(format!("{name} has {entries} entries, but there is a node {node}"))
}

#[cold]
fn no_child(name: &str, node: usize, child: i32, nodes: usize) -> Error {
    Error::malformed(format!("{name} of node {node} is {child}, there are {nodes} nodes"))
}

/// A tree while its nodes are met.
struct Grown<'a> {
    columns: &'a Columns,
    /// Whether every node has a cover.
    covered: bool,
    sapling: Sapling,
}

impl<'a> Grown<'a> {
    fn new(columns: &'a Columns) -> Self {
        let width = match columns.leaves {
            Leaves::Scalar => 0,
            Leaves::PerNode { width, .. } | Leaves::PerLeaf { width, .. } => width,
        };
        // Half of the nodes of a file are leaves, but for those that pruning left behind.
        let count = columns.left.len().div_ceil(2);
        let tree = Tree {
            nodes: Vec::with_capacity(count),
            values: Vec::with_capacity(count),
            leaf_ids: Vec::with_capacity(count),
            cover: Vec::with_capacity(count),
            sets: Vec::new(),
            linear: Vec::new(),
            target: if width == 0 { Target::One(0) } else { Target::All },
        };
        let gains = columns.gain.as_ref().map(|_| Vec::with_capacity(count));
        let covered = columns.cover.len() == columns.left.len();
        Self { columns, covered, sapling: Sapling { tree, width, categories: Vec::new(), ends: Vec::new(), gains } }
    }

    #[inline]
    fn leaf(&mut self, at: usize) -> Result<Child> {
        let columns = self.columns;
        match &columns.leaves {
            Leaves::Scalar => {
                let value = Columns::entry(&columns.threshold, "split_conditions", at)?;
                self.sapling.tree.values.push(value.into());
            }
            Leaves::PerNode { width, values } => self.vector("base_weights", *width, values, (at, at))?,
            Leaves::PerLeaf { width, values } => {
                let row = Columns::entry(&columns.right, "right_children", at)?;
                let row = usize::try_from(row).map_err(|_| {
                    Error::malformed(format!(
                        "right_children of leaf {at} is {row}, its row in leaf_weights was expected"
                    ))
                })?;
                self.vector("leaf_weights", *width, values, (at, row))?;
            }
        }
        let tree = &mut self.sapling.tree;
        let leaf = Child::leaf(tree.leaf_ids.len())?;
        tree.leaf_ids.push(u32::try_from(at).map_err(|_| Error::limit("too many nodes"))?);
        if self.covered {
            tree.cover.push(columns.cover[at]);
        }
        Ok(leaf)
    }

    /// Takes over the values of a leaf, which are a row of `values`.
    fn vector(&mut self, name: &str, width: usize, values: &[f32], (leaf, row): (usize, usize)) -> Result<()> {
        let end = (row + 1).checked_mul(width).filter(|&end| end <= values.len()).ok_or_else(|| {
            Error::malformed(format!(
                "{name} has {} numbers, leaf {leaf} needs row {row} of width {width}",
                values.len()
            ))
        })?;
        self.sapling.tree.values.extend(values[end - width..end].iter().map(|&value| f64::from(value)));
        Ok(())
    }

    #[inline]
    fn node(&mut self, at: usize, left: Child, right: Child) -> Result<Child> {
        let columns = self.columns;
        let feature = Columns::entry(&columns.feature, "split_indices", at)?;
        let feature = u32::try_from(feature)
            .map_err(|_| Error::malformed(format!("split_indices of node {at} is {feature}, a column was expected")))?;
        let categorical = columns.categorical.get(at).is_some_and(|&kind| kind == 1);
        let test = if categorical {
            Test::Category { set: self.set(at)?, member: Side::Right }
        } else {
            Test::Threshold(f64::from(Columns::entry(&columns.threshold, "split_conditions", at)?))
        };
        let default_left = Columns::entry(&columns.default_left, "default_left", at)? == 1;
        if let (Some(gains), Some(column)) = (&mut self.sapling.gains, &columns.gain) {
            gains.push(Columns::entry(column, "loss_changes", at)?);
        }
        let own = Child::node(self.sapling.tree.nodes.len())?;
        let missing = Missing::Nan(Side::left_if(default_left));
        self.sapling.tree.nodes.push(Node { feature, test, missing, left, right });
        Ok(own)
    }

    /// Takes over the categories of a node; a node that is not listed has none, and all its rows go left.
    fn set(&mut self, at: usize) -> Result<u32> {
        let columns = self.columns;
        let listed = columns
            .category_nodes
            .binary_search_by(|&node| usize::try_from(node).map_or(Ordering::Less, |node| node.cmp(&at)));
        if let Ok(entry) = listed {
            let begin = Columns::entry(&columns.category_begins, "categories_segments", entry)?;
            let count = Columns::entry(&columns.category_counts, "categories_sizes", entry)?;
            let range = usize::try_from(begin).ok().zip(usize::try_from(count).ok());
            let listed = range.and_then(|(begin, count)| columns.categories.get(begin..begin.checked_add(count)?));
            let listed = listed.ok_or_else(|| {
                Error::malformed(format!(
                    "node {at} takes {count} categories from {begin} on, categories has {}",
                    columns.categories.len()
                ))
            })?;
            // Segments that overlap could make a small file large.
            limits::check(
                "categories of one tree",
                self.sapling.categories.len() + listed.len(),
                columns.categories.len(),
            )?;
            for &category in listed {
                let category = u32::try_from(category)
                    .map_err(|_| Error::malformed(format!("categories of node {at} hold {category}")))?;
                self.sapling.categories.push(category);
            }
        }
        let set = u32::try_from(self.sapling.ends.len()).map_err(|_| Error::limit("too many category sets"))?;
        self.sapling.ends.push(self.sapling.categories.len());
        Ok(set)
    }

    fn finish(mut self) -> Sapling {
        let tree = &mut self.sapling.tree;
        tree.nodes.shrink_to_fit();
        tree.values.shrink_to_fit();
        tree.leaf_ids.shrink_to_fit();
        tree.cover.shrink_to_fit();
        self.sapling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Node 0 splits; 1 and 2 are leaves; 3 was deleted.
    fn stump() -> Columns {
        Columns {
            left: vec![1, -1, -1, -1],
            right: vec![2, -1, -1, -1],
            feature: vec![4, 0, 0, i32::MAX],
            threshold: vec![0.5, 1.0, 2.0, 3.0],
            default_left: vec![1, 0, 0, 0],
            gain: Some(vec![7.0, 0.0, 0.0, 0.0]),
            cover: vec![9.0, 5.0, 4.0, 0.0],
            ..Columns::default()
        }
    }

    #[test]
    fn unreached_nodes_are_dropped_and_leaves_keep_their_numbers() {
        let sapling = stump().grow().unwrap();
        assert_eq!(sapling.features(), 5);
        let (mut splits, mut gains) = (vec![0.0; 5], vec![0.0; 5]);
        sapling.count(&mut splits, &mut gains);
        assert_eq!((splits[4], gains[4]), (1.0, 7.0));
        let tree = sapling.transplant(3, Some(0.1), &mut 0).unwrap();
        assert_eq!(tree.leaf_ids, [1, 2]);
        assert_eq!(tree.values, [f64::from(0.1_f32), f64::from(0.2_f32)]);
        assert_eq!(tree.cover, [5.0, 4.0]);
        assert_eq!(tree.target, Target::One(3));
    }

    /// The file's numbers of the leaves behind each way through two levels.
    fn ways(columns: Columns) -> [u32; 4] {
        let tree = columns.grow().unwrap().tree;
        std::array::from_fn(|way| {
            let mut place = tree.root().place();
            while let Place::Node(node) = place {
                let node = &tree.nodes[node];
                let right = way >> node.feature & 1 == 1;
                place = if right { node.right } else { node.left }.place();
            }
            let Place::Leaf(leaf) = place else { unreachable!() };
            assert_eq!(tree.values[leaf], f64::from(tree.leaf_ids[leaf]) + 0.5);
            assert_eq!(f64::from(tree.cover[leaf]), f64::from(tree.leaf_ids[leaf]));
            tree.leaf_ids[leaf]
        })
    }

    #[test]
    fn nodes_mean_the_same_in_any_order() {
        let columns = |left: &[i32], right: &[i32], feature: &[i32]| Columns {
            left: left.to_vec(),
            right: right.to_vec(),
            feature: feature.to_vec(),
            threshold: (0u8..5).map(|node| f32::from(node) + 0.5).collect(),
            default_left: vec![0; 5],
            cover: (0u8..5).map(f32::from).collect(),
            ..Columns::default()
        };
        // The left child splits again.
        let in_order = || columns(&[1, 3, -1, -1, -1], &[2, 4, -1, -1, -1], &[0, 1, 0, 0, 0]);
        assert!(in_order().children().is_some());
        assert_eq!(ways(in_order()), [3, 2, 4, 2]);
        // Node 1 was freed by pruning and used once more, below node 3.
        let reused = || columns(&[3, -1, -1, 1, -1], &[2, -1, -1, 4, -1], &[0, 0, 0, 1, 0]);
        assert!(reused().children().is_none());
        assert_eq!(ways(reused()), [1, 2, 4, 2]);
        // A ring that no row enters is left behind like whatever pruning left.
        let ring = || columns(&[2, 1, -1, -1, -1], &[3, 4, -1, -1, -1], &[0, 1, 0, 0, 0]);
        assert!(ring().children().is_none());
        assert_eq!(ways(ring()), [2, 3, 2, 3]);
        // A right child that nobody is left for, and one with two parents.
        for right in [5, 3] {
            let mut broken = in_order();
            broken.right[1] = right;
            assert!(broken.children().is_none() && broken.grow().is_err());
        }
    }

    #[test]
    fn broken_columns_are_named() {
        type Damage = fn(&mut Columns);
        let broken: [(Damage, &str); 8] = [
            (|tree| tree.left.clear(), "left_children is empty"),
            (|tree| tree.left[0] = 9, "left_children of node 0 is 9"),
            (|tree| tree.left[0] = -7, "left_children of node 0 is -7"),
            (|tree| tree.left[0] = 0, "node 0 has two parents"),
            (|tree| tree.right.clear(), "right_children has 0 entries"),
            (|tree| tree.feature[0] = -2, "split_indices of node 0 is -2"),
            (|tree| tree.threshold.truncate(2), "split_conditions has 2 entries"),
            (|tree| tree.default_left.clear(), "default_left has 0 entries"),
        ];
        for (damage, words) in broken {
            let mut tree = stump();
            damage(&mut tree);
            let message = tree.grow().unwrap_err().message().to_owned();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn categories_stay_within_their_means() {
        let mut tree = stump();
        tree.categorical = vec![1, 0, 0, 0];
        tree.category_nodes = vec![0];
        tree.category_begins = vec![1];
        tree.category_counts = vec![2];
        tree.categories = vec![5, 3, 40];
        let mut words = 2;
        let grown = tree.grow().unwrap().transplant(0, None, &mut words).unwrap();
        assert_eq!(words, 0);
        assert!(grown.sets[0].contains(3) && grown.sets[0].contains(40) && !grown.sets[0].contains(5));

        for (begin, count) in [(2, 2), (-1, 1), (0, -1), (i64::MAX, i64::MAX)] {
            let mut tree = stump();
            tree.categorical = vec![1, 0, 0, 0];
            tree.category_nodes = vec![0];
            tree.category_begins = vec![begin];
            tree.category_counts = vec![count];
            tree.categories = vec![5, 3, 40];
            assert!(tree.grow().unwrap_err().message().contains("categories has 3"));
        }
    }
}
