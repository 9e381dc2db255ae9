//! Steps that change a row, and the model behind them.

use super::refine::Refine;
use super::transform::{Codes, Each, Whole};
use super::{Forest, Importance, Linear, Model, Output};
use crate::error::{Error, Result};
use crate::limits;
use std::sync::Arc;

/// A step: from a row to a row.
#[derive(Debug, Clone)]
pub enum Transform {
    /// The columns of these indices, in this order.
    Select {
        /// Columns that come in.
        features: usize,
        /// Columns that go out, each below `features`.
        columns: Vec<usize>,
    },
    /// Numbers of these columns become codes; other columns stay. Made by [`Transform::codes`].
    Codes {
        /// Columns that come in and go out.
        features: usize,
        /// Columns and their codes.
        columns: Vec<(usize, Codes)>,
    },
    /// This number, compared in float32, becomes NaN wherever it stands.
    Missing {
        /// Columns that come in and go out.
        features: usize,
        /// The number that means missing.
        number: f64,
    },
    /// A 1 for every leaf that the row reaches, else 0.
    Leaves {
        /// Columns that go out.
        columns: usize,
        /// Trees whose leaves are numbered by their column; a number that is no column is a leaf without one.
        forest: Forest,
    },
    /// One thing after another, done to each column by itself. Made by [`Transform::each`].
    Each(usize, Vec<Each>),
    /// Done to the row as a whole. Made by [`Transform::whole`].
    Whole {
        /// Columns that come in.
        features: usize,
        /// Columns that go out.
        outputs: usize,
        /// What is done.
        whole: Whole,
    },
    /// A matrix and an intercept.
    Linear(Linear),
    /// Steps of which each takes what the one before it gives; no steps: the row itself. Made by [`Transform::chain`].
    Chain(usize, Vec<Transform>),
    /// Parts that take columns of the same row, side by side. Made by [`Transform::union`].
    Union {
        /// Columns that come in.
        features: usize,
        /// The parts.
        parts: Vec<UnionPart>,
    },
    /// What is missing is filled, and then refined by models of each column.
    Refine(Arc<Refine>),
    /// What a model answers.
    Answer {
        /// The model; steps that share it share its memory.
        model: Arc<Model>,
        /// What it is asked for.
        output: Output,
        /// Leading columns of the answer that are left out.
        skip: usize,
        /// Columns that remain.
        width: usize,
    },
}

/// One part of a union.
#[derive(Debug, Clone)]
pub struct UnionPart {
    /// The columns that it takes, in its own order; `None`: the whole row.
    pub columns: Option<Vec<usize>>,
    /// What it does.
    pub step: Transform,
    /// Factor of what it gives.
    pub weight: Option<f64>,
}

