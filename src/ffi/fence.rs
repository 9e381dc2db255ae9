//! The boundary that neither an error nor a panic crosses.

use super::status::{MI_OK, mi_status};
use crate::error::{Error, Result};
use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Text of the last failure on this thread.
    static LAST_ERROR: RefCell<CString> = RefCell::new(CString::default());
    /// Whether this thread is inside of a fence, and what its last panic there said.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

static HOOK: Once = Once::new();

/// Runs `$body`, which may use `?`, and gives the status.
macro_rules! fence {
    ($body:block) => {
        $crate::ffi::fence::status(|| {
            $body
            Ok(())
        })
    };
}

/// Runs `$body`, which must not fail; `$default` is the answer should it panic.
macro_rules! fence_or {
    ($default:expr, $body:block) => {
        $crate::ffi::fence::guarded(|| Ok($body)).unwrap_or($default)
    };
}

/// The status of `body`; a failure becomes the last error of this thread.
#[inline]
pub(super) fn status(body: impl FnOnce() -> Result<()>) -> mi_status {
    match guarded(body) {
        Ok(()) => MI_OK,
        Err(error) => remember(&error),
    }
}

/// `body` behind a panic fence.
#[inline]
pub(super) fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    HOOK.call_once(record_panics_inside);
    let outer = INSIDE.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(outer);
    result.unwrap_or_else(|_| Err(defect()))
}

/// What the last panic inside of a fence comes to.
#[cold]
fn defect() -> Error {
    Error::internal(format!("a defect of libmi, please report it: {}", PANIC.take()))
}

/// A guest prints nothing: panics inside of a fence are kept for the message, all others go where they went before.
fn record_panics_inside() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if INSIDE.get() {
            let _ = PANIC.try_with(|panic| panic.replace(info.to_string()));
        } else {
            before(info);
        }
    }));
}

/// Makes it the last error of this thread, and gives its status.
#[cold]
fn remember(error: &Error) -> mi_status {
    // `Error` keeps NULs out of its text, so this cannot fail.
    let text = CString::new(error.message()).unwrap_or_default();
    let _ = LAST_ERROR.try_with(|last| last.replace(text));
    error.status() as mi_status
}

/// Applies `reader` to the text of the last failure on this thread; "" when there was none.
pub(super) fn with_last_error<T>(reader: impl FnOnce(&mut CString) -> T) -> Option<T> {
    LAST_ERROR.try_with(|last| reader(&mut last.borrow_mut())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn a_panic_is_a_status() {
        let found = status(|| panic!("on purpose"));
        assert_eq!(found, Status::Internal as mi_status);
        with_last_error(|text| {
            let text = text.to_str().unwrap();
            assert!(text.contains("on purpose") && text.contains("fence.rs"), "{text}");
        });
    }

    #[test]
    fn success_keeps_the_last_error() {
        assert_eq!(status(|| Err(Error::invalid("first"))), 1);
        assert_eq!(status(|| Ok(())), 0);
        with_last_error(|text| assert_eq!(text.to_str().unwrap(), "first"));
    }
}
