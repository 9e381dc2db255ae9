//! Trees of both shapes as trees of [`ir::forest`](crate::ir::forest).
//!
//! A symmetric tree asks one question per level, and the bits of the answers, the first level lowest, are the number of the leaf. It
//! becomes an ordinary binary tree whose nodes of one level ask the same.

use super::document::{Features, NanTreatment, Step};
use super::importance::Effect;
use super::number::Double;
use crate::error::{Error, Result, Within};
use crate::ir::forest::{CategorySet, Child, Missing, Node, Side, Target, Test, Tree};
use crate::limits;
use hashbrown::HashMap;

/// One question: a border, or a category.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Split {
    Above { column: u32, border: f32, missing: Side },
    Member { column: u32, member: u32 },
}

/// A run of questions about one column.
#[derive(Debug)]
enum Run<'a> {
    Borders { column: u32, borders: &'a [f32], missing: Side },
    Members { column: u32 },
}

/// The questions that trees refer to by number: the borders of all columns of numbers, then the tested categories, then the borders
/// of all statistics.
#[derive(Debug)]
pub struct Splits<'a> {
    starts: Vec<usize>,
    runs: Vec<Run<'a>>,
    count: usize,
}

/// Where NaN goes: above all borders only when the column had NaN in training and treats them so.
pub fn missing_side(has_nans: bool, nan: NanTreatment) -> Side {
    if has_nans && nan == NanTreatment::AsTrue { Side::Right } else { Side::Left }
}

fn check_borders(borders: &[f32]) -> Result<()> {
    if borders.iter().any(|border| border.is_nan()) {
        return Err(Error::malformed("a border is NaN"));
    }
    Ok(())
}

impl<'a> Splits<'a> {
    /// The questions of these features; `columns` are the columns of the one-hot features, and statistics begin at `statistics`.
    pub fn new(features: &'a Features, one_hot_columns: &[u32], statistics: usize) -> Result<Self> {
        let count = features.floats.len() + features.one_hots.len() + features.ctrs.len();
        let mut splits =
            Self { starts: limits::vec("features", count)?, runs: limits::vec("features", count)?, count: 0 };
        for feature in &features.floats {
            check_borders(&feature.borders).within(|| format!("column {}", feature.position.flat))?;
            let column = u32::try_from(feature.position.flat).unwrap_or(u32::MAX);
            let missing = missing_side(feature.has_nans, feature.nan);
            splits.push(Run::Borders { column, borders: &feature.borders, missing }, feature.borders.len());
        }
        for (feature, &column) in features.one_hots.iter().zip(one_hot_columns) {
            splits.push(Run::Members { column }, feature.values.len());
        }
        for (index, ctr) in features.ctrs.iter().enumerate() {
            check_borders(&ctr.borders).within(|| format!("ctr {index}"))?;
            let column = u32::try_from(statistics + index).map_err(|_| Error::limit("too many columns"))?;
            splits.push(Run::Borders { column, borders: &ctr.borders, missing: Side::Left }, ctr.borders.len());
        }
        Ok(splits)
    }

    fn push(&mut self, run: Run<'a>, count: usize) {
        if count > 0 {
            self.starts.push(self.count);
            self.runs.push(run);
            self.count += count;
        }
    }

    fn get(&self, index: usize) -> Result<Split> {
        if index >= self.count {
            return Err(Error::malformed(format!("split {index} of {} does not exist", self.count)));
        }
        let place = self.starts.partition_point(|&start| start <= index) - 1;
        let offset = index - self.starts[place];
        Ok(match self.runs[place] {
            Run::Borders { column, borders, missing } => Split::Above { column, border: borders[offset], missing },
            Run::Members { column } => {
                let member = u32::try_from(offset).map_err(|_| Error::limit("too many categories"))?;
                Split::Member { column, member }
            }
        })
    }
}

/// Which margin each of the file's values adds to, when the model has more classes than the file has values for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// Margins of the model.
    pub outputs: usize,
    /// The margin of each value.
    pub places: Vec<usize>,
}

/// Makes trees, and keeps account of their memory.
#[derive(Debug)]
pub struct Grower<'a> {
    splits: Splits<'a>,
    dimension: usize,
    spread: Option<Spread>,
    left: usize,
    /// The importance of columns, when it is asked for.
    effect: Option<Effect>,
    /// Weights of a tree's leaves, to work with.
    weights: Vec<f64>,
}

/// A number as a file has it.
pub trait Number: Copy {
    /// The number.
    fn number(self) -> f64;
}

impl Number for f64 {
    fn number(self) -> f64 {
        self
    }
}

impl Number for Double {
    fn number(self) -> f64 {
        self.0
    }
}

