//! Trees: nodes, what they ask, and leaves.

use crate::error::{Error, Result};
use crate::limits;

/// One of the two children of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The child for rows that pass the test.
    Left,
    /// The child for rows that fail it.
    Right,
}

impl Side {
    /// `Left` when `left` holds.
    #[must_use]
    pub fn left_if(left: bool) -> Self {
        if left { Side::Left } else { Side::Right }
    }
}

/// A reference to a node or to a leaf of the same tree: a node's index, or the complement of a leaf's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child(i32);

/// What a [`Child`] refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The node of this index.
    Node(usize),
    /// The leaf of this index.
    Leaf(usize),
}

impl Child {
    /// A reference to a node.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` for an index that no tree may have.
    #[inline]
    pub fn node(index: usize) -> Result<Self> {
        limits::check("nodes", index, limits::NODES)?;
        i32::try_from(index).map(Child).map_err(|_| Error::limit("too many nodes"))
    }

    /// A reference to a leaf.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` for an index that no tree may have.
    #[inline]
    pub fn leaf(index: usize) -> Result<Self> {
        Self::node(index).map(|child| Child(!child.0))
    }

    /// `LightGBM`'s own encoding, which is ours: negative numbers are complements of leaf indices.
    #[must_use]
    pub fn from_code(code: i32) -> Self {
        Child(code)
    }

    /// What it refers to.
    #[inline]
    #[must_use]
    #[allow(clippy::cast_sign_loss)]
    pub fn place(self) -> Place {
        if self.0 >= 0 { Place::Node(self.0 as usize) } else { Place::Leaf(!self.0 as usize) }
    }
}

/// What a missing value does at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Missing {
    /// NaN is read as 0 and tested like any number (`LightGBM`, missing type None).
    AsZero,
    /// NaN goes to this side.
    Nan(Side),
    /// NaN and every number within [`ZERO_BAND`] of 0 go to this side (`LightGBM`, missing type Zero).
    ZeroOrNan(Side),
}

/// `LightGBM`'s zero: the float32 nearest to 1e-35.
pub const ZERO_BAND: f64 = 1e-35_f32 as f64;

/// The question a node asks of its feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// Compare with this threshold as [`Layout::compare`](super::Layout::compare) says; passing goes left.
    Threshold(f64),
    /// Is the category in the set `Tree::sets[set]`? Members go to `member`, all others to the other side.
    Category {
        /// Index into [`Tree::sets`].
        set: u32,
        /// Where members go.
        member: Side,
    },
}

/// An inner node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Column of the row.
    pub feature: u32,
    /// What is asked.
    pub test: Test,
    /// What NaN does.
    pub missing: Missing,
    /// Where rows go that pass.
    pub left: Child,
    /// Where rows go that fail.
    pub right: Child,
}

/// A set of categories as a bitset of 32-bit words: category `c` is bit `c % 32` of word `c / 32`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CategorySet(Vec<u32>);

impl CategorySet {
    /// A set from the words of a bitset.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` when it could hold categories past the cap.
    pub fn from_words(words: Vec<u32>) -> Result<Self> {
        limits::check("words of categories", words.len(), limits::CATEGORIES / 32)?;
        Ok(Self(words))
    }

    /// A set of these categories.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` when a category passes the cap.
    pub fn from_categories(categories: impl IntoIterator<Item = u32>) -> Result<Self> {
        let mut words = Vec::new();
        for category in categories {
            limits::check("categories", category as usize + 1, limits::CATEGORIES)?;
            let word = category as usize / 32;
            if words.len() <= word {
                words.resize(word + 1, 0u32);
            }
            words[word] |= 1 << (category % 32);
        }
        Ok(Self(words))
    }

    /// Whether the category is a member.
    #[inline]
    #[must_use]
    pub fn contains(&self, category: u32) -> bool {
        self.0.get(category as usize / 32).is_some_and(|word| word >> (category % 32) & 1 == 1)
    }

    /// The words of the bitset.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.0
    }
}

/// A linear function in a leaf: `constant + sum(coefficient * x[feature])`; a NaN among its features gives the leaf's plain value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinearLeaf {
    /// The constant.
    pub constant: f64,
    /// Column and coefficient, in the order of the sum.
    pub terms: Vec<(u32, f64)>,
}

/// Which margins the leaves of a tree add to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One value per leaf, added to this margin.
    One(u32),
    /// One value per leaf and margin, added to all of them.
    All,
}

/// One tree. Node 0 is the root; a tree without nodes is its leaf 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Inner nodes.
    pub nodes: Vec<Node>,
    /// Values of the leaves, of shape (leaves, width); the width is 1 or, for [`Target::All`], the number of margins.
    pub values: Vec<f64>,
    /// The number that the library reports for each leaf.
    pub leaf_ids: Vec<u32>,
    /// How many rows of training ended in each leaf, or what they weighed; empty where the file does not say. It decides where things
    /// lie in memory, never an answer.
    pub cover: Vec<f32>,
    /// Category sets that the nodes refer to.
    pub sets: Vec<CategorySet>,
    /// One linear function per leaf, or none at all.
    pub linear: Vec<LinearLeaf>,
    /// Where the values go.
    pub target: Target,
}

