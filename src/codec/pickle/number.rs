//! Objects of the graph as numbers, strings, bytes and arrays.

use super::numpy::{self, Content};
use super::path::Label;
use super::value::{Id, Node};
use super::view::Ref;
use crate::codec::ndarray::{self, Array, DType, RawArray};
use crate::error::{Result, Within};
use crate::limits;
use std::borrow::Cow;

/// What every array costs beside its elements.
const ARRAY: usize = 128;

impl<'g> Ref<'g> {
    /// A number: bool, int, float, numpy scalar, or an array of one element.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else.
    #[allow(clippy::cast_precision_loss)] // as Python's float() does
    pub fn as_f64(self) -> Result<f64> {
        match self.node() {
            Node::Bool(yes) => Ok(f64::from(u8::from(yes))),
            Node::Int(number) => Ok(number as f64),
            Node::Float(number) => Ok(number),
            _ => self.single("a number", Self::array_f64),
        }
    }

    /// An integer: bool, int, numpy integer, or an integer array of one element.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else, and for what passes 64 bits.
    pub fn as_i64(self) -> Result<i64> {
        match self.node() {
            Node::Bool(yes) => Ok(i64::from(yes)),
            Node::Int(number) => Ok(number),
            Node::Long(span) => Err(self.malformed(format!("an integer of {} bytes passes 64 bits", span.len))),
            _ => self.single("an integer", Self::array_i64),
        }
    }

    /// An integer that is a length, index or count.
    ///
    /// # Errors
    /// Those of [`Ref::as_i64`], and `MI_MALFORMED` when it is negative.
    pub fn as_usize(self) -> Result<usize> {
        let number = self.as_i64()?;
        usize::try_from(number).map_err(|_| self.malformed(format!("{number} is not a count")))
    }

    /// A truth value: bool, numpy bool, or the integers 0 and 1.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else.
    pub fn as_bool(self) -> Result<bool> {
        match self.as_i64() {
            Ok(0) => Ok(false),
            Ok(1) => Ok(true),
            _ => Err(self.expected("a bool")),
        }
    }

    fn single<T: Copy>(self, what: &str, read: impl Fn(Self) -> Result<Array<T>>) -> Result<T> {
        if self.parts()?.is_none() {
            return Err(self.expected(what));
        }
        match *read(self)?.data {
            [number] => Ok(number),
            ref several => Err(self.malformed(format!("{what} is expected, this is an array of {}", several.len()))),
        }
    }

    /// Whether it is text: a `str` or a `numpy.str_`.
    #[must_use]
    pub fn is_str(self) -> bool {
        matches!(self.string(), Ok(Some(_)))
    }

