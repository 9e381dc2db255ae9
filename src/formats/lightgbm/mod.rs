//! `LightGBM`'s own text, from 2.0 to 4.7.
//!
//! A header of `key=value` lines, one section per tree, `end of trees` (from 2.2), the importances, the parameters of the training
//! (from 2.1.2) and the categories of a pandas frame. Only header, trees and categories decide what the model is; the sizes that
//! the file states (`tree_sizes`) are checked and never used to find anything.
//!
//! Sources: `LightGBM` `src/boosting/gbdt_model_text.cpp`, `gbdt_prediction.cpp`, at the tags v2.0 to v4.6.0.

mod frame;
mod legacy;
mod objective;
mod tail;
mod text;
mod tree;

use super::ReadOptions;
use crate::error::{Error, Result, Within};
use crate::ir::forest::{CategoryRule, Compare, Finish, Layout, Missing, Node, Tree, rounds};
use crate::ir::{Body, Classes, Decision, Forest, Importance, Link, Model, Precision, Source, Task};
use crate::limits;
use legacy::Writer;
use objective::{Era, objective};
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;
use tail::Tail;
use text::{Line, Lines, Section, rough_float, shorten};

/// The keys of the header that are read.
const HEADER: &[&str] = &[
    "version",
    "num_class",
    "num_tree_per_iteration",
    "max_feature_idx",
    "objective",
    "sigmoid",
    "boost_from_average",
    "average_output",
    "feature_names",
    "feature_infos",
    "monotone_constraints",
    "tree_sizes",
];

/// Reads a model.
///
/// # Errors
/// `MI_MALFORMED` naming the tree, the line and the key at fault; `MI_UNSUPPORTED` for an objective or a version that is not known;
/// `MI_LIMIT_EXCEEDED` for sizes past the caps; `MI_INVALID_ARGUMENT` for a range of iterations without any.
pub(super) fn read(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    let mut lines = Lines::new(bytes);
    let header = Header::read(&mut lines).within(|| "header")?;
    let trees = Trees::read(&mut lines, &header)?;
    let tail = Tail::read(lines)?;
    header.model(trees, tail, options)
}

/// The lines before the first tree.
struct Header<'a> {
    section: Section<'a>,
    version: Option<u32>,
    features: usize,
    per_iteration: usize,
}

impl<'a> Header<'a> {
    fn read(lines: &mut Lines<'a>) -> Result<Self> {
        let mut section = Section::new(HEADER);
        while let Some(line) = lines.next_if(|line| !is_tree(line) && !is_end(line)) {
            section.insert(line);
        }
        let classes = section.need("num_class")?.count()?;
        let per_iteration = match section.get("num_tree_per_iteration") {
            Some(field) => field.count()?,
            None => classes,
        };
        if per_iteration == 0 || per_iteration != classes {
            return Err(Error::malformed(format!(
                "num_class={classes} does not fit {per_iteration} trees per iteration"
            )));
        }
        limits::check("trees per iteration", per_iteration, limits::OUTPUTS)?;
        let last = section.need("max_feature_idx")?;
        let features = last.count()?.checked_add(1).ok_or_else(|| last.malformed("the number is too large"))?;
        limits::check("features", features, limits::FEATURES)?;
        let version = section.get("version").map(|field| version(&field.text())).transpose()?;
        Ok(Self { section, version, features, per_iteration })
    }

    fn writer(&self) -> Writer {
        if self.version.is_some() { Writer::Versioned } else { Writer::Unversioned }
    }

    /// One entry per feature, of `feature_names` or `feature_infos`.
    fn per_feature(&self, key: &str) -> Result<Option<Vec<String>>> {
        let Some(field) = self.section.get(key) else { return Ok(None) };
        let words = field.words(limits::FEATURES)?;
        if words.len() != self.features {
            return Err(field.malformed(format!("{} entries for {} features", words.len(), self.features)));
        }
        Ok(Some(words))
    }

    fn era(&self, trees: &Trees, tail: &Tail) -> Era {
        Era {
            before_exp: self.version.is_none() && trees.leaf_parents,
            before_log1p: self.version == Some(3)
                && !tail.parameters.is_empty()
                && !tail.parameters.contains_key("precise_float_parser"),
            header_sigmoid: self.section.get("sigmoid").map(|field| rough_float(&field.text()).unwrap_or(-1.0)),
        }
    }

