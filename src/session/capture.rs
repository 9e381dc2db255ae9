//! Captured graphs of NVIDIA GPUs: a call replays all launches of an earlier call of its shape at once.
//!
//! A replay reads and writes where the captured call did. So rows are copied to memory of the device that stays, and answers back from
//! there; calls of several threads run one after the other, because their replays share what lies between.

use super::frame::{Frame, Tensor, Value};
use super::runtime::{Runtime, check};
use crate::error::{Error, Result, Status};
use libloading::os::unix::{Library, RTLD_NOW};
use ort::sys::{OrtAllocatorType, OrtApi, OrtMemType, OrtMemoryInfo, OrtRunOptions, OrtValue};
use parking_lot::{Mutex, MutexGuard};
use std::ffi::{CStr, CString, c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// Shapes that are captured; calls of further ones are launched step by step.
const SHAPES: usize = 8;
/// What names the captured graph of a run.
const GRAPH: &CStr = c"gpu_graph_id";
/// A run that neither captures nor replays.
const NONE: &CStr = c"-1";

const TO_DEVICE: c_int = 1;
const TO_HOST: c_int = 2;

/// Functions of CUDA's runtime library.
struct Cuda {
    device: c_int,
    set_device: unsafe extern "C" fn(c_int) -> c_int,
    allocate: unsafe extern "C" fn(*mut *mut c_void, usize) -> c_int,
    free: unsafe extern "C" fn(*mut c_void) -> c_int,
    copy: unsafe extern "C" fn(*mut c_void, *const c_void, usize, c_int) -> c_int,
    wait: unsafe extern "C" fn() -> c_int,
    text: unsafe extern "C" fn(c_int) -> *const std::ffi::c_char,
    _library: Library,
}

impl Cuda {
    /// The library that the provider has loaded into this process.
    fn find(device: u32) -> Result<Self> {
        let refuse = |reason: &str| Error::new(Status::Backend, format!("graphs cannot be captured: {reason}"));
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let is_cudart =
            |path: &&Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libcudart.so"));
        let mut paths = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
        let path = paths.find(is_cudart).ok_or_else(|| refuse("the provider has not loaded libcudart"))?;
        // SAFETY: the library is loaded already: nothing of it is run.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | libc::RTLD_NOLOAD) };
        let library = library.map_err(|cause| refuse(&cause.to_string()))?;
        // SAFETY: the functions have these types in every version of CUDA.
        unsafe {
            macro_rules! function {
                ($name:literal) => {
                    *library.get($name).map_err(|cause| refuse(&cause.to_string()))?
                };
            }
            Ok(Self {
                device: c_int::try_from(device).unwrap_or(c_int::MAX),
                set_device: function!(b"cudaSetDevice\0"),
                allocate: function!(b"cudaMalloc\0"),
                free: function!(b"cudaFree\0"),
                copy: function!(b"cudaMemcpy\0"),
                wait: function!(b"cudaDeviceSynchronize\0"),
                text: function!(b"cudaGetErrorString\0"),
                _library: library,
            })
        }
    }

    fn check(&self, what: &str, code: c_int) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: the function gives a constant text for every number.
        let text = unsafe { CStr::from_ptr((self.text)(code)) };
        Err(Error::new(Status::Backend, format!("CUDA: {what}: {}", text.to_string_lossy())))
    }

    /// Makes the device that of this thread.
    fn enter(&self) -> Result<()> {
        // SAFETY: a function without pointers.
        self.check("the device", unsafe { (self.set_device)(self.device) })
    }

    /// Until everything that was asked of the device is done.
    fn wait(&self) -> Result<()> {
        // SAFETY: a function without pointers.
        self.check("a run", unsafe { (self.wait)() })
    }
}

/// A tensor in memory of the device, like one of the host.
struct Twin {
    value: Value, // first, so that it goes first
    data: NonNull<c_void>,
    bytes: usize,
    cuda: Arc<Cuda>,
}

