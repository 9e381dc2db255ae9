//! Raw pointers to references, each checked first: NULL, misaligned or overlong memory is a status, not a crash.

use crate::error::{Error, Result};
use std::ffi::{CStr, c_char};
use std::mem::align_of;

#[inline]
fn check<T>(name: &str, pointer: *const T) -> Result<()> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(unusable(name, pointer.is_null(), align_of::<T>()));
    }
    Ok(())
}

#[cold]
fn unusable(name: &str, null: bool, align: usize) -> Error {
    Error::invalid(if null { format!("{name} is NULL") } else { format!("{name} is not aligned to {align} bytes") })
}

/// The text behind a `const char *`.
///
/// # Safety
/// A non-NULL `pointer` leads to a NUL-terminated string that nobody changes during the call.
pub(super) unsafe fn text<'a>(name: &str, pointer: *const c_char) -> Result<&'a str> {
    check(name, pointer)?;
    // SAFETY: not NULL; the caller of this C function promised a NUL-terminated string.
    unsafe { CStr::from_ptr(pointer) }.to_str().map_err(|_| Error::invalid(format!("{name} is not UTF-8")))
}

/// The text behind a `const char *` that may be NULL.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn optional_text<'a>(name: &str, pointer: *const c_char) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the same promise.
    unsafe { text(name, pointer) }.map(Some)
}

/// The object behind a handle or a `const T *`.
///
/// # Safety
/// A non-NULL, aligned `pointer` leads to a live `T` that nobody changes during the call.
#[inline]
pub(super) unsafe fn object<'a, T>(name: &str, pointer: *const T) -> Result<&'a T> {
    check(name, pointer)?;
    // SAFETY: not NULL and aligned; the caller of this C function promised a live object.
    Ok(unsafe { &*pointer })
}

/// `len` elements to read.
///
/// # Safety
/// A non-NULL, aligned `pointer` leads to `len` elements that nobody changes during the call.
#[inline]
pub(super) unsafe fn slice<'a, T>(name: &str, pointer: *const T, len: usize) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    check(name, pointer)?;
    check_len::<T>(name, len)?;
    // SAFETY: not NULL, aligned, of a length that fits; the caller of this C function promised the elements.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// `len` numbers to write, apart from `input`.
///
/// # Safety
/// A non-NULL, aligned `pointer` leads to `len` elements that nobody else touches during the call.
#[inline]
pub(super) unsafe fn slice_mut<'a, T, U>(name: &str, pointer: *mut T, len: usize, input: &[U]) -> Result<&'a mut [T]> {
    if len == 0 {
        return Ok(&mut []);
    }
    check(name, pointer)?;
    check_len::<T>(name, len)?;
    let (start, end) = (pointer as usize, pointer as usize + len * size_of::<T>());
    let read = input.as_ptr_range();
    if start < read.end as usize && (read.start as usize) < end {
        return Err(overlaps(name));
    }
    // SAFETY: not NULL, aligned, of a length that fits, apart from the input; the caller promised the elements.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, len) })
}

#[cold]
fn overlaps(name: &str) -> Error {
    Error::invalid(format!("{name} overlaps the input; give it memory of its own"))
}

#[inline]
fn check_len<T>(name: &str, len: usize) -> Result<()> {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(too_long(name, len)),
    }
}

#[cold]
fn too_long(name: &str, len: usize) -> Error {
    Error::invalid(format!("{name} cannot have {len} elements"))
}

/// A place for one result, written only on success.
pub(super) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// A place behind an `out_*` pointer.
    ///
    /// # Safety
    /// A non-NULL, aligned `pointer` leads to memory for one `T` that nobody else touches during the call.
    pub(super) unsafe fn new(name: &str, pointer: *mut T) -> Result<Self> {
        check(name, pointer.cast_const()).map(|()| Self(pointer))
    }

    /// A place behind an `out_*` pointer that may be NULL.
    ///
    /// # Safety
    /// As [`Out::new`].
    pub(super) unsafe fn optional(name: &str, pointer: *mut T) -> Result<Option<Self>> {
        if pointer.is_null() {
            return Ok(None);
        }
        // SAFETY: the same promise.
        unsafe { Self::new(name, pointer) }.map(Some)
    }

    /// Stores the result.
    pub(super) fn set(self, value: T) {
        // SAFETY: checked and promised in `new`; `write` does not read or drop what was there.
        unsafe { self.0.write(value) }
    }
}