    fn model(self, mut trees: Trees, mut tail: Tail, options: &ReadOptions) -> Result<Model> {
        let line = self.section.get("objective").map(|field| field.text());
        let (mut link, task) =
            objective(line.as_deref().unwrap_or_default(), self.per_iteration, self.era(&trees, &tail))?;
        let available = trees.all.len() / self.per_iteration;
        let (used, range) = self.range(available, options)?;
        let importance = trees.importance(self.features);
        let averages = self.section.has("average_output");
        if averages && self.version.unwrap_or(0) <= 2 && link != Link::Identity && trees.averages_values(link) {
            link = Link::Identity;
            tail.warnings.push(
                "a random forest of a LightGBM before 2.2.3 by the look of its leaves: they are averaged and are the values, no \
                 link follows"
                    .to_owned(),
            );
        }
        if self.version.is_none() && trees.treat_zero_as_missing() {
            tail.warnings.push(
                "LightGBM before 2.0.12 took numbers up to 1e-15 for 0; where 0 is missing, this reader takes those up to 1e-35"
                    .to_owned(),
            );
        }
        trees.all.truncate(range.end);
        trees.all.drain(..range.start);
        let layout = Layout {
            features: self.features,
            input: Precision::F64,
            snap_zero: true,
            compare: Compare::LessEqual,
            category: CategoryRule::Truncate,
            accepts_nan: true,
            sum: Precision::F64,
            base: vec![0.0; self.per_iteration],
            finish: Finish::Sum,
            trees_per_round: self.per_iteration,
        };
        let average = averages.then(|| f64::from(u32::try_from(used.len()).unwrap_or(u32::MAX)));
        let forest = Forest::new(layout, trees.all)?;
        let texts = match &tail.pandas_categorical {
            Some(lists) => frame::texts(lists, &tail.parameters, self.features, &mut tail.warnings)?,
            None => None,
        };
        let mut details = self.details(&used, available, &mut tail)?;
        if task == Task::Distribution
            && let Some(alpha) = quantile(&details)
        {
            details.insert("quantiles".to_owned(), json!([alpha]));
        }
        Model {
            body: Body::Forest(forest),
            average,
            link,
            precision: Precision::F64,
            task,
            classes: Classes::Index,
            decision: Decision::default(),
            feature_names: self.per_feature("feature_names")?,
            texts: texts.map(Arc::new),
            importance,
            source: Source {
                library: "lightgbm",
                version: self.section.get("version").map(|field| field.text().into_owned()),
                format: "lightgbm text",
                objective: line.map(std::borrow::Cow::into_owned),
                warnings: tail.warnings,
                details,
            },
        }
        .validated()
    }

    /// The rounds that are used and their trees.
    ///
    /// Up to 2.0.6 a tree of the average may stand before the first round and belongs to it.
    fn range(&self, available: usize, options: &ReadOptions) -> Result<(Range<usize>, Range<usize>)> {
        let extra = usize::from(self.section.has("boost_from_average") && self.per_iteration == 1 && available > 0);
        let whole = 0..available - extra;
        let used = rounds(options.iteration_begin, options.iteration_end, whole.end, whole)?;
        let begin = if used.start == 0 { 0 } else { used.start + extra };
        let range = begin * self.per_iteration..(used.end + extra) * self.per_iteration;
        Ok((used, range))
    }

    fn details(
        &self,
        used: &Range<usize>,
        available: usize,
        tail: &mut Tail,
    ) -> Result<serde_json::Map<String, Value>> {
        let mut details = serde_json::Map::new();
        details.insert("iterations".to_owned(), json!({"used": [used.start, used.end], "of": available}));
        if self.section.has("average_output") {
            details.insert("average_output".to_owned(), Value::Bool(true));
        }
        if let Some(infos) = self.per_feature("feature_infos")? {
            details.insert("feature_infos".to_owned(), infos.into());
        }
        if let Some(field) = self.section.get("monotone_constraints") {
            details.insert("monotone_constraints".to_owned(), field.integers::<i8>(self.features)?.into());
        }
        if !tail.parameters.is_empty() {
            details.insert("parameters".to_owned(), Value::Object(std::mem::take(&mut tail.parameters)));
        }
        if let Some(categories) = tail.pandas_categorical.take() {
            details.insert("pandas_categorical".to_owned(), categories);
        }
        Ok(details)
    }
}

/// The quantile that the model was trained for: files since 2.2 say it among the parameters.
fn quantile(details: &serde_json::Map<String, Value>) -> Option<f64> {
    details.get("parameters")?.get("alpha")?.as_str()?.parse().ok()
}

