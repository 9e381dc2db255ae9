//! B-splines: each column becomes the values of basis functions.

use crate::error::{Error, Result};
use crate::limits;

/// What happens beyond the knots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// The values at the boundary go on.
    Constant,
    /// They go on along their slopes.
    Linear,
    /// The polynomials go on.
    Continue,
    /// The splines repeat.
    Periodic,
    /// The row is refused.
    Refused,
}

/// The knots of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct Knots {
    /// Ascending places.
    pub places: Vec<f64>,
    /// How many knots lie before the lower boundary, and behind the upper one.
    pub margin: usize,
    /// How many functions go on beyond a boundary, where they go on along their slopes.
    pub sloped: usize,
}

/// Validated basis functions of all columns, equally many for each.
#[derive(Debug, Clone)]
pub struct Splines {
    degree: usize,
    columns: Vec<Knots>,
    functions: usize,
    beyond: Beyond,
    bias: bool,
    missing: bool,
}

impl Splines {
    /// Functions of this degree. Without `bias` the last function of each column is left out; with `missing` a NaN has zeros.
    ///
    /// # Errors
    /// `MI_MALFORMED` when columns have different numbers of knots or too few, `MI_LIMIT_EXCEEDED` for too high a degree.
    pub fn new(degree: usize, columns: Vec<Knots>, beyond: Beyond, bias: bool, missing: bool) -> Result<Self> {
        limits::check("degrees of a spline", degree, limits::DEPTH)?;
        limits::check("features", columns.len(), limits::FEATURES)?;
        let count = columns.first().ok_or_else(|| Error::malformed("splines of no columns"))?.places.len();
        let least = 2 * (degree + 1);
        let sound = |knots: &Knots| {
            knots.places.len() == count && knots.margin.checked_mul(2).is_some_and(|margins| margins < count)
        };
        if count < least || !columns.iter().all(sound) {
            return Err(Error::malformed(format!("splines of degree {degree} need {least} knots, there are {count}")));
        }
        let all = count - degree - 1;
        let functions = if beyond == Beyond::Periodic { all - degree } else { all };
        if columns.iter().any(|knots| knots.sloped > functions) || functions == 0 {
            return Err(Error::malformed(format!("{functions} functions for each column")));
        }
        limits::check("functions of all columns", functions.saturating_mul(columns.len()), limits::FEATURES)?;
        Ok(Self { degree, columns, functions, beyond, bias, missing })
    }

    /// Degree of the polynomials.
    #[must_use]
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// Knots of each column.
    #[must_use]
    pub fn columns(&self) -> &[Knots] {
        &self.columns
    }

    /// Functions of each column.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.functions
    }

    /// Functions of each column that are answers.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.functions - usize::from(!self.bias)
    }

    /// What happens beyond the knots.
    #[must_use]
    pub fn beyond(&self) -> Beyond {
        self.beyond
    }

    /// Whether a NaN has zeros; else it is refused.
    #[must_use]
    pub fn missing(&self) -> bool {
        self.missing
    }
}
