//! Columns of a row, and the statistics of categories: from the file's description to [`ir::derived`](crate::ir::derived).

use super::document::{CtrBase, CtrFeature, CtrTable, CtrType, Features, Position};
use super::trees::missing_side;
use crate::error::{Error, Result, Within};
use crate::ir::Derived;
use crate::ir::derived::{CategoryColumn, Combination, Condition, Fraction, Statistic, Table};
use crate::ir::forest::Side;
use crate::limits;
use hashbrown::HashMap;

/// The columns of a caller's row.
#[derive(Debug)]
pub struct Columns {
    /// How many there are.
    pub count: usize,
    /// Column and NaN's side of each float feature, by its index.
    floats: HashMap<i32, (u32, Side)>,
    /// Place among the columns of categories of each category feature, by its index.
    places: HashMap<i32, u32>,
    /// The columns of categories, ascending.
    categories: Vec<u32>,
}

fn column(position: &Position) -> Result<u32> {
    let column = u32::try_from(position.flat)
        .map_err(|_| Error::malformed(format!("a feature lies at column {}", position.flat)))?;
    limits::check("columns", column as usize + 1, limits::FEATURES)?;
    Ok(column)
}

impl Columns {
    /// The columns of these features.
    pub fn new(features: &Features) -> Result<Self> {
        let mut count = 0;
        let mut floats = HashMap::new();
        for feature in &features.floats {
            let column = column(&feature.position)?;
            count = count.max(column as usize + 1);
            let side = missing_side(feature.has_nans, feature.nan);
            if floats.insert(feature.position.index, (column, side)).is_some() {
                return Err(Error::malformed(format!("two float features have the index {}", feature.position.index)));
            }
        }
        let mut order = limits::vec("columns of categories", features.categories.len())?;
        for feature in &features.categories {
            order.push((column(&feature.position)?, feature.position.index));
        }
        order.sort_unstable();
        let mut places = HashMap::new();
        for (place, &(column, index)) in order.iter().enumerate() {
            count = count.max(column as usize + 1);
            let place = u32::try_from(place).map_err(|_| Error::limit("too many columns"))?;
            if places.insert(index, place).is_some() {
                return Err(Error::malformed(format!("two category features have the index {index}")));
            }
        }
        let categories = order.into_iter().map(|(column, _)| column).collect();
        Ok(Self { count, floats, places, categories })
    }

    /// Whether the row holds categories.
    pub fn has_categories(&self) -> bool {
        !self.categories.is_empty()
    }

    fn place(&self, index: i32) -> Result<u32> {
        let place = self.places.get(&index).copied();
        place.ok_or_else(|| Error::malformed(format!("category feature {index} is used but not described")))
    }

    /// The columns that a combination is made of, once for each time it names them.
    pub fn of(&self, base: &CtrBase) -> Vec<usize> {
        let float = |index: &i32| self.floats.get(index).map(|(column, _)| *column as usize);
        let category = |index: &i32| self.places.get(index).map(|place| self.categories[*place as usize] as usize);
        let floats = base.floats.iter().filter_map(|split| float(&split.index));
        let one_hots = base.one_hots.iter().filter_map(|(index, _)| category(index));
        floats.chain(base.categories.iter().filter_map(category)).chain(one_hots).collect()
    }

    /// The column of each one-hot feature.
    pub fn one_hots(&self, features: &Features) -> Result<Vec<u32>> {
        let column = |index| self.place(index).map(|place| self.categories[place as usize]);
        features.one_hots.iter().map(|feature| column(feature.index)).collect()
    }

    /// Names of the columns: those of the file, else the column's number, as the library has it. None when most columns are not
    /// described at all.
    pub fn names(&self, features: &Features) -> Option<Vec<String>> {
        let described = features.floats.len() + features.categories.len();
        if self.count > 2 * described + 1024 {
            return None;
        }
        let mut names: Vec<String> = (0..self.count).map(|column| column.to_string()).collect();
        let floats = features.floats.iter().map(|feature| &feature.position);
        for position in floats.chain(features.categories.iter().map(|feature| &feature.position)) {
            if let Some(name) = usize::try_from(position.flat).ok().and_then(|column| names.get_mut(column))
                && !position.name.is_empty()
            {
                name.clone_from(&position.name);
            }
        }
        Some(names)
    }

