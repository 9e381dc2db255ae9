//! Memory in whole cache lines, so that no vector of 64 bytes straddles two of them.
#![allow(unsafe_code)]

/// One cache line of 16 numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line<T>(pub T);

/// Sixteen numbers of 32 bits.
pub type Words = Line<[i32; 16]>;
/// Sixty-four bytes.
pub type Bytes = Line<[u8; 64]>;

/// Bytes that begin at a line.
#[derive(Debug, Clone, Default)]
pub struct Buffer(Vec<Bytes>);

impl Buffer {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// At least `count` elements of type `T`, whatever they held before; grows, never shrinks.
    #[inline]
    pub fn room<T: Plain>(&mut self, count: usize) -> &mut [T] {
        let lines = (count * size_of::<T>()).div_ceil(64);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0; 64]));
        }
        // SAFETY: the lines are initialised, they hold `count` elements of `T`, which allows every bit pattern and is aligned to less
        // than a line; the borrow of `self` keeps them alive and unshared.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), count) }
    }
}

/// Numbers that any bytes are, of at most a line's alignment.
///
/// # Safety
/// Every bit pattern is a value of the type.
pub unsafe trait Plain: Copy {}

// SAFETY: integers and floats have no invalid bit patterns.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: as above, eight of them, aligned to a line.
unsafe impl Plain for Line<[u64; 8]> {}
// SAFETY: as above, sixteen of them, aligned to a line.
unsafe impl Plain for Words {}
// SAFETY: as above.
unsafe impl<const N: usize> Plain for [Words; N] {}
// SAFETY: as above.
unsafe impl Plain for Bytes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_begins_at_a_line_and_keeps_what_it_holds() {
        let mut buffer = Buffer::new();
        buffer.room::<u8>(3).copy_from_slice(&[1, 2, 3]);
        let room = buffer.room::<u16>(200);
        assert_eq!(room.as_ptr().addr() % 64, 0);
        assert_eq!(room[0], u16::from_ne_bytes([1, 2]));
        assert_eq!(buffer.room::<u8>(0), [0u8; 0]);
    }
}
