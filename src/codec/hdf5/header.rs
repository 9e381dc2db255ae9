//! Object headers: the messages of a group or dataset.

use super::File;
use super::cursor::Cursor;
use super::types::{Datatype, Space, strings};
use crate::error::{Error, Result};
use crate::limits;

/// Numbers of messages.
pub(super) mod message {
    pub const SPACE: u16 = 0x01;
    pub const LINK_INFO: u16 = 0x02;
    pub const DATATYPE: u16 = 0x03;
    pub const LINK: u16 = 0x06;
    pub const LAYOUT: u16 = 0x08;
    pub const FILTERS: u16 = 0x0b;
    pub const ATTRIBUTE: u16 = 0x0c;
    pub const CONTINUATION: u16 = 0x10;
    pub const SYMBOL_TABLE: u16 = 0x11;
    pub const ATTRIBUTE_INFO: u16 = 0x15;
}

/// A message: its kind, whether it lies elsewhere, its bytes.
#[derive(Debug, Clone, Copy)]
struct Message<'a> {
    kind: u16,
    shared: bool,
    bytes: &'a [u8],
}

/// The messages of an object.
#[derive(Debug)]
pub(super) struct Header<'a> {
    messages: Vec<Message<'a>>,
}

impl<'a> Header<'a> {
    pub(super) fn read(file: &'a File<'a>, address: u64) -> Result<Self> {
        let mut cursor = file.at(address)?;
        let mut header = Self { messages: Vec::new() };
        if cursor.rest().starts_with(b"OHDR") {
            header.read_second(file, &mut cursor)?;
        } else {
            header.read_first(file, &mut cursor)?;
        }
        Ok(header)
    }

    /// Version 1: messages of 8 bytes and more, further blocks of them elsewhere.
    fn read_first(&mut self, file: &'a File<'a>, cursor: &mut Cursor<'a>) -> Result<()> {
        let version = cursor.u8()?;
        if version != 1 {
            return Err(Error::malformed(format!("an object header of version {version}")));
        }
        cursor.skip(7)?; // number of messages, of references
        let size = cursor.length(4)?;
        cursor.skip(4)?;
        let mut blocks = vec![cursor.take(size)?];
        while let Some(block) = blocks.pop() {
            let mut cursor = Cursor::new(block);
            while cursor.left() >= 8 {
                let (kind, size, flags) = (cursor.u16()?, cursor.u16()?, cursor.u8()?);
                cursor.skip(3)?;
                self.message(file, kind, flags, cursor.take(size.into())?, |bytes| blocks.push(bytes))?;
            }
        }
        Ok(())
    }

    /// Version 2: blocks that have a signature and a checksum, which is not looked at.
    fn read_second(&mut self, file: &'a File<'a>, cursor: &mut Cursor<'a>) -> Result<()> {
        cursor.skip(4)?;
        let (version, flags) = (cursor.u8()?, cursor.u8()?);
        if version != 2 {
            return Err(Error::malformed(format!("an object header of version {version}")));
        }
        cursor.skip(if flags & 0x20 == 0 { 0 } else { 16 } + if flags & 0x10 == 0 { 0 } else { 4 })?;
        let size = cursor.length(1 << (flags & 3))?;
        let mut blocks = vec![cursor.take(size)?];
        let order = if flags & 0x04 == 0 { 0 } else { 2 };
        while let Some(block) = blocks.pop() {
            let mut cursor = Cursor::new(block);
            while cursor.left() >= 4 + order {
                let (kind, size, flags) = (cursor.u8()?, cursor.u16()?, cursor.u8()?);
                cursor.skip(order)?;
                let mut next = None;
                self.message(file, kind.into(), flags, cursor.take(size.into())?, |bytes| next = Some(bytes))?;
                if let Some(bytes) = next {
                    let mut cursor = Cursor::new(bytes);
                    cursor.expect(b"OCHK")?;
                    let size = cursor.left().saturating_sub(4);
                    blocks.push(cursor.take(size)?);
                }
            }
        }
        Ok(())
    }

