//! Weights in files beside a model.

use crate::graphs::{Dim, FLOAT, Model as Hand};
use crate::{case, refused};
use mi::exec::Rows;
use mi::formats::ReadOptions;
use mi::ir::Output;
use mi::{Model, Status};
use std::path::Path;

/// A model of one weight, which lies where these entries say.
fn external(entries: &[(&str, &str)]) -> Vec<u8> {
    Hand::bytes(|graph| {
        graph.input("x", FLOAT, &[Dim::Open("N"), Dim::Fixed(2)]);
        graph.output("y", FLOAT, &[Dim::Open("N"), Dim::Fixed(2)]);
        graph.0.message(5, |tensor| {
            tensor.ints(1, [2]);
            tensor.int(2, FLOAT);
            tensor.bytes(8, b"w");
            for (key, value) in entries {
                tensor.message(13, |entry| {
                    entry.bytes(1, key.as_bytes());
                    entry.bytes(2, value.as_bytes());
                });
            }
            tensor.int(14, 1);
        });
        graph.node("Mul", &["x", "w"], &["y"], |_| {});
    })
}

fn write(folder: &Path, entries: &[(&str, &str)]) -> std::path::PathBuf {
    let path = folder.join("model.onnx");
    std::fs::write(&path, external(entries)).unwrap();
    path
}

#[test]
fn what_was_read_is_what_is_used() {
    needs_runtime!();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("w.bin");
    let numbers = [0.0f32, 2.0, 3.0, 9.0].map(f32::to_le_bytes).concat();
    std::fs::write(&data, &numbers).unwrap();
    let path = write(folder.path(), &[("location", "w.bin"), ("offset", "4"), ("length", "8")]);
    let model = Model::open(&path, &ReadOptions::default()).unwrap();
    // The file is gone, the numbers are not.
    std::fs::remove_file(&data).unwrap();
    let mut out = [0.0; 2];
    model.predict(Output::Value, Rows::new(&[10.0, 100.0], 1, 2).unwrap(), &mut out).unwrap();
    assert_eq!(out, [20.0, 300.0]);
    assert_eq!(model.facts()["graph"]["files"], serde_json::json!(["w.bin"]));
}

#[test]
fn memory_has_no_files_beside_it() {
    needs_runtime!();
    let bytes = std::fs::read(case("graph_external").model()).unwrap();
    refused(
        Model::from_bytes(&bytes, &ReadOptions::default()),
        Status::Unsupported,
        &["model.onnx.data", "open the model by its path"],
    );
}

#[test]
fn nothing_outside_of_the_folder_is_read() {
    needs_runtime!();
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(outer.path().join("secret"), [0; 64]).unwrap();
    std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
    std::fs::create_dir(folder.join("*")).unwrap();
    std::fs::create_dir(folder.join("*/_ORT_MEM_ADDR_")).unwrap();
    std::fs::write(folder.join("*/_ORT_MEM_ADDR_/*"), [0; 64]).unwrap();
    let open = |location: &str| {
        Model::open(
            &write(&folder, &[("location", location), ("offset", "0"), ("length", "8")]),
            &ReadOptions::default(),
        )
    };
    let absolute = outer.path().join("secret").display().to_string();
    for location in ["../secret", "a/../../secret", &absolute, ""] {
        refused(open(location), Status::Malformed, &["no file in the folder of the model"]);
    }
    refused(open("link"), Status::InvalidArgument, &["leads out of the folder"]);
    refused(open("none.bin"), Status::NotFound, &["none.bin"]);
    refused(open("*/_ORT_MEM_ADDR_/*"), Status::Malformed, &["an address in memory"]);
    refused(open("*"), Status::InvalidArgument, &["no regular file"]);
}

#[test]
fn ranges_must_lie_in_the_file() {
    needs_runtime!();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("w.bin"), [0; 16]).unwrap();
    let open = |entries: &[(&str, &str)]| {
        let mut all = vec![("location", "w.bin")];
        all.extend(entries);
        Model::open(&write(folder.path(), &all), &ReadOptions::default())
    };
    open(&[]).unwrap();
    open(&[("offset", "8")]).unwrap();
    refused(open(&[("offset", "9")]), Status::Malformed, &["16 bytes", "8 from byte 9"]);
    refused(open(&[("offset", "18446744073709551615")]), Status::Malformed, &["are needed"]);
    refused(open(&[("offset", "-1")]), Status::Malformed, &["`offset`", "-1"]);
    refused(open(&[("length", "4")]), Status::Malformed, &["4 bytes in a file", "asks for 8"]);
    refused(open(&[("length", "many")]), Status::Malformed, &["`length`"]);
    std::fs::write(folder.path().join("w.bin"), []).unwrap();
    refused(open(&[]), Status::Malformed, &["0 bytes"]);
    let nowhere = write(folder.path(), &[("offset", "0")]);
    refused(Model::open(&nowhere, &ReadOptions::default()), Status::Malformed, &["not named"]);
}