    /// Text: a `str`, a Python 2 `str` that is UTF-8, or a `numpy.str_`.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else.
    pub fn as_str(self) -> Result<Cow<'g, str>> {
        self.string()?.ok_or_else(|| self.expected("a str"))
    }

    fn string(self) -> Result<Option<Cow<'g, str>>> {
        if let Some(text) = self.written() {
            // Every reader that keeps it copies it.
            self.charge(text.len())?;
            return Ok(self.text().map(Cow::Borrowed));
        }
        match self.raw_array()? {
            Some(array) if array.shape().is_empty() => {
                Ok(array.strings().within(|| self.path())?.data.pop().map(Cow::Owned))
            }
            _ => Ok(None),
        }
    }

    /// The bytes of `bytes`, `bytearray`, or a Python 2 `str`, however the protocol wrote them.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else.
    pub fn bytes(self) -> Result<Cow<'g, [u8]>> {
        self.octets()?.ok_or_else(|| self.expected("bytes"))
    }

    /// A numpy array or scalar that holds no objects, as it lies in the file; `None` when it is something else. Scalars have no
    /// axes.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a damaged array, `MI_UNSUPPORTED` for a masked one.
    pub fn raw_array(self) -> Result<Option<RawArray<'g>>> {
        let Some(parts) = self.parts()? else { return Ok(None) };
        let Content::Raw(data) = parts.content else { return Ok(None) };
        let dtype = self.dtype_of(parts.dtype)?;
        RawArray::new(dtype, parts.shape, parts.fortran, data).map(Some).within(|| self.path())
    }

    fn dtype_of(self, dtype: Id) -> Result<DType> {
        numpy::dtype(self.store(), dtype, &self.meter()).within(|| self.path())
    }

    /// The dtype of a numpy array or scalar.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is neither.
    pub fn dtype(self) -> Result<DType> {
        let parts = self.parts()?.ok_or_else(|| self.expected("a numpy array"))?;
        self.dtype_of(parts.dtype)
    }

    /// Length of each axis of a numpy array; none for a scalar.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is neither.
    pub fn shape(self) -> Result<Vec<usize>> {
        Ok(self.parts()?.ok_or_else(|| self.expected("a numpy array"))?.shape)
    }

    /// Whether it is a numpy array or scalar.
    #[must_use]
    pub fn is_array(self) -> bool {
        matches!(self.parts(), Ok(Some(_)))
    }

    /// One array of any kind: raw, of objects, or a list or tuple of single elements.
    fn array_of<T>(
        self,
        what: &str,
        bytes: usize,
        raw: impl Fn(&RawArray<'g>) -> Result<Array<T>>,
        one: impl Fn(Self) -> Result<T>,
    ) -> Result<Array<T>> {
        if let Some(array) = self.raw_array()? {
            self.charge(ARRAY + array.len().saturating_mul(bytes.saturating_add(array.dtype().size)))?;
            return raw(&array).within(|| self.path());
        }
        let (shape, ids) = self.objects(what)?;
        self.charge(ids.len().saturating_mul(bytes))?;
        let mut data = limits::vec("array elements", ids.len())?;
        for (index, &id) in (0u32..).zip(ids) {
            let element = self.at(id);
            // The step into a plain element is made only for the message of a failure: a list may have millions.
            data.push(if element.is_plain() {
                one(element).or_else(|_| one(self.go(Label::Item(index), id)?))?
            } else {
                one(self.go(Label::Item(index), id)?)?
            });
        }
        Ok(Array { shape, data })
    }

    /// Neither an array nor a list: nothing that leads further.
    fn is_plain(self) -> bool {
        !matches!(self.node(), Node::Record(_) | Node::Array(_) | Node::List(_) | Node::Tuple(_))
    }

    /// Shape and elements of an object array; those of a list or tuple, which has one axis.
    fn objects(self, what: &str) -> Result<(Vec<usize>, &'g [Id])> {
        if let Some(parts) = self.parts()? {
            let Content::Objects(ids) = parts.content else { return Err(self.expected(what)) };
            if ndarray::count(&parts.shape).within(|| self.path())? != ids.len() {
                return Err(self.malformed(format!("an array of shape {:?} has {} elements", parts.shape, ids.len())));
            }
            return Ok((parts.shape, ids));
        }
        let ids = self.list_ids().ok_or_else(|| self.expected(what))?;
        Ok((vec![ids.len()], ids))
    }

    /// Numbers: a numpy array of any numeric dtype, a numpy scalar, an object array, a list or tuple of numbers.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else.
    pub fn array_f64(self) -> Result<Array<f64>> {
        self.array_of("an array of numbers", 8, RawArray::f64, Self::plain_f64)
    }

    /// Integers: a numpy array of integers, booleans or times, an object array, a list or tuple of integers.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else.
    pub fn array_i64(self) -> Result<Array<i64>> {
        self.array_of("an array of integers", 8, RawArray::i64, Self::plain_i64)
    }

    /// Booleans: a numpy array of them, or a list or tuple of bools.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else.
    pub fn array_bool(self) -> Result<Array<bool>> {
        self.array_of("an array of booleans", 1, RawArray::bools, |element| match element.plain_i64() {
            Ok(0) => Ok(false),
            Ok(1) => Ok(true),
            _ => Err(element.expected("a bool")),
        })
    }

    /// Strings: a numpy array of dtype `U` or `S`, an object array, a list or tuple of strings.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else.
    pub fn array_strings(self) -> Result<Array<String>> {
        self.array_of("an array of strings", 32, RawArray::strings, |element| Ok(element.as_str()?.into_owned()))
    }

    /// An element of a list: a number or a numpy scalar, but no list, so that no file can nest them.
    fn plain_f64(self) -> Result<f64> {
        match self.raw_single()? {
            Some(array) => array.f64().within(|| self.path())?.data.pop().ok_or_else(|| self.expected("a number")),
            None if self.is_plain() => self.as_f64(),
            None => Err(self.expected("a number")),
        }
    }

    fn plain_i64(self) -> Result<i64> {
        match self.raw_single()? {
            Some(array) => array.i64().within(|| self.path())?.data.pop().ok_or_else(|| self.expected("an integer")),
            None if self.is_plain() => self.as_i64(),
            None => Err(self.expected("an integer")),
        }
    }

    fn raw_single(self) -> Result<Option<RawArray<'g>>> {
        if self.is_plain() {
            return Ok(None);
        }
        Ok(self.raw_array()?.filter(|array| array.len() == 1))
    }

    /// A structured array, read field by field: `nodes.structured()?.field("threshold")?.f64()?`.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is no structured array.
    pub fn structured(self) -> Result<Structured<'g>> {
        let array = self.raw_array()?.ok_or_else(|| self.expected("a structured array"))?;
        array.fields().within(|| self.path())?;
        Ok(Structured { array, origin: self })
    }

    /// An array of objects: its shape and its elements in C order. A list or tuple is one of one axis.
    ///
    /// # Errors
    /// `MI_MALFORMED` for anything else.
    pub fn object_array(self) -> Result<Array<Ref<'g>>> {
        let (shape, ids) = self.objects("an array of objects")?;
        Ok(Array { shape, data: self.go_each(ids, Label::Item)? })
    }
}

