//! Mixtures, clusters, projections, and models that ignore the row.

use super::Entry;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[];
