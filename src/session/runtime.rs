//! The one runtime of this process and its one environment.

use super::library::{self, Loaded};
use crate::error::{Error, Result, Status};
use ort::AsPointer;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::sys::{OrtAllocatorType, OrtApi, OrtMemType, OrtMemoryInfo, OrtStatus, OrtStatusPtr};
use parking_lot::Mutex;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::{Arc, OnceLock};

/// Set once and kept: neither the library nor its environment may be torn down while the process lives.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();
/// Held while the runtime is looked for; never while one is used.
static LOOKING: Mutex<Option<Loaded>> = Mutex::new(None);

/// ONNX Runtime, ready for sessions.
#[derive(Debug)]
pub struct Runtime {
    api: &'static OrtApi,
    environment: Environment,
    cpu: NonNull<OrtMemoryInfo>,
    /// Where its library lies.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
}

// SAFETY: the table of functions and the description of memory are never written after they were made, and the runtime's environment
// may be used from any thread.
unsafe impl Send for Runtime {}
// SAFETY: as above.
unsafe impl Sync for Runtime {}

impl Runtime {
    /// The runtime of this process, looked for (as [`library::find`] says) on the first call that succeeds. A failure is not kept: the
    /// next call looks again.
    ///
    /// # Errors
    /// `MI_BACKEND_MISSING` when there is none; `MI_INVALID_ARGUMENT` when `chosen` is another one than that already loaded.
    pub fn get(chosen: Option<&Path>) -> Result<&'static Self> {
        let runtime = match RUNTIME.get() {
            Some(runtime) => runtime,
            None => Self::load(chosen)?,
        };
        match chosen {
            Some(path) if !runtime.is_at(path) => Err(Error::invalid(format!(
                "options->runtime is {}, but this process has loaded {} already, and can have one only; open all networks with the same one",
                path.display(),
                runtime.path.display()
            ))),
            _ => Ok(runtime),
        }
    }

    fn load(chosen: Option<&Path>) -> Result<&'static Self> {
        let mut looking = LOOKING.lock();
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime);
        }
        if looking.is_none() {
            *looking = Some(library::find(chosen)?);
        }
        let Some(Loaded { api, path, version }) = looking.as_ref() else {
            return Err(Error::internal("a runtime was found and lost"));
        };
        ort::set_api((*api).clone());
        let failed = |cause: ort::Error| {
            Error::new(Status::Backend, format!("ONNX Runtime at {} cannot be set up: {cause}", path.display()))
        };
        // Nothing is printed: what matters comes back as an error.
        let environment =
            ort::init().with_name("mi").with_telemetry(false).with_logger(Arc::new(|_, _, _, _, _| {})).build();
        let environment = environment.map_err(failed)?;
        environment.set_log_level(LogLevel::Error);
        let mut cpu = ptr::null_mut();
        // SAFETY: a function of the table, with room for one pointer.
        let status = unsafe {
            (api.CreateCpuMemoryInfo)(OrtAllocatorType::OrtDeviceAllocator, OrtMemType::OrtMemTypeDefault, &raw mut cpu)
        };
        check(api, status)?;
        let Some(cpu) = NonNull::new(cpu) else {
            return Err(Error::new(Status::Backend, "ONNX Runtime describes no memory"));
        };
        let runtime = Self { api, environment, cpu, path: path.clone(), version: version.clone() };
        Ok(RUNTIME.get_or_init(|| runtime))
    }

    fn is_at(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else { return false };
        path == self.path || path.is_dir() && self.path.parent() == Some(&path)
    }

    /// Its functions.
    pub fn api(&self) -> &'static OrtApi {
        self.api
    }

    /// Its environment.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The description of ordinary memory.
    pub fn cpu(&self) -> *const OrtMemoryInfo {
        self.cpu.as_ptr()
    }
}

/// The failure behind a status of the runtime, which is freed.
///
/// # Errors
/// What the runtime says: `MI_MALFORMED` for a graph that is none, `MI_UNSUPPORTED` for operations that it does not have, else `MI_BACKEND`.
#[inline]
pub fn check(api: &OrtApi, status: OrtStatusPtr) -> Result<()> {
    match NonNull::new(status.0) {
        None => Ok(()),
        Some(status) => Err(refusal(api, status)),
    }
}

#[cold]
fn refusal(api: &OrtApi, status: NonNull<OrtStatus>) -> Error {
    use ort::sys::OrtErrorCode;
    // SAFETY: a status that is not NULL is live until it is released, here and once; its message is NUL-terminated and lives as long.
    let (code, message) = unsafe {
        let code = (api.GetErrorCode)(status.as_ptr());
        let message = CStr::from_ptr((api.GetErrorMessage)(status.as_ptr())).to_string_lossy().into_owned();
        (api.ReleaseStatus)(status.as_ptr());
        (code, message)
    };
    failure(
        match code {
            OrtErrorCode::ORT_INVALID_PROTOBUF | OrtErrorCode::ORT_INVALID_GRAPH => Status::Malformed,
            OrtErrorCode::ORT_NOT_IMPLEMENTED => Status::Unsupported,
            _ => Status::Backend,
        },
        &message,
    )
}

/// The failure that `ort` reports.
pub fn failed<R>(cause: &ort::Error<R>) -> Error {
    use ort::ErrorCode;
    failure(
        match cause.code() {
            ErrorCode::InvalidProtobuf | ErrorCode::InvalidGraph => Status::Malformed,
            ErrorCode::NotImplemented => Status::Unsupported,
            _ => Status::Backend,
        },
        cause.message(),
    )
}

/// Longest sentence of the runtime that is passed on: some repeat the whole graph.
const SENTENCE: usize = 600;

fn failure(status: Status, message: &str) -> Error {
    let message = message.trim();
    let cut = message.char_indices().nth(SENTENCE).map_or(message, |(at, _)| &message[..at]);
    Error::new(status, format!("ONNX Runtime: {cut}{}", if cut.len() < message.len() { "..." } else { "" }))
}

/// The environment's own pointer, for functions that `ort` has no name for.
impl AsPointer for Runtime {
    type Sys = ort::sys::OrtEnv;

    fn ptr(&self) -> *const Self::Sys {
        self.environment.ptr()
    }
}
