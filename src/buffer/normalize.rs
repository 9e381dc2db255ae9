//! What is done to raw channels when a window is read.

use super::ring::Ring;
use crate::error::{Error, Result};
use crate::limits;

/// Keeps quotients of zero, and their logarithms, finite.
const EPSILON: f32 = 1e-8;

/// How the raw channels of a window are normalised, in single precision, as training does it with numpy.
///
/// `x` is a value of the channel, `x0` the base of the channel: in the window's oldest row, the close for a channel called open, high,
/// low or close where there is a close, else the channel's own value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Normalization {
    /// Values as they were pushed.
    None = 0,
    /// `x / (x0 + 1e-8) - 1`.
    Returns = 1,
    /// `ln(x / (x0 + 1e-8) + 1e-8)`.
    LogReturns = 2,
    /// `(x - min) / (max - min + 1e-8)` with the extremes of the channel in the window.
    MinMax = 3,
}

impl Normalization {
    /// The normalisation of this number in the C API.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` when there is none.
    pub fn from_number(number: i32) -> Result<Self> {
        match number {
            0 => Ok(Self::None),
            1 => Ok(Self::Returns),
            2 => Ok(Self::LogReturns),
            3 => Ok(Self::MinMax),
            _ => Err(Error::invalid(format!(
                "normalization is {number}; it is one of MI_NORMALIZE_NONE 0, MI_NORMALIZE_RETURNS 1, MI_NORMALIZE_LOG_RETURNS 2 and MI_NORMALIZE_MINMAX 3"
            ))),
        }
    }

    /// The normalisation that a model's metadata calls so: "none", "returns", "log_returns" or "minmax".
    ///
    /// # Errors
    /// `MI_UNSUPPORTED` for another name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "none" => Ok(Self::None),
            "returns" => Ok(Self::Returns),
            "log_returns" => Ok(Self::LogReturns),
            "minmax" => Ok(Self::MinMax),
            _ => Err(Error::unsupported(format!(
                "the normalization '{name}' is not known; none, returns, log_returns and minmax are"
            ))),
        }
    }
}

/// A normalisation and the columns that it applies to.
#[derive(Debug)]
pub(super) struct Scale {
    normalization: Normalization,
    names: Vec<Option<String>>,
    width: usize,
    /// Column and base column of each channel. Those that are bases come last: when they are overwritten, all others are done.
    channels: Vec<(usize, usize)>,
}

impl Scale {
    pub fn new(normalization: Normalization, names: &[Option<String>], width: usize) -> Result<Self> {
        if !names.is_empty() && names.len() != width {
            return Err(Error::invalid(format!("{} channels are named, a row has {width} columns", names.len())));
        }
        let named = |name: &str| {
            names.iter().position(|given| given.as_deref().is_some_and(|given| given.eq_ignore_ascii_case(name)))
        };
        for (column, name) in names.iter().enumerate() {
            let Some(name) = name else { continue };
            if name.is_empty() || name.len() > limits::SYMBOL_BYTES {
                return Err(Error::invalid(format!(
                    "the name of channel {column} has {} bytes; a name has 1 to {}, and a column that is no channel has none",
                    name.len(),
                    limits::SYMBOL_BYTES
                )));
            }
            if named(name) != Some(column) {
                return Err(Error::invalid(format!("two channels are called '{name}'")));
            }
        }
        let price = |column: usize| match names {
            [] => width == 5 && column < 4,
            _ => ["open", "high", "low", "close"].into_iter().any(|price| named(price) == Some(column)),
        };
        let close = if names.is_empty() { Some(3) } else { named("close") };
        let mut channels: Vec<(usize, usize)> = (0..width)
            .filter(|&column| names.is_empty() || names[column].is_some())
            .map(|column| (column, close.filter(|_| price(column)).unwrap_or(column)))
            .collect();
        channels.sort_by_key(|(column, base)| column == base);
        if normalization == Normalization::None {
            channels.clear();
        }
        Ok(Self { normalization, names: names.to_vec(), width, channels })
    }

    pub fn names(&self) -> &[Option<String>] {
        &self.names
    }

    /// A column for a sentence.
    pub fn column_name(&self, column: usize) -> String {
        match self.names.get(column) {
            Some(Some(name)) => format!("column {column} ({name})"),
            _ => format!("column {column}"),
        }
    }

    /// Refuses a window that has no finite normalisation.
    pub fn check(&self, ring: &Ring) -> Result<()> {
        let Some(first) = ring.each().next() else { return Ok(()) };
        for &(column, base) in &self.channels {
            let values = ring.each().map(|row| row[column]);
            let divisor = first[base] + EPSILON;
            let bad = match self.normalization {
                Normalization::None => None,
                Normalization::Returns => values.map(|x| (x, x / divisor - 1.0)).find(|(_, y)| !y.is_finite()),
                // The logarithm is finite where its argument is finite and positive.
                Normalization::LogReturns => {
                    values.map(|x| (x, x / divisor + EPSILON)).find(|(_, y)| !(y.is_finite() && *y > 0.0))
                }
                Normalization::MinMax => {
                    let (low, high) = extremes(values);
                    Some((high, high - low)).filter(|(_, range)| !range.is_finite())
                }
            };
            if let Some((value, _)) = bad {
                let what = match self.normalization {
                    Normalization::MinMax => "the range of the window".to_owned(),
                    _ => format!("{} in the window's first row", self.column_name(base)),
                };
                return Err(Error::invalid(format!(
                    "{}: {value:e} has no finite {:?} against {what}, {:e}; is this a raw channel?",
                    self.column_name(column),
                    self.normalization,
                    first[base]
                )));
            }
        }
        Ok(())
    }

    /// Normalises rows, oldest first, that passed [`Scale::check`].
    pub fn apply(&self, rows: &mut [f32]) {
        for &(column, base) in &self.channels {
            let divisor = rows[base] + EPSILON;
            match self.normalization {
                Normalization::None => {}
                Normalization::Returns => self.each(rows, column, |x| x / divisor - 1.0),
                Normalization::LogReturns => self.each(rows, column, |x| logarithm(x / divisor + EPSILON)),
                Normalization::MinMax => {
                    let (low, high) = extremes(rows.iter().skip(column).step_by(self.width).copied());
                    let range = high - low + EPSILON;
                    self.each(rows, column, |x| (x - low) / range);
                }
            }
        }
    }

    fn each(&self, rows: &mut [f32], column: usize, change: impl Fn(f32) -> f32) {
        rows.iter_mut().skip(column).step_by(self.width).for_each(|x| *x = change(*x));
    }
}

fn extremes(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
}

/// The natural logarithm, rounded once: numpy's own single-precision ones differ among processors by a few units in the last place.
#[allow(clippy::cast_possible_truncation)]
fn logarithm(x: f32) -> f32 {
    f64::from(x).ln() as f32
}
