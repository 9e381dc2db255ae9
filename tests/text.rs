//! Rows with text: what is refused, by which sentence, and what a number in a column of text stands for.
//!
//! The numbers of the libraries are compared in `tests/parity.rs`.

mod common;

use common::Case;
use mi::exec::{Rows, Text};
use mi::ir::Output;
use mi::{Model, Status};
use serde_json::json;

fn case(library: &str, name: &str) -> Case {
    let found = common::cases(library).into_iter().find(|case| case.folder.ends_with(name));
    found.unwrap_or_else(|| panic!("no fixture of {library} is called {name}"))
}

fn open(case: &Case) -> Model {
    Model::open(&case.model(), &case.options()).unwrap()
}

/// Asks about one row; the answer, or the status and the sentence.
fn ask(model: &Model, row: &[f64], texts: &[Option<&str>]) -> Result<Vec<f64>, (Status, String)> {
    let mut out = vec![-7.0; model.columns(Output::Value).unwrap()];
    let rows = Rows::new(row, 1, row.len()).unwrap();
    let asked = match texts.len() {
        0 => model.predict(Output::Value, rows, &mut out),
        columns => model.predict_categorical(Output::Value, rows, &Text { texts, columns }, &mut out),
    };
    asked.map(|()| out.clone()).map_err(|error| {
        assert!(out.iter().all(|&number| number == -7.0), "a failure leaves the output as it was");
        (error.status(), error.message().to_owned())
    })
}

fn refusal(model: &Model, row: &[f64], texts: &[Option<&str>], words: &[&str]) {
    let (status, sentence) = ask(model, row, texts).unwrap_err();
    assert_eq!(status, Status::InvalidArgument, "{sentence}");
    assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
    assert!(!sentence.contains('\n'), "{sentence}");
}

#[test]
fn strict_encoders_name_row_column_and_category() {
    let nan = [f64::NAN; 2];
    for name in ["text_one_hot_array-0.24", "text_one_hot_array-1.9", "text_ordinal_error-1.9"] {
        let model = open(&case("sklearn", name));
        assert!(ask(&model, &nan, &[Some("bank"), Some("long")]).is_ok());
        refusal(
            &model,
            &nan,
            &[Some("bank"), Some("never\nseen")],
            &["row 0", "'never\\nseen'", "column 1", "does not know"],
        );
        refusal(&model, &nan, &[Some("Bank"), Some("long")], &["'Bank'", "column 0"]);
        refusal(&model, &nan, &[None, Some("long")], &["no text in column 0", "fill it first"]);
        refusal(&model, &nan, &[], &["no text in column 0"]);
        refusal(&model, &[1.0, f64::NAN], &[], &["column 0", "mi_model_predict_categorical_f64"]);
        let long = "x".repeat(5000);
        let (_, sentence) = ask(&model, &nan, &[Some(&long), Some("long")]).unwrap_err();
        assert!(sentence.len() < 300, "{sentence}");
    }
    let model = open(&case("sklearn", "text_one_hot_array-1.9"));
    let (status, _) = ask(&model, &nan, &[Some("bank")]).unwrap_err();
    assert_eq!(status, Status::ShapeMismatch);
    // The second of two rows.
    let texts = [Some("bank"), Some("long"), Some("bank"), Some("?")];
    let mut out = vec![0.0; 2 * model.columns(Output::Value).unwrap()];
    let rows = Rows::new(&[f64::NAN; 4], 2, 2).unwrap();
    let error =
        model.predict_categorical(Output::Value, rows, &Text { texts: &texts, columns: 2 }, &mut out).unwrap_err();
    assert!(error.message().contains("row 1 has '?' in column 1"), "{error}");
}

