//! The shape that an operation gives, and everything that must hold for it to be run without a further check.

use super::array::Array;
use super::op::{Cell, Convolution, Dense, Norm, Normalize, Op, Pool, Recurrent, Returns};
use super::shape::{Dim, Shape};
use crate::error::{Error, Result};
use crate::ir::Precision;
use crate::limits;

/// The shape of the result; `inputs` are the shapes of the network's inputs, `operands` those of the node's.
///
/// # Errors
/// `MI_MALFORMED` when operands, parameters and precision do not fit each other, `MI_LIMIT_EXCEEDED` for too large a result.
pub fn shape(op: &Op, precision: Precision, inputs: &[Shape], operands: &[&Shape]) -> Result<Shape> {
    let expected = match op {
        Op::Input(_) | Op::Constant(_) => 0..=0,
        Op::MatMul { .. } | Op::Binary(_) => 2..=2,
        Op::Choose => 3..=3,
        Op::Concat { .. } => 1..=usize::MAX,
        Op::Recurrent(layer) => match layer.cell {
            Cell::Lstm { .. } => 1..=3,
            _ => 1..=2,
        },
        _ => 1..=1,
    };
    if !expected.contains(&operands.len()) {
        return Err(Error::malformed(format!("{} operands", operands.len())));
    }
    match (op, operands) {
        (Op::Input(index), _) => {
            let shape = inputs.get(*index).cloned();
            shape.ok_or_else(|| Error::malformed(format!("the network has no input {index}")))
        }
        (Op::Constant(array), _) => {
            same_precision(precision, [Some(array)])?;
            Shape::fixed(array.shape())
        }
        (Op::Dense(dense), [x]) => self::dense(dense, precision, x),
        (Op::MatMul { transposed }, [left, right]) => matmul(left, right, *transposed),
        (Op::Convolution(convolution), [x]) => self::convolution(convolution, precision, x),
        (Op::Affine { axis, scale, shift }, [x]) => {
            same_precision(precision, [Some(scale), Some(shift)])?;
            let size = x.size(*axis)?;
            expect_shape("scale", scale, &[size])?;
            expect_shape("shift", shift, &[size])?;
            Ok((*x).clone())
        }
        (Op::Normalize(normalize), [x]) => self::normalize(normalize, precision, x),
        (Op::Map(_), [x]) => Ok((*x).clone()),
        (Op::Prelu(slopes), [x]) => {
            same_precision(precision, [Some(slopes)])?;
            if x.broadcast(&Shape::fixed(slopes.shape())?)? != **x {
                return Err(Error::malformed(format!("slopes of shape {:?} for {x}", slopes.shape())));
            }
            Ok((*x).clone())
        }
        (Op::Softmax { axis, .. }, [x]) => x.size(*axis).map(|_| (*x).clone()),
        (Op::Binary(_), [left, right]) => left.broadcast(right),
        (Op::Choose, [condition, yes, no]) => condition.broadcast(&yes.broadcast(no)?),
        (Op::Reduce { axes, keep, .. }, [x]) => reduce(axes, *keep, x),
        (Op::Concat { axis }, all) => concat(*axis, all),
        (Op::Reshape(to), [x]) if x.reshapes_to(to) => Ok(to.clone()),
        (Op::Reshape(to), [x]) => Err(Error::malformed(format!("{x} cannot be read as {to}"))),
        (Op::Expand(to), [x]) if x.broadcast(to)? == *to => Ok(to.clone()),
        (Op::Expand(to), [x]) => Err(Error::malformed(format!("{x} cannot be broadcast to {to}"))),
        (Op::Transpose(order), [x]) => transpose(order, x),
        (Op::Slice { axis, start, step, count }, [x]) => {
            let size = x.size(*axis)?;
            let last = count
                .checked_sub(1)
                .and_then(|steps| isize::try_from(steps).ok()?.checked_mul(*step))
                .and_then(|way| start.checked_add_signed(way));
            if *start >= size || *step == 0 || last.is_none_or(|last| last >= size) {
                return Err(Error::malformed(format!(
                    "{count} indices from {start} in steps of {step} do not lie in the {size} of axis {axis}"
                )));
            }
            resized(x, *axis, *count)
        }
        (Op::Take { axis, indices }, [x]) => {
            let size = x.size(*axis)?;
            if let Some(index) = indices.iter().find(|&&index| index >= size) {
                return Err(Error::malformed(format!("index {index} of an axis of {size}")));
            }
            resized(x, *axis, indices.len())
        }
        (Op::Pad { axis, before, after, .. }, [x]) => {
            let size = x.size(*axis)?.checked_add(*before).and_then(|size| size.checked_add(*after));
            resized(x, *axis, size.unwrap_or(usize::MAX))
        }
        (Op::Pool(pool), [x]) => self::pool(*pool, x),
        (Op::Embedding(table), [x]) => {
            same_precision(precision, [Some(table)])?;
            let [_, width] = *table.shape() else {
                return Err(Error::malformed(format!("a table of shape {:?}", table.shape())));
            };
            Shape::new(x.dims().iter().copied().chain([Dim::Fixed(width)]).collect())
        }
        (Op::Recurrent(layer), [x, states @ ..]) => recurrent(layer, precision, x, states),
        _ => Err(Error::malformed(format!("{} operands", operands.len()))),
    }
}

