//! Where predictions go: standard output, or a file that appears when it is whole.

use crate::failure::{Failure, Result};
use mi::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A sink of bytes.
#[derive(Debug)]
pub struct Output {
    sink: Sink,
    /// How it is called in an error.
    pub place: String,
}

#[derive(Debug)]
enum Sink {
    Stdout(io::Stdout),
    /// A device or a pipe: written as it is.
    Plain(File),
    /// A file: written beside its place and moved there at the end.
    Replacing {
        file: File,
        part: PathBuf,
        path: PathBuf,
    },
}

impl Output {
    /// Standard output for `None` and `-`, else this file.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self { sink: Sink::Stdout(io::stdout()), place: "the standard output".to_owned() });
        };
        let place = path.display().to_string();
        let existing = fs::metadata(path).ok();
        if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
            let file = OpenOptions::new().write(true).open(path).map_err(|cause| Failure::write(&place, &cause))?;
            return Ok(Self { sink: Sink::Plain(file), place });
        }
        // Through a symbolic link the file behind it is replaced, not the link.
        let path = if existing.is_some() {
            fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
        } else {
            path.to_owned()
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&part)
            .map_err(|cause| Failure::Error(Error::io("create", &part, &cause)))?;
        if let Some(existing) = existing {
            let _ = file.set_permissions(existing.permissions());
        }
        Ok(Self { sink: Sink::Replacing { file, part, path }, place })
    }

    /// Puts a file in its place. Without this call a file is left as it was.
    pub fn finish(mut self) -> Result<()> {
        let done = match &self.sink {
            Sink::Stdout(_) | Sink::Plain(_) => self.flush(),
            Sink::Replacing { part, path, .. } => fs::rename(part, path),
        };
        done.map_err(|cause| Failure::write(&self.place, &cause))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Sink::Replacing { part, .. } = &self.sink {
            // After `finish` there is nothing of this name any more.
            let _ = fs::remove_file(part);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Stdout(stdout) => stdout.write(bytes),
            Sink::Plain(file) | Sink::Replacing { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stdout(stdout) => stdout.flush(),
            Sink::Plain(file) | Sink::Replacing { file, .. } => file.flush(),
        }
    }
}
