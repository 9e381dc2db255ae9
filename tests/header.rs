//! `include/mi.h` is what `src/ffi` says, and every C and C++ compiler takes it.
//!
//! `MI_UPDATE=1 cargo test --test header` writes the header anew.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn generated() -> String {
    let mut config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml");
    config.header = Some(std::fs::read_to_string(root().join("src/ffi/preamble.h")).unwrap().trim_end().to_owned());
    config.after_includes = Some("\n#include <stddef.h>\n#include <stdint.h>".to_owned());
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root().join("src/ffi")).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The room's own file leads to all the others, which would then be read twice.
    files.retain(|path| path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("mod.rs"));
    // The reader meets the nouns in the order of use.
    let order = ["version", "status", "strings", "model", "loader", "engine", "buffer", "sequences"];
    files.sort_by_key(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (order.iter().position(|noun| *noun == name).unwrap_or(order.len()), name)
    });
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in files {
        builder = builder.with_src(file);
    }
    let mut text = Vec::new();
    builder.generate().expect("src/ffi parses").write(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn the_header_is_up_to_date() {
    let path = root().join("include/mi.h");
    let text = generated();
    if std::env::var_os("MI_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "include/mi.h differs from src/ffi; run MI_UPDATE=1 cargo test --test header");
}

#[test]
fn every_function_is_declared_once() {
    let mut names: Vec<String> = generated()
        .lines()
        .filter(|line| line.starts_with(char::is_alphabetic)) // no prose
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next().map(str::to_owned))
        .filter(|name| name.starts_with("mi_"))
        .collect();
    let count = names.len();
    assert!(count > 60, "{count}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_compiler_takes_it_alone_and_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut compiled = 0;
    for (compiler, ending, header, standards) in [
        ("gcc", "c", "mi.h", &["c99", "c11", "c17", "c2x"][..]),
        ("clang", "c", "mi.h", &["c99", "c11", "c17", "c2x"]),
        ("g++", "cpp", "mi.h", &["c++11", "c++17", "c++20", "c++23"]),
        ("clang++", "cpp", "mi.h", &["c++11", "c++17", "c++20"]),
        ("g++", "cpp", "mi.hpp", &["c++17", "c++20", "c++23"]),
        ("clang++", "cpp", "mi.hpp", &["c++17", "c++20"]),
    ] {
        if Command::new(compiler).arg("--version").output().is_err() {
            println!("skipped: {compiler} is not installed");
            continue;
        }
        let source = folder.path().join(format!("{compiler}-{header}.{ending}"));
        let twice = format!(
            "#include \"{header}\"\n#include \"{header}\"\nint main(void) {{ return (int)mi_abi_version() - 1; }}\n"
        );
        std::fs::write(&source, twice).unwrap();
        for standard in standards {
            let output = Command::new(compiler)
                .args([&format!("-std={standard}"), "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"])
                .args(["-fsyntax-only", "-I"])
                .arg(root().join("include"))
                .arg(&source)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{compiler} {standard} {header}:\n{text}");
            compiled += 1;
        }
    }
    assert!(compiled > 0, "no C compiler is installed");
    println!("{compiled} combinations of compiler, standard and header");
}

/// Every exported function goes through a fence.
#[test]
fn no_export_goes_round_the_fence() {
    let mut exports = 0;
    for entry in std::fs::read_dir(root().join("src/ffi")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for function in text.split("#[unsafe(no_mangle)]").skip(1) {
            exports += 1;
            let body = function.split("\n}\n").next().unwrap();
            let name = body.split("fn ").nth(1).unwrap().split('(').next().unwrap();
            let fixed = ["mi_abi_version", "mi_version", "mi_status_name", "mi_last_error"].contains(&name);
            assert!(fixed || body.contains("fence!(") || body.contains("fence_or!("), "{name} has no fence");
        }
    }
    assert!(exports > 15, "only {exports} exports were found");
}
