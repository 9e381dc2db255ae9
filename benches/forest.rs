//! How fast the kernels of forests are, on each kind of processor that this machine is.
//!
//! `benches/peers/train.py` makes the models; `MI_MODELS` names their folder, `MI_PROCESSORS` the processors (default: the best).
//! `taskset -c 1 cargo bench --bench forest -- lightgbm_500` measures those whose names contain a word.

#[path = "../tests/common/npy.rs"]
mod npy;

use mi::Model;
use mi::exec::{Number, Rows};
use mi::formats::ReadOptions;
use mi::ir::Output;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let Ok(folder) = std::env::var("MI_MODELS") else {
        println!("MI_MODELS does not name the folder of the models; benches/peers/train.py makes them");
        return;
    };
    if !arguments.iter().any(|argument| argument == "--bench") {
        return; // `cargo test --benches` asks for no more than to be compiled
    }
    let words: Vec<&String> = arguments[1..].iter().filter(|argument| !argument.starts_with('-')).collect();
    let processors = std::env::var("MI_PROCESSORS").unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("MI_MODELS").flatten().map(|e| e.path()).collect();
    folders.retain(|path| path.join("shape.json").exists());
    folders.sort();
    println!(
        "{:26} {:10} {:>8} {:>8} {:>8}  {:>10} {:>10} {:>10} {:>10}  {:>8} {:>9}  kernel",
        "model", "processor", "row us", "p99 us", "cold us", "16 rows/s", "64", "1,000", "10,000", "load ms", "bytes"
    );
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            for processor in processors.split(',') {
                measure(&folder, &name, processor);
            }
        }
    }
}

fn measure(folder: &Path, name: &str, processor: &str) {
    let file = ["model.txt", "model.ubj", "model.cbm", "model.joblib"].map(|file| folder.join(file));
    let file = file.into_iter().find(|file| file.exists()).expect("a model");
    let options = ReadOptions { processor: Some(processor.to_owned()), ..ReadOptions::default() };
    let bytes = std::fs::read(&file).unwrap();
    let start = Instant::now();
    let model = Model::from_bytes(&bytes, &options).unwrap();
    let load = start.elapsed();
    let rows = npy::read(&folder.join("rows.npy"));
    let expected = npy::read(&folder.join("expected.npy"));
    let shape = std::fs::read_to_string(folder.join("shape.json")).unwrap();
    #[allow(clippy::cast_possible_truncation)]
    let single: Vec<f32> = rows.data.iter().map(|&value| value as f32).collect();
    if shape.contains("f32") {
        run(&model, name, &single, &rows, &expected, load);
    } else {
        run(&model, name, &rows.data, &rows, &expected, load);
    }
}

fn run<T: Number>(model: &Model, name: &str, data: &[T], rows: &npy::Matrix, expected: &npy::Matrix, load: Duration) {
    let columns = rows.columns;
    let mut out = vec![0.0; 10_000 * expected.columns];
    let predict = |data: &[T], out: &mut [f64]| {
        let count = data.len() / columns;
        let rows = Rows::new(data, count, columns).unwrap();
        model.predict(Output::Raw, black_box(rows), &mut out[..count * expected.columns]).unwrap();
        black_box(&out);
    };
    for size in [1, 64, 1000] {
        for (data, expected) in data.chunks(size * columns).zip(expected.data.chunks(size * expected.columns)) {
            predict(data, &mut out);
            assert_eq!(&out[..expected.len()], expected, "{name} differs from its library");
        }
    }
    let mut samples = Vec::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(700) {
        for group in data.chunks_exact(32 * columns) {
            let start = Instant::now();
            for row in group.chunks_exact(columns) {
                predict(row, &mut out);
            }
            samples.push(start.elapsed().as_secs_f64() / 32.0);
        }
    }
    let mut single = Vec::new();
    for row in data.chunks_exact(columns).cycle().take(3 * rows.rows) {
        let start = Instant::now();
        predict(row, &mut out);
        single.push(start.elapsed().as_secs_f64());
    }
    let mut cold = Vec::new();
    let mut trash = vec![0u64; 8 << 20];
    for row in data.chunks_exact(columns).take(40) {
        trash.iter_mut().for_each(|word| *word = word.wrapping_add(1));
        black_box(&mut trash);
        let start = Instant::now();
        predict(row, &mut out);
        cold.push(start.elapsed().as_secs_f64());
    }
    let many: Vec<T> = data.iter().copied().cycle().take(10_000 * columns).collect();
    let rate = |size: usize, out: &mut [f64]| {
        let mut best: f64 = 0.0;
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(300) {
            for batch in many.chunks_exact(size * columns).take(64) {
                let start = Instant::now();
                predict(batch, out);
                #[allow(clippy::cast_precision_loss)]
                let rate = size as f64 / start.elapsed().as_secs_f64();
                best = best.max(rate);
            }
        }
        best
    };
    let rates = [16, 64, 1000, 10_000].map(|size| rate(size, &mut out));
    let facts = &model.facts()["compiled"];
    println!(
        "{name:26} {:10} {:8.3} {:8.3} {:8.2}  {:10.0} {:10.0} {:10.0} {:10.0}  {:8.2} {:>9}  {}",
        facts["processor"].as_str().unwrap_or_default(),
        quantile(&mut samples, 0.5) * 1e6,
        quantile(&mut single, 0.99) * 1e6,
        quantile(&mut cold, 0.5) * 1e6,
        rates[0],
        rates[1],
        rates[2],
        rates[3],
        load.as_secs_f64() * 1e3,
        facts["bytes"],
        facts["kernel"],
    );
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn quantile(samples: &mut [f64], part: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[((samples.len() - 1) as f64 * part) as usize]
}
