//! Networks of Keras beyond their values: other outputs, weights with their configuration beside them, directories, what their JSON says.

mod common;

use common::Case;
use mi::exec::Rows;
use mi::formats::ReadOptions;
use mi::ir::Output;
use mi::{Model, Status};
use serde_json::Value;
use std::io::{Cursor, Read};
use std::path::Path;

fn case(name: &str) -> Case {
    common::cases("keras")
        .into_iter()
        .find(|case| case.folder.ends_with(name))
        .unwrap_or_else(|| panic!("there is no fixture keras/{name}"))
}

/// Predicts the rows of a case.
#[allow(clippy::cast_possible_truncation)]
fn predict(model: &Model, case: &Case) -> Vec<f64> {
    let rows = case.matrix(&case.json["input"]);
    let single: Vec<f32> = rows.data.iter().map(|&number| number as f32).collect();
    let batch = Rows::new(&single, rows.rows, rows.columns).unwrap();
    let mut out = vec![f64::NAN; rows.rows * model.columns(Output::Value).unwrap()];
    match model.sequence_length() {
        0 => model.predict(Output::Value, batch, &mut out).unwrap(),
        steps => model.predict_sequence(Output::Value, batch, steps, &mut out).unwrap(),
    }
    out
}

#[track_caller]
fn close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-6 + 1e-5 * expected.abs(), "{what}: {found}, Keras says {expected}");
    }
}

/// The entries of an archive.
fn entry(path: &Path, name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(std::fs::read(path).unwrap())).unwrap();
    let mut content = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
    content
}

#[test]
fn every_output_by_its_number_and_name() {
    let mut compared = 0;
    for case in common::cases("keras") {
        let Some(others) = case.json["others"].as_object() else { continue };
        for (number, file) in others {
            let options = ReadOptions { output: Some(number.clone()), ..case.options() };
            let model = Model::open(&case.model(), &options).unwrap();
            close(&predict(&model, &case), &case.matrix(file).data, &format!("{} output {number}", case.name()));
            compared += 1;
        }
    }
    assert!(compared >= 10, "only {compared} outputs were compared");
    let case = case("multi_output_keras-3.15");
    let by_name =
        |name: &str| Model::open(&case.model(), &ReadOptions { output: Some(name.into()), ..ReadOptions::default() });
    assert_eq!(by_name("reconstruction").unwrap().columns(Output::Value).unwrap(), 6);
    let error = by_name("nothing").unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.message().contains("reconstruction") && error.message().contains("target"), "{error}");
}

#[test]
fn classes_have_probabilities_and_labels() {
    for (name, columns) in [("mlp_sigmoid_keras-3.15", 2), ("mlp_softmax_keras-3.15", 3), ("mlp_softmax_h5-2.15", 3)] {
        let case = case(name);
        let model = Model::open(&case.model(), &case.options()).unwrap();
        assert_eq!(model.columns(Output::Probability).unwrap(), columns, "{name}");
        let rows = case.matrix(&case.json["input"]);
        let batch = Rows::new(&rows.data, rows.rows, rows.columns).unwrap();
        let mut probabilities = vec![0.0; rows.rows * columns];
        let mut labels = vec![0.0; rows.rows];
        model.predict(Output::Probability, batch, &mut probabilities).unwrap();
        model.predict(Output::Label, batch, &mut labels).unwrap();
        for (row, label) in probabilities.chunks_exact(columns).zip(&labels) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            let largest = (0..columns).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
            assert_eq!(u32::try_from(largest).map(f64::from).unwrap(), *label, "{name}");
        }
    }
}

#[test]
fn the_json_says_what_it_is() {
    let case = case("multi_output_h5-2.15");
    let model = Model::open(&case.model(), &case.options()).unwrap();
    let facts = model.facts();
    assert_eq!(facts["library"], "keras");
    assert_eq!(facts["library_version"], "2.15.0");
    assert_eq!(facts["format"], "keras hdf5");
    assert_eq!(facts["runs"], "native");
    assert_eq!(facts["value_from"], "target");
    let names: Vec<&Value> =
        facts["network_outputs"].as_array().unwrap().iter().map(|output| &output["name"]).collect();
    assert_eq!(names, ["reconstruction", "target"]);
}

/// Weights alone, with the configuration beside them.
#[test]
fn weights_beside_their_configuration() {
    for (name, weights) in [("lstm_keras-3.15", "model.weights.h5"), ("mlp_keras-2.15", "weights.h5")] {
        let case = case(name);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(weights);
        std::fs::write(&path, entry(&case.model(), "model.weights.h5")).unwrap();
        let error = Model::open(&path, &ReadOptions::default()).unwrap_err();
        assert_eq!(error.status(), Status::Unsupported);
        assert!(error.message().contains("config.json"), "{error}");
        let error = Model::from_bytes(&std::fs::read(&path).unwrap(), &ReadOptions::default()).unwrap_err();
        assert!(error.message().contains("by its path"), "{error}");
        std::fs::write(folder.path().join("config.json"), entry(&case.model(), "config.json")).unwrap();
        let model = Model::open(&path, &ReadOptions::default()).unwrap();
        close(&predict(&model, &case), &case.matrix(&case.json["expect"][0]["file"]).data, name);
    }
}

/// A SavedModel is refused with the remedy; what lies in it in a form that is read is taken.
#[test]
fn directories() {
    let case = case("mlp_keras-3.15");
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("saved_model");
    std::fs::create_dir_all(folder.join("variables")).unwrap();
    let refused = |word: &str| {
        let error = Model::open(&folder, &ReadOptions::default()).unwrap_err();
        assert_eq!(error.status(), Status::Unsupported);
        assert!(error.message().contains(word), "{error}");
    };
    refused("name the file");
    std::fs::write(folder.join("saved_model.pb"), b"\x08\x01").unwrap();
    refused("save('model.keras')");
    std::fs::copy(case.model(), folder.join("anything.keras")).unwrap();
    let model = Model::open(&folder, &ReadOptions::default()).unwrap();
    close(&predict(&model, &case), &case.matrix(&case.json["expect"][0]["file"]).data, "in a directory");
}

/// Steps that the file leaves open are those that the caller says.
#[test]
fn open_steps_are_said() {
    for name in ["refuse_open_steps_keras-3.15", "refuse_open_steps_h5-2.15"] {
        let case = case(name);
        let options = ReadOptions { sequence_length: 9, ..ReadOptions::default() };
        let model = Model::open(&case.model(), &options).unwrap();
        assert_eq!(model.sequence_length(), 9);
        let mut out = [0.0];
        let sequence = vec![0.5f32; 9 * model.feature_count()];
        model.predict_sequence(Output::Value, Rows::new(&sequence, 1, sequence.len()).unwrap(), 9, &mut out).unwrap();
        assert!(out[0].is_finite() && out[0] != 0.0);
    }
}

/// Names of layers are in the sentence of a refusal, wherever it lies.
#[test]
fn refusals_name_the_layer() {
    let case = case("refuse_custom_keras-3.15");
    let error = Model::open(&case.model(), &ReadOptions::default()).unwrap_err();
    assert!(error.message().contains("layer 'attend' (Attend)"), "{error}");
    assert!(error.message().contains("ONNX"), "{error}");
}
