//! Eight threads through one loader, one engine and one model, and threads within one call: the same numbers as one thread. Run under the thread sanitizer by
//! `scripts/sanitize.sh`.

mod common;

use mi::Model;
use mi::artifact::Name;
use mi::engine::{self, Engine};
use mi::exec::Rows;
use mi::formats::ReadOptions;
use mi::ir::Output;
use mi::loader::{self, Loader};
use mi::session::Settings;
use std::sync::{Arc, Barrier};

const THREADS: usize = 8;
const ROUNDS: usize = 40;

/// Without the test harness, whose own threads hide behind an uninstrumented standard library.
fn main() {
    eight_threads_agree_with_one();
    println!("test eight_threads_agree_with_one ... ok");
    threads_within_a_call_change_no_bit();
    println!("test threads_within_a_call_change_no_bit ... ok");
    println!("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

fn eight_threads_agree_with_one() {
    let root = common::fixtures().join("runs/market");
    let rows = common::npy::read(&root.join("rows.npy"));
    let loader = Arc::new(Loader::open(&root, loader::Options::default()).unwrap());
    let engine = Engine::new(loader.clone(), engine::Options::default()).unwrap();
    let names: Vec<(String, String)> = loader
        .targets()
        .unwrap()
        .into_iter()
        .flat_map(|target| {
            let families = loader.families(&target, None).unwrap();
            families.into_iter().map(move |family| (target.clone(), family))
        })
        .collect();
    assert!(names.len() >= 4, "{names:?}");

    // What one thread says, through a loader of its own.
    let alone = Loader::open(&root, loader::Options::default()).unwrap();
    let expected: Vec<Vec<f64>> = names
        .iter()
        .map(|(target, family)| {
            let model = alone.load(Name::new(target, family)).unwrap();
            let mut out = vec![0.0; rows.rows * model.columns(Output::Value).unwrap()];
            model.predict(Output::Value, Rows::new(&rows.data, rows.rows, rows.columns).unwrap(), &mut out).unwrap();
            out
        })
        .collect();

    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for thread in 0..THREADS {
            let (loader, engine, names, expected, rows, start) = (&loader, &engine, &names, &expected, &rows, &start);
            running.push(scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let at = (thread + round) % names.len();
                    let (target, family) = &names[at];
                    let model = loader.load(Name::new(target, family)).unwrap();
                    let mut out = vec![0.0; expected[at].len()];
                    let all = Rows::new(&rows.data, rows.rows, rows.columns).unwrap();
                    model.predict(Output::Value, all, &mut out).unwrap();
                    assert_eq!(out, expected[at], "{target} {family}");

                    let row = (thread * 7 + round) % rows.rows;
                    let columns = expected[at].len() / rows.rows;
                    let one = &mut out[..columns];
                    let features = &rows.data[row * rows.columns..][..rows.columns];
                    engine.predict(Name::new(target, family), Output::Value, features, one).unwrap();
                    assert_eq!(one, &expected[at][row * columns..][..columns], "{target} {family} row {row}");
                }
            }));
        }
        // Joined one by one: the sanitizer sees a join, but not how a scope ends.
        for thread in running {
            thread.join().unwrap();
        }
    });
}

/// Rows of a large call, spread over threads; two callers at once, of which the pool helps one.
fn threads_within_a_call_change_no_bit() {
    for name in ["lightgbm/regression", "lightgbm/multiclass", "xgboost/v3_4_regression"] {
        let case = common::fixtures().join(name);
        let file =
            ["model.txt", "model.json", "model.ubj"].map(|file| case.join(file)).into_iter().find(|file| file.exists());
        let file = file.expect("a model");
        let rows = common::npy::read(&case.join("rows.npy"));
        let count = 20_000;
        let data: Vec<f64> = rows.data.iter().copied().cycle().take(count * rows.columns).collect();
        let predict = |model: &Model, output: Output| {
            let mut out = vec![0.0; count * model.columns(output).unwrap()];
            model.predict(output, Rows::new(&data, count, rows.columns).unwrap(), &mut out).unwrap();
            out.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        };
        let open = |threads| {
            Model::open_with(&file, &ReadOptions::default(), &Settings { threads, ..Settings::default() }).unwrap()
        };
        let before = tasks();
        let (alone, helped) = (open(1), open(3));
        assert_eq!(helped.facts()["compiled"]["threads"], 3, "{name}");
        if let (Some(before), Some(now)) = (before, tasks()) {
            assert_eq!(now, before + 2, "{name}: threads of the pool");
        }
        for output in [Output::Value, Output::Raw, Output::Leaf] {
            let expected = predict(&alone, output);
            let (helped, predict) = (&helped, &predict);
            std::thread::scope(|scope| {
                let other = scope.spawn(move || predict(helped, output));
                assert!(predict(helped, output) == expected, "{name}");
                assert!(other.join().unwrap() == expected, "{name}");
            });
        }
        drop(helped);
        // A thread that was joined may be listed for a moment.
        let gone = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            tasks() == before
        });
        assert!(gone, "{name}: threads outlive their model");
    }
}

/// Threads of this process, where the system tells.
fn tasks() -> Option<usize> {
    std::fs::read_dir("/proc/self/task").ok().map(Iterator::count)
}
