//! The binary format: `CBM1`, the size of the core, the core as a flatbuffer, and the parts that the core announces, of which the
//! tables of statistics are one.
//!
//! Fields are named by their numbers in the schema (`model.fbs`, `features.fbs` and `ctr_data.fbs` of `CatBoost`); versions before 1.0
//! call the table of trees `TObliviousTrees` and fill in fewer of them.

use super::document::{
    CategoryFeature, CtrBase, CtrFeature, CtrTable, CtrType, Features, FloatFeature, FloatSplit, NanTreatment,
    OneHotFeature, Position, ScaleBias, Step, refuse_feature,
};
use super::info::Info;
use super::trees::{Grower, Leaves};
use crate::codec::flatbuffer::{Buffer, Table};
use crate::error::{Error, Result, Within};
use crate::ir::forest::Tree;
use crate::limits;
use std::ops::Range;

/// The first bytes of a file.
pub const MAGIC: &[u8; 4] = b"CBM1";
const VERSION: &str = "FlabuffersModel_v1";
const STATISTICS: &str = "static_provider_v1";
/// A place of an index that holds no key.
const NO_KEY: u64 = u64::MAX;

/// A file, split into its core and what follows.
#[derive(Debug)]
pub struct File<'a> {
    core: Buffer<'a>,
    parts: &'a [u8],
}

/// Four bytes that begin `bytes`, as a size, and what follows them.
fn size<'a>(bytes: &'a [u8], what: &str) -> Result<(usize, &'a [u8])> {
    let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| {
        Error::malformed(format!("the file ends before the size of {what}; it is cut off, copy it again"))
    })?;
    Ok((u32::from_le_bytes(*size) as usize, rest))
}

/// As many bytes as the size that begins `bytes` says, and what follows them.
fn sized<'a>(bytes: &'a [u8], what: &str) -> Result<(&'a [u8], &'a [u8])> {
    let (size, rest) = size(bytes, what)?;
    rest.split_at_checked(size).ok_or_else(|| {
        Error::malformed(format!(
            "{what} should have {size} bytes, {} are left; the file is cut off, copy it again",
            rest.len()
        ))
    })
}

fn numbers<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> Result<Vec<T>> {
    let (chunks, _) = bytes.as_chunks::<N>();
    let mut numbers = limits::vec("numbers", chunks.len())?;
    numbers.extend(chunks.iter().map(|chunk| read(*chunk)));
    Ok(numbers)
}

fn index(value: i32, what: &str) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::malformed(format!("{what} is {value}")))
}

impl<'a> File<'a> {
    /// Splits a file that begins with [`MAGIC`].
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| Error::malformed("a CatBoost model begins with CBM1"))?;
        let (core, parts) = sized(rest, "the core of the model")?;
        Ok(Self { core: Buffer::new(core), parts })
    }

    /// Reads the core, and the tables of the statistics behind it.
    pub fn read(&'a self) -> Result<(Model<'a>, Vec<CtrTable>)> {
        let root = self.core.root()?;
        let version = root.string(0)?.unwrap_or_default();
        if version != VERSION {
            return Err(Error::unsupported(format!("the core's format is '{version}', only '{VERSION}' is read")));
        }
        let trees = root.table(1)?.ok_or_else(|| Error::malformed("the core holds no trees"))?;
        let mut pairs = Vec::new();
        for pair in root.tables(2)? {
            pairs.push((pair.string(0)?.unwrap_or_default(), pair.string(1)?.unwrap_or_default()));
        }
        let features = features(&trees)?;
        let dimension = index(trees.i32(0, 0)?, "ApproxDimension")?;
        let bias = numbers(trees.vector(16, 8)?, f64::from_le_bytes)?;
        let bias = match (bias.is_empty(), trees.f64(15, 0.0)?) {
            (true, single) if single != 0.0 => vec![single],
            _ => bias,
        };
        let scale_bias = ScaleBias { scale: trees.f64(14, 1.0)?, bias };
        let mut tables = Vec::new();
        for part in root.strings(3)? {
            if part != STATISTICS {
                return Err(Error::unsupported(format!(
                    "the file has the part '{part}' for text or embedding features, which is not read; train the model without them"
                )));
            }
            tables = ctr_tables(self.parts).within(|| "tables of statistics")?;
        }
        let info = Info::from_pairs(pairs.into_iter())?;
        Ok((Model { features, dimension, scale_bias, info, trees }, tables))
    }
}

/// What the core says, but for the trees themselves.
#[derive(Debug)]
pub struct Model<'a> {
    /// Columns and statistics.
    pub features: Features,
    /// Values per leaf.
    pub dimension: usize,
    /// Factor and bias of the sum.
    pub scale_bias: ScaleBias,
    /// Metadata.
    pub info: Info,
    trees: Table<'a>,
}

