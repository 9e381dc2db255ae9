//! Lists of strings.

use super::pointer::object;
use std::ffi::{CString, c_char};
use std::ptr;

/// A list of strings that the library made. It belongs to the caller, who ends it with `mi_strings_free`.
pub struct mi_strings {
    items: Vec<CString>,
}

impl mi_strings {
    /// A list on the heap, for the caller to free. A NUL inside of a string cuts it.
    pub(super) fn give(items: Vec<String>) -> *mut mi_strings {
        let items = items
            .into_iter()
            .map(|item| {
                let kept = item.split('\0').next().unwrap_or_default().to_owned();
                CString::new(kept).unwrap_or_default()
            })
            .collect();
        Box::into_raw(Box::new(mi_strings { items }))
    }
}

/// How many strings there are; 0 for NULL.
///
/// Requires: `strings` is NULL or a live list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_strings_count(strings: *const mi_strings) -> usize {
    fence_or!(0, {
        // SAFETY: NULL or live, as promised.
        unsafe { object("strings", strings) }.map_or(0, |strings| strings.items.len())
    })
}

/// The string of this index, borrowed from the list; NULL when there is none.
///
/// Requires: `strings` is NULL or a live list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_strings_at(strings: *const mi_strings, index: usize) -> *const c_char {
    fence_or!(ptr::null(), {
        // SAFETY: NULL or live, as promised.
        let strings = unsafe { object("strings", strings) };
        strings.ok().and_then(|strings| strings.items.get(index)).map_or(ptr::null(), |item| item.as_ptr())
    })
}

/// Ends a list. NULL is fine.
///
/// Requires: `strings` is NULL or a live list that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_strings_free(strings: *mut mi_strings) {
    fence_or!((), {
        if !strings.is_null() {
            // SAFETY: made by `give`, live, and nobody else uses it.
            drop(unsafe { Box::from_raw(strings) });
        }
    });
}
