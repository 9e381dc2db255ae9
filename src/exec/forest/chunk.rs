//! Trees cut into pieces of at most 63 nodes, and pieces packed into chunks of 64 slots.
//!
//! A kernel decides all nodes of a chunk at once and then follows the way from a piece's first node to one of the chunk's exits: a leaf,
//! or the first node of another piece of the same tree. A piece takes the nodes that most rows reach, so that most of them pass
//! through few pieces.

use super::lowered::Lowered;
use super::weight::Weight;
use crate::ir::forest::{Place, Tree};
use std::collections::{BinaryHeap, VecDeque};

/// Nodes of a chunk, and its exits.
pub const SLOTS: usize = 64;
/// Trees that may begin in one chunk.
pub const ROOTS: usize = 8;
/// Chunks in which room is looked for.
const OPEN: usize = 8;

/// Where a node leads: a slot of the chunk, or an exit of it plus [`SLOTS`].
pub type Next = u8;

/// A node in its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The node of the tree; `None` in a tree of one leaf: whatever is decided leads there.
    pub node: Option<usize>,
    /// Where it is from.
    pub tree: usize,
    /// Where rows go that pass.
    pub left: Next,
    /// Where rows go that fail.
    pub right: Next,
}

/// Where a way through a chunk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// At a leaf: its label, and the leaves of all trees before its own.
    Leaf(u32),
    /// At the first node of another piece: its chunk and slot.
    Piece(usize, usize),
}

/// Up to 64 nodes.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    /// The nodes.
    pub slots: Vec<Slot>,
    /// The exits.
    pub exits: Vec<Exit>,
    /// Trees that begin here, in slots 0, 1, and so on.
    pub roots: usize,
    /// Nodes on the longest way through it.
    pub depth: usize,
}

/// A forest in chunks.
#[derive(Debug, Default)]
pub struct Chunks {
    /// Those in which trees begin, in the order of the trees, and then the others.
    pub chunks: Vec<Chunk>,
    /// How many of them trees begin in.
    pub heads: usize,
}

/// A part of a tree that is connected.
struct Piece {
    /// Nodes, the first one on top.
    nodes: Vec<usize>,
    /// Levels.
    depth: usize,
}

impl Chunks {
    /// Cuts a forest up.
    pub fn new(lowered: &Lowered<'_>) -> Self {
        let mut chunks = Self::default();
        let mut tails = Self::default();
        for (index, tree) in lowered.forest.trees().iter().enumerate() {
            let (leaf, labels) = (lowered.leaves[index], lowered.labels(index));
            Cutter { tree, index, leaf, labels, weight: lowered.weight(index) }.cut(&mut chunks, &mut tails);
        }
        for chunk in &mut chunks.chunks {
            chunk.arrange_roots();
        }
        chunks.heads = chunks.chunks.len();
        chunks.chunks.append(&mut tails.chunks);
        for chunk in &mut chunks.chunks {
            for exit in &mut chunk.exits {
                if let Exit::Piece(chunk, _) = exit {
                    *chunk += chunks.heads;
                }
            }
        }
        chunks
    }
}

/// One tree on its way into chunks.
struct Cutter<'a> {
    tree: &'a Tree,
    /// The tree among all trees.
    index: usize,
    /// Its first leaf among all leaves.
    leaf: u32,
    /// Its leaves' labels.
    labels: &'a [u32],
    /// How often rows reach each node.
    weight: Weight<'a>,
}

impl Cutter<'_> {
    fn cut(&self, heads: &mut Chunks, tails: &mut Chunks) {
        let mut slot_of = vec![None; self.tree.nodes.len()];
        let mut waiting = VecDeque::new();
        let piece = self.grow(0);
        let whole = piece.nodes.len() == self.tree.nodes.len();
        let chunk = heads.room(piece.nodes.len().max(1), 1, |chunk| chunk.roots < ROOTS);
        heads.chunks[chunk].roots += 1;
        self.place(&piece, &mut heads.chunks[chunk], &mut slot_of, whole, |exit, node| {
            waiting.push_back((true, chunk, exit, node));
        });
        while let Some((head, from, exit, node)) = waiting.pop_front() {
            let piece = self.grow(node);
            let chunk = tails.room(piece.nodes.len(), OPEN, |_| true);
            let slot = tails.chunks[chunk].slots.len();
            self.place(&piece, &mut tails.chunks[chunk], &mut slot_of, false, |exit, node| {
                waiting.push_back((false, chunk, exit, node));
            });
            let chunks = if head { &mut heads.chunks } else { &mut tails.chunks };
            chunks[from].exits[exit] = Exit::Piece(chunk, slot);
        }
    }

    /// The piece that begins at a node.
    fn grow(&self, root: usize) -> Piece {
        let mut piece = Piece { nodes: Vec::with_capacity(SLOTS - 1), depth: 0 };
        let mut edge = BinaryHeap::new();
        if let Some(&weight) = self.weight.nodes.get(root) {
            edge.push((weight, std::cmp::Reverse(root), 1));
        }
        while piece.nodes.len() < SLOTS - 1
            && let Some((_, std::cmp::Reverse(node), depth)) = edge.pop()
        {
            piece.nodes.push(node);
            piece.depth = piece.depth.max(depth);
            for child in [self.tree.nodes[node].left, self.tree.nodes[node].right] {
                if let Place::Node(child) = child.place() {
                    edge.push((self.weight.nodes[child], std::cmp::Reverse(child), depth + 1));
                }
            }
        }
        piece
    }

    /// Puts a piece into a chunk that has room for it; `further` is told of each exit that leads to a node outside of the piece. The
    /// exits of a `whole` tree are in the order of its labels.
    fn place(
        &self,
        piece: &Piece,
        chunk: &mut Chunk,
        slot_of: &mut [Option<Next>],
        whole: bool,
        mut further: impl FnMut(usize, usize),
    ) {
        let (first_slot, first_exit) = (chunk.slots.len(), chunk.exits.len());
        chunk.depth = chunk.depth.max(piece.depth.max(1));
        if whole {
            let leaves = 0..super::narrow::<u32>(self.tree.leaves());
            chunk.exits.extend(leaves.map(|leaf| Exit::Leaf(self.leaf + leaf)));
        }
        for (slot, &node) in piece.nodes.iter().enumerate() {
            slot_of[node] = Some(super::narrow(first_slot + slot));
        }
        for &node in &piece.nodes {
            let next = [self.tree.nodes[node].left, self.tree.nodes[node].right].map(|child| {
                let exit = match child.place() {
                    Place::Node(child) => {
                        if let Some(slot) = slot_of[child] {
                            return slot;
                        }
                        further(chunk.exits.len(), child);
                        // Replaced when the place of the other piece is known.
                        chunk.exits.push(Exit::Piece(0, 0));
                        chunk.exits.len() - 1
                    }
                    Place::Leaf(leaf) if whole => first_exit + self.labels[leaf] as usize,
                    Place::Leaf(leaf) => {
                        chunk.exits.push(Exit::Leaf(self.leaf + self.labels[leaf]));
                        chunk.exits.len() - 1
                    }
                };
                super::narrow(SLOTS + exit)
            });
            chunk.slots.push(Slot { node: Some(node), tree: self.index, left: next[0], right: next[1] });
        }
        if piece.nodes.is_empty() {
            let exit = super::narrow(SLOTS + first_exit);
            chunk.slots.push(Slot { node: None, tree: self.index, left: exit, right: exit });
        }
    }
}

