//! Many threads, one session. Run under the thread sanitizer by `scripts/sanitize.sh`.

mod common;

use mi::exec::Rows;
use mi::ir::Output;
use std::sync::Barrier;
use std::thread::ScopedJoinHandle;

/// Without the test harness, whose own threads hide behind an uninstrumented standard library.
fn main() {
    if common::runtime::is_absent() {
        return;
    }
    many_threads_share_a_session();
    many_threads_open_and_free();
    println!("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

fn case(name: &str) -> common::Case {
    common::cases("onnx").into_iter().find(|case| case.folder.ends_with(name)).expect(name)
}

/// Waits for threads one by one: how a scope waits for them at its end, the sanitizer does not see.
fn join(threads: Vec<ScopedJoinHandle<'_, ()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn many_threads_share_a_session() {
    for (name, output) in
        [("graph_dense", Output::Value), ("skl_logistic_strings", Output::Label), ("graph_batch_four", Output::Value)]
    {
        let case = case(name);
        let model = mi::Model::open(&case.model(), &case.options()).unwrap();
        let rows = case.matrix(&case.json["input"]);
        let columns = model.columns(output).unwrap();
        let predict = |first: usize, count: usize| {
            let data = &rows.data[first * rows.columns..][..count * rows.columns];
            let mut out = vec![f64::NAN; count * columns];
            model.predict(output, Rows::new(data, count, rows.columns).unwrap(), &mut out).unwrap();
            out
        };
        // Each row by itself, and blocks of rows, as one thread sees them.
        let alone: Vec<Vec<f64>> = (0..rows.rows).map(|row| predict(row, 1)).collect();
        let threads = 16;
        let start = Barrier::new(threads);
        std::thread::scope(|scope| {
            let work = |thread: usize| {
                let (predict, alone, start) = (&predict, &alone, &start);
                move || {
                    start.wait();
                    for round in 0..300 {
                        let count = 1 + (thread + round) % 5;
                        let first = (thread * 7 + round * 3) % (alone.len() - count);
                        let found = predict(first, count);
                        for (at, found) in found.chunks(columns).enumerate() {
                            for (found, alone) in found.iter().zip(&alone[first + at]) {
                                assert!(
                                    (found - alone).abs() <= 1e-6 * alone.abs().max(1.0),
                                    "{name}: {found} {alone}"
                                );
                            }
                        }
                    }
                }
            };
            join((0..threads).map(|thread| scope.spawn(work(thread))).collect());
        });
    }
}

fn many_threads_open_and_free() {
    let case = case("graph_dense");
    std::thread::scope(|scope| {
        let work = || {
            for _ in 0..10 {
                let model = mi::Model::open(&case.model(), &case.options()).unwrap();
                let mut out = [0.0; 2];
                model.predict(Output::Value, Rows::new(&[0.5; 5], 1, 5).unwrap(), &mut out).unwrap();
            }
        };
        join((0..8).map(|_| scope.spawn(work)).collect());
    });
}
