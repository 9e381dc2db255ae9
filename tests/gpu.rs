//! Networks on a GPU, where there is one.
//!
//! `MI_GPU` names the provider, `MI_ONNXRUNTIME` a runtime that was built for it:
//! `MI_GPU=cuda MI_ONNXRUNTIME=/opt/onnxruntime-gpu cargo test --test gpu -- --nocapture`. Without `MI_GPU` these tests say so and pass.

mod common;

use common::Case;
use mi::exec::Rows;
use mi::ir::Output;
use mi::session::{Networks, Provider, Settings};
use mi::{Model, Result, Status};
use std::process::Command;

/// Numbers of a GPU beside those of the processor, relative: sums in another order, and functions of its own.
const RELATIVE: f64 = 1e-3;
/// The same for a network in float16.
const RELATIVE_HALF: f64 = 1e-2;
/// The same where numbers are near zero.
const ABSOLUTE: f64 = 1e-5;

/// The provider under test; `None` without one, with a word.
fn gpu() -> Option<Provider> {
    let Ok(name) = std::env::var("MI_GPU") else {
        println!("skipped: no GPU; MI_GPU=cuda MI_ONNXRUNTIME=/path/to/onnxruntime-gpu names one");
        return None;
    };
    Some(Provider::list(&name).unwrap_or_else(|error| panic!("MI_GPU: {error}"))[0])
}

fn on(provider: Provider) -> Settings {
    Settings { providers: vec![provider, Provider::Cpu], networks: Networks::Runtime, ..Settings::default() }
}

fn open(case: &Case, settings: &Settings) -> Result<Model> {
    Model::open_with(&case.model(), &case.options(), settings)
}

fn dense() -> Case {
    common::cases("onnx").into_iter().find(|case| case.folder.ends_with("graph_dense")).unwrap()
}

/// Nodes that the provider runs.
fn nodes(model: &Model, provider: Provider) -> u64 {
    model.facts()["providers"]["nodes"][provider.name()].as_u64().unwrap_or(0)
}

/// The answers to the rows of a case.
#[allow(clippy::cast_possible_truncation)] // networks take float32
fn answers(model: &Model, case: &Case) -> Result<Vec<f64>> {
    let rows = case.matrix(&case.json["input"]);
    let single: Vec<f32> = rows.data.iter().map(|&number| number as f32).collect();
    let batch = Rows::new(&single, rows.rows, rows.columns)?;
    let mut out = vec![f64::NAN; rows.rows * model.columns(Output::Value).unwrap_or(0)];
    match model.sequence_length() {
        0 => model.predict(Output::Value, batch, &mut out)?,
        steps => model.predict_sequence(Output::Value, batch, steps, &mut out)?,
    }
    Ok(out)
}

/// How far `found` is from `expected`, in units of what is allowed.
fn distance(found: &[f64], expected: &[f64]) -> f64 {
    distance_of(found, expected, RELATIVE)
}

fn distance_of(found: &[f64], expected: &[f64], relative: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let off = |(found, expected): (&f64, &f64)| {
        if found.to_bits() == expected.to_bits() {
            return 0.0;
        }
        let off = (found - expected).abs() / (ABSOLUTE + relative * expected.abs());
        if off.is_nan() { f64::INFINITY } else { off }
    };
    found.iter().zip(expected).map(off).fold(0.0, f64::max)
}

