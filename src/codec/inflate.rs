//! Compressed files: what they are, and their content up to a cap.

use crate::error::{Error, Result};
use crate::limits;
use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use std::io::{self, Read};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// RFC 1950.
    Zlib,
    /// RFC 1952.
    Gzip,
    /// bzip2.
    Bzip2,
    /// The `.xz` container of LZMA2.
    Xz,
    /// The headerless LZMA container of old.
    Lzma,
    /// The LZ4 frame format.
    Lz4,
    /// zlib behind the 21 bytes `ZF` and a length in hexadecimal, as joblib wrote before 0.10.
    ZFile,
}

/// Bytes before the zlib stream of joblib's old container: `ZF` and 19 characters.
const ZFILE_HEADER: usize = 21;

impl Container {
    /// How these bytes are compressed, as their first bytes tell; `None`: not at all.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        let is = |magic: &[u8]| bytes.starts_with(magic);
        Some(match bytes {
            _ if is(b"\x1f\x8b") => Self::Gzip,
            _ if is(b"BZh") => Self::Bzip2,
            _ if is(b"\xfd7zXZ\0") => Self::Xz,
            _ if is(b"\x04\x22\x4d\x18") => Self::Lz4,
            _ if is(b"ZF0x") => Self::ZFile,
            // The usual properties byte and a dictionary of at least 64 KiB.
            [0x5d, 0, 0, _, _, ..] => Self::Lzma,
            // Deflate with a window of 32 KiB and a header that is a multiple of 31.
            [0x78, flags, ..] if (0x7800 | u16::from(*flags)) % 31 == 0 => Self::Zlib,
            _ => return None,
        })
    }

    /// Its usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Lz4 => "lz4",
            Self::ZFile => "joblib's ZF container",
        }
    }

    fn reader(self, bytes: &[u8]) -> Result<Box<dyn Read + '_>> {
        let dictionary = u32::try_from(limits::LZMA_DICTIONARY / 1024 + 1024).unwrap_or(u32::MAX);
        Ok(match self {
            Self::Zlib => Box::new(flate2::bufread::ZlibDecoder::new(bytes)),
            Self::ZFile => Box::new(flate2::bufread::ZlibDecoder::new(bytes.get(ZFILE_HEADER..).unwrap_or_default())),
            Self::Gzip => Box::new(Streams::new(bytes, GzDecoder::new, |rest| {
                let padding = rest.iter().take_while(|&&byte| byte == 0).count();
                Some(&rest[padding..]).filter(|rest| !rest.is_empty())
            })),
            Self::Bzip2 => {
                Box::new(Streams::new(bytes, BzDecoder::new, |rest| Some(rest).filter(|rest| rest.starts_with(b"BZh"))))
            }
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(bytes)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(bytes, true, dictionary)),
            Self::Lzma => Box::new(
                lzma_rust2::LzmaReader::new_mem_limit(bytes, dictionary, None).map_err(|cause| self.damaged(cause))?,
            ),
        })
    }

    fn damaged(self, cause: io::Error) -> Error {
        match cause.downcast::<Error>() {
            Ok(error) => error.within(format!("the {} compression", self.name())),
            Err(cause) => Error::malformed(format!("the {} compression is damaged: {cause}", self.name())),
        }
    }

    /// The largest output that fits, together with what decoding holds beside it, into this much memory.
    #[must_use]
    pub fn cap(self, memory: usize) -> usize {
        match self {
            // The dictionary grows with the output, doubling, up to its own cap.
            Self::Xz | Self::Lzma => (memory / 3).max(memory.saturating_sub(limits::LZMA_DICTIONARY)),
            // Two blocks of bzip2 or lz4 and their tables.
            _ => memory.saturating_sub(12 << 20),
        }
    }

    /// The content.
    ///
    /// # Errors
    /// `MI_MALFORMED` for damaged or truncated compression, `MI_LIMIT_EXCEEDED` for more than `cap` bytes.
    pub fn inflate(self, bytes: &[u8], cap: usize) -> Result<Vec<u8>> {
        let mut reader = self.reader(bytes)?;
        let mut content: Vec<u8> = Vec::new();
        let mut piece = vec![0; 64 << 10];
        loop {
            let count = reader.read(&mut piece).map_err(|cause| self.damaged(cause))?;
            if count == 0 {
                return Ok(content);
            }
            if count > cap - content.len() {
                return Err(Error::limit(format!(
                    "the {} compression holds more than the {cap} bytes granted for {} compressed ones; \
                     if the file is sound, save it with less compression",
                    self.name(),
                    bytes.len()
                )));
            }
            if content.capacity() - content.len() < count {
                let more = (content.capacity() / 2).max(count).min(cap - content.len());
                let reserved = content.try_reserve_exact(more);
                reserved.map_err(|_| Error::limit(format!("no memory for {} bytes", content.len() + more)))?;
            }
            content.extend_from_slice(&piece[..count]);
        }
    }

    /// The first bytes of the content, at most `count`; none when the compression is damaged before them.
    #[must_use]
    pub fn peek(self, bytes: &[u8], count: usize) -> Vec<u8> {
        let mut head = Vec::new();
        if let Ok(reader) = self.reader(bytes) {
            let _ = reader.take(count as u64).read_to_end(&mut head);
        }
        head
    }
}

