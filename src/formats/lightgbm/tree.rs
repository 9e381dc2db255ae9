//! One tree: from its section of the text to nodes, leaves, category sets and linear leaves.
//!
//! Source: `LightGBM` `src/io/tree.cpp` (`Tree::ToString` and the constructor from a string), `tree.h` (`Decision`).

use super::legacy::{self, Writer};
use super::text::{Field, Section};
use crate::error::{Error, Result};
use crate::ir::forest::{CategorySet, Child, LinearLeaf, Missing, Node, Side, Target, Test, Tree};
use crate::limits;

/// The keys of a tree that decide a prediction, an importance or where things lie in memory.
pub(super) const KEYS: &[&str] = &[
    "num_leaves",
    "num_cat",
    "split_feature",
    "split_gain",
    "threshold",
    "decision_type",
    "default_value",
    "leaf_parent",
    "left_child",
    "right_child",
    "leaf_value",
    "leaf_count",
    "cat_boundaries",
    "cat_threshold",
    "is_linear",
    "leaf_const",
    "num_features",
    "leaf_features",
    "leaf_coeff",
];

// Bits of decision_type.
const CATEGORICAL: i32 = 1;
const DEFAULT_LEFT: i32 = 2;
const MISSING_SHIFT: u32 = 2;
const DECISION_TYPES: std::ops::Range<i32> = 0..16;

/// A tree and the gain of each of its splits.
pub(super) struct Parsed {
    pub(super) tree: Tree,
    pub(super) gains: Vec<f64>,
}

/// The tree of a section, whose leaves add to the margin `output`.
///
/// # Errors
/// `MI_MALFORMED`, `MI_UNSUPPORTED` or `MI_LIMIT_EXCEEDED`, naming line and key.
pub(super) fn parse(section: &Section<'_>, output: u32, features: usize, writer: Writer) -> Result<Parsed> {
    let leaves = section.need("num_leaves")?;
    let count = leaves.count()?;
    limits::check("leaves", count, limits::NODES)?;
    // Versions that stop at a root without a split have written 0 as well as 1.
    let count = count.max(1);
    let values = section.need("leaf_value")?.floats(count)?;
    let (nodes, sets) = if count > 1 { nodes(section, count - 1, features, writer)? } else { (Vec::new(), Vec::new()) };
    let gains = match section.get("split_gain") {
        None => Vec::new(),
        Some(_) if count == 1 => Vec::new(),
        Some(gains) if writer == Writer::Versioned => gains.rough_singles(count - 1)?,
        Some(gains) => gains.floats(count - 1)?,
    };
    let mut leaf_ids = limits::vec("leaves", count)?;
    leaf_ids.extend((0..count).filter_map(|leaf| u32::try_from(leaf).ok()));
    let cover = section.get("leaf_count").and_then(|rows| rows.rows(count)).unwrap_or_default();
    let linear = linear_leaves(section, count)?;
    Ok(Parsed { tree: Tree { nodes, values, leaf_ids, cover, sets, linear, target: Target::One(output) }, gains })
}

fn nodes(
    section: &Section<'_>,
    count: usize,
    features: usize,
    writer: Writer,
) -> Result<(Vec<Node>, Vec<CategorySet>)> {
    let column_field = section.need("split_feature")?;
    let columns = column_field.integers::<u32>(count)?;
    let thresholds = section.need("threshold")?.floats(count)?;
    let left = section.need("left_child")?.integers::<i32>(count)?;
    let right = section.need("right_child")?.integers::<i32>(count)?;
    let decisions = match section.get("decision_type") {
        Some(decisions) => decisions.integers::<i32>(count)?,
        None => vec![0; count],
    };
    let mut tests = Tests::new(section, count, writer)?;
    let mut nodes = limits::vec("nodes", count)?;
    for index in 0..count {
        let feature = columns[index];
        if feature as usize >= features {
            return Err(column_field.malformed(format!("split {index} is on feature {feature} of {features}")));
        }
        let (test, missing) = tests.test(index, decisions[index], thresholds[index])?;
        let (left, right) = (Child::from_code(left[index]), Child::from_code(right[index]));
        nodes.push(Node { feature, test, missing, left, right });
    }
    Ok((nodes, tests.sets))
}

/// The questions of the nodes, in the dialect of the file's version.
struct Tests {
    writer: Writer,
    sets: Vec<CategorySet>,
    /// Whether the tree has any category; the library does not look at the bit of a node otherwise.
    categorical: bool,
    /// What 0 counts as at each node (up to 2.0.4).
    defaults: Option<Vec<f64>>,
}

impl Tests {
    fn new(section: &Section<'_>, nodes: usize, writer: Writer) -> Result<Self> {
        let Some(field) = section.get("num_cat") else {
            if writer == Writer::Versioned {
                section.need("num_cat")?;
            }
            let defaults = section.get("default_value").map(|field| field.floats(nodes)).transpose()?;
            return Ok(Self { writer: Writer::OneCategory, sets: Vec::new(), categorical: true, defaults });
        };
        let sets = field.count()?;
        if sets > nodes {
            return Err(field.malformed(format!("{sets} category sets for {nodes} splits; each belongs to one split")));
        }
        let sets = if sets == 0 { Vec::new() } else { category_sets(section, sets)? };
        Ok(Self { writer, categorical: !sets.is_empty(), sets, defaults: None })
    }