/// Multiply-adds that a node takes for a batch of one row, about; what it does else counts as one for each element.
pub fn work(op: &Op, operands: &[&Shape], result: &Shape) -> usize {
    let elements = result.elements();
    let last = |shape: &Shape| shape.dims().last().map_or(1, |dim| dim.per_row());
    match op {
        Op::Dense(dense) => elements.saturating_mul(dense.weights.shape()[0]),
        Op::MatMul { .. } => elements.saturating_mul(operands.first().map_or(1, |shape| last(shape))),
        Op::Convolution(convolution) => {
            elements.saturating_mul(convolution.kernel.shape()[0] * convolution.kernel.shape()[1])
        }
        Op::Pool(pool) => elements.saturating_mul(pool.size),
        Op::Recurrent(layer) => {
            let steps = operands.first().map_or(1, |shape| shape.elements() / last(shape));
            steps.saturating_mul(layer.kernel.len() + layer.recurrent.len())
        }
        _ => operands.iter().map(|shape| shape.elements()).max().unwrap_or(0).max(elements),
    }
}

fn same_precision<const N: usize>(precision: Precision, arrays: [Option<&Array>; N]) -> Result<()> {
    if arrays.into_iter().flatten().any(|array| array.precision() != precision) {
        return Err(Error::malformed(format!("an array is not of the network's precision, {precision:?}")));
    }
    Ok(())
}

fn expect_shape(what: &str, array: &Array, expected: &[usize]) -> Result<()> {
    if array.shape() != expected {
        return Err(Error::malformed(format!("{what} of shape {:?}, {expected:?} is expected", array.shape())));
    }
    Ok(())
}

fn resized(x: &Shape, axis: usize, size: usize) -> Result<Shape> {
    let mut dims = x.dims().to_vec();
    dims[axis] = Dim::Fixed(size);
    Shape::new(dims)
}

/// The shape with the last axes replaced.
fn with_last(x: &Shape, replaced: usize, by: &[Dim]) -> Result<Shape> {
    Shape::new(x.dims()[..x.rank() - replaced].iter().chain(by).copied().collect())
}

