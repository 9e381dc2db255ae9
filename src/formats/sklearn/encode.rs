//! Transformers that encode categories and bins.

use super::categories::{Category, categories};
use super::{Context, Entry, Reader, version};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::pipeline::Transform;
use crate::ir::transform::{Codes, Each, Function, Whole};
use crate::limits;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("OneHotEncoder", one_hot),
    entry("OrdinalEncoder", ordinal),
    entry("TargetEncoder", target),
    entry("KBinsDiscretizer", bins),
    entry("LabelBinarizer", label_columns),
    entry("LabelEncoder", label_codes),
];

const fn entry(class: &'static str, read: fn(Ref<'_>, &Context<'_>) -> Result<Transform>) -> Entry {
    Entry { class, reader: Reader::Transform(read), outputs: "value", refused: "" }
}

/// The categories of each column.
fn lists(object: Ref<'_>, context: &Context<'_>) -> Result<Vec<Vec<Category>>> {
    object.attr("categories_")?.list()?.into_iter().map(|list| categories(list, context)).collect()
}

/// The code of each category, in the order of the categories, and the code that rare ones share.
struct Grouped {
    codes: Vec<usize>,
    rare: Option<usize>,
}

fn grouped(object: Ref<'_>, categories: &[Vec<Category>]) -> Result<Vec<Grouped>> {
    let mut columns: Vec<Grouped> =
        categories.iter().map(|list| Grouped { codes: (0..list.len()).collect(), rare: None }).collect();
    let Some(mappings) = object.attr_some("_default_to_infrequent_mappings")? else { return Ok(columns) };
    let (mappings, rare) = (mappings.list()?, object.attr("_infrequent_indices")?.list()?);
    if mappings.is_empty() {
        return Ok(columns);
    }
    if mappings.len() != columns.len() || rare.len() != columns.len() {
        return Err(object.malformed(format!("{} mappings for {} columns", mappings.len(), columns.len())));
    }
    for ((column, mapping), rare) in columns.iter_mut().zip(mappings).zip(rare) {
        if mapping.is_none() || rare.is_none() {
            continue;
        }
        let codes = mapping.array_i64()?.data;
        let read: Option<Vec<usize>> = codes.iter().map(|&code| usize::try_from(code).ok()).collect();
        let first = rare.array_i64()?.data.first().and_then(|&index| usize::try_from(index).ok());
        match (read, first) {
            (Some(read), Some(first)) if read.len() == column.codes.len() && first < read.len() => {
                *column = Grouped { rare: Some(read[first]), codes: read };
            }
            _ => return Err(mapping.malformed("codes of categories that are not there")),
        }
    }
    Ok(columns)
}

#[allow(clippy::cast_precision_loss)] // lists of categories are far shorter than 2^52
fn number(code: usize) -> f64 {
    code as f64
}

fn one_hot(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let categories = lists(object, context)?;
    let grouped = grouped(object, &categories)?;
    let dropped = match object.attr_some("_drop_idx_after_grouping")? {
        Some(list) => Some(list),
        None => object.attr_some("drop_idx_")?,
    };
    let dropped = match dropped {
        Some(list) => {
            let mut read = Vec::new();
            match list.array_i64() {
                Ok(array) => {
                    for index in array.data {
                        read.push(usize::try_from(index).ok());
                    }
                }
                Err(_) => {
                    for index in list.list()? {
                        read.push(if index.is_none() { None } else { Some(index.as_usize()?) });
                    }
                }
            }
            read
        }
        None => vec![None; categories.len()],
    };
    if dropped.len() != categories.len() {
        return Err(object.malformed(format!("{} dropped categories for {} columns", dropped.len(), categories.len())));
    }
    let unknown = object.attr("handle_unknown")?;
    let unknown = match unknown.as_str()? {
        // Until 1.7 it was meant to group what is unknown, and did not.
        rule if rule == "warn" && version(object)?.is_some_and(|version| version < (1, 8)) => "ignore".into(),
        rule => rule,
    };
    let (mut codes, mut widths) = (Vec::new(), Vec::new());
    for ((list, group), drop) in categories.iter().zip(grouped).zip(dropped) {
        let place = |code: usize| match drop {
            Some(drop) if code == drop => -1.0,
            Some(drop) if code > drop => number(code - 1),
            _ => number(code),
        };
        let other = match (&*unknown, group.rare) {
            ("error", _) => None,
            ("infrequent_if_exist" | "warn", Some(rare)) => Some(place(rare)),
            _ => Some(-1.0),
        };
        let width = group.codes.iter().max().map_or(0, |most| most + 1);
        widths.push(width - usize::from(drop.is_some_and(|drop| drop < width)));
        let numbers = list.iter().map(|category| category.number());
        codes.push(Codes::new(numbers.zip(group.codes.into_iter().map(place)), other));
    }
    hot(object, vec![Each::Encode(codes)], widths)
}

/// Codes, then a column for each of them.
fn hot(object: Ref<'_>, things: Vec<Each>, widths: Vec<usize>) -> Result<Transform> {
    let features = widths.len();
    let made = || {
        let steps = vec![Transform::each(features, things)?, Transform::whole(features, Whole::OneHot(widths))?];
        Transform::chain(features, steps)
    };
    made().within(|| object.path())
}

