//! Rows whose values come by name.

use crate::common::runs::{TestRun, answers};
use crate::{engine, refused};
use mi::Status;
use mi::ir::Output;
use mi::loader::Name;
use serde_json::json;

const MODEL: &str = "lightgbm/regression";
const COLUMNS: [&str; 8] = ["ret_0", "vol_1", "rsi_2", "vol_ratio_3", "macd_4", "mom_5", "ma_ratio_6", "range_7"];
/// A model whose file names nothing.
const UNNAMED: &str = "lightgbm/quantile";
const NAME: Name<'static> = Name { target: "t", family: "lgb", view: None, symbol: None };

#[test]
fn the_order_of_the_caller_does_not_matter() {
    let run = TestRun::new();
    let mut sorted = COLUMNS;
    sorted.sort_unstable();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").says("feature_list", json!(sorted)).done();
    let engine = engine(&run);
    let expected = answers(MODEL);
    for index in 0..expected.rows.rows {
        let mut named: Vec<(&str, f64)> = COLUMNS.iter().copied().zip(expected.row(index).iter().copied()).collect();
        named.sort_by_key(|(name, _)| *name);
        named.insert(3, ("close", 101.5));
        let mut out = [0.0];
        engine.predict_named(NAME, Output::Value, &named, &mut out).unwrap();
        assert_eq!(out[0].to_bits(), expected.values.data[index].to_bits(), "row {index}");
    }
}

#[test]
fn the_metadata_names_what_the_file_does_not() {
    let run = TestRun::new();
    let order = ["z", "y", "x", "c", "b", "a"];
    run.plain("t", "LightGBM")
        .model(UNNAMED, "model.txt")
        .says("feature_list", json!(["a", "b", "c", "x", "y", "z"]))
        .says("features", json!(order))
        .done();
    let engine = engine(&run);
    let expected = answers(UNNAMED);
    for index in 0..expected.rows.rows {
        let named: Vec<(&str, f64)> = order.iter().copied().zip(expected.row(index).iter().copied()).rev().collect();
        let mut out = [0.0];
        engine.predict_named(NAME, Output::Value, &named, &mut out).unwrap();
        assert_eq!(out[0].to_bits(), expected.values.data[index].to_bits(), "row {index}");
    }
}

#[test]
fn names_that_disagree_are_refused_until_they_are_supplied() {
    let run = TestRun::new();
    run.plain("t", "LightGBM")
        .model(UNNAMED, "model.txt")
        .says("feature_list", json!(["a", "b", "c", "d", "e", "f", "g", "h"]))
        .done();
    let engine = engine(&run);
    let named = [("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0), ("e", 1.0), ("f", 1.0), ("g", 1.0), ("h", 1.0)];
    let mut out = [7.0];
    let words = ["8 names", "6 columns", "mi_engine_set_feature_names"];
    refused(engine.predict_named(NAME, Output::Value, &named, &mut out), Status::ShapeMismatch, &words);
    engine.predict(NAME, Output::Value, &[1.0; 6], &mut out).unwrap();
    let by_position = out[0];
    refused(engine.set_feature_names(NAME, &["a", "b"]), Status::ShapeMismatch, &["2 names", "6 columns"]);
    refused(
        engine.set_feature_names(NAME, &["a", "b", "c", "d", "e", "a"]),
        Status::InvalidArgument,
        &["'a'", "0 and 5"],
    );
    engine.set_feature_names(NAME, &["a", "b", "c", "d", "e", "f"]).unwrap();
    out = [7.0];
    engine.predict_named(Name::new("t", "LightGBM"), Output::Value, &named, &mut out).unwrap();
    assert_eq!(out, [by_position], "the names hold for every spelling of the model");
}

#[test]
fn what_is_missing_or_doubled_is_named() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let engine = engine(&run);
    let mut named: Vec<(&str, f64)> = COLUMNS.iter().map(|&name| (name, 0.5)).collect();
    named.remove(4);
    let mut out = [7.0];
    let words = ["1 of the model's 8 features", "'macd_4'", "t/lgb"];
    refused(engine.predict_named(NAME, Output::Value, &named, &mut out), Status::InvalidArgument, &words);
    named.push(("rsi_2", 0.1));
    refused(
        engine.predict_named(NAME, Output::Value, &named, &mut out),
        Status::InvalidArgument,
        &["'rsi_2'", "twice"],
    );
    assert_eq!(out, [7.0], "untouched");
}
