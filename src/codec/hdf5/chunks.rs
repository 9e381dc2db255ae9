//! Data in chunks, behind a B-tree, and the filters that each chunk went through.

use super::File;
use super::cursor::Cursor;
use crate::error::{Error, Result};
use crate::limits;
use std::borrow::Cow;
use std::io::Read;

/// Filters in the order in which they were applied.
#[derive(Debug, Default)]
pub(super) struct Filters(Vec<Filter>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Filter {
    Deflate,
    /// Bytes of the elements, first all first ones, then all second ones, and so on.
    Shuffle(usize),
    /// Four bytes behind the data, which are not looked at.
    Checksum,
}

impl Filters {
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let (version, count) = (cursor.u8()?, cursor.u8()?);
        if version == 1 {
            cursor.skip(6)?;
        }
        let mut filters = Vec::new();
        for _ in 0..count {
            let id = cursor.u16()?;
            let name = if version == 1 || id >= 256 { cursor.u16()? } else { 0 };
            cursor.skip(2)?;
            let values = cursor.u16()?;
            cursor.skip(if version == 1 { usize::from(name).next_multiple_of(8) } else { name.into() })?;
            let mut numbers = Cursor::new(cursor.take(4 * usize::from(values))?);
            if version == 1 && values % 2 == 1 {
                cursor.skip(4)?;
            }
            filters.push(match id {
                1 => Filter::Deflate,
                2 => Filter::Shuffle(numbers.length(4)?.max(1)),
                3 => Filter::Checksum,
                _ => {
                    return Err(Error::unsupported(format!(
                        "filter {id}; deflate and shuffle are read, write the file anew with one of them or none"
                    )));
                }
            });
        }
        Ok(Self(filters))
    }

    /// The data of a chunk of `size` bytes; a bit of `mask` says which filters it did not go through.
    fn undo<'a>(&self, data: &'a [u8], size: usize, mask: u32) -> Result<Cow<'a, [u8]>> {
        let mut data = Cow::Borrowed(data);
        for (index, filter) in self.0.iter().enumerate().rev() {
            if mask & 1u32.checked_shl(u32::try_from(index).unwrap_or(32)).unwrap_or(0) != 0 {
                continue;
            }
            data = Cow::Owned(match filter {
                Filter::Deflate => inflate(&data, size.saturating_add(4))?,
                Filter::Shuffle(element) => unshuffle(&data, *element),
                Filter::Checksum => {
                    data[..data.len().checked_sub(4).ok_or_else(|| Error::malformed("no checksum"))?].to_vec()
                }
            });
        }
        if data.len() != size {
            return Err(Error::malformed(format!("a chunk of {} bytes, {size} are expected", data.len())));
        }
        Ok(data)
    }
}

fn inflate(data: &[u8], most: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut decoder = flate2::read::ZlibDecoder::new(data).take(most as u64);
    decoder.read_to_end(&mut out).map_err(|cause| Error::malformed(format!("a chunk does not inflate: {cause}")))?;
    Ok(out)
}

fn unshuffle(data: &[u8], element: usize) -> Vec<u8> {
    let count = data.len() / element;
    let mut out = data.to_vec(); // what is left over behind whole elements stays where it is
    for byte in 0..element {
        for index in 0..count {
            out[index * element + byte] = data[byte * count + index];
        }
    }
    out
}

/// Where chunks lie in the dataset, and where their data goes.
struct Grid<'a> {
    /// Sizes of the dataset and of a chunk.
    sizes: &'a [usize],
    chunk: Vec<usize>,
    element: usize,
    chunk_bytes: usize,
    out: Vec<u8>,
}

impl Grid<'_> {
    /// Copies a chunk that begins at these indices, as far as it lies inside.
    fn place(&mut self, data: &[u8], start: &[usize]) -> Result<()> {
        let rank = self.sizes.len();
        if start.iter().zip(self.sizes).any(|(start, size)| start >= size) {
            return Err(Error::malformed(format!("a chunk at {start:?} of {:?}", self.sizes)));
        }
        let there: Vec<usize> = (0..rank).map(|axis| self.chunk[axis].min(self.sizes[axis] - start[axis])).collect();
        let run = there[rank - 1] * self.element;
        let mut index = vec![0; rank - 1];
        loop {
            let (mut from, mut to) = (0, 0);
            for axis in 0..rank {
                let at = if axis + 1 < rank { index[axis] } else { 0 };
                from = from * self.chunk[axis] + at;
                to = to * self.sizes[axis] + start[axis] + at;
            }
            let (from, to) = (from * self.element, to * self.element);
            self.out[to..to + run].copy_from_slice(&data[from..from + run]);
            let Some(axis) = (0..rank - 1).rev().find(|&axis| index[axis] + 1 < there[axis]) else { return Ok(()) };
            index[axis] += 1;
            index[axis + 1..].fill(0);
        }
    }
}

