//! The integers that the nodes of a forest compare, and where each of them comes from in a row.

use super::super::{Number as Value, reference};
use super::condition::Conditions;
use super::key::{key32, key64, zero_band};
use super::lines::Plain;
use super::lowered::{Lowered, Number, Rule, Test};
use crate::ir::Precision;
use crate::ir::forest::{Layout, Side};

/// A type of codes.
pub trait Code: Plain + Ord + Send + Sync + std::fmt::Debug + 'static {
    /// The code that is below every limit but 0, and the one after it.
    const LEAST: Self;
    /// The code of a condition that holds.
    const ONE: Self;
    /// A number that is known to fit.
    fn of(value: i64) -> Self;
}

macro_rules! code {
    ($($type:ty: $least:expr),*) => { $(impl Code for $type {
        const LEAST: Self = $least;
        const ONE: Self = 1;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_lossless)]
        fn of(value: i64) -> Self {
            debug_assert!(Self::try_from(value).is_ok());
            value as $type
        }
    })* };
}
code!(u8: 0, u16: 0, i32: i32::MIN, i64: i64::MIN);

/// Where the codes of a row come from.
///
/// The array of codes holds one constant that passes every limit above the least code, the columns of numbers, a second version of those whose
/// missing values go to both sides (there they have the least code), whether features are missing, and the conditions.
#[derive(Debug, Clone)]
pub struct Slots {
    layout: Layout,
    /// For each column of numbers its feature.
    pub features: Vec<u32>,
    /// The key that stands for a missing value.
    replace: Vec<i64>,
    /// Whether the numbers around 0 count as missing.
    band: Vec<bool>,
    any_band: bool,
    /// Columns with a second version: the first so many.
    second: usize,
    presences: Vec<(u32, Rule)>,
    conditions: Conditions,
}

impl Slots {
    /// The slots of a forest.
    pub fn new(lowered: &Lowered<'_>) -> Self {
        let numbers = &lowered.numbers;
        let replace = |number: &Number| match (number.rule, number.left, number.right) {
            (Rule::AsZero, _, _) => 0,
            (_, true, false) => i64::MIN,
            _ => i64::MAX,
        };
        let band: Vec<bool> = numbers.iter().map(|number| number.rule == Rule::ZeroOrNan).collect();
        Self {
            layout: lowered.forest.layout().clone(),
            features: numbers.iter().map(|number| number.feature).collect(),
            replace: numbers.iter().map(replace).collect(),
            any_band: band.contains(&true),
            band,
            second: numbers.iter().take_while(|number| number.both()).count(),
            presences: lowered.presences.clone(),
            conditions: lowered.conditions.clone(),
        }
    }

    /// Codes of a row.
    pub fn count(&self) -> usize {
        1 + self.features.len() + self.second + self.presences.len() + self.conditions.count
    }

    /// Bytes of its lists and of the tables of conditions.
    pub fn bytes(&self) -> usize {
        self.features.len() * (size_of::<u32>() + size_of::<i64>() + 1) + self.conditions.bytes()
    }

    /// Reads its lists and tables.
    pub fn prefetch(&self) {
        super::warm(&self.features);
        super::warm(&self.replace);
        self.conditions.prefetch();
    }

    /// The slot of a test, and the first code that goes right, which `limit` gives for a column of numbers and a bound.
    pub fn place<C: Code>(&self, test: Test, limit: impl Fn(usize, i64) -> C) -> (usize, C) {
        let behind = 1 + self.features.len() + self.second;
        match test {
            Test::Below { column, missing, bound } => {
                let column = column as usize;
                let second = missing == Side::Left && column < self.second;
                (1 + column + if second { self.features.len() } else { 0 }, limit(column, bound))
            }
            Test::Missing(index) => (behind + index as usize, C::ONE),
            Test::Condition(index) => (behind + self.presences.len() + index as usize, C::ONE),
            Test::Never => (0, C::LEAST),
        }
    }

    /// Keys of the columns of numbers, for features of float32.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // keys of float32 have 32 bits; a float64 is rounded on purpose
    pub fn keys32<T: Value>(&self, row: &[T], keys: &mut [i32]) {
        for (key, &feature) in keys.iter_mut().zip(&self.features) {
            *key = key32(row[feature as usize].widen() as f32);
        }
        for (key, &replace) in keys.iter_mut().zip(&self.replace) {
            if *key == i32::MAX {
                *key = replace.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
            }
        }
        if self.any_band {
            let (low, high) = zero_band(Precision::F32);
            for ((key, &replace), _) in keys.iter_mut().zip(&self.replace).zip(&self.band).filter(|(_, band)| **band) {
                if (low..=high).contains(&i64::from(*key)) {
                    *key = replace.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
                }
            }
        }
    }

    /// Keys of the columns of numbers, for features of float64.
    #[inline(always)]
    pub fn keys64<T: Value>(&self, row: &[T], keys: &mut [i64]) {
        for (key, &feature) in keys.iter_mut().zip(&self.features) {
            *key = key64(row[feature as usize].widen());
        }
        for (key, &replace) in keys.iter_mut().zip(&self.replace) {
            *key = if *key == i64::MAX { replace } else { *key };
        }
        if self.any_band {
            let (low, high) = zero_band(Precision::F64);
            for ((key, &replace), _) in keys.iter_mut().zip(&self.replace).zip(&self.band).filter(|(_, band)| **band) {
                if (low..=high).contains(key) {
                    *key = replace;
                }
            }
        }
    }

    /// Everything in an array of codes but the columns of numbers, which are there already; `missing` gives the code of a missing
    /// value in a column that has a second version.
    #[inline(always)]
    pub fn complete<T: Value, C: Code>(&self, row: &[T], codes: &mut [C], missing: impl Fn(usize) -> C) {
        codes[0] = C::LEAST;
        let (first, rest) = codes[1..].split_at_mut(self.features.len());
        let (second, rest) = rest.split_at_mut(self.second);
        for (column, (second, first)) in second.iter_mut().zip(first).enumerate() {
            *second = if *first == missing(column) { C::LEAST } else { *first };
        }
        let read = |feature: u32| reference::read(&self.layout, row[feature as usize].widen());
        let (presences, conditions) = rest.split_at_mut(self.presences.len());
        for (out, &(feature, rule)) in presences.iter_mut().zip(&self.presences) {
            let value = read(feature);
            let missing = value.is_nan() || rule == Rule::ZeroOrNan && value.abs() <= crate::ir::forest::ZERO_BAND;
            *out = if missing { C::LEAST } else { C::ONE };
        }
        self.conditions.each(&self.layout, read, |index, holds| {
            conditions[index] = if holds { C::ONE } else { C::LEAST };
        });
    }
}