/// A structured array and where it was found.
#[derive(Debug, Clone)]
pub struct Structured<'g> {
    array: RawArray<'g>,
    origin: Ref<'g>,
}

impl Structured<'_> {
    /// How many records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.array.len()
    }

    /// No records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.array.is_empty()
    }

    /// The names of the fields.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.array.fields().unwrap_or_default().iter().map(|field| field.name.as_str()).collect()
    }

    /// Whether there is a field of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names().contains(&name)
    }

    /// A field as it lies in the file, for fields that are strings or structured themselves.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is no such field.
    pub fn field(&self, name: &str) -> Result<RawArray<'_>> {
        self.of(name, RawArray::clone)
    }

    /// A field as numbers, one for each record in C order (as many as its own axes have, when it has axes).
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is no such field or it holds no numbers.
    pub fn f64(&self, name: &str) -> Result<Vec<f64>> {
        self.read(name, |field| Ok(field.f64()?.data))
    }

    /// A field as integers; booleans are 0 and 1.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is no such field or it holds no integers.
    pub fn i64(&self, name: &str) -> Result<Vec<i64>> {
        self.read(name, |field| Ok(field.i64()?.data))
    }

    fn of<'s, T>(&'s self, name: &str, read: impl Fn(&RawArray<'s>) -> T) -> Result<T> {
        let field = self.array.field(name).within(|| self.origin.path())?;
        self.origin.charge(field.len().saturating_mul(field.dtype().size.max(8)))?;
        Ok(read(&field))
    }

    fn read<T>(&self, name: &str, read: impl Fn(&RawArray<'_>) -> Result<T>) -> Result<T> {
        self.of(name, |field| read(field))?.within(|| format!("{}[\"{name}\"]", self.origin.path()))
    }
}
