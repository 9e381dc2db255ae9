//! The integers that the nodes of a forest compare, and where each of them comes from in a row.

use super::super::{Number as Value, reference};
use super::condition::Conditions;
use super::key::{above, key32, key64, zero_band};
use super::lines::Plain;
use super::lowered::{Lowered, Number, Rule, Test};
#[cfg(target_arch = "x86_64")]
use super::ranks::Ranks;
#[cfg(target_arch = "x86_64")]
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
    /// The number of a code that is not negative.
    fn number(self) -> usize;
    /// Codes that are bytes.
    fn bytes(codes: &mut [Self]) -> Option<&mut [u8]>;
}

macro_rules! code {
    ($($type:ty: $least:expr, $bytes:expr;)*) => { $(impl Code for $type {
        const LEAST: Self = $least;
        const ONE: Self = 1;
        #[inline(always)]
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_lossless)]
        fn of(value: i64) -> Self {
            debug_assert!(Self::try_from(value).is_ok());
            value as $type
        }

        #[inline(always)]
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_lossless)]
        fn number(self) -> usize {
            self as usize
        }

        #[inline(always)]
        fn bytes(codes: &mut [Self]) -> Option<&mut [u8]> {
            ($bytes)(codes)
        }
    })* };
}
code!(u8: 0, Some; u16: 0, |_| None; i32: i32::MIN, |_| None; i64: i64::MIN, |_| None;);

/// What stands for a missing value, among keys of 32 bits.
#[allow(clippy::cast_possible_truncation)]
fn narrow_key(replace: i64) -> i32 {
    replace.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// The same among the upper halves of keys of 64 bits.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::cast_possible_truncation)]
fn upper_key(input: Precision, replace: i64) -> i32 {
    match input {
        Precision::F32 => narrow_key(replace),
        Precision::F64 => (replace >> 32) as i32,
    }
}

/// Which slots there are besides the columns of numbers and what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Second versions of columns; without them, a kernel tells missing values from others by their code.
    pub second: bool,
    /// Conditions on categories; without them, a kernel asks for itself.
    pub conditions: bool,
}

impl Parts {
    /// Everything that a node can ask.
    pub const ALL: Self = Self { second: true, conditions: true };
}

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
    /// The keys of the numbers around 0.
    band_keys: (i64, i64),
    /// Columns with a second version: the first so many.
    second: usize,
    /// Features sixteen by sixteen, for the widest vectors.
    #[cfg(target_arch = "x86_64")]
    pub groups: super::groups::Groups,
    presences: Vec<(u32, Rule)>,
    conditions: Conditions,
}

impl Slots {
    /// The slots of a forest.
    pub fn new(lowered: &Lowered<'_>, parts: Parts) -> Self {
        let (numbers, input) = (&lowered.numbers, lowered.forest.layout().input);
        let replace = |number: &Number| match (number.rule, number.left, number.right) {
            (Rule::AsZero, _, _) => 0,
            (_, true, false) => i64::MIN,
            (_, false, _) => above(input),
            _ => i64::MAX,
        };
        let replace: Vec<i64> = numbers.iter().map(replace).collect();
        let band: Vec<bool> = numbers.iter().map(|number| number.rule == Rule::ZeroOrNan).collect();
        Self {
            layout: lowered.forest.layout().clone(),
            features: numbers.iter().map(|number| number.feature).collect(),
            any_band: band.contains(&true),
            band_keys: zero_band(input),
            second: if parts.second { numbers.iter().take_while(|number| number.both()).count() } else { 0 },
            #[cfg(target_arch = "x86_64")]
            groups: super::groups::Groups::new(lowered, |column| (upper_key(input, replace[column]), band[column])),
            band,
            replace,
            presences: lowered.presences.clone(),
            conditions: if parts.conditions { lowered.conditions.clone() } else { Conditions::default() },
        }
    }