#[test]
fn an_imputer_before_a_strict_encoder_takes_missing_text() {
    let model = open(&case("sklearn", "text_imputer_strict-1.9"));
    let nan = [f64::NAN; 2];
    let filled = ask(&model, &nan, &[None, Some("LSE")]).unwrap();
    assert_eq!(
        filled,
        ask(&model, &nan, &[Some("none"), Some("LSE")]).unwrap(),
        "the filling itself is a text that is known"
    );
    refusal(&model, &nan, &[Some("never seen"), Some("LSE")], &["'never seen'", "column 0"]);
    refusal(&model, &nan, &[Some("bank"), None], &["column 1"]);
}

#[test]
fn a_model_knows_its_columns() {
    let model = open(&case("sklearn", "text_frame_logistic-1.9"));
    assert_eq!(model.facts()["categorical_columns"], json!([1, 4]));
    assert_eq!(model.facts()["unread_columns"], json!([3]));
    assert_eq!(model.categorical_columns().collect::<Vec<_>>(), [1, 4]);
    let row = [0.1, f64::NAN, 0.2, f64::NAN, f64::NAN, 10.0];
    let missing = ask(&model, &row, &[None, None]).unwrap();
    assert_eq!(ask(&model, &row, &[]).unwrap(), missing, "NaN is a missing text");
    // What the row holds in columns of text, and in those that nobody reads, is not looked at.
    assert_eq!(ask(&model, &[0.1, 5.0, 0.2, 6.0, 7.0, 10.0], &[None, None]).unwrap(), missing);
    assert_ne!(ask(&model, &row, &[Some("bank"), Some("long")]).unwrap(), missing);
    refusal(&model, &[0.1, 0.0, 0.2, 0.0, 0.0, 10.0], &[], &["column 1", "holds text"]);
}

#[test]
fn boosters_take_codes_and_text() {
    for (library, name, unknown) in [("lightgbm", "text_pandas", true), ("xgboost", "text_pandas", false)] {
        let case = case(library, name);
        let model = open(&case);
        let columns = case.categories().unwrap();
        let lists = match library {
            "lightgbm" => model.facts()["pandas_categorical"].as_array().unwrap().clone(),
            _ => model.facts()["categories"].as_array().unwrap().iter().map(|list| list["values"].clone()).collect(),
        };
        let input = case.matrix(&case.json["input"]);
        for row in 0..input.rows {
            let mut numbers = input.data[row * input.columns..][..input.columns].to_vec();
            let texts: Vec<Option<&str>> = columns.iter().map(|(_, texts)| texts[row].as_deref()).collect();
            let by_text = ask(&model, &numbers, &texts).unwrap();
            for ((column, _), (text, list)) in columns.iter().zip(texts.iter().zip(&lists)) {
                let place = list.as_array().unwrap().iter().position(|category| {
                    let text = text.unwrap_or("-");
                    category.as_str() == Some(text) || category.as_f64().is_some_and(|n| text.parse() == Ok(n))
                });
                // The name of the last category of a file of XGBoost 3.2 is cut off.
                let last = (text == &Some("utilities")).then_some(6);
                numbers[*column] = place.or(last).map_or(f64::NAN, |place| f64::from(u32::try_from(place).unwrap()));
            }
            assert_eq!(by_text, ask(&model, &numbers, &[]).unwrap(), "{library} row {row}");
        }
        let row = vec![0.0; input.columns];
        let asked = ask(&model, &row, &[Some("never seen"), None, None]);
        assert_eq!(asked.is_ok(), unknown, "{library}");
        if unknown {
            assert_eq!(asked, ask(&model, &row, &[None, None, None]), "what was never seen is missing");
        } else {
            refusal(&model, &row, &[Some("never seen"), None, None], &["'never seen'", "column 1"]);
        }
    }
}

/// The same text is a category here and a number there.
#[test]
fn what_stays_text_is_refused_when_it_is_read() {
    for (name, words) in [("refuse_text_value-1.9", "put a model"), ("refuse_text_passes-1.9", "column 0")] {
        let error = Model::open(&case("sklearn", name).model(), &mi::formats::ReadOptions::default()).unwrap_err();
        assert!(error.status() == Status::Unsupported && error.message().contains(words), "{error}");
    }
}
