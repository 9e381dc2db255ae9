//! Transformers that scale, encode, fill in or select columns.

use super::Entry;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[];