impl Twin {
    fn of(runtime: &Runtime, cuda: &Arc<Cuda>, memory: &Memory, tensor: &mut Tensor) -> Result<Self> {
        let (bytes, element) = (tensor.buffer().bytes(), tensor.buffer().element());
        let mut data = ptr::null_mut();
        // SAFETY: it writes one pointer.
        cuda.check("memory of the device", unsafe { (cuda.allocate)(&raw mut data, bytes.max(1)) })?;
        let data = NonNull::new(data).ok_or_else(|| Error::new(Status::Backend, "CUDA gave no memory"))?;
        let free = || {
            // SAFETY: allocated above, and nothing refers to it.
            unsafe { (cuda.free)(data.as_ptr()) };
        };
        let shape = tensor.value().shape(element);
        // SAFETY: the device has so many bytes there, which live as long as the twin around the value.
        let value = shape
            .and_then(|shape| unsafe { Value::at(runtime, memory.0.as_ptr(), data.as_ptr(), bytes, element, shape) });
        match value {
            Ok(value) => Ok(Self { value, data, bytes, cuda: cuda.clone() }),
            Err(reason) => {
                free();
                Err(reason)
            }
        }
    }

    fn fill(&self, tensor: &mut Tensor) -> Result<()> {
        let from = tensor.buffer().data().cast_const().cast();
        // SAFETY: both hold so many bytes, for the twin was made for a tensor of this shape.
        self.cuda.check("rows", unsafe { (self.cuda.copy)(self.data.as_ptr(), from, self.bytes, TO_DEVICE) })
    }

    fn read(&self, tensor: &mut Tensor) -> Result<()> {
        let to = tensor.buffer().data().cast();
        // SAFETY: as above, and the tensor is borrowed mutably.
        self.cuda.check("answers", unsafe { (self.cuda.copy)(to, self.data.as_ptr(), self.bytes, TO_HOST) })
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        // SAFETY: allocated by `of`, freed once; the runtime does not own the memory of the value, which is not used any more.
        unsafe { (self.cuda.free)(self.data.as_ptr()) };
    }
}

