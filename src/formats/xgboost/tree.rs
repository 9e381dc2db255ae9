//! Trees as columns of numbers, the way both the documents and the binary format give them, and what they mean.
//!
//! Nodes are met by walking from the root: what pruning left behind in the file is never reached and is not kept. The numbers of
//! the leaves stay those of the file.

use crate::error::{Error, Result};
use crate::ir::forest::{CategorySet, Child, Missing, Node, Place, Side, Target, Test, Tree};
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

/// One tree, complete but for its margin and its category sets, which are not spread out to bits yet.
#[derive(Debug)]
pub(super) struct Sapling {
    tree: Tree,
    /// Values per leaf; 0: one, added to the margin of the tree's group.
    pub width: usize,
    /// Categories of all sets, one after the other.
    categories: Vec<u32>,
    /// Where each set ends in `categories`.
    ends: Vec<usize>,
    /// Gains of the nodes of `tree`.
    gains: Option<Vec<f32>>,
}

/// A reference from a node to a child that has not been met yet.
struct Waiting {
    file_node: usize,
    parent: Option<(usize, Side)>,
}

impl Columns {
    fn entry<T: Copy>(column: &[T], name: &str, node: usize) -> Result<T> {
        column
            .get(node)
            .copied()
            .ok_or_else(|| Error::malformed(format!("{name} has {} entries, but there is a node {node}", column.len())))
    }

    fn child(&self, node: usize, side: Side) -> Result<usize> {
        let (column, name) = match side {
            Side::Left => (&self.left, "left_children"),
            Side::Right => (&self.right, "right_children"),
        };
        let child = Self::entry(column, name, node)?;
        usize::try_from(child).ok().filter(|&child| child < self.left.len()).ok_or_else(|| {
            Error::malformed(format!("{name} of node {node} is {child}, there are {} nodes", self.left.len()))
        })
    }

    /// Walks the tree.
    ///
    /// # Errors
    /// `MI_MALFORMED` naming the column and the node at fault, `MI_LIMIT_EXCEEDED` past the caps.
    pub fn grow(self) -> Result<Sapling> {
        let count = self.left.len();
        limits::check("nodes", count, limits::NODES)?;
        if count == 0 {
            return Err(Error::malformed("left_children is empty; even a tree without splits has one node"));
        }
        let mut met = limits::vec("nodes", count)?;
        met.resize(count, false);
        let mut grown = Grown::new(&self);
        let mut waiting = vec![Waiting { file_node: 0, parent: None }];
        while let Some(next) = waiting.pop() {
            if std::mem::replace(&mut met[next.file_node], true) {
                return Err(Error::malformed(format!(
                    "node {} has two parents or is its own ancestor",
                    next.file_node
                )));
            }
            if self.left[next.file_node] == -1 {
                grown.leaf(&next)?;
                continue;
            }
            let node = grown.node(&next)?;
            for side in [Side::Right, Side::Left] {
                let file_node = self.child(next.file_node, side)?;
                waiting.push(Waiting { file_node, parent: Some((node, side)) });
            }
        }
        Ok(grown.finish())
    }
}

