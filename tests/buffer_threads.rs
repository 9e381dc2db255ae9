//! Threads that push and read the same symbols and different ones, save, restore and remove. Run under the thread sanitizer by
//! `scripts/sanitize.sh`.

use mi::Status;
use mi::buffer::{Buffer, Options};
use mi::engine::{Bar, Engine};
use mi::ir::Output;
use mi::loader::{Loader, Name, Selector};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

const STEPS: usize = 8;
const WIDTH: usize = 5;
const PUSHERS: usize = 4;
const ROUNDS: u16 = 4000;
const NOON: i64 = 1_700_000_000_000_000_000;

/// Without the test harness, whose own threads hide behind an uninstrumented standard library.
fn main() {
    windows_are_never_torn();
    println!("test windows_are_never_torn ... ok");
    restoring_replaces_all_windows_at_once();
    println!("test restoring_replaces_all_windows_at_once ... ok");
    an_engine_predicts_while_others_push();
    println!("test an_engine_predicts_while_others_push ... ok");
    println!("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

fn buffer() -> Buffer {
    Buffer::new(STEPS, WIDTH, &Options { warmup_rows: 1, ..Options::default() }).unwrap()
}

/// Every row is one number, again and again; the rows of one thread count up.
fn check(window: &[f32], counts_by_one: bool) {
    let rows: Vec<&[f32]> = window.chunks_exact(WIDTH).filter(|row| row[0] != 0.0).collect();
    for row in &rows {
        assert!(row.iter().all(|value| *value == row[0]), "a torn row: {row:?}");
    }
    for pair in rows.windows(2) {
        assert!(!counts_by_one || pair[1][0] == pair[0][0] + 1.0, "rows are missing: {window:?}");
    }
}

fn windows_are_never_torn() {
    let folder = tempfile::tempdir().unwrap();
    let (buffer, start, done) = (buffer(), Barrier::new(PUSHERS + 3), AtomicBool::new(false));
    // Whatever is made once in a process is made here: the sanitizer cannot see how the standard library's `OnceLock` orders threads.
    buffer.remove("passing").unwrap();
    let own: Vec<String> = (0..PUSHERS).map(|thread| format!("own{thread}")).collect();
    std::thread::scope(|scope| {
        let (buffer, start, done, own) = (&buffer, &start, &done, &own);
        let mut pushing = Vec::new();
        for symbol in own {
            pushing.push(scope.spawn(move || {
                start.wait();
                let mut refused = 0;
                for number in 1..=ROUNDS {
                    let row = [f32::from(number); WIDTH];
                    buffer.push(symbol, &row, NOON + i64::from(number)).unwrap();
                    // Another thread may have pushed a later row of this one.
                    match buffer.push("shared", &row, NOON + i64::from(number)) {
                        Ok(()) => {}
                        Err(error) if error.status() == Status::InvalidArgument => refused += 1,
                        Err(error) => panic!("{error}"),
                    }
                    buffer.push("passing", &row, 0).unwrap();
                }
                refused
            }));
        }
        let reader = scope.spawn(move || {
            start.wait();
            let mut window = vec![0.0; STEPS * WIDTH];
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                for (symbol, counts) in own.iter().map(|own| (own.as_str(), true)).chain([("shared", false)]) {
                    if buffer.sequence(symbol, NOON, &mut window).is_ok() {
                        check(&window, counts);
                        reads += 1;
                    }
                    buffer.standing(symbol, NOON).unwrap();
                }
            }
            reads
        });
        let saver = scope.spawn(move || {
            start.wait();
            let (path, other) = (folder.path().join("state"), self::buffer());
            let mut window = vec![0.0; STEPS * WIDTH];
            while !done.load(Ordering::Relaxed) {
                buffer.save(&path).unwrap();
                other.restore(&path).unwrap();
                for symbol in own {
                    if other.sequence(symbol, NOON, &mut window).is_ok() {
                        check(&window, true);
                    }
                }
            }
        });
        let remover = scope.spawn(move || {
            start.wait();
            while !done.load(Ordering::Relaxed) {
                buffer.remove("passing").unwrap();
                // In this order: windows come meanwhile, and only "passing" goes.
                let ready = buffer.ready_symbols(NOON).len();
                assert!(buffer.symbol_count() + 1 >= ready);
            }
        });
        // Joined one by one: the sanitizer sees a join, but not how a scope ends.
        let refused: u32 = pushing.into_iter().map(|thread| thread.join().unwrap()).sum();
        done.store(true, Ordering::Relaxed);
        let reads = reader.join().unwrap();
        saver.join().unwrap();
        remover.join().unwrap();
        assert!(reads > 0 && refused < u32::from(ROUNDS) * 4, "{reads} {refused}");
    });
    let mut window = vec![0.0; STEPS * WIDTH];
    for symbol in &own {
        buffer.sequence(symbol, NOON, &mut window).unwrap();
        check(&window, true);
        assert_eq!(window.last(), Some(&f32::from(ROUNDS)), "every push of a thread is there");
        assert_eq!(buffer.standing(symbol, NOON).unwrap().newest_ns, NOON + i64::from(ROUNDS));
    }
    buffer.sequence("shared", NOON, &mut window).unwrap();
    assert_eq!(window.last(), Some(&f32::from(ROUNDS)));
}

/// Two files, each with one number everywhere; after a restore has returned, no thread sees a number of the file before.
fn restoring_replaces_all_windows_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = [1.0_f32, 2.0].map(|number| {
        let (one, path) = (buffer(), folder.path().join(format!("{number}")));
        for symbol in ["A", "B", "C"] {
            one.push(symbol, &[number; WIDTH], NOON).unwrap();
        }
        one.save(&path).unwrap();
        path
    });
    let (buffer, done) = (buffer(), AtomicBool::new(false));
    buffer.restore(&files[0]).unwrap();
    std::thread::scope(|scope| {
        let (buffer, done) = (&buffer, &done);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(move || {
                    let mut window = vec![0.0; STEPS * WIDTH];
                    while !done.load(Ordering::Relaxed) {
                        for symbol in ["A", "B", "C"] {
                            buffer.sequence(symbol, NOON, &mut window).expect("a symbol is there at every moment");
                            check(&window, false);
                        }
                    }
                })
            })
            .collect();
        for round in 0..200 {
            buffer.restore(&files[round % 2]).unwrap();
            let mut window = vec![0.0; STEPS * WIDTH];
            let number = [1.0_f32, 2.0][round % 2];
            for symbol in ["A", "B", "C"] {
                buffer.sequence(symbol, NOON, &mut window).unwrap();
                assert_eq!(window.last(), Some(&number));
            }
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

/// A network that runs natively, on windows of symbols that threads of their own and a shared one push to, while others ask for all of them.
fn an_engine_predicts_while_others_push() {
    let run = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/runs/sequences");
    let loader = Loader::open(&run, mi::loader::Options::default()).unwrap();
    let options = mi::engine::Options { warmup_rows: 1, ..mi::engine::Options::default() };
    let (engine, start, done) =
        (Engine::new(Arc::new(loader), options).unwrap(), Barrier::new(5), AtomicBool::new(false));
    let name = Name::new("fwd_ret_5m", "tab_lstm").view("SEQUENTIAL");
    std::thread::scope(|scope| {
        let (engine, start, done) = (&engine, &start, &done);
        let pushing: Vec<_> = ["A", "B", "C"]
            .into_iter()
            .map(|symbol| {
                scope.spawn(move || {
                    start.wait();
                    let mut out = [0.0];
                    for number in 1..=300_u16 {
                        let row = [f32::from(number); 5];
                        for symbol in [symbol, "shared"] {
                            engine.predict(name.symbol(symbol), Output::Value, &row, &mut out).unwrap();
                            assert!(out[0].is_finite());
                        }
                    }
                })
            })
            .collect();
        let asking = scope.spawn(move || {
            start.wait();
            let symbols = ["A", "shared", "B", "C"];
            let mut answered = 0;
            // Once more after all others are done.
            let mut last = false;
            while !last {
                last = done.load(Ordering::Relaxed);
                let (mut out, mut failures) = ([0.0; 4], Vec::new());
                let bar = Bar::<f32> { rows: None, time_ns: 0 };
                answered +=
                    engine.predict_symbols(name, &symbols, Output::Value, bar, &mut out, &mut failures).unwrap();
                assert!(failures.iter().all(|(_, error)| error.status() == Status::NotReady));
            }
            answered
        });
        let resetting = scope.spawn(move || {
            start.wait();
            while !done.load(Ordering::Relaxed) {
                engine.reset(&Selector { symbol: Some("shared".into()), ..Selector::default() }).unwrap();
                assert!(engine.windows(name).unwrap().ready_symbols(0).len() <= 4);
            }
        });
        for thread in pushing {
            thread.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 0);
        resetting.join().unwrap();
    });
}
