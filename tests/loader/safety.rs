//! Names that are paths, links that lead out, files without an end.

use crate::common::runs::{TestRun, model_bytes};
use crate::refused;
use mi::Status;
use mi::artifact::checksum::sha256;
use mi::loader::{Loader, Name, Options};
use serde_json::json;

const MODEL: &str = "lightgbm/regression";
const NAME: Name<'static> = Name { target: "t", family: "lgb", view: None, symbol: None };

#[test]
fn names_are_not_paths() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let loader = run.loader();
    for trick in ["", ".", "..", "../t", "/t", "t/../t", "\\\\t", "t\0"] {
        refused(loader.load(Name::new(trick, "lgb")), Status::InvalidArgument, &[]);
    }
    for trick in ["", "..", "../family=LightGBM", "/LightGBM", "a\\b", "l\0", "family=", "family=../x"] {
        refused(loader.load(Name::new("t", trick)), Status::InvalidArgument, &[]);
    }
    for trick in ["", "..", "../view=CROSS_SECTIONAL", "/", "view=", "v\0"] {
        refused(loader.load(Name::new("t", "lgb").view(trick)), Status::InvalidArgument, &[]);
        refused(loader.symbols("t", Some(trick)), Status::InvalidArgument, &[]);
    }
    for trick in ["", "..", "a/b", "/etc", "..\\x", "A\0", "symbol="] {
        refused(loader.load(Name::new("t", "lgb").symbol(trick)), Status::InvalidArgument, &[]);
    }
    let universe = Options { universe: Some("../x".to_owned()), ..Options::default() };
    refused(Loader::open(run.path(), universe), Status::InvalidArgument, &["universe"]);
}

#[test]
fn a_model_file_that_is_a_path_is_refused() {
    for file in ["../model.txt", "/etc/passwd", "..", ""] {
        let run = TestRun::new();
        run.plain("t", "LightGBM").model(MODEL, "model.txt").says("model_file", json!(file)).done();
        refused(run.loader().load(NAME), Status::InvalidArgument, &["model_file", "model_meta.json"]);
    }
}

#[cfg(unix)]
mod links {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_that_leave_the_run_are_refused() {
        let outside = TestRun::new();
        let other = outside.plain("t", "LightGBM").model(MODEL, "model.txt").done();
        // A file, the metadata, a family and a target.
        let run = TestRun::new();
        let folder = run.plain("file", "LightGBM").model(MODEL, "model.json").done();
        std::fs::remove_file(folder.join("model.json")).unwrap();
        symlink(other.join("model.txt"), folder.join("model.txt")).unwrap();
        let folder = run.plain("meta", "LightGBM").model(MODEL, "model.txt").folder;
        symlink(other.join("model_meta.json"), folder.join("model_meta.json")).unwrap();
        let view = run.path().join("targets/family/models/view=CROSS_SECTIONAL");
        std::fs::create_dir_all(&view).unwrap();
        symlink(&other, view.join("family=LightGBM")).unwrap();
        symlink(outside.path().join("targets/t"), run.path().join("targets/target")).unwrap();
        let loader = run.loader();
        for target in ["file", "meta", "family", "target"] {
            refused(loader.load(Name::new(target, "lgb")), Status::InvalidArgument, &["leads out of the run"]);
        }
    }

    #[test]
    fn links_that_stay_are_followed() {
        let run = TestRun::new();
        let folder = run.plain("t", "LightGBM").model(MODEL, "model.json").done();
        std::fs::rename(folder.join("model.json"), run.path().join("shared.txt")).unwrap();
        symlink("../../../../../shared.txt", folder.join("model.txt")).unwrap();
        run.loader().load(NAME).unwrap();
        let linked = tempfile::tempdir().unwrap();
        symlink(run.path(), linked.path().join("latest")).unwrap();
        let loader = Loader::open(&linked.path().join("latest"), Options::default()).unwrap();
        loader.load(NAME).unwrap();
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let run = TestRun::new();
        let folder = run.plain("t", "LightGBM").done();
        let made = std::process::Command::new("mkfifo").arg(folder.join("model.txt")).status().unwrap();
        assert!(made.success());
        refused(run.loader().load(NAME), Status::InvalidArgument, &["no regular file"]);
    }
}

#[test]
fn files_are_read_up_to_the_cap() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let size = model_bytes(MODEL).len() as u64;
    run.loader_with(|options| options.max_file_bytes = size).load(NAME).unwrap();
    let smaller = run.loader_with(|options| options.max_file_bytes = size - 1);
    refused(smaller.load(NAME), Status::LimitExceeded, &["max_file_bytes", "model.txt"]);
}

#[test]
fn deep_metadata_is_refused() {
    let run = TestRun::new();
    let deep = format!("{{\"a\": {}", "[".repeat(100_000));
    run.plain("t", "LightGBM").model(MODEL, "model.txt").file("model_meta.json", deep.as_bytes());
    refused(run.loader().load(NAME), Status::Malformed, &["model_meta.json"]);
}

#[test]
fn the_bytes_that_are_hashed_are_the_bytes_that_are_parsed() {
    let run = TestRun::new();
    let folder = run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let model = run.loader().load(NAME).unwrap();
    std::fs::write(folder.join("model.txt"), "gone").unwrap();
    assert_eq!(model.facts()["checksum"]["found"], json!(sha256(&model_bytes(MODEL))));
    let text = String::from_utf8(model_bytes(MODEL)).unwrap();
    assert_eq!(model.facts()["trees"], text.matches("\nTree=").count());
}

#[test]
fn changed_metadata_is_an_error_or_the_same_model() {
    let run = TestRun::new();
    let folder = run
        .plain("t", "LightGBM")
        .model(MODEL, "model.txt")
        .says("features", json!(["ret_0", "vol_1", "rsi_2", "vol_ratio_3", "macd_4", "mom_5", "ma_ratio_6", "range_7"]))
        .says("checksums", json!({"model.pkl": "00"}))
        .says("interval_minutes", json!(5))
        .says("n_features", json!(8))
        .done();
    let path = folder.join("model_meta.json");
    let sound = std::fs::read(&path).unwrap();
    let loader = run.loader_with(|options| {
        options.cache_models = false;
        options.data_interval_minutes = 5.0;
    });
    let (mut loaded, mut refused) = (0, 0);
    for at in 0..sound.len() {
        for change in [0xff, b'"', b'9'] {
            let mut changed = sound.clone();
            changed[at] = change;
            std::fs::write(&path, changed).unwrap();
            match loader.load(NAME) {
                Ok(model) => {
                    assert_eq!(model.facts()["checksum"]["verified"], true, "byte {at} as {change}");
                    loaded += 1;
                }
                Err(error) => {
                    assert_ne!(error.status(), Status::Internal, "byte {at} as {change}: {error}");
                    refused += 1;
                }
            }
        }
        std::fs::write(&path, &sound[..at]).unwrap();
        assert!(loader.load(NAME).is_err(), "cut at {at}");
    }
    assert!(loaded > 100 && refused > 100, "{loaded} loaded, {refused} refused");
}
