//! numpy's arrays: dtypes, and raw data made into numbers and strings.

use crate::error::{Error, Result};
use crate::limits;
use std::borrow::Cow;

/// Elements of any number of axes, in C order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array<T = f64> {
    /// Length of each axis; empty: a single element.
    pub shape: Vec<usize>,
    /// The elements, the last axis running fastest.
    pub data: Vec<T>,
}

impl<T> Array<T> {
    /// Rows and columns of a matrix; a vector is one row.
    #[must_use]
    pub fn matrix(&self) -> Option<(usize, usize)> {
        match *self.shape {
            [columns] => Some((1, columns)),
            [rows, columns] => Some((rows, columns)),
            _ => None,
        }
    }
}

/// What an element is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `b1`
    Bool,
    /// `i1` to `i8`
    Int,
    /// `u1` to `u8`
    Uint,
    /// `f2`, `f4`, `f8`
    Float,
    /// `S`: bytes, padded with zeros.
    Bytes,
    /// `U`: code points of four bytes, padded with zeros.
    Text,
    /// `O`: references to objects.
    Object,
    /// `M8` and `m8`: 64-bit integers that count this unit, for example `ns`, from 1970 on or as a difference.
    Time {
        /// One of [`TIME_UNITS`]; `None` for the generic one.
        unit: Option<String>,
        /// How many of the unit one step is.
        step: i64,
    },
    /// `V` with fields.
    Struct(Vec<Field>),
    /// An array in each element.
    Sub(Box<DType>, Vec<usize>),
    /// Complex numbers, long doubles, raw bytes: known by size alone, not read.
    Opaque,
}

/// The units of numpy's times.
pub const TIME_UNITS: [&str; 13] = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"];

/// A field of a structured dtype.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: DType,
    /// Bytes between the start of the element and the field.
    pub offset: usize,
}

/// The type of the elements of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DType {
    /// What it is.
    pub kind: Kind,
    /// Bytes of an element.
    pub size: usize,
    /// The most significant byte comes first.
    pub big_endian: bool,
    /// As numpy spells it, for messages: `<f8`.
    pub code: String,
}

impl DType {
    /// The dtype of a code such as `f8`, `<i4`, `|S5`, `U10`, `M8[ns]`.
    ///
    /// # Errors
    /// `MI_MALFORMED` for what is no such code, `MI_UNSUPPORTED` for a type numpy has and this library does not read.
    pub fn parse(code: &str) -> Result<Self> {
        let unknown = || Error::malformed(format!("'{}' is not a dtype of numpy", code.escape_debug()));
        limits::check("bytes in a dtype", code.len(), limits::DTYPE_BYTES)?;
        let big_endian = code.starts_with('>');
        let bare = code.trim_start_matches(['<', '>', '|', '=']);
        let letter = bare.chars().next().ok_or_else(unknown)?;
        let (digits, unit) = match bare[letter.len_utf8()..].split_once('[') {
            Some((digits, unit)) => (digits, Some(unit.strip_suffix(']').ok_or_else(unknown)?)),
            None => (&bare[letter.len_utf8()..], None),
        };
        let number = if digits.is_empty() { 0 } else { digits.parse::<usize>().map_err(|_| unknown())? };
        if unit.is_some() && !matches!(letter, 'M' | 'm') {
            return Err(unknown());
        }
        let kind = match (letter, number) {
            ('b', 1) | ('?', 0) => Kind::Bool,
            ('i', 1 | 2 | 4 | 8) => Kind::Int,
            ('u', 1 | 2 | 4 | 8) => Kind::Uint,
            ('f', 2 | 4 | 8) => Kind::Float,
            ('S' | 'a', _) => Kind::Bytes,
            ('U', _) => Kind::Text,
            ('O', _) => Kind::Object,
            ('M' | 'm', 8) => {
                let unit = unit.unwrap_or_default();
                let letters = unit.trim_start_matches(|c: char| c.is_ascii_digit());
                let step = &unit[..unit.len() - letters.len()];
                let step = if step.is_empty() { 1 } else { step.parse().map_err(|_| unknown())? };
                if !letters.is_empty() && !TIME_UNITS.contains(&letters) {
                    return Err(unknown());
                }
                Kind::Time { unit: (!letters.is_empty()).then(|| letters.to_owned()), step }
            }
            ('V', _) | ('f', 12 | 16) | ('c', 8 | 16 | 24 | 32) => Kind::Opaque,
            _ => return Err(unknown()),
        };
        let size = match letter {
            'U' => number.checked_mul(4).ok_or_else(unknown)?,
            '?' => 1,
            'O' => 8,
            _ => number,
        };
        Ok(Self { kind, size, big_endian, code: code.to_owned() })
    }

