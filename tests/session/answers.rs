//! What a network says about itself, and what it answers beside numbers.

use crate::graphs::{Dim, FLOAT, Model as Hand};
use crate::{case, open, refused};
use mi::exec::Rows;
use mi::formats::ReadOptions;
use mi::ir::Output;
use mi::{Model, Status};
use serde_json::json;

fn read(bytes: &[u8], options: &ReadOptions) -> mi::Result<Model> {
    Model::from_bytes(bytes, options)
}

#[test]
fn the_json_tells_what_the_file_says() {
    needs_runtime!();
    let model = open("graph_metadata");
    let facts = model.facts();
    assert_eq!((&facts["library"], &facts["format"]), (&json!("onnx"), &json!("onnx")));
    assert_eq!(facts["metadata_props"]["trained_on"], "bars");
    assert_eq!(facts["metadata_props"]["note"], "ünïcode");
    assert_eq!(facts["graph"]["producer"], "by hand");
    assert_eq!(facts["graph"]["opsets"]["ai.onnx"], 17);
    assert_eq!(facts["graph"]["inputs"], json!([{"name": "x", "type": "float32", "shape": ["N", 5]}]));
    assert_eq!(facts["graph"]["operators"], json!({"Gemm": 2, "Relu": 1}));
    assert_eq!(facts["outputs"], json!({"value": 2, "raw": 2}));
    assert_eq!(model.feature_names().unwrap()[0], "ret");
    let runtime = &facts["runtime"];
    assert_eq!((&runtime["name"], &runtime["threads"]), (&json!("onnxruntime"), &json!(1)));
    assert!(runtime["version"].as_str().unwrap().starts_with("1."), "{runtime}");
    assert!(std::path::Path::new(runtime["path"].as_str().unwrap()).is_absolute(), "{runtime}");
}

#[test]
fn labels_are_those_of_training() {
    needs_runtime!();
    let model = open("skl_logistic_three");
    assert_eq!(model.facts()["classes"], json!([-10.0, 0.0, 10.0]));
    assert_eq!(model.facts()["task"], "multiclass_classification");
    assert_eq!(model.facts()["outputs"], json!({"value": 3, "probability": 3, "label": 1}));
    let model = open("skl_logistic_strings");
    assert_eq!(model.facts()["classes"], json!(["down", "flat", "up"]));
    let model = open("skl_logistic");
    assert_eq!(model.facts()["outputs"], json!({"value": 1, "probability": 2, "label": 1}));
    assert!(!model.facts()["graph"]["operators"].as_object().unwrap().is_empty());
}

#[test]
fn an_output_is_chosen_by_name_or_number() {
    needs_runtime!();
    let case = case("graph_vae");
    let with = |output: &str| {
        Model::open(&case.model(), &ReadOptions { output: Some(output.to_owned()), ..ReadOptions::default() })
    };
    assert_eq!(with("reconstruction").unwrap().columns(Output::Value).unwrap(), 5);
    assert_eq!(with("1").unwrap().columns(Output::Value).unwrap(), 1);
    refused(with("other"), Status::InvalidArgument, &["'other'", "reconstruction, target"]);
    refused(with("2"), Status::InvalidArgument, &["'2'"]);
}

#[test]
fn sequences_and_rows_are_told_apart() {
    needs_runtime!();
    let model = open("graph_lstm");
    assert_eq!((model.sequence_length(), model.feature_count()), (12, 3));
    let mut out = [0.0];
    let row = [0.0f32; 36];
    let rows = |count: usize, columns| Rows::new(&row[..count * columns], count, columns).unwrap();
    refused(
        model.predict(Output::Value, rows(1, 3), &mut out),
        Status::SequenceRequired,
        &["12 steps of 3", "sequence_f32"],
    );
    refused(model.predict_sequence(Output::Value, rows(1, 33), 11, &mut out), Status::ShapeMismatch, &["11 steps"]);
    refused(model.predict_sequence(Output::Value, rows(1, 36), 9, &mut out), Status::ShapeMismatch, &["9 steps of 4"]);
    refused(model.predict_sequence(Output::Value, rows(1, 36), 0, &mut out), Status::ShapeMismatch, &["0 steps"]);
    refused(model.predict_sequence(Output::Value, rows(1, 36), 12, &mut []), Status::ShapeMismatch, &["room"]);
    refused(model.predict_sequence(Output::Label, rows(1, 36), 12, &mut out), Status::Unsupported, &["label"]);
    model.predict_sequence(Output::Value, rows(1, 36), 12, &mut out).unwrap();
    let mut nan = row;
    nan[17] = f32::NAN;
    let nan = Rows::new(&nan, 1, 36).unwrap();
    refused(model.predict_sequence(Output::Value, nan, 12, &mut out), Status::InvalidArgument, &["row 0", "column 17"]);
}

