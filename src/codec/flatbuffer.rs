//! `FlatBuffers`, read field by field: every offset and length is checked when it is followed.
//!
//! Source of the layout: the `FlatBuffers` internals page. A table begins with the signed distance to its vtable; the vtable lists its
//! own size, the table's size and the offset of each field, 0 for an absent one. Vectors and strings begin with their length.

use crate::error::{Error, Result};
use crate::limits;
use std::cell::Cell;

/// How often the bytes of a buffer may be read over: offsets may share their targets, and each reader copies what it follows.
const READ_FACTOR: usize = 8;
/// What a table counts besides its own bytes: a reader makes something of about this size of it, however short it is.
const TABLE_BYTES: usize = 64;

/// The bytes of one buffer and what is left of the work they may cause.
#[derive(Debug)]
pub struct Buffer<'a> {
    bytes: &'a [u8],
    budget: Cell<usize>,
}

/// A table inside of a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    buffer: &'a Buffer<'a>,
    at: usize,
    vtable: usize,
    fields: usize,
}

fn cut(what: &str, at: usize) -> Error {
    Error::malformed(format!(
        "a flatbuffer's {what} at byte {at} points out of the buffer; the file is damaged or cut off, copy it again"
    ))
}

impl<'a> Buffer<'a> {
    /// A buffer over these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, budget: Cell::new(bytes.len().saturating_mul(READ_FACTOR).saturating_add(1 << 12)) }
    }

    /// The table that the buffer is about.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the buffer holds none.
    pub fn root(&'a self) -> Result<Table<'a>> {
        self.table(0)
    }

    fn slice(&self, what: &str, at: usize, length: usize) -> Result<&'a [u8]> {
        let end = at.checked_add(length).ok_or_else(|| cut(what, at))?;
        self.bytes.get(at..end).ok_or_else(|| cut(what, at))
    }

    fn array<const N: usize>(&self, what: &str, at: usize) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(what, at, N)?);
        Ok(array)
    }

    /// The place that the offset at `at` leads to.
    fn follow(&self, at: usize) -> Result<usize> {
        let distance = u32::from_le_bytes(self.array("offset", at)?) as usize;
        at.checked_add(distance).ok_or_else(|| cut("offset", at))
    }

    fn spend(&self, bytes: usize) -> Result<()> {
        let left = self.budget.get().checked_sub(bytes).ok_or_else(|| {
            Error::limit("a flatbuffer refers to the same bytes again and again; no honest file does")
        })?;
        self.budget.set(left);
        Ok(())
    }

    fn table(&'a self, offset: usize) -> Result<Table<'a>> {
        let at = self.follow(offset)?;
        let distance = i64::from(i32::from_le_bytes(self.array("table", at)?));
        let vtable = i64::try_from(at).ok().and_then(|at| at.checked_sub(distance));
        let vtable = vtable.and_then(|place| usize::try_from(place).ok()).ok_or_else(|| cut("table", at))?;
        let size = usize::from(u16::from_le_bytes(self.array("vtable", vtable)?));
        self.slice("vtable", vtable, size.max(4))?;
        self.spend(size.max(4) + TABLE_BYTES)?;
        Ok(Table { buffer: self, at, vtable, fields: (size.max(4) - 4) / 2 })
    }

    fn counted(&self, at: usize, element: usize) -> Result<&'a [u8]> {
        let count = u32::from_le_bytes(self.array("length", at)?) as usize;
        let length = count.checked_mul(element).ok_or_else(|| cut("vector", at))?;
        let bytes = self.slice("vector", at + 4, length)?;
        self.spend(length + 4)?;
        Ok(bytes)
    }

    fn string(&self, offset: usize) -> Result<&'a str> {
        let at = self.follow(offset)?;
        std::str::from_utf8(self.counted(at, 1)?)
            .map_err(|_| Error::malformed(format!("the string at byte {at} of a flatbuffer is not UTF-8")))
    }
}

macro_rules! scalars {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        impl Table<'_> {
            $($(#[$doc])*
            ///
            /// # Errors
            /// `MI_MALFORMED` when the field lies outside of the buffer.
            pub fn $name(&self, field: usize, absent: $type) -> Result<$type> {
                match self.place(field)? {
                    Some(at) => Ok(<$type>::from_le_bytes(self.buffer.array("field", at)?)),
                    None => Ok(absent),
                }
            })*
        }
    };
}

scalars! {
    /// A byte, or `absent`.
    u8: u8;
    /// An integer, or `absent`.
    i32: i32;
    /// A single, or `absent`.
    f32: f32;
    /// A double, or `absent`.
    f64: f64;
}