    /// Keeps a message, or hands on the block that it leads to.
    fn message(
        &mut self,
        file: &'a File<'a>,
        kind: u16,
        flags: u8,
        bytes: &'a [u8],
        block: impl FnOnce(&'a [u8]),
    ) -> Result<()> {
        file.step(1)?;
        if kind == message::CONTINUATION {
            let mut cursor = Cursor::new(bytes);
            let (address, size) = (cursor.number(file.offsets)?, cursor.length(file.lengths)?);
            block(file.at(address)?.take(size)?);
            return Ok(());
        }
        limits::check("messages of an HDF5 object", self.messages.len() + 1, limits::HDF5_MESSAGES)?;
        self.messages.push(Message { kind, shared: flags & 2 != 0, bytes });
        Ok(())
    }

    /// The messages of a kind.
    pub(super) fn all(&self, kind: u16) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.messages.iter().filter(move |message| message.kind == kind && !message.shared).map(|message| message.bytes)
    }

    /// The first message of a kind.
    pub(super) fn one(&self, kind: u16) -> Result<Option<&'a [u8]>> {
        match self.messages.iter().find(|message| message.kind == kind) {
            Some(message) if message.shared => {
                Err(Error::unsupported("it shares its type with others; write the file anew with h5py or Keras"))
            }
            found => Ok(found.map(|message| message.bytes)),
        }
    }

    /// The attribute of this name.
    pub(super) fn attribute(&self, file: &File<'a>, name: &str) -> Result<Option<Attribute<'a>>> {
        for bytes in self.all(message::ATTRIBUTE) {
            file.step(1)?;
            if let Some(attribute) = Attribute::read(file, bytes, name)? {
                return Ok(Some(attribute));
            }
        }
        if let Some(bytes) = self.one(message::ATTRIBUTE_INFO)? {
            let mut cursor = Cursor::new(bytes);
            let flags = (cursor.u8()?, cursor.u8()?).1;
            cursor.skip(if flags & 1 == 0 { 0 } else { 2 })?;
            if !file.undefined(cursor.number(file.offsets)?) {
                return Err(Error::unsupported(
                    "its attributes lie in a fractal heap; write the file anew with libver='earliest'",
                ));
            }
        }
        Ok(None)
    }
}

/// An attribute.
#[derive(Debug)]
pub(super) struct Attribute<'a> {
    datatype: Datatype,
    space: Space,
    data: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// Reads a message; `None` when the attribute has another name.
    fn read(file: &File<'a>, bytes: &'a [u8], wanted: &str) -> Result<Option<Self>> {
        let mut cursor = Cursor::new(bytes);
        let (version, flags) = (cursor.u8()?, cursor.u8()?);
        if !(1..=3).contains(&version) {
            return Err(Error::malformed(format!("an attribute of version {version}")));
        }
        let sizes = [cursor.u16()?, cursor.u16()?, cursor.u16()?];
        if version == 3 {
            cursor.skip(1)?;
        }
        let mut part = |size: u16| -> Result<&'a [u8]> {
            let part = cursor.take(size.into())?;
            if version == 1 {
                cursor.align()?;
            }
            Ok(part)
        };
        let (name, datatype, space) = (part(sizes[0])?, part(sizes[1])?, part(sizes[2])?);
        if name.split(|&byte| byte == 0).next() != Some(wanted.as_bytes()) {
            return Ok(None);
        }
        if version > 1 && flags & 3 != 0 {
            return Err(Error::unsupported("it shares its type with others; write the file anew with h5py or Keras"));
        }
        let datatype = Datatype::read(datatype)?;
        let space = Space::read(file, space)?;
        Ok(Some(Self { data: cursor.rest(), datatype, space }))
    }

    /// The strings that it holds.
    pub(super) fn strings(&self, file: &File<'a>) -> Result<Vec<String>> {
        strings(file, &self.datatype, self.space.count()?, self.data)
    }
}
