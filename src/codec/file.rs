//! Bytes of a file, capped.

use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// The bytes of a file of at most `cap` bytes.
///
/// # Errors
/// `MI_NOT_FOUND` or `MI_IO` naming the path, `MI_LIMIT_EXCEEDED` for a larger file.
pub fn read(path: &Path, cap: u64) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|cause| Error::io("open", path, &cause))?;
    let mut bytes = Vec::new();
    file.take(cap + 1).read_to_end(&mut bytes).map_err(|cause| Error::io("read", path, &cause))?;
    if bytes.len() as u64 > cap {
        return Err(Error::limit(format!("{} is larger than {cap} bytes", path.display())));
    }
    Ok(bytes)
}
