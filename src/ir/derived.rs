//! Columns that a forest splits on but a caller does not hand in: categories by their hashes, and statistics of categories.
//!
//! A derived row is the caller's row with each category replaced by its place among the categories that the forest tests for,
//! followed by one column per statistic. Source of the formulas: `CatBoost`'s ordered target statistics ("ctr").

use super::forest::Side;
use crate::error::{Error, Result, Within};
use crate::limits;
use hashbrown::HashMap;

/// A column of categories. A category is text; a whole number stands for its decimal digits. It is known by the low 32 bits of the
/// `CityHash64` (version 1.0) of its UTF-8 bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CategoryColumn {
    /// Column of the caller's row.
    pub column: u32,
    /// Hashes that the forest tests for, with the derived value of each; the others become -1.
    pub members: HashMap<u32, u32>,
    /// Whether anything depends on the column. A value of an unused column is not looked at.
    pub used: bool,
}

/// One bit of the key of a combination.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Condition {
    /// The number in this column is above the border, both in float32; `missing` is where NaN goes, right being above.
    Above {
        /// Column of the caller's row.
        column: u32,
        /// The border.
        border: f32,
        /// Where NaN goes.
        missing: Side,
    },
    /// The category has this hash.
    Is {
        /// Index into [`Derived::categories`].
        category: u32,
        /// The hash.
        hash: u32,
    },
}

/// What a row is looked up by: its categories, and whether it meets conditions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Combination {
    /// Indices into [`Derived::categories`], in the order of the key.
    pub categories: Vec<u32>,
    /// The bits behind them.
    pub conditions: Vec<Condition>,
}

/// Counts of the rows of the training data, by the key of their combination.
#[derive(Debug, Clone, Default)]
pub struct Table {
    places: HashMap<u64, u32>,
    counts: Vec<i32>,
    sums: Vec<f32>,
    stride: usize,
}

impl Table {
    /// A table of `stride` counts per place; `sums` holds one sum per place, or nothing.
    ///
    /// # Errors
    /// `MI_MALFORMED` when a key leads to a place that is not there, `MI_LIMIT_EXCEEDED` without memory.
    pub fn new(
        keys: impl ExactSizeIterator<Item = (u64, u32)>,
        counts: Vec<i32>,
        sums: Vec<f32>,
        stride: usize,
    ) -> Result<Self> {
        if stride == 0 || !counts.len().is_multiple_of(stride) {
            return Err(Error::malformed(format!("{} counts do not make rows of {stride}", counts.len())));
        }
        let available = counts.len() / stride;
        if !sums.is_empty() && sums.len() != available {
            return Err(Error::malformed(format!("{} sums for {available} counts", sums.len())));
        }
        let mut places = HashMap::new();
        places
            .try_reserve(keys.len())
            .map_err(|_| Error::limit(format!("no memory for {} keys of a table", keys.len())))?;
        for (key, place) in keys {
            if place as usize >= available {
                return Err(Error::malformed(format!("key {key} leads to place {place} of {available}")));
            }
            places.entry(key).or_insert(place);
        }
        Ok(Self { places, counts, sums, stride })
    }

    /// Counts of the rows with this key, and their sum where the table holds sums.
    #[inline]
    #[must_use]
    pub fn get(&self, key: u64) -> Option<(&[i32], f32)> {
        let place = *self.places.get(&key)? as usize;
        Some((&self.counts[place * self.stride..][..self.stride], self.sums.get(place).copied().unwrap_or(0.0)))
    }
}

/// How a place of a table becomes a fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fraction {
    /// Rows of classes from this one on, out of all.
    FromClass(u32),
    /// Rows of this class, out of all.
    OfClass(u32),
    /// The sum, out of the count.
    Mean,
    /// The count, out of this number.
    Share(i32),
}

/// A derived number: `((numerator + prior) / (denominator + weight) + shift) * scale`, all in float32.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistic {
    /// Index into [`Derived::combinations`].
    pub combination: u32,
    /// Index into [`Derived::tables`].
    pub table: u32,
    /// Numerator and denominator.
    pub fraction: Fraction,
    /// Added to the numerator.
    pub prior: f32,
    /// Added to the denominator.
    pub weight: f32,
    /// Added to the quotient.
    pub shift: f32,
    /// The last factor.
    pub scale: f32,
}

/// How a caller's row becomes the row that a forest splits on.
#[derive(Debug, Clone, Default)]
pub struct Derived {
    columns: usize,
    categories: Vec<CategoryColumn>,
    combinations: Vec<Combination>,
    tables: Vec<Table>,
    statistics: Vec<Statistic>,
}

