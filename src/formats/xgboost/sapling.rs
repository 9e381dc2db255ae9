//! Trees that are read but not yet part of a forest: their margin, their weight and the room for their sets are known later.

use crate::error::{Error, Result};
use crate::ir::forest::{CategorySet, Child, Place, Target, Tree};

/// One tree, complete but for its margin and its category sets, which are not spread out to bits yet.
#[derive(Debug)]
pub(super) struct Sapling {
    /// The tree.
    pub tree: Tree,
    /// Values per leaf; 0: one, added to the margin of the tree's group.
    pub width: usize,
    /// Categories of all sets, one after the other.
    pub categories: Vec<u32>,
    /// Where each set ends in `categories`.
    pub ends: Vec<usize>,
    /// Gains of the nodes of `tree`.
    pub gains: Option<Vec<f32>>,
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

    /// The nodes in the order node, right subtree, left subtree. Parents stand before their children, so that the sizes of subtrees tell.
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
