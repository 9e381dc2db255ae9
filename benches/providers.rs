//! Networks on each provider that is named: microseconds of a call, beside the processor.
//!
//! `MI_ONNXRUNTIME=/opt/onnxruntime-gpu cargo bench --bench providers -- cuda` measures NVIDIA's GPUs. A call copies its rows to the device and
//! its answers back, as every caller has to. Blocks of calls go round the providers; the median of a block's calls, and of all blocks, is
//! printed, with what the processor takes divided by it.

#[path = "networks/models.rs"]
#[allow(dead_code)] // the other benchmark uses all of it
mod models;

use mi::Model;
use mi::exec::{Processor, Rows};
use mi::ir::Output;
use mi::session::{Networks, Provider, Settings};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rows of a call.
const BATCHES: [usize; 4] = [1, 64, 1024, 4096];
/// Rounds through all providers.
const ROUNDS: usize = 5;
/// What a provider has in a round.
const TURN: Duration = Duration::from_millis(12);

fn main() {
    // `cargo test --benches` passes no `--bench`: to have been compiled is all that is asked of us then.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let mut providers = vec![Provider::Cpu];
    for name in arguments.iter().filter(|argument| !argument.starts_with("--")) {
        match Provider::list(name) {
            Ok(list) => providers.extend(list.into_iter().filter(|provider| *provider != Provider::Cpu)),
            Err(error) => fail(&error.to_string()),
        }
    }
    // NVIDIA's also with captured launches.
    let mut ways: Vec<(Provider, bool)> = providers.iter().map(|&provider| (provider, false)).collect();
    ways.extend(providers.iter().filter(|provider| **provider == Provider::Cuda).map(|&provider| (provider, true)));
    let heading = |&(provider, captured): &(Provider, bool)| {
        format!("{:>12}{:>8}", provider.name(), if captured { "captured" } else { "" })
    };
    println!("{:20}{:>7}{}", "us of a call", "rows", ways.iter().map(heading).collect::<String>());
    for (name, meaning) in models::all() {
        let mut opened = Vec::new();
        for &(provider, graph_capture) in &ways {
            let settings = Settings {
                providers: vec![provider, Provider::Cpu]
                    .into_iter()
                    .take(1 + usize::from(provider != Provider::Cpu))
                    .collect(),
                required: true,
                graph_capture,
                networks: Networks::Runtime,
                ..Settings::default()
            };
            match Model::new(meaning.clone(), Processor::here(), &settings) {
                Ok(model) => opened.push(model),
                Err(error) => fail(&format!("{name} on {}: {error}", provider.name())),
            }
        }
        for rows in BATCHES {
            let times = measure(&opened, rows);
            let cell = |time: &f64| format!("{:>12.1}{:>7.2}x", time * 1e6, times[0] / time);
            println!("{name:20}{rows:>7}{}", times.iter().map(cell).collect::<String>());
        }
        let nodes: Vec<String> = opened.iter().map(|model| model.facts()["providers"]["nodes"].to_string()).collect();
        println!("{:27}nodes: {}", "", nodes.join("  "));
    }
}

/// Ends without a table: nobody takes half of one for a measurement.
fn fail(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(1);
}

/// Seconds of a call on each provider.
fn measure(models: &[Model], rows: usize) -> Vec<f64> {
    let width = models[0].feature_count() * models[0].sequence_length().max(1);
    let x = models::numbers(5, rows * width);
    let mut out = vec![0.0; rows * models[0].columns(Output::Value).expect("a value")];
    let mut times = vec![Vec::new(); models.len()];
    for round in 0..=ROUNDS {
        for (model, times) in models.iter().zip(&mut times) {
            let time = median(turn(|| {
                let batch = Rows::new(black_box(&x), rows, width).expect("rows");
                match model.sequence_length() {
                    0 => model.predict(Output::Value, batch, &mut out).expect("predictions"),
                    steps => model.predict_sequence(Output::Value, batch, steps, &mut out).expect("predictions"),
                }
            }));
            // The first round warms up.
            if round > 0 {
                times.push(time);
            }
        }
    }
    times.into_iter().map(median).collect()
}

/// Seconds of each call in a turn, at least one.
fn turn(mut call: impl FnMut()) -> Vec<f64> {
    let (mut times, begin) = (Vec::new(), Instant::now());
    while times.is_empty() || begin.elapsed() < TURN {
        let start = Instant::now();
        call();
        times.push(start.elapsed().as_secs_f64());
    }
    times
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
