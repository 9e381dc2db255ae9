//! Windows in a file.
//!
//! A head of 112 bytes, then the body; integers are little-endian.
//!
//! | head | |
//! |---|---|
//! | 8 bytes | `MIWINDOW` |
//! | u64 | version of this format: 1 |
//! | u64, u64 | rows of a window, columns of a row |
//! | u64 | symbols |
//! | u64 | bytes of the body |
//! | 32 bytes | SHA-256 of the body |
//! | 32 bytes | SHA-256 of the head so far |
//!
//! The body has the names of the channels: u64, how many there are (none, or one for each column), and for each u16 and that many bytes
//! of UTF-8, where 65535 and no bytes stand for a column without a name. Then come the symbols in ascending order: u16 and that many bytes
//! of UTF-8, i64 the time stamp of the newest row (0 without rows), u64 how many rows there are, and the rows, oldest first, in
//! floats of 32 bits.

use super::ring::Ring;
use super::table::Table;
use super::{Buffer, Shape, check_symbol};
use crate::codec::file;
use crate::error::{Error, Result, Status, Within};
use crate::limits;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

const MAGIC: [u8; 8] = *b"MIWINDOW";
const VERSION: u64 = 1;
const HEAD: usize = 112;
const DIGEST: usize = 32;
/// The length of a name that is none.
const NO_NAME: u16 = u16::MAX;

impl Buffer {
    /// Writes every window to a file, so that at every moment, also after a crash, the path leads to the whole old file or the whole
    /// new one. Each window is saved as it is at one moment; pushes go on meanwhile. The options are not saved, but for the names of
    /// the channels.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` or `MI_IO` naming the path.
    pub fn save(&self, path: &Path) -> Result<()> {
        let table = self.table.load_full();
        let mut scratch = limits::vec("bytes of a window", self.shape.values() * 4)?;
        file::replace(path, |file| {
            file.write_all(&[0; HEAD])?;
            let (symbols, length, digest) =
                table.sorted(|windows| self.write_body(&mut *file, windows, &mut scratch))?;
            let mut head = Vec::with_capacity(HEAD);
            head.extend_from_slice(&MAGIC);
            for size in [VERSION, self.shape.steps as u64, self.shape.width as u64, symbols, length] {
                head.extend_from_slice(&size.to_le_bytes());
            }
            head.extend_from_slice(&digest);
            let digest = Sha256::digest(&head);
            head.extend_from_slice(&digest);
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&head)
        })
    }

    /// Writes windows; returns how many they are, how many bytes they took, and the digest of those.
    fn write_body(
        &self,
        to: impl Write,
        windows: &[(&str, &Mutex<Ring>)],
        scratch: &mut Vec<u8>,
    ) -> std::io::Result<(u64, u64, [u8; DIGEST])> {
        let mut body = Sum { inner: BufWriter::new(to), digest: Sha256::new(), length: 0 };
        let names = self.scale.names();
        body.write_all(&(names.len() as u64).to_le_bytes())?;
        for name in names {
            write_name(&mut body, name.as_deref())?;
        }
        for (symbol, window) in windows {
            write_name(&mut body, Some(symbol))?;
            // Copied under the lock, written without it: no push waits for a disk.
            scratch.clear();
            let (newest_ns, rows) = {
                let ring = window.lock();
                ring.each().flatten().for_each(|value| scratch.extend_from_slice(&value.to_le_bytes()));
                (ring.newest_ns().unwrap_or_default(), ring.rows() as u64)
            };
            body.write_all(&newest_ns.to_le_bytes())?;
            body.write_all(&rows.to_le_bytes())?;
            body.write_all(scratch)?;
        }
        body.flush()?;
        Ok((windows.len() as u64, body.length, body.digest.finalize().into()))
    }

    /// Reads every window from a file that [`Buffer::save`] wrote, with the same bits. The windows that were there, and their symbols, are
    /// gone; other threads see all of the old windows or all of the new ones. A push at the same moment comes before or after it.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` or `MI_IO` naming the path, `MI_MALFORMED` for a file that is cut short or something else, `MI_CHECKSUM_MISMATCH`
    /// for one with changed bytes, `MI_UNSUPPORTED` for one of a later version, `MI_SHAPE_MISMATCH` for one of windows with other rows,
    /// columns or channels, `MI_LIMIT_EXCEEDED` for one with more symbols than the buffer takes; the windows are then as they were.
    pub fn restore(&self, path: &Path) -> Result<()> {
        let length = std::fs::metadata(path).map_err(|cause| Error::io("open", path, &cause))?;
        if !length.is_file() {
            return Err(Error::new(Status::Io, format!("cannot read {}: it is not a file", path.display())));
        }
        let file = File::open(path).map_err(|cause| Error::io("open", path, &cause))?;
        let table = self.read(file, length.len()).within(|| path.display())?;
        self.table.store(Arc::new(table));
        Ok(())
    }

    /// The windows in a file of this many bytes.
    fn read(&self, file: File, length: u64) -> Result<Table> {
        let mut file = BufReader::new(file);
        let mut head = [0; HEAD];
        let got = read_up_to(&mut file, &mut head)?;
        if !head.starts_with(&MAGIC) {
            return Err(Error::malformed("this is no file of windows; mi_buffer_save writes those"));
        }
        if got < HEAD {
            return Err(Error::malformed(format!("the file is cut short: {got} bytes, its head alone has {HEAD}")));
        }
        let word = |index: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&head[index * 8..][..8]);
            u64::from_le_bytes(bytes)
        };
        if word(1) != VERSION {
            return Err(Error::unsupported(format!(
                "the file has version {} of the format of windows, this libmi reads {VERSION}; use the libmi that wrote it",
                word(1)
            )));
        }
        if Sha256::digest(&head[..HEAD - DIGEST])[..] != head[HEAD - DIGEST..] {
            return Err(changed("the head of the file"));
        }
        let Shape { steps, width } = self.shape;
        if (word(2), word(3)) != (steps as u64, width as u64) {
            return Err(Error::shape(format!(
                "the file has windows of {} x {} numbers, the buffer of {steps} x {width}",
                word(2),
                word(3)
            )));
        }
        let (symbols, body) = (word(4), word(5));
        if symbols > self.max_symbols as u64 {
            return Err(Error::limit(format!(
                "the file has {symbols} symbols, the buffer takes {}; raise max_symbols",
                self.max_symbols
            )));
        }
        if length.checked_sub(HEAD as u64) != Some(body) {
            return Err(Error::malformed(format!("the file has {length} bytes, not the {HEAD} + {body} of its head")));
        }
        let mut body = Body { inner: Sum { inner: file, digest: Sha256::new(), length: 0 }, bytes: Vec::new() };
        self.read_channels(&mut body)?;
        let table = Table::new();
        for _ in 0..symbols {
            let symbol = body.name()?.ok_or_else(|| Error::malformed("a symbol has no name"))?;
            check_symbol(&symbol).map_err(|error| Error::malformed(error.message()))?;
            let ring = self.read_window(&mut body).within(|| &symbol)?;
            let before = table.count();
            table.with_or_new(&symbol, self.max_symbols, || Ok(ring), |_| ())?;
            if table.count() == before {
                return Err(Error::malformed(format!("the symbol {symbol} is there twice")));
            }
        }
        if body.inner.length != word(5) {
            return Err(Error::malformed("bytes follow the last window"));
        }
        if body.inner.digest.finalize()[..] != head[48..][..DIGEST] {
            return Err(changed("the file"));
        }
        Ok(table)
    }

    fn read_channels(&self, body: &mut Body) -> Result<()> {
        let expected = self.scale.names();
        let count = body.word()?;
        let mut same = count == expected.len() as u64;
        for column in 0..count.min(self.shape.width as u64) {
            let name = body.name()?;
            same &= usize::try_from(column).ok().and_then(|column| expected.get(column)) == Some(&name);
        }
        if !same {
            return Err(Error::shape("the columns of the file are not called as the channels of the buffer"));
        }
        Ok(())
    }

    fn read_window(&self, body: &mut Body) -> Result<Ring> {
        let newest_ns = body.word()?.cast_signed();
        let rows = body.word()?;
        let rows = usize::try_from(rows).ok().filter(|&rows| rows <= self.shape.steps).ok_or_else(|| {
            Error::malformed(format!("{rows} rows are in the file, a window has at most {}", self.shape.steps))
        })?;
        Ring::filled(self.shape, rows, newest_ns, |values| {
            for row in values.chunks_exact_mut(self.shape.width) {
                let bytes = body.take(row.len() * 4)?;
                for (value, bytes) in row.iter_mut().zip(bytes.chunks_exact(4)) {
                    *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
                if row.iter().any(|value| !value.is_finite()) {
                    return Err(Error::malformed("a row holds a NaN or an infinity"));
                }
            }
            Ok(())
        })
    }
}