/// The number of a version such as `v4`.
fn version(text: &str) -> Result<u32> {
    const NEWEST: u32 = 4;
    match text.strip_prefix('v').and_then(|number| number.parse().ok()) {
        Some(number) if number <= NEWEST => Ok(number),
        _ => Err(Error::unsupported(format!(
            "version={} is not known; versions up to v{NEWEST} are read",
            shorten(text)
        ))),
    }
}

fn is_tree(line: Line<'_>) -> bool {
    line.text.starts_with(b"Tree=")
}

/// Whether the line says that no tree follows: 2.2 and later write the first form, earlier ones go on with the importances.
fn is_end(line: Line<'_>) -> bool {
    [&b"end of trees"[..], b"feature importances:", b"feature_importances:"].contains(&line.text)
}

/// The trees of a file and the gains of their splits.
struct Trees {
    all: Vec<Tree>,
    gains: Vec<Vec<f64>>,
    /// Whether they list the parents of their leaves, as the versions up to 2.0.6 do.
    leaf_parents: bool,
}

impl Trees {
    fn read(lines: &mut Lines<'_>, header: &Header<'_>) -> Result<Self> {
        let mut read = Self { all: Vec::new(), gains: Vec::new(), leaf_parents: false };
        let mut section = Section::new(tree::KEYS);
        loop {
            let Some(line) = lines.next() else {
                return Err(Error::malformed(format!(
                    "the file ends after {} trees without 'end of trees'; it was cut off, copy it again",
                    read.all.len()
                )));
            };
            if line.text.is_empty() {
                continue;
            }
            if is_end(line) {
                break;
            }
            let index = read.all.len();
            if !is_tree(line) {
                let found = String::from_utf8_lossy(line.text);
                return Err(line.malformed(format!("'{}' stands where tree {index} should begin", shorten(&found))));
            }
            limits::check("trees", index + 1, limits::TREES)?;
            section.clear();
            while let Some(line) = lines.next_if(|line| !line.text.is_empty() && !is_tree(line) && !is_end(line)) {
                section.insert(line);
            }
            read.add(&section, header).within(|| format!("tree {index}"))?;
        }
        read.check_count(header)?;
        Ok(read)
    }

    fn add(&mut self, section: &Section<'_>, header: &Header<'_>) -> Result<()> {
        let output = u32::try_from(self.all.len() % header.per_iteration).unwrap_or_default();
        let parsed = tree::parse(section, output, header.features, header.writer())?;
        self.leaf_parents |= section.has("leaf_parent");
        self.all.push(parsed.tree);
        self.gains.push(parsed.gains);
        Ok(())
    }

    fn check_count(&self, header: &Header<'_>) -> Result<()> {
        let found = self.all.len();
        if let Some(sizes) = header.section.get("tree_sizes") {
            let stated = sizes.words(limits::TREES)?.len();
            if stated != found {
                return Err(sizes.malformed(format!("sizes of {stated} trees, {found} are there")));
            }
        }
        if found.is_multiple_of(header.per_iteration) {
            return Ok(());
        }
        Err(Error::malformed(format!("{found} trees do not make whole iterations of {}", header.per_iteration)))
    }

    /// Splits and gains of every feature, over all trees: only splits with a gain above 0 count. Gains add up in float64; they are
    /// float32 themselves from 2.0.12 on.
    ///
    /// Source: `GBDT::FeatureImportance`.
    fn importance(&self, features: usize) -> Importance {
        let mut split = vec![0.0; features];
        let mut total = vec![0.0; features];
        let splits = self.all.iter().zip(&self.gains).flat_map(|(tree, gains)| tree.nodes.iter().zip(gains));
        for (Node { feature, .. }, &gain) in splits {
            if gain > 0.0 {
                split[*feature as usize] += 1.0;
                total[*feature as usize] += gain;
            }
        }
        Importance { split: Some(split), gain: Some(total), coefficient: None }
    }

    fn treat_zero_as_missing(&self) -> bool {
        let mut nodes = self.all.iter().flat_map(|tree| &tree.nodes);
        nodes.any(|node| matches!(node.missing, Missing::ZeroOrNan(_)))
    }

    /// Whether the leaves of a random forest can be values rather than margins.
    ///
    /// Before 2.2.3 they were, from then on they are margins, and both say `version=v2`. Probabilities lie in [0, 1] and means of
    /// counts are not negative, where margins of the same objectives lie on both sides of 0.
    fn averages_values(&self, link: Link) -> bool {
        let highest = match link {
            Link::Sigmoid { .. } | Link::Softmax => 1.0,
            _ => f64::INFINITY,
        };
        self.all.iter().flat_map(|tree| &tree.values).all(|value| (0.0..=highest).contains(value))
    }
}

#[cfg(test)]
mod tests;
