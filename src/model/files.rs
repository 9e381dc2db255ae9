//! Files that lie beside a model.

use crate::codec;
use crate::error::{Error, Result};
use crate::formats::Files;
use crate::limits;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The folder of a model that was opened by its path.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder that this file lies in.
    pub(super) fn of(path: &Path) -> Self {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self(parent.unwrap_or(Path::new(".")).to_path_buf())
    }
}

impl Files for Folder {
    fn read(&self, name: &str) -> Result<Arc<[u8]>> {
        let path = self.0.join(inside(name)?);
        let real = path.canonicalize().map_err(|cause| Error::io("open", &path, &cause))?;
        let folder = self.0.canonicalize().map_err(|cause| Error::io("open", &self.0, &cause))?;
        if !real.starts_with(&folder) {
            return Err(Error::invalid(format!(
                "{} leads out of the folder of the model to {}; copy the file there",
                path.display(),
                real.display()
            )));
        }
        if !real.is_file() {
            return Err(Error::invalid(format!("{} is no regular file", path.display())));
        }
        Ok(Arc::from(&*codec::file::read(&real, limits::FILE_BYTES)?))
    }
}

/// The file of a model that is a directory: what lies in a SavedModel of TensorFlow, or any directory, in a form that is read.
///
/// # Errors
/// `MI_UNSUPPORTED` when nothing does, with what to do; `MI_IO`.
pub fn in_directory(directory: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(directory).map_err(|cause| Error::io("open", directory, &cause))?;
    let mut found: Vec<(usize, PathBuf)> = Vec::new();
    let mut saved = false;
    for entry in entries.take(limits::DIRECTORY_ENTRIES) {
        let path = entry.map_err(|cause| Error::io("read", directory, &cause))?.path();
        saved |= path.file_name().is_some_and(|name| name == "saved_model.pb");
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if let Some(place) = ENDINGS.iter().position(|known| *known == ending)
            && path.is_file()
        {
            found.push((place, path));
        }
    }
    found.sort();
    found.into_iter().next().map(|(_, path)| path).ok_or_else(|| {
        Error::unsupported(if saved {
            format!(
                "this is a SavedModel, a program for TensorFlow, which is not read; save the network as one file with \
                 tf.keras.models.load_model('{}').save('model.keras'), or convert it to ONNX, and put that file beside or into the directory",
                directory.display()
            )
        } else {
            "this is a directory without a model file in it; name the file".to_owned()
        })
    })
}

/// What a model file in a directory may end in, the one that is taken first in front.
const ENDINGS: [&str; 4] = ["keras", "h5", "hdf5", "onnx"];

/// A name that a model has for a file in its own folder, as a path.
///
/// # Errors
/// `MI_MALFORMED` for one that leads out of it.
pub fn inside(name: &str) -> Result<&Path> {
    let path = Path::new(name);
    let mut parts = path.components();
    if name.is_empty()
        || name.contains('\0')
        || !parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Err(Error::malformed(format!(
            "the weights are said to be in '{}', which is no file in the folder of the model",
            name.escape_default()
        )));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn nothing_outside_of_the_folder_is_read() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("model");
        std::fs::create_dir_all(folder.join("weights")).unwrap();
        std::fs::write(outer.path().join("secret"), "s").unwrap();
        std::fs::write(folder.join("weights/a.data"), "a").unwrap();
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        let files = Folder::of(&folder.join("model.onnx"));
        assert_eq!(&*files.read("weights/a.data").unwrap(), b"a");
        assert_eq!(&*files.read("./weights/a.data").unwrap(), b"a");
        let absolute = outer.path().join("secret");
        for name in ["../secret", "weights/../../secret", absolute.to_str().unwrap(), "", "a\0b", "/etc/passwd"] {
            assert_eq!(files.read(name).unwrap_err().status(), Status::Malformed, "{name}");
        }
        assert!(files.read("link").unwrap_err().message().contains("leads out"));
        assert!(files.read("weights").unwrap_err().message().contains("no regular file"));
        assert_eq!(files.read("none").unwrap_err().status(), Status::NotFound);
    }
}
