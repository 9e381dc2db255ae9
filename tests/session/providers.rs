//! Hardware that is asked for and not there.

use crate::{case, refused};
use mi::exec::Rows;
use mi::ir::Output;
use mi::session::{Provider, Settings};
use mi::{Model, Status};

fn open(settings: &Settings) -> mi::Result<Model> {
    let case = case("graph_dense");
    Model::open_with(&case.model(), &case.options(), settings)
}

/// Whether this machine may really have what is asked for: then nothing can be said about refusals.
fn has_a_device() -> bool {
    ["/dev/nvidia0", "/dev/dri/renderD128"].iter().any(|path| std::path::Path::new(path).exists())
}

#[test]
fn the_processor_is_the_last_resort() {
    needs_runtime!();
    for list in ["cuda,cpu", "tensorrt,cuda,cpu", "webgpu", "webgpu,cuda"] {
        let providers = Provider::list(list).unwrap();
        let settings = Settings {
            providers: providers.clone(),
            device: 0,
            device_memory: 1 << 30,
            tf32: true,
            graph_capture: true,
            ..Settings::default()
        };
        let model = open(&settings).unwrap();
        let mut out = [0.0; 2];
        model.predict(Output::Value, Rows::new(&[0.5; 5], 1, 5).unwrap(), &mut out).unwrap();
        let facts = &model.facts()["providers"];
        assert_eq!(facts["asked"].as_array().unwrap().len(), providers.len(), "{facts}");
        let nodes: u64 = facts["nodes"].as_object().unwrap().values().filter_map(serde_json::Value::as_u64).sum();
        assert!(nodes >= 1, "{facts}");
        if has_a_device() {
            println!("{list}: {facts}");
            continue;
        }
        let refusals = facts["refused"].as_array().unwrap();
        let wanted: Vec<&str> = providers.iter().map(|p| p.name()).filter(|name| *name != "cpu").collect();
        let named: Vec<&str> = refusals.iter().map(|refusal| refusal["provider"].as_str().unwrap()).collect();
        assert_eq!(named, wanted, "{facts}");
        assert!(refusals.iter().all(|refusal| refusal["reason"].as_str().unwrap().len() > 20), "{facts}");
        assert_eq!(facts["nodes"].as_object().unwrap().keys().collect::<Vec<_>>(), ["cpu"], "{facts}");
        assert!(facts["graph_capture"]["refused"].as_str().unwrap().contains("'cuda'"), "{facts}");
    }
}

#[test]
fn required_makes_a_fallback_an_error() {
    needs_runtime!();
    let required =
        |list: &str| Settings { providers: Provider::list(list).unwrap(), required: true, ..Settings::default() };
    open(&required("cpu")).unwrap();
    if has_a_device() {
        return println!("skipped: this machine may have a device");
    }
    for (list, name) in
        [("cuda", "cuda"), ("cuda,cpu", "cuda"), ("webgpu,cpu", "webgpu"), ("tensorrt,cuda,cpu", "tensorrt")]
    {
        refused(open(&required(list)), Status::Backend, &[&format!("provider '{name}' is refused"), "required"]);
    }
}

#[test]
fn threads_are_as_many_as_asked() {
    needs_runtime!();
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    // Other tests come and go, so only the difference that stays is looked at.
    let model = open(&Settings { threads: 3, ..Settings::default() }).unwrap();
    assert_eq!(model.facts()["runtime"]["threads"], 3);
    let mut out = [0.0; 2];
    model.predict(Output::Value, Rows::new(&[0.5; 5], 1, 5).unwrap(), &mut out).unwrap();
    assert!(threads() >= 3);
}

#[test]
fn a_process_has_one_runtime() {
    needs_runtime!();
    open(&Settings::default()).unwrap();
    let other = Settings { runtime: Some("/nowhere/libonnxruntime.so.1".into()), ..Settings::default() };
    refused(open(&other), Status::InvalidArgument, &["/nowhere", "can have one only"]);
    // The same one by another path.
    let folder = std::path::PathBuf::from(std::env::var_os("MI_ONNXRUNTIME").unwrap());
    open(&Settings { runtime: Some(folder), ..Settings::default() }).unwrap();
}
