//! Models made of members: each answer is what a way through the members gives, and a rule behind it.

use super::pipeline::Transform;
use super::{Classes, Output};
use crate::error::{Error, Result};
use crate::limits;

/// From what a way gives to an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// All of it.
    Same,
    /// The second column: the probability of the second of two classes.
    Second,
    /// The label of the first of the largest columns.
    Largest(Classes),
    /// The label of the last of the largest columns.
    LastLargest(Classes),
    /// The label of the second of two classes when the only column is above this number, else that of the first.
    Above(f64, Classes),
    /// For each column 1 when it is above this number, else 0.
    Each(f64),
    /// Columns hold indices of classes; their labels.
    Labels(Classes),
}

impl Rule {
    /// Columns of the answer, of a way that gives `width` columns.
    fn columns(&self, width: usize) -> Result<usize> {
        let expect = |count: Option<usize>, found: usize| match count {
            Some(count) if count != found => Err(Error::malformed(format!("{found} columns for {count} classes"))),
            _ => Ok(1),
        };
        match self {
            Rule::Same | Rule::Each(_) | Rule::Labels(_) => Ok(width),
            Rule::Second if width == 2 => Ok(1),
            Rule::Second => Err(Error::malformed(format!("{width} columns for two classes"))),
            Rule::Largest(classes) | Rule::LastLargest(classes) if width > 0 => expect(classes.count(), width),
            Rule::Largest(_) | Rule::LastLargest(_) => Err(Error::malformed("no columns to choose from")),
            Rule::Above(_, classes) if width == 1 => expect(classes.count(), 2),
            Rule::Above(..) => Err(Error::malformed(format!("{width} columns for one decision"))),
        }
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Way {
    /// What is asked for.
    pub output: Output,
    /// Which of the paths leads to it.
    pub path: usize,
    /// What is made of what the path gives.
    pub rule: Rule,
}

/// A validated blend.
#[derive(Debug, Clone)]
pub struct Blend {
    paths: Vec<Transform>,
    ways: Vec<Way>,
    columns: Vec<usize>,
    features: usize,
    value: usize,
}

impl Blend {
    /// Ways over paths that take the same row; one of them is that of [`Output::Value`].
    ///
    /// # Errors
    /// `MI_MALFORMED` when paths take different rows, a rule does not fit its path, or there is no value.
    pub fn new(paths: Vec<Transform>, ways: Vec<Way>) -> Result<Self> {
        let features = paths.first().ok_or_else(|| Error::malformed("no members"))?.features();
        if let Some(other) = paths.iter().map(Transform::features).find(|&other| other != features) {
            return Err(Error::malformed(format!("one member takes {features} columns, another {other}")));
        }
        let mut columns = limits::vec("answers", ways.len())?;
        for way in &ways {
            let path = paths.get(way.path).ok_or_else(|| Error::malformed("an answer without a path"))?;
            let width = path.outputs();
            limits::check("outputs", width, limits::OUTPUTS)?;
            columns.push(way.rule.columns(width)?);
        }
        let value = ways.iter().position(|way| way.output == Output::Value);
        let value = columns[value.ok_or_else(|| Error::malformed("a model without a value"))?];
        Ok(Self { paths, ways, columns, features, value })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.value
    }

    /// The paths.
    #[must_use]
    pub fn paths(&self) -> &[Transform] {
        &self.paths
    }

    /// The answers, and the columns of each.
    pub fn ways(&self) -> impl Iterator<Item = (&Way, usize)> {
        self.ways.iter().zip(self.columns.iter().copied())
    }
}
