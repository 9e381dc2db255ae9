//! Zip archives in memory: what Keras and PyTorch put their models into.

use crate::error::{Error, Result, Within};
use crate::limits;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// An archive, and how much more may be unpacked of it.
#[derive(Debug)]
pub struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    budget: usize,
}

impl<'a> Archive<'a> {
    /// Whether bytes begin as an archive does.
    #[must_use]
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.starts_with(b"PK\x03\x04")
    }

    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a damaged directory, `MI_LIMIT_EXCEEDED` for too many entries.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let zip =
            ZipArchive::new(Cursor::new(bytes)).map_err(|cause| refuse(&cause)).within(|| "not a sound zip archive")?;
        limits::check("entries of an archive", zip.len(), limits::ARCHIVE_ENTRIES)?;
        Ok(Self { zip, budget: limits::archive_memory(bytes.len()) })
    }

    /// Names of all entries that are text.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.zip.file_names().filter_map(|name| Some(name.ok()?.into_owned()))
    }

    /// Whether there is an entry of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// The content of an entry, its checksum verified.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is not there or damaged, `MI_UNSUPPORTED` when it is encrypted or compressed by something rare,
    /// `MI_LIMIT_EXCEEDED` when all that was read of the archive passes [`limits::archive_memory`].
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let budget = self.budget;
        let mut entry = self.zip.by_name(name).map_err(|cause| refuse(&cause)).within(|| name.to_owned())?;
        let promised = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        // What the directory promises is not believed further than the archive is large: a lie costs little.
        let room = promised.min(budget).min(usize::try_from(entry.compressed_size()).unwrap_or(usize::MAX));
        content.try_reserve(room).map_err(|_| Error::limit(format!("{name}: no memory for {room} bytes")))?;
        let limit = u64::try_from(budget).unwrap_or(u64::MAX).saturating_add(1);
        entry
            .by_ref()
            .take(limit)
            .read_to_end(&mut content)
            .map_err(|cause| Error::malformed(format!("{name}: {cause}; copy the file again")))?;
        if content.len() > budget {
            return Err(Error::limit(format!("{name}: the archive unpacks to more than {budget} bytes")));
        }
        self.budget -= content.len();
        Ok(content)
    }
}

fn refuse(cause: &ZipError) -> Error {
    match cause {
        ZipError::UnsupportedArchive(why) => {
            Error::unsupported(format!("{why}; write the archive again, stored or with deflate"))
        }
        ZipError::FileNotFound => Error::malformed("the archive has no such entry"),
        other => Error::malformed(format!("{other}; copy the file again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::CompressionMethod;
    use zip::write::{SimpleFileOptions, ZipWriter};

    fn archive(entries: &[(&str, &[u8], CompressionMethod)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content, method) in entries {
            writer.start_file(*name, SimpleFileOptions::default().compression_method(*method)).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn entries_are_read_and_checked() {
        let mut bytes = archive(&[
            ("a", b"stored words", CompressionMethod::Stored),
            ("b/c", &[7; 1000], CompressionMethod::Deflated),
        ]);
        let mut sound = Archive::open(&bytes).unwrap();
        assert_eq!(sound.names().collect::<Vec<_>>(), ["a", "b/c"]);
        assert_eq!(sound.read("a").unwrap(), b"stored words");
        assert_eq!(sound.read("b/c").unwrap(), [7; 1000]);
        assert!(sound.read("d").unwrap_err().message().contains("no such entry"));
        let place = bytes.windows(6).position(|window| window == b"stored").unwrap();
        bytes[place] ^= 1;
        let error = Archive::open(&bytes).unwrap().read("a").unwrap_err();
        assert!(error.message().contains("hecksum"), "{error}");
        for length in 0..bytes.len() {
            if let Ok(mut cut) = Archive::open(&bytes[..length]) {
                let _ = cut.read("b/c");
            }
        }
    }

    #[test]
    fn a_bomb_is_defused() {
        let zeros = vec![0; 80 << 20];
        let bytes = archive(&[("bomb", &zeros, CompressionMethod::Deflated)]);
        assert!(bytes.len() < 1 << 20);
        let error = Archive::open(&bytes).unwrap().read("bomb").unwrap_err();
        assert!(error.message().contains("unpacks to more"), "{error}");
    }
}
