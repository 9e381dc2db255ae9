//! Files: their bytes, capped, and their replacement as a whole.

use crate::error::{Error, Result, Within};
use crate::limits;
use memmap2::{MmapMut, MmapOptions};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes from which on memory is asked for from the system, with its pages in it: one call instead of one fault for every page.
const MAPPED: usize = 64 << 10;
/// Bytes of a large page.
const LARGE: usize = 2 << 20;

/// The bytes of a file, in memory.
#[derive(Debug)]
pub struct Bytes(Room);

#[derive(Debug)]
enum Room {
    Held(Vec<u8>),
    /// Memory of its own, and how much of it is filled.
    Mapped(MmapMut, usize),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Room::Held(bytes) => bytes,
            Room::Mapped(map, length) => &map[..*length],
        }
    }
}

/// Zeros; `None` for few, and where the system has no such memory, or too little.
fn mapped(length: usize) -> Option<MmapMut> {
    let mut options = MmapOptions::new();
    if length < LARGE {
        options.populate();
    }
    let map = (length >= MAPPED).then(|| options.len(length).map_anon().ok()).flatten()?;
    #[cfg(target_os = "linux")]
    if length >= LARGE {
        // Where it has no large pages, small ones come one after the other.
        let _ = map.advise(memmap2::Advice::HugePage);
    }
    Some(map)
}

/// The bytes of a file of at most `cap` bytes.
///
/// # Errors
/// `MI_NOT_FOUND` or `MI_IO` naming the path, `MI_LIMIT_EXCEEDED` for a larger file.
pub fn read(path: &Path, cap: u64) -> Result<Bytes> {
    let file = File::open(path).map_err(|cause| Error::io("open", path, &cause))?;
    let size = file.metadata().map_or(0, |facts| facts.len()).min(cap);
    let bytes = read_all(file.take(cap + 1), usize::try_from(size).unwrap_or(0), path)?;
    if bytes.len() as u64 > cap {
        return Err(Error::limit(format!("{} is larger than {cap} bytes", path.display())));
    }
    Ok(bytes)
}

/// All bytes that come. `size` is what the file system says of them, a guess: the file may grow meanwhile, or be none.
fn read_all(mut file: impl Read, size: usize, path: &Path) -> Result<Bytes> {
    let failed = |cause| Error::io("read", path, &cause);
    let room = |count| limits::vec("bytes", count).within(|| path.display().to_string());
    let Some(mut map) = mapped(size) else {
        let mut bytes = room(size)?;
        file.read_to_end(&mut bytes).map_err(failed)?;
        return Ok(Bytes(Room::Held(bytes)));
    };
    let length = fill(&mut file, &mut map).map_err(failed)?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).map_err(failed)?;
    if rest.is_empty() {
        return Ok(Bytes(Room::Mapped(map, length)));
    }
    let mut all = room(length + rest.len())?;
    all.extend_from_slice(&map[..length]);
    all.extend_from_slice(&rest);
    Ok(Bytes(Room::Held(all)))
}

/// Reads until nothing more comes or there is no more room; how many bytes that were.
fn fill(file: &mut impl Read, room: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < room.len() {
        match file.read(&mut room[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(length)
}

/// Writes a file as a whole: at every moment, also after a crash, the path leads to what was there before or to all that `write` wrote. A
/// process that is killed meanwhile leaves a file `.mi-*.tmp` beside it, which nobody needs.
///
/// # Errors
/// `MI_NOT_FOUND` or `MI_IO` naming the path; what was there is then still there.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    if path.file_name().is_none() {
        return Err(Error::invalid(format!("'{}' names no file", path.display())));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (mut file, mut draft) = Draft::new(folder)?;
    write(&mut file)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&draft.path, path))
        .map_err(|cause| Error::io("write", path, &cause))?;
    draft.finished = true;
    // The new name is in the directory; it is there after a crash, too, once the directory is written.
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|cause| Error::io("write", folder, &cause))?;
    Ok(())
}

/// A file that is not finished; it is deleted when it is given up.
struct Draft {
    path: PathBuf,
    finished: bool,
}

impl Draft {
    /// A new file in this folder, with a name that nobody else has.
    fn new(folder: &Path) -> Result<(File, Self)> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".mi-{}-{number}.tmp", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((file, Self { path, finished: false })),
                // Left by a process of the same number that was killed.
                Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(Error::io("write to", folder, &cause)),
            }
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_every_size_are_read_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in [0, 1, MAPPED - 1, MAPPED, MAPPED + 1, LARGE, LARGE + 4097] {
            let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(*read(&path, size as u64).unwrap(), bytes);
            if size > 0 {
                let error = read(&path, size as u64 - 1).unwrap_err();
                assert!(error.message().contains("is larger than"), "{}", error.message());
            }
        }
        // Files whose size the system does not say.
        assert!(read(Path::new("/dev/null"), 10).unwrap().is_empty());
        #[cfg(target_os = "linux")]
        assert!(read(Path::new("/proc/self/status"), 1 << 20).unwrap().starts_with(b"Name:"));
    }

    #[test]
    fn files_may_grow_and_shrink_while_they_are_read() {
        let bytes: Vec<u8> = (0..=250).cycle().take(2 * MAPPED).collect();
        for size in [0, 1, MAPPED - 1, MAPPED, MAPPED + 1, 2 * MAPPED - 1, 2 * MAPPED, 2 * MAPPED + 1, LARGE] {
            assert_eq!(*read_all(&bytes[..], size, Path::new("a file")).unwrap(), bytes, "{size}");
            assert!(read_all(&[][..], size, Path::new("a file")).unwrap().is_empty(), "{size}");
        }
    }

    #[test]
    fn what_is_there_is_filled_in_until_the_end() {
        /// A reader of one byte at a time that is interrupted every other time.
        struct Slow(u8, bool);
        impl Read for Slow {
            fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    return Err(ErrorKind::Interrupted.into());
                }
                if self.0 == 5 {
                    return Ok(0);
                }
                self.0 += 1;
                room[0] = self.0;
                Ok(1)
            }
        }
        let mut room = [0; 7];
        assert_eq!(fill(&mut Slow(0, false), &mut room).unwrap(), 5);
        assert_eq!(room, [1, 2, 3, 4, 5, 0, 0]);
        assert_eq!(fill(&mut Slow(0, false), &mut room[..3]).unwrap(), 3);
    }
}
