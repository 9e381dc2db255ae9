//! From a caller's row to the row that a forest splits on: [`Derived`] at work.

use super::{Number, Rows};
use crate::error::{Error, Result};
use crate::ir::derived::{Combination, Condition, Fraction, Statistic};
use crate::ir::forest::Side;
use crate::ir::text::{hash, is_word, word_hash};
use crate::ir::{Derived, Precision};

/// Multiplier of the key of a combination.
const KEY: u64 = 0x4906_ba49_4954_cb65;

/// A number in a column of categories is a whole number that a double holds exactly.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// The decimal digits of a whole number, as Python writes them.
fn digits(value: i64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut rest = value.unsigned_abs();
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}

/// The low half of the hash of the category that a number stands for: that of its text, or of its decimal digits.
#[allow(clippy::cast_possible_truncation)]
fn category_hash(value: f64) -> u32 {
    word_hash(value).unwrap_or_else(|| hash(digits(value as i64, &mut [0; 20])))
}

/// Refuses a number that is no category.
///
/// # Errors
/// `MI_INVALID_ARGUMENT`, naming row and column.
pub(super) fn check_digits(row: usize, column: u32, value: f64) -> Result<()> {
    if value.trunc() == value && value.abs() <= WHOLE {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "row {row} has {value} in column {column}, which holds categories; give a whole number, or the text through \
         mi_model_predict_categorical_f64"
    )))
}

/// Refuses numbers that stand for no category.
///
/// # Errors
/// `MI_INVALID_ARGUMENT`, naming row and column.
pub(super) fn check<T: Number>(stage: &Derived, rows: Rows<'_, T>) -> Result<()> {
    for (index, row) in rows.iter().enumerate() {
        for category in stage.categories().iter().filter(|category| category.used) {
            let value = row[category.column as usize].widen();
            if !is_word(value) {
                check_digits(index, category.column, value)?;
            }
        }
    }
    Ok(())
}

/// Working memory of one thread.
#[derive(Debug)]
pub struct Scratch {
    hashes: Vec<u32>,
    keys: Vec<u64>,
    rows: Vec<f64>,
}

impl Scratch {
    /// Nothing yet; grows with the first use.
    pub const fn new() -> Self {
        Self { hashes: Vec::new(), keys: Vec::new(), rows: Vec::new() }
    }
}

/// Rows that are derived at a time: as many as keep the working memory within a processor's first cache.
pub fn block(stage: &Derived) -> usize {
    (2048 / stage.width().max(1)).clamp(1, 64)
}

/// Derives `rows`, which [`check`] has passed.
pub fn derive<'s, T: Number>(stage: &Derived, rows: Rows<'_, T>, scratch: &'s mut Scratch) -> Result<Rows<'s, f64>> {
    let width = stage.width();
    scratch.rows.resize(rows.count() * width, 0.0);
    scratch.hashes.resize(stage.categories().len(), 0);
    scratch.keys.resize(stage.combinations().len(), 0);
    for (row, out) in rows.iter().zip(scratch.rows.chunks_exact_mut(width.max(1))) {
        let (numbers, statistics) = out.split_at_mut(stage.columns());
        for (number, value) in numbers.iter_mut().zip(row) {
            *number = value.widen();
        }
        for (place, category) in stage.categories().iter().enumerate() {
            let number = &mut numbers[category.column as usize];
            if !category.used {
                *number = -1.0;
                continue;
            }
            let hash = category_hash(*number);
            scratch.hashes[place] = hash;
            *number = category.members.get(&hash).map_or(-1.0, |&member| f64::from(member));
        }
        for (key, combination) in scratch.keys.iter_mut().zip(stage.combinations()) {
            *key = combined(combination, numbers, &scratch.hashes);
        }
        for (statistic, out) in stage.statistics().iter().zip(statistics) {
            *out = f64::from(value(stage, statistic, scratch.keys[statistic.combination as usize]));
        }
    }
    Rows::new(&scratch.rows, rows.count(), width)
}

fn combined(combination: &Combination, numbers: &[f64], hashes: &[u32]) -> u64 {
    let mix = |key: u64, part: u64| KEY.wrapping_mul(key.wrapping_add(KEY.wrapping_mul(part)));
    let key = combination.categories.iter().fold(0, |key, &category| {
        // The hash is widened as a signed number.
        mix(key, i64::from(hashes[category as usize].cast_signed()).cast_unsigned())
    });
    combination.conditions.iter().fold(key, |key, condition| {
        let holds = match *condition {
            Condition::Above { column, border, missing } => {
                let number = Precision::F32.round(numbers[column as usize]);
                if number.is_nan() { missing == Side::Right } else { number > f64::from(border) }
            }
            Condition::Is { category, hash } => hashes[category as usize] == hash,
        };
        mix(key, u64::from(holds))
    })
}

/// All sums are of 32 bits and wrap, and become float32 at the end.
#[allow(clippy::cast_precision_loss)]
fn value(stage: &Derived, statistic: &Statistic, key: u64) -> f32 {
    let sum = |counts: &[i32]| counts.iter().fold(0i32, |sum, &count| sum.wrapping_add(count)) as f32;
    let found = stage.tables()[statistic.table as usize].get(key);
    let (numerator, denominator) = match (statistic.fraction, found) {
        (Fraction::FromClass(class), Some((counts, _))) => (sum(&counts[class as usize..]), sum(counts)),
        (Fraction::OfClass(class), Some((counts, _))) => (counts[class as usize] as f32, sum(counts)),
        (Fraction::Mean, Some((counts, total))) => (total, counts[0] as f32),
        (Fraction::Share(total), Some((counts, _))) => (counts[0] as f32, total as f32),
        (Fraction::Share(total), None) => (0.0, total as f32),
        (_, None) => (0.0, 0.0),
    };
    ((numerator + statistic.prior) / (denominator + statistic.weight) + statistic.shift) * statistic.scale
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes that the library stores for one-hot categories; see the fixtures for whole models.
    #[test]
    fn whole_numbers_are_their_digits() {
        for (value, text) in [(0, "0"), (-1, "-1"), (1_234_567, "1234567"), (i64::MIN, "-9223372036854775808")] {
            assert_eq!(digits(value, &mut [0; 20]), text.as_bytes());
        }
        assert_eq!(category_hash(-0.0), hash(b"0"));
    }
}
