//! Types of elements, shapes of data, and strings.

use super::File;
use super::cursor::Cursor;
use super::heap::GlobalHeap;
use crate::error::{Error, Result};
use crate::limits;

/// The type of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datatype {
    pub(super) class: Class,
    /// Bytes of an element.
    pub(super) size: usize,
}

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Integer {
        signed: bool,
        big: bool,
    },
    /// IEEE 754 of the size of the element.
    Float {
        big: bool,
    },
    Text,
    /// Text of any length, in the global heap.
    LongText,
    Other(u8),
}

impl Datatype {
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let class = cursor.u8()? & 0x0f;
        let bits = cursor.take(3)?;
        let size = cursor.length(4)?;
        let big = bits[0] & 1 != 0;
        let class = match class {
            0 => Class::Integer { signed: bits[0] & 8 != 0, big },
            1 => {
                // Bit offset and precision; where exponent and mantissa lie, and how large they are; the bias.
                cursor.skip(4)?;
                let (places, bias) = (cursor.take(4)?, cursor.u32()?);
                let ieee: (&[u8], u32) = match size {
                    2 => (&[10, 5, 0, 10], 15),
                    4 => (&[23, 8, 0, 23], 127),
                    8 => (&[52, 11, 0, 52], 1023),
                    _ => (&[], 0),
                };
                if (places, bias) != ieee {
                    return Err(Error::unsupported(format!("floats of {size} bytes that are not those of IEEE 754")));
                }
                Class::Float { big }
            }
            3 => Class::Text,
            9 if bits[0] & 0x0f == 1 => Class::LongText,
            other => Class::Other(other),
        };
        Ok(Self { class, size })
    }
}

/// The shape of data; `None`: no data at all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Space(Option<Vec<usize>>);

impl Space {
    pub(super) fn read(file: &File<'_>, bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let (version, rank, _flags) = (cursor.u8()?, cursor.u8()?, cursor.u8()?);
        match version {
            1 => cursor.skip(5)?,
            2 if cursor.u8()? == 2 => return Ok(Self(None)),
            2 => {}
            _ => return Err(Error::malformed(format!("a dataspace of version {version}"))),
        }
        limits::check("axes of an HDF5 dataset", rank.into(), limits::ARRAY_AXES)?;
        let sizes = (0..rank).map(|_| cursor.length(file.lengths)).collect::<Result<_>>()?;
        Ok(Self(Some(sizes)))
    }

    /// Sizes of the axes.
    pub(super) fn sizes(&self) -> &[usize] {
        self.0.as_deref().unwrap_or(&[0])
    }

    /// How many elements there are.
    pub(super) fn count(&self) -> Result<usize> {
        let product = self.sizes().iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        product.ok_or_else(|| Error::malformed(format!("a shape of {:?}", self.sizes())))
    }
}

/// Strings of fixed or variable length.
pub(super) fn strings(file: &File<'_>, datatype: &Datatype, count: usize, data: &[u8]) -> Result<Vec<String>> {
    let size = datatype.size;
    if count == 0 {
        return Ok(Vec::new());
    }
    if size.checked_mul(count).is_none_or(|bytes| bytes > data.len()) || size == 0 {
        return Err(Error::malformed(format!("{count} strings of {size} bytes in {} bytes", data.len())));
    }
    let mut heap = GlobalHeap::default();
    let mut strings = limits::vec("strings", count)?;
    for bytes in data.chunks_exact(size).take(count) {
        file.step(1)?;
        let bytes = match datatype.class {
            Class::Text => bytes,
            Class::LongText => {
                let mut cursor = Cursor::new(bytes);
                let (length, address, index) = (cursor.length(4)?, cursor.number(file.offsets)?, cursor.u32()?);
                let bytes = if length == 0 { &[] } else { heap.object(file, address, index)? };
                bytes.get(..length).ok_or_else(|| Error::malformed(format!("a string of {length} bytes")))?
            }
            _ => return Err(Error::unsupported("strings are expected")),
        };
        file.spend(bytes.len())?;
        let text = bytes.split(|&byte| byte == 0).next().unwrap_or(bytes);
        let text = std::str::from_utf8(text).map_err(|_| Error::malformed("a string is not UTF-8"))?;
        strings.push(text.trim_end_matches(' ').to_owned());
    }
    Ok(strings)
}
