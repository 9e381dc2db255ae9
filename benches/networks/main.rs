//! How long networks take: one row, and batches of 64 and 1000 rows, in nanoseconds per row.
//!
//! Each is run beside a bare `Run` of ONNX Runtime where that is found, perceptrons also beside the same products by a plain matrix library. A number is the best of many short runs, which a busy
//! machine disturbs least. `cargo bench --bench networks -- lstm` measures a part.

mod library;
mod models;
mod runtime;

use mi::exec::{Alone, Program, Rows};
use mi::ir::Output;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rows that go round, so that no two calls in a row are the same.
const ROWS: usize = 1000;
/// Rows of a batch.
const BATCHES: [usize; 3] = [1, 64, ROWS];

fn main() {
    // `cargo test --benches` passes no `--bench`: to have been compiled is all that is asked of us then.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    println!("{:32}{}", "ns per row", BATCHES.map(|rows| format!("{rows:>10}")).join(""));
    for (name, model) in models::all().into_iter().filter(|(name, _)| wanted(name)) {
        let program = Program::new(&model, &Alone).expect("a network that is run natively");
        let steps = program.sequence_length().max(1);
        let width = program.features() * steps;
        let columns = program.columns(Output::Value).expect("a value");
        let numbers = models::numbers(1, ROWS * width);
        let mut out = vec![0.0; ROWS * columns];
        let mut at = 0;
        line(name, |rows| {
            if at + rows > ROWS {
                at = 0;
            }
            let batch = Rows::new(&numbers[at * width..][..rows * width], rows, width).expect("rows");
            let out = &mut out[..rows * columns];
            if steps > 1 {
                program.predict_sequence(Output::Value, black_box(batch), steps, out).expect("predictions");
            } else {
                program.predict(Output::Value, black_box(batch), out).expect("predictions");
            }
            at += 1;
        });
        match runtime::Raw::new(&model, columns) {
            Some(mut raw) => line("  ONNX Runtime", |rows| raw.run(rows)),
            None => println!("  ONNX Runtime is not found; `make runtime` brings it"),
        }
    }
    for widths in models::PERCEPTRONS {
        let name = format!("matrix library {widths:?}");
        if wanted(&name) {
            let mut perceptron = library::Perceptron::new(widths);
            line(&name, |rows| perceptron.run(rows));
        }
    }
}

/// Prints a line of the table: what `run` takes for batches.
#[allow(clippy::cast_precision_loss)]
fn line(name: &str, mut run: impl FnMut(usize)) {
    let cells = BATCHES.map(|rows| format!("{:>10.0}", best(|| run(rows)) * 1e9 / rows as f64));
    println!("{name:32}{}", cells.join(""));
}

/// Seconds of one call, in the best of runs of about 50 microseconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn best(mut call: impl FnMut()) -> f64 {
    let mut time = |calls: u32| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64() / f64::from(calls)
    };
    let calls = (50e-6 / time(20).max(1e-9)).clamp(1.0, 1e4) as u32;
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed() < Duration::from_millis(700) {
        best = best.min(time(calls));
    }
    best
}
