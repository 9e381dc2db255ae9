//! Tensors prepared for one shape: the runtime reads and writes memory that stays where it is from call to call.

use super::buffer::Buffer;
use super::call::{Asked, Call};
use super::cell::{Cells, type_of};
use super::runtime::{Runtime, check};
use crate::error::{Error, Result, Status};
use crate::ir::graph::{Axis, Element, Graph};
use ort::sys::{OrtApi, OrtMemoryInfo, OrtValue};
use std::ffi::c_void;
use std::ptr::{self, NonNull};

/// A value of the runtime.
#[derive(Debug)]
pub struct Value {
    api: &'static OrtApi,
    pointer: NonNull<OrtValue>,
}

// SAFETY: a value belongs to whoever holds it; the runtime ties none to a thread.
unsafe impl Send for Value {}

impl Value {
    /// A tensor over a buffer.
    ///
    /// # Safety
    /// The buffer outlives the value.
    unsafe fn over(runtime: &Runtime, buffer: &Buffer, element: Element, shape: &[i64]) -> Result<Self> {
        // SAFETY: the buffer has this many bytes and outlives the value, as promised.
        unsafe { Self::at(runtime, runtime.cpu(), buffer.data().cast(), buffer.bytes(), element, shape) }
    }

    /// A tensor over memory of this kind.
    ///
    /// # Safety
    /// There are so many bytes at `data`, and they outlive the value.
    pub unsafe fn at(
        runtime: &Runtime,
        memory: *const OrtMemoryInfo,
        data: *mut c_void,
        bytes: usize,
        element: Element,
        shape: &[i64],
    ) -> Result<Self> {
        let api = runtime.api();
        let mut pointer = ptr::null_mut();
        // SAFETY: a function of the table; the memory is as promised, the shape is read and copied.
        let status = unsafe {
            (api.CreateTensorWithDataAsOrtValue)(
                memory,
                data,
                bytes,
                shape.as_ptr(),
                shape.len(),
                type_of(element),
                &raw mut pointer,
            )
        };
        check(api, status)?;
        // SAFETY: the runtime gave it away with its status.
        unsafe { Self::owned(api, pointer) }
    }

    /// A value that the runtime gave away.
    ///
    /// # Safety
    /// `pointer` is NULL or a value that nobody else releases.
    pub unsafe fn owned(api: &'static OrtApi, pointer: *mut OrtValue) -> Result<Self> {
        match NonNull::new(pointer) {
            Some(pointer) => Ok(Self { api, pointer }),
            None => Err(Error::new(Status::Backend, "ONNX Runtime gave no value")),
        }
    }

    /// The pointer, as long as the value lives.
    pub fn pointer(&self) -> *mut OrtValue {
        self.pointer.as_ptr()
    }

