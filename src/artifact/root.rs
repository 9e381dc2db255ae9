//! The directory that a run may not be read out of.

use crate::codec::file::{self, Bytes};
use crate::error::{Error, Result};
use crate::limits;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A directory without symbolic links in its path. Everything that is listed or read through it lies inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    path: PathBuf,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// It is a directory, or a link to one.
    pub is_directory: bool,
}

impl Root {
    /// The root at this path.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` or `MI_IO` naming the path.
    pub fn new(path: &Path) -> Result<Self> {
        let path = path.canonicalize().map_err(|cause| Error::io("open", path, &cause))?;
        Ok(Self { path })
    }

    /// Its path, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path, all links followed.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` or `MI_IO`; `MI_INVALID_ARGUMENT` for a link that leads out of the root.
    pub fn inside(&self, path: &Path) -> Result<PathBuf> {
        let real = path.canonicalize().map_err(|cause| Error::io("open", path, &cause))?;
        if !real.starts_with(&self.path) {
            return Err(Error::invalid(format!(
                "{} leads out of the run to {}; a run is read from within {} only: copy the file there",
                path.display(),
                real.display(),
                self.path.display()
            )));
        }
        Ok(real)
    }

    /// The entries of a directory in bytewise order of their names, so that every machine sees the same order. Hidden entries and
    /// names that are not UTF-8 are left out: nobody can ask for them. A directory that does not exist has none.
    ///
    /// # Errors
    /// Those of [`Root::inside`]; `MI_LIMIT_EXCEEDED` for a directory with too many entries.
    pub fn list(&self, directory: &Path) -> Result<Vec<Item>> {
        match std::fs::metadata(directory) {
            Ok(about) if about.is_dir() => {}
            Ok(_) => return Ok(Vec::new()),
            Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(cause) => return Err(Error::io("list", directory, &cause)),
        }
        let real = self.inside(directory)?;
        let failed = |cause: std::io::Error| Error::io("list", directory, &cause);
        let mut items = Vec::new();
        for (count, entry) in std::fs::read_dir(&real).map_err(failed)?.enumerate() {
            if count >= limits::DIRECTORY_ENTRIES {
                return Err(Error::limit(format!(
                    "{} holds more than {} entries",
                    directory.display(),
                    limits::DIRECTORY_ENTRIES
                )));
            }
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let kind = entry.file_type().map_err(failed)?;
            let path = directory.join(&name);
            let is_directory = if kind.is_symlink() { path.is_dir() } else { kind.is_dir() };
            items.push(Item { name, path, is_directory });
        }
        items.sort();
        Ok(items)
    }

    /// The directories of a directory whose names begin with `prefix`, which is dropped.
    ///
    /// # Errors
    /// Those of [`Root::list`].
    pub fn directories(&self, directory: &Path, prefix: &str) -> Result<Vec<Item>> {
        let mut items = self.list(directory)?;
        items.retain(|item| item.is_directory && item.name.len() > prefix.len() && item.name.starts_with(prefix));
        for item in &mut items {
            item.name.drain(..prefix.len());
        }
        Ok(items)
    }

    /// The bytes of a file of at most `cap` bytes.
    ///
    /// # Errors
    /// Those of [`Root::inside`], `MI_LIMIT_EXCEEDED` for a larger file, `MI_INVALID_ARGUMENT` for what is no regular file (a pipe
    /// would wait for ever).
    pub fn read(&self, path: &Path, cap: u64) -> Result<Bytes> {
        let real = self.inside(path)?;
        let about = std::fs::metadata(&real).map_err(|cause| Error::io("open", path, &cause))?;
        if !about.is_file() {
            return Err(Error::invalid(format!("{} is no regular file", path.display())));
        }
        if about.len() > cap {
            return Err(Error::limit(format!(
                "{} has {} bytes, at most {cap} are read; raise max_file_bytes if the file is meant",
                path.display(),
                about.len()
            )));
        }
        file::read(&real, cap)
    }

    /// The bytes of a file that may be missing.
    ///
    /// # Errors
    /// Those of [`Root::read`], less that nothing is there.
    pub fn read_optional(&self, path: &Path, cap: u64) -> Result<Option<Bytes>> {
        match path.try_exists() {
            Ok(false) => Ok(None),
            Ok(true) => self.read(path, cap).map(Some),
            Err(cause) => Err(Error::io("open", path, &cause)),
        }
    }

    /// The path as the run sees it: without what leads to the root.
    #[must_use]
    pub fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.path).unwrap_or(path).display()
    }
}
