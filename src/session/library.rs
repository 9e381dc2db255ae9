//! Where ONNX Runtime is: found, loaded and checked, with a reason for every library that is not taken.

use crate::error::{Error, Result, Status};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use ort::sys::{ORT_API_VERSION, OrtApi, OrtApiBase};
use std::ffi::{CStr, OsStr, c_void};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The environment variable that names the library or its folder.
pub const VARIABLE: &str = "MI_ONNXRUNTIME";
/// What turns the phone-home of the builds since 1.29 off. It is read once, when the runtime is set up.
const TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";
/// Names of the library, the one with the version of its interface first.
const NAMES: [&str; 2] = ["libonnxruntime.so.1", "libonnxruntime.so"];

/// A runtime that was loaded and is new enough. It stays loaded for the life of the process.
pub struct Loaded {
    /// Its functions.
    pub api: &'static OrtApi,
    /// Where it lies.
    pub path: PathBuf,
    /// Its version, for example `1.28.0`.
    pub version: String,
}

/// Finds the runtime: at `chosen`, else where `MI_ONNXRUNTIME` says, else beside this library, else where the system's loader finds
/// it. A place that was named is the only one that is looked at.
///
/// # Errors
/// `MI_BACKEND_MISSING` with every place and why it was not taken.
pub fn find(chosen: Option<&Path>) -> Result<Loaded> {
    silence();
    let named = chosen.map(|path| (path.to_path_buf(), "options->runtime"));
    let named = named.or_else(|| {
        let value = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        value.map(|value| (PathBuf::from(value), VARIABLE))
    });
    if let Some((path, by)) = named {
        return load_named(&path).map_err(|reason| {
            missing(&format!("{by} says {}: {reason}", path.display()), &format!("correct {by}, or leave it out"))
        });
    }
    let mut reasons = String::new();
    for path in candidates() {
        match load(&path) {
            Ok(loaded) => return Ok(loaded),
            Err(reason) => {
                let _ = write!(reasons, "{}{}: {reason}", if reasons.is_empty() { "" } else { "; " }, path.display());
            }
        }
    }
    Err(missing(&reasons, &format!("put it beside libmi.so, or set {VARIABLE} or options->runtime to its path")))
}

fn missing(found: &str, remedy: &str) -> Error {
    Error::new(
        Status::BackendMissing,
        format!(
            "networks run in ONNX Runtime 1.{ORT_API_VERSION} or newer ({}), which was not found ({found}); {remedy}; \
             `make runtime` in the sources of libmi fetches it",
            NAMES[0]
        ),
    )
}

/// Turns the phone-home off, unless somebody has decided about it.
fn silence() {
    if std::env::var_os(TELEMETRY).is_none() {
        // SAFETY: this runs once, under the lock of `runtime`, and only where the variable is not set. A host that reads its environment
        // through C on another thread at this very moment has a race that only it can avoid: by setting the variable itself.
        unsafe { std::env::set_var(TELEMETRY, "1") };
    }
}

/// The places where nobody has named one.
fn candidates() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = folders().iter().flat_map(|folder| NAMES.map(|name| folder.join(name))).collect();
    paths.retain(|path| path.exists());
    paths.extend(NAMES.map(PathBuf::from));
    paths
}

/// The folder of the library (or program) that this code is in: where it was loaded from, and where that leads when it is a link.
fn folders() -> Vec<PathBuf> {
    let Some(object) = object_of(folders as *const c_void) else { return Vec::new() };
    let mut folders = Vec::new();
    for path in [std::path::absolute(&object).ok(), object.canonicalize().ok()].into_iter().flatten() {
        if let Some(folder) = path.parent()
            && folders.iter().all(|known| known != folder)
        {
            folders.push(folder.to_path_buf());
        }
    }
    folders
}

