//! Isotonic regression: straight lines between points.

use super::{Context, Entry, Reader, meta};
use crate::codec::pickle::{Kind, Ref};
use crate::error::{Result, Within};
use crate::ir::Model;
use crate::ir::pipeline::Transform;
use crate::ir::transform::{Curve, Each};

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[Entry {
    class: "IsotonicRegression",
    reader: Reader::Model(model),
    outputs: "value, raw; a row is one column",
    refused: "",
}];

/// Points, and whether they are float32. Called `_necessary_X_` before 0.24.
fn points(object: Ref<'_>) -> Result<(Vec<f64>, Vec<f64>, bool)> {
    for names in [["X_thresholds_", "y_thresholds_"], ["_necessary_X_", "_necessary_y_"]] {
        if let (Some(x), Some(y)) = (object.attr_some(names[0])?, object.attr_some(names[1])?) {
            let dtype = x.dtype()?;
            let single = dtype.kind == Kind::Float && dtype.size == 4;
            return Ok((x.array_f64()?.data, y.array_f64()?.data, single));
        }
    }
    Err(object.malformed("it has no thresholds; it is not trained, or of another version"))
}

/// The points as a curve that is constant beside them.
pub(super) fn curve(object: Ref<'_>) -> Result<Curve> {
    let (x, y, _) = points(object)?;
    Ok(Curve::Isotonic { x, y })
}

fn lines(object: Ref<'_>) -> Result<Transform> {
    let (x, y, single) = points(object)?;
    let mut things = vec![Each::Complete];
    if single {
        things.push(Each::Single);
    }
    // A single point answers everywhere.
    if let [low, .., high] = *x {
        let rule = object.attr("out_of_bounds")?;
        match &*rule.as_str()? {
            "clip" => {}
            "nan" => things.push(Each::Within(low, high)),
            "raise" => things.push(Each::RefuseOutside(low, high)),
            other => return Err(rule.unsupported(format!("out_of_bounds='{other}' is not known"))),
        }
    }
    things.push(Each::Curves(vec![Curve::Isotonic { x, y }]));
    if single {
        things.push(Each::Single);
    }
    Transform::each(1, things).within(|| object.path())
}

fn model(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    meta::numbers(object, lines(object)?)
}
