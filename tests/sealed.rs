//! Whatever a file says, reading it and predicting with it touches nothing but memory: the kernel kills the process at the first
//! system call that opens, connects, forks, executes or does anything else beside asking for memory.
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
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output};

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

    pub fn main() {
        match std::env::var(PART).as_deref() {
            Err(_) => parent(),
            Ok("files") => files(),
            Ok("open") => forbidden(|| drop(std::fs::File::open("/etc/passwd"))),
            Ok("spawn") => forbidden(|| drop(Command::new("true").spawn())),
            Ok("connect") => forbidden(|| drop(std::net::TcpStream::connect("127.0.0.1:9"))),
            Ok(other) => panic!("no part is called {other}"),
        }
    }

    fn run(part: &str) -> Output {
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
        for part in ["open", "spawn", "connect"] {
            assert_eq!(run(part).status.signal(), Some(SIGSYS), "the filter lets a process {part}");
        }
        println!("test the_filter_kills ... ok");
        println!("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    }

    /// From here on the kernel kills this process at a forbidden call.
    fn seal() {
        let arch = std::env::consts::ARCH.try_into().expect("an architecture that has filters");
        let filters = seccompiler::compile_from_json(FILTER.as_bytes(), arch).expect("a sound filter");
        if seccompiler::apply_filter(&filters["sealed"]).is_err() {
            std::process::exit(NO_FILTERS);
        }
    }

    fn forbidden(work: fn()) {
        seal();
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
        seal();
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
}
