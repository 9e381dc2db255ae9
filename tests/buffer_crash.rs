//! A process that is killed while it saves, again and again: the file is at every moment the whole of one state.
//!
//! The program is its own victim: with two arguments it saves one state after the other until it is killed.

use mi::buffer::{Buffer, Options};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const SYMBOLS: usize = 40;
const STEPS: usize = 64;
const WIDTH: usize = 32;
const ROUNDS: u32 = 60;
const NOON: i64 = 1_700_000_000_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, path] = &arguments[..]
        && word == "save-for-ever"
    {
        save_for_ever(Path::new(path));
    }
    killed_saves_leave_whole_states();
    println!("test killed_saves_leave_whole_states ... ok");
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

fn buffer() -> Buffer {
    Buffer::new(STEPS, WIDTH, &Options::default()).unwrap()
}

/// The number that every row of a state holds; fails unless the state is a whole one.
fn state(path: &Path) -> f32 {
    let buffer = buffer();
    buffer.restore(path).unwrap();
    assert_eq!(buffer.symbol_count(), SYMBOLS);
    let mut window = vec![0.0; STEPS * WIDTH];
    let mut found = None;
    for symbol in buffer.symbols() {
        buffer.sequence(&symbol, NOON, &mut window).unwrap();
        let first = *found.get_or_insert(window[0]);
        assert!(window.iter().all(|value| *value == first), "{symbol} is of two states");
    }
    found.unwrap()
}

/// Windows that hold one number everywhere.
fn buffer_of(number: f32) -> Buffer {
    let buffer = buffer();
    for symbol in 0..SYMBOLS {
        for _ in 0..STEPS {
            buffer.push(&format!("S{symbol}"), &[number; WIDTH], NOON).unwrap();
        }
    }
    buffer
}

fn save_for_ever(path: &Path) -> ! {
    let mut number = state(path);
    loop {
        number += 1.0;
        let buffer = buffer_of(number);
        println!("saving {number}");
        buffer.save(path).unwrap();
    }
}

fn killed_saves_leave_whole_states() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let begin = Instant::now();
    buffer_of(0.0).save(&path).unwrap();
    let save = begin.elapsed();
    let (mut before, mut left, mut in_between) = (0.0_f32, 0, 0);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("save-for-ever")
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the child saves").unwrap();
        // Kill in all moments of a save, and of the next one.
        std::thread::sleep(save * 2 * round / ROUNDS);
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        // What the child said it began to save last.
        let last = lines.map_while(Result::ok).last().unwrap_or(first);
        let begun: f32 = last.trim_start_matches("saving ").parse().unwrap();
        let found = state(&path);
        // The last state that was begun, or the one before it, which was finished.
        assert!(found == begun || found == begun - 1.0, "{found} in the file, {begun} was begun");
        assert!(found >= before, "{found} after {before}");
        in_between += usize::from(found != begun);
        before = found;
        for entry in std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()) {
            let name = entry.file_name().into_string().unwrap();
            if name != "state" {
                assert!(name.starts_with(".mi-"), "{name}");
                std::fs::remove_file(entry.path()).unwrap();
                left += 1;
            }
        }
    }
    println!(
        "{ROUNDS} kills, {in_between} before a save was finished, {left} of them with a draft left behind, state {before} at last"
    );
    assert!(in_between > 0, "no kill came before a save was finished");
    assert!(before > 1.0, "no save was finished");
}