fn dense(dense: &Dense, precision: Precision, x: &Shape) -> Result<Shape> {
    same_precision(precision, [Some(&*dense.weights), dense.bias.as_deref()])?;
    let [inputs, outputs] = *dense.weights.shape() else {
        return Err(Error::malformed(format!("weights of shape {:?}, two axes are expected", dense.weights.shape())));
    };
    if x.last()? != inputs {
        return Err(Error::malformed(format!("weights of shape ({inputs}, {outputs}) for {x}")));
    }
    if let Some(bias) = &dense.bias {
        expect_shape("bias", bias, &[outputs])?;
    }
    with_last(x, 1, &[Dim::Fixed(outputs)])
}

fn matmul(left: &Shape, right: &Shape, transposed: bool) -> Result<Shape> {
    let fit = || Error::malformed(format!("{left} and {right} are no matrices to multiply"));
    let ([.., m, _], [.., a, b]) = (left.dims(), right.dims()) else { return Err(fit()) };
    let (k, n) = if transposed { (b, a) } else { (a, b) };
    if left.last()? != k.per_row() || k.is_batch() {
        return Err(fit());
    }
    let without = |shape: &Shape| Shape::new(shape.dims()[..shape.rank() - 2].to_vec());
    let front = without(left)?.broadcast(&without(right)?)?;
    Shape::new(front.dims().iter().chain([m, n]).copied().collect())
}

/// Windows that fit into `steps` and the places around them.
fn windows(steps: usize, size: usize, stride: usize, dilation: usize, before: usize, after: usize) -> Result<usize> {
    let reach = size.checked_sub(1).and_then(|taps| taps.checked_mul(dilation)).and_then(|reach| reach.checked_add(1));
    let whole = steps.checked_add(before).and_then(|whole| whole.checked_add(after));
    match (reach, whole) {
        (Some(reach), Some(whole)) if stride > 0 && dilation > 0 && reach <= whole => Ok((whole - reach) / stride + 1),
        _ => Err(Error::malformed(format!(
            "no window of {size} (stride {stride}, dilation {dilation}) fits into {before} + {steps} + {after} steps"
        ))),
    }
}

fn convolution(convolution: &Convolution, precision: Precision, x: &Shape) -> Result<Shape> {
    let Convolution { kernel, bias, stride, dilation, groups, before, after } = convolution;
    same_precision(precision, [Some(&**kernel), bias.as_deref()])?;
    let [taps, inside, filters] = *kernel.shape() else {
        return Err(Error::malformed(format!("a kernel of shape {:?}, three axes are expected", kernel.shape())));
    };
    let steps = x.size(x.rank().wrapping_sub(2))?;
    if *groups == 0 || inside.checked_mul(*groups) != Some(x.last()?) || !filters.is_multiple_of(*groups) {
        return Err(Error::malformed(format!("a kernel of shape {:?} in {groups} groups for {x}", kernel.shape())));
    }
    if let Some(bias) = bias {
        expect_shape("bias", bias, &[filters])?;
    }
    let windows = windows(steps, taps, *stride, *dilation, *before, *after)?;
    with_last(x, 2, &[Dim::Fixed(windows), Dim::Fixed(filters)])
}

fn normalize(normalize: &Normalize, precision: Precision, x: &Shape) -> Result<Shape> {
    let Normalize { norm, axes, scale, shift } = normalize;
    same_precision(precision, [scale.as_deref(), shift.as_deref()])?;
    if *axes == 0 || *axes > x.rank() {
        return Err(Error::malformed(format!("a normalisation over the last {axes} axes of {x}")));
    }
    let over = (x.rank() - axes..x.rank()).map(|axis| x.size(axis)).collect::<Result<Vec<_>>>()?;
    for (what, array) in [("scale", scale), ("shift", shift)] {
        if let Some(array) = array {
            expect_shape(what, array, &over)?;
        }
    }
    let (Norm::Layer { epsilon: least } | Norm::Rms { epsilon: least } | Norm::Unit { least }) = *norm;
    if !(least.is_finite() && least >= 0.0) {
        return Err(Error::malformed(format!("an epsilon of {least}")));
    }
    Ok(x.clone())
}

