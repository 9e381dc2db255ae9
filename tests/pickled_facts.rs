//! What the JSON of a model says when the model came out of a pickle, and what importance it has.

mod common;

use mi::formats::ReadOptions;
use mi::{Model, Status};
use serde_json::{Value, json};

fn open(library: &str, name: &str) -> Model {
    let case = common::cases(library).into_iter().find(|case| case.folder.ends_with(name)).expect(name);
    Model::open(&case.model(), &case.options()).unwrap()
}

#[test]
fn steps_and_wrappers_are_named_from_the_outside_in() {
    let nested = open("wrappers", "nested-1.9");
    assert_eq!(nested.facts()["wrapper"], "trading_models.ModelWrapper");
    let steps = json!(["sklearn.impute._base.SimpleImputer", "sklearn.preprocessing._data.StandardScaler"]);
    assert_eq!(nested.facts()["steps"], steps);
    assert_eq!(nested.facts()["class"], "sklearn.linear_model._ridge.Ridge");
    assert_eq!(open("wrappers", "main-1.9").facts()["wrapper"], "__main__.LocalWrapper");
    assert_eq!(open("wrappers", "dict-1.9").facts()["wrapper"], "dict");
    let pipeline = open("sklearn", "pipeline_ridge-1.9");
    assert_eq!(pipeline.facts()["class"], "sklearn.pipeline.Pipeline");
    assert_eq!(pipeline.facts()["model"]["class"], "sklearn.linear_model._ridge.Ridge");
    assert!(pipeline.facts()["model"]["coefficients"].is_array());
    assert!(pipeline.facts()["steps"][0].as_str().unwrap().starts_with("sklearn."));
}

#[test]
fn libraries_and_versions_are_those_of_the_file() {
    let boost = open("wrappers", "lightgbm-1.9");
    assert_eq!(boost.facts()["library"], "lightgbm");
    assert_eq!(boost.facts()["scikit_learn_versions"], json!(["1.9.1"]));
    assert_eq!(boost.facts()["trees"], 3);
    let old = open("ngboost", "normal-0.3.12");
    assert_eq!(old.facts()["library"], "ngboost");
    assert_eq!(old.facts()["scikit_learn_versions"], json!(["0.24.2"]));
    assert_eq!(open("sklearn", "ridge-0.19").facts()["library_version"], "0.19.2");
}

#[test]
fn distributions_name_their_columns() {
    let distribution = |name: &str| open("ngboost", name).facts()["distribution"].clone();
    assert_eq!(distribution("normal-0.5.11"), json!({"name": "Normal", "parameters": ["loc", "scale"]}));
    assert_eq!(distribution("lognormal-0.5.11")["parameters"], json!(["s", "scale"]));
    assert_eq!(distribution("survival-0.5.11")["name"], "LogNormal");
    assert_eq!(distribution("categorical-0.5.11")["parameters"], json!(["p0", "p1", "p2"]));
    let early = open("ngboost", "early-0.5.11");
    let (best, rounds) =
        (early.facts()["best_val_loss_itr"].as_u64().unwrap(), early.facts()["rounds"].as_u64().unwrap());
    assert!(best + 1 < rounds);
    // Every parameter has shares of its own, the first of which are the gain.
    let normal = open("ngboost", "edges-0.5.11");
    let shares = &normal.facts()["importance_by_parameter"];
    assert_eq!(shares["loc"], json!(normal.importance().gain));
    assert!(shares["scale"].as_array().is_some_and(|row| row.len() == normal.feature_count()));
}

#[test]
fn quantiles_of_a_dict_are_named() {
    let model = open("wrappers", "quantiles-1.9");
    assert_eq!(model.facts()["quantiles"], json!([0.1, 0.5, 0.9]));
    assert_eq!(model.columns(mi::ir::Output::Distribution).unwrap(), 3);
}

#[test]
fn labels_of_several_outputs_are_lists() {
    assert_eq!(open("sklearn", "decision_tree_multilabel-1.9").facts()["classes"], json!([[0, 1], [0, 1, 2]]));
    assert_eq!(open("wrappers", "classifier-1.9").facts()["classes"], json!(["down", "up"]));
}

#[test]
fn importance_that_is_not_there_says_so() {
    let forest = open("sklearn", "random_forest_regressor-1.9");
    assert_eq!(forest.importance_of(2).unwrap_err().status(), Status::Unsupported);
    let error = forest.importance_of(3).unwrap_err();
    assert!(error.status() == Status::InvalidArgument && error.message().contains("MI_COEFFICIENT"), "{error}");
    // A PCA mixes the columns.
    let mixed = open("sklearn", "pca_ridge-1.9");
    assert_eq!(mixed.importance(), &mi::ir::Importance::default());
    // A polynomial as well.
    assert_eq!(open("sklearn", "polynomial_ridge-1.9").importance().gain, None);
}

#[test]
fn importance_goes_back_to_the_columns_that_come_in() {
    let masked = open("wrappers", "colmask-1.9");
    let coefficient = masked.importance_of(2).unwrap();
    assert_eq!(coefficient.len(), masked.feature_count());
    let inside: Vec<f64> =
        masked.facts()["coefficients"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert_eq!([coefficient[0], coefficient[2], coefficient[3]], *inside);
    assert_eq!([coefficient[1], coefficient[4]], [0.0, 0.0]);
    let several = open("sklearn", "ridge_two-1.9");
    assert_eq!(several.importance_of(2).unwrap_err().status(), Status::Unsupported);
    assert_eq!(several.importance_of(1).unwrap().len(), several.feature_count());
}

#[test]
fn a_family_says_what_a_list_is() {
    let case = common::cases("wrappers").into_iter().find(|case| case.folder.ends_with("ensemble_family-1.9")).unwrap();
    for family in ["ensemble", "Ensemble", "change_point", "changepoint"] {
        let options = ReadOptions { family: Some(family.to_owned()), ..ReadOptions::default() };
        Model::open(&case.model(), &options).unwrap();
    }
    for family in [None, Some("ridge".to_owned())] {
        let error = Model::open(&case.model(), &ReadOptions { family, ..ReadOptions::default() }).unwrap_err();
        assert_eq!(error.status(), Status::Unsupported);
    }
}
