//! The deprecated binary format, little-endian: the structures of the library as they lay in memory, 0.4 to 3.0.
//!
//! Sources: `XGBoost` 0.4 `src/learner/learner-inl.hpp`, `src/gbm/gbtree-inl.hpp`, `src/tree/model.h`; 0.90 and 1.7 `src/learner.cc`,
//! `src/gbm/gbtree.cc`, `src/gbm/gblinear_model.h`, `include/xgboost/tree_model.h`.

use super::document::ObjectiveObject;
use super::envelope;
use super::learner::{Base, Booster, Learner, Release, TreeBooster};
use super::sapling::Sapling;
use super::tree::Columns;
use crate::error::{Error, Result, Within};
use crate::limits;

/// Bytes of `LearnerModelParam`.
const LEARNER: usize = 136;
/// Bytes of `GBTreeModelParam`.
const BOOSTER: usize = 160;
/// Bytes of `GBLinearModelParam`.
const LINEAR: usize = 136;
/// Bytes of `TreeParam`.
const TREE: usize = 148;
/// Bytes of a node: parent, left, right, feature and default side, threshold or value.
const NODE: usize = 20;
/// Bytes of the statistics of a node: gain, hessian, weight, leaf children.
const STATISTICS: usize = 16;
/// The longest name of an objective or a booster.
const NAME: u64 = 64;

/// Whether these bytes are a model in the binary format. They have no magic number, so everything that is known must fit.
pub(in crate::formats) fn is_binary(bytes: &[u8]) -> bool {
    begins(&envelope::open(bytes)) || envelope::after_class_count(bytes).is_some_and(begins)
}

fn begins(bytes: &[u8]) -> bool {
    Cursor { bytes, at: 0 }.head().is_ok_and(|head| head.plausible())
}

/// Reads a model.
///
/// # Errors
/// `MI_MALFORMED` naming the part that is cut off or impossible, `MI_LIMIT_EXCEEDED` past the caps, `MI_UNSUPPORTED` for several roots.
pub(super) fn learner(bytes: &[u8]) -> Result<Learner> {
    let mut opened = envelope::open(bytes);
    if let Some(model) = envelope::after_class_count(bytes).filter(|model| begins(model)) {
        opened = model.into();
    }
    let mut cursor = Cursor { bytes: &opened, at: 0 };
    let head = cursor.head()?;
    let (booster, groups, buffer) = match head.booster.as_str() {
        "gbtree" | "dart" => cursor.trees(&head)?,
        "gblinear" => {
            let (weights, groups) = cursor.linear()?;
            (Booster::Linear(weights), groups, 0)
        }
        name => return Err(Error::unsupported(format!("the booster is '{name}'; gbtree, dart and gblinear are read"))),
    };
    let mut attributes = match (head.extra, buffer) {
        (false, _) => Vec::new(),
        // Until 0.4 the flag announced the cache of predictions, not attributes.
        (true, 0) => cursor.attributes(head.release)?,
        (true, buffer) => cursor.take(buffer, "the cache of predictions").map(|_| Vec::new())?,
    };
    let objective = attributes.iter().find(|(key, _)| key == "objective");
    let objective: Option<ObjectiveObject> = objective.and_then(|(_, text)| serde_json::from_str(text).ok());
    let alpha = objective.and_then(|objective| objective.quantiles).and_then(|parameters| parameters.alpha);
    // Bookkeeping of the library itself.
    attributes.retain(|(key, _)| {
        !matches!(key.as_str(), "objective" | "metrics" | "count_poisson_max_delta_step")
            && !key.starts_with("SAVED_PARAM_")
    });
    let known = head.release >= Release(1, 0);
    let groups = if known { 1 } else { groups };
    Ok(Learner {
        format: "xgboost binary",
        bytes: opened.len(),
        version: known.then(|| format!("{}.{}", head.release.0, head.release.1)),
        release: head.release,
        objective: head.objective,
        booster_name: head.booster,
        features: head.features as usize,
        outputs: (head.classes as usize).max(head.targets as usize).max(groups).max(1),
        base: if known { Base::Value(vec![head.base]) } else { Base::Margin(head.base) },
        attributes,
        feature_names: Vec::new(),
        feature_types: Vec::new(),
        alpha: alpha.map(|alpha| alpha.0),
        booster,
        warnings: Vec::new(),
    })
}

