//! HDF5 files, as far as weights are kept in them: groups, attributes and datasets, read from memory.
//!
//! Source: the HDF5 File Format Specification, version 3.0. Read are superblocks 0 to 3, object headers 1 and 2, groups as symbol tables
//! or link messages, data that is compact, contiguous, or in chunks behind a B-tree (with deflate, shuffle and checksum), strings of
//! fixed and variable length. What newer writers use for thousands of entries (fractal heaps) is refused with a sentence.
//!
//! An address in the file is followed only when somebody asks for what lies there, one step at a time, and every step is counted: a file
//! that leads in circles runs out of steps. So does one that lets a million links lead to the same data.

mod chunks;
mod cursor;
mod dataset;
mod group;
mod header;
mod heap;
mod types;

pub use dataset::Dataset;

use crate::error::{Error, Result, Within};
use crate::limits;
use cursor::Cursor;
use header::Header;
use std::cell::Cell;

/// The first bytes of every such file.
pub const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// An open file.
#[derive(Debug)]
pub struct File<'a> {
    bytes: &'a [u8],
    /// What addresses count from.
    base: u64,
    /// Bytes of an address and of a length.
    offsets: usize,
    lengths: usize,
    root: u64,
    /// Steps that may still be taken, and bytes of data that may still be handed out.
    steps: Cell<usize>,
    data: Cell<usize>,
}

impl<'a> File<'a> {
    /// Reads the superblock.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is none, `MI_UNSUPPORTED` for one that is not known.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let mut file = Self {
            bytes,
            base: 0,
            offsets: 8,
            lengths: 8,
            root: 0,
            steps: Cell::new(limits::hdf5_steps(bytes.len())),
            data: Cell::new(limits::hdf5_data(bytes.len())),
        };
        file.superblock().within(|| "HDF5 superblock")?;
        Ok(file)
    }

    fn superblock(&mut self) -> Result<()> {
        let mut cursor = Cursor::new(self.bytes);
        if cursor.take(8)? != SIGNATURE {
            return Err(Error::malformed("it does not begin with the signature of HDF5"));
        }
        let version = cursor.u8()?;
        match version {
            0 | 1 => {
                cursor.skip(4)?; // versions of the free-space storage, of the root group and of shared headers
                (self.offsets, self.lengths) = (size(cursor.u8()?)?, size(cursor.u8()?)?);
                cursor.skip(9)?; // sizes of B-tree nodes, flags
                if version == 1 {
                    cursor.skip(4)?;
                }
                self.base = cursor.number(self.offsets)?;
                cursor.skip(4 * self.offsets)?; // free space, end of file, driver; name of the root group
                self.root = cursor.number(self.offsets)?;
            }
            2 | 3 => {
                (self.offsets, self.lengths) = (size(cursor.u8()?)?, size(cursor.u8()?)?);
                cursor.skip(1)?;
                self.base = cursor.number(self.offsets)?;
                cursor.skip(2 * self.offsets)?; // extension, end of file
                self.root = cursor.number(self.offsets)?;
            }
            _ => return Err(Error::unsupported(format!("version {version}; versions 0 to 3 are read"))),
        }
        Ok(())
    }

    /// The group at the top.
    ///
    /// # Errors
    /// Those of reading its header.
    pub fn root(&self) -> Result<Object<'_>> {
        self.object(self.root, String::new())
    }

    fn object(&self, address: u64, path: String) -> Result<Object<'_>> {
        let header = Header::read(self, address).within(|| if path.is_empty() { "/" } else { &path }.to_owned())?;
        Ok(Object { file: self, header, path })
    }

    /// The bytes from an address on.
    fn at(&self, address: u64) -> Result<Cursor<'_>> {
        let place = self.base.checked_add(address).and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.bytes.get(place..)) {
            Some(bytes) if !bytes.is_empty() => Ok(Cursor::new(bytes)),
            _ => Err(Error::malformed(format!("address {address:#x} lies outside of the file"))),
        }
    }

    /// Whether an address leads nowhere on purpose.
    fn undefined(&self, address: u64) -> bool {
        address == u64::MAX >> (64 - 8 * self.offsets)
    }

    /// Counts steps.
    fn step(&self, count: usize) -> Result<()> {
        let left = self.steps.get().checked_sub(count);
        self.steps.set(left.ok_or_else(|| Error::limit("HDF5: reading it takes too many steps; it leads in circles"))?);
        Ok(())
    }

    /// Counts bytes of data that are handed out.
    fn spend(&self, bytes: usize) -> Result<()> {
        let left = self.data.get().checked_sub(bytes);
        self.data.set(left.ok_or_else(|| Error::limit("HDF5: its datasets are larger than the file can hold"))?);
        Ok(())
    }
}

