//! Shapes: what moves elements without changing them.

use super::super::graph::{Graph, within};
use super::super::number::Kind;
use super::super::value::{Args, Size, Source, Tensor, Value};
use super::{Lower, natural, positive, tensor};
use crate::error::{Error, Result};
use crate::ir::network::{Dim, Op, Shape};
use crate::limits;

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("view", |g, a| reshape(g, a, "size")),
    ("reshape", |g, a| reshape(g, a, "shape")),
    ("_unsafe_view", |g, a| reshape(g, a, "size")),
    ("view_as", reshape_as),
    ("reshape_as", reshape_as),
    ("flatten", flatten),
    ("unflatten", unflatten),
    ("transpose", |g, a| swap(g, a, ["dim0", "dim1"])),
    ("swapaxes", |g, a| swap(g, a, ["axis0", "axis1"])),
    ("swapdims", |g, a| swap(g, a, ["dim0", "dim1"])),
    ("t", transpose_matrix),
    ("numpy_T", numpy_transpose),
    ("mT", |g, a| {
        let x = a.tensor(0, "self")?.clone();
        let rank = g.rank(&x);
        tensor(g.swap(&x, rank.wrapping_sub(2), rank.wrapping_sub(1))?)
    }),
    ("permute", permute),
    ("movedim", move_axes),
    ("moveaxis", move_axes),
    ("squeeze", squeeze),
    ("unsqueeze", |g, a| {
        let x = a.tensor(0, "self")?.clone();
        let axis = g.new_axis(&x, a.int(1, "dim")?)?;
        tensor(g.unsqueeze(&x, axis)?)
    }),
    ("contiguous", same),
    ("clone", same),
    ("detach", same),
    ("alias", same),
    ("lift_fresh_copy", same),
    ("lift_fresh", same),
    ("cpu", same),
    ("positive", same),
    ("dropout", still),
    ("feature_dropout", still),
    ("alpha_dropout", still),
    ("feature_alpha_dropout", still),
    ("native_dropout", |g, a| Ok(Value::List(vec![still(g, a)?, Value::Absent("the mask of a dropout")]))),
    ("select", |g, a| {
        let x = a.tensor(0, "self")?.clone();
        let axis = g.axis(&x, a.int(1, "dim")?)?;
        tensor(g.select(&x, axis, a.int(2, "index")?)?)
    }),
    ("slice", slice),
    ("narrow", |g, a| {
        let x = a.tensor(0, "self")?.clone();
        let axis = g.axis(&x, a.int(1, "dim")?)?;
        let (start, length) = (a.int(2, "start")?, positive(a.int(3, "length")?, "length")?);
        let start = within(start, g.shape(&x)?.size(axis)?).ok_or_else(|| Error::malformed("start lies outside"))?;
        tensor(g.slice(&x, axis, start, 1, length)?)
    }),
    ("index_select", |g, a| {
        let x = a.tensor(0, "self")?.clone();
        let axis = g.axis(&x, a.int(1, "dim")?)?;
        let indices = indices(g, &x, axis, a.tensor(2, "index")?)?;
        tensor(g.take(&x, axis, &indices)?)
    }),
    ("index", index),
    ("expand", expand),
    ("broadcast_to", expand),
    ("expand_as", |g, a| {
        let x = a.tensor(0, "self")?.clone();
        let shape = g.shape(a.tensor(1, "other")?)?;
        tensor(g.expand(&x, &shape)?)
    }),
    ("repeat", |g, a| repeat(g, a, "repeats")),
    ("tile", |g, a| repeat(g, a, "dims")),
    ("repeat_interleave", repeat_interleave),
    ("flip", flip),
    ("roll", roll),
    ("constant_pad_nd", pad),
    ("pad", pad),
    ("reflection_pad1d", |g, a| mirrored(g, a, "reflect")),
    ("replication_pad1d", |g, a| mirrored(g, a, "replicate")),
    ("tril", |g, a| triangle(g, a, true)),
    ("triu", |g, a| triangle(g, a, false)),
    ("sym_size", size),
    ("size", size),
    ("dim", |g, a| Ok(Value::int(i64::try_from(g.rank(a.tensor(0, "self")?)).unwrap_or(i64::MAX)))),
    ("numel", |g, a| {
        let x = a.tensor(0, "self")?.clone();
        let sizes = (0..g.rank(&x)).map(|axis| g.size(&x, axis));
        sizes.into_iter().try_fold(Size::Fixed(1), |product, size| product.multiply(size?)).map(Value::Size)
    }),
];

