//! Build once, share, look up without a lock.