/// Bytes of an address or a length.
fn size(bytes: u8) -> Result<usize> {
    match bytes {
        2 | 4 | 8 => Ok(bytes.into()),
        _ => Err(Error::malformed(format!("numbers of {bytes} bytes"))),
    }
}

/// A group or a dataset.
#[derive(Debug)]
pub struct Object<'a> {
    file: &'a File<'a>,
    header: Header<'a>,
    path: String,
}

impl<'a> Object<'a> {
    /// Where it stands: `/model_weights/dense`.
    #[must_use]
    pub fn path(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }

    /// Names of what the group holds, in the order of the file; none for a dataset.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a broken group, `MI_UNSUPPORTED` for one in a fractal heap.
    pub fn names(&self) -> Result<Vec<&'a str>> {
        let mut names = Vec::new();
        group::links(self.file, &self.header, |name, _| {
            names.push(name);
            false
        })
        .within(|| self.path().to_owned())?;
        Ok(names)
    }

    /// What the group holds under this name.
    ///
    /// # Errors
    /// Those of [`Object::names`].
    pub fn child(&self, name: &str) -> Result<Option<Object<'a>>> {
        let mut address = None;
        group::links(self.file, &self.header, |found, at| {
            if found == name {
                address = Some(at);
            }
            found == name
        })
        .within(|| self.path().to_owned())?;
        // A link by name has no address: it may lead anywhere and is not followed.
        let Some(address) = address.filter(|&address| !self.file.undefined(address)) else { return Ok(None) };
        limits::check("bytes in an HDF5 path", self.path.len() + name.len(), limits::NAME_BYTES)?;
        self.file.object(address, format!("{}/{name}", self.path)).map(Some)
    }

    /// What lies at a path below, its parts separated by slashes.
    ///
    /// # Errors
    /// Those of [`Object::names`].
    pub fn find(&self, path: &str) -> Result<Option<Object<'a>>> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let Some(first) = parts.next() else { return Ok(None) };
        let mut found = self.child(first)?;
        for part in parts {
            found = match found {
                Some(object) => object.child(part)?,
                None => return Ok(None),
            };
        }
        Ok(found)
    }

    /// An attribute as strings: one for a scalar.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a broken attribute, `MI_UNSUPPORTED` for one that holds no strings.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<String>>> {
        let place = || format!("{}: attribute '{name}'", self.path());
        let Some(attribute) = self.header.attribute(self.file, name).within(place)? else { return Ok(None) };
        attribute.strings(self.file).within(place).map(Some)
    }

    /// An attribute that is one string.
    ///
    /// # Errors
    /// Those of [`Object::strings`]; `MI_MALFORMED` for several.
    pub fn string(&self, name: &str) -> Result<Option<String>> {
        match self.strings(name)? {
            None => Ok(None),
            Some(mut strings) if strings.len() == 1 => Ok(strings.pop()),
            Some(strings) => Err(Error::malformed(format!(
                "{}: attribute '{name}' holds {} strings, one is expected",
                self.path(),
                strings.len()
            ))),
        }
    }

    /// The dataset; `None` for a group.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a broken dataset, `MI_UNSUPPORTED` for a type or layout that is not read.
    pub fn dataset(&self) -> Result<Option<Dataset<'a>>> {
        Dataset::read(self.file, &self.header).within(|| self.path().to_owned())
    }
}