fn same(_: &mut Graph, args: &Args) -> Result<Value> {
    tensor(args.tensor(0, "self")?.clone())
}

/// A dropout, which does nothing when a model predicts.
fn still(_: &mut Graph, args: &Args) -> Result<Value> {
    if args.bool_or(2, "train", false)? {
        return Err(Error::unsupported("the model was exported while training; call eval() before it is exported"));
    }
    tensor(args.tensor(0, "input")?.clone())
}

fn reshape(graph: &mut Graph, args: &Args, name: &str) -> Result<Value> {
    if let Some(Value::Type(_)) = args.opt(1, "dtype") {
        return Err(Error::unsupported("bits read as another type; export the model to ONNX"));
    }
    tensor(graph.reshape(args.tensor(0, "self")?, &args.sizes(1, name)?)?)
}

fn reshape_as(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (x, other) = (args.tensor(0, "self")?.clone(), args.tensor(1, "other")?.clone());
    let sizes = (0..graph.rank(&other)).map(|axis| graph.size(&other, axis)).collect::<Result<Vec<_>>>()?;
    tensor(graph.reshape(&x, &sizes)?)
}

fn flatten(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    if graph.rank(&x) == 0 {
        return tensor(graph.unsqueeze(&x, 0)?);
    }
    let first = graph.axis(&x, args.int_or(1, "start_dim", 0)?)?;
    let last = graph.axis(&x, args.int_or(2, "end_dim", -1)?)?;
    tensor(graph.flatten(&x, first, last)?)
}

fn unflatten(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let axis = graph.axis(&x, args.int(1, "dim")?)?;
    tensor(graph.unflatten(&x, axis, &args.sizes(2, "sizes")?)?)
}

fn swap(graph: &mut Graph, args: &Args, names: [&str; 2]) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let (first, second) = (graph.axis(&x, args.int(1, names[0])?)?, graph.axis(&x, args.int(2, names[1])?)?);
    tensor(graph.swap(&x, first, second)?)
}

fn transpose_matrix(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    tensor(if graph.rank(&x) < 2 { x } else { graph.swap(&x, 0, 1)? })
}

fn numpy_transpose(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let order: Vec<usize> = (0..graph.rank(&x)).rev().collect();
    tensor(graph.permute(&x, &order)?)
}

fn permute(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let order = args.ints(1, "dims")?.into_iter().map(|axis| graph.axis(&x, axis)).collect::<Result<Vec<_>>>()?;
    tensor(graph.permute(&x, &order)?)
}

fn move_axes(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let axes = |graph: &Graph, numbers: Vec<i64>| {
        numbers.into_iter().map(|axis| graph.axis(&x, axis)).collect::<Result<Vec<_>>>()
    };
    let (from, to) = (axes(graph, args.ints(1, "source")?)?, axes(graph, args.ints(2, "destination")?)?);
    let rank = graph.rank(&x);
    let mut order = vec![usize::MAX; rank];
    for (&from, &to) in from.iter().zip(&to) {
        order[to] = from;
    }
    let mut rest = (0..rank).filter(|axis| !from.contains(axis));
    for place in &mut order {
        if *place == usize::MAX {
            *place = rest.next().ok_or_else(|| Error::malformed("axes are moved to the same place"))?;
        }
    }
    tensor(graph.permute(&x, &order)?)
}

fn squeeze(graph: &mut Graph, args: &Args) -> Result<Value> {
    let mut x = args.tensor(0, "self")?.clone();
    let mut axes = match args.opt(1, "dim") {
        Some(_) => args.ints(1, "dim")?.into_iter().map(|axis| graph.axis(&x, axis)).collect::<Result<Vec<_>>>()?,
        None => (0..graph.rank(&x)).collect(),
    };
    axes.sort_unstable();
    for axis in axes.into_iter().rev() {
        x = graph.squeeze(&x, axis)?;
    }
    tensor(x)
}

