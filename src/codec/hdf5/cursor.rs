//! A place in the bytes.

use crate::error::{Error, Result};

/// Reads numbers, little-endian, and never beyond the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(Error::malformed(format!(
                "{count} bytes are expected, {} are left; the file is cut off or damaged, copy it again",
                self.left()
            )));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<()> {
        self.take(count).map(drop)
    }

    /// Up to the next multiple of 8, counted from where it began.
    pub(super) fn align(&mut self) -> Result<()> {
        self.skip(self.at.next_multiple_of(8) - self.at)
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        let bytes = self.take(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A number of 1 to 8 bytes.
    pub(super) fn number(&mut self, size: usize) -> Result<u64> {
        Ok(self.take(size.min(8))?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A number of bytes or elements, which must fit into memory.
    pub(super) fn length(&mut self, size: usize) -> Result<usize> {
        let number = self.number(size)?;
        usize::try_from(number).map_err(|_| Error::malformed(format!("a length of {number}")))
    }

    pub(super) fn expect(&mut self, signature: &[u8]) -> Result<()> {
        let found = self.take(signature.len())?;
        if found != signature {
            let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
            return Err(Error::malformed(format!("'{}' is expected, '{}' is there", text(signature), text(found))));
        }
        Ok(())
    }
}
