//! The same network in ONNX Runtime, by a bare `Run` of its C API: tensors prepared once, one thread, nothing of ours around it.

use super::models::numbers;
use mi::exec::Processor;
use mi::ir::graph::Axis;
use mi::ir::{Body, Estimator, Model as Meaning};
use mi::session::{Networks, Settings, export};
use ort::sys::{self, OrtStatusPtr};
use std::ffi::CString;
use std::ptr;

/// A session of the runtime, and tensors for a number of rows.
pub struct Raw {
    session: *mut sys::OrtSession,
    memory: *mut sys::OrtMemoryInfo,
    input: CString,
    output: CString,
    /// Sizes behind the rows.
    sizes: Vec<i64>,
    x: Vec<f32>,
    y: Vec<f32>,
    columns: usize,
    bound: Option<(usize, *mut sys::OrtValue, *mut sys::OrtValue)>,
}

fn check(status: OrtStatusPtr) {
    assert!(status.0.is_null(), "ONNX Runtime refuses");
}

impl Raw {
    /// The network of a model; `None` without a runtime.
    pub fn new(meaning: &Meaning, columns: usize) -> Option<Self> {
        let Body::Estimator(estimator) = &meaning.body else { return None };
        let Estimator::Network(predictor) = &**estimator else { return None };
        let graph = export::graph(predictor).expect("a network that the runtime runs");
        // A model of ours finds the library and makes its table of functions known.
        let settings = Settings { networks: Networks::Runtime, ..Settings::default() };
        mi::Model::new(meaning.clone(), Processor::here(), &settings).ok()?;
        let api = ort::api();
        let (mut environment, mut options, mut session, mut memory) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let parts = graph.parts();
        // SAFETY: functions of the table, each with room for what it gives; the bytes of the graph are read before it returns.
        unsafe {
            let level = sys::OrtLoggingLevel::ORT_LOGGING_LEVEL_ERROR;
            check((api.CreateEnv)(level, c"bench".as_ptr(), &raw mut environment));
            check((api.CreateSessionOptions)(&raw mut options));
            check((api.SetIntraOpNumThreads)(options, 1));
            check((api.SetInterOpNumThreads)(options, 1));
            let bytes = parts.bytes.as_ptr().cast();
            check((api.CreateSessionFromArray)(environment, bytes, parts.bytes.len(), options, &raw mut session));
            let (kind, place) = (sys::OrtAllocatorType::OrtDeviceAllocator, sys::OrtMemType::OrtMemTypeDefault);
            check((api.CreateCpuMemoryInfo)(kind, place, &raw mut memory));
        }
        let size = |axis: &Axis| match axis {
            Axis::Fixed(size) => i64::try_from(*size).ok(),
            _ => None,
        };
        let sizes: Vec<i64> = parts.inputs[0].axes.iter().filter_map(size).collect();
        let width: i64 = sizes.iter().product();
        Some(Self {
            session,
            memory,
            input: CString::new(parts.inputs[0].name.as_str()).ok()?,
            output: CString::new(parts.outputs[0].name.as_str()).ok()?,
            sizes,
            x: numbers(1, super::ROWS * usize::try_from(width).ok()?),
            y: vec![0.0; super::ROWS * columns],
            columns,
            bound: None,
        })
    }

    fn tensor(&self, data: *const f32, rows: usize, sizes: &[i64]) -> *mut sys::OrtValue {
        let shape: Vec<i64> =
            std::iter::once(i64::try_from(rows).expect("rows")).chain(sizes.iter().copied()).collect();
        let numbers: i64 = shape.iter().product();
        let bytes = usize::try_from(numbers).expect("numbers") * size_of::<f32>();
        let element = sys::ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
        let mut value = ptr::null_mut();
        // SAFETY: a function of the table; `data` has room for these rows and lives as long as `self`, and the shape is copied.
        check(unsafe {
            (ort::api().CreateTensorWithDataAsOrtValue)(
                self.memory,
                data.cast_mut().cast(),
                bytes,
                shape.as_ptr(),
                shape.len(),
                element,
                &raw mut value,
            )
        });
        value
    }

    pub fn run(&mut self, rows: usize) {
        let (x, mut y) = match self.bound {
            Some((known, x, y)) if known == rows => (x, y),
            _ => {
                let columns = [i64::try_from(self.columns).expect("columns")];
                let x = self.tensor(self.x.as_ptr(), rows, &self.sizes);
                let y = self.y.as_mut_ptr();
                let y = self.tensor(y, rows, &columns);
                self.bound = Some((rows, x, y));
                (x, y)
            }
        };
        // SAFETY: a live session, and tensors of its shapes over memory of `self`.
        check(unsafe {
            (ort::api().Run)(
                self.session,
                ptr::null(),
                &self.input.as_ptr(),
                &x.cast_const(),
                1,
                &self.output.as_ptr(),
                1,
                &raw mut y,
            )
        });
    }
}
