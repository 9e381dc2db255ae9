//! What fuzzing found, and a small selection of the inputs that reach most of the readers, once more on a stable toolchain.

mod attack;

use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display()));
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

#[test]
fn the_corpus_is_stood() {
    let mut size = 0;
    for (name, work) in attack::TARGETS {
        let files = entries(&folder().join("corpus").join(name));
        assert!(files.len() > 3, "{name}: a corpus of {} files", files.len());
        let mut used = 0;
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            // The name is shown when the next line panics.
            println!("{}", file.display());
            used += usize::from(work(&bytes));
            size += bytes.len();
        }
        assert!(used > 0, "{name}: nothing in its corpus is of its format");
    }
    assert!(size < 200 << 10, "the corpus has {size} bytes; keep the smallest of its files");
}

#[test]
fn every_target_is_a_program_with_a_corpus() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let programs = manifest.split("[[bin]]").skip(1).map(|bin| bin.split('"').nth(1).unwrap());
    let targets: Vec<&str> = attack::TARGETS.iter().map(|(name, _)| *name).collect();
    assert!(
        programs.eq(targets.iter().copied()),
        "fuzz/Cargo.toml has other programs than tests/attack/mod.rs has targets"
    );
    for corpus in entries(&folder().join("corpus")) {
        let name = corpus.file_name().unwrap().to_str().unwrap();
        assert!(targets.contains(&name), "no target is called {name}");
    }
}