impl Derived {
    /// Checks every reference, once; evaluators trust the result.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a reference that leads nowhere, `MI_LIMIT_EXCEEDED` for sizes past the caps.
    pub fn new(
        columns: usize,
        categories: Vec<CategoryColumn>,
        combinations: Vec<Combination>,
        tables: Vec<Table>,
        statistics: Vec<Statistic>,
    ) -> Result<Self> {
        limits::check("columns", columns.saturating_add(statistics.len()), limits::FEATURES)?;
        let derived = Self { columns, categories, combinations, tables, statistics };
        for pair in derived.categories.windows(2) {
            if pair[0].column >= pair[1].column {
                return Err(Error::malformed("columns of categories are not in ascending order"));
            }
        }
        if let Some(last) = derived.categories.last()
            && last.column as usize >= columns
        {
            return Err(Error::malformed(format!("column {} of categories, of {columns} columns", last.column)));
        }
        for combination in &derived.combinations {
            derived.check_combination(combination)?;
        }
        for (index, statistic) in derived.statistics.iter().enumerate() {
            derived.check_statistic(statistic).within(|| format!("statistic {index}"))?;
        }
        Ok(derived)
    }

    fn check_combination(&self, combination: &Combination) -> Result<()> {
        let category = |index: u32| match self.categories.get(index as usize) {
            Some(category) if category.used => Ok(()),
            _ => Err(Error::malformed(format!(
                "a combination uses column {index} of the categories, which is not there"
            ))),
        };
        for &index in &combination.categories {
            category(index)?;
        }
        for condition in &combination.conditions {
            match *condition {
                Condition::Is { category: index, .. } => category(index)?,
                Condition::Above { column, .. } if column as usize >= self.columns => {
                    return Err(Error::malformed(format!("a combination uses column {column} of {}", self.columns)));
                }
                Condition::Above { .. } => {}
            }
        }
        Ok(())
    }

    fn check_statistic(&self, statistic: &Statistic) -> Result<()> {
        if statistic.combination as usize >= self.combinations.len() {
            return Err(Error::malformed("its combination does not exist"));
        }
        let Some(table) = self.tables.get(statistic.table as usize) else {
            return Err(Error::malformed("its table does not exist"));
        };
        let fits = match statistic.fraction {
            Fraction::FromClass(class) | Fraction::OfClass(class) => (class as usize) < table.stride,
            Fraction::Mean => table.stride == 1 && table.sums.len() == table.counts.len(),
            Fraction::Share(_) => table.stride == 1,
        };
        if fits {
            return Ok(());
        }
        Err(Error::malformed(format!("{:?} cannot be read from {} counts per key", statistic.fraction, table.stride)))
    }

    /// Columns of a caller's row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Columns of a derived row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns + self.statistics.len()
    }

    /// The columns of categories, in ascending order.
    #[must_use]
    pub fn categories(&self) -> &[CategoryColumn] {
        &self.categories
    }

    /// What the statistics look rows up by.
    #[must_use]
    pub fn combinations(&self) -> &[Combination] {
        &self.combinations
    }

    /// The tables of the statistics.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The derived numbers, in the order of their columns.
    #[must_use]
    pub fn statistics(&self) -> &[Statistic] {
        &self.statistics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(fraction: Fraction, category: u32) -> Result<Derived> {
        let table = Table::new([(7u64, 0u32)].into_iter(), vec![3, 4], Vec::new(), 2)?;
        let categories = vec![CategoryColumn { column: 1, members: HashMap::new(), used: true }];
        let combinations = vec![Combination { categories: vec![category], conditions: vec![] }];
        let statistic =
            Statistic { combination: 0, table: 0, fraction, prior: 0.5, weight: 1.0, shift: 0.0, scale: 1.0 };
        Derived::new(2, categories, combinations, vec![table], vec![statistic])
    }

    #[test]
    fn references_are_checked() {
        let sound = derived(Fraction::FromClass(1), 0).unwrap();
        assert_eq!((sound.columns(), sound.width()), (2, 3));
        for (broken, words) in [
            (derived(Fraction::FromClass(2), 0), "2 counts per key"),
            (derived(Fraction::Mean, 0), "2 counts per key"),
            (derived(Fraction::OfClass(0), 5), "column 5"),
        ] {
            assert!(broken.unwrap_err().message().contains(words));
        }
    }

    #[test]
    fn tables_hold_what_their_keys_promise() {
        let table = Table::new([(7u64, 1u32), (9, 0), (7, 0)].into_iter(), vec![1, 2], vec![0.5, 1.5], 1).unwrap();
        assert_eq!(table.get(7), Some((&[2][..], 1.5)), "the first of two equal keys counts");
        assert_eq!(table.get(8), None);
        assert!(Table::new([(7u64, 2u32)].into_iter(), vec![1, 2], vec![], 1).is_err());
        assert!(Table::new([].into_iter(), vec![1, 2, 3], vec![], 2).is_err());
    }
}
