//! A call like one before: everything that it needs lies together, because a run leaves little in the caches that is not its own.

use super::answer::{Ask, Pick, answer};
use super::buffer::{Block, convert, refuse_missing};
use super::cell::{Cells, Given};
use super::frame::Frame;
use super::runtime::check;
use crate::error::{Error, Result};
use crate::ir::graph::Element;
use crate::ir::{Classes, Output};
use ort::sys::{OrtApi, OrtSession, OrtValue};
use std::ffi::c_char;
use std::ptr;

/// What a call asks for: calls that are equal in it differ in the numbers of their rows alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub output: Output,
    /// Rows.
    pub count: usize,
    /// Numbers of all rows.
    pub given: usize,
    /// Places for answers.
    pub room: usize,
}

/// Where a session's graph lies, and how it is called.
#[derive(Debug, Clone, Copy)]
pub struct Graph {
    pub api: &'static OrtApi,
    pub session: *mut OrtSession,
    pub inputs: *const *const c_char,
    pub output: *const *const c_char,
    pub accepts_nan: bool,
}

/// A call that has one input of float32, which the rows fill, and an output that lies at a known place.
#[derive(Debug)]
pub struct Call {
    asked: Asked,
    /// `asked.given` floats.
    x: *mut f32,
    input: *const OrtValue,
    graph: Graph,
    place: *mut OrtValue,
    /// `numbers` elements, `width` of each row.
    y: *const u8,
    element: Element,
    second: bool,
    numbers: usize,
    width: usize,
}

// SAFETY: the pointers lead to what the session and the frame beside the call own, which no thread is tied to.
unsafe impl Send for Call {}

impl Call {
    /// The call that the frame has just answered; `None` when it is one of those that need more than this.
    ///
    /// # Safety
    /// The call ends before the frame and the session that it is of.
    pub unsafe fn new(asked: Asked, graph: Graph, frame: &mut Frame, ask: Ask, width: usize) -> Option<Self> {
        let second = match ask.pick {
            Pick::All => false,
            Pick::Second => true,
            _ => return None,
        };
        let input = *frame.pointers().first()?;
        let (place, y, numbers, element) = frame.written(ask.tensor)?;
        let [tensor] = &mut frame.inputs[..] else { return None };
        let buffer = tensor.buffer();
        let fits = buffer.element() == Element::F32 && buffer.len() == asked.given && numbers == asked.count * width;
        let x = buffer.data().cast();
        fits.then_some(Self { asked, x, input, graph, place, y, element, second, numbers, width })
    }

    /// Whether it is this call.
    #[inline]
    pub fn is(&self, asked: Asked) -> bool {
        self.asked == asked
    }

    /// Answers rows of the shape that was asked for.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a NaN that the graph has no rule for, `MI_BACKEND` when the runtime fails; `out` is then untouched.
    #[inline]
    pub fn run<T: Given>(&mut self, rows: &[T], out: &mut [f64]) -> Result<()> {
        if (rows.len(), out.len()) != (self.asked.given, self.asked.room) {
            return Err(Error::internal("a call of another shape"));
        }
        // SAFETY: the memory of the input has so many floats and lives as long as the frame beside this call, which is borrowed mutably.
        let x = unsafe { std::slice::from_raw_parts_mut(self.x, self.asked.given) };
        if convert(rows, x, T::single) && !self.graph.accepts_nan {
            let Asked { count, given, .. } = self.asked;
            return refuse_missing(Block { rows, count, width: given / count });
        }
        let mut place = self.place;
        // SAFETY: a function of the table. The session is live and may run on many threads at once; the one input and the one output are
        // live values that no other thread uses.
        let status = unsafe {
            (self.graph.api.Run)(
                self.graph.session,
                ptr::null(),
                self.graph.inputs,
                &raw const self.input,
                1,
                self.graph.output,
                1,
                &raw mut place,
            )
        };
        check(self.graph.api, status)?;
        // SAFETY: the run has written so many elements of this type to memory that the frame owns.
        let cells = unsafe { Cells::new(self.element, self.y, self.numbers) };
        let cells = cells.ok_or_else(|| Error::internal("an output without numbers"))?;
        let pick = if self.second { Pick::Second } else { Pick::All };
        answer(pick, cells, self.width, &Classes::Index, out);
        Ok(())
    }
}