    /// The elements of a tensor that is expected to have this type.
    ///
    /// # Errors
    /// `MI_BACKEND` for another type, or what the runtime says.
    pub fn cells(&self, element: Element) -> Result<Cells<'_>> {
        let count = self.count(element)?;
        let mut data = ptr::null_mut();
        // SAFETY: functions of the table on a live tensor.
        check(self.api, unsafe { (self.api.GetTensorMutableData)(self.pointer.as_ptr(), &raw mut data) })?;
        // SAFETY: the runtime says that its memory holds so many elements of this type; it lives as long as the value, and nobody writes
        // to it after the run that made it.
        unsafe { Cells::new(element, data.cast_const().cast(), count) }
            .ok_or_else(|| Error::new(Status::Backend, "numbers were expected, ONNX Runtime gave text"))
    }

    /// How many elements the tensor has.
    ///
    /// # Errors
    /// As [`Value::cells`].
    pub fn count(&self, element: Element) -> Result<usize> {
        let shape = self.shape(element)?;
        product(shape).ok_or_else(|| Error::new(Status::Backend, format!("an output has the shape {shape:?}")))
    }

    /// Its sizes.
    ///
    /// # Errors
    /// As [`Value::cells`].
    pub fn shape(&self, element: Element) -> Result<&[i64]> {
        let (mut given, mut shape, mut axes) = (type_of(Element::String), ptr::null(), 0usize);
        // SAFETY: a function of the table on a live tensor, with room for what it gives.
        let status = unsafe {
            (self.api.GetTensorElementTypeAndShapeDataReference)(
                self.pointer.as_ptr(),
                &raw mut given,
                &raw mut shape,
                &raw mut axes,
            )
        };
        check(self.api, status)?;
        if given != type_of(element) {
            return Err(Error::new(
                Status::Backend,
                format!("an output has elements of type {}, {} was expected", given as i32, element.name()),
            ));
        }
        // SAFETY: the runtime gives as many sizes as it says, which live as long as the value.
        Ok(if axes == 0 { &[] } else { unsafe { std::slice::from_raw_parts(shape, axes) } })
    }

    /// The bytes of the text at this place, in `text`, which grows.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn text(&self, index: usize, text: &mut Vec<u8>) -> Result<()> {
        let mut length = 0usize;
        // SAFETY: functions of the table on a live tensor; the second writes as many bytes as the first has promised.
        unsafe {
            let status = (self.api.GetStringTensorElementLength)(self.pointer.as_ptr(), index, &raw mut length);
            check(self.api, status)?;
            text.clear();
            text.resize(length, 0);
            let status =
                (self.api.GetStringTensorElement)(self.pointer.as_ptr(), length, index, text.as_mut_ptr().cast());
            check(self.api, status)
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: owned, and released once.
        unsafe { (self.api.ReleaseValue)(self.pointer.as_ptr()) };
    }
}

/// Sizes along these axes.
pub fn shape(axes: &[Axis], rows: usize, steps: usize) -> Option<Vec<i64>> {
    let size = |axis: &Axis| match axis {
        Axis::Rows => rows,
        Axis::Steps => steps,
        Axis::Fixed(size) => *size,
    };
    axes.iter().map(|axis| i64::try_from(size(axis)).ok()).collect()
}

/// Elements of a tensor of this shape.
fn product(shape: &[i64]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(usize::try_from(size).ok()?))
}

/// A buffer and the runtime's view of it.
#[derive(Debug)]
pub struct Tensor {
    value: Value, // first, so that it goes first
    buffer: Buffer,
}

impl Tensor {
    fn new(runtime: &Runtime, element: Element, axes: &[Axis], rows: usize, steps: usize) -> Result<Self> {
        let too_large = || Error::limit(format!("a tensor of {rows} rows does not fit into memory"));
        let shape = shape(axes, rows, steps).ok_or_else(too_large)?;
        let count = product(&shape).ok_or_else(too_large)?;
        let buffer = Buffer::new(element, count)?;
        // SAFETY: the buffer is dropped after the value, and its memory does not move with it.
        let value = unsafe { Value::over(runtime, &buffer, element, &shape)? };
        Ok(Self { value, buffer })
    }

    /// The memory.
    pub fn buffer(&mut self) -> &mut Buffer {
        &mut self.buffer
    }

    /// The elements as they are now.
    pub fn cells(&self) -> Option<Cells<'_>> {
        self.buffer.cells()
    }

    /// The runtime's view.
    pub fn pointer(&self) -> *mut OrtValue {
        self.value.pointer()
    }

    /// The same, to ask it for its shape.
    pub fn value(&self) -> &Value {
        &self.value
    }
}

/// Tensors of all inputs, and of the outputs that were asked for, for one number of rows and steps.
#[derive(Debug)]
pub struct Frame {
    rows: usize,
    steps: usize,
    /// The inputs, in the order of the graph.
    pub inputs: Vec<Tensor>,
    pointers: Vec<*const OrtValue>,
    outputs: Vec<Option<Tensor>>,
}

// SAFETY: the pointers lead to the values of `inputs`, which the frame owns.
unsafe impl Send for Frame {}

