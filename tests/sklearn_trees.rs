//! What scikit-learn's trees do with missing values that they have no rule for: a sentence that names the column.

mod common;

use mi::exec::Rows;
use mi::formats::ReadOptions;
use mi::ir::Output;
use mi::{Model, Status};

fn model(name: &str) -> Model {
    let case = common::cases("sklearn").into_iter().find(|case| case.folder.ends_with(name));
    let case = case.unwrap_or_else(|| panic!("no fixture {name}"));
    Model::open(&case.model(), &ReadOptions::default()).unwrap()
}

/// In all of these the library raises "Input X contains NaN".
#[test]
fn missing_values_are_refused_by_column() {
    for name in [
        "decision_tree_regressor-1.0",
        "random_forest_classifier-1.3",
        "extra_trees_regressor-1.3",
        "gradient_boosting_regressor-1.9",
        "gradient_boosting_init_tree-1.9",
        "adaboost_regressor-1.9",
        "adaboost_samme-1.9",
        "bagging_ridge-1.9",
        "isolation_forest-1.3",
        "random_trees_embedding-1.9",
    ] {
        let model = model(name);
        let mut row = vec![0.5; model.feature_count()];
        let mut out = vec![0.0; model.columns(Output::Value).unwrap()];
        let mut ask = |row: &[f64]| model.predict(Output::Value, Rows::new(row, 1, row.len()).unwrap(), &mut out);
        assert!(ask(&row).is_ok(), "{name}");
        let mut refused = 0;
        for column in 0..row.len() {
            row[column] = f64::NAN;
            if let Err(error) = ask(&row) {
                assert_eq!(error.status(), Status::InvalidArgument, "{name}: {error}");
                assert!(error.message().contains(&format!("column {column}")), "{name}: {error}");
                refused += 1;
            }
            row[column] = 0.5;
        }
        // Of bagged members with five of six columns each, all six are looked at.
        assert_eq!(refused, row.len(), "{name}");
    }
}