/// Index, column and name, in the fields of these numbers.
fn position(table: &Table<'_>, [index, flat, name]: [usize; 3]) -> Result<Position> {
    Ok(Position {
        index: table.i32(index, -1)?,
        flat: table.i32(flat, -1)?,
        name: table.string(name)?.unwrap_or_default().to_owned(),
    })
}

fn features(trees: &Table<'_>) -> Result<Features> {
    for (field, kind) in [(12, "text"), (18, "embedding")] {
        if let Some(feature) = trees.tables(field)?.first() {
            return Err(refuse_feature(kind, feature.string(2)?.unwrap_or_default()));
        }
    }
    if !trees.vector(13, 4)?.is_empty() {
        return Err(refuse_feature("text or embedding", ""));
    }
    let category = |table: &Table<'_>| Ok(CategoryFeature { position: position(table, [0, 1, 2])? });
    let one_hot = |table: &Table<'_>| {
        let values = numbers(table.vector(1, 4)?, i32::from_le_bytes)?;
        Ok(OneHotFeature { index: table.i32(0, -1)?, values })
    };
    Ok(Features {
        floats: each(trees, 5, "float feature", float_feature)?,
        categories: each(trees, 4, "category feature", category)?,
        one_hots: each(trees, 6, "one-hot feature", one_hot)?,
        ctrs: each(trees, 7, "ctr", ctr_feature)?,
    })
}

/// Reads each table of a vector.
fn each<T>(trees: &Table<'_>, field: usize, what: &str, read: impl Fn(&Table<'_>) -> Result<T>) -> Result<Vec<T>> {
    let tables = trees.tables(field)?;
    let mut found = limits::vec(what, tables.len())?;
    for (index, table) in tables.iter().enumerate() {
        found.push(read(table).within(|| format!("{what} {index}"))?);
    }
    Ok(found)
}

fn float_feature(table: &Table<'_>) -> Result<FloatFeature> {
    Ok(FloatFeature {
        has_nans: table.u8(0, 0)? != 0,
        position: position(table, [1, 2, 4])?,
        borders: numbers(table.vector(3, 4)?, f32::from_le_bytes)?,
        nan: NanTreatment::from_number(table.u8(5, 0)?)?,
    })
}

fn ctr_base(table: &Table<'_>) -> Result<CtrBase> {
    let combination = table.table(0)?.ok_or_else(|| Error::malformed("it has no combination of features"))?;
    // An index and a word of four bytes.
    let pairs = |field| -> Result<Vec<(i32, u32)>> {
        let words = numbers(combination.vector(field, 8)?, u32::from_le_bytes)?;
        Ok(words.chunks_exact(2).map(|pair| (pair[0].cast_signed(), pair[1])).collect())
    };
    let floats = pairs(1)?.into_iter().map(|(index, border)| FloatSplit { index, border }).collect();
    let one_hots = pairs(2)?.into_iter().map(|(index, hash)| (index, hash.cast_signed())).collect();
    Ok(CtrBase {
        categories: numbers(combination.vector(0, 4)?, i32::from_le_bytes)?,
        floats,
        one_hots,
        kind: CtrType::from_number(table.u8(1, 0)?)?,
        classifier: table.i32(2, 0)?,
    })
}

fn ctr_feature(table: &Table<'_>) -> Result<CtrFeature> {
    let ctr = table.table(0)?.ok_or_else(|| Error::malformed("it has no description"))?;
    let base = ctr.table(0)?.ok_or_else(|| Error::malformed("it has no table"))?;
    Ok(CtrFeature {
        base: ctr_base(&base)?,
        target_border: ctr.i32(1, 0)?,
        prior: ctr.f32(2, 0.0)?,
        weight: ctr.f32(3, 1.0)?,
        shift: ctr.f32(4, 0.0)?,
        scale: ctr.f32(5, 1.0)?,
        borders: numbers(table.vector(1, 4)?, f32::from_le_bytes)?,
    })
}

/// The number of tables, then each as its size and a flatbuffer.
fn ctr_tables(bytes: &[u8]) -> Result<Vec<CtrTable>> {
    let (count, mut rest) = size(bytes, "the tables")?;
    let mut tables = Vec::new();
    for place in 0..count {
        let (table, behind) = sized(rest, "a table")?;
        let buffer = Buffer::new(table);
        tables.push(buffer.root().and_then(|root| ctr_table(&root)).within(|| format!("table {place}"))?);
        rest = behind;
    }
    Ok(tables)
}

