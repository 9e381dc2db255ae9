//! What happens to the columns of a row, each by itself, and to a row as a whole.

use super::donors::Donors;
use super::similarity::Similarities;
use super::splines::Splines;
use super::text::is_word;
use crate::error::{Error, Result};
use crate::limits;
use std::cmp::Ordering;
use std::sync::Arc;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// The number itself.
    Same,
    /// `ln(1 + x)`.
    LogOnePlus,
    /// `exp(x) - 1`.
    ExpMinusOne,
    /// `ln(x)`.
    Log,
    /// `log2(x)`.
    Log2,
    /// `log10(x)`.
    Log10,
    /// `exp(x)`.
    Exp,
    /// `sqrt(x)`.
    Sqrt,
    /// `cbrt(x)`.
    Cbrt,
    /// `x * x`.
    Square,
    /// `|x|`.
    Abs,
    /// `-x`.
    Negative,
    /// `1 / x`.
    Reciprocal,
    /// -1, 0 or 1.
    Sign,
    /// `sin(x)`.
    Sin,
    /// `cos(x)`.
    Cos,
    /// `tanh(x)`.
    Tanh,
    /// `arcsinh(x)`.
    Arcsinh,
    /// `sinh(x)`.
    Sinh,
    /// `arctan(x)`.
    Arctan,
    /// `1 / (1 + exp(-x))`.
    Expit,
    /// `ln(x / (1 - x))`.
    Logit,
    /// `x + (1e-8 + 1e-5 * |x|)`.
    Loosen,
}

/// Quantiles of the training data, column by column.
#[derive(Debug, Clone)]
pub struct Quantiles {
    /// The share of the data at or below each quantile, ascending from 0 to 1.
    pub references: Vec<f64>,
    /// For each column, one value per reference, ascending.
    pub values: Vec<Vec<f64>>,
    /// Whether the target is a normal distribution; else a uniform one.
    pub normal: bool,
    /// Whether the target is cut a little before its ends: all normal ones are, and uniform ones before scikit-learn 0.21.
    pub cut: bool,
    /// From the target distribution back to the data.
    pub inverse: bool,
}

/// Numbers that stand for other numbers. A number may be a word: see [`super::text`].
#[derive(Debug, Clone, Default)]
pub struct Codes {
    /// Number and code, by ascending number.
    pairs: Vec<(f64, f64)>,
    /// Code of NaN, where NaN is one of the numbers.
    missing: Option<f64>,
    /// Code of every other number; `None`: they are refused.
    unknown: Option<f64>,
    /// Whether a number that is no word is a code already.
    open: bool,
}

impl Codes {
    /// Codes of these numbers. -0 is 0.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (f64, f64)>, unknown: Option<f64>) -> Self {
        let (nans, mut pairs): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(number, _)| number.is_nan());
        pairs.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
        Self { pairs, missing: nans.first().map(|(_, code)| *code), unknown, open: false }
    }

    /// Codes of words; a number that is no word is a code already.
    #[must_use]
    pub fn of_words(pairs: impl IntoIterator<Item = (f64, f64)>, unknown: Option<f64>) -> Self {
        Self { open: true, ..Self::new(pairs, unknown) }
    }

    /// The numbers that have codes of their own, NaN left out.
    pub fn numbers(&self) -> impl ExactSizeIterator<Item = f64> {
        self.pairs.iter().map(|(number, _)| *number)
    }

    /// Whether numbers that are no words are codes already.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether numbers without a code are refused.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.unknown.is_none()
    }

    /// The code of a number; `None` when it has none.
    #[must_use]
    pub fn get(&self, number: f64) -> Option<f64> {
        if self.open && !is_word(number) {
            return Some(number);
        }
        if number.is_nan() {
            return self.missing.or(self.unknown);
        }
        let found = self.pairs.binary_search_by(|pair| pair.0.partial_cmp(&number).unwrap_or(Ordering::Less));
        found.ok().map(|at| self.pairs[at].1).or(self.unknown)
    }
}

/// From the score of a classifier to a probability.
#[derive(Debug, Clone)]
pub enum Curve {
    /// `1 / (1 + exp(slope * x + offset))`.
    Sigmoid {
        /// Factor of the score.
        slope: f64,
        /// Added to it.
        offset: f64,
    },
    /// Straight lines between points; constant before the first and after the last.
    Isotonic {
        /// Scores, ascending.
        x: Vec<f64>,
        /// A value for each score.
        y: Vec<f64>,
    },
}

