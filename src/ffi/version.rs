//! Versions.

use std::ffi::c_char;

/// The version of the binary interface: 1. It changes together with the SONAME, `libmi.so.1`; a program that was compiled
/// against one version runs with every library of that version that is as new or newer.
///
/// Safe from any thread at any time.
#[unsafe(no_mangle)]
pub extern "C" fn mi_abi_version() -> u32 {
    1
}

/// The version of the library as "major.minor.patch", a string that lives as long as the process.
///
/// Safe from any thread at any time.
#[unsafe(no_mangle)]
pub extern "C" fn mi_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
