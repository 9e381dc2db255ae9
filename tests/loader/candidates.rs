//! Which file is the model: content decides.

use crate::common::runs::{TestRun, model_bytes};
use crate::{refused, warnings};
use mi::Status;
use mi::artifact::checksum::sha256;
use mi::loader::Name;
use serde_json::json;

const MODEL: &str = "lightgbm/regression";
const NAME: Name<'static> = Name { target: "t", family: "lgb", view: None, symbol: None };
/// A sound pickle of an empty dict, which is no model.
const PICKLE: &[u8] = b"\x80\x04}\x94.";

#[test]
fn endings_do_not_matter() {
    for file in
        ["model.pkl", "model.joblib", "model.txt", "model.json", "model.ubj", "model.cbm", "model.h5", "model.pt"]
    {
        let run = TestRun::new();
        run.plain("t", "LightGBM").model(MODEL, file).done();
        assert_eq!(run.loader().load(NAME).unwrap().facts()["library"], "lightgbm", "{file}");
    }
}

#[test]
fn the_first_that_is_read_wins_and_the_others_are_listed() {
    let run = TestRun::new();
    run.plain("t", "LightGBM")
        .model(MODEL, "model.txt")
        .file("model.pkl", PICKLE)
        .says("checksums", json!({"model.pkl": sha256(PICKLE)}))
        .file("model.ubj", &model_bytes("lightgbm/quantile"))
        .done();
    let model = run.loader().load(NAME).unwrap();
    assert!(model.facts()["path"].as_str().unwrap().ends_with("/model.txt"));
    let others = model.facts()["other_candidates"].as_array().unwrap();
    assert_eq!(others.len(), 2);
    assert_eq!(others[0]["file"], "model.pkl");
    assert!(others[0]["reason"].as_str().unwrap().contains("dict"));
    assert_eq!(others[1], json!({"file": "model.ubj", "reason": "model.txt came first"}));
}

#[test]
fn the_file_that_the_metadata_names_comes_first() {
    let run = TestRun::new();
    run.plain("t", "LightGBM")
        .file("model.txt", &model_bytes("lightgbm/quantile"))
        .model(MODEL, "booster_final.bin")
        .says("model_file", json!("booster_final.bin"))
        .done();
    let model = run.loader().load(NAME).unwrap();
    assert!(model.facts()["path"].as_str().unwrap().ends_with("/booster_final.bin"));
    assert_eq!(model.facts()["other_candidates"][0]["file"], "model.txt");
}

#[test]
fn a_named_file_that_is_missing_is_a_warning() {
    let run = TestRun::new();
    let bytes = model_bytes(MODEL);
    run.plain("t", "LightGBM")
        .file("model.txt", &bytes)
        .says("model_file", json!("model.pkl"))
        .says("checksums", json!({"model.txt": sha256(&bytes)}))
        .done();
    let model = run.loader().load(NAME).unwrap();
    assert!(warnings(&model)[0].contains("`model_file` is 'model.pkl'"), "{:?}", warnings(&model));
}

#[test]
fn a_format_that_is_known_but_not_read_says_so() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").file("model.onnx", b"\x18\0\0\0ORTMrest").file("model.txt", b"only notes").done();
    refused(
        run.loader().load(NAME),
        Status::Unsupported,
        &["ONNX Runtime's own format", "model.onnx", "t/CROSS_SECTIONAL/LightGBM"],
    );
    let run = TestRun::new();
    let folder = run.plain("t", "LightGBM").done();
    std::fs::create_dir(folder.join("saved_model")).unwrap();
    refused(run.loader().load(NAME), Status::Unsupported, &["saved_model", "directory"]);
}

#[test]
fn content_that_is_nothing_known_is_malformed() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").file("model.txt", b"only notes").done();
    refused(run.loader().load(NAME), Status::Malformed, &["model.txt", "only notes"]);
}

#[test]
fn a_broken_model_is_not_passed_over() {
    let run = TestRun::new();
    let half = &model_bytes(MODEL)[..900];
    run.plain("t", "LightGBM")
        .model(MODEL, "model.ubj")
        .file("model.txt", half)
        .says("checksums", json!({"model.txt": sha256(half)}))
        .done();
    refused(run.loader().load(NAME), Status::Malformed, &["model.txt"]);
}

#[test]
fn no_model_file_says_what_it_would_be_called() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").file("notes.md", b"").done();
    refused(run.loader().load(NAME), Status::NotFound, &["model.pkl, model.joblib, model.txt"]);
}
