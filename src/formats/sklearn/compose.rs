//! Pipelines, unions and column transformers.

use super::Entry;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[];
