//! Networks of a training run.

use crate::common::runs::TestRun;
use crate::{case, refused};
use mi::artifact::checksum::sha256;
use mi::exec::Rows;
use mi::ir::Output;
use mi::loader::Name;
use mi::session::Provider;
use mi::{Model, Status};
use serde_json::json;

const NAME: Name<'static> = Name { target: "t", family: "lstm", view: None, symbol: None };

fn bytes(name: &str, file: &str) -> Vec<u8> {
    std::fs::read(case(name).folder.join(file)).unwrap()
}

#[test]
fn every_file_is_hashed() {
    needs_runtime!();
    let run = TestRun::new();
    let (model, first, second) = (
        bytes("graph_external_two", "model.onnx"),
        bytes("graph_external_two", "weights/first.bin"),
        bytes("graph_external_two", "second.bin"),
    );
    let family = |sums: serde_json::Value| {
        let family = run.plain("t", "LSTM");
        std::fs::create_dir_all(family.folder.join("weights")).unwrap();
        family
            .file("model.onnx", &model)
            .file("weights/first.bin", &first)
            .file("second.bin", &second)
            .says("model_checksum", json!(sha256(&model)))
            .says("checksums", sums)
            .done();
    };
    family(json!({"weights/first.bin": sha256(&first), "second.bin": sha256(&second)}));
    let loaded = run.loader().load(NAME).unwrap();
    let files = loaded.facts()["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|file| file["checksum"]["verified"] == true), "{files:?}");

    family(json!({"weights/first.bin": sha256(&first)}));
    refused(run.loader().load(NAME), Status::Unsigned, &["second.bin", "`checksums`"]);
    let lenient = run.loader_with(|options| options.allow_unsigned = true);
    lenient.load(NAME).unwrap();

    family(json!({"weights/first.bin": sha256(&second), "second.bin": sha256(&second)}));
    refused(run.loader().load(NAME), Status::ChecksumMismatch, &["first.bin", &sha256(&first), &sha256(&second)]);
    let warned = run.loader_with(|options| options.strict_checksums = false).load(NAME).unwrap();
    let warnings = warned.facts()["warnings"].to_string();
    assert!(warnings.contains("weights/first.bin: checksum mismatch"), "{warnings}");
}

#[test]
fn the_metadata_says_what_the_file_leaves_open() {
    needs_runtime!();
    let run = TestRun::new();
    let model = bytes("graph_lstm_open", "model.onnx");
    let family = |keys: &[(&str, serde_json::Value)]| {
        let mut family =
            run.plain("t", "LSTM").file("model.onnx", &model).says("model_checksum", json!(sha256(&model)));
        for (key, value) in keys {
            family = family.says(key, value.clone());
        }
        family.done();
    };
    family(&[
        ("sequence_length", json!(12)),
        ("input_mode", json!("raw_sequence")),
        ("sequence_channels", json!(["o", "h", "l"])),
    ]);
    let loaded = run.loader().load(NAME).unwrap();
    assert_eq!((loaded.sequence_length(), loaded.feature_count()), (12, 3));
    family(&[("input_mode", json!("features"))]);
    refused(run.loader().load(NAME), Status::Unsupported, &["any length"]);
}

#[test]
fn the_family_decides_about_a_vae() {
    needs_runtime!();
    let run = TestRun::new();
    let model = bytes("graph_vae", "model.onnx");
    run.plain("t", "VAE").file("model.onnx", &model).says("model_checksum", json!(sha256(&model))).done();
    let loaded = run.loader().load(Name { family: "vae", ..NAME }).unwrap();
    assert_eq!(loaded.columns(Output::Value).unwrap(), 1, "the second output");
}

#[test]
fn a_scaler_beside_a_network_comes_first() {
    needs_runtime!();
    let scaler = crate::common::cases("sklearn")
        .into_iter()
        .find(|case| case.subject() == "standard_scaler" && case.json["refuse"].is_null())
        .expect("a fixture of a scaler");
    let pickle = std::fs::read(scaler.model()).unwrap();
    let alone = Model::open(&scaler.model(), &scaler.options()).unwrap();
    let width = alone.feature_count();
    let network = crate::graphs::Model::bytes(|graph| {
        let width = i64::try_from(width).unwrap();
        let shape = [crate::graphs::Dim::Open("N"), crate::graphs::Dim::Fixed(width)];
        graph.input("x", crate::graphs::FLOAT, &shape);
        graph.output("y", crate::graphs::FLOAT, &shape);
        graph.node("Neg", &["x"], &["y"], |_| {});
    });
    let run = TestRun::new();
    run.plain("t", "MLP")
        .file("model.onnx", &network)
        .file("scaler.joblib", &pickle)
        .says("model_checksum", json!(sha256(&network)))
        .says("checksums", json!({"scaler.joblib": sha256(&pickle)}))
        .done();
    let loaded = run.loader().load(Name { family: "mlp", ..NAME }).unwrap();
    let rows: Vec<f64> = (0..u8::try_from(width * 5).unwrap()).map(|at| f64::from(at) / 7.0).collect();
    let (mut scaled, mut found) = (vec![0.0; width * 5], vec![0.0; width * 5]);
    alone.predict(Output::Value, Rows::new(&rows, 5, width).unwrap(), &mut scaled).unwrap();
    loaded.predict(Output::Value, Rows::new(&rows, 5, width).unwrap(), &mut found).unwrap();
    for (found, scaled) in found.iter().zip(&scaled) {
        assert!((found + scaled).abs() <= 1e-6 * scaled.abs().max(1.0), "{found} {scaled}");
    }
}

#[test]
fn wishes_reach_the_runtime() {
    needs_runtime!();
    let run = TestRun::new();
    let model = bytes("graph_dense", "model.onnx");
    run.plain("t", "LSTM").file("model.onnx", &model).says("model_checksum", json!(sha256(&model))).done();
    let loader = run.loader_with(|options| {
        options.networks.providers = Provider::list("cuda,cpu").unwrap();
        options.networks.threads = 2;
    });
    let loaded = loader.load(NAME).unwrap();
    assert_eq!(loaded.facts()["providers"]["asked"], json!(["cuda", "cpu"]));
    assert_eq!(loaded.facts()["runtime"]["threads"], 2);
}
