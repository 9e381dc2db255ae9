//! Where a run is found and what it lists.

use crate::common::runs::{TestRun, answers};
use crate::refused;
use mi::Status;
use mi::exec::Rows;
use mi::ir::Output;
use mi::loader::{Entry, Loader, Name, Options, Selector};
use serde_json::json;
use std::sync::Arc;

const MODEL: &str = "lightgbm/regression";

#[test]
fn a_model_by_name_answers_as_its_library_did() {
    let run = TestRun::new();
    let folder = run.plain("fwd_ret_5m", "LightGBM").model(MODEL, "model.txt").says("family", json!("LightGBM")).done();
    let model = run.loader().load(Name::new("fwd_ret_5m", "lightgbm")).unwrap();
    let expected = answers(MODEL);
    let rows = Rows::new(&expected.rows.data, expected.rows.rows, expected.rows.columns).unwrap();
    let mut out = vec![0.0; expected.rows.rows];
    model.predict(Output::Value, rows, &mut out).unwrap();
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&out), bits(&expected.values.data));
    let facts = model.facts();
    for (key, value) in [
        ("family", json!("LightGBM")),
        ("target", json!("fwd_ret_5m")),
        ("view", json!("CROSS_SECTIONAL")),
        ("symbol", json!(null)),
        ("path", json!(folder.canonicalize().unwrap().join("model.txt").to_str().unwrap())),
        ("other_candidates", json!([])),
        ("warnings", json!([])),
        ("feature_names_from", json!("model")),
    ] {
        assert_eq!(facts[key], value, "{key}");
    }
    assert_eq!(facts["metadata"]["family"], "LightGBM");
    assert_eq!(facts["checksum"]["verified"], true);
}

#[test]
fn any_path_inside_of_a_run_leads_to_its_root() {
    let run = TestRun::new();
    let deep = run.plain("fwd_ret_5m", "LightGBM").model(MODEL, "model.txt").done();
    let root = run.path().canonicalize().unwrap();
    for inside in [run.path().to_owned(), run.path().join("targets"), deep.clone(), deep.join("model.txt")] {
        let loader = Loader::open(&inside, Options::default()).unwrap();
        assert_eq!(loader.root(), root, "{}", inside.display());
        loader.load(Name::new("fwd_ret_5m", "LightGBM")).unwrap();
    }
}

#[test]
fn the_climb_ends_after_twenty_parents() {
    let run = TestRun::new();
    let steps = |count: usize| run.path().join(vec!["d"; count].join("/"));
    std::fs::create_dir_all(steps(21)).unwrap();
    Loader::open(&steps(20), Options::default()).unwrap();
    refused(Loader::open(&steps(21), Options::default()), Status::NotFound, &["20 parents", "targets/"]);
}

#[test]
fn each_mark_makes_a_root() {
    for mark in ["targets", "globals", "cache"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(mark)).unwrap();
        let loader = Loader::open(folder.path(), Options::default()).unwrap();
        assert_eq!(loader.targets().unwrap(), Vec::<String>::new(), "{mark}");
    }
}

#[test]
fn a_root_that_is_not_there_is_named() {
    refused(Loader::open("/nonexistent/run".as_ref(), Options::default()), Status::NotFound, &["/nonexistent/run"]);
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    let run = TestRun::new();
    for wrong in [f64::NAN, -1.0, f64::INFINITY] {
        let options = Options { data_interval_minutes: wrong, ..Options::default() };
        refused(Loader::open(run.path(), options), Status::InvalidArgument, &["data_interval_minutes"]);
    }
    let options = Options { max_file_bytes: 0, ..Options::default() };
    refused(Loader::open(run.path(), options), Status::InvalidArgument, &["max_file_bytes"]);
}

#[test]
fn listings_are_in_bytewise_order() {
    let run = TestRun::new();
    for target in ["b", "B", "a_1", "a1", "é"] {
        run.plain(target, "ridge").done();
    }
    for family in ["xgboost", "LightGBM", "mlp"] {
        run.plain("b", family).done();
    }
    run.family("targets/b/models/view=SEQUENTIAL/family=lstm").done();
    run.family("targets/b/models/view=SYMBOL_SPECIFIC/symbol=MSFT/family=LightGBM").done();
    run.family("targets/b/models/view=SYMBOL_SPECIFIC/symbol=AAPL/family=XGBoost").done();
    run.family("targets/b/models/view=CROSS_SECTIONAL/.ipynb_checkpoints").done();
    std::fs::write(run.path().join("targets/notes.txt"), "no target").unwrap();
    let loader = run.loader();
    assert_eq!(loader.targets().unwrap(), ["B", "a1", "a_1", "b", "é"]);
    assert_eq!(loader.views("b").unwrap(), ["CROSS_SECTIONAL", "SEQUENTIAL", "SYMBOL_SPECIFIC"]);
    assert_eq!(loader.families("b", None).unwrap(), ["LightGBM", "mlp", "ridge", "xgboost"]);
    assert_eq!(loader.families("b", Some("SYMBOL_SPECIFIC")).unwrap(), ["LightGBM", "XGBoost"]);
    assert_eq!(loader.symbols("b", Some("SYMBOL_SPECIFIC")).unwrap(), ["AAPL", "MSFT"]);
    assert_eq!(loader.symbols("b", None).unwrap(), Vec::<String>::new());
}