    /// Columns of a row, at least.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub fn width(&self) -> usize {
        self.layout.features
    }

    /// The largest code of a slot.
    pub fn most(&self, lowered: &Lowered<'_>, slot: usize) -> usize {
        let number = |column: usize| lowered.numbers[column].most();
        let (first, behind) = (self.features.len(), self.features.len() + self.second);
        match slot {
            0 => 0,
            slot if slot <= first => number(slot - 1),
            slot if slot <= behind => number(slot - 1 - first),
            _ => 1,
        }
    }

    /// The categories of a row, column by column of `conditions`, as states.
    #[inline]
    pub fn states<T: Value>(&self, conditions: &Conditions, row: &[T], mut put: impl FnMut(usize, usize)) {
        for (index, column) in conditions.columns.iter().enumerate() {
            let value = reference::read(&self.layout, row[column.feature as usize].widen());
            put(index, column.state(&self.layout, value));
        }
    }

    /// The type of the features.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub fn input(&self) -> Precision {
        self.layout.input
    }

    /// The key that stands for a missing value in a column, of float64 its upper half, and whether the numbers around 0 are missing there.
    #[cfg(target_arch = "x86_64")]
    pub fn stand_in(&self, column: usize) -> (i32, bool) {
        (upper_key(self.layout.input, self.replace[column]), self.band[column])
    }

    /// The keys of the numbers around 0, where they are missing in some columns.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub fn band(&self) -> Option<(i64, i64)> {
        self.any_band.then_some(self.band_keys)
    }

    /// Codes of a row.
    pub fn count(&self) -> usize {
        self.behind() + self.conditions.count
    }

    /// Codes of a row before the conditions.
    pub fn behind(&self) -> usize {
        1 + self.features.len() + self.second + self.presences.len()
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

    /// The slot of a test, and the first code that goes right, which `code` gives for a column of numbers and its limit.
    pub fn place<C: Code>(&self, test: Test, code: impl Fn(usize, u32) -> C) -> (usize, C) {
        let behind = 1 + self.features.len() + self.second;
        match test {
            Test::Below { column, missing, limit } => {
                let column = column as usize;
                let second = missing == Side::Left && column < self.second;
                (1 + column + if second { self.features.len() } else { 0 }, code(column, limit))
            }
            Test::Missing(index) => (behind + index as usize, C::ONE),
            Test::Condition(index) => (behind + self.presences.len() + index as usize, C::ONE),
            Test::Never => (0, C::LEAST),
        }
    }

    /// The slot of a test, and which codes go left, of 8 bits each: those that are below the limit when a base is taken from them. So
    /// missing values may go to either side of a column that has no second version.
    #[cfg(target_arch = "x86_64")]
    pub fn range(&self, lowered: &Lowered<'_>, ranks: &Ranks, test: Test) -> (usize, u8, u8) {
        let (slot, limit) = self.place(test, |_, limit| super::narrow::<u8>(limit as usize));
        match test {
            Test::Below { column, missing: Side::Left, .. }
                if column as usize >= self.second && lowered.numbers[column as usize].both() =>
            {
                // The code of a missing value comes first in the range; the codes below the limit are what follows at the top.
                let missing: u8 = ranks.missing(column as usize);
                (slot, limit.wrapping_sub(missing), missing)
            }
            _ => (slot, limit, 0),
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
                *key = narrow_key(replace);
            }
        }
        if self.any_band {
            let (low, high) = self.band_keys;
            for ((key, &replace), _) in keys.iter_mut().zip(&self.replace).zip(&self.band).filter(|(_, band)| **band) {
                if (low..=high).contains(&i64::from(*key)) {
                    *key = narrow_key(replace);
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
            let (low, high) = self.band_keys;
            for ((key, &replace), _) in keys.iter_mut().zip(&self.replace).zip(&self.band).filter(|(_, band)| **band) {
                if (low..=high).contains(key) {
                    *key = replace;
                }
            }
        }
    }

    /// The key of a column of numbers, for features of float64.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub fn key64<T: Value>(&self, row: &[T], column: usize) -> i64 {
        let key = key64(row[self.features[column] as usize].widen());
        let (low, high) = self.band_keys;
        if key == i64::MAX || self.band[column] && (low..=high).contains(&key) { self.replace[column] } else { key }
    }

    /// Columns with a second version: the first so many.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub fn second(&self) -> usize {
        self.second
    }

    /// Calls `put` with the slot of every feature that is only asked whether it is missing, and whether it is not.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub fn presences<T: Value>(&self, row: &[T], mut put: impl FnMut(usize, bool)) {
        let first = 1 + self.features.len() + self.second;
        for (slot, &(feature, rule)) in (first..).zip(&self.presences) {
            let value = reference::read(&self.layout, row[feature as usize].widen());
            let missing = value.is_nan() || rule == Rule::ZeroOrNan && value.abs() <= crate::ir::forest::ZERO_BAND;
            put(slot, !missing);
        }
    }

    /// Everything in an array of codes but the columns of numbers, which are there already; `missing` gives the codes of a missing
    /// value, column by column.
    #[inline(always)]
    pub fn complete<T: Value, C: Code>(&self, row: &[T], codes: &mut [C], missing: impl Iterator<Item = C>) {
        codes[0] = C::LEAST;
        let (first, rest) = codes[1..].split_at_mut(self.features.len());
        let (second, rest) = rest.split_at_mut(self.second);
        for ((second, first), missing) in second.iter_mut().zip(first).zip(missing) {
            *second = if *first == missing { C::LEAST } else { *first };
        }
        self.rest(row, rest);
    }

    /// The slots behind the columns of numbers and their second versions.
    #[inline(always)]
    pub fn rest<T: Value, C: Code>(&self, row: &[T], rest: &mut [C]) {
        let read = |feature: u32| reference::read(&self.layout, row[feature as usize].widen());
        let (presences, conditions) = rest.split_at_mut(self.presences.len());
        for (out, &(feature, rule)) in presences.iter_mut().zip(&self.presences) {
            let value = read(feature);
            let missing = value.is_nan() || rule == Rule::ZeroOrNan && value.abs() <= crate::ir::forest::ZERO_BAND;
            *out = if missing { C::LEAST } else { C::ONE };
        }
        self.conditions.fill(&self.layout, read, conditions);
    }
}
