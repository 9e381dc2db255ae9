//! Operations that move elements.

use super::{axis, given, indices, operand, setting};
use crate::error::{Error, Result};
use crate::formats::keras::config::index;
use crate::formats::keras::layer::{Arg, Call, Outputs};
use crate::formats::keras::layers::shapes::{rows_as, sizes};
use crate::ir::network::{Builder, NodeId, Op};
use serde_json::Value;

type Read = fn(&mut Call<'_, '_>) -> Result<Outputs>;

pub(super) fn reader(name: &str) -> Option<Read> {
    Some(match name {
        "concat" | "concatenate" => concatenate,
        "stack" => stack,
        "expanddims" => expand,
        "squeeze" => squeeze,
        "reshape" => reshape,
        "transpose" => transpose,
        "swapaxes" => swap,
        "getitem" => slices,
        "flip" | "reverse" => flip,
        "tile" => tile,
        "repeat" => repeat,
        "take" | "gather" => take,
        "split" => split,
        "unstack" | "unbind" => unstack,
        _ => return None,
    })
}

/// The tensors of a list, and constants among them.
fn list(call: &mut Call<'_, '_>) -> Result<Vec<NodeId>> {
    let tensors = match given(call, 0, &["xs", "x", "values"]) {
        Some(arg) => {
            let mut found = Vec::new();
            arg.tensors(&mut found);
            if let Arg::List(list) = arg
                && list.len() != found.len()
            {
                return Err(Error::unsupported("constants among tensors are not read here"));
            }
            found
        }
        None => Vec::new(),
    };
    if tensors.is_empty() { Err(Error::malformed("it is called without tensors")) } else { Ok(tensors) }
}

fn concatenate(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let tensors = list(call)?;
    let axis = axis(call, tensors[0], 1, -1)?;
    Ok(vec![call.builder().add(Op::Concat { axis }, &tensors)?])
}

fn stack(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let tensors = list(call)?;
    let place = new_axis(call, tensors[0], 1)?;
    let builder = call.builder();
    let tensors = tensors.into_iter().map(|x| builder.unsqueeze(x, place)).collect::<Result<Vec<_>>>()?;
    Ok(vec![builder.add(Op::Concat { axis: place }, &tensors)?])
}

/// Where a new axis goes: negative ones count from the end, one axis more than there are.
fn new_axis(call: &mut Call<'_, '_>, x: NodeId, place: usize) -> Result<usize> {
    let axis = match setting(call, place, &["axis"]) {
        None => 0,
        Some(Arg::Json(value)) => index(value)?,
        Some(_) => return Err(Error::malformed("axis is no number")),
    };
    let rank = call.rank(x);
    let from_end = usize::try_from(-1 - axis).ok().and_then(|behind| rank.checked_sub(behind));
    let place = if axis < 0 { from_end } else { usize::try_from(axis).ok() };
    match place.filter(|&place| place <= rank) {
        Some(0) => Err(Error::unsupported("a new axis in front of the rows is not read")),
        Some(place) => Ok(place),
        None => Err(Error::malformed(format!("no axis {axis}"))),
    }
}

fn expand(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "input"])?;
    let place = new_axis(call, x, 1)?;
    Ok(vec![call.builder().unsqueeze(x, place)?])
}

fn squeeze(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "input"])?;
    let mut axes = if let Some(arg) = setting(call, 1, &["axis"]) {
        let mut axes = Vec::new();
        for axis in indices(&arg)? {
            axes.push(call.axis(x, axis)?);
        }
        axes
    } else {
        let dims = call.builder().shape(x).dims();
        (0..dims.len()).filter(|&axis| !dims[axis].is_batch() && dims[axis].per_row() == 1).collect()
    };
    axes.sort_unstable();
    let builder = call.builder();
    let mut y = x;
    for axis in axes.into_iter().rev() {
        y = builder.squeeze(y, axis)?;
    }
    Ok(vec![y])
}

fn reshape(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "tensor"])?;
    let target = match setting(call, 1, &["newshape", "shape"]) {
        Some(Arg::Json(value)) => sizes(value)?,
        Some(Arg::List(list)) => {
            let mut all = Vec::new();
            for arg in &list {
                match arg {
                    Arg::Json(value) => all.extend(sizes(value)?),
                    _ => return Err(Error::unsupported("a shape of tensors is not read; write its sizes as numbers")),
                }
            }
            all
        }
        _ => return Err(Error::unsupported("a shape of tensors is not read; write its sizes as numbers")),
    };
    let builder = call.builder();
    let open = target.iter().filter(|size| size.is_none()).count();
    let y = match &target[..] {
        [None, rest @ ..] if open > 1 => rows_as(builder, x, rest)?,
        all => builder.reshape(x, all)?,
    };
    Ok(vec![y])
}