#[test]
fn columns_may_come_as_steps() {
    needs_runtime!();
    let model = open("graph_columns_as_steps");
    assert_eq!((model.sequence_length(), model.feature_count()), (0, 10));
    let row = [0.5f32; 10];
    let (mut as_row, mut as_steps) = ([0.0], [1.0]);
    model.predict(Output::Value, Rows::new(&row, 1, 10).unwrap(), &mut as_row).unwrap();
    model.predict_sequence(Output::Value, Rows::new(&row, 1, 10).unwrap(), 10, &mut as_steps).unwrap();
    assert_eq!(as_row, as_steps);
    let halves = model.predict_sequence(Output::Value, Rows::new(&row, 1, 10).unwrap(), 5, &mut as_steps);
    refused(halves, Status::Unsupported, &["takes rows of 10 columns"]);
    // The caller says that these are the steps of one channel.
    let options = ReadOptions { sequence_length: 10, ..ReadOptions::default() };
    let model = Model::open(&case("graph_columns_as_steps").model(), &options).unwrap();
    assert_eq!((model.sequence_length(), model.feature_count()), (10, 1));
}

#[test]
fn a_forest_takes_a_sequence_of_one_step_only() {
    needs_runtime!();
    let forest = Model::open(&common_lightgbm(), &ReadOptions::default()).unwrap();
    let width = forest.feature_count();
    let row = vec![0.5f32; width];
    let (mut one, mut two) = (vec![0.0], vec![1.0]);
    forest.predict(Output::Value, Rows::new(&row, 1, width).unwrap(), &mut one).unwrap();
    forest.predict_sequence(Output::Value, Rows::new(&row, 1, width).unwrap(), 1, &mut two).unwrap();
    assert_eq!(one, two);
    let steps = forest.predict_sequence(Output::Value, Rows::new(&row, 1, width).unwrap(), width, &mut two);
    refused(steps, Status::Unsupported, &["rows", "mi_model_predict_f32"]);
}

fn common_lightgbm() -> std::path::PathBuf {
    crate::common::fixtures().join("lightgbm/regression/model.txt")
}

#[test]
fn any_length_needs_to_be_said_once() {
    needs_runtime!();
    let case = case("graph_lstm_open");
    refused(
        Model::open(&case.model(), &ReadOptions::default()),
        Status::Unsupported,
        &["any length", "sequence_length"],
    );
    let model = Model::open(&case.model(), &case.options()).unwrap();
    let mut out = [0.0];
    for steps in [1, 3, 12, 40] {
        let x = vec![0.1f32; steps * 3];
        model.predict_sequence(Output::Value, Rows::new(&x, 1, steps * 3).unwrap(), steps, &mut out).unwrap();
    }
    let x = [0.1f32; 8];
    let wrong = model.predict_sequence(Output::Value, Rows::new(&x, 1, 8).unwrap(), 2, &mut out);
    refused(wrong, Status::ShapeMismatch, &["2 steps of 4"]);
}

#[test]
fn whole_numbers_stay_whole() {
    needs_runtime!();
    let model = open("skl_int64");
    let mut row = vec![1.0; 6];
    row[4] = 2.5;
    let mut out = [7.0];
    let error = model.predict(Output::Value, Rows::new(&row, 1, 6).unwrap(), &mut out);
    refused(error, Status::InvalidArgument, &["input 'X'", "column 4 is 2.5", "whole"]);
    assert_eq!(out, [7.0]);
}

