//! Memory that a tensor of the runtime lies in.

use super::cell::{Cells, Given, whole};
use crate::error::{Error, Result};
use crate::ir::graph::Element;
use half::f16;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Where vectors of every processor may be loaded from, and a cache line.
const ALIGNMENT: usize = 64;

/// Rows behind each other.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a, T> {
    /// `count` times `width` numbers.
    pub rows: &'a [T],
    /// How many rows there are.
    pub count: usize,
    /// Numbers of a row.
    pub width: usize,
}

/// Elements of one type at a fixed address, zero at first.
#[derive(Debug)]
pub struct Buffer {
    element: Element,
    count: usize,
    layout: Layout,
    data: NonNull<u8>,
}

// SAFETY: the memory belongs to the buffer alone.
unsafe impl Send for Buffer {}

impl Buffer {
    /// Room for `count` elements.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` when the memory is not there; `MI_UNSUPPORTED` for strings.
    pub fn new(element: Element, count: usize) -> Result<Self> {
        let size = element.size().ok_or_else(|| Error::unsupported("text does not lie in a buffer"))?;
        let no_room = || Error::limit(format!("no memory for {count} numbers of a tensor"));
        let bytes = count.checked_mul(size).ok_or_else(no_room)?.max(ALIGNMENT);
        let layout = Layout::from_size_align(bytes, ALIGNMENT).map_err(|_| no_room())?;
        // SAFETY: the layout has a size.
        let data = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(no_room)?;
        Ok(Self { element, count, layout, data })
    }

    /// Their type.
    pub fn element(&self) -> Element {
        self.element
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Where the elements lie, as long as the buffer lives.
    pub fn data(&self) -> *mut u8 {
        self.data.as_ptr()
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.count * self.element.size().unwrap_or(0)
    }

    /// The elements as they are now.
    pub fn cells(&self) -> Option<Cells<'_>> {
        // SAFETY: the memory was zeroed when it was made, holds `count` elements, is aligned for all of them, and is written only through
        // `&mut self` or by the runtime during a run, for which the frame around the buffer is borrowed mutably.
        unsafe { Cells::new(self.element, self.data.as_ptr(), self.count) }
    }

    /// The elements as `T`.
    ///
    /// # Safety
    /// `T` is the type of the elements.
    unsafe fn slice<T>(&mut self) -> &mut [T] {
        // SAFETY: as in `cells`, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr().cast(), self.count) }
    }

    /// Fills the buffer with the columns from `first` on, `width` of every row; the last row fills what remains. Says whether one of them is
    /// a NaN.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a fraction where whole numbers are wanted, naming its row and column.
    pub fn fill<T: Given>(&mut self, block: Block<'_, T>, first: usize, width: usize) -> Result<bool> {
        Ok(match self.element {
            Element::F32 => {
                // SAFETY: the type is that of the element, in each arm.
                let out = unsafe { self.slice::<f32>() };
                copy(block, first, width, out, T::single)
            }
            Element::F64 => {
                // SAFETY: as above.
                let out = unsafe { self.slice::<f64>() };
                copy(block, first, width, out, T::double)
            }
            Element::F16 => {
                // SAFETY: as above.
                let out = unsafe { self.slice::<f16>() };
                copy(block, first, width, out, |x| f16::from_f64(x.double()))
            }
            Element::I32 => {
                check_whole(block, first, width, 32)?;
                // SAFETY: as above.
                let out = unsafe { self.slice::<i32>() };
                #[allow(clippy::cast_possible_truncation)] // checked to have 32 bits
                copy(block, first, width, out, |x| whole(x.double(), 32).unwrap_or(0) as i32)
            }
            Element::I64 => {
                check_whole(block, first, width, 64)?;
                // SAFETY: as above.
                let out = unsafe { self.slice::<i64>() };
                copy(block, first, width, out, |x| whole(x.double(), 64).unwrap_or(0))
            }
            _ => return Err(Error::internal("an input that rows cannot fill")),
        })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and freed once.
        unsafe { dealloc(self.data.as_ptr(), self.layout) };
    }
}

/// Copies columns of rows; whether one of them is a NaN.
fn copy<T: Given, C: Copy>(
    block: Block<'_, T>,
    first: usize,
    width: usize,
    out: &mut [C],
    of: impl Fn(T) -> C,
) -> bool {
    if width == 0 || block.count == 0 {
        return false;
    }
    let given = block.count * width;
    let missing = if width == block.width {
        convert(block.rows, out, of)
    } else {
        let pairs = out.chunks_exact_mut(width).zip(block.rows.chunks_exact(block.width));
        pairs.fold(false, |missing, (out, row)| missing | convert(&row[first..], out, &of))
    };
    if given < out.len() {
        let (filled, spare) = out.split_at_mut(given);
        let last = &filled[given - width..];
        spare.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(last));
    }
    missing
}

/// Converts numbers one by one, as many as both sides have; whether one of them is a NaN.
#[inline]
pub fn convert<T: Given, C: Copy>(from: &[T], to: &mut [C], of: impl Fn(T) -> C) -> bool {
    #[cfg(target_arch = "x86_64")]
    if to.len() >= 16 && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has these instructions, as was just asked.
        return unsafe { convert_avx2(from, to, of) };
    }
    convert_plain(from, to, of)
}

/// [`convert_plain`], compiled for vectors of 32 bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn convert_avx2<T: Given, C: Copy>(from: &[T], to: &mut [C], of: impl Fn(T) -> C) -> bool {
    convert_plain(from, to, of)
}

