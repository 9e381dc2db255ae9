//! Trees and ensembles of trees.

use super::Entry;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[];
