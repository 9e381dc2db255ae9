//! Statistics of categories in JSON: combinations of features, and the tables of `ctr_data`.

use super::document::{CtrBase, CtrTable, CtrType, FloatSplit};
use super::number::Single;
use crate::codec;
use crate::error::{Error, Result};
use crate::limits;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// One feature of a combination.
#[derive(Debug, Deserialize)]
pub struct Element {
    #[serde(rename = "combination_element")]
    what: String,
    #[serde(default)]
    cat_feature_index: Option<i32>,
    #[serde(default)]
    float_feature_index: Option<i32>,
    #[serde(default)]
    border: Option<Single>,
    #[serde(default)]
    value: Option<i32>,
}

/// The name of a table.
#[derive(Debug, Deserialize)]
struct Identifier {
    identifier: Vec<Element>,
    #[serde(rename = "type")]
    kind: String,
}

/// Tables by their identifiers.
#[derive(Debug, Default)]
pub struct Tables(pub Vec<(String, HashTable)>);

impl<'de> Deserialize<'de> for Tables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Tables;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("tables of statistics by their identifiers")
            }

            fn visit_unit<E>(self) -> std::result::Result<Tables, E> {
                Ok(Tables::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Tables, A::Error> {
                let mut tables = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    tables.push(entry);
                }
                Ok(Tables(tables))
            }
        }

        deserializer.deserialize_any(Pairs)
    }
}

/// A table without its name.
#[derive(Debug, Deserialize)]
pub struct HashTable {
    hash_map: Entries,
    #[serde(default)]
    counter_denominator: i32,
}

impl HashTable {
    /// Whether some number is no whole one.
    pub fn has_fractions(&self) -> bool {
        self.hash_map.numbers.iter().any(|number| number.trunc() != *number)
    }
}

/// A list of keys, each as text and followed by its numbers.
#[derive(Debug)]
struct Entries {
    keys: Vec<u64>,
    numbers: Vec<f64>,
    stride: usize,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Item;
        enum Found {
            Key(u64),
            Number(f64),
        }

        #[allow(clippy::cast_precision_loss)]
        impl Visitor<'_> for Item {
            type Value = Found;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key as text, or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Found, E> {
                text.parse().map(Found::Key).map_err(|_| E::custom(format_args!("'{text:.40}' is no key of 64 bits")))
            }

            fn visit_f64<E>(self, number: f64) -> std::result::Result<Found, E> {
                Ok(Found::Number(number))
            }

            fn visit_i64<E>(self, number: i64) -> std::result::Result<Found, E> {
                Ok(Found::Number(number as f64))
            }

            fn visit_u64<E>(self, number: u64) -> std::result::Result<Found, E> {
                Ok(Found::Number(number as f64))
            }
        }

        impl<'de> Deserialize<'de> for Found {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                deserializer.deserialize_any(Item)
            }
        }

        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("keys and their numbers")
            }

            fn visit_unit<E>(self) -> std::result::Result<Entries, E> {
                Ok(Entries { keys: Vec::new(), numbers: Vec::new(), stride: 1 })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Entries, A::Error> {
                let (mut keys, mut numbers) = (Vec::new(), Vec::new());
                let mut stride = None;
                while let Some(item) = list.next_element()? {
                    match item {
                        Found::Key(key) => {
                            if keys.len() == 1 && stride.is_none() {
                                stride = Some(numbers.len());
                            }
                            if stride.is_some_and(|stride| stride * keys.len() != numbers.len()) {
                                while list.next_element::<IgnoredAny>()?.is_some() {}
                                return Err(de::Error::custom("the keys of a table have different numbers of counts"));
                            }
                            keys.push(key);
                        }
                        Found::Number(_) if keys.is_empty() => {
                            return Err(de::Error::custom("a count stands before the first key"));
                        }
                        Found::Number(number) => numbers.push(number),
                    }
                }
                let stride = stride.unwrap_or(numbers.len()).max(1);
                if stride.checked_mul(keys.len()) != Some(numbers.len()) {
                    return Err(de::Error::custom("the keys of a table have different numbers of counts"));
                }
                Ok(Entries { keys, numbers, stride })
            }
        }

        deserializer.deserialize_any(List)
    }
}

/// The combination and the type of a table.
pub fn ctr_base(elements: Vec<Element>, kind: &str) -> Result<CtrBase> {
    let (mut categories, mut floats, mut one_hots) = (Vec::new(), Vec::new(), Vec::new());
    for element in elements {
        let Element { what, cat_feature_index, float_feature_index, border, value } = element;
        match (what.as_str(), cat_feature_index, float_feature_index, border, value) {
            ("cat_feature_value", Some(index), ..) => categories.push(index),
            ("float_feature", _, Some(index), Some(border), _) => {
                floats.push(FloatSplit { index, border: border.0.to_bits() });
            }
            ("cat_feature_exact_value", Some(index), _, _, Some(value)) => one_hots.push((index, value)),
            _ => {
                return Err(Error::malformed(format!("the combination_element '{what}' is not known or not complete")));
            }
        }
    }
    Ok(CtrBase { categories, floats, one_hots, kind: CtrType::from_name(kind)?, classifier: 0 })
}

/// A table of the file.
#[allow(clippy::cast_possible_truncation)]
pub fn ctr_table(identifier: &str, table: HashTable) -> Result<CtrTable> {
    let identifier: Identifier = codec::json::typed(identifier.as_bytes())?;
    let base = ctr_base(identifier.identifier, &identifier.kind)?;
    let entries = table.hash_map;
    let whole = |number: &f64| {
        if number.trunc() == *number && number.abs() <= f64::from(i32::MAX) {
            return Ok(*number as i32);
        }
        Err(Error::malformed(format!("{number} is no count")))
    };
    let (counts, sums, stride) = if base.kind.is_mean() {
        if entries.stride != 2 && !entries.keys.is_empty() {
            return Err(Error::malformed(format!("a mean has 2 numbers per key, not {}", entries.stride)));
        }
        let pairs = || entries.numbers.chunks_exact(2);
        (
            pairs().map(|pair| whole(&pair[1])).collect::<Result<_>>()?,
            // The library's reader asks for an integer and takes any other number as 0.
            pairs().map(|pair| if pair[0].trunc() == pair[0] { pair[0] as f32 } else { 0.0 }).collect(),
            1,
        )
    } else {
        (entries.numbers.iter().map(whole).collect::<Result<_>>()?, Vec::new(), entries.stride)
    };
    limits::check("classes of a table", stride, limits::OUTPUTS)?;
    let mut keys = limits::vec("keys", entries.keys.len())?;
    for (place, key) in entries.keys.into_iter().enumerate() {
        keys.push((key, u32::try_from(place).map_err(|_| Error::limit("too many keys"))?));
    }
    Ok(CtrTable { base, keys, counts, sums, stride, denominator: table.counter_denominator })
}