fn ascending(axes: &[usize]) -> bool {
    axes.windows(2).all(|pair| pair[0] < pair[1])
}

fn reduce(axes: &[usize], keep: bool, x: &Shape) -> Result<Shape> {
    if !ascending(axes) {
        return Err(Error::malformed(format!("axes {axes:?} are not in ascending order")));
    }
    for &axis in axes {
        x.size(axis)?;
    }
    let dims = x.dims().iter().enumerate().filter_map(|(axis, &dim)| match axes.contains(&axis) {
        true if keep => Some(Dim::Fixed(1)),
        true => None,
        false => Some(dim),
    });
    Shape::new(dims.collect())
}

fn concat(axis: usize, all: &[&Shape]) -> Result<Shape> {
    let first = all[0];
    let mut size = 0usize;
    for shape in all {
        let same = shape.rank() == first.rank()
            && (0..shape.rank()).all(|other| other == axis || shape.dims()[other] == first.dims()[other]);
        if !same {
            return Err(Error::malformed(format!("{first} and {shape} cannot follow each other along axis {axis}")));
        }
        size = size.saturating_add(shape.size(axis)?);
    }
    resized(first, axis, size)
}

fn transpose(order: &[usize], x: &Shape) -> Result<Shape> {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if sorted != (0..x.rank()).collect::<Vec<_>>() {
        return Err(Error::malformed(format!("axes in the order {order:?} of {x}")));
    }
    Shape::new(order.iter().map(|&axis| x.dims()[axis]).collect())
}

fn pool(pool: Pool, x: &Shape) -> Result<Shape> {
    let Pool { size, stride, dilation, before, after, .. } = pool;
    let steps = x.size(x.rank().wrapping_sub(2))?;
    let windows = windows(steps, size, stride, dilation, before, after)?;
    // A window beside all of the steps would be a mean or maximum of nothing. Windows whose places are at most `steps` apart cannot
    // jump over the steps, so it is enough to look at the ends.
    let reach = (size - 1) * dilation;
    if dilation > steps || before > reach || (windows - 1) * stride >= before + steps {
        return Err(Error::malformed(format!(
            "windows of {size} (stride {stride}, dilation {dilation}) lie beside all of the {steps} steps, with {before} and {after} \
             places around"
        )));
    }
    with_last(x, 2, &[Dim::Fixed(windows), Dim::Fixed(x.last()?)])
}

fn recurrent(layer: &Recurrent, precision: Precision, x: &Shape, states: &[&Shape]) -> Result<Shape> {
    let Recurrent { cell, kernel, recurrent, bias, recurrent_bias, .. } = layer;
    same_precision(precision, [Some(&**kernel), Some(&**recurrent), bias.as_deref(), recurrent_bias.as_deref()])?;
    let units = layer.units();
    limits::check("units of a recurrent layer", units, limits::FEATURES)?;
    let wide = units * cell.gates();
    let features = x.last()?;
    let steps = x.size(x.rank().wrapping_sub(2))?;
    expect_shape("recurrent weights", recurrent, &[units, wide])?;
    expect_shape("kernel", kernel, &[features, wide])?;
    for (what, bias) in [("bias", bias), ("recurrent bias", recurrent_bias)] {
        if let Some(bias) = bias {
            expect_shape(what, bias, &[wide])?;
        }
    }
    let state = with_last(x, 2, &[Dim::Fixed(units)])?;
    if let Some(given) = states.iter().find(|given| ***given != state) {
        return Err(Error::malformed(format!("an initial state of shape {given}, {state} is expected")));
    }
    match layer.returns {
        Returns::Sequence => with_last(x, 2, &[Dim::Fixed(steps), Dim::Fixed(units)]),
        Returns::Last => Ok(state),
        Returns::Memory if matches!(cell, Cell::Lstm { .. }) => Ok(state),
        Returns::Memory => Err(Error::malformed("only an LSTM has a memory")),
    }
}
