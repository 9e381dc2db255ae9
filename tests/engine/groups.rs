//! All families of a target, and the first that answers.

use crate::common::runs::{TestRun, answers, model_bytes};
use crate::{engine, engine_with, refused};
use mi::Status;
use mi::engine::{Engine, Group, Options};
use mi::ir::Output;
use mi::loader::Name;
use std::time::Duration;

const MODEL: &str = "lightgbm/regression";
const GROUP: Group<'static> = Group { target: "t", view: None, symbol: None };

/// Families that answer (`LightGBM`, `huber`: two models of the same width), one whose file is not read, one of another width.
fn run() -> TestRun {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    run.plain("t", "dart").model("lightgbm/quantile", "model.txt").done();
    run.plain("t", "mlp").file("model.h5", b"\x18\0\0\0ORTMrest").done();
    run.plain("t", "xgboost").model(MODEL, "model.txt").done();
    run
}

fn fallback<'e>(engine: &'e Engine, out: &mut [f64]) -> mi::Result<&'e str> {
    engine.predict_with_fallback(GROUP, Output::Value, answers(MODEL).row(0), out)
}

#[test]
fn every_family_is_asked_and_failures_are_left_out() {
    let run = run();
    let engine = engine(&run);
    assert_eq!(*engine.families(GROUP).unwrap(), ["LightGBM", "dart", "mlp", "xgboost"]);
    let expected = answers(MODEL);
    for _ in 0..2 {
        let mut values = [7.0; 4];
        let mut failures = Vec::new();
        let answered = engine.predict_all(GROUP, Output::Value, expected.row(3), &mut values, &mut failures).unwrap();
        assert_eq!(answered, 2);
        for answer in [values[0], values[3]] {
            assert_eq!(answer.to_bits(), expected.values.data[3].to_bits());
        }
        assert!(values[1].is_nan() && values[2].is_nan());
        let kinds: Vec<(usize, Status)> = failures.iter().map(|(index, error)| (*index, error.status())).collect();
        assert_eq!(kinds, [(1, Status::ShapeMismatch), (2, Status::Unsupported)]);
        assert!(failures[0].1.message().contains("8 columns, the model takes 6"), "{}", failures[0].1);
    }
}

#[test]
fn answers_need_a_place_each() {
    let run = run();
    let engine = engine(&run);
    let mut failures = Vec::new();
    let asked = engine.predict_all(GROUP, Output::Value, &[0.0; 8], &mut [0.0; 3], &mut failures);
    refused(asked, Status::ShapeMismatch, &["3 numbers", "4 families"]);
    let unknown = Group { target: "u", ..GROUP };
    refused(engine.predict_all(unknown, Output::Value, &[0.0; 8], &mut [], &mut failures), Status::NotFound, &["'u'"]);
}

#[test]
fn families_that_cannot_be_told_apart_fail_alone() {
    let run = run();
    run.plain("t", "lgbm").model(MODEL, "model.txt").done();
    let engine = engine(&run);
    let mut values = [0.0; 5];
    let mut failures = Vec::new();
    let answered = engine.predict_all(GROUP, Output::Value, &[0.0; 8], &mut values, &mut failures).unwrap();
    assert_eq!(answered, 1);
    let ambiguous = failures.iter().filter(|(_, error)| error.status() == Status::InvalidArgument).count();
    assert_eq!(ambiguous, 2);
}

#[test]
fn the_first_family_of_the_priority_that_answers() {
    let run = run();
    let expected = answers(MODEL).values.data[0];
    for (priority, answers) in [
        (&["lightgbm", "xgboost"][..], "lightgbm"),
        (&["xgb", "lightgbm"], "xgb"),
        (&["ridge", "mlp", "dart", "LGB"], "LGB"),
    ] {
        let family_priority = priority.iter().map(|&name| name.to_owned()).collect();
        let engine = engine_with(&run, Options { family_priority, ..Options::default() });
        for _ in 0..3 {
            let mut out = [0.0];
            assert_eq!(fallback(&engine, &mut out).unwrap(), answers);
            assert_eq!(out[0].to_bits(), expected.to_bits());
        }
    }
}

#[test]
fn when_none_answers_each_is_explained() {
    let run = run();
    let family_priority = ["ridge", "mlp", "dart"].map(str::to_owned).to_vec();
    let engine = engine_with(&run, Options { family_priority, ..Options::default() });
    for _ in 0..2 {
        let mut out = [7.0];
        let words = ["ridge: no family 'ridge'", "mlp: ", "ONNX Runtime", "dart: ", "takes 6"];
        refused(fallback(&engine, &mut out), Status::Unsupported, &words);
        assert_eq!(out, [7.0], "untouched");
    }
    let family_priority = ["ridge", "lasso"].map(str::to_owned).to_vec();
    let engine = engine_with(&run, Options { family_priority, ..Options::default() });
    refused(fallback(&engine, &mut [0.0]), Status::NotFound, &["ridge", "lasso"]);
}

#[test]
fn a_failure_is_remembered_for_a_while() {
    let run = run();
    let folder = run.plain("t", "mlp").folder;
    let patient = engine(&run);
    let eager = engine_with(&run, Options { retry_failed: Duration::ZERO, ..Options::default() });
    let ask = |engine: &Engine| {
        let mut values = [0.0; 4];
        engine.predict_all(GROUP, Output::Value, &[0.0; 8], &mut values, &mut Vec::new()).unwrap()
    };
    assert_eq!((ask(&patient), ask(&eager)), (2, 2));
    std::fs::write(folder.join("model.h5"), model_bytes(MODEL)).unwrap();
    run.plain("t", "mlp").model(MODEL, "model.h5").done();
    assert_eq!((ask(&patient), ask(&eager)), (2, 3), "the files are not touched again for 30 s");
    patient.predict(Name::new("t", "mlp"), Output::Value, &[0.0; 8], &mut [0.0]).unwrap();
    assert_eq!(ask(&patient), 3, "asking for one model always tries");
}

#[test]
fn groups_of_symbols_are_apart() {
    let run = TestRun::new();
    let view = "targets/t/models/view=SYMBOL_SPECIFIC";
    run.family(&format!("{view}/symbol=AAPL/family=lgb")).model(MODEL, "model.txt").done();
    run.family(&format!("{view}/symbol=AAPL/family=xgb")).model(MODEL, "model.txt").done();
    run.family(&format!("{view}/symbol=MSFT/family=ridge")).model(MODEL, "model.txt").done();
    let engine = engine(&run);
    let group = |symbol| Group { target: "t", view: Some("SYMBOL_SPECIFIC"), symbol };
    assert_eq!(*engine.families(group(Some("AAPL"))).unwrap(), ["lgb", "xgb"]);
    assert_eq!(*engine.families(group(Some("MSFT"))).unwrap(), ["ridge"]);
    refused(engine.families(group(None)), Status::InvalidArgument, &["AAPL, MSFT"]);
    let mut out = [0.0];
    let answer = |symbol| engine.predict_with_fallback(group(Some(symbol)), Output::Value, &[0.0; 8], &mut [0.0]);
    assert_eq!(answer("AAPL").unwrap(), "lightgbm");
    assert_eq!(answer("MSFT").unwrap(), "ridge");
    refused(
        engine.predict_with_fallback(group(Some("GOOG")), Output::Value, &[0.0; 8], &mut out),
        Status::NotFound,
        &["GOOG"],
    );
}
