//! Numbers that a network brings along: weights, tables, constants.

use super::super::Precision;
use crate::error::{Error, Result};

/// The numbers, in the type of the network.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// IEEE 754 binary32.
    F32(Vec<f32>),
    /// IEEE 754 binary64.
    F64(Vec<f64>),
}

/// A row-major array.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    data: Data,
}

impl Array {
    /// An array of this shape.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shape does not hold as many numbers, or none.
    pub fn new(shape: Vec<usize>, data: Data) -> Result<Self> {
        let count = match &data {
            Data::F32(data) => data.len(),
            Data::F64(data) => data.len(),
        };
        let expected = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if expected != Some(count) || count == 0 {
            return Err(Error::malformed(format!("{count} numbers do not fill an array of shape {shape:?}")));
        }
        Ok(Self { shape, data })
    }

    /// An array of float32.
    ///
    /// # Errors
    /// Those of [`Array::new`].
    pub fn f32(shape: &[usize], data: Vec<f32>) -> Result<Self> {
        Self::new(shape.to_vec(), Data::F32(data))
    }

    /// An array of float64.
    ///
    /// # Errors
    /// Those of [`Array::new`].
    pub fn f64(shape: &[usize], data: Vec<f64>) -> Result<Self> {
        Self::new(shape.to_vec(), Data::F64(data))
    }

    /// An array in this precision, each number rounded once.
    ///
    /// # Errors
    /// Those of [`Array::new`].
    #[allow(clippy::cast_possible_truncation)]
    pub fn rounded(precision: Precision, shape: &[usize], data: Vec<f64>) -> Result<Self> {
        match precision {
            Precision::F32 => Self::f32(shape, data.into_iter().map(|value| value as f32).collect()),
            Precision::F64 => Self::f64(shape, data),
        }
    }

    /// Its axes.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// How many numbers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.data {
            Data::F32(data) => data.len(),
            Data::F64(data) => data.len(),
        }
    }

    /// Never: an array without numbers is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Their type.
    #[must_use]
    pub fn precision(&self) -> Precision {
        match &self.data {
            Data::F32(_) => Precision::F32,
            Data::F64(_) => Precision::F64,
        }
    }

    /// The numbers widened.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        (0..self.len()).map(|index| match &self.data {
            Data::F32(data) => f64::from(data[index]),
            Data::F64(data) => data[index],
        })
    }
}
