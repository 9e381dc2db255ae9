//! What a group holds: symbol tables of the older form, link messages of the newer one.

use super::File;
use super::cursor::Cursor;
use super::header::{Header, message};
use super::heap::LocalHeap;
use crate::error::{Error, Result};

/// Hands every link of a group to `each`, a name and an address, until it says that it has seen enough.
pub(super) fn links<'a>(
    file: &'a File<'a>,
    header: &Header<'a>,
    mut each: impl FnMut(&'a str, u64) -> bool,
) -> Result<()> {
    if let Some(bytes) = header.one(message::SYMBOL_TABLE)? {
        return table(file, bytes, each);
    }
    for bytes in header.all(message::LINK) {
        file.step(1)?;
        if let Some((name, address)) = link(file, bytes)?
            && each(name, address)
        {
            return Ok(());
        }
    }
    if let Some(bytes) = header.one(message::LINK_INFO)? {
        let mut cursor = Cursor::new(bytes);
        let flags = (cursor.u8()?, cursor.u8()?).1;
        cursor.skip(if flags & 1 == 0 { 0 } else { 8 })?;
        if !file.undefined(cursor.number(file.offsets)?) {
            return Err(Error::unsupported(
                "its links lie in a fractal heap; write the file anew with libver='earliest'",
            ));
        }
    }
    Ok(())
}

/// A link message; `None` for a link by name or into another file.
fn link<'a>(file: &File<'a>, bytes: &'a [u8]) -> Result<Option<(&'a str, u64)>> {
    let mut cursor = Cursor::new(bytes);
    let (version, flags) = (cursor.u8()?, cursor.u8()?);
    if version != 1 {
        return Err(Error::malformed(format!("a link of version {version}")));
    }
    let kind = if flags & 0x08 == 0 { 0 } else { cursor.u8()? };
    cursor.skip(if flags & 0x04 == 0 { 0 } else { 8 } + usize::from(flags & 0x10 != 0))?;
    let size = cursor.length(1 << (flags & 3))?;
    let name = std::str::from_utf8(cursor.take(size)?).map_err(|_| Error::malformed("a name is not UTF-8"))?;
    if kind != 0 {
        return Ok(None);
    }
    Ok(Some((name, cursor.number(file.offsets)?)))
}

/// A B-tree whose leaves are tables of names in a local heap.
fn table<'a>(file: &'a File<'a>, bytes: &[u8], mut each: impl FnMut(&'a str, u64) -> bool) -> Result<()> {
    let mut cursor = Cursor::new(bytes);
    let (tree, heap) = (cursor.number(file.offsets)?, cursor.number(file.offsets)?);
    let heap = LocalHeap::read(file, heap)?;
    // Nodes that are still to be seen, and the level they must have; the leaves have tables of symbols below them.
    let mut nodes: Vec<(u64, Option<u8>)> = vec![(tree, None)];
    while let Some((address, expected)) = nodes.pop() {
        file.step(1)?;
        let mut cursor = file.at(address)?;
        cursor.expect(b"TREE")?;
        let (kind, level, count) = (cursor.u8()?, cursor.u8()?, cursor.u16()?);
        if kind != 0 || expected.is_some_and(|expected| expected != level) {
            return Err(Error::malformed(format!("a node of kind {kind} and level {level} in the B-tree of a group")));
        }
        cursor.skip(2 * file.offsets)?;
        let mut children = Vec::new();
        for _ in 0..count {
            file.step(1)?;
            cursor.skip(file.lengths)?;
            children.push(cursor.number(file.offsets)?);
        }
        if let Some(below) = level.checked_sub(1) {
            nodes.extend(children.into_iter().rev().map(|child| (child, Some(below))));
            continue;
        }
        for child in children {
            if symbols(file, child, heap, &mut each)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A table of symbols; whether `each` has seen enough.
fn symbols<'a>(
    file: &'a File<'a>,
    address: u64,
    heap: LocalHeap<'a>,
    each: &mut impl FnMut(&'a str, u64) -> bool,
) -> Result<bool> {
    let mut cursor = file.at(address)?;
    cursor.expect(b"SNOD")?;
    cursor.skip(2)?;
    for _ in 0..cursor.u16()? {
        file.step(1)?;
        let (name, object) = (cursor.number(file.offsets)?, cursor.number(file.offsets)?);
        cursor.skip(24)?;
        if each(heap.name(name)?, object) {
            return Ok(true);
        }
    }
    Ok(false)
}