/// What is done to each column by itself. A vector has one number per column.
#[derive(Debug, Clone)]
pub enum Each {
    /// NaN is refused.
    Complete,
    /// `x + n`.
    Add(Vec<f64>),
    /// `x - n`.
    Subtract(Vec<f64>),
    /// `x * n`.
    Multiply(Vec<f64>),
    /// `x / n`.
    Divide(Vec<f64>),
    /// The nearest number between these two.
    Clip(f64, f64),
    /// 1 above this number, else 0.
    Above(f64),
    /// The same function for all.
    Apply(Function),
    /// `((1 + x)^n - 1) / n` from 0 on, `-((1 - x)^(2 - n) - 1) / (2 - n)` below; Yeo and Johnson, 2000.
    YeoJohnson(Vec<f64>),
    /// Its inverse.
    YeoJohnsonInverse(Vec<f64>),
    /// `(x^n - 1) / n` of positive numbers; Box and Cox, 1964.
    BoxCox(Vec<f64>),
    /// Its inverse.
    BoxCoxInverse(Vec<f64>),
    /// Quantiles to a distribution, or back.
    Quantiles(Quantiles),
    /// How many of these ascending edges are at or below it.
    Bins(Vec<Vec<f64>>),
    /// The first number (NaN stands for any NaN) is replaced.
    Replace(f64, Vec<f64>),
    /// 1 where it is this number (NaN stands for any NaN), else 0.
    Is(f64),
    /// The first number (NaN stands for any NaN) is refused in the columns that are marked.
    Refuse(f64, Vec<bool>),
    /// Codes of numbers.
    Encode(Vec<Codes>),
    /// Scores to probabilities.
    Curves(Vec<Curve>),
    /// A number below the first or above the second becomes NaN.
    Within(f64, f64),
    /// Such a number is refused.
    RefuseOutside(f64, f64),
    /// The nearest number in float32.
    Single,
}

impl Each {
    /// Checks the number of columns and the lengths inside.
    ///
    /// # Errors
    /// `MI_MALFORMED`.
    pub fn check(&self, columns: usize) -> Result<()> {
        let count = match self {
            Each::Add(n)
            | Each::Subtract(n)
            | Each::Multiply(n)
            | Each::Divide(n)
            | Each::YeoJohnson(n)
            | Each::YeoJohnsonInverse(n)
            | Each::BoxCox(n)
            | Each::BoxCoxInverse(n)
            | Each::Replace(_, n) => n.len(),
            Each::Quantiles(quantiles) => {
                let steps = quantiles.references.len();
                if steps == 0 || quantiles.values.iter().any(|values| values.len() != steps) {
                    return Err(Error::malformed(format!("a column does not have {steps} quantiles")));
                }
                quantiles.values.len()
            }
            Each::Bins(edges) => edges.len(),
            Each::Refuse(_, marks) => marks.len(),
            Each::Encode(codes) => codes.len(),
            Each::Curves(curves) => {
                for curve in curves {
                    if let Curve::Isotonic { x, y } = curve
                        && (x.is_empty() || x.len() != y.len())
                    {
                        return Err(Error::malformed(format!("a curve of {} scores and {} values", x.len(), y.len())));
                    }
                }
                curves.len()
            }
            Each::Clip(low, high) if low.is_nan() || high.is_nan() || low > high => {
                return Err(Error::malformed(format!("there is nothing between {low} and {high}")));
            }
            Each::Complete
            | Each::Clip(..)
            | Each::Above(_)
            | Each::Apply(_)
            | Each::Is(_)
            | Each::Within(..)
            | Each::RefuseOutside(..)
            | Each::Single => columns,
        };
        if count == columns {
            Ok(())
        } else {
            Err(Error::malformed(format!("numbers for {count} columns, there are {columns}")))
        }
    }
}

/// The size of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// The sum of absolute values.
    One,
    /// The root of the sum of squares.
    Two,
    /// The largest absolute value.
    Max,
}

/// What is done to the row as a whole.
#[derive(Debug, Clone)]
pub enum Whole {
    /// Divided by a norm; a row whose norm is 0, or below `least`, stays.
    Divide {
        /// The norm.
        norm: Norm,
        /// The least norm that divides.
        least: f64,
    },
    /// Products of columns; no column: 1.
    Products(Vec<Vec<u32>>),
    /// A column of 0 and 1 for each code of each column: how many codes it has. Other numbers are zeros everywhere.
    OneHot(Vec<usize>),
    /// Groups of this many columns become their mean by weights: `sum(w * x) / sum(w)`.
    Mean {
        /// Columns of a group.
        width: usize,
        /// One for each group.
        weights: Vec<f64>,
    },
    /// The sum of the columns, each times its weight.
    Sum(Vec<f64>),
    /// The sum of the columns of the first half, each times its counterpart in the second.
    Dot,
    /// Each column holds a class; what remains is the weight of each class.
    Votes {
        /// How many classes.
        classes: usize,
        /// One for each column.
        weights: Vec<f64>,
    },
    /// Divided by their sum; equal shares when it is 0.
    Shares,
    /// Divided by their sum whatever it is: 0 gives NaN.
    Ratio,
    /// `x` becomes `1 - x` and `x`.
    Complement,
    /// `exp(x - max) / sum`.
    Softmax,
    /// Votes of one class against one: a label (0 for the first class) for each pair, then a confidence for each pair.
    Pairs {
        /// How many classes.
        classes: usize,
    },
    /// These numbers, whatever the row is.
    Constant(Vec<f64>),
    /// The sum over the columns of what a table has for each of them, then `last`. A number is cut to a whole one, which is the
    /// row of the column's table; one that has no row is refused.
    Tables {
        /// One table for each column, of shape (categories, outputs).
        tables: Vec<Vec<f64>>,
        /// Added at the end, one number for each output.
        last: Vec<f64>,
    },
    /// `x' M x`, for a matrix of shape (columns, columns).
    Quadratic(Vec<f64>),
    /// How much the row is like each of the rows that are kept.
    Similarities(Arc<Similarities>),
    /// What is missing is filled in from the nearest of the rows that are kept.
    Fill(Arc<Donors>),
    /// Each column becomes the values of its basis functions.
    Splines(Arc<Splines>),
    /// Where two scores for each branch lead: to its first side, or to the second when that one's score is larger. The first branch
    /// is asked first.
    Descend(Vec<[Side; 2]>),
}