fn changed(what: &str) -> Error {
    Error::new(Status::ChecksumMismatch, format!("the bytes of {what} are not those that were written"))
}

/// A name that is shorter than [`NO_NAME`] bytes.
#[allow(clippy::cast_possible_truncation)]
fn write_name(to: &mut impl Write, name: Option<&str>) -> std::io::Result<()> {
    let length = name.map_or(NO_NAME, |name| name.len() as u16);
    to.write_all(&length.to_le_bytes())?;
    to.write_all(name.unwrap_or_default().as_bytes())
}

fn read_up_to(from: &mut impl Read, bytes: &mut [u8]) -> Result<usize> {
    let mut got = 0;
    while got < bytes.len() {
        match from.read(&mut bytes[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(Error::new(Status::Io, format!("cannot read: {cause}"))),
        }
    }
    Ok(got)
}

/// A stream that sums up what passes.
struct Sum<T> {
    inner: T,
    digest: Sha256,
    length: u64,
}

impl<T: Write> Write for Sum<T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// The body of a file, piece by piece.
struct Body {
    inner: Sum<BufReader<File>>,
    /// The last piece.
    bytes: Vec<u8>,
}

impl Body {
    fn take(&mut self, length: usize) -> Result<&[u8]> {
        self.bytes.resize(length, 0);
        if read_up_to(&mut self.inner.inner, &mut self.bytes)? < length {
            return Err(Error::malformed("the file ends too early"));
        }
        self.inner.digest.update(&self.bytes);
        self.inner.length += length as u64;
        Ok(&self.bytes)
    }

    fn word(&mut self) -> Result<u64> {
        let mut word = [0; 8];
        word.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(word))
    }

    fn name(&mut self) -> Result<Option<String>> {
        let length = self.take(2)?;
        let length = u16::from_le_bytes([length[0], length[1]]);
        if length == NO_NAME {
            return Ok(None);
        }
        if usize::from(length) > limits::SYMBOL_BYTES {
            return Err(Error::malformed(format!("a name has {length} bytes, more than {}", limits::SYMBOL_BYTES)));
        }
        let bytes = self.take(length.into())?.to_vec();
        String::from_utf8(bytes).map(Some).map_err(|_| Error::malformed("a name is not UTF-8"))
    }
}
