//! Layers that change the shape alone.

use super::convolution::channels_last;
use crate::error::{Error, Result};
use crate::formats::keras::config::{count, index};
use crate::formats::keras::layer::{Call, Outputs};
use crate::formats::keras::table::{Entry, none};
use crate::ir::network::{Builder, NodeId};
use serde_json::Value;

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry {
        class: "InputLayer",
        read: input,
        weights: none,
        what: "of a shape without open sizes",
        refused: "open sizes",
    },
    Entry { class: "Flatten", read: flatten, weights: none, what: "", refused: "channels_first" },
    Entry { class: "Reshape", read: reshape, weights: none, what: "", refused: "" },
    Entry { class: "Permute", read: permute, weights: none, what: "", refused: "" },
    Entry { class: "RepeatVector", read: repeat, weights: none, what: "", refused: "" },
];

fn input(_: &mut Call<'_, '_>) -> Result<Outputs> {
    Err(Error::malformed("an input inside of a model is called as a layer"))
}

fn flatten(call: &mut Call<'_, '_>) -> Result<Outputs> {
    channels_last(call.config())?;
    let x = call.x()?;
    let builder = call.builder();
    let size = builder.shape(x).dims().iter().skip(1).map(|dim| dim.per_row()).product();
    Ok(vec![builder.reshape(x, &[None, Some(size)])?])
}

/// The elements of each row along other axes; one size may be left open.
pub(in crate::formats::keras) fn rows_as(builder: &mut Builder, x: NodeId, target: &[Option<usize>]) -> Result<NodeId> {
    let elements: usize = builder.shape(x).dims().iter().skip(1).map(|dim| dim.per_row()).product();
    let known =
        target.iter().flatten().try_fold(1usize, |product, &size| product.checked_mul(size)).filter(|&known| known > 0);
    let known = known.ok_or_else(|| Error::malformed("a shape without elements"))?;
    let mut sizes = vec![None];
    sizes.extend(target.iter().map(|size| Some(size.unwrap_or(elements / known))));
    if target.iter().filter(|size| size.is_none()).count() > 1 {
        return Err(Error::malformed("more than one size is left open"));
    }
    builder.reshape(x, &sizes)
}

/// Sizes of a shape, -1 being open.
pub(in crate::formats::keras) fn sizes(value: &Value) -> Result<Vec<Option<usize>>> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let size =
        |value: &Value| if value.as_i64() == Some(-1) || value.is_null() { Ok(None) } else { count(value).map(Some) };
    list.iter().map(size).collect()
}

fn reshape(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (target, x) = (sizes(call.config().need("target_shape")?)?, call.x()?);
    Ok(vec![rows_as(call.builder(), x, &target)?])
}

fn permute(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let Value::Array(dims) = call.config().need("dims")? else {
        return Err(Error::malformed("dims is no list"));
    };
    let mut order = vec![0];
    for dim in dims {
        let axis = index(dim)?;
        order.push(call.axis(x, axis)?);
    }
    Ok(vec![call.builder().transpose(x, &order)?])
}

fn repeat(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (times, x) = (call.config().count("n")?, call.x()?);
    let builder = call.builder();
    let x = builder.unsqueeze(x, 1)?;
    Ok(vec![builder.tile(x, 1, times)?])
}
