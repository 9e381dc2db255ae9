//! Forests beside the libraries that our users would otherwise call, each through its native C entry point, in one run.
//!
//! `make bench` trains the models, converts them and starts this. For every model and library it verifies the answers, then measures one row
//! (p50, p99, and p50 with cold caches), batches with one thread and two, load time and memory; libraries take turns, so that whatever else
//! the machine does hits all of them. Ratios within one run hold; absolute figures move from machine to machine.
//!
//! ```text
//! peers MODELS PACKAGES LIBMI [--json FILE] [--quick] [NAME...]
//! ```

mod answers;
mod catboost;
mod clock;
mod compiled;
mod library;
mod lightgbm;
mod machine;
mod measure;
mod ours;
mod peer;
mod report;
mod rows;
mod runtime;
mod treelite;
mod xgboost;

use peer::Setting;
use std::path::{Path, PathBuf};

/// Library by library: its name in tables, and what opens it for a model. The order is that of the tables.
const PEERS: &[(&str, peer::Open)] = &[
    ("libmi", ours::open),
    ("LightGBM", lightgbm::open),
    ("XGBoost", xgboost::open),
    ("CatBoost", catboost::open),
    ("CatBoost's C++", compiled::open_catboost),
    ("lleaves", compiled::open_lleaves),
    ("tl2cgen", compiled::open_tl2cgen),
    ("Treelite GTIL", treelite::open),
    ("ONNX Runtime", runtime::open),
];

fn main() {
    // `cargo test --benches` passes no `--bench`: to have been compiled is all that is asked of us then.
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(bench) = arguments.iter().position(|argument| argument == "--bench") else { return };
    arguments.remove(bench);
    let quick = take_flag(&mut arguments, "--quick");
    let json = take_value(&mut arguments, "--json");
    let child = take_value(&mut arguments, "--child");
    let [models, packages, library, names @ ..] = &arguments[..] else {
        eprintln!(
            "usage: peers MODELS PACKAGES LIBMI [--json FILE] [--quick] [NAME...]\n`make bench` prepares all three"
        );
        std::process::exit(2);
    };
    let setting = Setting { packages: PathBuf::from(packages), ours: PathBuf::from(library) };
    if let Some(name) = child {
        let folder = Path::new(models);
        let (_, open) = PEERS.iter().find(|(peer, _)| *peer == name).expect("a name of the table");
        machine::measure_load(&setting, folder, *open);
        return;
    }
    machine::pin();
    let mut report = report::Report::new();
    for folder in model_folders(Path::new(models), names) {
        report.add(measure::model(&setting, &folder, PEERS, quick));
    }
    report.print();
    if let Some(file) = json {
        report.write(Path::new(&file));
    }
}

fn take_flag(arguments: &mut Vec<String>, flag: &str) -> bool {
    let place = arguments.iter().position(|argument| argument == flag);
    place.map(|place| arguments.remove(place)).is_some()
}

fn take_value(arguments: &mut Vec<String>, flag: &str) -> Option<String> {
    let place = arguments.iter().position(|argument| argument == flag)?;
    arguments.remove(place);
    (place < arguments.len()).then(|| arguments.remove(place))
}

/// Folders that `train.py` wrote, in the order of their names.
fn model_folders(models: &Path, names: &[String]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(models)
        .unwrap_or_else(|cause| panic!("{}: {cause}; run `make bench`", models.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("shape.json").exists())
        .filter(|path| names.is_empty() || names.iter().any(|name| path.ends_with(name)))
        .collect();
    found.sort();
    found
}