/// The description of the device's memory.
struct Memory(NonNull<OrtMemoryInfo>, &'static OrtApi);

impl Memory {
    fn of(runtime: &Runtime, device: c_int) -> Result<Self> {
        let (api, mut pointer) = (runtime.api(), ptr::null_mut());
        let (kind, place) = (OrtAllocatorType::OrtDeviceAllocator, OrtMemType::OrtMemTypeDefault);
        // SAFETY: a function of the table, with room for one pointer.
        check(api, unsafe { (api.CreateMemoryInfo)(c"Cuda".as_ptr(), kind, device, place, &raw mut pointer) })?;
        let pointer =
            NonNull::new(pointer).ok_or_else(|| Error::new(Status::Backend, "ONNX Runtime describes no memory"))?;
        Ok(Self(pointer, api))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: owned, and released once.
        unsafe { (self.1.ReleaseMemoryInfo)(self.0.as_ptr()) };
    }
}

/// Options of a run: which captured graph it belongs to.
struct Options(NonNull<OrtRunOptions>, &'static OrtApi);

impl Options {
    fn of(runtime: &Runtime, graph: &CStr) -> Result<Self> {
        let (api, mut pointer) = (runtime.api(), ptr::null_mut());
        // SAFETY: a function of the table, with room for one pointer.
        check(api, unsafe { (api.CreateRunOptions)(&raw mut pointer) })?;
        let pointer =
            NonNull::new(pointer).ok_or_else(|| Error::new(Status::Backend, "ONNX Runtime gave no options"))?;
        let this = Self(pointer, api);
        // SAFETY: live options, and texts that are copied.
        check(api, unsafe { (api.AddRunConfigEntry)(pointer.as_ptr(), GRAPH.as_ptr(), graph.as_ptr()) })?;
        Ok(this)
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: owned, and released once.
        unsafe { (self.1.ReleaseRunOptions)(self.0.as_ptr()) };
    }
}

/// One shape of rows and one output: the tensors that its graph was captured with.
pub struct Plan {
    shape: (usize, usize),
    output: usize,
    inputs: Vec<Twin>,
    pointers: Vec<*const OrtValue>,
    answer: Twin,
    options: Options,
}

impl Plan {
    /// Copies the rows of a frame to the device.
    ///
    /// # Errors
    /// `MI_BACKEND` with what CUDA says, as of all functions here.
    pub fn fill(&self, frame: &mut Frame) -> Result<()> {
        self.inputs.iter().zip(&mut frame.inputs).try_for_each(|(twin, tensor)| twin.fill(tensor))?;
        // A copy from memory that is not pinned may still be under way.
        self.answer.cuda.wait()
    }

    /// Copies the answers back.
    ///
    /// # Errors
    /// The same.
    pub fn read(&self, frame: &mut Frame) -> Result<()> {
        self.answer.cuda.wait()?;
        let tensor = frame.output(self.output).ok_or_else(|| Error::internal("an output without a tensor"))?;
        self.answer.read(tensor)
    }

    /// The values of the inputs.
    pub fn pointers(&self) -> &[*const OrtValue] {
        &self.pointers
    }

    /// The value of the output.
    pub fn place(&self) -> *mut OrtValue {
        self.answer.value.pointer()
    }

    /// What names the graph of this plan.
    pub fn options(&self) -> *const OrtRunOptions {
        self.options.0.as_ptr()
    }
}

/// What a session captures.
pub struct Capture {
    runtime: &'static Runtime,
    plans: Mutex<Vec<Plan>>,
    direct: Options,
    memory: Memory,
    cuda: Arc<Cuda>,
}

// SAFETY: values, options and memory of the device are tied to no thread, and are used under the lock alone; the rest is never written.
unsafe impl Send for Capture {}
// SAFETY: as above.
unsafe impl Sync for Capture {}

impl Capture {
    /// Nothing captured yet, on this device.
    ///
    /// # Errors
    /// `MI_BACKEND` where the provider has not loaded CUDA's runtime library.
    pub fn new(runtime: &'static Runtime, device: u32) -> Result<Self> {
        let cuda = Arc::new(Cuda::find(device)?);
        let (direct, memory) = (Options::of(runtime, NONE)?, Memory::of(runtime, cuda.device)?);
        Ok(Self { runtime, plans: Mutex::new(Vec::new()), direct, memory, cuda })
    }

    /// The turn of a call: others wait.
    ///
    /// # Errors
    /// `MI_BACKEND` when the device is lost.
    pub fn turn(&self) -> Result<Turn<'_>> {
        let plans = self.plans.lock();
        self.cuda.enter()?;
        Ok(Turn { capture: self, plans })
    }
}

/// The turn of one call.
pub struct Turn<'a> {
    capture: &'a Capture,
    plans: MutexGuard<'a, Vec<Plan>>,
}

impl Turn<'_> {
    /// The plan for a frame and an output, made where there is room for one more; the output of the frame is prepared.
    ///
    /// # Errors
    /// `MI_BACKEND` when the device has no memory left.
    pub fn plan(&mut self, frame: &mut Frame, output: usize) -> Result<Option<&Plan>> {
        let shape = frame.shape();
        let known = self.plans.iter().position(|plan| (plan.shape, plan.output) == (shape, output));
        if let Some(at) = known {
            return Ok(Some(&self.plans[at]));
        }
        if self.plans.len() == SHAPES {
            return Ok(None);
        }
        let Capture { runtime, cuda, memory, .. } = self.capture;
        let inputs: Vec<Twin> =
            frame.inputs.iter_mut().map(|tensor| Twin::of(runtime, cuda, memory, tensor)).collect::<Result<_>>()?;
        let Some(tensor) = frame.output(output) else { return Ok(None) };
        let answer = Twin::of(runtime, cuda, memory, tensor)?;
        let number = CString::new((self.plans.len() + 1).to_string()).unwrap_or_default();
        let options = Options::of(runtime, &number)?;
        let pointers = inputs.iter().map(|twin| twin.value.pointer().cast_const()).collect();
        self.plans.push(Plan { shape, output, inputs, pointers, answer, options });
        Ok(self.plans.last())
    }

    /// Options of a run that is launched step by step.
    pub fn direct(&self) -> *const OrtRunOptions {
        self.capture.direct.0.as_ptr()
    }
}