fn ordinal(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let categories = lists(object, context)?;
    let unknown = match object.attr_some("handle_unknown")? {
        Some(rule) if rule.as_str()? == "use_encoded_value" => Some(object.attr("unknown_value")?.as_f64()?),
        _ => None,
    };
    let missing = object.attr_some("encoded_missing_value")?.map_or(Ok(f64::NAN), Ref::as_f64)?;
    let grouped = grouped(object, &categories)?;
    let codes = categories.iter().zip(grouped).map(|(list, group)| {
        let code = |(category, code): (&Category, usize)| match category {
            Category::Nan => (f64::NAN, missing),
            _ => (category.number(), number(code)),
        };
        Codes::new(list.iter().zip(group.codes).map(code), unknown)
    });
    let codes: Vec<Codes> = codes.collect();
    Transform::each(codes.len(), vec![Each::Encode(codes)]).within(|| object.path())
}

/// Encodings lie column by column, and of several classes one behind the other within a column.
fn target(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let categories = lists(object, context)?;
    let encodings = object.attr("encodings_")?.list()?;
    let means = object.attr("target_mean_")?;
    let means = if means.is_array() { means.array_f64()?.data } else { vec![means.as_f64()?] };
    limits::check("columns of categories", encodings.len(), limits::FEATURES)?;
    if means.is_empty() || encodings.len() != categories.len().saturating_mul(means.len()) {
        return Err(object.malformed(format!("{} encodings for {} columns", encodings.len(), categories.len())));
    }
    let mut codes = Vec::new();
    for (index, encoding) in encodings.into_iter().enumerate() {
        let list = &categories[index / means.len()];
        let numbers = encoding.array_f64()?.data;
        if numbers.len() != list.len() {
            return Err(encoding.malformed(format!("{} numbers for {} categories", numbers.len(), list.len())));
        }
        let pairs = list.iter().map(|category| category.number()).zip(numbers);
        codes.push(Codes::new(pairs, Some(means[index % means.len()])));
    }
    let made = || {
        let columns = (0..codes.len()).map(|index| index / means.len()).collect();
        let encode = Transform::each(codes.len(), vec![Each::Encode(codes)])?;
        if means.len() == 1 {
            return Ok(encode);
        }
        Transform::chain(categories.len(), vec![Transform::select(categories.len(), columns)?, encode])
    };
    made().within(|| object.path())
}

/// The place of a label in the list of all of them.
fn label_codes(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let labels = categories(object.attr("classes_")?, context)?;
    let places = labels.iter().enumerate().map(|(place, label)| (label.number(), number(place)));
    Transform::each(1, vec![Each::Encode(vec![Codes::new(places, None)])]).within(|| object.path())
}

/// A column for each label, of two labels one for the second.
fn label_columns(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let kind = object.attr("y_type_")?;
    if kind.as_str()?.starts_with("multilabel") {
        return Err(kind.unsupported("several labels at once are columns already"));
    }
    let labels = categories(object.attr("classes_")?, context)?;
    let (low, high) = (object.attr("neg_label")?.as_f64()?, object.attr("pos_label")?.as_f64()?);
    let places = labels.iter().enumerate().map(|(place, label)| (label.number(), number(place)));
    let codes = vec![Each::Encode(vec![Codes::new(places, Some(-1.0))])];
    let mut steps = vec![hot(object, codes, vec![labels.len()])?];
    let made = || {
        if labels.len() == 2 {
            steps.push(Transform::select(2, vec![1])?);
        }
        let width = steps.last().map_or(0, Transform::outputs);
        steps.push(Transform::each(width, vec![Each::Multiply(vec![high - low; width]), Each::Add(vec![low; width])])?);
        Transform::chain(1, steps)
    };
    made().within(|| object.path())
}

fn bins(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let table = object.attr("bin_edges_")?;
    let mut edges = Vec::new();
    let mut widths = Vec::new();
    let columns = match table.array_f64() {
        Ok(array) if array.shape.len() == 2 && array.shape[1] > 0 => {
            array.data.chunks_exact(array.shape[1]).map(<[f64]>::to_vec).collect()
        }
        _ => {
            let mut columns = Vec::new();
            for column in table.list()? {
                columns.push(column.array_f64()?.data);
            }
            columns
        }
    };
    for column in columns {
        let &[_, ref inner @ .., _] = &*column else { return Err(table.expected("two edges for each column")) };
        widths.push(inner.len() + 1);
        edges.push(inner.to_vec());
    }
    let encode = object.attr("encode")?;
    let mut things = vec![Each::Complete, Each::Bins(edges)];
    // Before 1.1 a number near below an edge was taken for the edge.
    if version(object)?.is_some_and(|version| version < (1, 1)) {
        things.insert(1, Each::Apply(Function::Loosen));
    }
    match &*encode.as_str()? {
        "ordinal" => Transform::each(widths.len(), things).within(|| object.path()),
        "onehot" | "onehot-dense" => hot(object, things, widths),
        other => Err(encode.unsupported(format!("encode='{other}' is not known"))),
    }
}
