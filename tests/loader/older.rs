//! Runs of the older generation.

use crate::common::runs::TestRun;
use crate::refused;
use mi::Status;
use mi::loader::{Loader, Name, Options};
use serde_json::json;

const MODEL: &str = "lightgbm/regression";

/// A directory with one run of the older generation and one model in it.
fn older() -> TestRun {
    let run = TestRun { folder: tempfile::tempdir().unwrap() };
    run.family("mtf_20240102_030405/LightGBM/fwd_ret_5m")
        .model(MODEL, "lightgbm_mtf_b0.txt")
        .says("family", json!("LightGBM"))
        .done_as("meta_b0.json");
    run
}

#[test]
fn the_directory_and_what_holds_it_are_opened() {
    let run = older();
    let stamp = run.path().join("mtf_20240102_030405");
    for place in [run.path().to_owned(), stamp.clone(), stamp.join("LightGBM/fwd_ret_5m")] {
        let loader = Loader::open(&place, Options::default()).unwrap();
        assert_eq!(loader.root(), stamp.canonicalize().unwrap());
        assert_eq!(loader.targets().unwrap(), ["fwd_ret_5m"]);
        assert_eq!(loader.views("fwd_ret_5m").unwrap(), ["CROSS_SECTIONAL"]);
        assert_eq!(loader.families("fwd_ret_5m", None).unwrap(), ["LightGBM"]);
        let model = loader.load(Name::new("fwd/ret/5m", "lgb")).unwrap();
        assert_eq!(model.facts()["target"], "fwd_ret_5m");
        assert_eq!(model.facts()["checksum"]["verified"], true);
    }
}

#[test]
fn a_directory_is_no_run_by_its_name_alone() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("mtf_home/a/b/c/d");
    std::fs::create_dir_all(&deep).unwrap();
    refused(Loader::open(&deep, Options::default()), Status::NotFound, &["no training run"]);
}

#[test]
fn several_runs_are_not_chosen_from() {
    let run = older();
    std::fs::create_dir(run.path().join("mtf_20250101_000000")).unwrap();
    let words = ["mtf_20240102_030405", "mtf_20250101_000000"];
    refused(Loader::open(run.path(), Options::default()), Status::InvalidArgument, &words);
}

#[test]
fn what_is_missing_or_unread_is_named() {
    let run = older();
    let loader = run.loader();
    refused(loader.load(Name::new("fwd_ret_15m", "lgb")), Status::NotFound, &["fwd_ret_5m"]);
    refused(loader.load(Name::new("fwd_ret_5m", "xgb")), Status::NotFound, &["LightGBM"]);
    refused(loader.load(Name::new("fwd_ret_5m", "lgb").view("SEQUENTIAL")), Status::NotFound, &["CROSS_SECTIONAL"]);
    run.family("mtf_20240102_030405/Ridge/fwd_ret_5m");
    refused(loader.load(Name::new("fwd_ret_5m", "Ridge")), Status::NotFound, &["meta_b0.json"]);
    run.family("mtf_20240102_030405/Ridge/fwd_ret_5m").file("ridge_mtf_b0.meta.joblib", b"\x80\x04.");
    refused(loader.load(Name::new("fwd_ret_5m", "Ridge")), Status::Malformed, &["ridge_mtf_b0.meta.joblib"]);
    run.family("mtf_20240102_030405/Ridge/fwd_ret_5m").done_as("meta_b0.json");
    refused(loader.load(Name::new("fwd_ret_5m", "Ridge")), Status::NotFound, &["_mtf_b0.{txt,joblib,keras,json,pt}"]);
}

#[test]
fn a_scaler_is_never_ignored() {
    let run = older();
    run.family("mtf_20240102_030405/LightGBM/fwd_ret_5m").file("lightgbm_mtf_b0_scaler.joblib", b"\x80\x04.");
    let lenient = run.loader_with(|options| options.allow_unsigned = true);
    refused(lenient.load(Name::new("fwd_ret_5m", "lgb")), Status::Malformed, &["lightgbm_mtf_b0_scaler.joblib"]);
    refused(run.loader().load(Name::new("fwd_ret_5m", "lgb")), Status::Unsigned, &["lightgbm_mtf_b0_scaler.joblib"]);
}
