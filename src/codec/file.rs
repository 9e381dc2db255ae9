//! Files: their bytes, capped, and their replacement as a whole.

use crate::error::{Error, Result, Within};
use crate::limits;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes of a file of at most `cap` bytes.
///
/// # Errors
/// `MI_NOT_FOUND` or `MI_IO` naming the path, `MI_LIMIT_EXCEEDED` for a larger file.
pub fn read(path: &Path, cap: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|cause| Error::io("open", path, &cause))?;
    // What the file system says is a guess: the file may grow meanwhile, or be none.
    let size = file.metadata().map_or(0, |facts| facts.len()).min(cap);
    let mut bytes = limits::vec("bytes", usize::try_from(size).unwrap_or(0)).within(|| path.display().to_string())?;
    file.take(cap + 1).read_to_end(&mut bytes).map_err(|cause| Error::io("read", path, &cause))?;
    if bytes.len() as u64 > cap {
        return Err(Error::limit(format!("{} is larger than {cap} bytes", path.display())));
    }
    Ok(bytes)
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