/// `LearnerModelParam` and the names that follow it.
struct Head {
    base: f32,
    features: u32,
    classes: u32,
    extra: bool,
    release: Release,
    targets: u32,
    objective: String,
    booster: String,
    /// Whether all flags are flags and all reserved bytes are 0.
    regular: bool,
}

impl Head {
    fn plausible(&self) -> bool {
        let name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        self.regular
            && self.base.is_finite()
            && self.features as usize <= limits::FEATURES
            && self.classes as usize <= limits::OUTPUTS
            && self.targets as usize <= limits::OUTPUTS
            && self.release < Release(10, 0)
            && name(&self.objective)
            && ["gbtree", "gblinear", "dart"].contains(&self.booster.as_str())
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8]> {
        if count > self.left() {
            return Err(Error::malformed(format!(
                "{what} takes {count} bytes from byte {} on, {} are left; the file is cut off, copy it again",
                self.at,
                self.left()
            )));
        }
        let taken = &self.bytes[self.at..][..count];
        self.at += count;
        Ok(taken)
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        self.take(8, what).map(|bytes| u64::from_le_bytes(std::array::from_fn(|index| bytes[index])))
    }

    /// So many items of so many bytes each.
    fn items(&mut self, count: u64, width: usize, what: &str) -> Result<&'a [u8]> {
        let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(width));
        self.take(bytes.unwrap_or(usize::MAX), what)
    }

    fn floats(&mut self, what: &str) -> Result<Vec<f32>> {
        let count = self.u64(what)?;
        let bytes = self.items(count, 4, what)?;
        Ok(bytes.chunks_exact(4).map(|bytes| f32_at(bytes, 0)).collect())
    }

    fn string(&mut self, length: u64, what: &str) -> Result<String> {
        let bytes = self.items(length, 1, what)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Error::malformed(format!("{what} is not UTF-8")))
    }

    fn head(&mut self) -> Result<Head> {
        let parameters = self.take(LEARNER, "the learner's parameters")?;
        let word = |index| u32_at(parameters, index);
        let flags = [3, 4, 8].into_iter().all(|index| word(index) <= 1);
        let regular = flags && parameters[36..].iter().all(|&byte| byte == 0);
        let name = |length: u64, what: &str| {
            if length > NAME {
                return Err(Error::malformed(format!("{what} takes {length} bytes")));
            }
            Ok(length)
        };
        let mut length = self.u64("the name of the objective")?;
        if length >= u64::from(u32::MAX) {
            // Written by a 32-bit library: four bytes of padding, then the length.
            self.take(4, "the name of the objective")?;
            length >>= 32;
        }
        let objective = self.string(name(length, "the name of the objective")?, "the name of the objective")?;
        let length = self.u64("the name of the booster")?;
        let booster = self.string(name(length, "the name of the booster")?, "the name of the booster")?;
        Ok(Head {
            base: f32_at(parameters, 0),
            features: word(1),
            classes: word(2),
            extra: word(3) != 0,
            release: Release(word(5), word(6)),
            targets: word(7),
            objective,
            booster,
            regular,
        })
    }

    /// A tree booster, its margins per row (before 1.0), and the bytes of the cache of predictions after it (until 0.4).
    fn trees(&mut self, head: &Head) -> Result<(Booster, usize, usize)> {
        let parameters = self.take(BOOSTER, "the booster's parameters")?;
        let word = |index: usize| u32_at(parameters, index);
        let count = word(0) as usize;
        limits::check("trees", count, limits::TREES)?;
        if count.saturating_mul(TREE + NODE + STATISTICS) > self.left() {
            return Err(Error::malformed(format!(
                "{count} trees do not fit the {} bytes that are left; the file is cut off, copy it again",
                self.left()
            )));
        }
        let mut trees = limits::vec("trees", count)?;
        for index in 0..count {
            trees.push(self.tree(head.release).within(|| format!("tree {index}"))?);
        }
        let groups = self.items(count as u64, 4, "tree_info")?;
        let groups = groups.chunks_exact(4).map(|bytes| u32_at(bytes, 0).cast_signed()).collect();
        let weights = if head.booster == "dart" && count != 0 { self.floats("weight_drop")? } else { Vec::new() };
        let parallel = if head.release >= Release(1, 0) { word(1) as usize } else { 0 };
        let margins = word(6) as usize;
        let buffer = u64::from(word(4)) | u64::from(word(5)) << 32;
        let buffer = usize::try_from(buffer).unwrap_or(usize::MAX);
        let buffer = [margins, word(7) as usize + 1, 8].into_iter().try_fold(buffer, usize::checked_mul);
        let booster = TreeBooster {
            trees,
            groups,
            weights,
            parallel: (parallel > 1).then_some(parallel),
            ..TreeBooster::default()
        };
        let buffer = if head.release < Release(1, 0) { buffer.unwrap_or(usize::MAX) } else { 0 };
        Ok((Booster::Trees(booster), margins, buffer))
    }

    fn tree(&mut self, release: Release) -> Result<Sapling> {
        let parameters = self.take(TREE, "tree_param")?;
        let word = |index: usize| u32_at(parameters, index);
        if word(0) > 1 {
            return Err(Error::unsupported(format!("the tree has {} roots; trees with one root are read", word(0))));
        }
        let nodes = self.items(u64::from(word(1)), NODE, "nodes")?;
        let statistics = self.items(u64::from(word(1)), STATISTICS, "statistics")?;
        if release < Release(1, 0) && word(5) != 0 {
            // Vectors were written, but no release used them.
            self.floats("leaf_vector")?;
        }
        let nodes = nodes.chunks_exact(NODE);
        let statistic = |index| statistics.chunks_exact(STATISTICS).map(move |bytes| f32_at(bytes, index)).collect();
        let signed = |node: &[u8], index| u32_at(node, index).cast_signed();
        let columns = Columns {
            left: nodes.clone().map(|node| signed(node, 1)).collect(),
            right: nodes.clone().map(|node| signed(node, 2)).collect(),
            feature: nodes.clone().map(|node| signed(node, 3) & i32::MAX).collect(),
            threshold: nodes.clone().map(|node| f32_at(node, 4)).collect(),
            default_left: nodes.map(|node| u8::from(signed(node, 3) < 0)).collect(),
            gain: Some(statistic(0)),
            cover: statistic(1),
            ..Columns::default()
        };
        columns.grow()
    }

    /// A linear booster and its margins per row.
    fn linear(&mut self) -> Result<(Vec<f32>, usize)> {
        let parameters = self.take(LINEAR, "the booster's parameters")?;
        Ok((self.floats("weights")?, u32_at(parameters, 1) as usize))
    }

    fn attributes(&mut self, release: Release) -> Result<Vec<(String, String)>> {
        if self.left() == 0 && release < Release(1, 0) {
            // A linear booster of 0.4 sets the flag and has nothing to follow.
            return Ok(Vec::new());
        }
        let count = self.u64("attributes")?;
        limits::check("attributes", usize::try_from(count).unwrap_or(usize::MAX), limits::ATTRIBUTES)?;
        let mut attributes = Vec::new();
        for _ in 0..count {
            let length = self.u64("the key of an attribute")?;
            let key = self.string(length, "the key of an attribute")?;
            let length = self.u64("the value of an attribute")?;
            attributes.push((key, self.string(length, "the value of an attribute")?));
        }
        Ok(attributes)
    }
}

/// The 32-bit word of this index.
fn u32_at(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|byte| bytes[index * 4 + byte]))
}

fn f32_at(bytes: &[u8], index: usize) -> f32 {
    f32::from_bits(u32_at(bytes, index))
}
