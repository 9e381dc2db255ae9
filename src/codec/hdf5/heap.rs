//! Heaps: names of a group in a local one, strings of any length in the global one.

use super::File;
use super::cursor::Cursor;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The names of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalHeap<'a>(&'a [u8]);

impl<'a> LocalHeap<'a> {
    pub(super) fn read(file: &'a File<'a>, address: u64) -> Result<Self> {
        let mut cursor = file.at(address)?;
        cursor.expect(b"HEAP")?;
        cursor.skip(4)?;
        let size = cursor.length(file.lengths)?;
        cursor.skip(file.lengths)?;
        Ok(Self(file.at(cursor.number(file.offsets)?)?.take(size)?))
    }

    /// The name at an offset.
    pub(super) fn name(self, offset: u64) -> Result<&'a str> {
        let bytes = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..));
        let name = bytes.and_then(|bytes| bytes.split(|&byte| byte == 0).next());
        name.and_then(|name| std::str::from_utf8(name).ok())
            .ok_or_else(|| Error::malformed(format!("no name at {offset} of a local heap")))
    }
}

/// Collections of the global heap that have been looked into.
#[derive(Debug, Default)]
pub(super) struct GlobalHeap<'a> {
    collections: HashMap<u64, HashMap<u32, &'a [u8]>>,
}

impl<'a> GlobalHeap<'a> {
    /// An object of the collection at an address.
    pub(super) fn object(&mut self, file: &'a File<'_>, address: u64, index: u32) -> Result<&'a [u8]> {
        let objects = match self.collections.entry(address) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(collection(file, address)?),
        };
        objects
            .get(&index)
            .copied()
            .ok_or_else(|| Error::malformed(format!("no object {index} in the heap at {address:#x}")))
    }
}

fn collection<'a>(file: &'a File<'_>, address: u64) -> Result<HashMap<u32, &'a [u8]>> {
    let mut cursor = file.at(address)?;
    cursor.expect(b"GCOL")?;
    cursor.skip(4)?;
    let size = cursor.length(file.lengths)?;
    let header = 8 + file.lengths;
    let mut objects = HashMap::new();
    let mut cursor = Cursor::new(cursor.take(size.saturating_sub(header))?);
    while cursor.left() >= 8 + file.lengths {
        file.step(1)?;
        let index = cursor.u16()?;
        cursor.skip(6)?;
        let size = cursor.length(file.lengths)?;
        if index == 0 {
            break; // free space, which reaches to the end
        }
        objects.insert(index.into(), cursor.take(size)?);
        cursor.align()?;
    }
    Ok(objects)
}