impl Frame {
    /// A frame for `rows` rows of `steps` steps.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` when the memory is not there.
    pub fn new(runtime: &Runtime, graph: &Graph, rows: usize, steps: usize) -> Result<Self> {
        let parts = graph.parts();
        let inputs: Vec<Tensor> = parts
            .inputs
            .iter()
            .map(|input| Tensor::new(runtime, input.element, &input.axes, rows, steps))
            .collect::<Result<_>>()?;
        let pointers = inputs.iter().map(|input| input.pointer().cast_const()).collect();
        Ok(Self { rows, steps, inputs, pointers, outputs: parts.outputs.iter().map(|_| None).collect() })
    }

    /// Whether it is for this shape.
    pub fn fits(&self, rows: usize, steps: usize) -> bool {
        (self.rows, self.steps) == (rows, steps)
    }

    /// Rows and steps.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.steps)
    }

    /// The values of the inputs.
    pub fn pointers(&self) -> &[*const OrtValue] {
        &self.pointers
    }

    /// The tensor of an output that was prepared.
    pub fn output(&mut self, index: usize) -> Option<&mut Tensor> {
        self.outputs[index].as_mut()
    }

    /// The value that an output is written to, made on the first call; NULL for text, or where the file does not tell its shape.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` when the memory is not there.
    pub fn prepared(&mut self, runtime: &Runtime, graph: &Graph, index: usize) -> Result<*mut OrtValue> {
        let place = &mut self.outputs[index];
        if place.is_none() {
            let output = &graph.parts().outputs[index];
            let (Some(axes), true) = (&output.axes, output.element != Element::String) else {
                return Ok(ptr::null_mut());
            };
            *place = Some(Tensor::new(runtime, output.element, axes, self.rows, self.steps)?);
        }
        Ok(place.as_ref().map_or(ptr::null_mut(), Tensor::pointer))
    }

    /// The value of an output that was prepared, where its elements lie, how many and what they are.
    pub fn written(&self, index: usize) -> Option<(*mut OrtValue, *const u8, usize, Element)> {
        let Tensor { value, buffer } = self.outputs[index].as_ref()?;
        Some((value.pointer(), buffer.data(), buffer.len(), buffer.element()))
    }

    /// The elements of an output that was prepared, as they are now.
    pub fn cells(&self, index: usize) -> Option<Cells<'_>> {
        self.outputs[index].as_ref().and_then(Tensor::cells)
    }
}

/// Frames of the shapes that were used last.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The last call that each frame has answered, where it can be answered again the short way.
    calls: [Option<Call>; SHAPES],
    frames: Vec<Frame>,
    next: usize,
    /// The text of a label.
    pub text: Vec<u8>,
}

/// Shapes that a workspace keeps: a row at a time, and a few sizes of batches.
const SHAPES: usize = 4;

impl Workspace {
    /// A call like this one, if there was one lately.
    #[inline]
    pub fn call(&mut self, asked: Asked) -> Option<&mut Call> {
        self.calls.iter_mut().flatten().find(|call| call.is(asked))
    }

    /// Keeps the call that was answered last, with what `prepare` makes of its frame.
    pub fn keep(&mut self, rows: usize, steps: usize, prepare: impl FnOnce(&mut Frame) -> Option<Call>) {
        if let Some(at) = self.frames.iter().position(|frame| frame.fits(rows, steps)) {
            self.calls[at] = prepare(&mut self.frames[at]);
        }
    }

    /// The frame for a shape, made when it was not used lately.
    ///
    /// # Errors
    /// Those of [`Frame::new`].
    pub fn frame(&mut self, runtime: &Runtime, graph: &Graph, rows: usize, steps: usize) -> Result<&mut Frame> {
        if let Some(at) = self.frames.iter().position(|frame| frame.fits(rows, steps)) {
            return Ok(&mut self.frames[at]);
        }
        let frame = Frame::new(runtime, graph, rows, steps)?;
        if self.frames.len() < SHAPES {
            self.frames.push(frame);
            let newest = self.frames.len() - 1;
            return Ok(&mut self.frames[newest]);
        }
        self.next = (self.next + 1) % SHAPES;
        self.calls[self.next] = None;
        self.frames[self.next] = frame;
        Ok(&mut self.frames[self.next])
    }
}