impl Transform {
    /// One thing after another, done to each of `features` columns.
    ///
    /// # Errors
    /// Those of [`Each::check`].
    pub fn each(features: usize, things: Vec<Each>) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        things.iter().try_for_each(|thing| thing.check(features))?;
        Ok(Transform::Each(features, things))
    }

    /// What is done to a row of `features` columns as a whole.
    ///
    /// # Errors
    /// Those of [`Whole::outputs`].
    pub fn whole(features: usize, whole: Whole) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        let outputs = whole.outputs(features)?;
        Ok(Transform::Whole { features, outputs, whole })
    }

    /// Some of `features` columns, in this order.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a column that is not there.
    pub fn select(features: usize, columns: Vec<usize>) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        check_columns(features, &columns)?;
        Ok(Transform::Select { features, columns })
    }

    /// Codes of some of `features` columns.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a column that is not there.
    pub fn codes(features: usize, columns: Vec<(usize, Codes)>) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        for (column, _) in &columns {
            check_columns(features, &[*column])?;
        }
        Ok(Transform::Codes { features, columns })
    }

    /// Steps behind each other, over `features` columns.
    ///
    /// # Errors
    /// `MI_MALFORMED` when two neighbours disagree about the width of a row.
    pub fn chain(features: usize, steps: Vec<Transform>) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        let mut width = features;
        for (index, step) in steps.iter().enumerate() {
            if step.features() != width {
                let takes = step.features();
                return Err(Error::malformed(format!("step {index} takes {takes} columns and is given {width}")));
            }
            width = step.outputs();
        }
        Ok(Transform::Chain(features, steps))
    }

    /// Parts side by side, over `features` columns.
    ///
    /// # Errors
    /// `MI_MALFORMED` when a part takes a column that is not there, or another number of them.
    pub fn union(features: usize, parts: Vec<UnionPart>) -> Result<Self> {
        let (mut taken, mut given) = (0usize, 0usize);
        limits::check("features", features, limits::FEATURES)?;
        for (index, part) in parts.iter().enumerate() {
            let width = part.columns.as_ref().map_or(features, Vec::len);
            check_columns(features, part.columns.as_deref().unwrap_or_default())?;
            if part.step.features() != width {
                let takes = part.step.features();
                return Err(Error::malformed(format!("part {index} takes {takes} columns and is given {width}")));
            }
            taken = taken.saturating_add(part.columns.as_ref().map_or(0, Vec::len));
            given = given.saturating_add(part.step.outputs());
        }
        limits::check("columns of all parts", taken, limits::FEATURES)?;
        limits::check("columns of a union", given, limits::FEATURES)?;
        Ok(Transform::Union { features, parts })
    }

    /// What a model answers, without its first `skip` columns; `width` of them remain. Another width is an error of the prediction.
    #[must_use]
    pub fn answer(model: &Arc<Model>, output: Output, skip: usize, width: usize) -> Self {
        Transform::Answer { model: Arc::clone(model), output, skip, width }
    }

    /// Columns that come in.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Transform::Leaves { forest, .. } => forest.features(),
            Transform::Select { features, .. }
            | Transform::Codes { features, .. }
            | Transform::Missing { features, .. }
            | Transform::Each(features, _)
            | Transform::Chain(features, _)
            | Transform::Whole { features, .. }
            | Transform::Union { features, .. } => *features,
            Transform::Linear(linear) => linear.features(),
            Transform::Refine(refine) => refine.first().features(),
            Transform::Answer { model, .. } => model.body.features(),
        }
    }

    /// For each column that goes out, the column that comes in of which it is made; `None` where columns are mixed.
    fn origins(&self) -> Option<Vec<usize>> {
        match self {
            Transform::Codes { features, .. } | Transform::Missing { features, .. } | Transform::Each(features, _) => {
                Some((0..*features).collect())
            }
            Transform::Whole { whole: Whole::Fill(_), features, .. } => Some((0..*features).collect()),
            Transform::Select { columns, .. } => Some(columns.clone()),
            Transform::Refine(refine) => Some(refine.columns().to_vec()),
            Transform::Whole { whole: Whole::OneHot(widths), .. } => Some(
                widths.iter().enumerate().flat_map(|(column, width)| std::iter::repeat_n(column, *width)).collect(),
            ),
            Transform::Chain(features, steps) => {
                let mut origins: Vec<usize> = (0..*features).collect();
                for step in steps {
                    origins = step.origins()?.into_iter().map(|column| origins[column]).collect();
                }
                Some(origins)
            }
            Transform::Union { parts, .. } => {
                let mut origins = Vec::new();
                for part in parts {
                    let own = part.step.origins()?.into_iter();
                    match &part.columns {
                        Some(columns) => origins.extend(own.map(|column| columns[column])),
                        None => origins.extend(own),
                    }
                }
                Some(origins)
            }
            Transform::Leaves { .. } | Transform::Whole { .. } | Transform::Linear(_) | Transform::Answer { .. } => {
                None
            }
        }
    }

    /// Columns that go out.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Transform::Select { columns, .. } => columns.len(),
            Transform::Codes { features, .. } | Transform::Missing { features, .. } | Transform::Each(features, _) => {
                *features
            }
            Transform::Leaves { columns, .. } => *columns,
            Transform::Whole { outputs, .. } => *outputs,
            Transform::Linear(linear) => linear.outputs(),
            Transform::Chain(features, steps) => steps.last().map_or(*features, Transform::outputs),
            Transform::Union { parts, .. } => parts.iter().map(|part| part.step.outputs()).sum(),
            Transform::Refine(refine) => refine.first().outputs(),
            Transform::Answer { width, .. } => *width,
        }
    }
}