impl Number for [u8; 8] {
    fn number(self) -> f64 {
        f64::from_le_bytes(self)
    }
}

/// What the leaves of trees hold.
#[derive(Clone, Copy)]
pub struct Leaves<'a, V, W> {
    /// Values by their place.
    pub values: &'a [V],
    /// Weights of training rows by the number of the leaf; fewer where some leaves have none.
    pub weights: &'a [W],
}

impl<V: Number, W: Number> Leaves<'_, V, W> {
    /// The weights of these leaves; `None` where some of them have none.
    fn weights(&self, leaves: impl Iterator<Item = usize>, to: &mut Vec<f64>) -> Option<()> {
        to.clear();
        for leaf in leaves {
            to.push(self.weights.get(leaf)?.number());
        }
        Some(())
    }
}

/// Bytes that trees may take besides eight times the file: a small file of many tiny trees is honest.
const ALLOWANCE: usize = 32 << 20;
/// Bytes of a tree besides itself, its nodes and leaves: what an allocator adds.
const TREE_BYTES: usize = 64;

impl<'a> Grower<'a> {
    /// A grower of trees with `dimension` values per leaf, for a file of `length` bytes.
    pub fn new(
        splits: Splits<'a>,
        dimension: usize,
        spread: Option<Spread>,
        length: usize,
        effect: Option<Effect>,
    ) -> Self {
        Self {
            splits,
            dimension,
            spread,
            left: length.saturating_mul(8).saturating_add(ALLOWANCE),
            effect,
            weights: Vec::new(),
        }
    }

    /// The importance of columns, as far as trees were grown.
    pub fn effect(self) -> Option<Effect> {
        self.effect
    }

    /// Margins of the model.
    pub fn outputs(&self) -> usize {
        self.spread.as_ref().map_or(self.dimension, |spread| spread.outputs)
    }

    fn spend(&mut self, bytes: Option<usize>) -> Result<()> {
        self.left = bytes
            .and_then(|bytes| self.left.checked_sub(bytes))
            .ok_or_else(|| Error::limit("the trees take more memory than a file of this size can honestly describe"))?;
        Ok(())
    }

    /// Room for this many trees.
    pub fn room(&mut self, trees: usize) -> Result<Vec<Tree>> {
        self.spend(trees.checked_mul(size_of::<Tree>()))?;
        limits::vec("trees", trees)
    }

    fn spend_tree(&mut self, leaves: usize) -> Result<()> {
        let leaf = size_of::<Node>() + size_of::<u32>() + size_of::<f64>() * self.outputs();
        self.spend(leaves.checked_mul(leaf).and_then(|bytes| bytes.checked_add(TREE_BYTES)))
    }

    /// The values of the leaf that begins at `start`, one per margin.
    fn push_values<V: Number>(&self, start: usize, held: &[V], values: &mut Vec<f64>) -> Result<()> {
        let first = values.len();
        values.resize(first + self.outputs(), 0.0);
        let own = held.get(start..).unwrap_or_default();
        for offset in 0..self.dimension {
            let place = self.spread.as_ref().map_or(offset, |spread| spread.places[offset]);
            values[first + place] = own.get(offset).map(|value| value.number()).ok_or_else(|| {
                Error::malformed(format!(
                    "leaf value {start} + {offset} does not exist; the file is damaged or cut off, copy it again"
                ))
            })?;
        }
        Ok(())
    }

    fn target(&self) -> Target {
        if self.outputs() == 1 { Target::One(0) } else { Target::All }
    }

    /// A symmetric tree of so many levels, whose leaves begin at value `start`; `question` gives the question of a level.
    pub fn symmetric<V: Number, W: Number>(
        &mut self,
        levels: usize,
        question: impl Fn(usize) -> Result<usize>,
        start: usize,
        held: Leaves<'_, V, W>,
    ) -> Result<Tree> {
        limits::check("levels of a symmetric tree", levels, limits::LEVELS)?;
        let leaves = 1usize << levels;
        self.spend_tree(leaves)?;
        let mut sets = Sets::default();
        let mut nodes = limits::vec("nodes", leaves - 1)?;
        for level in 0..levels {
            let (feature, test, missing) = sets.test(self, question(level)?)?;
            // A node is known by the answers that lead to it, the first one lowest, as the leaves are.
            let answers = (0..1 << level).map(|path: i32| [path, path | 1 << level]);
            let node = |[left, right]: [Child; 2]| Node { feature, test, missing, left, right };
            if level + 1 == levels {
                nodes.extend(answers.map(|paths| node(paths.map(|path| Child::from_code(!path)))));
            } else {
                nodes.extend(answers.map(|paths| node(paths.map(|path| Child::from_code((2 << level) - 1 + path)))));
            }
        }
        let mut values = limits::vec("leaf values", leaves * self.outputs())?;
        let own = held.values.get(start..).and_then(|values| values.get(..leaves * self.dimension));
        match own {
            Some(own) if self.spread.is_none() => values.extend(own.iter().map(|value| value.number())),
            _ => {
                for leaf in 0..leaves {
                    self.push_values(start + leaf * self.dimension, held.values, &mut values)?;
                }
            }
        }
        let mut leaf_ids = limits::vec("leaves", leaves)?;
        leaf_ids.extend(0..1u32 << levels);
        let tree = Tree {
            nodes,
            values,
            leaf_ids,
            cover: Vec::new(),
            sets: sets.list,
            linear: Vec::new(),
            target: self.target(),
        };
        if let Some(effect) = &mut self.effect {
            let first = start / self.dimension;
            let weighted = held.weights(first..first + leaves, &mut self.weights);
            effect.symmetric(&tree, weighted.map(|()| self.weights.as_slice()));
        }
        Ok(tree)
    }