impl Tree {
    /// Number of leaves.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.leaf_ids.len()
    }

    /// Where every row starts.
    #[inline]
    #[must_use]
    pub fn root(&self) -> Child {
        if self.nodes.is_empty() { Child(!0) } else { Child(0) }
    }

    /// Checks the tree; `reached` is room that one tree after the other may use.
    pub(super) fn validate(&self, features: usize, outputs: usize, reached: &mut Vec<bool>) -> Result<()> {
        let leaves = self.leaves();
        limits::check("nodes", self.nodes.len(), limits::NODES)?;
        limits::check("leaves", leaves, limits::NODES)?;
        if leaves != self.nodes.len() + 1 {
            return Err(Error::malformed(format!(
                "{leaves} leaves for {} nodes; a binary tree has one leaf more than nodes",
                self.nodes.len()
            )));
        }
        if !self.cover.is_empty() && self.cover.len() != leaves {
            return Err(Error::malformed(format!("the cover of {} leaves, there are {leaves}", self.cover.len())));
        }
        let width = match self.target {
            Target::One(output) if output as usize >= outputs => {
                return Err(Error::malformed(format!("adds to margin {output} of {outputs}")));
            }
            Target::One(_) => 1,
            Target::All => outputs,
        };
        if leaves.checked_mul(width) != Some(self.values.len()) {
            return Err(Error::malformed(format!("{} values for {leaves} leaves of width {width}", self.values.len())));
        }
        self.validate_linear(features)?;
        self.validate_nodes(features, reached)
    }

    fn validate_linear(&self, features: usize) -> Result<()> {
        if self.linear.is_empty() {
            return Ok(());
        }
        if self.linear.len() != self.leaves() || self.target == Target::All {
            return Err(Error::malformed(format!("{} linear leaves for {} leaves", self.linear.len(), self.leaves())));
        }
        let widest = self.linear.iter().flat_map(|leaf| &leaf.terms).map(|term| term.0).max();
        if let Some(feature) = widest
            && feature as usize >= features
        {
            return Err(Error::malformed(format!("a linear leaf uses feature {feature} of {features}")));
        }
        Ok(())
    }

    /// Every child in range and every node and leaf reached exactly once. With one leaf more than nodes, all that may be left are rings
    /// that no row enters, and in a ring some child comes before its parent.
    fn validate_nodes(&self, features: usize, reached: &mut Vec<bool>) -> Result<()> {
        let count = self.nodes.len() + self.leaves();
        if reached.capacity() < count {
            *reached = limits::vec("nodes and leaves", count)?;
        }
        reached.clear();
        reached.resize(count, false);
        let (node_reached, leaf_reached) = reached.split_at_mut(self.nodes.len());
        if let Some(root) = node_reached.first_mut() {
            *root = true;
        } else {
            leaf_reached[0] = true;
        }
        let mut in_order = true;
        for (index, node) in self.nodes.iter().enumerate() {
            if node.feature as usize >= features {
                return Err(Error::malformed(format!("node {index} splits on feature {} of {features}", node.feature)));
            }
            if let Test::Category { set, .. } = node.test
                && set as usize >= self.sets.len()
            {
                return Err(Error::malformed(format!(
                    "node {index} asks for category set {set} of {}",
                    self.sets.len()
                )));
            }
            for child in [node.left, node.right] {
                let (reached, kind, place) = match child.place() {
                    Place::Node(place) => {
                        in_order &= place > index;
                        (node_reached.get_mut(place), "node", place)
                    }
                    Place::Leaf(place) => (leaf_reached.get_mut(place), "leaf", place),
                };
                match reached {
                    Some(reached) if !*reached => *reached = true,
                    Some(_) => {
                        return Err(Error::malformed(format!(
                            "{kind} {place} has two parents, the second is node {index}"
                        )));
                    }
                    None => {
                        return Err(Error::malformed(format!(
                            "node {index} has the child {kind} {place}, which does not exist"
                        )));
                    }
                }
            }
        }
        if in_order { Ok(()) } else { self.validate_acyclic() }
    }

    /// Each node has one parent; walking from the root must meet all of them, else some of them form a ring on their own.
    fn validate_acyclic(&self) -> Result<()> {
        if self.nodes.is_empty() {
            return Ok(());
        }
        let mut waiting = limits::vec("nodes", self.nodes.len())?;
        waiting.push(0);
        let mut met = 0;
        while let Some(index) = waiting.pop() {
            met += 1;
            let node: &Node = &self.nodes[index];
            for child in [node.left, node.right] {
                if let Place::Node(place) = child.place() {
                    waiting.push(place);
                }
            }
        }
        if met != self.nodes.len() {
            return Err(Error::malformed(format!(
                "only {met} of {} nodes are reached from the root",
                self.nodes.len()
            )));
        }
        Ok(())
    }
}