fn check_columns(features: usize, columns: &[usize]) -> Result<()> {
    match columns.iter().find(|&&column| column >= features) {
        Some(column) => Err(Error::malformed(format!("takes column {column}, there are {features}"))),
        None => Ok(()),
    }
}

/// Steps in their order, then a model; without a model the value is the row that the last step gives.
#[derive(Debug, Clone)]
pub struct Pipeline {
    steps: Vec<Transform>,
    last: Option<Box<Model>>,
}

impl Pipeline {
    /// Steps of which each takes what the one before it gives.
    ///
    /// # Errors
    /// `MI_MALFORMED` when two neighbours disagree about the width of a row, or there is nothing in it.
    pub fn new(steps: Vec<Transform>, last: Option<Box<Model>>) -> Result<Self> {
        let mut width = None;
        let parts = steps.iter().map(|step| (step.features(), step.outputs()));
        let model = last.as_ref().map(|model| (model.body.features(), model.body.outputs()));
        for (index, (takes, gives)) in parts.chain(model).enumerate() {
            if let Some(width) = width
                && width != takes
            {
                return Err(Error::malformed(format!("step {index} takes {takes} columns and is given {width}")));
            }
            width = Some(gives);
        }
        if width.is_none() {
            return Err(Error::malformed("an empty pipeline"));
        }
        Ok(Self { steps, last })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        match self.steps.first() {
            Some(step) => step.features(),
            None => self.last.as_ref().map_or(0, |model| model.body.features()),
        }
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match &self.last {
            Some(model) => model.body.outputs(),
            None => self.steps.last().map_or(0, Transform::outputs),
        }
    }

    /// For each column in front of the model, the column that comes in of which it is made; `None` where columns are mixed.
    fn origins(&self) -> Option<Vec<usize>> {
        let mut origins: Vec<usize> = (0..self.features()).collect();
        for step in &self.steps {
            origins = step.origins()?.into_iter().map(|column| origins[column]).collect();
        }
        Some(origins)
    }

    /// Whether the model sees the columns that come in, in their order.
    #[must_use]
    pub fn keeps_columns(&self) -> bool {
        let width = self.features();
        self.origins().is_some_and(|origins| origins.len() == width && origins.iter().copied().eq(0..width))
    }

    /// The importance of the columns that come in: that of the model, column by column added up.
    #[must_use]
    pub fn importance(&self) -> Importance {
        let (Some(last), Some(origins)) = (&self.last, self.origins()) else { return Importance::default() };
        let spread = |values: &Option<Vec<f64>>| {
            values.as_ref().filter(|values| values.len() == origins.len()).map(|values| {
                let mut sums = vec![0.0; self.features()];
                for (value, &column) in values.iter().zip(&origins) {
                    sums[column] += value;
                }
                sums
            })
        };
        // A coefficient belongs to one column.
        let mut met = vec![false; self.features()];
        let single = origins.iter().all(|&column| !std::mem::replace(&mut met[column], true));
        let Importance { split, gain, coefficient } = &last.importance;
        let coefficient = if single { spread(coefficient) } else { None };
        Importance { split: spread(split), gain: spread(gain), coefficient }
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[Transform] {
        &self.steps
    }

    /// The model behind them.
    #[must_use]
    pub fn last(&self) -> Option<&Model> {
        self.last.as_deref()
    }
}
