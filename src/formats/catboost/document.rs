//! What a `CatBoost` file says, whether it is written in binary or in JSON, before it means anything.

use crate::error::{Error, Result};

/// How a column of numbers treats NaN.
#[allow(clippy::enum_variant_names)] // the library's own names
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NanTreatment {
    /// It compares as NaN does: above no border.
    AsIs,
    /// It is below all borders.
    AsFalse,
    /// It is above all borders.
    AsTrue,
}

impl NanTreatment {
    /// The treatment of this name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "AsIs" => Ok(Self::AsIs),
            "AsFalse" => Ok(Self::AsFalse),
            "AsTrue" => Ok(Self::AsTrue),
            _ => Err(Error::malformed(format!("nan_value_treatment '{name}' is none of AsIs, AsFalse, AsTrue"))),
        }
    }

    /// The treatment of this number.
    pub fn from_number(number: u8) -> Result<Self> {
        match number {
            0 => Ok(Self::AsIs),
            1 => Ok(Self::AsFalse),
            2 => Ok(Self::AsTrue),
            _ => Err(Error::malformed(format!("NanValueTreatment {number} is none of 0 to 2"))),
        }
    }
}

/// Where a feature lies, and its name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Position {
    /// Among the features of its kind; splits and combinations refer to it.
    pub index: i32,
    /// Among all columns of a row.
    pub flat: i32,
    /// Empty when it has none.
    pub name: String,
}

/// A column of numbers.
#[derive(Debug, Clone)]
pub struct FloatFeature {
    /// Where it lies.
    pub position: Position,
    /// Borders, ascending.
    pub borders: Vec<f32>,
    /// Whether there were NaN in training; without them their treatment does not count.
    pub has_nans: bool,
    /// What NaN does.
    pub nan: NanTreatment,
}

/// A column of categories.
#[derive(Debug, Clone)]
pub struct CategoryFeature {
    /// Where it lies.
    pub position: Position,
}

/// Categories that are tested for one by one.
#[derive(Debug, Clone)]
pub struct OneHotFeature {
    /// Index of the category feature.
    pub index: i32,
    /// Hashes of the categories.
    pub values: Vec<i32>,
}

/// What a statistic is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CtrType {
    /// Share of the rows above a target border.
    Borders,
    /// Share of the rows between two target borders.
    Buckets,
    /// Mean of the binarized target.
    BinarizedTargetMeanValue,
    /// Mean of the target.
    FloatTargetMeanValue,
    /// How often the combination occurs, out of the most frequent one.
    Counter,
    /// How often the combination occurs, out of all rows.
    FeatureFreq,
}

impl CtrType {
    /// In the order of their numbers.
    const ALL: [(Self, &'static str); 6] = [
        (Self::Borders, "Borders"),
        (Self::Buckets, "Buckets"),
        (Self::BinarizedTargetMeanValue, "BinarizedTargetMeanValue"),
        (Self::FloatTargetMeanValue, "FloatTargetMeanValue"),
        (Self::Counter, "Counter"),
        (Self::FeatureFreq, "FeatureFreq"),
    ];

    /// The type of this name.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind).ok_or_else(|| {
            Error::unsupported(format!("ctr type '{name}' is not known; re-export the model without it"))
        })
    }

    /// The type of this number.
    pub fn from_number(number: u8) -> Result<Self> {
        Self::ALL.get(usize::from(number)).map(|(kind, _)| *kind).ok_or_else(|| {
            Error::unsupported(format!("ctr type {number} is not known; re-export the model without it"))
        })
    }

    /// Whether the table holds a sum and a count.
    pub fn is_mean(self) -> bool {
        matches!(self, Self::BinarizedTargetMeanValue | Self::FloatTargetMeanValue)
    }

    /// Whether the table holds a single count.
    pub fn is_count(self) -> bool {
        matches!(self, Self::Counter | Self::FeatureFreq)
    }
}

/// A border of a float feature; compared by its bits, as it is copied from one place of a file to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FloatSplit {
    /// Index of the float feature.
    pub index: i32,
    /// Bits of the border.
    pub border: u32,
}

/// What identifies a table: a combination of features and a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CtrBase {
    /// Indices of category features.
    pub categories: Vec<i32>,
    /// Float features above borders.
    pub floats: Vec<FloatSplit>,
    /// Category features of exact values: index and hash.
    pub one_hots: Vec<(i32, i32)>,
    /// What is computed.
    pub kind: CtrType,
    /// Which of several binarizations of the target.
    pub classifier: i32,
}

/// A statistic and its borders.
#[derive(Debug, Clone)]
pub struct CtrFeature {
    /// Its table.
    pub base: CtrBase,
    /// Which border or bucket of the target.
    pub target_border: i32,
    /// Added to the numerator.
    pub prior: f32,
    /// Added to the denominator.
    pub weight: f32,
    /// Added to the quotient.
    pub shift: f32,
    /// Factor at the end.
    pub scale: f32,
    /// Borders, ascending.
    pub borders: Vec<f32>,
}

/// The counts behind statistics.
#[derive(Debug, Clone)]
pub struct CtrTable {
    /// What identifies it.
    pub base: CtrBase,
    /// Key of a combination and the place of its counts.
    pub keys: Vec<(u64, u32)>,
    /// Counts, `stride` of them per place.
    pub counts: Vec<i32>,
    /// Sums, one per place, for means.
    pub sums: Vec<f32>,
    /// Counts per place.
    pub stride: usize,
    /// Denominator of counters.
    pub denominator: i32,
}

/// A place in a tree that is not symmetric, as both kinds of file describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Splits on the border of this number; then left and right.
    Split(usize, usize, usize),
    /// The leaf whose values begin here.
    Leaf(usize),
}

/// The columns of a model.
#[derive(Debug, Clone, Default)]
pub struct Features {
    /// Columns of numbers.
    pub floats: Vec<FloatFeature>,
    /// Columns of categories.
    pub categories: Vec<CategoryFeature>,
    /// Categories that are tested for.
    pub one_hots: Vec<OneHotFeature>,
    /// Statistics.
    pub ctrs: Vec<CtrFeature>,
}

/// The sum's factor and the numbers added behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleBias {
    /// Factor of the sum.
    pub scale: f64,
    /// One per margin, or none at all.
    pub bias: Vec<f64>,
}

/// The refusal of features that need more than numbers and categories.
pub fn refuse_feature(kind: &str, name: &str) -> Error {
    let name = if name.is_empty() { String::new() } else { format!(" '{name}'") };
    Error::unsupported(format!(
        "the {kind} feature{name} needs {kind} processing, which is not read; train the model without {kind} features"
    ))
}