    /// Whether elements hold references to objects, which cannot lie raw in a file.
    #[must_use]
    pub fn has_objects(&self) -> bool {
        match &self.kind {
            Kind::Object => true,
            Kind::Struct(fields) => fields.iter().any(|field| field.dtype.has_objects()),
            Kind::Sub(base, _) => base.has_objects(),
            _ => false,
        }
    }

    fn refuse(&self, wanted: &str) -> Error {
        Error::malformed(format!("{wanted} are expected, the array holds {}", self.code))
    }
}

/// The elements of these axes, counted.
///
/// # Errors
/// `MI_MALFORMED` when their product passes every address, `MI_LIMIT_EXCEEDED` for long axes beside one of no length.
pub fn count(shape: &[usize]) -> Result<usize> {
    if shape.contains(&0) {
        let longest = shape.iter().copied().max().unwrap_or(0);
        limits::check("rows or columns of an array without elements", longest, limits::EMPTY_AXIS)?;
        return Ok(0);
    }
    let count = shape.iter().try_fold(1usize, |count, &axis| count.checked_mul(axis));
    count.ok_or_else(|| Error::malformed(format!("an array of shape {shape:?} passes every address")))
}

/// An array as it lies in a file: raw bytes that are not objects.
#[derive(Debug, Clone)]
pub struct RawArray<'a> {
    dtype: DType,
    shape: Vec<usize>,
    fortran: bool,
    data: Cow<'a, [u8]>,
    /// Bytes between the starts of two elements, and of the first one from the start of the data.
    stride: usize,
    offset: usize,
}

impl<'a> RawArray<'a> {
    /// An array of these axes; the first axis runs fastest when `fortran`.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the data have not the length that dtype and shape ask for.
    pub fn new(dtype: DType, shape: Vec<usize>, fortran: bool, data: Cow<'a, [u8]>) -> Result<Self> {
        limits::check("axes of an array", shape.len(), limits::ARRAY_AXES)?;
        let bytes = count(&shape)?.checked_mul(dtype.size);
        if bytes != Some(data.len()) {
            return Err(Error::malformed(format!(
                "an array of shape {shape:?} and dtype {} has {} bytes",
                dtype.code,
                data.len()
            )));
        }
        if dtype.size == 0 {
            limits::check("array elements of no bytes", count(&shape)?, limits::EMPTY_ELEMENTS)?;
        }
        if dtype.has_objects() {
            return Err(Error::malformed(format!("an array of dtype {} as raw bytes", dtype.code)));
        }
        let stride = dtype.size;
        Ok(Self { dtype, shape, fortran, data, stride, offset: 0 })
    }

    /// The type of an element.
    #[must_use]
    pub fn dtype(&self) -> &DType {
        &self.dtype
    }

    /// Length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many elements.
    #[must_use]
    pub fn len(&self) -> usize {
        count(&self.shape).unwrap_or(0) // `new` has proved that it can be counted
    }

    /// No elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// Every element through `read`, brought into C order.
    fn map<const N: usize, T: Clone>(&self, read: impl Fn([u8; N]) -> T) -> Result<Array<T>> {
        self.each(N, |bytes| read(bytes.first_chunk().copied().unwrap_or([0; N])))
    }

    fn each<T: Clone>(&self, size: usize, read: impl Fn(&[u8]) -> T) -> Result<Array<T>> {
        let count = count(&self.shape)?;
        let mut data = limits::vec("array elements", count)?;
        if count > 0 && self.stride > 0 {
            // `new` and `field` proved that every element lies within its stride.
            let elements = self.data.chunks_exact(self.stride).take(count);
            data.extend(elements.map(|element| read(&element[self.offset..self.offset + size])));
        } else {
            data.extend((0..count).map(|_| read(&[])));
        }
        let data = if self.fortran { to_c_order(&data, &self.shape)? } else { data };
        Ok(Array { shape: self.shape.clone(), data })
    }

    /// Numbers of any type as float64, rounded as numpy's `astype` does.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the elements are no numbers.
    #[allow(clippy::cast_precision_loss)] // what astype does
    pub fn f64(&self) -> Result<Array<f64>> {
        let big = self.dtype.big_endian;
        match (&self.dtype.kind, self.dtype.size) {
            (Kind::Float, 8) => self.map(|b| f64::from_bits(order(u64::from_le_bytes(b), u64::swap_bytes, big))),
            (Kind::Float, 4) => {
                self.map(|b| f64::from(f32::from_bits(order(u32::from_le_bytes(b), u32::swap_bytes, big))))
            }
            (Kind::Float, 2) => self.map(|b| half(order(u16::from_le_bytes(b), u16::swap_bytes, big))),
            (Kind::Uint, 8) => self.map(|b| order(u64::from_le_bytes(b), u64::swap_bytes, big) as f64),
            (Kind::Bool | Kind::Int | Kind::Uint, _) => {
                let whole = self.i64()?;
                Ok(Array { shape: whole.shape, data: whole.data.into_iter().map(|number| number as f64).collect() })
            }
            _ => Err(self.dtype.refuse("numbers")),
        }
    }

