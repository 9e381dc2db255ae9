//! Runs whose models, steps and metadata are pickles.

use crate::common::runs::{TestRun, model_bytes};
use crate::common::{fixtures, npy};
use crate::{refused, warnings};
use mi::artifact::checksum::sha256;
use mi::exec::Rows;
use mi::ir::Output;
use mi::loader::{Loader, Name, Options};
use mi::{Model, Status};
use serde_json::{Value, json};

const NAME: Name<'static> = Name { target: "t", family: "ridge", view: None, symbol: None };
/// A sound pickle of an empty dict, which is no step.
const NO_STEP: &[u8] = b"\x80\x04}\x94.";

fn predict(model: &Model, rows: &npy::Matrix) -> mi::Result<Vec<f64>> {
    let mut out = vec![0.0; rows.rows * model.columns(Output::Value)?];
    model.predict(Output::Value, Rows::new(&rows.data, rows.rows, rows.columns)?, &mut out)?;
    Ok(out)
}

/// Loads every model that `expected.json` names and compares; how many there were.
fn walk(run: &str) -> usize {
    let root = fixtures().join("runs").join(run);
    let json: Value = serde_json::from_slice(&std::fs::read(root.join("expected.json")).unwrap()).unwrap();
    let rows = npy::read(&root.join("rows.npy"));
    let models = json["models"].as_array().unwrap();
    let strict = Loader::open(&root, Options::default()).unwrap();
    let lenient = Loader::open(&root, Options { allow_unsigned: true, ..Options::default() }).unwrap();
    let mut wrong = Vec::new();
    for entry in models {
        let text = |key: &str| entry[key].as_str().unwrap();
        let name = Name::new(text("target"), text("family"));
        let loader = if entry["allow_unsigned"] == true { &lenient } else { &strict };
        let model = match loader.load(name) {
            Ok(model) => model,
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        let number = |key: &str| entry["tolerance"][key].as_f64().unwrap();
        let expected = npy::read(&root.join(text("file")));
        let near = |found: f64, expected: f64| {
            found.to_bits() == expected.to_bits()
                || (found - expected).abs() <= number("absolute") + number("relative") * expected.abs()
        };
        match predict(&model, &rows) {
            Ok(found) => {
                let apart = found.iter().zip(&expected.data).filter(|(a, b)| !near(**a, **b)).count();
                if apart > 0 || found.len() != expected.data.len() {
                    wrong.push(format!("{}: {apart} of {} differ", text("family"), found.len()));
                }
            }
            Err(error) => wrong.push(format!("{}: {error}", text("family"))),
        }
        let beside = model.facts().get("sidecars").and_then(Value::as_array).cloned().unwrap_or_default();
        let files: Vec<Value> = beside.iter().map(|file| file["file"].clone()).collect();
        if json!(files) != entry["sidecars"] {
            wrong.push(format!("{}: sidecars {files:?}", text("family")));
        }
        if !entry["classes"].is_null() && model.facts()["classes"] != entry["classes"] {
            wrong.push(format!("{}: classes {}", text("family"), model.facts()["classes"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    models.len()
}

#[test]
fn every_model_answers_behind_its_steps() {
    assert!(walk("desk") >= 14);
    assert_eq!(walk("vault"), 2);
}

/// A family with a model and steps beside it, as the desk holds them: file, bytes.
fn desk(family: &str) -> Vec<(String, Vec<u8>)> {
    let folder =
        fixtures().join("runs/desk/targets/fwd_ret_5m/models/view=CROSS_SECTIONAL").join(format!("family={family}"));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("model_meta.json"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A run with the desk's ridge in it; `change` edits its files before they are written, `checksums` what is said about them.
fn ridge(
    change: impl FnOnce(&mut Vec<(String, Vec<u8>)>),
    checksums: impl FnOnce(&mut serde_json::Map<String, Value>),
) -> TestRun {
    let run = TestRun::new();
    let mut files = desk("ridge");
    let mut sums: serde_json::Map<String, Value> =
        files.iter().map(|(file, bytes)| (file.clone(), sha256(bytes).into())).collect();
    change(&mut files);
    checksums(&mut sums);
    let mut family = run.plain("t", "Ridge");
    for (file, bytes) in &files {
        family = family.file(file, bytes);
    }
    family.says("checksums", Value::Object(sums)).done();
    run
}

#[test]
fn steps_are_verified_like_the_model() {
    let sound = ridge(|_| {}, |_| {});
    let model = sound.loader().load(NAME).unwrap();
    assert_eq!(model.facts()["sidecars"][1]["file"], "scaler.joblib");
    assert_eq!(model.facts()["sidecars"][1]["checksum"]["verified"], true);

    let unsigned = ridge(|_| {}, |sums| drop(sums.remove("scaler.joblib")));
    refused(unsigned.loader().load(NAME), Status::Unsigned, &["scaler.joblib", "`checksums` for 'scaler.joblib'"]);
    unsigned.loader_with(|options| options.allow_unsigned = true).load(NAME).unwrap();

    let changed = ridge(|_| {}, |sums| drop(sums.insert("imputer.joblib".to_owned(), "0".repeat(64).into())));
    refused(changed.loader().load(NAME), Status::ChecksumMismatch, &["imputer.joblib", "0000"]);
    let lenient = changed.loader_with(|options| options.strict_checksums = false).load(NAME).unwrap();
    assert!(warnings(&lenient).iter().any(|warning| warning.contains("imputer.joblib: checksum mismatch")));
}

#[test]
fn the_checksum_of_the_model_is_not_that_of_a_step() {
    let run = TestRun::new();
    let mut family = run.plain("t", "Ridge");
    for (file, bytes) in desk("ridge") {
        if file == "model.pkl" {
            family = family.says("model_checksum", sha256(&bytes).into());
        }
        family = family.file(&file, &bytes);
    }
    family.done();
    refused(run.loader().load(NAME), Status::Unsigned, &["imputer.joblib"]);
}

#[test]
fn steps_that_do_not_fit_are_named() {
    let open = |options: &mut Options| options.verify_checksums = false;
    let narrow = ridge(
        |files| {
            let other = std::fs::read(fixtures().join("sklearn/standard_scaler-1.9/model.pkl"))
                .or_else(|_| std::fs::read(fixtures().join("sklearn/standard_scaler-1.9/model.joblib")))
                .unwrap();
            files.iter_mut().find(|(file, _)| file == "scaler.joblib").unwrap().1 = other;
        },
        |_| {},
    );
    refused(
        narrow.loader_with(open).load(NAME),
        Status::Malformed,
        &["scaler.joblib beside it", "5 columns", "takes 6"],
    );
    let no_step = ridge(|files| files[0].1 = NO_STEP.to_vec(), |_| {});
    refused(no_step.loader_with(open).load(NAME), Status::Unsupported, &["imputer.joblib beside it", "dict"]);
    let model = ridge(|files| files[0].1 = model_bytes("lightgbm/regression"), |_| {});
    refused(
        model.loader_with(open).load(NAME),
        Status::Malformed,
        &["imputer.joblib beside it", "pickled transformer"],
    );
    let broken = ridge(|files| files[0].1.truncate(40), |_| {});
    refused(broken.loader_with(open).load(NAME), Status::Malformed, &["imputer.joblib"]);
}

#[test]
fn of_two_files_for_one_step_the_first_counts() {
    let run = ridge(|files| files.push(("scaler.pkl".to_owned(), NO_STEP.to_vec())), |_| {});
    let model = run.loader().load(NAME).unwrap();
    assert!(
        warnings(&model).iter().any(|warning| warning.contains("scaler.joblib and scaler.pkl")),
        "{:?}",
        warnings(&model)
    );
}

#[test]
fn steps_inside_and_beside_are_a_warning() {
    let root = fixtures().join("runs/desk");
    let loader = Loader::open(&root, Options::default()).unwrap();
    let model = loader.load(Name::new("fwd_ret_5m", "ftrl")).unwrap();
    assert!(warnings(&model).iter().any(|warning| warning.contains("steps of its own")), "{:?}", warnings(&model));
    assert_eq!(model.facts()["wrapper"], "trading_models.ModelWrapper");
}

#[test]
fn pickled_metadata_is_read() {
    let root = fixtures().join("runs/desk");
    let loader = Loader::open(&root, Options::default()).unwrap();
    let name = Name::new("fwd_ret_5m", "ensemble");
    assert_eq!(loader.metadata(name).unwrap()["interval_minutes"], 5.0);
    let model = loader.load(name).unwrap();
    assert_eq!(model.facts()["checksum"]["verified"], true);
    assert_eq!(model.feature_names().unwrap()[0], "ret_1");

    let run = TestRun::new();
    run.plain("t", "Ridge").file("model_meta.json", b"\x80\x04]\x94.").file("model.pkl", NO_STEP);
    refused(run.loader().load(NAME), Status::Malformed, &["model_meta.json", "an object", "a list"]);
    let run = TestRun::new();
    run.plain("t", "Ridge").file("model_meta.json", b"\x80\x04\x95\x01").file("model.pkl", NO_STEP);
    refused(run.loader().load(NAME), Status::Malformed, &["model_meta.json", "not a sound pickle"]);
}
