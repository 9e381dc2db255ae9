//! `models.yaml` as the second way in.

use crate::common::runs::{TestRun, model_bytes};
use crate::refused;
use mi::Status;
use mi::artifact::checksum::sha256;
use mi::loader::{Loader, Name, Options};
use std::path::Path;

const MODEL: &str = "lightgbm/quantile";

/// A catalogue beside a folder `models` with one model in it.
fn catalogue(text: &str) -> TestRun {
    let run = TestRun { folder: tempfile::tempdir().unwrap() };
    run.family("models").file("a.pkl", &model_bytes(MODEL));
    let text = text.replace("SUM", &sha256(&model_bytes(MODEL)));
    std::fs::write(run.path().join("models.yaml"), text).unwrap();
    run
}

fn open(folder: &Path) -> mi::Result<Loader> {
    Loader::open(folder, Options::default())
}

#[test]
fn a_list_of_models() {
    let run = catalogue(
        "models:\n  - name: my_model\n    path: models/a.pkl\n    kind: pickle\n    target: eq/fwd\n    task_type: regression\n    \
         features: [f, e, d, c, b, a]\n    model_checksum: SUM\n",
    );
    for place in [run.path().to_owned(), run.path().join("models.yaml")] {
        let loader = open(&place).unwrap();
        assert_eq!(loader.targets().unwrap(), ["eq_fwd"]);
        assert_eq!(loader.families("eq_fwd", None).unwrap(), ["my_model"]);
        let model = loader.load(Name::new("eq/fwd", "MyModel")).unwrap();
        assert_eq!(model.feature_names().unwrap(), ["f", "e", "d", "c", "b", "a"]);
        assert_eq!(model.facts()["metadata"]["task_type"], "regression");
        assert_eq!(model.facts()["checksum"]["verified"], true);
        assert_eq!(loader.manifest().unwrap().unwrap()["models"][0]["kind"], "pickle");
    }
}

#[test]
fn a_map_of_models() {
    let run = catalogue(
        "registry:\n  first:\n    kind: pickle\n    path: models/a.pkl\n    metadata: {model_checksum: SUM, interval_minutes: 5}\n",
    );
    let loader = open(run.path()).unwrap();
    assert_eq!(loader.targets().unwrap(), ["default"]);
    assert_eq!(loader.load(Name::new("default", "first")).unwrap().feature_count(), 6);
    let options = Options { data_interval_minutes: 15.0, ..Options::default() };
    let other = Loader::open(run.path(), options).unwrap();
    refused(other.load(Name::new("default", "first")), Status::IntervalMismatch, &["models.yaml", "first"]);
}

#[test]
fn paths_count_from_above_a_config_folder() {
    let run = catalogue("");
    std::fs::remove_file(run.path().join("models.yaml")).unwrap();
    let text = format!("models: [{{name: a, path: models/a.pkl, model_checksum: {}}}]", sha256(&model_bytes(MODEL)));
    std::fs::create_dir(run.path().join("config")).unwrap();
    std::fs::write(run.path().join("config/models.yaml"), text).unwrap();
    open(&run.path().join("config/models.yaml")).unwrap().load(Name::new("default", "a")).unwrap();
}

#[test]
fn a_catalogue_signs_its_models_too() {
    let run = catalogue("models: [{name: a, path: models/a.pkl}]");
    refused(open(run.path()).unwrap().load(Name::new("default", "a")), Status::Unsigned, &["models.yaml"]);
}

#[test]
fn models_stay_beside_their_catalogue() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("a.txt"), model_bytes(MODEL)).unwrap();
    let absolute = outside.path().join("a.txt");
    let climbing = format!("../{}/a.txt", outside.path().file_name().unwrap().to_str().unwrap());
    for path in [absolute.to_str().unwrap(), climbing.as_str()] {
        let run = catalogue(&format!("models: [{{name: a, path: {path}, model_checksum: SUM}}]"));
        refused(open(run.path()).unwrap().load(Name::new("default", "a")), Status::InvalidArgument, &["leads out"]);
    }
}

#[test]
fn broken_catalogues_are_placed() {
    for (text, words) in [
        ("models:\n  - name: [a\n", &["models.yaml", "not YAML", "line"][..]),
        ("other: 1\n", &["models.yaml", "`models:`"]),
        ("models: 5\n", &["`models` is a number"]),
        ("models: [{path: x}]\n", &["models[0]", "`name`"]),
        ("models: [{name: a}]\n", &["'a'", "`path`"]),
        ("registry: {a: 5}\n", &["registry.a"]),
        ("models: [{name: a, path: x, target: [1]}]\n", &["`target` is a list"]),
        ("a: 1\na: 2\n", &["duplicate"]),
    ] {
        let run = catalogue(text);
        refused(open(run.path()), Status::Malformed, words);
    }
    let run = catalogue("models: [{name: ../a, path: x}]");
    refused(open(run.path()), Status::InvalidArgument, &["../a"]);
    let run = catalogue("models: [{name: a, path: x}]");
    refused(open(run.path()).unwrap().load(Name::new("default", "a")), Status::NotFound, &["x"]);
}

#[test]
fn aliases_do_not_explode() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(",");
        bomb.push_str(&["a", &level.to_string(), ": &a", &level.to_string(), " [", &below, "]\n"].concat());
    }
    refused(open(catalogue(&bomb).path()), Status::Malformed, &["budget"]);
    refused(open(catalogue(&"[".repeat(100_000)).path()), Status::Malformed, &["not YAML"]);
}