    fn test(&mut self, index: usize, decision: i32, threshold: f64) -> Result<(Test, Missing)> {
        if !DECISION_TYPES.contains(&decision) {
            return Err(Error::unsupported(format!("decision_type {decision} of split {index} is not known")));
        }
        let categorical = self.categorical && decision & CATEGORICAL != 0;
        if self.writer == Writer::OneCategory {
            let default = self.defaults.as_ref().map(|defaults| defaults[index]);
            return if categorical {
                let (set, missing) = legacy::category(index, threshold, default)?;
                Ok((self.add(set, Side::Left)?, missing))
            } else {
                Ok(legacy::threshold(threshold, default))
            };
        }
        if categorical {
            return Ok((
                Test::Category { set: self.set(index, threshold)?, member: Side::Left },
                Missing::Nan(Side::Right),
            ));
        }
        let side = Side::left_if(decision & DEFAULT_LEFT != 0);
        let missing = match decision >> MISSING_SHIFT {
            0 => Missing::AsZero,
            1 => Missing::ZeroOrNan(side),
            2 => Missing::Nan(side),
            _ => {
                return Err(Error::malformed(format!("decision_type {decision} of split {index} has no missing type")));
            }
        };
        let threshold = match self.writer {
            Writer::Unversioned => legacy::widen(threshold, missing, legacy::ZERO_SINGLE),
            _ => threshold,
        };
        Ok((Test::Threshold(threshold), missing))
    }

    fn add(&mut self, set: CategorySet, member: Side) -> Result<Test> {
        let index = u32::try_from(self.sets.len()).map_err(|_| Error::limit("too many category sets"))?;
        self.sets.push(set);
        Ok(Test::Category { set: index, member })
    }

    /// The threshold of a categorical split is the index of its set.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn set(&self, index: usize, threshold: f64) -> Result<u32> {
        if threshold >= 0.0 && threshold < f64::from(u32::MAX) && (threshold as usize) < self.sets.len() {
            return Ok(threshold as u32);
        }
        Err(Error::malformed(format!(
            "threshold {threshold} of split {index} is no index of {} category sets",
            self.sets.len()
        )))
    }
}

fn category_sets(section: &Section<'_>, count: usize) -> Result<Vec<CategorySet>> {
    let field = section.need("cat_boundaries")?;
    let boundaries = field.integers::<usize>(count + 1)?;
    let words = section.need("cat_threshold")?.integers::<u32>(boundaries[count])?;
    let mut sets = limits::vec("category sets", count)?;
    for pair in boundaries.windows(2) {
        let Some(set) = words.get(pair[0]..pair[1]) else {
            return Err(field.malformed(format!("{} follows {}; boundaries only grow", pair[1], pair[0])));
        };
        let mut own = limits::vec("words of categories", set.len())?;
        own.extend_from_slice(set);
        sets.push(CategorySet::from_words(own)?);
    }
    Ok(sets)
}

/// The linear functions in the leaves, none for a tree without them.
fn linear_leaves(section: &Section<'_>, leaves: usize) -> Result<Vec<LinearLeaf>> {
    match section.get("is_linear") {
        Some(field) if field.count()? != 0 => {}
        _ => return Ok(Vec::new()),
    }
    let constants = section.need("leaf_const")?.floats(leaves)?;
    let count_field = section.need("num_features")?;
    let counts = count_field.integers::<usize>(leaves)?;
    let total = counts.iter().try_fold(0usize, |sum, &count| sum.checked_add(count));
    let total = total.ok_or_else(|| count_field.malformed("the numbers add up to more than a machine can hold"))?;
    let columns = optional(section.get("leaf_features"), total, |field| field.integers::<u32>(total))?;
    let coefficients = optional(section.get("leaf_coeff"), total, |field| field.floats(total))?;
    let mut terms = columns.into_iter().zip(coefficients);
    let mut linear = limits::vec("linear leaves", leaves)?;
    for (constant, count) in constants.into_iter().zip(counts) {
        let mut own = limits::vec("coefficients", count)?;
        own.extend(terms.by_ref().take(count));
        linear.push(LinearLeaf { constant, terms: own });
    }
    Ok(linear)
}

/// The numbers of a field that must be there when there are any.
fn optional<T>(field: Option<Field<'_>>, total: usize, read: impl Fn(&Field<'_>) -> Result<Vec<T>>) -> Result<Vec<T>> {
    match field {
        Some(field) => read(&field),
        None if total == 0 => Ok(Vec::new()),
        None => Err(Error::malformed(format!("has {total} linear coefficients, but no leaf_features or leaf_coeff"))),
    }
}
