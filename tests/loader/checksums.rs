//! SHA-256 of the bytes that are parsed.

use crate::common::runs::{TestRun, model_bytes};
use crate::{refused, warnings};
use mi::Status;
use mi::artifact::checksum::sha256;
use mi::loader::Name;
use serde_json::json;

const MODEL: &str = "lightgbm/regression";
const NAME: Name<'static> = Name { target: "t", family: "lgb", view: None, symbol: None };

#[test]
fn the_right_checksum_is_verified() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let sum = sha256(&model_bytes(MODEL));
    let expected = json!({"algorithm": "sha256", "expected": sum, "found": sum, "verified": true});
    assert_eq!(run.loader().load(NAME).unwrap().facts()["checksum"], expected);
}

#[test]
fn one_changed_byte_is_a_mismatch() {
    let run = TestRun::new();
    let mut bytes = model_bytes(MODEL);
    let sum = sha256(&bytes);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    run.plain("t", "LightGBM").file("model.txt", &bytes).says("model_checksum", json!(sum)).done();
    let found = sha256(&bytes);
    refused(run.loader().load(NAME), Status::ChecksumMismatch, &[&sum, &found, "model.txt", "model_meta.json"]);
    let lenient = run.loader_with(|options| options.strict_checksums = false).load(NAME).unwrap();
    assert_eq!(lenient.facts()["checksum"]["verified"], false);
    assert_eq!(lenient.facts()["checksum"]["found"], json!(found));
    let said = warnings(&lenient);
    assert!(said.iter().any(|warning| warning.contains("checksum mismatch") && warning.contains(&found)), "{said:?}");
    let off = run.loader_with(|options| options.verify_checksums = false).load(NAME).unwrap();
    assert_eq!(off.facts()["checksum"]["found"], json!(null));
}

#[test]
fn a_mismatch_is_found_before_the_file_is_parsed() {
    let run = TestRun::new();
    let half = &model_bytes(MODEL)[..900];
    run.plain("t", "LightGBM").file("model.txt", half).says("model_checksum", json!("0".repeat(64))).done();
    refused(run.loader().load(NAME), Status::ChecksumMismatch, &[]);
    let lenient = run.loader_with(|options| options.strict_checksums = false);
    refused(lenient.load(NAME), Status::Malformed, &[]);
}

#[test]
fn no_checksum_needs_permission() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").says("model_checksum", json!(null)).done();
    refused(run.loader().load(NAME), Status::Unsigned, &["model_checksum", "allow_unsigned"]);
    let model = run.loader_with(|options| options.allow_unsigned = true).load(NAME).unwrap();
    let sum = sha256(&model_bytes(MODEL));
    let expected = json!({"algorithm": "sha256", "expected": null, "found": sum, "verified": false});
    assert_eq!(model.facts()["checksum"], expected);
}

#[test]
fn the_checksum_of_another_file_does_not_count() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").says("model_file", json!("model.pkl")).done();
    refused(run.loader().load(NAME), Status::Unsigned, &["`checksums` for 'model.txt'"]);
}

#[test]
fn a_checksum_that_is_none_is_explained() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").says("model_checksum", json!("deadbeef")).done();
    refused(run.loader().load(NAME), Status::ChecksumMismatch, &["deadbeef", "64 hexadecimal digits"]);
    run.plain("t", "LightGBM").model(MODEL, "model.txt").says("model_checksum", json!(17)).done();
    refused(run.loader().load(NAME), Status::Malformed, &["`model_checksum` is a number"]);
}
