//! Files that lie, in processes of their own: whatever a file holds, the process lives, in bounded time and memory.

use crate::common::workshop::{Workshop, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Seconds and megabytes that one file may cost.
const SECONDS: &str = "20";
const MEGABYTES: &str = "6000";

/// A generator of numbers that are the same in every run (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// Opens files one after another in a child; returns a line for each.
fn open_all(program: &Path, files: &[PathBuf]) -> Vec<String> {
    let mut lines = Vec::new();
    for files in files.chunks(400) {
        let output = run(Command::new(program).args([SECONDS, MEGABYTES]).args(files));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let done: Vec<&str> = text.lines().filter(|line| line.starts_with("done")).collect();
        assert_eq!(done.len(), files.len(), "{text}");
        lines.extend(done.into_iter().map(str::to_owned));
    }
    lines
}

fn changed(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match numbers.below(4) {
        0 => bytes.truncate(numbers.below(bytes.len())),
        1 => {
            let at = numbers.below(bytes.len());
            bytes[at] ^= 1 << numbers.below(8);
        }
        2 => {
            for _ in 0..8 {
                let at = numbers.below(bytes.len());
                bytes[at] = numbers.next().to_le_bytes()[0];
            }
        }
        _ => {
            let at = numbers.below(bytes.len());
            let value = [0x00, 0x01, 0x7f, 0x80, 0xff][numbers.below(5)];
            bytes[at] = value;
        }
    }
    bytes
}

#[test]
fn changed_files_cost_an_error() {
    let workshop = Workshop::new();
    let program = workshop.compile("tests/c/open_all.c", &[]);
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(7);
    let mut files = Vec::new();
    for case in crate::common::cases("onnx") {
        let bytes = std::fs::read(case.model()).unwrap();
        for at in 0..60 {
            let file = folder.path().join(format!("{}-{at}.onnx", case.subject()));
            std::fs::write(&file, changed(&bytes, &mut numbers)).unwrap();
            files.push(file);
        }
    }
    let lines = open_all(&program, &files);
    let refused = lines.iter().filter(|line| !line.starts_with("done MI_OK")).count();
    println!("{refused} of {} changed files were refused", lines.len());
    assert!(refused > lines.len() / 3);
    assert!(lines.iter().all(|line| !line.contains("MI_INTERNAL")), "{lines:?}");
}
