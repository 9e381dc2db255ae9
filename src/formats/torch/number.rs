//! Numbers of tensors: their types, and arrays out of storages.

use crate::error::{Error, Result};
use crate::ir::Precision;
use crate::ir::network::Array;
use crate::limits;

/// The type of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    U8,
    I8,
    I16,
    I32,
    I64,
    F16,
    F32,
    F64,
    Bool,
    Bf16,
}

/// What matters of a type where all numbers are of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Integer,
    Boolean,
}

impl Type {
    /// By the number of `c10::ScalarType`, as TorchScript writes it.
    pub(super) fn of_script(code: i64) -> Result<Self> {
        Ok(match code {
            0 => Type::U8,
            1 => Type::I8,
            2 => Type::I16,
            3 => Type::I32,
            4 => Type::I64,
            5 => Type::F16,
            6 => Type::F32,
            7 => Type::F64,
            11 => Type::Bool,
            15 => Type::Bf16,
            _ => {
                return Err(Error::unsupported(format!(
                    "numbers of type {code} are not read; convert the model to float32"
                )));
            }
        })
    }

    /// By the number of the schema of exported programs, which counts from one and has bfloat16 elsewhere.
    pub(super) fn of_schema(code: i64) -> Result<Self> {
        match code {
            13 => Ok(Type::Bf16),
            1..=12 => Self::of_script(code - 1),
            _ => Err(Error::unsupported(format!("numbers of type {code} are not read; convert the model to float32"))),
        }
    }

    /// By the name of a class of storages, `FloatStorage`.
    pub(super) fn of_storage(name: &str) -> Result<Self> {
        Ok(match name {
            "ByteStorage" => Type::U8,
            "CharStorage" => Type::I8,
            "ShortStorage" => Type::I16,
            "IntStorage" => Type::I32,
            "LongStorage" => Type::I64,
            "HalfStorage" => Type::F16,
            "FloatStorage" => Type::F32,
            "DoubleStorage" => Type::F64,
            "BoolStorage" => Type::Bool,
            "BFloat16Storage" => Type::Bf16,
            _ => return Err(Error::unsupported(format!("a {name} is not read; convert the model to float32"))),
        })
    }

    /// Bytes of an element.
    pub(super) fn size(self) -> usize {
        match self {
            Type::U8 | Type::I8 | Type::Bool => 1,
            Type::I16 | Type::F16 | Type::Bf16 => 2,
            Type::I32 | Type::F32 => 4,
            Type::I64 | Type::F64 => 8,
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Type::F16 | Type::F32 | Type::F64 | Type::Bf16 => Kind::Float,
            Type::Bool => Kind::Boolean,
            _ => Kind::Integer,
        }
    }

    /// An element; integers beyond 2^53 lose their last bits.
    #[allow(clippy::cast_precision_loss)]
    fn decode(self, bytes: &[u8]) -> f64 {
        fn exactly<const N: usize>(bytes: &[u8]) -> [u8; N] {
            std::array::from_fn(|index| bytes[index])
        }
        match self {
            Type::U8 => f64::from(bytes[0]),
            Type::Bool => f64::from(u8::from(bytes[0] != 0)),
            Type::I8 => f64::from(bytes[0].cast_signed()),
            Type::I16 => f64::from(i16::from_le_bytes(exactly(bytes))),
            Type::I32 => f64::from(i32::from_le_bytes(exactly(bytes))),
            Type::I64 => i64::from_le_bytes(exactly(bytes)) as f64,
            Type::F32 => f64::from(f32::from_le_bytes(exactly(bytes))),
            Type::F64 => f64::from_le_bytes(exactly(bytes)),
            Type::Bf16 => f64::from(f32::from_bits(u32::from(u16::from_le_bytes(exactly(bytes))) << 16)),
            Type::F16 => half(u16::from_le_bytes(exactly(bytes))),
        }
    }
}

/// IEEE 754 binary16 widened.
fn half(bits: u16) -> f64 {
    let (sign, exponent, fraction) = (bits >> 15, (bits >> 10) & 31, f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(i32::from(exponent) - 25),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

/// How a tensor lies in its storage: element `i, j, ..` stands at `offset + i * strides[0] + j * strides[1] + ..`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    pub(super) kind: Type,
    pub(super) sizes: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) offset: usize,
}

impl View {
    /// The elements in row-major order, as an array of this precision.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the storage does not reach as far, `MI_LIMIT_EXCEEDED` for too many elements.
    pub(super) fn array(&self, storage: &[u8], precision: Precision) -> Result<Array> {
        if self.sizes.len() != self.strides.len() {
            return Err(Error::malformed(format!("{} sizes and {} strides", self.sizes.len(), self.strides.len())));
        }
        limits::check("axes of a tensor", self.sizes.len(), limits::TENSOR_AXES)?;
        let count = self.sizes.iter().try_fold(1usize, |count, &size| count.checked_mul(size)).unwrap_or(usize::MAX);
        limits::check("elements of a tensor", count, limits::TENSOR_ELEMENTS)?;
        if count == 0 {
            return Err(Error::malformed(format!("a tensor of shape {:?} has no elements", self.sizes)));
        }
        let reach = self
            .sizes
            .iter()
            .zip(&self.strides)
            .try_fold(self.offset, |reach, (&size, &stride)| reach.checked_add((size - 1).checked_mul(stride)?));
        let held = storage.len() / self.kind.size();
        if reach.is_none_or(|last| last >= held) {
            return Err(Error::malformed(format!(
                "a tensor of shape {:?} with strides {:?} from element {} on does not lie in a storage of {held}",
                self.sizes, self.strides, self.offset
            )));
        }
        let mut numbers = limits::vec("elements of a tensor", count)?;
        let mut place = vec![0; self.sizes.len()];
        let mut at = self.offset;
        for _ in 0..count {
            let start = at * self.kind.size();
            numbers.push(self.kind.decode(&storage[start..start + self.kind.size()]));
            for axis in (0..place.len()).rev() {
                place[axis] += 1;
                at += self.strides[axis];
                if place[axis] < self.sizes[axis] {
                    break;
                }
                at -= self.strides[axis] * self.sizes[axis];
                place[axis] = 0;
            }
        }
        Array::rounded(precision, &self.sizes, numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_are_followed_and_bounded() {
        let storage: Vec<u8> = (0u8..6).flat_map(|value| f32::from(value).to_le_bytes()).collect();
        let view = |sizes: &[usize], strides: &[usize], offset| View {
            kind: Type::F32,
            sizes: sizes.to_vec(),
            strides: strides.to_vec(),
            offset,
        };
        let numbers = |view: View| view.array(&storage, Precision::F32).map(|array| array.values().collect::<Vec<_>>());
        assert_eq!(numbers(view(&[2, 3], &[3, 1], 0)).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(numbers(view(&[3, 2], &[1, 3], 0)).unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(numbers(view(&[2, 2], &[0, 1], 4)).unwrap(), [4.0, 5.0, 4.0, 5.0]);
        assert_eq!(numbers(view(&[], &[], 5)).unwrap(), [5.0]);
        for beyond in
            [view(&[2, 3], &[3, 1], 1), view(&[7], &[1], 0), view(&[2], &[usize::MAX], 0), view(&[0], &[1], 0)]
        {
            assert!(numbers(beyond).is_err());
        }
    }

    #[test]
    fn halves_are_widened() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2f64.powi(-24)), (0x7bff, 65504.0), (0x3555, 0.333_251_953_125)]
        {
            assert!(half(bits) == value, "{bits:#x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e01).is_nan() && half(0x8000).is_sign_negative());
    }
}