fn transpose(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "a"])?;
    let rank = call.rank(x);
    let order = match setting(call, 1, &["axes", "perm"]) {
        None => (0..rank).rev().collect(),
        Some(arg) => {
            let mut order = Vec::new();
            for axis in indices(&arg)? {
                order.push(call.axis(x, axis)?);
            }
            order
        }
    };
    Ok(vec![call.builder().transpose(x, &order)?])
}

fn swap(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x"])?;
    let mut axes = Vec::new();
    for (place, name) in [(1, "axis1"), (2, "axis2")] {
        let arg = setting(call, place, &[name]).ok_or_else(|| Error::malformed(format!("{name} is missing")))?;
        let axis = indices(&arg)?.first().copied().unwrap_or_default();
        axes.push(call.axis(x, axis)?);
    }
    Ok(vec![call.builder().swap(x, axes[0], axes[1])?])
}

fn flip(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let mut x = operand(call, 0, &["x", "tensor"])?;
    let arg = setting(call, 1, &["axis"]).ok_or_else(|| Error::unsupported("all axes flipped move the rows"))?;
    for axis in indices(&arg)? {
        let axis = call.axis(x, axis)?;
        x = call.builder().reverse(x, axis)?;
    }
    Ok(vec![x])
}

fn tile(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let mut x = operand(call, 0, &["x", "input"])?;
    let arg = setting(call, 1, &["repeats", "multiples"]).ok_or_else(|| Error::malformed("repeats is missing"))?;
    let times = indices(&arg)?;
    if times.len() != call.rank(x) {
        return Err(Error::unsupported("a repetition that adds axes is not read"));
    }
    for (axis, times) in times.into_iter().enumerate() {
        match usize::try_from(times) {
            Ok(1) => {}
            Ok(times) if times > 0 && axis > 0 => x = call.builder().tile(x, axis, times)?,
            _ => return Err(Error::unsupported(format!("{times} repetitions along axis {axis} are not read"))),
        }
    }
    Ok(vec![x])
}

fn repeat(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "input"])?;
    let arg = setting(call, 1, &["repeats"]).ok_or_else(|| Error::malformed("repeats is missing"))?;
    let axis = axis(call, x, 2, 0)?;
    match indices(&arg)?[..] {
        [times] if times > 0 => {
            let times = usize::try_from(times).map_err(|_| Error::malformed("repeats"))?;
            call.builder().shape(x).size(axis)?;
            Ok(vec![call.builder().repeat(x, axis, times)?])
        }
        _ => Err(Error::unsupported("repetitions that differ from index to index are not read")),
    }
}

fn take(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "params"])?;
    let arg = setting(call, 1, &["indices"]).ok_or_else(|| Error::malformed("indices are missing"))?;
    let alone = matches!(arg, Arg::Json(Value::Number(_)));
    let axis = axis(call, x, 2, 0)?;
    let size = call.builder().shape(x).size(axis)?;
    let wrap = |index: i64| {
        let index = if index < 0 { index.saturating_add_unsigned(size as u64) } else { index };
        usize::try_from(index).map_err(|_| Error::malformed(format!("index {index} of {size}")))
    };
    let places = indices(&arg)?.into_iter().map(wrap).collect::<Result<Vec<_>>>()?;
    let builder = call.builder();
    let y = builder.add(Op::Take { axis, indices: places.into() }, &[x])?;
    Ok(vec![if alone { builder.squeeze(y, axis)? } else { y }])
}

fn split(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "value"])?;
    let third = call.layer.is_operation();
    let names: &[&str] = if third { &["indices_or_sections"] } else { &["num_or_size_splits"] };
    let arg = setting(call, 1, names).ok_or_else(|| Error::malformed("the number of parts is missing"))?;
    let axis = axis(call, x, 2, 0)?;
    let size = call.builder().shape(x).size(axis)?;
    let whole = |number: i64| {
        usize::try_from(number).map_err(|_| Error::unsupported("an open part is not read; write its size"))
    };
    let alone = matches!(arg, Arg::Json(Value::Number(_)));
    let numbers = indices(&arg)?.into_iter().map(whole).collect::<Result<Vec<_>>>()?;
    let ends: Vec<usize> = if alone {
        let parts = numbers.first().copied().filter(|&parts| parts > 0 && size.is_multiple_of(parts));
        let parts =
            parts.ok_or_else(|| Error::malformed(format!("{size} indices do not fall into {numbers:?} parts")))?;
        (1..=parts).map(|part| part * (size / parts)).collect()
    } else if third {
        numbers.into_iter().chain([size]).collect()
    } else {
        let mut end = 0usize;
        numbers
            .into_iter()
            .map(|part| {
                end = end.saturating_add(part);
                end
            })
            .collect()
    };
    let mut start = 0;
    let mut outputs = Vec::with_capacity(ends.len());
    for end in ends {
        let count =
            end.checked_sub(start).filter(|&count| count > 0).ok_or_else(|| Error::malformed("an empty part"))?;
        outputs.push(call.builder().slice(x, axis, start, count)?);
        start = end;
    }
    Ok(outputs)
}