/// A decoder of one stream, which gives back what follows it.
trait Stream<'a>: Read {
    fn rest(self) -> &'a [u8];
}

impl<'a> Stream<'a> for GzDecoder<&'a [u8]> {
    fn rest(self) -> &'a [u8] {
        self.into_inner()
    }
}

impl<'a> Stream<'a> for BzDecoder<&'a [u8]> {
    fn rest(self) -> &'a [u8] {
        self.into_inner()
    }
}

/// Streams one behind the other, as gzip and bzip2 allow. Each costs more to begin than it may have bytes, hence a cap on them.
struct Streams<'a, S> {
    current: Option<S>,
    open: fn(&'a [u8]) -> S,
    /// Where the next stream begins in what follows one; `None`: that was the last one.
    next: fn(&'a [u8]) -> Option<&'a [u8]>,
    begun: usize,
    content: usize,
}

impl<'a, S> Streams<'a, S> {
    fn new(bytes: &'a [u8], open: fn(&'a [u8]) -> S, next: fn(&'a [u8]) -> Option<&'a [u8]>) -> Self {
        Self { current: Some(open(bytes)), open, next, begun: 1, content: 0 }
    }
}

impl<'a, S: Stream<'a>> Read for Streams<'a, S> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        while let Some(stream) = &mut self.current {
            let count = stream.read(piece)?;
            self.content += count;
            if count > 0 || piece.is_empty() {
                return Ok(count);
            }
            let rest = self.current.take().and_then(|stream| (self.next)(stream.rest()));
            if let Some(rest) = rest {
                self.begun += 1;
                limits::check("streams of less than 16 KiB each", self.begun, limits::streams(self.content))
                    .map_err(io::Error::other)?;
                self.current = Some((self.open)(rest));
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(content: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn streams_follow_each_other() {
        let gzip = [gzip(b"one "), gzip(b""), vec![0; 7], gzip(b"two"), vec![0; 3]].concat();
        assert_eq!(Container::Gzip.inflate(&gzip, 100).unwrap(), b"one two");
        assert_eq!(Container::Gzip.peek(&gzip, 5), b"one t");
        let bzip2 = [bzip2(b"one "), bzip2(b"two"), b"behind".to_vec()].concat();
        assert_eq!(Container::Bzip2.inflate(&bzip2, 100).unwrap(), b"one two");
        let blocks = gzip_blocks(100, 65_280);
        assert_eq!(Container::Gzip.inflate(&blocks, 10 << 20).unwrap().len(), 100 * 65_280);
    }

    /// As bgzip writes them.
    fn gzip_blocks(count: usize, size: usize) -> Vec<u8> {
        [gzip(&vec![7; size]).repeat(count), gzip(b"")].concat()
    }

    #[test]
    fn streams_of_nothing_are_counted() {
        for (container, bytes) in [
            (Container::Gzip, gzip(b"").repeat(100_000)),
            (Container::Bzip2, bzip2(b"").repeat(100_000)),
            (Container::Gzip, gzip_blocks(100_000, 100)),
        ] {
            let error = container.inflate(&bytes, 100 << 20).unwrap_err();
            assert_eq!(error.status(), crate::Status::LimitExceeded, "{error}");
            assert!(error.message().contains("streams"), "{error}");
            assert!(container.peek(&bytes, 256).len() <= 256);
        }
    }

    #[test]
    fn damage_behind_a_stream_is_told() {
        let mut bytes = gzip(b"sound");
        bytes.extend(b"not gzip");
        let error = Container::Gzip.inflate(&bytes, 100).unwrap_err();
        assert!(error.message().starts_with("the gzip compression is damaged: "), "{error}");
    }
}