/// The file that this address was loaded from.
fn object_of(address: *const c_void) -> Option<PathBuf> {
    let mut about = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` takes any address, and writes to a struct that has room.
    let known = unsafe { libc::dladdr(address, about.as_mut_ptr()) } != 0;
    // SAFETY: zeroed memory is a valid `Dl_info`, whether or not it was written.
    let name = unsafe { about.assume_init() }.dli_fname;
    if !known || name.is_null() {
        return None;
    }
    // SAFETY: `dladdr` gives a NUL-terminated string that lives as long as the object is loaded, which is until after this call.
    let name = unsafe { CStr::from_ptr(name) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

/// Loads the library at a path that somebody named: a file, or a folder that holds one.
fn load_named(path: &Path) -> std::result::Result<Loaded, String> {
    let path = path.canonicalize().map_err(|cause| cause.to_string())?;
    if !path.is_dir() {
        return load(&path);
    }
    let plain = NAMES.iter().map(|name| path.join(name)).find(|path| path.exists());
    let versioned = || {
        let entries = std::fs::read_dir(&path).ok()?.filter_map(std::result::Result::ok);
        let begins = |entry: &std::fs::DirEntry| entry.file_name().as_bytes().starts_with(b"libonnxruntime.so.");
        entries.filter(begins).map(|entry| entry.path()).max()
    };
    match plain.or_else(versioned) {
        Some(file) => load(&file),
        None => Err(format!("the folder holds no {}", NAMES[0])),
    }
}

/// Loads a library and checks that it is the runtime, and new enough.
fn load(path: &Path) -> std::result::Result<Loaded, String> {
    // SAFETY: loading runs the initialisers of the library. The caller (or the system) put this one where a runtime belongs, and that of
    // ONNX Runtime are those of any C++ library.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|cause| describe(&cause))?;
    // SAFETY: this is the type of the function of this name in every version of the runtime.
    let entry = unsafe { library.get::<unsafe extern "C" fn() -> *const OrtApiBase>(b"OrtGetApiBase\0") }
        .map_err(|_| "it is not ONNX Runtime: it has no OrtGetApiBase".to_owned())?;
    let entry = *entry;
    // SAFETY: the function takes nothing and gives NULL or a static table.
    let base = unsafe { entry().as_ref() }.ok_or("its OrtGetApiBase gives nothing")?;
    // SAFETY: a function of the table; it gives NULL or a static, NUL-terminated string.
    let version = unsafe {
        let text = (base.GetVersionString)();
        if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    };
    let too_old = || format!("it is ONNX Runtime {version}, 1.{ORT_API_VERSION} or newer is needed");
    // Asked for an interface that it does not have, an old one writes to the standard error of the process.
    if minor(&version).is_some_and(|minor| minor < ORT_API_VERSION) {
        return Err(too_old());
    }
    // SAFETY: a function of the table; it gives NULL for a version that it does not have, else a static table of at least that version.
    let api = unsafe { (base.GetApi)(ORT_API_VERSION).as_ref() };
    let api = api.ok_or_else(too_old)?;
    let found = object_of(entry as *const c_void).and_then(|path| path.canonicalize().ok());
    // Never unloaded: its threads and thread-locals may outlive every session.
    std::mem::forget(library);
    Ok(Loaded { api, path: found.unwrap_or_else(|| path.to_path_buf()), version })
}

/// The 28 of 1.28.0.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

/// What the loader said, without the path that the sentence has already.
fn describe(cause: &libloading::Error) -> String {
    match std::error::Error::source(cause) {
        Some(source) => source.to_string(),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_this_code_is_known() {
        let program = std::env::current_exe().unwrap().canonicalize().unwrap();
        assert!(folders().contains(&program.parent().unwrap().to_path_buf()), "{:?}", folders());
    }

    #[test]
    fn what_is_no_runtime_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let missing = find(Some(&folder.path().join("none.so"))).err().unwrap();
        assert_eq!(missing.status(), Status::BackendMissing);
        assert!(missing.message().contains("none.so") && missing.message().contains("options->runtime"), "{missing}");
        let empty = find(Some(folder.path())).err().unwrap();
        assert!(empty.message().contains("holds no libonnxruntime.so.1"), "{empty}");
        let text = folder.path().join("libonnxruntime.so.1");
        std::fs::write(&text, "hello").unwrap();
        let error = find(Some(&text)).err().unwrap();
        assert!(error.message().contains("too short") || error.message().contains("ELF"), "{error}");
        // A library that has nothing to do with it.
        if let Some(libc) = object_of(libc::malloc as *const c_void) {
            let error = find(Some(&libc)).err().unwrap();
            assert!(error.message().contains("not ONNX Runtime"), "{error}");
        }
    }
}
