//! Numbers of a dataset.

use super::File;
use super::chunks::{self, Filters};
use super::cursor::Cursor;
use super::header::{Header, message};
use super::types::{Class, Datatype, Space};
use crate::error::{Error, Result};
use crate::limits;
use std::borrow::Cow;

/// A dataset.
#[derive(Debug)]
pub struct Dataset<'a> {
    datatype: Datatype,
    space: Space,
    data: Cow<'a, [u8]>,
}

impl<'a> Dataset<'a> {
    pub(super) fn read(file: &'a File<'a>, header: &Header<'a>) -> Result<Option<Self>> {
        let (Some(layout), Some(datatype), Some(space)) =
            (header.one(message::LAYOUT)?, header.one(message::DATATYPE)?, header.one(message::SPACE)?)
        else {
            return Ok(None);
        };
        let (datatype, space) = (Datatype::read(datatype)?, Space::read(file, space)?);
        let bytes =
            space.count()?.checked_mul(datatype.size).ok_or_else(|| Error::malformed("a dataset without end"))?;
        file.spend(bytes)?;
        let filters = header.one(message::FILTERS)?.map(Filters::read).transpose()?.unwrap_or_default();
        let data = read_layout(file, layout, &space, datatype.size, bytes, &filters)?;
        Ok(Some(Self { datatype, space, data }))
    }

    /// Sizes of the axes; none for a single number.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.space.sizes()
    }

    /// Whether the numbers are floats.
    #[must_use]
    pub fn is_float(&self) -> bool {
        matches!(self.datatype.class, Class::Float { .. })
    }

    /// The numbers as float32, each rounded once; row-major.
    ///
    /// # Errors
    /// `MI_UNSUPPORTED` for elements that are no numbers.
    #[allow(clippy::cast_possible_truncation)]
    pub fn numbers(&self) -> Result<Vec<f32>> {
        let mut numbers = limits::vec("numbers of a dataset", self.space.count()?)?;
        if (self.datatype.class, self.datatype.size) == (Class::Float { big: false }, 4) {
            let (whole, _) = self.data.as_chunks::<4>();
            numbers.extend(whole.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            return Ok(numbers);
        }
        let size = self.datatype.size;
        for bytes in self.data.chunks_exact(size.max(1)) {
            let (Class::Integer { big, .. } | Class::Float { big }) = self.datatype.class else {
                return Err(Error::unsupported("numbers are expected"));
            };
            let mut word = [0u8; 8];
            if size > 8 {
                return Err(Error::unsupported(format!("numbers of {size} bytes")));
            }
            word[..size].copy_from_slice(bytes);
            if big {
                word[..size].reverse();
            }
            let bits = u64::from_le_bytes(word);
            numbers.push(match (self.datatype.class, size) {
                (Class::Float { .. }, 2) => half::f16::from_bits(bits as u16).to_f32(),
                (Class::Float { .. }, 4) => f32::from_bits(bits as u32),
                (Class::Float { .. }, _) => f64::from_bits(bits) as f32,
                (Class::Integer { signed: true, .. }, _) => integer(bits, size),
                #[allow(clippy::cast_precision_loss)]
                _ => bits as f32,
            });
        }
        Ok(numbers)
    }
}

/// A signed integer of so many bytes.
#[allow(clippy::cast_precision_loss)]
fn integer(bits: u64, size: usize) -> f32 {
    let unused = 64 - 8 * size;
    ((bits << unused).cast_signed() >> unused) as f32
}

fn read_layout<'a>(
    file: &'a File<'a>,
    layout: &'a [u8],
    space: &Space,
    element: usize,
    bytes: usize,
    filters: &Filters,
) -> Result<Cow<'a, [u8]>> {
    let mut cursor = Cursor::new(layout);
    let version = cursor.u8()?;
    let (class, rank) = match version {
        1 | 2 => {
            let (rank, class) = (cursor.u8()?, cursor.u8()?);
            cursor.skip(5)?;
            (class, rank)
        }
        3 | 4 => (cursor.u8()?, 0),
        _ => return Err(Error::malformed(format!("a layout of version {version}"))),
    };
    let contiguous = |address: u64| -> Result<Cow<'a, [u8]>> {
        if file.undefined(address) || bytes == 0 {
            // Nothing was ever written: zeros.
            return Ok(Cow::Owned(vec![0; bytes]));
        }
        Ok(Cow::Borrowed(file.at(address)?.take(bytes)?))
    };
    match (version, class) {
        (1 | 2, 0) => {
            cursor.skip(4 * usize::from(rank) + 4)?;
            Ok(Cow::Borrowed(cursor.take(bytes)?))
        }
        (_, 0) => {
            let size = cursor.u16()?;
            Ok(Cow::Borrowed(Cursor::new(cursor.take(size.into())?).take(bytes)?))
        }
        (_, 1) => contiguous(cursor.number(file.offsets)?),
        (_, 2) => {
            chunks::read(file, &mut cursor, (version, rank), space.sizes(), element, bytes, filters).map(Cow::Owned)
        }
        _ => Err(Error::unsupported(format!("a layout of class {class}"))),
    }
}
