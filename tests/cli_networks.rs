//! Networks through the command `mi`: who runs them, on what, and what their files leave open.

#[path = "common/command.rs"]
mod command;
mod common;

use command::{mi, sentence, stdout};
use common::Case;
use serde_json::Value;

/// Ends a test, with a word, on a machine without the runtime.
macro_rules! needs_runtime {
    () => {
        if common::runtime::is_absent() {
            return;
        }
    };
}

fn case(library: &str, name: &str) -> Case {
    common::cases_of(library, &[name]).pop().unwrap_or_else(|| panic!("there is no fixture {library}/{name}"))
}

fn model(library: &str, name: &str) -> String {
    case(library, name).model().to_str().unwrap().to_owned()
}

/// What `mi inspect --json` says with these options.
fn facts(model: &str, options: &[&str]) -> Value {
    let output = mi(["inspect", "--json", model].iter().chain(options), "");
    serde_json::from_str(stdout(&output)).unwrap()
}

/// Compares the predictions of a case, asked with these options, with those of its library.
fn check(case: &Case, options: &[&str]) {
    let path = case.model();
    let rows = case.matrix(&case.json["input"]);
    let lines = rows.data.chunks_exact(rows.columns).map(|row| {
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        cells.join(",") + "\n"
    });
    let arguments = ["predict", path.to_str().unwrap(), "--input", "-", "--no-header"];
    let output = mi(arguments.iter().chain(options), &lines.collect::<String>());
    let found = stdout(&output).lines().flat_map(|line| line.split(',')).map(|cell| cell.parse::<f64>().unwrap());
    let found: Vec<f64> = found.collect();
    let expect = case.json["expect"].as_array().unwrap();
    let expected = expect.iter().find(|expect| expect["output"] == "value").unwrap();
    let expected = case.matrix(&expected["file"]).data;
    assert_eq!(found.len(), expected.len(), "{}", case.name());
    for (found, expected) in found.iter().zip(&expected) {
        let allowed = (1e-5 * expected.abs()).max(1e-6);
        assert!((found - expected).abs() <= allowed, "{} {options:?}: {found}, not {expected}", case.name());
    }
}

#[test]
fn who_runs_a_network_is_chosen() {
    let keras = case("keras", "mlp_keras");
    let path = model("keras", "mlp_keras");
    for options in [&[][..], &["--networks", "auto"], &["--networks", "native"]] {
        let facts = facts(&path, options);
        assert_eq!((facts["runs"].as_str(), facts.get("runtime")), (Some("native"), None), "{facts}");
        check(&keras, options);
    }
    let refused = mi(["inspect", &path, "--networks", "gpu"], "");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("'gpu' is not known"), "{refused:?}");
    let required = ["inspect", &path, "--networks", "native", "--providers", "cuda,cpu", "--providers-required"];
    assert!(sentence(&mi(required, "")).contains("'cuda' is required"));
    needs_runtime!();
    assert_eq!(facts(&path, &["--networks", "runtime"])["runs"], "runtime");
    check(&keras, &["--networks", "runtime"]);
}

#[test]
fn the_options_of_a_run_reach_its_networks() {
    needs_runtime!();
    let run = common::fixtures().join("runs/sequences");
    let narrowed = ["inspect", "--json", run.to_str().unwrap(), "--family", "tab_lstm"];
    for who in ["native", "runtime"] {
        let told: Value = serde_json::from_str(stdout(&mi(narrowed.iter().chain(&["--networks", who]), ""))).unwrap();
        let models = told["models"].as_array().unwrap();
        assert!(!models.is_empty() && models.iter().all(|model| model["model"]["runs"] == who), "{told}");
    }
    // The metadata of a run says these.
    for option in ["--sequence-length", "--feature-count", "--network-output"] {
        let refused = mi(narrowed.iter().chain(&[option, "3"]), "");
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(option), "{refused:?}");
    }
}

#[test]
fn what_a_file_leaves_open_is_an_option() {
    needs_runtime!();
    let plain = case("onnx", "graph_dense");
    check(&plain, &[]);
    for (name, option) in [
        ("graph_output_by_name", "--network-output"),
        ("graph_output_by_number", "--network-output"),
        ("graph_columns_unknown", "--feature-count"),
    ] {
        let case = case("onnx", name);
        let options = case.options();
        let value = options.output.unwrap_or_else(|| options.feature_count.to_string());
        check(&case, &[option, &value]);
    }
    let open = facts(&model("onnx", "graph_lstm_open"), &["--sequence-length", "12"]);
    assert_eq!(open["sequence_length"], 12, "{open}");
    let unknown = mi(["inspect", &model("onnx", "graph_columns_unknown")], "");
    assert!(sentence(&unknown).contains("feature_count"), "{unknown:?}");
    // Weights in a file beside the model.
    assert_eq!(facts(&model("onnx", "graph_external"), &[])["library"], "onnx");
}

#[test]
fn hardware_threads_and_the_runtime_are_options() {
    needs_runtime!();
    let path = model("onnx", "graph_dense");
    let folder = std::env::var("MI_ONNXRUNTIME").unwrap();
    let plain = case("onnx", "graph_dense");
    let given = ["--providers", "cpu", "--providers-required", "--threads", "2", "--runtime", &folder];
    check(&plain, &given);
    let told = facts(&path, &given);
    assert_eq!((&told["runtime"]["threads"], &told["providers"]["asked"][0]), (&2.into(), &"cpu".into()), "{told}");
    let elsewhere = mi(["inspect", &path, "--runtime", "/nowhere"], "");
    assert!(sentence(&elsewhere).contains("/nowhere"), "{elsewhere:?}");
    let unknown = mi(["inspect", &path, "--providers", "gpu"], "");
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
    if ["/dev/nvidia0", "/dev/dri/renderD128"].iter().any(|path| std::path::Path::new(path).exists()) {
        return println!("skipped: this machine may have a device");
    }
    let device =
        ["--providers", "cuda,cpu", "--device", "1", "--device-memory", "1000000000", "--tf32", "--graph-capture"];
    let told = facts(&path, &device);
    assert_eq!(told["providers"]["refused"][0]["provider"], "cuda", "{told}");
    let required = mi(["inspect", &path, "--providers-required"].iter().chain(&device), "");
    assert!(sentence(&required).contains("provider 'cuda' is refused"), "{required:?}");
}
