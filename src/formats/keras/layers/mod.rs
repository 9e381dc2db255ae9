//! The layers of Keras, by what they are about.

pub(super) mod activation;
pub(super) mod attention;
pub(super) mod basic;
pub(super) mod convolution;
pub(super) mod custom;
mod einsum;
pub(super) mod merge;
pub(super) mod normalization;
pub(super) mod pooling;
pub(super) mod recurrent;
pub(super) mod shapes;
pub(super) mod wrapped;

use crate::error::{Error, Result};
use crate::ir::network::{Array, Data};
use std::sync::Arc;

/// The numbers of an array of weights.
fn floats(array: &Array) -> Result<&[f32]> {
    match array.data() {
        Data::F32(numbers) => Ok(numbers),
        Data::F64(_) => Err(Error::internal("weights in float64")),
    }
}

/// The same numbers along other axes.
fn reshaped(array: &Array, shape: &[usize]) -> Result<Arc<Array>> {
    Ok(Arc::new(Array::new(shape.to_vec(), array.data().clone())?))
}

/// The axes in another order: axis `i` of the result is axis `order[i]` of the array.
fn permuted(array: &Array, order: &[usize]) -> Result<Array> {
    let (shape, numbers) = (array.shape(), floats(array)?);
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let to: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let by: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
    let (mut index, mut place) = (vec![0; to.len()], 0);
    let mut moved = crate::limits::vec("weights", numbers.len())?;
    for _ in 0..numbers.len() {
        moved.push(numbers[place]);
        for axis in (0..to.len()).rev() {
            index[axis] += 1;
            place += by[axis];
            if index[axis] < to[axis] {
                break;
            }
            place -= by[axis] * to[axis];
            index[axis] = 0;
        }
    }
    Array::f32(&to, moved)
}

/// The product of sizes.
fn product(sizes: &[usize]) -> Result<usize> {
    sizes
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size))
        .ok_or_else(|| Error::malformed("sizes without end"))
}
