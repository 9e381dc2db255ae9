//! `CatBoost`: the binary format and JSON.
//!
//! Both say the same in other words. A number is compared in float32, `x > border` goes right; NaN in a column that had none in training
//! is below all borders, whatever `nan_mode` was, as in the library's own predictions. The leaf values are added up in float64 in the
//! order of the trees, from zero; `sum * scale + bias` ends it, and the bias is left out when the first tree is.

mod cbm;
mod document;
mod importance;
mod info;
mod json;
mod json_tables;
mod meaning;
mod number;
mod statistics;
mod trees;

pub use cbm::MAGIC;
pub use json::KEYS;

use super::ReadOptions;
use crate::error::{Error, Result};
use crate::ir::derived::CategoryColumn;
use crate::ir::forest::{CategoryRule, Compare, Finish, Layout, Tree, rounds};
use crate::ir::text::{Numbers, TextColumn, Unknown};
use crate::ir::{Body, Derived, Forest, Model, Precision, Source, Task, TextColumns};
use crate::limits;
use document::{CtrTable, Features, ScaleBias};
use importance::Effect;
use info::Info;
use meaning::Meaning;
use serde_json::Map;
use statistics::Columns;
use std::ops::Range;
use std::sync::Arc;
use trees::{Grower, Splits, Spread};

/// Reads a binary model.
///
/// # Errors
/// `MI_MALFORMED`, `MI_LIMIT_EXCEEDED`, or `MI_UNSUPPORTED` for text and embedding features.
pub fn read_binary(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    let file = cbm::File::new(bytes)?;
    let (model, tables) = file.read()?;
    let plan = Plan {
        features: &model.features,
        dimension: model.dimension,
        scale_bias: &model.scale_bias,
        info: &model.info,
        length: bytes.len(),
        format: "catboost binary",
        warnings: Vec::new(),
    };
    plan.build(options, model.trees()?, tables, |grower, range| model.grow(grower, range))
}

/// Reads a JSON model.
///
/// # Errors
/// Those of [`read_binary`].
pub fn read_json(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    let mut model = json::read(bytes)?;
    let trees = model.trees()?;
    let (features, tables) = (std::mem::take(&mut model.features), std::mem::take(&mut model.tables));
    let (info, scale_bias) = (std::mem::take(&mut model.info), model.scale_bias.clone());
    let plan = Plan {
        features: &features,
        dimension: model.dimension,
        scale_bias: &scale_bias,
        info: &info,
        length: bytes.len(),
        format: "catboost json",
        warnings: std::mem::take(&mut model.warnings),
    };
    plan.build(options, trees, tables, |grower, range| model.grow(grower, &range))
}

/// Everything but the trees.
struct Plan<'a> {
    features: &'a Features,
    dimension: usize,
    scale_bias: &'a ScaleBias,
    info: &'a Info,
    length: usize,
    format: &'static str,
    warnings: Vec<String>,
}

impl Plan<'_> {
    fn build(
        self,
        options: &ReadOptions,
        trees: usize,
        tables: Vec<CtrTable>,
        grow: impl FnOnce(&mut Grower<'_>, Range<usize>) -> Result<Vec<Tree>>,
    ) -> Result<Model> {
        if self.dimension == 0 {
            return Err(Error::malformed("the leaves have no values"));
        }
        limits::check("values per leaf", self.dimension, limits::OUTPUTS)?;
        let range = rounds(options.iteration_begin, options.iteration_end, trees, 0..trees)?;
        let meaning = self.info.meaning(self.dimension)?;
        limits::check("outputs", meaning.outputs, limits::OUTPUTS)?;
        let columns = Columns::new(self.features)?;
        let stage =
            if columns.has_categories() { Some(Arc::new(columns.derive(self.features, tables)?)) } else { None };
        let width = stage.as_ref().map_or(columns.count, |stage| stage.width());
        let splits = Splits::new(self.features, &columns.one_hots(self.features)?, columns.count)?;
        let spread = meaning.spread.clone().map(|places| Spread { outputs: meaning.outputs, places });
        // The library's importance is that of all trees.
        let counted = range.len() == trees && width <= limits::IMPORTANCE_FEATURES;
        let effect = counted.then(|| Effect::new(width)).transpose()?;
        let texts = stage.as_ref().map(|stage| texts(stage)).transpose()?;
        let mut grower = Grower::new(splits, self.dimension, spread, self.length, effect);
        let layout = self.layout(width, &meaning, range.start)?;
        let forest = Forest::new(layout, grow(&mut grower, range)?)?;
        let importance = grower.effect().map(|effect| effect.importance(&columns, self.features)).unwrap_or_default();
        let body = match stage {
            Some(stage) => Body::Derived { stage, forest },
            None => Body::Forest(forest),
        };
        let mut details = Map::new();
        if meaning.task == Task::Multilabel {
            details.insert("classes".to_owned(), (0..meaning.outputs).collect());
        }
        if let Some(quantiles) = meaning.quantiles {
            details.insert("quantiles".to_owned(), quantiles.into());
        }
        Model {
            body,
            average: None,
            link: meaning.link,
            precision: Precision::F64,
            task: meaning.task,
            classes: meaning.classes,
            decision: meaning.decision,
            feature_names: columns.names(self.features),
            texts: texts.map(Arc::new),
            importance,
            source: Source {
                library: "catboost",
                version: meaning.version,
                format: self.format,
                objective: meaning.objective,
                warnings: self.warnings.into_iter().chain(meaning.warnings).collect(),
                details,
            },
        }
        .validated()
    }

    fn layout(&self, features: usize, meaning: &Meaning, first_tree: usize) -> Result<Layout> {
        let ScaleBias { scale, bias } = self.scale_bias;
        if !scale.is_finite() || bias.iter().any(|bias| !bias.is_finite()) {
            return Err(Error::malformed("scale or bias is not finite"));
        }
        if !bias.is_empty() && bias.len() != self.dimension {
            return Err(Error::malformed(format!("{} biases for {} values per leaf", bias.len(), self.dimension)));
        }
        // Classes that training never saw have a margin of minus infinity. Adding -0 changes no number at all.
        let mut base = vec![if meaning.spread.is_some() { f64::NEG_INFINITY } else { 0.0 }; meaning.outputs];
        let mut biases = vec![-0.0; meaning.outputs];
        for value in 0..self.dimension {
            let place = meaning.spread.as_ref().map_or(value, |places| places[value]);
            base[place] = 0.0;
            if let Some(&bias) = bias.get(value).filter(|&&bias| bias != 0.0 && first_tree == 0) {
                biases[place] = bias;
            }
        }
        Ok(Layout {
            features,
            input: Precision::F32,
            snap_zero: false,
            compare: Compare::LessEqual,
            category: CategoryRule::NonNegative,
            accepts_nan: true,
            sum: Precision::F64,
            base,
            finish: Finish::ScaleBias { scale: *scale, bias: biases },
            trees_per_round: 1,
        })
    }
}

/// The columns of categories as columns of text; the trees know texts by their hashes alone.
fn texts(stage: &Derived) -> Result<TextColumns> {
    let column = |category: &CategoryColumn| {
        let numbers = if category.used { Numbers::Digits } else { Numbers::Unread };
        TextColumn::new(category.column, std::iter::empty(), Unknown::Kept, numbers, true)
    };
    let columns = stage.categories().iter().map(column).collect::<Result<_>>()?;
    TextColumns::new(stage.columns(), columns, Vec::new())
}

#[cfg(test)]
mod tests;
