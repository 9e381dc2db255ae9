//! Status codes and the last error.

use super::fence::with_last_error;
use super::pointer::{Out, slice_mut};
use crate::error::Status;
use std::ffi::{CString, c_char};

/// What a call came to: `MI_OK`, or the kind of failure. `mi_last_error()` has the sentence.
pub type mi_status = i32;

/// The call did what it promises.
pub const MI_OK: mi_status = 0;
/// An argument cannot be used: NULL, not UTF-8, a NaN where the model has no rule for missing values, an unknown number.
pub const MI_INVALID_ARGUMENT: mi_status = 1;
/// The file, target, family, view or symbol does not exist; the sentence lists what does.
pub const MI_NOT_FOUND: mi_status = 2;
/// The operating system refused to read or write.
pub const MI_IO: mi_status = 3;
/// The bytes are not what their format promises.
pub const MI_MALFORMED: mi_status = 4;
/// Understood, but not served; the sentence says what to do instead.
pub const MI_UNSUPPORTED: mi_status = 5;
/// A size in a file passes a cap of the library.
pub const MI_LIMIT_EXCEEDED: mi_status = 6;
/// The SHA-256 of a file is not the one in its metadata.
pub const MI_CHECKSUM_MISMATCH: mi_status = 10;
/// The metadata holds no checksum, and the loader was not told to accept that.
pub const MI_UNSIGNED: mi_status = 11;
/// The model was trained on bars of another interval.
pub const MI_INTERVAL_MISMATCH: mi_status = 12;
/// Rows, columns or an output buffer have the wrong size.
pub const MI_SHAPE_MISMATCH: mi_status = 20;
/// A sequence model was asked with a single row and no symbol.
pub const MI_SEQUENCE_REQUIRED: mi_status = 21;
/// The window of the symbol is not filled yet.
pub const MI_NOT_READY: mi_status = 22;
/// The newest row of the symbol is too old.
pub const MI_STALE: mi_status = 23;
/// A foreign runtime failed.
pub const MI_BACKEND: mi_status = 30;
/// A foreign runtime is not installed.
pub const MI_BACKEND_MISSING: mi_status = 31;
/// A defect of this library; please report it with the sentence.
pub const MI_INTERNAL: mi_status = 99;

/// The name of a status, for example "MI_CHECKSUM_MISMATCH"; "MI_UNKNOWN" for a number that is none. The string lives as long
/// as the process.
///
/// Safe from any thread at any time.
#[unsafe(no_mangle)]
pub extern "C" fn mi_status_name(status: mi_status) -> *const c_char {
    if status == MI_OK {
        return c"MI_OK".as_ptr();
    }
    let named = Status::ALL.iter().find(|known| **known as mi_status == status);
    named.map_or(c"MI_UNKNOWN", |status| status.c_name()).as_ptr()
}

/// The text of the last failure on this thread: one line that says what failed, on what, and what to do about it; "" when there
/// was none. A call that succeeds leaves it as it is.
///
/// The string belongs to the library and is valid until the next call on this thread that fails, or until the thread ends.
#[unsafe(no_mangle)]
pub extern "C" fn mi_last_error() -> *const c_char {
    with_last_error(|text| text.as_ptr()).unwrap_or(c"".as_ptr())
}

/// Copies the text of the last failure on this thread into `buffer` and clears it, in one call, for languages whose code hops
/// between threads. At most `capacity` bytes are written, NUL included; a longer text is cut. `out_needed`, which may be NULL,
/// receives the bytes that the whole text takes with its NUL (1 when there was no failure).
///
/// With `capacity` 0 nothing is copied or cleared: ask for the size first, then copy. Returns `MI_INVALID_ARGUMENT` when
/// `buffer` is NULL and `capacity` is not 0.
///
/// Requires: `buffer` has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_last_error_take(buffer: *mut c_char, capacity: usize, out_needed: *mut usize) -> mi_status {
    let text = with_last_error(|text| text.clone()).unwrap_or_default();
    fence!({
        let bytes = text.as_bytes_with_nul();
        // SAFETY: the caller promised `capacity` writable bytes behind `buffer`.
        let buffer = unsafe { slice_mut("buffer", buffer.cast::<u8>(), capacity, bytes)? };
        // SAFETY: NULL or with room for one number, as promised.
        if let Some(out) = unsafe { Out::optional("out_needed", out_needed)? } {
            out.set(bytes.len());
        }
        if let Some(room) = buffer.len().checked_sub(1) {
            let length = room.min(bytes.len() - 1);
            buffer[..length].copy_from_slice(&bytes[..length]);
            buffer[length] = 0;
            with_last_error(|text| *text = CString::default());
        }
    })
}