/// A tree while it is walked.
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

    fn attach(&mut self, parent: Option<(usize, Side)>, child: Child) {
        if let Some((parent, side)) = parent {
            let parent = &mut self.sapling.tree.nodes[parent];
            match side {
                Side::Left => parent.left = child,
                Side::Right => parent.right = child,
            }
        }
    }

    fn leaf(&mut self, place: &Waiting) -> Result<()> {
        let (columns, at) = (self.columns, place.file_node);
        let (name, width, values, row) = match &columns.leaves {
            Leaves::Scalar => ("split_conditions", 1, &columns.threshold, at),
            Leaves::PerNode { width, values } => ("base_weights", *width, values, at),
            Leaves::PerLeaf { width, values } => {
                let row = Columns::entry(&columns.right, "right_children", at)?;
                let row = usize::try_from(row).map_err(|_| {
                    Error::malformed(format!(
                        "right_children of leaf {at} is {row}, its row in leaf_weights was expected"
                    ))
                })?;
                ("leaf_weights", *width, values, row)
            }
        };
        let end = (row + 1).checked_mul(width).filter(|&end| end <= values.len()).ok_or_else(|| {
            Error::malformed(format!("{name} has {} numbers, leaf {at} needs row {row} of width {width}", values.len()))
        })?;
        let tree = &mut self.sapling.tree;
        tree.values.extend(values[end - width..end].iter().map(|&value| f64::from(value)));
        let leaf = Child::leaf(tree.leaf_ids.len())?;
        tree.leaf_ids.push(u32::try_from(at).map_err(|_| Error::limit("too many nodes"))?);
        if self.covered {
            tree.cover.push(columns.cover[at]);
        }
        self.attach(place.parent, leaf);
        Ok(())
    }

    fn node(&mut self, place: &Waiting) -> Result<usize> {
        let (columns, at) = (self.columns, place.file_node);
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
        let index = self.sapling.tree.nodes.len();
        self.attach(place.parent, Child::node(index)?);
        let nowhere = Child::from_code(0);
        let missing = Missing::Nan(Side::left_if(default_left));
        self.sapling.tree.nodes.push(Node { feature, test, missing, left: nowhere, right: nowhere });
        Ok(index)
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

impl Sapling {
    /// Columns that the splits need: one more than the largest feature.
    pub fn features(&self) -> usize {
        self.tree.nodes.iter().map(|node| node.feature as usize + 1).max().unwrap_or(0)
    }

    /// Adds the splits and gains of this tree, in the order in which the library adds them: node, right subtree, left subtree.
    pub fn count(&self, splits: &mut [f64], gains: &mut [f32]) {
        for index in self.right_first() {
            let feature = self.tree.nodes[index].feature as usize;
            if let (Some(splits), Some(sum)) = (splits.get_mut(feature), gains.get_mut(feature)) {
                *splits += 1.0;
                if let Some(gains) = &self.gains {
                    *sum += gains[index];
                }
            }
        }
    }

    /// The nodes in the order node, right subtree, left subtree. They stand in preorder, so that the sizes of subtrees tell.
    fn right_first(&self) -> Vec<usize> {
        let nodes = &self.tree.nodes;
        let node = |child: Child| match child.place() {
            Place::Node(node) => node,
            Place::Leaf(_) => nodes.len(),
        };
        // One more for leaves, of which nothing is known.
        let mut sizes = vec![0; nodes.len() + 1];
        for (index, of) in nodes.iter().enumerate().rev() {
            sizes[index] = 1 + sizes[node(of.left)] + sizes[node(of.right)];
        }
        let mut places = vec![0; nodes.len() + 1];
        let mut order = vec![0; nodes.len()];
        for (index, of) in nodes.iter().enumerate() {
            let place = places[index];
            order[place] = index;
            places[node(of.right)] = place + 1;
            places[node(of.left)] = place + 1 + sizes[node(of.right)];
        }
        order
    }

    /// Whether the file has gains for this tree.
    pub fn has_gains(&self) -> bool {
        self.gains.is_some()
    }

    /// The tree for this margin, its values multiplied by `weight` in float32, as the library does row by row.
    ///
    /// `words` is the number of 32-bit words that the category sets of the whole forest may still take.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` when the category sets take more.
    #[allow(clippy::cast_possible_truncation)]
    pub fn transplant(self, group: u32, weight: Option<f32>, words: &mut usize) -> Result<Tree> {
        let mut tree = self.tree;
        if self.width == 0 {
            tree.target = Target::One(group);
        }
        if let Some(weight) = weight {
            for value in &mut tree.values {
                *value = f64::from(*value as f32 * weight);
            }
        }
        let mut begin = 0;
        for end in self.ends {
            let members = &self.categories[begin..end];
            let needed = members.iter().max().map_or(0, |&largest| largest as usize / 32 + 1);
            *words = words.checked_sub(needed).ok_or_else(|| {
                Error::limit("the category sets of the trees take more memory than a file of this size may ask for")
            })?;
            tree.sets.push(CategorySet::from_categories(members.iter().copied())?);
            begin = end;
        }
        Ok(tree)
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
            (|tree| tree.threshold.truncate(2), "split_conditions has 2 numbers"),
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
