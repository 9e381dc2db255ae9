//! The shared library itself: its name, what it exports, what it needs.

use std::path::PathBuf;
use std::process::Command;

/// `libmi.so` of the profile that this test was built with.
fn library() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().join("libmi.so")
}

fn tool(name: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(name).args(arguments).arg(library()).output().ok()?;
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// `MI_UPDATE=1` writes the list anew.
#[test]
fn exports_exactly_the_committed_list() {
    let Some(text) = tool("nm", &["--dynamic", "--defined-only", "--format=posix"]) else {
        println!("skipped: nm is not installed");
        return;
    };
    let mut symbols: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    symbols.sort_unstable();
    let found = symbols.join("\n") + "\n";
    let list = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/exports.txt");
    if std::env::var_os("MI_UPDATE").is_some() {
        std::fs::write(&list, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&list).unwrap_or_default(), "exports changed; see tests/exports.txt");
    assert!(symbols.iter().all(|symbol| symbol.starts_with("mi_")), "{found}");
}

#[test]
fn is_named_stays_loaded_and_needs_only_the_c_library() {
    let Some(text) = tool("readelf", &["--dynamic", "--wide"]) else {
        println!("skipped: readelf is not installed");
        return;
    };
    assert!(text.contains("soname: [libmi.so.1]"), "{text}");
    assert!(text.contains("NODELETE"), "{text}");
    for line in text.lines().filter(|line| line.contains("(NEEDED)")) {
        let known = ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux"].iter().any(|name| line.contains(name));
        assert!(known, "unexpected: {line}");
    }
}
