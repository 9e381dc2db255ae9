//! `IsolationForest`.
//!
//! A row scores by the sum of its depths, the rows that a leaf holds counting as the average depth they would still fall. The
//! margin is the score less `offset_` (`decision_function`), the answer -1 for an outlier and 1 else.

use super::super::{Context, estimator};
use super::nodes::{Nodes, layout};
use super::{features, members, version};
use crate::codec::pickle::Ref;
use crate::error::Result;
use crate::ir::boosted::Isolation;
use crate::ir::forest::{Finish, Target};
use crate::ir::{Classes, Estimator, Forest, Model, Task};
use crate::limits;

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;

/// The average length of a path among this many rows; 1 row counted as 1 before 0.21, then as 0 and 2 rows as 1.
fn average_path(rows: f64, version: (u32, u32)) -> f64 {
    if version < (0, 21) {
        if rows <= 1.0 {
            return 1.0;
        }
    } else if rows <= 1.0 {
        return 0.0;
    } else if rows == 2.0 {
        return 1.0;
    }
    2.0 * ((rows - 1.0).ln() + EULER) - 2.0 * (rows - 1.0) / rows
}

/// Reads the forest.
#[allow(clippy::cast_precision_loss)] // a number of trees
pub(super) fn read(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let version = version(object)?;
    let features = features(object)?;
    let members = members(object)?;
    let drawn = object.attr("estimators_features_")?;
    let lists = drawn.list()?;
    if lists.len() != members.len() {
        return Err(drawn.malformed(format!("features of {} trees for {} trees", lists.len(), members.len())));
    }
    // With all features the trees took the rows as they are, whatever the order of the list.
    let all = object.attr("_max_features")?.as_usize()? == features;
    let mut trees = limits::vec("trees", members.len())?;
    for (member, list) in members.iter().zip(lists) {
        let columns = if all { None } else { Some(columns(list, features)?) };
        let nodes = Nodes::of(*member)?;
        if nodes.features != columns.as_ref().map_or(features, Vec::len) {
            return Err(member.malformed(format!("a tree over {} features", nodes.features)));
        }
        let depths = nodes.depths()?;
        trees.push(nodes.tree(columns.as_deref(), Target::One(0), |leaf, values| {
            let (depth, rest) = (f64::from(depths[leaf]), average_path(nodes.samples(leaf), version));
            values.push(if version < (0, 21) { (depth - 1.0) + rest } else { (depth + rest) - 1.0 });
        })?);
    }
    let count = members.len() as f64;
    let rows = average_path(object.attr("max_samples_")?.as_f64()?, version);
    let (finish, unit) = if version < (0, 21) { (Finish::Divide(count), rows) } else { (Finish::Sum, count * rows) };
    let old =
        object.attr_some("behaviour")?.map_or(Ok(false), |value| Ok(value.is_str() && value.as_str()? == "old"))?;
    let (offset, threshold) = match object.attr_some("offset_")? {
        None => (-0.5, object.attr("threshold_")?.as_f64()?),
        Some(offset) if old && version < (0, 22) => (offset.as_f64()?, object.attr("_threshold_")?.as_f64()?),
        Some(offset) => (offset.as_f64()?, 0.0),
    };
    let isolation = Isolation {
        forest: Forest::new(layout(features, 1, version >= (1, 6), finish), trees)?,
        // Trees of a single row have no depth; before 1.0 the answer is then NaN.
        unit: (unit != 0.0 || version < (1, 0)).then_some(unit),
        offset,
        threshold,
        inclusive: version < (0, 20),
    };
    estimator(object, Estimator::Isolation(isolation.validated()?), Task::Regression, Classes::Index)
}

/// A list of columns, each below `features`.
pub(super) fn columns(list: Ref<'_>, features: usize) -> Result<Vec<usize>> {
    let numbers = list.array_i64()?.data;
    let mut columns = limits::vec("columns", numbers.len())?;
    for number in numbers {
        match usize::try_from(number) {
            Ok(column) if column < features => columns.push(column),
            _ => return Err(list.malformed(format!("column {number} of {features}"))),
        }
    }
    Ok(columns)
}