/// Reads all chunks; the cursor stands behind the class of a layout of this version, and, of older ones, this rank.
pub(super) fn read(
    file: &File<'_>,
    cursor: &mut Cursor<'_>,
    (version, rank): (u8, u8),
    sizes: &[usize],
    element: usize,
    bytes: usize,
    filters: &Filters,
) -> Result<Vec<u8>> {
    let mut address = 0;
    let mut flags = 0;
    let (rank, width) = match version {
        4 => {
            flags = cursor.u8()?;
            (cursor.u8()?, size_of_dims(cursor.u8()?)?)
        }
        3 => {
            let rank = cursor.u8()?;
            address = cursor.number(file.offsets)?;
            (rank, 4)
        }
        _ => {
            address = cursor.number(file.offsets)?;
            (rank, 4)
        }
    };
    // The last one is the size of an element.
    let mut chunk = (0..rank).map(|_| cursor.length(width)).collect::<Result<Vec<usize>>>()?;
    let last = chunk.pop();
    let product = chunk.iter().try_fold(element, |product, &size| product.checked_mul(size));
    let chunk_bytes =
        product.filter(|&bytes| bytes > 0 && last == Some(element) && chunk.len() == sizes.len() && !sizes.is_empty());
    let Some(chunk_bytes) = chunk_bytes else {
        return Err(Error::malformed(format!("chunks of {chunk:?} for {sizes:?}")));
    };
    file.spend(chunk_bytes)?;
    let mut out: Vec<u8> = limits::vec("bytes of a dataset", bytes)?;
    out.resize(bytes, 0);
    let mut grid = Grid { sizes, chunk, element, chunk_bytes, out };
    if bytes == 0 {
        return Ok(grid.out);
    }
    if version == 4 {
        single(file, cursor, flags, &mut grid, filters)?;
    } else if !file.undefined(address) {
        tree(file, address, &mut grid, filters)?;
    }
    Ok(grid.out)
}

fn size_of_dims(bytes: u8) -> Result<usize> {
    if (1..=8).contains(&bytes) { Ok(bytes.into()) } else { Err(Error::malformed(format!("sizes of {bytes} bytes"))) }
}

/// The newer layout with one chunk, or with chunks behind each other; its other indices are refused.
fn single(file: &File<'_>, cursor: &mut Cursor<'_>, flags: u8, grid: &mut Grid<'_>, filters: &Filters) -> Result<()> {
    let index = cursor.u8()?;
    let (mut size, mut mask) = (grid.chunk_bytes, 0);
    if index == 1 && flags & 2 != 0 {
        size = cursor.length(file.lengths)?;
        mask = cursor.u32()?;
    }
    if index != 1 {
        return Err(Error::unsupported(
            "an index of chunks that only new writers make; write the file anew with libver='earliest'",
        ));
    }
    let address = cursor.number(file.offsets)?;
    if file.undefined(address) {
        return Ok(());
    }
    let data = filters.undo(file.at(address)?.take(size)?, grid.chunk_bytes, mask)?;
    grid.place(&data, &vec![0; grid.sizes.len()])
}

/// A B-tree whose leaves are chunks.
fn tree(file: &File<'_>, address: u64, grid: &mut Grid<'_>, filters: &Filters) -> Result<()> {
    let rank = grid.sizes.len();
    let mut nodes: Vec<(u64, Option<u8>)> = vec![(address, None)];
    while let Some((address, expected)) = nodes.pop() {
        file.step(1)?;
        let mut cursor = file.at(address)?;
        cursor.expect(b"TREE")?;
        let (kind, level, count) = (cursor.u8()?, cursor.u8()?, cursor.u16()?);
        if kind != 1 || expected.is_some_and(|expected| expected != level) {
            return Err(Error::malformed(format!("a node of kind {kind} and level {level} in a B-tree of chunks")));
        }
        cursor.skip(2 * file.offsets)?;
        for _ in 0..count {
            file.step(1)?;
            let (size, mask) = (cursor.length(4)?, cursor.u32()?);
            let start = (0..rank).map(|_| cursor.length(8)).collect::<Result<Vec<usize>>>()?;
            cursor.skip(8)?;
            let child = cursor.number(file.offsets)?;
            if let Some(below) = level.checked_sub(1) {
                nodes.push((child, Some(below)));
                continue;
            }
            file.spend(grid.chunk_bytes)?;
            let data = filters.undo(file.at(child)?.take(size)?, grid.chunk_bytes, mask)?;
            grid.place(&data, &start)?;
        }
    }
    Ok(())
}
