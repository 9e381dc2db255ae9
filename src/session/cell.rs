//! Elements of tensors as numbers of rows, and back.

use crate::ir::graph::Element;
use half::f16;
use ort::sys::ONNXTensorElementDataType as Type;

/// An element that is read from a tensor.
pub trait Cell: Copy {
    /// The same value as `f64`; integers beyond 2^53 are rounded.
    fn wide(self) -> f64;

    /// `1 - self`, in its own arithmetic.
    fn rest(self) -> f64 {
        1.0 - self.wide()
    }
}

macro_rules! cells {
    ($($type:ty: $wide:expr;)*) => {
        $(impl Cell for $type {
            #[inline]
            #[allow(clippy::cast_precision_loss)]
            fn wide(self) -> f64 {
                ($wide)(self)
            }
        })*
    };
}

cells! {
    f64: |x| x;
    i8: f64::from;
    i16: f64::from;
    i32: f64::from;
    i64: |x| x as f64;
    u8: f64::from;
    u16: f64::from;
    u32: f64::from;
    u64: |x| x as f64;
    f16: f16::to_f64;
}

impl Cell for f32 {
    #[inline]
    fn wide(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn rest(self) -> f64 {
        f64::from(1.0 - self)
    }
}

/// The runtime's number of an element.
pub fn type_of(element: Element) -> Type {
    match element {
        Element::F16 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,
        Element::F32 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
        Element::F64 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,
        Element::Bool => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL,
        Element::I8 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
        Element::I16 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,
        Element::I32 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
        Element::I64 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
        Element::U8 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
        Element::U16 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16,
        Element::U32 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32,
        Element::U64 => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64,
        Element::String => Type::ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING,
    }
}

/// Elements of a tensor, of one type or another.
#[derive(Debug, Clone, Copy)]
pub enum Cells<'a> {
    F16(&'a [f16]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
}

/// Runs `$body` with the elements of `$cells`, whatever their type, as `$slice`.
macro_rules! for_cells {
    ($cells:expr, $slice:ident => $body:expr) => {
        match $cells {
            Cells::F16($slice) => $body,
            Cells::F32($slice) => $body,
            Cells::F64($slice) => $body,
            Cells::I8($slice) => $body,
            Cells::I16($slice) => $body,
            Cells::I32($slice) => $body,
            Cells::I64($slice) => $body,
            Cells::U8($slice) => $body,
            Cells::U16($slice) => $body,
            Cells::U32($slice) => $body,
            Cells::U64($slice) => $body,
        }
    };
}
pub(super) use for_cells;

impl Cells<'_> {
    /// `count` elements at `data`; `None` for strings, which are not elements in memory.
    ///
    /// # Safety
    /// `data` leads to `count` initialised elements of this type, aligned for it, that live and are not written as long as the result.
    pub unsafe fn new(element: Element, data: *const u8, count: usize) -> Option<Self> {
        macro_rules! slice {
            ($variant:ident) => {
                if count == 0 {
                    Cells::$variant(&[])
                } else {
                    // SAFETY: as promised; `Bool` elements are read as the bytes that they are.
                    Cells::$variant(unsafe { std::slice::from_raw_parts(data.cast(), count) })
                }
            };
        }
        Some(match element {
            Element::F16 => slice!(F16),
            Element::F32 => slice!(F32),
            Element::F64 => slice!(F64),
            Element::I8 => slice!(I8),
            Element::I16 => slice!(I16),
            Element::I32 => slice!(I32),
            Element::I64 => slice!(I64),
            Element::Bool | Element::U8 => slice!(U8),
            Element::U16 => slice!(U16),
            Element::U32 => slice!(U32),
            Element::U64 => slice!(U64),
            Element::String => return None,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        for_cells!(self, cells => cells.len())
    }
}

/// A type that rows come in.
pub trait Given: Copy {
    /// Whether it is a NaN.
    fn is_missing(self) -> bool;
    /// The same value as `f32`, rounded to the nearest.
    fn single(self) -> f32;
    /// The same value as `f64`.
    fn double(self) -> f64;
}

impl Given for f32 {
    #[inline]
    fn is_missing(self) -> bool {
        self.is_nan()
    }

    #[inline]
    fn single(self) -> f32 {
        self
    }

    #[inline]
    fn double(self) -> f64 {
        f64::from(self)
    }
}

impl Given for f64 {
    #[inline]
    fn is_missing(self) -> bool {
        self.is_nan()
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    fn single(self) -> f32 {
        self as f32
    }

    #[inline]
    fn double(self) -> f64 {
        self
    }
}

/// The whole number that this is, when it is one of at most `bits` bits with its sign.
#[allow(clippy::cast_possible_truncation)] // whole and in range
pub fn whole(value: f64, bits: u32) -> Option<i64> {
    let bound = 2f64.powi(bits.cast_signed() - 1);
    (value.fract() == 0.0 && (-bound..bound).contains(&value)).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_bounds() {
        assert_eq!(whole(-2_147_483_648.0, 32), Some(-2_147_483_648));
        assert_eq!(whole(2_147_483_648.0, 32), None);
        assert_eq!(whole(-0.0, 64), Some(0));
        for odd in [0.5, f64::NAN, f64::INFINITY, 9.3e18] {
            assert_eq!(whole(odd, 64), None);
        }
    }
}