fn slice(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let axis = graph.axis(&x, args.int_or(1, "dim", 0)?)?;
    let step = positive(args.int_or(4, "step", 1)?, "step")?;
    let (start, end) = (args.opt(2, "start"), args.opt(3, "end"));
    let whole = match (start, end) {
        (None | Some(Value::Size(Size::Fixed(0))), None) => true,
        (None | Some(Value::Size(Size::Fixed(0))), Some(end)) => match (end.size()?, graph.size(&x, axis)?) {
            (Size::Fixed(end), Size::Fixed(size)) => end >= size,
            (Size::Fixed(end), Size::Batches(_)) => end == i64::MAX,
            (end, size) => end == size,
        },
        _ => false,
    };
    if whole && step == 1 {
        return tensor(x);
    }
    let size = i64::try_from(graph.shape(&x)?.size(axis)?).unwrap_or(i64::MAX);
    let bound = |value: Option<&Value>, open: i64| -> Result<i64> {
        let number = value.map_or(Ok(open), Value::as_int)?;
        Ok(if number < 0 { number.saturating_add(size) } else { number }.clamp(0, size))
    };
    let (start, end) = (bound(start, 0)?, bound(end, size)?);
    let (start, length) = (natural(start, "start")?, natural(end - start, "the number of elements")?);
    let count = length.div_ceil(step);
    if count == 0 {
        return Err(Error::unsupported("a slice without elements is not read; leave it out of the model"));
    }
    tensor(graph.slice(&x, axis, start, isize::try_from(step).unwrap_or(isize::MAX), count)?)
}

/// Known indices of an axis.
fn indices(graph: &Graph, x: &Tensor, axis: usize, index: &Tensor) -> Result<Vec<usize>> {
    let size = graph.shape(x)?.size(axis)?;
    let known = Graph::known(index, "indices")?;
    known
        .values()
        .map(|value| {
            #[allow(clippy::cast_possible_truncation)]
            let index = value as i64;
            within(index, size).ok_or_else(|| Error::malformed(format!("index {index} of an axis of {size}")))
        })
        .collect()
}

/// `x[.., indices, ..]` with one list of known indices.
fn index(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let given = args.get(1, "indices")?.items().to_vec();
    let mut lists = given.iter().enumerate().filter(|(_, item)| !matches!(item, Value::None));
    let (Some((axis, list)), None) = (lists.next(), lists.next()) else {
        return Err(Error::unsupported(
            "elements picked by several lists of indices are not read; export the model to ONNX",
        ));
    };
    let list = list.tensor()?;
    if list.kind == Kind::Boolean {
        return Err(Error::unsupported("elements picked by a mask are not read: their number depends on the rows"));
    }
    let picked = indices(graph, &x, axis, list)?;
    let rank = graph.rank(list);
    let taken = graph.take(&x, axis, &picked)?;
    match rank {
        0 => tensor(graph.squeeze(&taken, axis)?),
        1 => tensor(taken),
        _ => {
            let sizes = (0..rank).map(|own| graph.size(list, own)).collect::<Result<Vec<_>>>()?;
            tensor(graph.unflatten(&taken, axis, &sizes)?)
        }
    }
}

fn expand(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let sizes = args.sizes(1, "size")?;
    let shape = graph.shape(&x)?;
    let missing = sizes.len().checked_sub(shape.rank()).ok_or_else(|| Error::malformed("fewer axes than there are"))?;
    let wanted = graph.target(
        &sizes.iter().map(|&size| if size == Size::Fixed(-1) { Size::Fixed(1) } else { size }).collect::<Vec<_>>(),
    )?;
    let dims = wanted.dims().iter().enumerate().map(|(axis, &dim)| match axis.checked_sub(missing) {
        // An axis that holds the batch keeps it, however its size is spelt.
        Some(own) if shape.dims()[own].is_batch() || sizes[axis] == Size::Fixed(-1) => shape.dims()[own],
        _ => dim,
    });
    let to = Shape::new(dims.collect())?;
    tensor(graph.expand(&x, &to)?)
}