impl<'a> Table<'a> {
    /// Where the field of this number lies, if it is there.
    fn place(&self, field: usize) -> Result<Option<usize>> {
        if field >= self.fields {
            return Ok(None);
        }
        let offset = u16::from_le_bytes(self.buffer.array("vtable", self.vtable + 4 + 2 * field)?);
        Ok((offset != 0).then(|| self.at + usize::from(offset)))
    }

    /// A nested table.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it lies outside of the buffer.
    pub fn table(&self, field: usize) -> Result<Option<Table<'a>>> {
        self.place(field)?.map(|at| self.buffer.table(at)).transpose()
    }

    /// A string.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it lies outside of the buffer or is not UTF-8.
    pub fn string(&self, field: usize) -> Result<Option<&'a str>> {
        self.place(field)?.map(|at| self.buffer.string(at)).transpose()
    }

    /// The bytes of a vector whose elements have `element` bytes; an absent vector is empty.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it lies outside of the buffer.
    pub fn vector(&self, field: usize, element: usize) -> Result<&'a [u8]> {
        match self.place(field)? {
            Some(at) => self.buffer.counted(self.buffer.follow(at)?, element),
            None => Ok(&[]),
        }
    }

    fn offsets(&self, field: usize) -> Result<impl ExactSizeIterator<Item = usize> + use<'a>> {
        let (first, count) = match self.place(field)? {
            Some(at) => {
                let vector = self.buffer.follow(at)?;
                (vector + 4, self.buffer.counted(vector, 4)?.len() / 4)
            }
            None => (0, 0),
        };
        Ok((0..count).map(move |index| first + 4 * index))
    }

    /// A vector of tables; an absent vector is empty.
    ///
    /// # Errors
    /// `MI_MALFORMED` when one lies outside of the buffer.
    pub fn tables(&self, field: usize) -> Result<Vec<Table<'a>>> {
        let offsets = self.offsets(field)?;
        let mut tables = limits::vec("tables", offsets.len())?;
        for at in offsets {
            tables.push(self.buffer.table(at)?);
        }
        Ok(tables)
    }

    /// A vector of strings; an absent vector is empty.
    ///
    /// # Errors
    /// `MI_MALFORMED` when one lies outside of the buffer or is not UTF-8.
    pub fn strings(&self, field: usize) -> Result<Vec<&'a str>> {
        let offsets = self.offsets(field)?;
        let mut strings = limits::vec("strings", offsets.len())?;
        for at in offsets {
            strings.push(self.buffer.string(at)?);
        }
        Ok(strings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with an integer, an absent field, a string, and a vector of two tables that are the table itself.
    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_le_bytes());
        word(&mut bytes, 16); // the root table lies at 16
        for value in [12u16, 16, 4, 0, 8, 12] {
            bytes.extend(value.to_le_bytes()); // vtable at 4: its size, the table's, four fields
        }
        word(&mut bytes, 12); // table at 16: the vtable is 12 bytes before it
        word(&mut bytes, 7);
        word(&mut bytes, 8); // string at 24 + 8
        word(&mut bytes, 11); // vector at 28 + 11, which is wrong; see below
        word(&mut bytes, 2);
        bytes.extend(*b"hi\0\0"); // 36..40
        bytes[28..32].copy_from_slice(&12u32.to_le_bytes()); // vector at 40
        word(&mut bytes, 2);
        word(&mut bytes, (16u32).wrapping_sub(44));
        word(&mut bytes, (16u32).wrapping_sub(48));
        bytes
    }

    #[test]
    fn fields_are_read_or_absent() {
        let bytes = sample();
        let buffer = Buffer::new(&bytes);
        let table = buffer.root().unwrap();
        assert_eq!(table.i32(0, -1).unwrap(), 7);
        assert_eq!((table.i32(1, -1).unwrap(), table.f64(9, 2.5).unwrap()), (-1, 2.5));
        assert_eq!(table.string(2).unwrap(), Some("hi"));
        assert_eq!(table.vector(3, 4).unwrap().len(), 8);
        assert!(table.table(1).unwrap().is_none() && table.tables(1).unwrap().is_empty());
        // Offsets run forwards only: one that would run backwards leads out of the buffer.
        assert!(table.tables(3).unwrap_err().message().contains("points out of the buffer"));
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = sample();
        for length in 0..40 {
            let buffer = Buffer::new(&bytes[..length]);
            let read = buffer
                .root()
                .and_then(|table| table.i32(0, 0)?.checked_add(0).map_or(Ok(()), |_| table.string(2).map(|_| ())));
            assert_eq!(read.is_err(), length < 38, "{length}");
        }
    }

    #[test]
    fn reading_over_and_over_ends() {
        let bytes = sample();
        let buffer = Buffer::new(&bytes);
        let table = buffer.root().unwrap();
        let error = (0..10_000).find_map(|_| table.string(2).err()).unwrap();
        assert_eq!(error.status(), crate::error::Status::LimitExceeded);
    }
}