    /// Integers, booleans and times as int64.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the elements are no integers, or one passes int64.
    #[allow(clippy::cast_possible_wrap)] // two's complement is meant
    pub fn i64(&self) -> Result<Array<i64>> {
        let big = self.dtype.big_endian;
        match (&self.dtype.kind, self.dtype.size) {
            (Kind::Bool, _) => self.map(|[byte]: [u8; 1]| i64::from(byte != 0)),
            (Kind::Int, 1) => self.map(|[byte]: [u8; 1]| i64::from(byte as i8)),
            (Kind::Uint, 1) => self.map(|[byte]: [u8; 1]| i64::from(byte)),
            (Kind::Int, 2) => self.map(|b| i64::from(order(i16::from_le_bytes(b), i16::swap_bytes, big))),
            (Kind::Uint, 2) => self.map(|b| i64::from(order(u16::from_le_bytes(b), u16::swap_bytes, big))),
            (Kind::Int, 4) => self.map(|b| i64::from(order(i32::from_le_bytes(b), i32::swap_bytes, big))),
            (Kind::Uint, 4) => self.map(|b| i64::from(order(u32::from_le_bytes(b), u32::swap_bytes, big))),
            (Kind::Int | Kind::Time { .. }, 8) => self.map(|b| order(i64::from_le_bytes(b), i64::swap_bytes, big)),
            (Kind::Uint, 8) => {
                let whole = self.map(|b| order(i64::from_le_bytes(b), i64::swap_bytes, big))?;
                match whole.data.iter().find(|&&number| number < 0) {
                    Some(&wrapped) => Err(Error::malformed(format!("{} passes int64", wrapped.cast_unsigned()))),
                    None => Ok(whole),
                }
            }
            _ => Err(self.dtype.refuse("integers")),
        }
    }

    /// Booleans.
    ///
    /// # Errors
    /// `MI_MALFORMED` for other elements.
    pub fn bools(&self) -> Result<Array<bool>> {
        match self.dtype.kind {
            Kind::Bool => self.map(|[byte]: [u8; 1]| byte != 0),
            _ => Err(self.dtype.refuse("booleans")),
        }
    }

    /// Strings of dtype `U` or `S`, without the zeros that pad them.
    ///
    /// # Errors
    /// `MI_MALFORMED` for other elements, for bytes that are not UTF-8 and for code points that do not exist.
    pub fn strings(&self) -> Result<Array<String>> {
        let size = self.dtype.size;
        let big = self.dtype.big_endian;
        let read: &dyn Fn(&[u8]) -> Option<String> = match self.dtype.kind {
            Kind::Bytes => &|bytes| {
                let len = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                Some(std::str::from_utf8(&bytes[..len]).ok()?.to_owned())
            },
            Kind::Text => &|bytes| {
                let (codes, _) = bytes.as_chunks::<4>();
                let codes = codes.iter().map(|&code| order(u32::from_le_bytes(code), u32::swap_bytes, big));
                let text: String = codes.map(char::from_u32).collect::<Option<_>>()?;
                Some(text.trim_end_matches('\0').to_owned())
            },
            _ => return Err(self.dtype.refuse("strings")),
        };
        let strings = self.each(size, read)?;
        let data: Option<Vec<String>> = strings.data.into_iter().collect();
        let data = data.ok_or_else(|| Error::malformed("an array holds a string that is not Unicode"))?;
        Ok(Array { shape: strings.shape, data })
    }

    /// The fields of a structured array.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is not structured.
    pub fn fields(&self) -> Result<&[Field]> {
        match &self.dtype.kind {
            Kind::Struct(fields) => Ok(fields),
            _ => Err(self.dtype.refuse("records with fields")),
        }
    }