    /// A tree of any shape with at most `size` nodes and leaves, from its root on.
    pub fn any<V: Number, W: Number>(
        &mut self,
        root: usize,
        size: usize,
        step: &dyn Fn(usize) -> Result<Step>,
        held: Leaves<'_, V, W>,
    ) -> Result<Tree> {
        let mut sets = Sets::default();
        let mut nodes: Vec<Node> = Vec::new();
        let mut starts = Vec::new();
        let mut waiting = vec![(root, None)];
        let mut met = 0;
        while let Some((place, parent)) = waiting.pop() {
            met += 1;
            if met > size {
                return Err(Error::malformed(format!(
                    "it has more than the {size} nodes that its size says, or a ring"
                )));
            }
            let child = match step(place)? {
                Step::Split(question, left, right) => {
                    let (feature, test, missing) = sets.test(self, question)?;
                    let index = nodes.len();
                    let own = Child::node(index)?;
                    nodes.push(Node { feature, test, missing, left: own, right: own });
                    waiting.push((right, Some((index, Side::Right))));
                    waiting.push((left, Some((index, Side::Left))));
                    own
                }
                Step::Leaf(start) => {
                    starts.push(start);
                    Child::leaf(starts.len() - 1)?
                }
            };
            match parent {
                Some((index, Side::Left)) => nodes[index].left = child,
                Some((index, Side::Right)) => nodes[index].right = child,
                None => {}
            }
        }
        self.spend_tree(starts.len())?;
        let first = starts.iter().min().copied().unwrap_or(0);
        let mut values = limits::vec("leaf values", starts.len() * self.outputs())?;
        let mut leaf_ids = limits::vec("leaves", starts.len())?;
        let weighted = held.weights(starts.iter().map(|start| start / self.dimension), &mut self.weights);
        let covered = weighted.map_or(0, |()| starts.len());
        self.spend(covered.checked_mul(size_of::<f32>()))?;
        let mut cover = limits::vec("leaves", covered)?;
        #[allow(clippy::cast_possible_truncation)] // it decides no answer
        cover.extend(self.weights[..covered].iter().map(|&weight| weight as f32));
        for start in starts {
            self.push_values(start, held.values, &mut values)?;
            let id = u32::try_from((start - first) / self.dimension);
            leaf_ids.push(id.map_err(|_| Error::limit("too many leaves"))?);
        }
        nodes.shrink_to_fit();
        let tree = Tree { nodes, values, leaf_ids, cover, sets: sets.list, linear: Vec::new(), target: self.target() };
        if let Some(effect) = &mut self.effect {
            effect.any(&tree, weighted.map(|()| self.weights.as_slice()));
        }
        Ok(tree)
    }
}

/// The category sets of one tree, each category once.
#[derive(Debug, Default)]
struct Sets {
    list: Vec<CategorySet>,
    places: HashMap<u32, u32>,
}

impl Sets {
    /// What a node asks for the question of this number.
    fn test(&mut self, grower: &mut Grower<'_>, question: usize) -> Result<(u32, Test, Missing)> {
        Ok(match grower.splits.get(question)? {
            Split::Above { column, border, missing } => {
                (column, Test::Threshold(f64::from(border)), Missing::Nan(missing))
            }
            Split::Member { column, member } => {
                let set = if let Some(&set) = self.places.get(&member) {
                    set
                } else {
                    grower.spend(Some(size_of::<CategorySet>() + 64 + member as usize / 8))?;
                    let set = u32::try_from(self.list.len()).map_err(|_| Error::limit("too many categories"))?;
                    self.list.push(CategorySet::from_categories([member])?);
                    self.places.insert(member, set);
                    set
                };
                (column, Test::Category { set, member: Side::Right }, Missing::Nan(Side::Left))
            }
        })
    }
}
