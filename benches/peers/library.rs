//! Shared libraries and their functions.

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW, Symbol};
use std::ffi::{CStr, CString};
use std::path::Path;

/// A shared library that stays open to the end of the process: its functions may be copied out of it.
#[derive(Clone, Copy)]
pub struct Shared(&'static Library);

impl Shared {
    /// Opens a library.
    pub fn open(path: &Path) -> Result<Self, String> {
        // SAFETY: the libraries of this benchmark are those that it was made to measure; their initialisers are theirs.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
        let library = library.map_err(|cause| format!("{}: {cause}", path.display()))?;
        Ok(Self(Box::leak(Box::new(library))))
    }

    /// A function by its name; `F` is its type.
    pub fn function<F: Copy + 'static>(self, name: &str) -> Result<F, String> {
        // SAFETY: the type is the one that the library's documentation gives, written beside each call of this.
        let found: Result<Symbol<F>, _> = unsafe { self.0.get(name.as_bytes()) };
        found.map(|symbol| *symbol).map_err(|cause| format!("{name}: {cause}"))
    }
}

/// A string as C wants it.
pub fn text(text: impl AsRef<str>) -> CString {
    CString::new(text.as_ref()).expect("no NUL inside")
}

/// A path as C wants it.
pub fn path_text(path: &Path) -> CString {
    text(path.to_str().expect("a path in UTF-8"))
}

/// A message that a library keeps for its caller.
pub fn message(get: unsafe extern "C" fn() -> *const std::ffi::c_char) -> String {
    // SAFETY: libraries return a NUL-terminated string that lives until the next call of this thread.
    unsafe { CStr::from_ptr(get()) }.to_string_lossy().into_owned()
}