fn unstack(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "value"])?;
    let axis = axis(call, x, usize::MAX, 0)?;
    let size = call.builder().shape(x).size(axis)?;
    (0..size).map(|index| call.builder().select(x, axis, index)).collect()
}

/// `x[..., 1:3, -1]`.
fn slices(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "tensor"])?;
    let arg =
        given(call, 1, &["key", "slice_spec"]).cloned().ok_or_else(|| Error::malformed("the slices are missing"))?;
    let mut items: Vec<&Value> = Vec::new();
    let all = |arg: &Arg<'_>| matches!(arg, Arg::Json(_));
    match &arg {
        Arg::Json(Value::Array(list)) => items.extend(list),
        Arg::Json(one) => items.push(one),
        Arg::List(list) if list.iter().all(all) => items.extend(list.iter().filter_map(|arg| match arg {
            Arg::Json(value) => Some(*value),
            _ => None,
        })),
        _ => return Err(Error::unsupported("tensors as indices are not read; export the model to ONNX")),
    }
    let rank = call.rank(x);
    let is_open = |item: &Value| class(item) == Some("__ellipsis__") || item.as_str() == Some("...");
    let taken = items.iter().filter(|item| !is_open(item) && !item.is_null()).count();
    let mut axis = 0;
    let mut y = x;
    for item in items {
        if is_open(item) {
            axis += rank.saturating_sub(taken);
        } else if item.is_null() {
            if axis == 0 {
                return Err(Error::unsupported("a new axis in front of the rows is not read"));
            }
            y = call.builder().unsqueeze(y, axis)?;
            axis += 1;
        } else if item.is_number() {
            let at = index(item)?;
            let builder = call.builder();
            let size = builder.shape(y).size(axis)?;
            let at = if at < 0 { at.saturating_add_unsigned(size as u64) } else { at };
            let at = usize::try_from(at).ok().filter(|&at| at < size);
            let at = at.ok_or_else(|| Error::malformed(format!("index {item} of an axis of {size}")))?;
            y = builder.select(y, axis, at)?;
        } else {
            y = slice(call.builder(), y, axis, item)?;
            axis += 1;
        }
    }
    Ok(vec![y])
}

fn class(item: &Value) -> Option<&str> {
    item.get("class_name")?.as_str()
}

/// `start:stop:step` along an axis, as Python means it.
fn slice(builder: &mut Builder, x: NodeId, axis: usize, item: &Value) -> Result<NodeId> {
    let parts = item.get("config").unwrap_or(item);
    let part = |key: &str| parts.get(key).filter(|value| !value.is_null()).map(index).transpose();
    let (start, stop, step) = (part("start")?, part("stop")?, part("step")?.unwrap_or(1));
    if (start, stop, step) == (None, None, 1) {
        return Ok(x);
    }
    let size = i64::try_from(builder.shape(x).size(axis)?).unwrap_or(i64::MAX);
    let wrap = |at: i64, low: i64, high: i64| (if at < 0 { at.saturating_add(size) } else { at }).clamp(low, high);
    let (start, stop) = match step {
        0 => return Err(Error::malformed("a slice with step 0")),
        1.. => (start.map_or(0, |at| wrap(at, 0, size)), stop.map_or(size, |at| wrap(at, 0, size))),
        _ => (start.map_or(size - 1, |at| wrap(at, -1, size - 1)), stop.map_or(-1, |at| wrap(at, -1, size - 1))),
    };
    let way = if step > 0 { stop - start } else { start - stop };
    let count = usize::try_from(way).unwrap_or(0).div_ceil(usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX));
    let (Ok(start), Ok(step), 1..) = (usize::try_from(start), isize::try_from(step), count) else {
        return Err(Error::malformed("a slice without elements"));
    };
    builder.add(Op::Slice { axis, start, step, count }, &[x])
}
