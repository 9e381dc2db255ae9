//! Python pickles and joblib files as inert data.
//!
//! Reading a pickle in Python runs whatever the file says. Here nothing runs: a class is its name, an instance is the name of its
//! class with arguments and state, a call is a note of what would have been called. [`decode`] makes a [`Graph`], and a reader of
//! a format walks it through [`Ref`]:
//!
//! ```no_run
//! # fn main() -> mi::Result<()> {
//! use mi::codec::pickle;
//!
//! let bytes = std::fs::read("model.pkl").unwrap();
//! let graph = pickle::decode(&bytes)?;
//! let ridge = graph.root();
//! assert_eq!(ridge.class(), Some(("sklearn.linear_model._ridge", "Ridge")));
//! let coefficients = ridge.attr("coef_")?.array_f64()?; // shape and data in C order
//! let intercept = ridge.attr("intercept_")?.as_f64()?; // float, numpy scalar or array of one element
//! for step in ridge.attr("steps")?.list()? {
//!     println!("{}", step.path()); // Ridge.steps[0]
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Files may be plain pickles or joblib's, compressed or not; see [`crate::codec::inflate`]. Memory and time are linear in the
//! size of the file, whatever it holds: [`crate::limits::pickle_memory`]. Walking is bounded too: a path has at most
//! [`crate::limits::DEPTH`] steps, so that a reader that recurses into a cycle ends with an error, and all that is walked and
//! converted together costs at most the same bound, so that references shared many times over do not multiply.

mod joblib;
mod json;
mod machine;
mod meter;
mod number;
mod numpy;
mod path;
mod scan;
mod text;
mod value;
mod view;

pub use crate::codec::ndarray::{Array, DType, Kind, RawArray};
pub use number::Structured;
pub use view::{Graph, Ref};

use crate::codec::inflate::Container;
use crate::error::{Result, Within};
use crate::limits;
use meter::Meter;
use std::borrow::Cow;
use value::Heap;

/// Reads a pickle or joblib file of any protocol and compression, by content. Nothing in it is executed.
///
/// # Errors
/// `MI_MALFORMED` for a damaged file, naming opcode and byte; `MI_UNSUPPORTED` for what lies outside of the file (extension codes,
/// out-of-band buffers, the side files of old joblib) with the remedy; `MI_LIMIT_EXCEEDED` for a file that asks for more memory
/// than [`limits::pickle_memory`] grants.
pub fn decode(bytes: &[u8]) -> Result<Graph<'_>> {
    let memory = limits::pickle_memory(bytes.len());
    let mut meter = Meter::new(memory);
    let source = match Container::sniff(bytes) {
        Some(container) => {
            let inflated = container.inflate(bytes, container.cap(memory))?;
            meter.take(inflated.capacity())?;
            Cow::Owned(inflated)
        }
        None => Cow::Borrowed(bytes),
    };
    limits::check("bytes of a pickle", source.len(), limits::PICKLE_BYTES)?;
    let mut heap = Heap::new(&mut meter)?;
    let (root, end) = machine::run(&source, 0, false, &mut heap, &mut meter).within(|| "not a sound pickle")?;
    let inflated = if let Cow::Owned(inflated) = &source { inflated.len() } else { 0 };
    let left = meter.left().saturating_add(limits::inflated_memory(bytes.len(), inflated));
    Ok(Graph::new(source, heap, root, end, left))
}

/// Whether it begins as a pickle or joblib file does, compressed or not. A promise only of what it tries to be.
#[must_use]
pub fn looks_like(bytes: &[u8]) -> bool {
    match Container::sniff(bytes) {
        Some(container) => begins(&container.peek(bytes, 256)),
        None => begins(&bytes[..bytes.len().min(256)]),
    }
}

/// Whether these are the first bytes of a pickle. Protocols 0 and 1 have no header: there, the ways in which Python begins.
fn begins(head: &[u8]) -> bool {
    let word = |bytes: &[u8]| {
        let len = bytes.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte)).count();
        (len > 0 && bytes.get(len) == Some(&b'\n')).then_some(len + 1)
    };
    match head {
        [0x80, protocol, ..] => *protocol <= 5,
        // GLOBAL: a module and a name, each on its line.
        [b'c', rest @ ..] => word(rest).is_some_and(|module| word(&rest[module..]).is_some()),
        // A mark, then the first thing above it: a dict, list, tuple or old instance, or its first item.
        [b'(', next, ..] => b"dlciIFVSUXKJ(".contains(next),
        // An empty container that is put into the memo or ends the pickle.
        [b']' | b'}' | b')', next, ..] => b"qrp.".contains(next),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pickles_are_told_from_models() {
        for yes in
            [&b"\x80\x04"[..], b"ccopy_reg\n_reconstructor\n", b"(dp0\n", b"(lp0\n", b"}q\0.", b"].", b"(iA\nB\n"]
        {
            assert!(looks_like(yes), "{yes:?}");
        }
        for no in
            [&b""[..], b"\x80\x06", b"tree\nversion=v4\n", b"{\"a\": 1}", b"{L\0", b"CBM1", b"PK\x03\x04", b"c \n"]
        {
            assert!(!looks_like(no), "{no:?}");
        }
    }
}
