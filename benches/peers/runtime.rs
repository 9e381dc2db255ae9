//! ONNX Runtime's C API: a session over the converted model, `Run` with values that were made before the clock starts.

use crate::answers::why_not;
use crate::library::{Shared, path_text};
use crate::peer::{Loader, Meaning, Peer, Setting};
use crate::rows::Rows;
use ort_sys::{OrtApi, OrtApiBase, OrtSession, OrtStatusPtr, OrtValue};
use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr;
use std::rc::Rc;

/// The API that the pinned wheel has.
const API: u32 = 24;

struct Session {
    api: &'static OrtApi,
    handle: *mut OrtSession,
    names: (CString, CString),
    /// The inputs that were asked about, by first row and number of rows.
    inputs: Vec<((usize, usize), *mut OrtValue)>,
    singles: Vec<*mut OrtValue>,
    memory: *const ort_sys::OrtMemoryInfo,
    output: *mut OrtValue,
    meaning: Meaning,
    rows: Rc<Rows>,
}

fn check(api: &OrtApi, status: OrtStatusPtr) -> Result<(), String> {
    if status.0.is_null() {
        return Ok(());
    }
    // SAFETY: a status that is not null holds a message until it is released.
    Err(unsafe { CStr::from_ptr((api.GetErrorMessage)(status.0)) }.to_string_lossy().into_owned())
}

/// ONNX Runtime and the model that was converted for it.
pub fn open(setting: &Setting, folder: &Path) -> Result<Loader, String> {
    let file = folder.join("peers/model.onnx");
    if !file.exists() {
        return Err(why_not(folder, "model.onnx"));
    }
    let capi = setting.packages.join("onnxruntime/capi");
    let library = std::fs::read_dir(&capi)
        .map_err(|cause| format!("{}: {cause}", capi.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so")))
        .ok_or("no libonnxruntime.so in the wheel")?;
    let library = Shared::open(&library)?;
    Ok(Box::new(move |rows| {
        let base: unsafe extern "C" fn() -> *const OrtApiBase = library.function("OrtGetApiBase")?;
        // SAFETY: the table of functions lives as long as the library.
        let api = unsafe { ((*base()).GetApi)(API).as_ref() }.ok_or("its API is too old")?;
        let (mut env, mut options, mut session, mut memory) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: strings end in NUL and every result has a place.
        unsafe {
            check(
                api,
                (api.CreateEnv)(ort_sys::OrtLoggingLevel::ORT_LOGGING_LEVEL_ERROR, c"bench".as_ptr(), &raw mut env),
            )?;
            check(api, (api.CreateSessionOptions)(&raw mut options))?;
            check(api, (api.SetIntraOpNumThreads)(options, 1))?;
            check(api, (api.SetInterOpNumThreads)(options, 1))?;
            check(api, (api.CreateSession)(env, path_text(&file).as_ptr(), options, &raw mut session))?;
            check(
                api,
                (api.CreateCpuMemoryInfo)(
                    ort_sys::OrtAllocatorType::OrtDeviceAllocator,
                    ort_sys::OrtMemType::OrtMemTypeDefault,
                    &raw mut memory,
                ),
            )?;
        }
        let mut allocator = ptr::null_mut();
        let (mut input, mut output, mut outputs) = (ptr::null_mut(), ptr::null_mut(), 0);
        // SAFETY: as above; names are copied.
        let names = unsafe {
            check(api, (api.GetAllocatorWithDefaultOptions)(&raw mut allocator))?;
            check(api, (api.SessionGetOutputCount)(session, &raw mut outputs))?;
            check(api, (api.SessionGetInputName)(session, 0, allocator, &raw mut input))?;
            check(api, (api.SessionGetOutputName)(session, outputs - 1, allocator, &raw mut output))?;
            (CStr::from_ptr(input).to_owned(), CStr::from_ptr(output).to_owned())
        };
        let mut session = Session {
            api,
            handle: session,
            names,
            inputs: Vec::new(),
            singles: Vec::new(),
            memory,
            output: ptr::null_mut(),
            // Classifiers end in their link.
            meaning: if outputs > 1 { Meaning::Shares } else { Meaning::Margin },
            rows,
        };
        session.singles = (0..session.rows.distinct).map(|index| session.value(index, 1)).collect();
        Ok(Box::new(session))
    }))
}

impl Session {
    /// Rows as a value, without a copy.
    fn value(&self, first: usize, count: usize) -> *mut OrtValue {
        let rows = &self.rows.narrow[first * self.rows.columns..][..count * self.rows.columns];
        let shape = [count, self.rows.columns].map(|size| i64::try_from(size).expect("a small number"));
        let mut value = ptr::null_mut();
        // SAFETY: the rows live as long as the session and are not written to.
        let status = unsafe {
            (self.api.CreateTensorWithDataAsOrtValue)(
                self.memory,
                rows.as_ptr().cast_mut().cast(),
                size_of_val(rows),
                shape.as_ptr(),
                shape.len(),
                ort_sys::ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
                &raw mut value,
            )
        };
        check(self.api, status).expect("a value over rows");
        value
    }

    fn run(&mut self, input: *mut OrtValue) {
        let (names, input) = ([self.names.0.as_ptr()], [input.cast_const()]);
        let outputs = [self.names.1.as_ptr()];
        // SAFETY: names and values are as many as it is told; the output of the last run is released first.
        unsafe {
            if !self.output.is_null() {
                (self.api.ReleaseValue)(self.output);
            }
            self.output = ptr::null_mut();
            let status = (self.api.Run)(
                self.handle,
                ptr::null(),
                names.as_ptr(),
                input.as_ptr(),
                1,
                outputs.as_ptr(),
                1,
                &raw mut self.output,
            );
            check(self.api, status).expect("an answer");
        }
    }
}

impl Peer for Session {
    fn meaning(&self) -> Meaning {
        self.meaning
    }

    fn row(&mut self, index: usize) {
        self.run(self.singles[index]);
    }

    fn batch(&mut self, count: usize, threads: usize) -> bool {
        if threads > 1 {
            return false; // its threads belong to the session
        }
        let known = self.inputs.iter().find(|(key, _)| *key == (0, count)).map(|(_, value)| *value);
        let value = known.unwrap_or_else(|| {
            let value = self.value(0, count);
            self.inputs.push(((0, count), value));
            value
        });
        self.run(value);
        true
    }

    fn answers(&self, count: usize) -> Vec<f64> {
        let mut data = ptr::null_mut();
        // SAFETY: the output is a tensor of float32 with a number for each row and output.
        let answer = unsafe {
            let status = (self.api.GetTensorMutableData)(self.output, &raw mut data);
            check(self.api, status).expect("a tensor");
            std::slice::from_raw_parts(data.cast::<f32>(), count * self.rows.outputs)
        };
        answer.iter().map(|&value| f64::from(value)).collect()
    }
}