#[inline(always)]
#[allow(clippy::inline_always)] // or it would be compiled without the instructions of its caller
fn convert_plain<T: Given, C: Copy>(from: &[T], to: &mut [C], of: impl Fn(T) -> C) -> bool {
    // Block by block, for otherwise the compiler makes two passes of it: a copy, and a search that reads everything again. Two numbers are
    // compared at once, and there is no branch inside.
    const LANES: usize = 8;
    let count = from.len().min(to.len());
    let (from, rest) = from[..count].as_chunks::<{ 2 * LANES }>();
    let (to, rest_to) = to[..count].as_chunks_mut::<{ 2 * LANES }>();
    let mut missing = [0u32; LANES];
    for (to, from) in to.iter_mut().zip(from) {
        let values = *from;
        *to = values.map(&of);
        for lane in 0..LANES {
            missing[lane] |= u32::from(values[lane].is_missing() | values[lane + LANES].is_missing());
        }
    }
    let among = missing.iter().fold(0, |missing, lane| missing | lane);
    rest_to.iter_mut().zip(rest).fold(among, |missing, (to, &value)| {
        *to = of(value);
        missing | u32::from(value.is_missing())
    }) != 0
}

/// The refusal of rows of which one holds a NaN.
///
/// # Errors
/// `MI_INVALID_ARGUMENT`, naming row and column.
#[cold]
pub fn refuse_missing<T: Given>(block: Block<'_, T>) -> Result<()> {
    let at = block.rows.iter().position(|value| value.is_missing()).unwrap_or(0);
    Err(Error::invalid(format!(
        "row {}: column {} is NaN, and this model has no rule for missing values; fill it first",
        at / block.width,
        at % block.width
    )))
}

fn check_whole<T: Given>(block: Block<'_, T>, first: usize, width: usize, bits: u32) -> Result<()> {
    for (index, row) in block.rows.chunks_exact(block.width).enumerate() {
        let numbers = row[first..][..width].iter();
        if let Some(at) = numbers.clone().position(|value| whole(value.double(), bits).is_none()) {
            return Err(Error::invalid(format!(
                "row {index}: column {} is {}, and this input takes whole numbers of {bits} bits",
                first + at,
                row[first + at].double()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubles(buffer: &Buffer) -> Vec<f64> {
        match buffer.cells().unwrap() {
            Cells::F32(cells) => cells.iter().map(|&x| f64::from(x)).collect(),
            Cells::F64(cells) => cells.to_vec(),
            Cells::F16(cells) => cells.iter().map(|x| x.to_f64()).collect(),
            Cells::I64(cells) => cells.iter().map(|&x| i32::try_from(x).unwrap().into()).collect(),
            Cells::I32(cells) => cells.iter().map(|&x| x.into()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn columns_go_where_they_belong() {
        fn block(rows: &[f64], width: usize) -> Block<'_, f64> {
            Block { rows, count: rows.len() / width, width }
        }
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0f64];
        for element in [Element::F16, Element::F32, Element::F64, Element::I32, Element::I64] {
            let mut whole = Buffer::new(element, 6).unwrap();
            assert!(!whole.fill(block(&rows, 3), 0, 3).unwrap());
            assert_eq!(doubles(&whole), rows);
            let mut part = Buffer::new(element, 6).unwrap();
            assert!(!part.fill(block(&rows, 3), 1, 2).unwrap());
            assert_eq!(doubles(&part), [2.0, 3.0, 5.0, 6.0, 5.0, 6.0], "the last row fills what remains");
        }
        let error = Buffer::new(Element::I64, 2).unwrap().fill(block(&[1.0, 1.5], 1), 0, 1).unwrap_err();
        assert!(error.message().contains("row 1: column 0 is 1.5"), "{error}");
        let error = Buffer::new(Element::I32, 1).unwrap().fill(block(&[f64::NAN], 1), 0, 1).unwrap_err();
        assert!(error.message().contains("NaN"), "{error}");
    }

    #[test]
    fn a_nan_is_seen_wherever_it_is() {
        for width in [1, 3, 16, 37] {
            let mut buffer = Buffer::new(Element::F32, 2 * width).unwrap();
            for at in 0..2 * width {
                let mut single = vec![0.5f32; 2 * width];
                assert!(!buffer.fill(Block { rows: &single, count: 2, width }, 0, width).unwrap());
                single[at] = f32::NAN;
                assert!(buffer.fill(Block { rows: &single, count: 2, width }, 0, width).unwrap());
                let double: Vec<f64> = single.iter().map(|&x| f64::from(x)).collect();
                assert!(buffer.fill(Block { rows: &double, count: 2, width }, 0, width).unwrap());
                if width > 1 {
                    let mut part = Buffer::new(Element::F64, 2).unwrap();
                    let seen = part.fill(Block { rows: &double, count: 2, width }, 1, 1).unwrap();
                    assert_eq!(seen, at % width == 1, "only the columns that are taken count");
                }
            }
        }
    }

    #[test]
    fn a_buffer_too_large_is_an_error() {
        assert!(Buffer::new(Element::F64, usize::MAX / 4).is_err());
        assert!(Buffer::new(Element::F64, usize::MAX / 16).is_err());
        assert_eq!(Buffer::new(Element::F32, 0).unwrap().cells().unwrap().len(), 0);
    }
}
