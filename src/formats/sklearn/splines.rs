//! `SplineTransformer`.

use super::{Context, Entry, Reader};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::pipeline::Transform;
use crate::ir::splines::{Beyond, Knots, Splines};
use crate::ir::transform::Whole;
use std::sync::Arc;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] =
    &[Entry { class: "SplineTransformer", reader: Reader::Transform(read), outputs: "value", refused: "" }];

/// The knots of a scipy `BSpline`, of which newer versions keep the numbers in an object inside.
fn knots(spline: Ref<'_>) -> Result<Vec<f64>> {
    let inner = match spline.attr_opt("t") {
        Ok(Some(places)) => return Ok(places.array_f64()?.data),
        _ => spline.state().ok_or_else(|| spline.expected("a spline with knots"))?.list()?,
    };
    let places = inner.first().map(|inner| inner.attr_opt("t")).transpose()?.flatten();
    let places = places.ok_or_else(|| spline.malformed("it holds no knots; another version of scipy wrote it"))?;
    Ok(places.array_f64()?.data)
}

fn read(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let degree = object.attr("degree")?.as_usize()?;
    let rule = object.attr("extrapolation")?;
    let beyond = match &*rule.as_str()? {
        "constant" => Beyond::Constant,
        "linear" => Beyond::Linear,
        "continue" => Beyond::Continue,
        "periodic" => Beyond::Periodic,
        "error" => Beyond::Refused,
        other => return Err(rule.unsupported(format!("extrapolation='{other}' is not known"))),
    };
    let missing = match object.attr_some("handle_missing")? {
        Some(rule) => rule.as_str()? == "zeros",
        None => false,
    };
    // Below degree 2 the library counts it up from column to column when splines go on along their slopes, for the boundaries of
    // the next columns too.
    let mut reached = degree;
    let mut columns = Vec::new();
    for spline in object.attr("bsplines_")?.list()? {
        let margin = reached;
        if beyond == Beyond::Linear && reached <= 1 {
            reached += 1;
        }
        columns.push(Knots { places: knots(spline)?, margin, sloped: reached });
    }
    let features = columns.len();
    let bias = object.attr("include_bias")?.as_bool()?;
    let made = || {
        let splines = Splines::new(degree, columns, beyond, bias, missing)?;
        Transform::whole(features, Whole::Splines(Arc::new(splines)))
    };
    made().within(|| object.path())
}
