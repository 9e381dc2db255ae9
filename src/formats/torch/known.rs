//! Tensors whose numbers are known: what is computed once, when a file is read.

use crate::error::{Error, Result};
use crate::ir::network::{Array, Binary, Function, Shape};
use crate::limits;

/// Functions that are worth computing once.
pub(super) fn of_known(function: Function) -> Option<fn(f64) -> f64> {
    Some(match function {
        Function::Negate => |x| -x,
        Function::Abs => f64::abs,
        Function::Exp => f64::exp,
        Function::Sqrt => f64::sqrt,
        Function::ReciprocalSqrt => |x| 1.0 / x.sqrt(),
        Function::Reciprocal => f64::recip,
        Function::Square => |x| x * x,
        Function::Truncate => f64::trunc,
        Function::Floor => f64::floor,
        Function::Not => |x| f64::from(u8::from(x == 0.0)),
        Function::Sin => f64::sin,
        Function::Cos => f64::cos,
        _ => return None,
    })
}

pub(super) fn of_two_known(function: Binary) -> Option<fn(f64, f64) -> f64> {
    fn truth(value: bool) -> f64 {
        f64::from(u8::from(value))
    }
    Some(match function {
        Binary::Add => |a, b| a + b,
        Binary::Subtract => |a, b| a - b,
        Binary::Multiply => |a, b| a * b,
        Binary::Divide => |a, b| a / b,
        Binary::Power => f64::powf,
        Binary::Greater => |a, b| truth(a > b),
        Binary::GreaterOrEqual => |a, b| truth(a >= b),
        Binary::Less => |a, b| truth(a < b),
        Binary::LessOrEqual => |a, b| truth(a <= b),
        Binary::Equal => |a, b| truth(a == b),
        Binary::NotEqual => |a, b| truth(a != b),
        Binary::Maximum | Binary::Minimum => return None,
    })
}

/// Walks over the elements of a shape in row-major order; `strides` say how far each axis moves in the data.
fn gather(array: &Array, sizes: &[usize], strides: &[usize], first: usize) -> Result<Vec<f64>> {
    let count = sizes.iter().fold(1usize, |count, &size| count.saturating_mul(size));
    limits::check("elements of a tensor", count, limits::TENSOR_ELEMENTS)?;
    let data: Vec<f64> = array.values().collect();
    let mut numbers = limits::vec("elements of a tensor", count)?;
    let mut place = vec![0; sizes.len()];
    let mut at = first;
    for _ in 0..count {
        numbers.push(data[at]);
        for axis in (0..place.len()).rev() {
            place[axis] += 1;
            at += strides[axis];
            if place[axis] < sizes[axis] {
                break;
            }
            at -= strides[axis] * sizes[axis];
            place[axis] = 0;
        }
    }
    Ok(numbers)
}

fn strides(sizes: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; sizes.len()];
    for axis in (1..sizes.len()).rev() {
        strides[axis - 1] = strides[axis] * sizes[axis];
    }
    strides
}

/// The elements of an array broadcast to these sizes.
pub(super) fn expanded(array: &Array, sizes: &[usize]) -> Result<Vec<f64>> {
    let shape = Shape::fixed(array.shape())?.broadcast(&Shape::fixed(sizes)?)?;
    if shape.per_row() != sizes {
        return Err(Error::malformed(format!("{:?} cannot be broadcast to {sizes:?}", array.shape())));
    }
    let own = strides(array.shape());
    let missing = sizes.len() - array.shape().len();
    let moves: Vec<usize> = (0..sizes.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(mine) if array.shape()[mine] > 1 => own[mine],
            _ => 0,
        })
        .collect();
    gather(array, sizes, &moves, 0)
}

/// An array with its axes in another order.
pub(super) fn transposed(array: &Array, order: &[usize]) -> Result<Array> {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if sorted != (0..array.shape().len()).collect::<Vec<_>>() {
        return Err(Error::malformed(format!("axes in the order {order:?} of {:?}", array.shape())));
    }
    let own = strides(array.shape());
    let sizes: Vec<usize> = order.iter().map(|&axis| array.shape()[axis]).collect();
    let moves: Vec<usize> = order.iter().map(|&axis| own[axis]).collect();
    Array::rounded(array.precision(), &sizes, gather(array, &sizes, &moves, 0)?)
}

/// Some indices of an axis of an array.
pub(super) fn taken(array: &Array, axis: usize, indices: &[usize]) -> Result<Array> {
    let refuse = || Error::malformed(format!("indices {indices:?} of axis {axis} of {:?}", array.shape()));
    let size = *array.shape().get(axis).ok_or_else(refuse)?;
    if indices.is_empty() || indices.iter().any(|&index| index >= size) {
        return Err(refuse());
    }
    let own = strides(array.shape());
    let mut sizes = array.shape().to_vec();
    sizes[axis] = 1;
    let parts =
        indices.iter().map(|&index| gather(array, &sizes, &own, index * own[axis])).collect::<Result<Vec<_>>>()?;
    let inner: usize = array.shape()[axis + 1..].iter().product();
    let outer: usize = array.shape()[..axis].iter().product();
    let mut numbers = limits::vec("elements of a tensor", outer * indices.len() * inner)?;
    for row in 0..outer {
        for part in &parts {
            numbers.extend_from_slice(&part[row * inner..][..inner]);
        }
    }
    sizes[axis] = indices.len();
    Array::rounded(array.precision(), &sizes, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_moved_as_numpy_moves_them() {
        let array = Array::f32(&[2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let numbers = |array: &Array| array.values().collect::<Vec<_>>();
        assert_eq!(numbers(&transposed(&array, &[1, 0]).unwrap()), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(numbers(&taken(&array, 1, &[2, 0]).unwrap()), [2.0, 0.0, 5.0, 3.0]);
        assert_eq!(numbers(&taken(&array, 0, &[1]).unwrap()), [3.0, 4.0, 5.0]);
        let row = Array::f32(&[1, 2], vec![7.0, 8.0]).unwrap();
        assert_eq!(expanded(&row, &[2, 2, 2]).unwrap(), [7.0, 8.0, 7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
        assert!(
            expanded(&row, &[2]).is_err() && transposed(&array, &[0, 0]).is_err() && taken(&array, 1, &[3]).is_err()
        );
    }
}