/// Every network of the fixtures answers on the GPU what it answers on the processor.
#[test]
fn a_gpu_answers_what_the_processor_answers() {
    let Some(provider) = gpu() else { return };
    let processor = Settings { networks: Networks::Runtime, ..Settings::default() };
    let (mut compared, mut on_gpu, mut worst, mut wrong, mut refused) = (0, 0, 0.0f64, Vec::new(), Vec::new());
    for case in ["onnx", "keras", "torch"].into_iter().flat_map(common::cases) {
        // What is refused or has another kind of input on the processor is the business of other tests.
        if !case.json["input"].is_string() {
            continue;
        }
        let Ok(expected) = open(&case, &processor).and_then(|model| answers(&model, &case)) else { continue };
        let model = open(&case, &on(provider)).unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        // A network in float64 is run by this library itself, whatever is asked for.
        let Some(facts) = model.facts().get("providers") else { continue };
        compared += 1;
        match facts["refused"].get(0) {
            Some(refusal) => refused.push(format!("{}: {}", case.name(), refusal["reason"])),
            None => on_gpu += usize::from(nodes(&model, provider) > 0 || facts["nodes"] == serde_json::json!({})),
        }
        let relative = if case.name().contains("half") { RELATIVE_HALF } else { RELATIVE };
        let off = distance_of(&answers(&model, &case).unwrap(), &expected, relative);
        worst = worst.max(off);
        if off > 1.0 {
            wrong.push(format!("{}: {off:.2} times what is allowed; {}", case.name(), facts["nodes"]));
        }
    }
    println!("{compared} networks, {on_gpu} of them on {}, worst {worst:.4} of what is allowed", provider.name());
    println!("{} are refused there:\n{}", refused.len(), refused.join("\n"));
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    // Trees, and operators that a provider lacks, stay on the processor.
    assert!(compared > 300 && 4 * on_gpu > 3 * compared, "{compared} networks were compared, {on_gpu} on the GPU");
}

/// Many threads, one session, one device.
#[test]
fn threads_share_a_session_on_the_gpu() {
    let Some(provider) = gpu() else { return };
    let case = dense();
    let model = open(&case, &on(provider)).unwrap();
    assert_eq!(model.facts()["providers"]["refused"], serde_json::json!([]));
    let expected = answers(&model, &case).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert!(distance(&answers(&model, &case).unwrap(), &expected) <= 1.0);
                }
            });
        }
    });
}

/// Captured launches: the same answers, for rows that change, shapes that come and go, and threads that take turns.
#[test]
fn captured_graphs_answer_the_same() {
    let Some(provider) = gpu() else { return };
    if provider != Provider::Cuda {
        return println!("skipped: the provider 'cuda' captures graphs");
    }
    let capturing = Settings { graph_capture: true, ..on(provider) };
    let (mut captured, mut reasons, mut wrong) = (0, Vec::new(), Vec::new());
    for case in ["onnx", "keras", "torch"].into_iter().flat_map(common::cases) {
        if !case.json["input"].is_string() {
            continue;
        }
        let Ok(expected) = open(&case, &on(provider)).and_then(|model| answers(&model, &case)) else { continue };
        let model = open(&case, &capturing).unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        let Some(facts) = model.facts().get("providers") else { continue };
        match facts["graph_capture"]["refused"].as_str() {
            None => captured += 1,
            Some(reason) => reasons.push(format!("{}: {reason}", case.name())),
        }
        for _ in 0..3 {
            let off = distance(&answers(&model, &case).unwrap(), &expected);
            if off > 1.0 {
                wrong.push(format!("{}: {off:.2} times what is allowed", case.name()));
            }
        }
    }
    println!("{captured} graphs were captured, {} not:\n{}", reasons.len(), reasons.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(captured > 200);

    let model = open(&dense(), &Settings { required: true, ..capturing }).unwrap();
    let (columns, width) = (model.feature_count(), model.columns(Output::Value).unwrap());
    let predict = |model: &Model, seed: u16, rows: usize| {
        let number = |at: usize| (f32::from(u16::try_from(at).unwrap()) * 0.37 + f32::from(seed)).sin();
        let x: Vec<f32> = (0..rows * columns).map(number).collect();
        let mut out = vec![f64::NAN; rows * width];
        model.predict(Output::Value, Rows::new(&x, rows, columns).unwrap(), &mut out).unwrap();
        out
    };
    let plain = open(&dense(), &Settings::default()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u16 {
            let (model, plain, predict) = (&model, &plain, &predict);
            scope.spawn(move || {
                // More shapes than are captured.
                for round in 0..60u16 {
                    let rows = 1 + usize::from(round % 12);
                    let (found, expected) =
                        (predict(model, thread * 100 + round, rows), predict(plain, thread * 100 + round, rows));
                    assert!(distance(&found, &expected) <= 1.0, "{found:?} {expected:?}");
                }
            });
        }
    });
}

