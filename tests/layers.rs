//! The street is walked in one direction: no `use crate::` runs up or across.

use std::path::{Path, PathBuf};

/// Rooms by floor; a room may import rooms of lower floors and itself.
const FLOORS: &[(&str, u8)] = &[
    ("error", 0),
    ("limits", 0),
    ("codec", 1),
    ("ir", 1),
    ("formats", 2),
    ("exec", 2),
    ("session", 2),
    ("model", 4),
    ("artifact", 5),
    ("features", 5),
    ("buffer", 5),
    ("standardize", 5),
    ("cache", 6),
    ("loader", 7),
    ("registry", 7),
    ("config", 8),
    ("metrics", 8),
    ("engine", 8),
    ("plan", 8),
    ("ffi", 9),
];

/// The files that may import other formats.
const FORMATS_ACROSS: &[&str] = &["formats/mod.rs", "formats/detect.rs", "formats/wrappers/"];

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The first two segments of every path that follows `crate::` or `mi::`, groups in braces taken apart.
fn imports(text: &str) -> Vec<(String, String)> {
    let word = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            if let Some(group) = rest.strip_prefix('{') {
                for item in group.split(',') {
                    found.push((word(item.trim()), String::new()));
                }
            } else {
                let room = word(rest);
                let next = rest[room.len()..].strip_prefix("::").map(word).unwrap_or_default();
                found.push((room, next));
            }
        }
    }
    found
}

#[test]
fn no_arrow_runs_up_or_across() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut arrows = 0;
    let mut wrong = Vec::new();
    for file in &files {
        let place = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        if place == "lib.rs" || place.starts_with("bin/") {
            continue;
        }
        let room = place.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let here = floor(&room).unwrap_or_else(|| panic!("{place}: the room '{room}' has no floor in this test"));
        for (target, next) in imports(&std::fs::read_to_string(file).unwrap()) {
            let Some(there) = floor(&target) else { continue };
            arrows += 1;
            if target != room && there >= here && here > 0 || here == 0 && there > 0 {
                wrong.push(format!("{place}: {room} imports {target}"));
            }
            let own_format = place.split('/').nth(1).unwrap_or("").trim_end_matches(".rs");
            let lower_case = next.chars().next().is_some_and(char::is_lowercase);
            let shared = ["", "detect", "read"].contains(&next.as_str());
            if room == "formats"
                && target == "formats"
                && lower_case
                && !shared
                && next != own_format
                && !FORMATS_ACROSS.iter().any(|allowed| place.starts_with(allowed))
            {
                wrong.push(format!("{place}: one format imports another, {next}"));
            }
        }
    }
    assert!(arrows > 20, "only {arrows} imports were seen; the test no longer reads the sources");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
