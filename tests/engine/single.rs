//! One model, one row.

use crate::common::runs::{TestRun, answers};
use crate::{engine, engine_with, refused};
use mi::Status;
use mi::engine::{Engine, Options};
use mi::ir::Output;
use mi::loader::Name;
use std::sync::Arc;
use std::thread;

const MODEL: &str = "lightgbm/regression";
const NAME: Name<'static> = Name { target: "t", family: "lgb", view: None, symbol: None };

fn run() -> TestRun {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    run
}

#[test]
fn rows_are_answered_as_the_library_did() {
    let run = run();
    let engine = engine(&run);
    let expected = answers(MODEL);
    for index in 0..expected.rows.rows {
        let mut out = [0.0];
        engine.predict(NAME, Output::Value, expected.row(index), &mut out).unwrap();
        assert_eq!(out[0].to_bits(), expected.values.data[index].to_bits(), "row {index}");
    }
}

#[test]
fn a_wrong_width_says_both() {
    let run = run();
    let engine = engine(&run);
    let mut out = [7.0];
    refused(
        engine.predict(NAME, Output::Value, &[0.0; 5], &mut out),
        Status::ShapeMismatch,
        &["5 columns", "takes 8", "t/lgb"],
    );
    refused(engine.predict(NAME, Output::Value, &[0.0; 16], &mut out), Status::ShapeMismatch, &["16 columns"]);
    refused(engine.predict(NAME, Output::Value, &[0.0; 8], &mut [0.0; 2]), Status::ShapeMismatch, &["t/lgb"]);
    refused(engine.predict(NAME, Output::Probability, &[0.0; 8], &mut out), Status::Unsupported, &[]);
    assert_eq!(out, [7.0], "untouched");
}

#[test]
fn names_that_do_not_exist_are_the_loader_s_errors() {
    let run = run();
    let engine = engine(&run);
    let mut out = [7.0];
    let x = [0.0; 8];
    refused(engine.predict(Name::new("u", "lgb"), Output::Value, &x, &mut out), Status::NotFound, &["'u'", "are t"]);
    refused(engine.predict(Name::new("t", "xgb"), Output::Value, &x, &mut out), Status::NotFound, &["LightGBM"]);
    refused(engine.predict(NAME.view("NOPE"), Output::Value, &x, &mut out), Status::NotFound, &["CROSS_SECTIONAL"]);
    assert_eq!(out, [7.0], "untouched");
}

#[test]
fn the_model_is_the_loader_s() {
    let run = run();
    let engine = engine(&run);
    let model = engine.model(NAME).unwrap();
    assert!(Arc::ptr_eq(&model, &engine.loader().load(NAME).unwrap()));
    assert!(Arc::ptr_eq(&model, &engine.model(Name::new("t", "LightGBM").symbol("AAPL")).unwrap()));
}

#[test]
fn an_engine_keeps_its_models_where_the_loader_does_not() {
    let run = run();
    let loader = run.loader_with(|options| options.cache_models = false);
    let engine = Engine::new(Arc::new(loader), Options::default()).unwrap();
    let first = engine.model(NAME).unwrap();
    assert!(Arc::ptr_eq(&first, &engine.model(Name::new("t", "LightGBM")).unwrap()));
}

#[test]
fn symbols_keep_their_models_apart() {
    let run = TestRun::new();
    let view = "targets/t/models/view=SYMBOL_SPECIFIC";
    run.family(&format!("{view}/symbol=AAPL/family=lgb")).model(MODEL, "model.txt").done();
    run.family(&format!("{view}/symbol=MSFT/family=lgb")).model("lightgbm/quantile", "model.txt").done();
    let engine = engine(&run);
    let name = NAME.view("SYMBOL_SPECIFIC");
    for _ in 0..2 {
        for (symbol, case) in [("AAPL", MODEL), ("MSFT", "lightgbm/quantile")] {
            let expected = answers(case);
            let mut out = [0.0];
            engine.predict(name.symbol(symbol), Output::Value, expected.row(0), &mut out).unwrap();
            assert_eq!(out[0].to_bits(), expected.values.data[0].to_bits(), "{symbol}");
        }
        refused(engine.predict(name, Output::Value, &[0.0; 8], &mut [0.0]), Status::InvalidArgument, &["AAPL, MSFT"]);
    }
}

#[test]
fn a_failure_is_repaired_at_once() {
    let run = run();
    let folder = run.plain("t", "LightGBM").folder;
    let sound = std::fs::read(folder.join("model.txt")).unwrap();
    std::fs::write(folder.join("model.txt"), b"tree\n").unwrap();
    let engine = engine(&run);
    refused(engine.predict(NAME, Output::Value, &[0.0; 8], &mut [0.0]), Status::ChecksumMismatch, &["model.txt"]);
    std::fs::write(folder.join("model.txt"), sound).unwrap();
    engine.predict(NAME, Output::Value, &[0.0; 8], &mut [0.0]).unwrap();
}

#[test]
fn threads_share_an_engine() {
    let run = run();
    run.plain("u", "LightGBM").model("lightgbm/quantile", "model.txt").done();
    let engine = engine(&run);
    thread::scope(|scope| {
        for index in 0..32 {
            let engine = &engine;
            scope.spawn(move || {
                let (target, case) = if index % 2 == 0 { ("t", MODEL) } else { ("u", "lightgbm/quantile") };
                let expected = answers(case);
                for row in 0..expected.rows.rows {
                    let mut out = [0.0];
                    engine.predict(Name::new(target, "lgb"), Output::Value, expected.row(row), &mut out).unwrap();
                    assert_eq!(out[0].to_bits(), expected.values.data[row].to_bits());
                }
            });
        }
    });
}

#[test]
fn an_engine_outlives_the_run_on_disk() {
    let run = run();
    let engine = engine_with(&run, Options::default());
    engine.model(NAME).unwrap();
    drop(run);
    engine.predict(NAME, Output::Value, &[0.0; 8], &mut [0.0]).unwrap();
}

#[test]
fn priorities_that_cannot_be_meant_are_refused() {
    let run = run();
    let loader = Arc::new(run.loader());
    for wrong in [&[][..], &["lightgbm", "LGB"], &["ridge", ""]] {
        let family_priority = wrong.iter().map(|&name| name.to_owned()).collect();
        let options = Options { family_priority, ..Options::default() };
        refused(Engine::new(Arc::clone(&loader), options), Status::InvalidArgument, &["family_priority"]);
    }
}