fn ctr_table(root: &Table<'_>) -> Result<CtrTable> {
    let base = root.table(0)?.ok_or_else(|| Error::malformed("it says not what it is about"))?;
    let base = ctr_base(&base)?;
    let index_bytes = root.vector(1, 1)?;
    let blob = root.vector(2, 1)?;
    let stride =
        if base.kind.is_mean() || base.kind.is_count() { 1 } else { index(root.i32(4, 0)?, "TargetClassesCount")? };
    let (places, remainder) = index_bytes.as_chunks::<12>();
    let (words, odd) = blob.as_chunks::<4>();
    if !remainder.is_empty() || !odd.is_empty() || (base.kind.is_mean() && words.len() % 2 != 0) {
        return Err(Error::malformed(format!(
            "{} bytes of keys and {} bytes of counts are no whole entries",
            index_bytes.len(),
            blob.len()
        )));
    }
    let mut keys = limits::vec("keys", places.len())?;
    for place in places {
        let [k0, k1, k2, k3, k4, k5, k6, k7, v0, v1, v2, v3] = *place;
        let key = u64::from_le_bytes([k0, k1, k2, k3, k4, k5, k6, k7]);
        if key != NO_KEY {
            keys.push((key, u32::from_le_bytes([v0, v1, v2, v3])));
        }
    }
    let (counts, sums) = if base.kind.is_mean() {
        let pairs = || words.chunks_exact(2);
        (
            pairs().map(|pair| i32::from_le_bytes(pair[1])).collect(),
            pairs().map(|pair| f32::from_le_bytes(pair[0])).collect(),
        )
    } else {
        (words.iter().map(|word| i32::from_le_bytes(*word)).collect(), Vec::new())
    };
    Ok(CtrTable { base, keys, counts, sums, stride, denominator: root.i32(3, 0)? })
}

impl Model<'_> {
    /// Number of trees.
    pub fn trees(&self) -> Result<usize> {
        let trees = self.trees.vector(2, 4)?.len() / 4;
        limits::check("trees", trees, limits::TREES)?;
        Ok(trees)
    }

    /// The trees of these numbers.
    pub fn grow(&self, grower: &mut Grower<'_>, range: Range<usize>) -> Result<Vec<Tree>> {
        let (sizes, _) = self.trees.vector(2, 4)?.as_chunks::<4>();
        let (splits, _) = self.trees.vector(1, 4)?.as_chunks::<4>();
        let (steps, _) = self.trees.vector(10, 4)?.as_chunks::<4>();
        let (leaves, _) = self.trees.vector(11, 4)?.as_chunks::<4>();
        let (values, _) = self.trees.vector(8, 8)?.as_chunks::<8>();
        let (weights, _) = self.trees.vector(9, 8)?.as_chunks::<8>();
        let held = Leaves { values, weights };
        let split = |place: usize| {
            let split = splits.get(place).map(|bytes| i32::from_le_bytes(*bytes));
            let split =
                split.ok_or_else(|| Error::malformed(format!("split {place} of {} is missing", splits.len())))?;
            index(split, "a split")
        };
        let symmetric = steps.is_empty() && leaves.is_empty();
        let step = |place: usize| one_step(place, steps, leaves, &split);
        let mut trees = grower.room(range.len())?;
        let (mut first_split, mut first_value) = (0usize, 0usize);
        for (number, size) in sizes.iter().enumerate().take(range.end) {
            let size = index(i32::from_le_bytes(*size), "the size of a tree")?;
            if number >= range.start {
                let tree = if symmetric {
                    grower.symmetric(size, |level| split(first_split.saturating_add(level)), first_value, held)
                } else {
                    grower.any(2 * first_split, 2 * size, &step, held)
                };
                trees.push(tree.within(|| format!("tree {number}"))?);
            }
            first_split = first_split.saturating_add(size);
            let leaves = 1usize.checked_shl(u32::try_from(size).unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
            first_value = first_value.saturating_add(leaves.saturating_mul(self.dimension));
        }
        Ok(trees)
    }
}

/// A node says how far away its two children are; none at all means that the way ends here, in the leaf of the node. Even places are
/// nodes, the odd ones behind them are their leaves.
fn one_step(
    place: usize,
    steps: &[[u8; 4]],
    leaves: &[[u8; 4]],
    split: &dyn Fn(usize) -> Result<usize>,
) -> Result<Step> {
    let node = place / 2;
    let missing = || Error::malformed(format!("node {node} of {} is missing", steps.len()));
    let [l0, l1, r0, r1] = *steps.get(node).ok_or_else(missing)?;
    let (left, right) = (usize::from(u16::from_le_bytes([l0, l1])), usize::from(u16::from_le_bytes([r0, r1])));
    if place % 2 == 1 || (left == 0 && right == 0) {
        let leaf = leaves.get(node).ok_or_else(missing)?;
        return Ok(Step::Leaf(u32::from_le_bytes(*leaf) as usize));
    }
    let child = |distance: usize| if distance == 0 { place + 1 } else { place + 2 * distance };
    Ok(Step::Split(split(node)?, child(left), child(right)))
}
