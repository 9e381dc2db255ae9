//! What the metadata says about a model, and where it disagrees.

use crate::common::runs::TestRun;
use crate::{refused, warnings};
use mi::Status;
use mi::loader::Name;
use serde_json::json;

const MODEL: &str = "lightgbm/regression";
/// A model whose file names its columns `Column_0` to `Column_5`: nothing was named in training.
const UNNAMED: &str = "lightgbm/quantile";
const NAME: Name<'static> = Name { target: "t", family: "lgb", view: None, symbol: None };

#[test]
fn missing_metadata_says_what_is_expected_where() {
    let run = TestRun::new();
    let folder = run.plain("t", "LightGBM").model(MODEL, "model.txt").folder;
    let place = folder.canonicalize().unwrap();
    refused(run.loader().load(NAME), Status::NotFound, &["model_meta.json", place.to_str().unwrap(), "model_checksum"]);
}

#[test]
fn bare_words_of_python_are_accepted() {
    let run = TestRun::new();
    let text = br#"{"model_checksum": null, "metrics": {"auc": NaN, "worst": -Infinity}, "best": Infinity}"#;
    run.plain("t", "LightGBM").model(MODEL, "model.txt").file("model_meta.json", text);
    let loader = run.loader_with(|options| options.allow_unsigned = true);
    assert_eq!(loader.load(NAME).unwrap().facts()["metadata"]["metrics"]["worst"], "-Infinity");
    assert_eq!(loader.metrics(NAME).unwrap(), json!({"auc": "NaN", "worst": "-Infinity"}));
}

#[test]
fn metadata_that_is_no_object_is_malformed() {
    for text in ["[1, 2]", "{\"a\": ", ""] {
        let run = TestRun::new();
        run.plain("t", "LightGBM").model(MODEL, "model.txt").file("model_meta.json", text.as_bytes());
        refused(run.loader().load(NAME), Status::Malformed, &["model_meta.json"]);
    }
}

#[test]
fn bars_of_another_interval_are_refused() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").says("interval_minutes", json!(5)).done();
    run.plain("u", "LightGBM").model(MODEL, "model.txt").done();
    for (data, fits) in [(0.0, true), (5.0, true), (5.0 + 1e-10, true), (5.0 + 1e-8, false), (15.0, false)] {
        let loader = run.loader_with(|options| options.data_interval_minutes = data);
        if fits {
            loader.load(NAME).unwrap();
        } else {
            refused(loader.load(NAME), Status::IntervalMismatch, &["5 minutes", "interval_minutes"]);
        }
        loader.load(Name::new("u", "lgb")).unwrap();
    }
}

#[test]
fn names_in_the_file_go_before_the_metadata() {
    let run = TestRun::new();
    let sorted = ["ma_ratio_6", "macd_4", "mom_5", "range_7", "ret_0", "rsi_2", "vol_1", "vol_ratio_3"];
    run.plain("t", "LightGBM").model(MODEL, "model.txt").says("feature_list", json!(sorted)).done();
    let model = run.loader().load(NAME).unwrap();
    assert_eq!(model.feature_names().unwrap()[..3], ["ret_0", "vol_1", "rsi_2"]);
    assert_eq!(model.facts()["feature_names_from"], "model");
    assert_eq!(warnings(&model), Vec::<String>::new());
    model.names().unwrap();
}

#[test]
fn the_column_order_trap() {
    let run = TestRun::new();
    let order = ["z", "y", "x", "c", "b", "a"];
    let sorted = ["a", "b", "c", "x", "y", "z"];
    run.plain("t", "LightGBM")
        .model(UNNAMED, "model.txt")
        .says("feature_list", json!(sorted))
        .says("features", json!(order))
        .done();
    let model = run.loader().load(NAME).unwrap();
    assert_eq!(model.feature_names().unwrap(), order);
    assert_eq!(model.facts()["feature_names"], json!(order));
    assert_eq!(model.facts()["feature_names_from"], "features");
    run.plain("t", "LightGBM").model(UNNAMED, "model.txt").says("feature_list", json!(sorted)).done();
    assert_eq!(run.loader().load(NAME).unwrap().feature_names().unwrap(), sorted);
}

#[test]
fn the_column_count_trap() {
    let run = TestRun::new();
    let eight = ["a", "b", "c", "d", "e", "f", "g", "h"];
    run.plain("t", "LightGBM")
        .model(UNNAMED, "model.txt")
        .says("feature_list", json!(eight))
        .says("n_features", json!(8))
        .done();
    let model = run.loader().load(NAME).unwrap();
    assert_eq!(model.feature_count(), 6, "the model's own width holds");
    let warnings = warnings(&model);
    assert!(warnings[0].contains("8 names") && warnings[0].contains("6 columns"), "{warnings:?}");
    assert!(warnings[1].contains("`n_features` is 8"), "{warnings:?}");
    refused(model.names(), Status::ShapeMismatch, &["8 names", "6 columns"]);
}

#[test]
fn another_set_of_names_is_a_warning() {
    let run = TestRun::new();
    let other = ["ret_0", "vol_1", "rsi_2", "vol_ratio_3", "macd_4", "mom_5", "ma_ratio_6", "other"];
    run.plain("t", "LightGBM").model(MODEL, "model.txt").says("features", json!(other)).done();
    let model = run.loader().load(NAME).unwrap();
    assert!(warnings(&model)[0].contains("'range_7'") && warnings(&model)[0].contains("'other'"));
    assert_eq!(model.feature_names().unwrap()[7], "range_7");
    refused(model.names(), Status::ShapeMismatch, &["'other'"]);
}

#[test]
fn names_that_are_not_those_of_the_directories_are_warnings() {
    let run = TestRun::new();
    run.plain("eq_fwd", "LightGBM")
        .model(MODEL, "model.txt")
        .says("family", json!("lightgbm"))
        .says("target", json!("eq/fwd"))
        .says("view", json!("SEQUENTIAL"))
        .done();
    let model = run.loader().load(Name::new("eq_fwd", "lgb")).unwrap();
    assert_eq!(warnings(&model), ["metadata: `view` is 'SEQUENTIAL', the directory says 'CROSS_SECTIONAL'"]);
}
