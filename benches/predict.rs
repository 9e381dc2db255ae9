//! How long it takes to load a model, to predict one row, and to predict a thousand.
//!
//! The models are the largest fixtures of every library, single-threaded; one row at a time goes round the fixture's rows, so that no
//! two calls in a row are the same. `cargo bench -- lightgbm` measures a part of them.

#[path = "../tests/common/mod.rs"]
mod common;

use common::Case;
use criterion::{BenchmarkId, Criterion, Throughput};
use mi::Model;
use mi::exec::Rows;
use mi::ir::Output;
use serde_json::Value;
use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Models of each library.
const MODELS: usize = 4;
/// Rows of a batch.
const BATCH: usize = 1000;

fn main() {
    // `cargo test --benches` passes no `--bench`: to have been compiled is all that is asked of us then.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") || arguments.iter().any(|argument| argument == "--test")
    {
        return;
    }
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let lines: Vec<Line> =
        libraries().iter().flat_map(|library| largest(library)).map(|case| measure(&mut criterion, &case)).collect();
    criterion.final_summary();
    print(&lines);
}

/// The libraries whose fixtures are forests, sorted.
fn libraries() -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(common::fixtures())
        .expect("tests/fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.is_dir()
                && std::fs::read_dir(path).is_ok_and(|mut cases| {
                    cases.any(|case| case.is_ok_and(|case| case.path().join("case.json").exists()))
                })
        })
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    found.sort();
    found
}

/// The cases with the largest files among those that are read.
fn largest(library: &str) -> Vec<Case> {
    let size = |case: &Case| std::fs::metadata(case.model()).map_or(0, |file| file.len());
    let mut cases = common::cases(library);
    cases.retain(|case| !case.json["refuse"].is_object());
    cases.sort_by_key(|case| std::cmp::Reverse(size(case)));
    cases.retain(|case| Model::open(&case.model(), &case.options()).is_ok());
    cases.truncate(MODELS);
    cases
}

/// Nanoseconds of each operation on a model; `None`: the command line left it out.
struct Line {
    name: String,
    bytes: f64,
    nodes: f64,
    trees: f64,
    load: Option<f64>,
    row: Option<f64>,
    batch: Option<f64>,
}

#[allow(clippy::cast_precision_loss)]
fn measure(criterion: &mut Criterion, case: &Case) -> Line {
    let bytes = std::fs::read(case.model()).expect("the model file");
    let options = case.options();
    let model = Model::from_bytes(&bytes, &options).expect("it was read before");
    let input = case.matrix(&case.json["input"]);
    let columns = model.columns(Output::Value).expect("every model has values");
    let batch: Vec<f64> = input.data.iter().copied().cycle().take(BATCH * input.columns).collect();
    let mut out = vec![0.0; BATCH * columns];
    let name = case.name();
    let fact = |key: &str| model.facts().get(key).and_then(Value::as_u64).map_or(f64::NAN, |count| count as f64);

    let load = time(criterion, "load", &name, Throughput::Bytes(bytes.len() as u64), || {
        black_box(Model::from_bytes(black_box(&bytes), &options)).expect("it was read before");
    });
    let mut at = 0;
    let row = time(criterion, "row", &name, Throughput::Elements(1), || {
        let row = Rows::new(&input.data[at * input.columns..][..input.columns], 1, input.columns).expect("a row");
        model.predict(Output::Value, black_box(row), &mut out[..columns]).expect("a prediction");
        black_box(&mut out);
        at = (at + 1) % input.rows;
    });
    let whole = time(criterion, "rows_1000", &name, Throughput::Elements(BATCH as u64), || {
        let rows = Rows::new(&batch, BATCH, input.columns).expect("rows");
        model.predict(Output::Value, black_box(rows), &mut out).expect("predictions");
        black_box(&mut out);
    });
    Line { name, bytes: bytes.len() as f64, nodes: fact("nodes"), trees: fact("trees"), load, row, batch: whole }
}

/// Measures one operation; its median in nanoseconds, or `None` when the command line left it out.
fn time(
    criterion: &mut Criterion,
    group: &str,
    name: &str,
    throughput: Throughput,
    mut operation: impl FnMut(),
) -> Option<f64> {
    let samples = RefCell::new(Vec::new());
    let mut group = criterion.benchmark_group(group);
    group.throughput(throughput);
    group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
        bencher.iter_custom(|count| {
            let start = Instant::now();
            for _ in 0..count {
                operation();
            }
            let taken = start.elapsed();
            #[allow(clippy::cast_precision_loss)]
            samples.borrow_mut().push(taken.as_secs_f64() * 1e9 / count as f64);
            taken
        });
    });
    group.finish();
    let mut samples = samples.into_inner();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied()
}

fn print(lines: &[Line]) {
    let width = lines.iter().map(|line| line.name.len()).max().unwrap_or(0).max(5);
    println!("\n{:width$}  {:>6} {:>7}  {:^19}  {:^18}  {:^18}", "", "", "", "load", "one row", "1000 rows");
    println!(
        "{:width$}  {:>6} {:>7}  {:>8} {:>10}  {:>8} {:>9}  {:>8} {:>9}",
        "model", "trees", "nodes", "MB/s", "ns/node", "ns/row", "ns/tree", "ns/row", "ns/tree"
    );
    for line in lines {
        let cell = |value: Option<f64>, width: usize, digits: usize| match value {
            Some(value) if value.is_finite() => format!("{value:>width$.digits$}"),
            _ => format!("{:>width$}", "-"),
        };
        let per_row = line.batch.map(|batch| batch / 1e3);
        println!(
            "{:width$}  {:>6} {:>7}  {} {}  {} {}  {} {}",
            line.name,
            cell(Some(line.trees), 6, 0),
            cell(Some(line.nodes), 7, 0),
            cell(line.load.map(|load| line.bytes / load * 1e3), 8, 1),
            cell(line.load.map(|load| load / line.nodes), 10, 1),
            cell(line.row, 8, 0),
            cell(line.row.map(|row| row / line.trees), 9, 2),
            cell(per_row, 8, 0),
            cell(per_row.map(|row| row / line.trees), 9, 2),
        );
    }
}