#[test]
fn missing_values_need_a_rule() {
    needs_runtime!();
    for (name, accepts) in
        [("skl_ridge", false), ("skl_pipeline", true), ("lightgbm_missing", true), ("graph_fills_nan", true)]
    {
        let model = open(name);
        let mut row = vec![0.0; model.feature_count()];
        row[2] = f64::NAN;
        let mut out = vec![0.0; model.columns(Output::Value).unwrap()];
        let answer = model.predict(Output::Value, Rows::new(&row, 1, row.len()).unwrap(), &mut out);
        if accepts {
            answer.unwrap();
            assert!(out.iter().all(|value| value.is_finite()), "{name}");
        } else {
            refused(answer, Status::InvalidArgument, &["column 2 is NaN"]);
        }
    }
}

#[test]
fn what_rows_cannot_fill_is_named() {
    const N: Dim = Dim::Open("N");
    needs_runtime!();
    let value = |element: i64, shape: &'static [Dim]| {
        Hand::bytes(|graph| {
            graph.input("x", element, shape);
            graph.output("y", element, shape);
            graph.node("Identity", &["x"], &["y"], |_| {});
        })
    };
    let none = ReadOptions::default();
    refused(
        read(&value(FLOAT, &[N, Dim::Fixed(3), Dim::Fixed(8), Dim::Fixed(8)]), &none),
        Status::Unsupported,
        &["4 axes"],
    );
    refused(
        read(&value(FLOAT, &[N, Dim::Open("F")]), &none),
        Status::Unsupported,
        &["how many columns", "feature_count"],
    );
    refused(read(&value(8, &[N, Dim::Fixed(3)]), &none), Status::Unsupported, &["is string"]);
    refused(read(&value(16, &[N, Dim::Fixed(3)]), &none), Status::Unsupported, &["unknown type"]);
    let no_input = Hand::bytes(|graph| {
        graph.output("y", FLOAT, &[Dim::Fixed(1)]);
        graph.floats("c", &[1], &[1.0]);
        graph.node("Identity", &["c"], &["y"], |_| {});
    });
    refused(read(&no_input, &none), Status::Malformed, &["no input"]);
}

#[test]
fn an_input_with_a_constant_is_no_input() {
    needs_runtime!();
    // Before version 4 of the format every constant was listed among the inputs.
    let bytes = Hand::bytes(|graph| {
        graph.input("x", FLOAT, &[Dim::Open("N"), Dim::Fixed(2)]);
        graph.input("w", FLOAT, &[Dim::Fixed(2), Dim::Fixed(1)]);
        graph.output("y", FLOAT, &[Dim::Open("N"), Dim::Fixed(1)]);
        graph.floats("w", &[2, 1], &[2.0, 3.0]);
        graph.node("MatMul", &["x", "w"], &["y"], |_| {});
    });
    let model = read(&bytes, &ReadOptions::default()).unwrap();
    let mut out = [0.0];
    model.predict(Output::Value, Rows::new(&[10.0, 1.0], 1, 2).unwrap(), &mut out).unwrap();
    assert_eq!((model.feature_count(), out), (2, [23.0]));
}

#[test]
fn what_the_runtime_lacks_is_unsupported() {
    needs_runtime!();
    let bytes = Hand::bytes(|graph| {
        graph.input("x", FLOAT, &[Dim::Open("N"), Dim::Fixed(2)]);
        graph.output("y", FLOAT, &[Dim::Open("N"), Dim::Fixed(2)]);
        graph.node("NoSuchOperator", &["x"], &["y"], |_| {});
    });
    let error = read(&bytes, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error.status(), Status::Unsupported | Status::Malformed | Status::Backend), "{error}");
    assert!(error.message().contains("NoSuchOperator"), "{error}");
}

#[test]
fn large_batches_are_runs_behind_each_other() {
    needs_runtime!();
    let model = open("graph_dense");
    let count = 450_000; // more than one run takes
    let rows: Vec<f32> = (0..count * 5).map(|at| f32::from(u8::try_from(at % 251).unwrap()) / 100.0).collect();
    let mut out = vec![f64::NAN; count * 2];
    model.predict(Output::Value, Rows::new(&rows, count, 5).unwrap(), &mut out).unwrap();
    for at in [0, 1, count / 2, count - 1] {
        let mut one = [0.0; 2];
        model.predict(Output::Value, Rows::new(&rows[at * 5..][..5], 1, 5).unwrap(), &mut one).unwrap();
        for (a, b) in one.iter().zip(&out[at * 2..]) {
            assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "row {at}: {a} {b}");
        }
    }
}
