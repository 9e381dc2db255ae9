//! Models made of models: voting, stacking, chains, calibration, one against the rest.

use super::Entry;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[];