    /// One field of all elements, as an array of the same shape. A field that is itself an array adds its axes at the end.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is no such field.
    pub fn field(&self, name: &str) -> Result<RawArray<'_>> {
        let fields = self.fields()?;
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).take(32).collect();
            return Err(Error::malformed(format!("no field '{name}'; the fields are {}", names.join(", "))));
        };
        let offset = self.offset + field.offset;
        let Kind::Sub(base, axes) = &field.dtype.kind else {
            if field.dtype.size > self.stride.saturating_sub(offset) {
                return Err(Error::malformed(format!("field '{name}' lies outside of its record")));
            }
            let data = Cow::Borrowed(&*self.data);
            return Ok(RawArray { dtype: field.dtype.clone(), data, offset, shape: self.shape.clone(), ..*self });
        };
        // The inner axes are in C order whatever the outer ones are: bring everything into C order, packed.
        let packed = self.each_slice(offset, field.dtype.size)?;
        let mut shape = self.shape.clone();
        shape.extend(axes);
        RawArray::new(DType::clone(base), shape, false, Cow::Owned(packed))
    }

    /// These bytes of every element, in C order, one behind the other.
    fn each_slice(&self, offset: usize, size: usize) -> Result<Vec<u8>> {
        if size > self.stride.saturating_sub(offset) {
            return Err(Error::malformed("a field lies outside of its record"));
        }
        let count = count(&self.shape)?;
        let mut order: Vec<usize> = limits::vec("array elements", count)?;
        order.extend(0..count);
        if self.fortran {
            order = to_c_order(&order, &self.shape)?;
        }
        let mut packed = limits::vec("bytes", count.saturating_mul(size))?;
        for element in order {
            packed.extend_from_slice(&self.data[element * self.stride + offset..][..size]);
        }
        Ok(packed)
    }
}

/// Numbers added up as numpy's `sum` adds up a contiguous axis: eight partial sums side by side, blocks of 128 in pairs.
#[must_use]
pub fn sum(numbers: &[f64]) -> f64 {
    0.0 + pairwise(numbers)
}

/// Source: `pairwise_sum` of numpy's loops.
fn pairwise(numbers: &[f64]) -> f64 {
    const BLOCK: usize = 128;
    if numbers.len() < 8 {
        return numbers.iter().fold(0.0, |sum, number| sum + number);
    }
    if numbers.len() > BLOCK {
        let half = numbers.len() / 2;
        let (left, right) = numbers.split_at(half - half % 8);
        return pairwise(left) + pairwise(right);
    }
    let (eights, rest) = numbers.as_chunks::<8>();
    let mut parts = [0.0; 8];
    for (index, eight) in eights.iter().enumerate() {
        for (part, number) in parts.iter_mut().zip(eight) {
            *part = if index == 0 { *number } else { *part + number };
        }
    }
    let pair = |at: usize| parts[at] + parts[at + 1];
    rest.iter().fold((pair(0) + pair(2)) + (pair(4) + pair(6)), |sum, number| sum + number)
}

#[inline]
fn order<T>(number: T, swap: impl Fn(T) -> T, big_endian: bool) -> T {
    if big_endian { swap(number) } else { number }
}

/// IEEE 754 binary16, exactly.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// Elements whose first axis runs fastest, rearranged so that the last one does.
fn to_c_order<T: Clone>(data: &[T], shape: &[usize]) -> Result<Vec<T>> {
    let mut out = limits::vec("array elements", data.len())?;
    let mut index = vec![0; shape.len()];
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut at = 0;
    for _ in 0..data.len() {
        out.push(data[at].clone());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw<'a>(code: &str, shape: &[usize], fortran: bool, data: &'a [u8]) -> RawArray<'a> {
        RawArray::new(DType::parse(code).unwrap(), shape.to_vec(), fortran, Cow::Borrowed(data)).unwrap()
    }

    #[test]
    fn halves() {
        let cases =
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 2f64.powi(-24)), (0x7c00, f64::INFINITY)];
        for (bits, value) in cases {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7e00).is_nan());
        assert!(half(0x8000).is_sign_negative());
    }

    #[test]
    fn fortran_order_becomes_c_order() {
        let array = raw("u1", &[2, 3], true, &[1, 4, 2, 5, 3, 6]);
        assert_eq!(array.i64().unwrap().data, [1, 2, 3, 4, 5, 6]);
        assert_eq!(raw("u1", &[0, 3], true, &[]).i64().unwrap().data, [0i64; 0]);
        assert_eq!(raw("u1", &[], true, &[7]).i64().unwrap().data, [7]);
    }

    #[test]
    fn numbers_pass_int64_by_name() {
        let error = raw("<u8", &[1], false, &[255; 8]).i64().unwrap_err();
        assert!(error.message().contains("18446744073709551615"), "{error}");
    }

    #[test]
    fn codes() {
        let time = DType::parse("<M8[25ns]").unwrap();
        assert_eq!(time.kind, Kind::Time { unit: Some("ns".to_owned()), step: 25 });
        assert_eq!(DType::parse("|S5").unwrap().size, 5);
        assert_eq!(DType::parse("<U5").unwrap().size, 20);
        for wrong in ["", "<", "f3", "é8", "U99999999999999999999", "U9999999999999999999", "f8[ns]", "M8[ns"] {
            assert!(DType::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_are_checked() {
        let dtype = DType::parse("<f8").unwrap();
        assert!(RawArray::new(dtype.clone(), vec![2], false, Cow::Borrowed(&[0; 15])).is_err());
        assert!(RawArray::new(dtype, vec![usize::MAX, 2], false, Cow::Borrowed(&[])).is_err());
    }
}
