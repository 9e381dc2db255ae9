//! Whatever a file says, reading it and predicting with it touches nothing but memory: the kernel kills the process at the first
//! system call that opens, connects, forks, executes or does anything else beside asking for memory. A warm prediction may not even do
//! that, nor wait for a lock.
//!
//! Without the test harness, because a filter is for ever: each part runs in a process of its own, this program once more.

#[cfg(target_os = "linux")]
mod attack;
#[cfg(target_os = "linux")]
mod common;
#[cfg(target_os = "linux")]
mod pickle;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: filters of system calls are Linux's");
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{attack, common, pickle};
    use mi::Model;
    use mi::exec::{Processor, Rows};
    use mi::formats::ReadOptions;
    use mi::ir::Output;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Says to a process which part it is.
    const PART: &str = "MI_SEALED_PART";
    /// How a process ends where the kernel has no filters.
    const NO_FILTERS: i32 = 77;
    /// The signal of a forbidden call.
    const SIGSYS: i32 = 31;

    /// Calls for memory, for a seed of a hash table, and those with which a process ends or says why.
    const FILTER: &str = r#"{"sealed": {"mismatch_action": "kill_process", "match_action": "allow", "filter": [
        {"syscall": "brk"}, {"syscall": "mmap"}, {"syscall": "munmap"}, {"syscall": "mremap"}, {"syscall": "mprotect"},
        {"syscall": "madvise"}, {"syscall": "getrandom"}, {"syscall": "exit_group"}, {"syscall": "exit"}, {"syscall": "sigaltstack"},
        {"syscall": "write", "args": [{"index": 0, "type": "dword", "op": "le", "val": 2}]}]}}"#;

    /// Calls with which a process ends or says why; at its end it gives memory back, but nothing here may ask for any.
    const WARM: &str = r#"{"sealed": {"mismatch_action": "kill_process", "match_action": "allow", "filter": [
        {"syscall": "munmap"}, {"syscall": "exit_group"}, {"syscall": "exit"}, {"syscall": "sigaltstack"},
        {"syscall": "write", "args": [{"index": 0, "type": "dword", "op": "le", "val": 2}]}]}}"#;

    pub fn main() {
        match std::env::var(PART).as_deref() {
            Err(_) => parent(),
            Ok("files") => files(),
            Ok("warm") => warm(),
            Ok("allocate") => {
                seal(WARM);
                drop(std::hint::black_box(vec![1u8; 64 << 20]));
            }
            Ok("open") => forbidden(|| drop(std::fs::File::open("/etc/passwd"))),
            Ok("spawn") => forbidden(|| drop(Command::new("true").spawn())),
            Ok("connect") => forbidden(|| drop(std::net::TcpStream::connect("127.0.0.1:9"))),
            Ok(other) => panic!("no part is called {other}"),
        }
    }

    fn run(part: &str) -> std::process::Output {
        Command::new(std::env::current_exe().unwrap()).env(PART, part).output().unwrap()
    }

    fn parent() {
        let files = run("files");
        if files.status.code() == Some(NO_FILTERS) {
            println!("skipped: this kernel has no filters of system calls");
            return;
        }
        let said = String::from_utf8_lossy(&files.stdout);
        print!("{said}");
        let why = String::from_utf8_lossy(&files.stderr);
        assert!(files.status.success(), "reading a file made a system call, or failed: {}\n{why}", files.status);
        println!("test files_are_read_in_a_sealed_process ... ok");
        let warm = run("warm");
        print!("{}", String::from_utf8_lossy(&warm.stdout));
        let why = String::from_utf8_lossy(&warm.stderr);
        assert!(warm.status.success(), "a warm prediction made a system call, or failed: {}\n{why}", warm.status);
        println!("test warm_predictions_make_no_system_call ... ok");
        for part in ["open", "spawn", "connect", "allocate"] {
            assert_eq!(run(part).status.signal(), Some(SIGSYS), "the filter lets a process {part}");
        }
        println!("test the_filter_kills ... ok");
        println!("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    }

    /// From here on the kernel kills this process at a forbidden call.
    fn seal(filter: &str) {
        let arch = std::env::consts::ARCH.try_into().expect("an architecture that has filters");
        let filters = seccompiler::compile_from_json(filter.as_bytes(), arch).expect("a sound filter");
        if seccompiler::apply_filter(&filters["sealed"]).is_err() {
            std::process::exit(NO_FILTERS);
        }
    }

    fn forbidden(work: fn()) {
        seal(FILTER);
        work();
    }

    /// Every model of every library, every pickle, sound or hostile: into memory first, then sealed, then read.
    fn files() {
        let mut models = Vec::new();
        for library in ["lightgbm", "xgboost", "catboost", "sklearn", "pickled", "ngboost", "wrappers"] {
            for case in common::cases(library) {
                models.push((case.name(), std::fs::read(case.model()).unwrap()));
            }
        }
        let pickles = pickle::files();
        seal(FILTER);
        let (mut sound, mut refused, mut decoded, mut broken) = (0, 0, 0, 0);
        for (name, bytes) in &models {
            match attack::read_and_ask(name, bytes) {
                Ok(()) => sound += 1,
                Err(_) => refused += 1,
            }
        }
        for file in &pickles {
            match mi::codec::pickle::decode(&file.bytes) {
                Ok(graph) => decoded += usize::from(attack::ask_everything(&graph, 500) > 0),
                Err(_) => broken += 1,
            }
            assert!(
                attack::read_and_ask(&file.name, &file.bytes).is_err() || !file.name.starts_with("hostile"),
                "{}",
                file.name
            );
        }
        println!("{sound} models were asked, {refused} refused; {decoded} pickles decoded, {broken} refused");
        assert!(sound > 1000 && decoded > 250 && broken > 30, "too few files");
    }

    /// Rows of a batch that is large enough for every kernel.
    const ROWS: usize = 600;

    /// Every forest on every processor: asked once, then sealed, then asked again.
    fn warm() {
        let mut asked = Vec::new();
        for library in ["lightgbm", "xgboost", "catboost", "sklearn"] {
            for case in common::cases(library) {
                for processor in Processor::ALL.into_iter().filter(|processor| processor.is_here()) {
                    let options = ReadOptions { processor: Some(processor.name().to_owned()), ..case.options() };
                    let Ok(model) = Model::open(&case.model(), &options) else { break };
                    let width = model.feature_count();
                    let forest = model.facts().get("compiled").is_some_and(|compiled| !compiled.is_null());
                    if !forest || model.categorical_columns().len() > 0 {
                        break;
                    }
                    let row: Vec<f64> = (0..width).map(|column| [0.5, -1.5, 3.0, 0.0][column % 4]).collect();
                    let out = vec![0.0; ROWS * model.columns(Output::Value).unwrap()];
                    asked.push((case.name(), model, row.repeat(ROWS), width, out));
                }
            }
        }
        let count = asked.len();
        let mut ask = || {
            for (name, model, data, width, out) in &mut asked {
                for rows in [1, 40, ROWS] {
                    let (data, out) = (&data[..rows * *width], &mut out[..]);
                    let columns = out.len() / ROWS;
                    let rows = Rows::new(data, rows, *width).unwrap();
                    model.predict(Output::Value, rows, &mut out[..rows.count() * columns]).expect(name);
                }
            }
        };
        ask();
        println!("{count} forests were asked warm");
        seal(WARM);
        ask();
        assert!(count > 1000, "{count}");
        // Freeing the models may shrink the heap, which is a call of its own.
        std::process::exit(0);
    }
}