#[test]
fn selections_match_everything_that_is_given() {
    let run = TestRun::new();
    run.plain("a", "LightGBM").done();
    run.plain("b", "light_gbm").done();
    run.family("targets/b/models/view=SYMBOL_SPECIFIC/symbol=AAPL/family=lgb").done();
    run.family("targets/b/models/view=SYMBOL_SPECIFIC/symbol=AAPL/family=ridge").done();
    let loader = run.loader();
    let shown = |selector: &Selector| -> Vec<String> {
        loader.select(selector).unwrap().iter().map(Entry::to_string).collect()
    };
    let all = Selector::default();
    assert_eq!(shown(&all).len(), 4);
    let family = Selector { family: Some("LightGBM".to_owned()), ..Selector::default() };
    assert_eq!(
        shown(&family),
        ["a/CROSS_SECTIONAL/LightGBM", "b/CROSS_SECTIONAL/light_gbm", "b/SYMBOL_SPECIFIC/AAPL/lgb"]
    );
    let symbol = Selector { symbol: Some("AAPL".to_owned()), target: Some("b".to_owned()), ..family.clone() };
    assert_eq!(shown(&symbol), ["b/SYMBOL_SPECIFIC/AAPL/lgb"]);
    let view = Selector { view: Some("view=cross_sectional".to_owned()), ..Selector::default() };
    assert_eq!(shown(&view).len(), 2);
    refused(
        loader.select(&Selector { target: Some("c".to_owned()), ..Selector::default() }),
        Status::NotFound,
        &["'c'"],
    );
}

#[test]
fn separators_in_target_names_are_underscores_on_disk() {
    let run = TestRun::new();
    run.plain("eq_us_fwd", "LightGBM").model(MODEL, "model.txt").done();
    let loader = run.loader();
    for target in ["eq_us_fwd", "eq/us/fwd", "eq\\us\\fwd"] {
        loader.load(Name::new(target, "LightGBM")).unwrap();
        assert_eq!(loader.families(target, None).unwrap(), ["LightGBM"]);
    }
}

#[test]
fn every_spelling_of_a_family_is_the_same_instance() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let loader = run.loader();
    let first = loader.load(Name::new("t", "LightGBM")).unwrap();
    for spelling in ["lightgbm", "lgb", "LGBM", "gbm", "family=light-gbm", "Light GBM"] {
        assert!(Arc::ptr_eq(&first, &loader.load(Name::new("t", spelling)).unwrap()), "{spelling}");
    }
    let view = Name::new("t", "lgb").view("cross_sectional");
    assert!(Arc::ptr_eq(&first, &loader.load(view).unwrap()));
    let symbol = Name::new("t", "lgb").symbol("AAPL");
    assert!(
        Arc::ptr_eq(&first, &loader.load(symbol).unwrap()),
        "without a level of symbols the symbol does not matter"
    );
}

#[test]
fn the_unknown_is_answered_by_what_exists() {
    let run = TestRun::new();
    run.plain("fwd_ret_5m", "LightGBM").model(MODEL, "model.txt").done();
    run.plain("fwd_ret_5m", "Ridge").done();
    let loader = run.loader();
    let words = ["'lightgmb'", "LightGBM, Ridge", "did you mean 'LightGBM'"];
    refused(loader.load(Name::new("fwd_ret_5m", "lightgmb")), Status::NotFound, &words);
    refused(loader.load(Name::new("fwd_ret_5", "lgb")), Status::NotFound, &["did you mean 'fwd_ret_5m'"]);
    refused(loader.load(Name::new("fwd_ret_5m", "lgb").view("SEQUENTAL")), Status::NotFound, &["CROSS_SECTIONAL"]);
    refused(loader.views("nope"), Status::NotFound, &["fwd_ret_5m"]);
}

#[test]
fn two_directories_of_one_name_are_both_named() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    run.plain("t", "lightgbm").model(MODEL, "model.txt").done();
    let words = ["family=LightGBM", "family=lightgbm"];
    refused(run.loader().load(Name::new("t", "LightGBM")), Status::InvalidArgument, &words);
}

