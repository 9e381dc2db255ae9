//! Filling in what is missing from the rows that are nearest.

use super::neighbors::Weights;
use crate::error::{Error, Result};
use crate::limits;

/// Training rows that lend their numbers. The distance of two rows is the root of the sum of squared differences over the columns
/// that both have, times columns over columns that both have.
#[derive(Debug, Clone)]
pub struct Donors {
    features: usize,
    /// Missing numbers are NaN.
    rows: Vec<f64>,
    count: usize,
    asked: Asked,
    /// For each column the mean of those that have it, and how many have it.
    columns: Vec<(f64, usize)>,
}

/// Who is asked, and for what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// How many of the nearest rows that have the column.
    pub nearest: usize,
    /// How much each of them counts.
    pub weights: Weights,
    /// The number that is filled in a row; NaN stands for any NaN.
    pub missing: f64,
    /// Whether rows that have no column to compare count without weights too, where too few others do.
    pub strangers: bool,
}

impl Donors {
    /// `rows` of shape (count, features).
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shapes disagree, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new([count, features]: [usize; 2], rows: Vec<f64>, asked: Asked) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        if features == 0 || count.checked_mul(features) != Some(rows.len()) {
            return Err(Error::malformed(format!("{} numbers for {count} rows of {features} features", rows.len())));
        }
        if asked.nearest == 0 {
            return Err(Error::malformed("no neighbours"));
        }
        let mut columns = limits::vec("columns", features)?;
        #[allow(clippy::cast_precision_loss)] // no file holds 2^53 rows
        for column in 0..features {
            let has = || rows.iter().skip(column).step_by(features).filter(|x| !x.is_nan());
            let (sum, count) = (has().sum::<f64>(), has().count());
            columns.push((sum / count as f64, count));
        }
        Ok(Self { features, rows, count, asked, columns })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Training rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// A training row; missing numbers are NaN.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f64] {
        &self.rows[index * self.features..][..self.features]
    }

    /// How many neighbours are asked for a column: at most as many as have it.
    #[must_use]
    pub fn nearest(&self, column: usize) -> usize {
        self.asked.nearest.min(self.columns[column].1)
    }

    /// The mean of a column, for rows that have nothing to compare.
    #[must_use]
    pub fn mean(&self, column: usize) -> f64 {
        self.columns[column].0
    }

    /// Whether no training row has a column.
    #[must_use]
    pub fn is_empty(&self, column: usize) -> bool {
        self.columns[column].1 == 0
    }

    /// Who is asked, and for what.
    #[must_use]
    pub fn asked(&self) -> Asked {
        self.asked
    }
}