impl Chunks {
    /// A chunk among the last `open` ones with room for so many nodes that `may` take them, or a new one.
    fn room(&mut self, nodes: usize, open: usize, may: impl Fn(&Chunk) -> bool) -> usize {
        let count = self.chunks.len();
        let fits =
            |chunk: &Chunk| chunk.slots.len() + nodes <= SLOTS && chunk.exits.len() + nodes < SLOTS && may(chunk);
        (count.saturating_sub(open)..count).find(|&at| fits(&self.chunks[at])).unwrap_or_else(|| {
            self.chunks.push(Chunk::default());
            count
        })
    }
}

impl Chunk {
    /// Moves the first node of each of its trees to the front.
    fn arrange_roots(&mut self) {
        let first = |at: &usize| *at == 0 || self.slots[*at - 1].tree != self.slots[*at].tree;
        let (mut order, rest): (Vec<usize>, Vec<usize>) = (0..self.slots.len()).partition(|at| first(at));
        order.extend(rest);
        let mut place = [0; SLOTS];
        for (to, &from) in order.iter().enumerate() {
            place[from] = super::narrow(to);
        }
        let moved = |next: Next| place.get(usize::from(next)).copied().unwrap_or(next);
        let slots = order.iter().map(|&at| {
            let slot = self.slots[at];
            Slot { left: moved(slot.left), right: moved(slot.right), ..slot }
        });
        self.slots = slots.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::garden::{self, Plan, Random};
    use super::*;

    /// Follows the way of a row whose tests pass when `left` says so, through chunks and through the tree itself.
    fn check(plan: &Plan, random: &mut Random) {
        let forest = garden::forest(plan, random);
        let lowered = Lowered::new(&forest);
        let chunks = Chunks::new(&lowered);
        let (mut at, mut root) = (0, 0);
        for (index, tree) in forest.trees().iter().enumerate() {
            while root == chunks.chunks[at].roots {
                (at, root) = (at + 1, 0);
            }
            for _ in 0..50 {
                let left: Vec<bool> = tree.nodes.iter().map(|_| random.chance(50)).collect();
                let mut expected = tree.root().place();
                while let Place::Node(node) = expected {
                    let node = (&tree.nodes[node], left[node]);
                    expected = if node.1 { node.0.left } else { node.0.right }.place();
                }
                let (mut chunk, mut slot) = (at, root);
                let found = loop {
                    let node = chunks.chunks[chunk].slots[slot];
                    assert_eq!(node.tree, index);
                    let next = if node.node.is_none_or(|node| left[node]) { node.left } else { node.right };
                    match usize::from(next).checked_sub(SLOTS) {
                        None => slot = usize::from(next),
                        Some(exit) => match chunks.chunks[chunk].exits[exit] {
                            Exit::Leaf(leaf) => break leaf,
                            Exit::Piece(to, at) => (chunk, slot) = (to, at),
                        },
                    }
                };
                let Place::Leaf(leaf) = expected else { unreachable!() };
                assert_eq!(found, lowered.leaves[index] + lowered.labels(index)[leaf]);
            }
            root += 1;
        }
        assert!(chunks.chunks.iter().all(|chunk| chunk.slots.len() <= SLOTS && chunk.exits.len() <= SLOTS));
        assert!(chunks.chunks[..chunks.heads].iter().all(|chunk| (1..=ROOTS).contains(&chunk.roots)));
    }

    #[test]
    fn every_way_leads_to_its_leaf() {
        let mut random = Random(5);
        for nodes in [0, 1, 2, 30, 31, 62, 63, 64, 127, 254, 2000] {
            for (full, balanced) in [(false, false), (true, false), (true, true)] {
                check(&Plan { nodes, full, balanced, trees: 9, ..Plan::default() }, &mut random);
            }
        }
    }
}