fn repeat(graph: &mut Graph, args: &Args, name: &str) -> Result<Value> {
    let mut x = args.tensor(0, "self")?.clone();
    let mut times = args.sizes(1, name)?;
    while graph.rank(&x) < times.len() {
        x = graph.unsqueeze(&x, 0)?;
    }
    while times.len() < graph.rank(&x) {
        times.insert(0, Size::Fixed(1));
    }
    for (axis, times) in times.into_iter().enumerate() {
        x = match times {
            Size::Fixed(1) => x,
            Size::Fixed(times) => {
                let (node, times) = (graph.node(&x)?, positive(times, "repeats")?);
                let node = graph.builder.tile(node, axis, times)?;
                graph.of_node(node, x.kind)
            }
            Size::Batches(times) => {
                let mut dims = graph.shape(&x)?.dims().to_vec();
                if dims[axis] != Dim::Fixed(1) {
                    return Err(Error::unsupported("elements repeated for each row; export the model to ONNX"));
                }
                dims[axis] = Dim::Batch { outer: 1, inner: positive(times, "repeats")? };
                graph.expand(&x, &Shape::new(dims)?)?
            }
        };
    }
    tensor(x)
}

fn repeat_interleave(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let times = positive(args.get(1, "repeats")?.as_int()?, "repeats")?;
    let axis =
        args.opt(2, "dim").ok_or_else(|| Error::unsupported("repeat_interleave without dim is not read"))?.as_int()?;
    let (axis, node) = (graph.axis(&x, axis)?, graph.node(&x)?);
    let node = graph.builder.repeat(node, axis, times)?;
    tensor(graph.of_node(node, x.kind))
}

fn flip(graph: &mut Graph, args: &Args) -> Result<Value> {
    let mut x = args.tensor(0, "self")?.clone();
    for axis in args.ints(1, "dims")? {
        let axis = graph.axis(&x, axis)?;
        let size = graph.shape(&x)?.size(axis)?;
        x = graph.slice(&x, axis, size - 1, -1, size)?;
    }
    tensor(x)
}

fn roll(graph: &mut Graph, args: &Args) -> Result<Value> {
    let mut x = args.tensor(0, "self")?.clone();
    let (shifts, axes) = (args.ints(1, "shifts")?, args.ints(2, "dims")?);
    if axes.is_empty() || axes.len() != shifts.len() {
        return Err(Error::unsupported("a roll over all elements is not read; give it axes"));
    }
    for (shift, axis) in shifts.into_iter().zip(axes) {
        let axis = graph.axis(&x, axis)?;
        let size = graph.shape(&x)?.size(axis)?;
        let wide = i64::try_from(size).unwrap_or(i64::MAX);
        let first = usize::try_from((-shift).rem_euclid(wide)).unwrap_or(0);
        let indices: Vec<usize> = (0..size).map(|place| (place + first) % size).collect();
        x = graph.take(&x, axis, &indices)?;
    }
    tensor(x)
}

/// Elements in front and behind, the last axis first.
fn pad(graph: &mut Graph, args: &Args) -> Result<Value> {
    let mode = match args.opt(2, "mode") {
        Some(Value::Text(mode)) => mode.clone(),
        _ => "constant".to_owned(),
    };
    if mode != "constant" {
        return mirrored(graph, args, &mode);
    }
    let value = match (args.opt(2, "value"), args.opt(3, "value")) {
        (Some(Value::Text(_)) | None, Some(value)) | (Some(value), _) if !matches!(value, Value::Text(_)) => {
            value.as_float()?
        }
        _ => 0.0,
    };
    let mut x = args.tensor(0, "self")?.clone();
    for (place, ends) in args.ints(1, "pad")?.chunks(2).enumerate() {
        let &[before, after] = ends else { return Err(Error::malformed("places at one end only")) };
        let axis = graph.rank(&x).checked_sub(place + 1).ok_or_else(|| Error::malformed("more ends than axes"))?;
        // Negative places cut elements off.
        let size = i64::try_from(graph.shape(&x)?.size(axis)?).unwrap_or(i64::MAX);
        let (cut_before, cut_after) = ((-before).max(0), (-after).max(0));
        if cut_before + cut_after > 0 {
            let count = positive(size - cut_before - cut_after, "what is left")?;
            x = graph.slice(&x, axis, natural(cut_before, "start")?, 1, count)?;
        }
        let (before, after) = (natural(before.max(0), "places")?, natural(after.max(0), "places")?);
        if before + after > 0 {
            let node = graph.node(&x)?;
            let node = graph.builder.add(Op::Pad { axis, before, after, value }, &[node])?;
            x = graph.of_node(node, x.kind);
        }
    }
    tensor(x)
}