/// Numbers of rows come and go; each has tensors of its own.
#[test]
fn batches_of_any_size() {
    let Some(provider) = gpu() else { return };
    let model = open(&dense(), &on(provider)).unwrap();
    let columns = model.feature_count();
    let x: Vec<f32> = (0..4099 * columns).map(|at| f32::from(u8::try_from(at % 251).unwrap()) / 251.0 - 0.5).collect();
    let width = model.columns(Output::Value).unwrap();
    let mut expected = vec![0.0; 4099 * width];
    model.predict(Output::Value, Rows::new(&x, 4099, columns).unwrap(), &mut expected).unwrap();
    for rows in [1, 2, 3, 7, 64, 65, 1000, 4099, 1, 64] {
        let mut out = vec![f64::NAN; rows * width];
        let first = 4099 - rows;
        let batch = Rows::new(&x[first * columns..], rows, columns).unwrap();
        model.predict(Output::Value, batch, &mut out).unwrap();
        assert!(distance(&out, &expected[first * width..]) <= 1.0, "{rows} rows");
    }
}

/// A device that is not there, and one with too little memory: a refusal with its reason, and the processor answers.
#[test]
fn devices_that_cannot_be_had() {
    let Some(provider) = gpu() else { return };
    let case = dense();
    let expected = answers(&open(&case, &Settings::default()).unwrap(), &case).unwrap();
    let absent = Settings { device: 99, ..on(provider) };
    if provider != Provider::WebGpu {
        let model = open(&case, &absent).unwrap();
        let facts = &model.facts()["providers"];
        println!("device 99: {facts}");
        assert_eq!(facts["refused"][0]["provider"], provider.name(), "{facts}");
        assert_eq!(nodes(&model, Provider::Cpu), nodes(&open(&case, &Settings::default()).unwrap(), Provider::Cpu));
        assert!(distance(&answers(&model, &case).unwrap(), &expected) <= 1.0);
        let error = open(&case, &Settings { required: true, ..absent }).unwrap_err();
        assert_eq!(error.status(), Status::Backend, "{error}");
    }
    let model = open(&case, &Settings { device_memory: 256 << 20, ..on(provider) }).unwrap();
    assert!(distance(&answers(&model, &case).unwrap(), &expected) <= 1.0);
    // So little that nothing fits: refused, or an error of the call, never a wrong number.
    match open(&case, &Settings { device_memory: 1, ..on(provider) }).and_then(|model| {
        println!("one byte: {}", model.facts()["providers"]);
        answers(&model, &case)
    }) {
        Ok(found) => assert!(distance(&found, &expected) <= 1.0),
        Err(error) => {
            println!("one byte: {error}");
            assert_eq!(error.status(), Status::Backend, "{error}");
        }
    }
}

/// Names the process in which the driver is hidden.
const HIDDEN: &str = "MI_GPU_HIDDEN";

/// A machine whose driver is not found: the processor answers, and the reason is kept.
#[test]
fn hidden_drivers_fall_back() {
    let Some(provider) = gpu() else { return };
    if std::env::var_os(HIDDEN).is_some() {
        return fall_back(provider);
    }
    let none = "/nonexistent";
    let given = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hidden_drivers_fall_back", "--nocapture"])
        .env(HIDDEN, "1")
        .env("CUDA_VISIBLE_DEVICES", "-1")
        .env("VK_DRIVER_FILES", none)
        .env("VK_ICD_FILENAMES", none)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&given.stdout).into_owned() + &String::from_utf8_lossy(&given.stderr);
    println!("no device to be seen:\n{text}");
    assert!(given.status.success());
}

/// What a process without a driver sees.
fn fall_back(provider: Provider) {
    let case = dense();
    let model = open(&case, &on(provider)).unwrap();
    let facts = &model.facts()["providers"];
    println!("{facts}");
    assert_eq!(facts["refused"][0]["provider"], provider.name(), "{facts}");
    assert!(facts["refused"][0]["reason"].as_str().unwrap().len() > 20, "{facts}");
    assert_eq!(nodes(&model, provider), 0, "{facts}");
    let expected = answers(&open(&case, &Settings::default()).unwrap(), &case).unwrap();
    assert!(distance(&answers(&model, &case).unwrap(), &expected) <= 1.0);
    let error = open(&case, &Settings { required: true, ..on(provider) }).unwrap_err();
    println!("required: {error}");
    assert_eq!(error.status(), Status::Backend);
}