/// Where a branch leads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Side {
    /// To a later branch.
    Branch(usize),
    /// To this answer.
    Answer(f64),
}

impl Whole {
    /// Checks it against the columns that come in, and says how many go out.
    ///
    /// # Errors
    /// `MI_MALFORMED`, `MI_LIMIT_EXCEEDED`.
    pub fn outputs(&self, columns: usize) -> Result<usize> {
        let wrong = |takes: usize| Error::malformed(format!("takes {takes} columns and is given {columns}"));
        let given = |takes: usize, outputs: usize| if takes == columns { Ok(outputs) } else { Err(wrong(takes)) };
        match self {
            Whole::Divide { .. } | Whole::Shares | Whole::Ratio | Whole::Softmax => Ok(columns),
            Whole::Products(terms) => {
                if terms.iter().flatten().any(|&column| column as usize >= columns) {
                    return Err(Error::malformed(format!("a product takes a column that is not one of {columns}")));
                }
                Ok(terms.len())
            }
            Whole::OneHot(widths) => {
                let total = widths.iter().try_fold(0usize, |sum, width| sum.checked_add(*width)).unwrap_or(usize::MAX);
                limits::check("columns of categories", total, limits::FEATURES)?;
                given(widths.len(), total)
            }
            Whole::Mean { width, weights } => given(width.saturating_mul(weights.len()), *width),
            Whole::Votes { classes, weights } => {
                limits::check("classes", *classes, limits::OUTPUTS)?;
                given(weights.len(), *classes)
            }
            Whole::Sum(weights) => given(weights.len(), 1),
            Whole::Dot => given(columns / 2 * 2, 1),
            Whole::Complement => given(1, 2),
            Whole::Pairs { classes } => {
                limits::check("classes", *classes, limits::OUTPUTS)?;
                given(classes * classes.saturating_sub(1), *classes)
            }
            Whole::Constant(numbers) => Ok(numbers.len()),
            Whole::Tables { tables, last } => {
                if last.is_empty() || tables.iter().any(|table| table.len() % last.len() != 0) {
                    return Err(Error::malformed(format!("tables whose rows are not {} numbers", last.len())));
                }
                given(tables.len(), last.len())
            }
            Whole::Quadratic(matrix) => {
                if columns.checked_mul(columns) != Some(matrix.len()) {
                    return Err(Error::malformed(format!(
                        "a matrix of {} numbers for {columns} columns",
                        matrix.len()
                    )));
                }
                Ok(1)
            }
            Whole::Similarities(kept) => given(kept.features(), kept.count()),
            Whole::Splines(splines) => given(splines.columns().len(), splines.kept() * splines.columns().len()),
            Whole::Fill(donors) => given(donors.features(), donors.features()),
            Whole::Descend(branches) => {
                for (index, branch) in branches.iter().enumerate() {
                    let later = |side: &Side| match side {
                        Side::Branch(to) => *to > index && *to < branches.len(),
                        Side::Answer(_) => true,
                    };
                    if !branch.iter().all(later) {
                        return Err(Error::malformed(format!("branch {index} does not lead to a later one")));
                    }
                }
                if branches.is_empty() {
                    return Err(Error::malformed("a tree without branches"));
                }
                given(branches.len().saturating_mul(2), 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found() {
        let codes = Codes::new([(3.0, 0.0), (-0.0, 1.0), (f64::NAN, 2.0)], None);
        assert_eq!([0.0, -0.0, 3.0, f64::NAN].map(|x| codes.get(x)), [Some(1.0), Some(1.0), Some(0.0), Some(2.0)]);
        assert_eq!(codes.get(2.0), None);
        assert_eq!(Codes::new([], Some(-1.0)).get(f64::NAN), Some(-1.0));
    }

    #[test]
    fn lengths_are_checked() {
        assert!(Each::Add(vec![1.0]).check(2).is_err());
        assert!(Each::Clip(2.0, 1.0).check(2).is_err());
        assert!(Whole::Products(vec![vec![2]]).outputs(2).is_err());
        assert_eq!(Whole::Pairs { classes: 3 }.outputs(6).unwrap(), 3);
    }
}