fn mirrored(graph: &mut Graph, args: &Args, mode: &str) -> Result<Value> {
    let mut x = args.tensor(0, "self")?.clone();
    let ends = match args.opt(1, "pad") {
        Some(_) => args.ints(1, "pad")?,
        None => args.ints(1, "padding")?,
    };
    for (place, ends) in ends.chunks(2).enumerate() {
        let &[before, after] = ends else { return Err(Error::malformed("places at one end only")) };
        let axis = graph.rank(&x).checked_sub(place + 1).ok_or_else(|| Error::malformed("more ends than axes"))?;
        let size = i64::try_from(graph.shape(&x)?.size(axis)?).unwrap_or(i64::MAX);
        let (before, after) = (natural(before, "places")?, natural(after, "places")?);
        limits::check("elements at the ends of a tensor", before.saturating_add(after), limits::TENSOR_ELEMENTS)?;
        let first = -i64::try_from(before).unwrap_or(0);
        let end = size + i64::try_from(after).unwrap_or(0);
        let indices = (first..end)
            .map(|place| match mode {
                "replicate" => Ok(place.clamp(0, size - 1)),
                "circular" => Ok(place.rem_euclid(size)),
                "reflect" if first > -size && end < 2 * size => Ok(if place < 0 {
                    -place
                } else if place >= size {
                    2 * (size - 1) - place
                } else {
                    place
                }),
                _ => Err(Error::unsupported(format!("padding of mode '{}' is not read", mode.escape_default()))),
            })
            .map(|place| natural(place?, "a place"))
            .collect::<Result<Vec<_>>>()?;
        x = graph.take(&x, axis, &indices)?;
    }
    tensor(x)
}

/// The elements on one side of a diagonal, the others 0.
fn triangle(graph: &mut Graph, args: &Args, lower: bool) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let diagonal = args.int_or(1, "diagonal", 0)?;
    let shape = graph.shape(&x)?;
    let rank = shape.rank();
    let (rows, columns) = (shape.size(rank.wrapping_sub(2))?, shape.last()?);
    let place = |index: usize| i64::try_from(index).unwrap_or(i64::MAX);
    let inside = |row: usize, column: usize| {
        let above = place(column) - place(row);
        if lower { above <= diagonal } else { above >= diagonal }
    };
    let mask = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let mask: Vec<bool> = mask.map(|(row, column)| inside(row, column)).collect();
    if let Source::Constant(array) = &x.source {
        let numbers =
            array.values().zip(mask.iter().cycle()).map(|(value, &inside)| if inside { value } else { 0.0 }).collect();
        let sizes = array.shape().to_vec();
        return tensor(graph.numbers(x.kind, &sizes, numbers)?);
    }
    let mask = graph.numbers(
        Kind::Boolean,
        &[rows, columns],
        mask.iter().map(|&inside| f64::from(u8::from(inside))).collect(),
    )?;
    let zero = graph.scalar(x.kind, 0.0)?;
    tensor(graph.choose(&mask, &x, &zero)?)
}

fn size(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    if let Some(axis) = args.opt(1, "dim") {
        let axis = graph.axis(&x, axis.as_int()?)?;
        graph.size(&x, axis).map(Value::Size)
    } else {
        let sizes = (0..graph.rank(&x)).map(|axis| graph.size(&x, axis).map(Value::Size));
        sizes.collect::<Result<_>>().map(Value::List)
    }
}