    fn combination(&self, base: &CtrBase) -> Result<Combination> {
        let categories = base.categories.iter().map(|&index| self.place(index)).collect::<Result<_>>()?;
        let mut conditions = Vec::new();
        for split in &base.floats {
            let Some(&(column, missing)) = self.floats.get(&split.index) else {
                return Err(Error::malformed(format!("float feature {} is used but not described", split.index)));
            };
            conditions.push(Condition::Above { column, border: f32::from_bits(split.border), missing });
        }
        for &(index, hash) in &base.one_hots {
            conditions.push(Condition::Is { category: self.place(index)?, hash: hash.cast_unsigned() });
        }
        Ok(Combination { categories, conditions })
    }

    /// From a caller's row to the row that the trees split on.
    pub fn derive(&self, features: &Features, tables: Vec<CtrTable>) -> Result<Derived> {
        let mut categories = limits::vec("columns of categories", self.categories.len())?;
        categories.extend(self.categories.iter().map(|&column| CategoryColumn {
            column,
            members: HashMap::new(),
            used: false,
        }));
        for feature in &features.one_hots {
            let category = &mut categories[self.place(feature.index)? as usize];
            category.used = true;
            for (member, &value) in feature.values.iter().enumerate() {
                let member = u32::try_from(member).map_err(|_| Error::limit("too many categories"))?;
                category.members.entry(value.cast_unsigned()).or_insert(member);
            }
        }
        let mut found: HashMap<CtrBase, CtrTable> =
            tables.into_iter().map(|table| (table.base.clone(), table)).collect();
        let mut made = Made::default();
        for (index, ctr) in features.ctrs.iter().enumerate() {
            self.add(ctr, &mut found, &mut made).within(|| format!("ctr {index}"))?;
        }
        for combination in &made.combinations {
            let tested = combination.conditions.iter().filter_map(|condition| match condition {
                Condition::Is { category, .. } => Some(*category),
                Condition::Above { .. } => None,
            });
            for category in combination.categories.iter().copied().chain(tested) {
                categories[category as usize].used = true;
            }
        }
        Derived::new(self.count, categories, made.combinations, made.tables, made.statistics)
    }

    fn add(&self, ctr: &CtrFeature, found: &mut HashMap<CtrBase, CtrTable>, made: &mut Made) -> Result<()> {
        let table = match made.by_base.get(&ctr.base) {
            Some(&known) => known,
            None => made.push(self.combination(&ctr.base)?, &ctr.base, found)?,
        };
        let class =
            |border: i32| u32::try_from(border).map_err(|_| Error::malformed(format!("its target border is {border}")));
        let fraction = match ctr.base.kind {
            // With two classes the library does not look at the border.
            CtrType::Borders if table.stride <= 2 => Fraction::FromClass(1),
            CtrType::Borders => Fraction::FromClass(class(ctr.target_border)?.saturating_add(1)),
            CtrType::Buckets => Fraction::OfClass(class(ctr.target_border)?),
            CtrType::BinarizedTargetMeanValue | CtrType::FloatTargetMeanValue => Fraction::Mean,
            CtrType::Counter | CtrType::FeatureFreq => Fraction::Share(table.denominator),
        };
        made.statistics.push(Statistic {
            combination: table.combination,
            table: table.index,
            fraction,
            prior: ctr.prior,
            weight: ctr.weight,
            shift: ctr.shift,
            scale: ctr.scale,
        });
        Ok(())
    }
}

/// A table that is in use.
#[derive(Debug, Clone, Copy)]
struct Known {
    index: u32,
    combination: u32,
    stride: usize,
    denominator: i32,
}

#[derive(Debug, Default)]
struct Made {
    combinations: Vec<Combination>,
    tables: Vec<Table>,
    statistics: Vec<Statistic>,
    by_base: HashMap<CtrBase, Known>,
}

impl Made {
    fn push(
        &mut self,
        combination: Combination,
        base: &CtrBase,
        found: &mut HashMap<CtrBase, CtrTable>,
    ) -> Result<Known> {
        let table = found.remove(base).ok_or_else(|| Error::malformed("the file holds no table for it"))?;
        let number = |count: usize| u32::try_from(count).map_err(|_| Error::limit("too many statistics"));
        // Tables of different types share a combination, and the statistics over them its key.
        let combination = match self.combinations.last() {
            Some(last) if *last == combination => number(self.combinations.len() - 1)?,
            _ => {
                self.combinations.push(combination);
                number(self.combinations.len() - 1)?
            }
        };
        let known = Known {
            index: number(self.tables.len())?,
            combination,
            stride: table.stride,
            denominator: table.denominator,
        };
        self.tables.push(Table::new(table.keys.into_iter(), table.counts, table.sums, table.stride)?);
        self.by_base.insert(base.clone(), known);
        Ok(known)
    }
}