#[test]
fn symbols_have_their_own_models() {
    let run = TestRun::new();
    let view = "targets/t/models/view=SYMBOL_SPECIFIC";
    run.family(&format!("{view}/symbol=AAPL/family=LightGBM")).model(MODEL, "model.txt").done();
    run.family(&format!("{view}/symbol=MSFT/family=LightGBM")).model("lightgbm/quantile", "model.txt").done();
    let loader = run.loader();
    let name = Name::new("t", "lgb").view("SYMBOL_SPECIFIC");
    let apple = loader.load(name.symbol("AAPL")).unwrap();
    let microsoft = loader.load(name.symbol("MSFT")).unwrap();
    assert_eq!(apple.facts()["symbol"], "AAPL");
    assert_eq!(microsoft.facts()["symbol"], "MSFT");
    assert_ne!(apple.feature_count(), microsoft.feature_count());
    assert!(Arc::ptr_eq(&apple, &loader.load(name.symbol("AAPL")).unwrap()));
    refused(loader.load(name), Status::InvalidArgument, &["AAPL, MSFT"]);
    refused(loader.load(name.symbol("GOOG")), Status::NotFound, &["'GOOG'", "AAPL, MSFT"]);
}

#[test]
fn other_views_fall_back_to_the_shared_model() {
    let run = TestRun::new();
    let view = "targets/t/models/view=SEQUENTIAL";
    run.family(&format!("{view}/family=LightGBM")).model(MODEL, "model.txt").done();
    run.family(&format!("{view}/symbol=AAPL/family=LightGBM")).model("lightgbm/quantile", "model.txt").done();
    let loader = run.loader();
    let name = Name::new("t", "lgb").view("SEQUENTIAL");
    let shared = loader.load(name).unwrap();
    let apple = loader.load(name.symbol("AAPL")).unwrap();
    assert_eq!((&shared.facts()["symbol"], &apple.facts()["symbol"]), (&json!(null), &json!("AAPL")));
    assert!(Arc::ptr_eq(&shared, &loader.load(name.symbol("MSFT")).unwrap()));
    assert!(Arc::ptr_eq(&shared, &loader.load(name).unwrap()));
}

#[test]
fn universes_are_one_level_more() {
    let run = TestRun::new();
    let view = "targets/t/models/view=SYMBOL_SPECIFIC";
    run.family(&format!("{view}/universe=ab12/symbol=AAPL/family=LightGBM")).model(MODEL, "model.txt").done();
    let name = Name::new("t", "lgb").view("SYMBOL_SPECIFIC").symbol("AAPL");
    assert_eq!(run.loader().load(name).unwrap().feature_count(), 8);
    assert_eq!(run.loader().symbols("t", Some("SYMBOL_SPECIFIC")).unwrap(), ["AAPL"]);
    run.family(&format!("{view}/universe=cd34/symbol=AAPL/family=LightGBM"))
        .model("lightgbm/quantile", "model.txt")
        .done();
    refused(run.loader().load(name), Status::InvalidArgument, &["universe=ab12", "universe=cd34", "option `universe`"]);
    for (universe, width) in [("ab12", 8), ("cd34", 6)] {
        let loader = run.loader_with(|options| options.universe = Some(universe.to_owned()));
        assert_eq!(loader.load(name).unwrap().feature_count(), width);
    }
}

#[test]
fn decisions_and_manifests_are_read() {
    let run = TestRun::new();
    run.plain("eq_fwd", "LightGBM").says("metrics", json!({"ic": 0.08})).done();
    let loader = run.loader();
    assert_eq!(loader.routing("eq_fwd", None).unwrap(), None);
    assert_eq!(loader.manifest().unwrap(), None);
    let target = run.path().join("targets/eq_fwd");
    let view = target.join("models/view=CROSS_SECTIONAL/routing_decision.json");
    std::fs::write(view, r#"{"selected_family": "LightGBM", "score": NaN}"#).unwrap();
    let of_view = json!({"selected_family": "LightGBM", "score": "NaN"});
    assert_eq!(loader.routing("eq_fwd", None).unwrap(), Some(of_view.clone()));
    std::fs::create_dir(target.join("decision")).unwrap();
    std::fs::write(target.join("decision/routing_decision.json"), r#"{"eq/fwd": {"route": "CROSS_SECTIONAL"}}"#)
        .unwrap();
    assert_eq!(loader.routing("eq/fwd", None).unwrap(), Some(json!({"route": "CROSS_SECTIONAL"})));
    assert_eq!(loader.routing("eq_fwd", Some("CROSS_SECTIONAL")).unwrap(), Some(of_view));
    std::fs::write(run.path().join("manifest.json"), r#"{"target_index": {"eq_fwd": {}}}"#).unwrap();
    assert_eq!(loader.manifest().unwrap(), Some(json!({"target_index": {"eq_fwd": {}}})));
    std::fs::write(run.path().join("manifest.json"), "{").unwrap();
    refused(loader.manifest(), Status::Malformed, &["manifest.json"]);
    assert_eq!(loader.metrics(Name::new("eq_fwd", "lgb")).unwrap(), json!({"ic": 0.08}));
    assert_eq!(loader.metadata(Name::new("eq_fwd", "lgb")).unwrap()["metrics"]["ic"], 0.08);
}