/// An options struct of the caller, of any age, as one of ours.
///
/// Such a struct begins with `size_t struct_size`. A shorter one (an older header) keeps the defaults of the fields it lacks; a
/// longer one (a newer header) is accepted while its tail is zero.
///
/// # Safety
/// `T` is `repr(C)`, begins with a `usize`, and every bit pattern is a valid `T`. A non-NULL, aligned `pointer` leads to at least
/// as many readable bytes as its `struct_size` says.
pub(super) unsafe fn options<T: Copy>(name: &str, pointer: *const T, defaults: T) -> Result<T> {
    if pointer.is_null() {
        return Ok(defaults);
    }
    check(name, pointer)?;
    // SAFETY: `T` begins with its size in bytes, and the pointer is aligned for `T`.
    let given = unsafe { pointer.cast::<usize>().read() };
    let known = size_of::<T>();
    if given < size_of::<usize>() || given > 4096 {
        return Err(Error::invalid(format!(
            "{name}->struct_size is {given}; call the _options_init function first (it sets {known})"
        )));
    }
    // SAFETY: the caller promised `given` readable bytes.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), given) };
    if bytes.len() > known && bytes[known..].iter().any(|&byte| byte != 0) {
        return Err(Error::invalid(format!(
            "{name} has {given} bytes and sets fields that this libmi ({known} bytes) does not know; use a newer libmi.so"
        )));
    }
    let mut merged = defaults;
    let length = given.min(known);
    // SAFETY: both sides hold `length` bytes, they do not overlap, and every bit pattern is a valid `T`.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut merged).cast::<u8>(), length) };
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(C)]
    struct Sample {
        struct_size: usize,
        first: u64,
        second: u64,
    }

    const DEFAULTS: Sample = Sample { struct_size: 24, first: 7, second: 9 };

    fn read(words: &[u64]) -> Result<Sample> {
        // SAFETY: the words are aligned and at least as many as their first one says in these tests.
        unsafe { options("options", words.as_ptr().cast::<Sample>(), DEFAULTS) }
    }

    #[test]
    fn older_and_newer_option_structs() {
        assert_eq!(read(&[16, 1]).unwrap(), Sample { struct_size: 16, first: 1, second: 9 });
        assert_eq!(read(&[24, 1, 2]).unwrap(), Sample { struct_size: 24, first: 1, second: 2 });
        assert_eq!(read(&[32, 1, 2, 0]).unwrap().second, 2);
        assert!(read(&[32, 1, 2, 5]).unwrap_err().message().contains("newer"));
        assert!(read(&[0, 1, 2]).unwrap_err().message().contains("_options_init"));
    }

    #[test]
    fn bad_pointers_are_named() {
        let mut out = [0.0f64; 4];
        let input = [0.0f64; 1];
        // SAFETY: NULL and misaligned pointers are refused before they are followed; the others are live.
        unsafe {
            assert!(slice::<f64>("x", std::ptr::null(), 1).unwrap_err().message().contains("x is NULL"));
            let odd = std::ptr::without_provenance::<f64>(out.as_ptr() as usize + 1);
            assert!(slice("x", odd, 1).unwrap_err().message().contains("aligned"));
            assert!(slice("x", out.as_ptr(), usize::MAX / 2).is_err());
            assert!(slice_mut("out", out.as_mut_ptr(), 4, &input).is_ok());
            let same = std::slice::from_raw_parts(out.as_ptr(), 2);
            assert!(slice_mut("out", out.as_mut_ptr().add(1), 2, same).unwrap_err().message().contains("overlaps"));
        }
    }
}
