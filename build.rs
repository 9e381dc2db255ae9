//! Gives the shared library its name and keeps it in memory.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // Programs find the library by its binary interface, whatever its version.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmi.so.1");
        // Thread-local state is torn down by code of the library when a thread ends, which may be long after a dlclose.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
