//! Windows in files: the same bits back, and nothing of a file that is broken, foreign or hostile.

use super::counting::peak;
use super::{NOON, Random, buffer, buffer_with, refused, sequence};
use mi::Status;
use mi::buffer::{Buffer, Normalization};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

const STEPS: usize = 4;
const WIDTH: usize = 2;
/// The file's own constants, written down once more: a change of the format needs a new version.
const HEAD: usize = 112;

/// A folder with the file of a buffer that was saved, and that buffer.
fn saved() -> (tempfile::TempDir, PathBuf, Buffer) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("windows.state");
    let buffer = named(STEPS);
    let mut random = Random(7);
    for (symbol, rows) in [("AAPL", 9), ("MSFT", 4), ("€", 2), ("empty", 1)] {
        for row in 0..rows {
            buffer.push(symbol, &[random.float(), random.float()], NOON + row).unwrap();
        }
    }
    buffer.reset("empty").unwrap();
    buffer.save(&path).unwrap();
    (folder, path, buffer)
}

fn named(steps: usize) -> Buffer {
    buffer_with(steps, WIDTH, |options| {
        options.warmup_rows = 1;
        options.channels = vec![Some("close".into()), None];
    })
}

/// All that a buffer holds, bit by bit.
fn content(buffer: &Buffer) -> Vec<(String, i64, Option<Vec<u32>>)> {
    let one = |symbol: String| {
        let newest = buffer.standing(&symbol, NOON).unwrap().newest_ns;
        let rows = sequence(buffer, &symbol, NOON).ok();
        let bits = rows.map(|rows| rows.iter().map(|value| value.to_bits()).collect());
        (symbol, newest, bits)
    };
    buffer.symbols().into_iter().map(one).collect()
}

#[test]
fn the_same_bits_come_back() {
    let (folder, path, buffer) = saved();
    let other = named(STEPS);
    other.push("GOOG", &[1.0, 2.0], NOON + 99).unwrap();
    other.restore(&path).unwrap();
    assert_eq!(content(&other), content(&buffer));
    assert_eq!(other.symbols(), ["AAPL", "MSFT", "empty", "€"], "and nothing else is left");
    assert_eq!(other.symbol_count(), 4);
    // Both go on in the same way.
    for buffer in [&buffer, &other] {
        refused(buffer.push("AAPL", &[1.0, 1.0], NOON), Status::InvalidArgument, &["before"]);
        buffer.push("AAPL", &[1.0, 1.0], NOON + 10).unwrap();
        buffer.push("empty", &[1.0, 1.0], 1).unwrap();
    }
    assert_eq!(content(&other), content(&buffer));
    // Saving again replaces the file; the same windows are the same bytes, and nothing else lies in the folder.
    let again = folder.path().join("again");
    buffer.save(&path).unwrap();
    other.save(&again).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    // An empty buffer is a state, too.
    named(STEPS).save(&again).unwrap();
    other.restore(&again).unwrap();
    assert_eq!(other.symbol_count(), 0);
}

#[test]
fn other_shapes_names_and_places_are_refused() {
    let (folder, path, _) = saved();
    refused(named(5).restore(&path), Status::ShapeMismatch, &["windows.state", "4 x 2", "5 x 2"]);
    refused(buffer(STEPS, 3).restore(&path), Status::ShapeMismatch, &["4 x 2", "4 x 3"]);
    refused(buffer(STEPS, WIDTH).restore(&path), Status::ShapeMismatch, &["channels"]);
    let few = buffer_with(STEPS, WIDTH, |options| {
        options.channels = vec![Some("close".into()), None];
        options.max_symbols = 3;
    });
    refused(few.restore(&path), Status::LimitExceeded, &["4 symbols", "takes 3"]);
    // The options of reading are the reader's own.
    let other = buffer_with(STEPS, WIDTH, |options| {
        options.channels = vec![Some("close".into()), None];
        options.normalization = Normalization::MinMax;
    });
    other.restore(&path).unwrap();
    refused(other.restore(&folder.path().join("none")), Status::NotFound, &["none"]);
    refused(other.restore(folder.path()), Status::Io, &["not a file"]);
    refused(other.save(&folder.path().join("none/state")), Status::NotFound, &["none"]);
    refused(other.save(folder.path()), Status::Io, &[]);
    refused(other.save(Path::new("/")), Status::InvalidArgument, &["names no file"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a failed save leaves nothing");
}

/// Writes the bytes and lets a buffer that has other rows restore them: it is refused and stays as it is, or takes what is sound.
fn attack(path: &Path, bytes: &[u8], what: &str) -> Option<Status> {
    std::fs::write(path, bytes).unwrap();
    let victim = named(STEPS);
    victim.push("AAPL", &[1.0, 2.0], NOON).unwrap();
    let before = content(&victim);
    let (result, used) = peak(|| victim.restore(path));
    assert!(used < 64 << 10, "{what}: {used} bytes");
    match result {
        Ok(()) => {
            content(&victim);
            None
        }
        Err(error) => {
            assert!(error.message().contains("victim"), "{what}: {error}");
            assert_eq!(content(&victim), before, "{what}: {error}");
            Some(error.status())
        }
    }
}

/// Makes both digests right again.
fn sign(bytes: &mut [u8]) {
    let body = Sha256::digest(&bytes[HEAD..]);
    bytes[48..80].copy_from_slice(&body);
    let head = Sha256::digest(&bytes[..80]);
    bytes[80..HEAD].copy_from_slice(&head);
}

#[test]
fn a_damaged_file_is_refused() {
    let (folder, path, _) = saved();
    let bytes = std::fs::read(&path).unwrap();
    let victim = folder.path().join("victim");
    assert_eq!(attack(&victim, &bytes, "whole"), None);
    for length in 0..bytes.len() {
        assert_eq!(attack(&victim, &bytes[..length], "cut"), Some(Status::Malformed), "cut to {length}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(attack(&victim, &longer, "longer"), Some(Status::Malformed));
    let mut flipped = bytes.clone();
    for bit in 0..bytes.len() * 8 {
        flipped[bit / 8] ^= 1 << (bit % 8);
        let status = attack(&victim, &flipped, "flipped");
        assert!(status.is_some(), "bit {bit}");
        flipped[bit / 8] = bytes[bit / 8];
    }
    let mut model = b"tree\nversion=v4\n".repeat(20);
    assert_eq!(attack(&victim, &model, "foreign"), Some(Status::Malformed));
    model.truncate(3);
    assert_eq!(attack(&victim, &model, "foreign and short"), Some(Status::Malformed));
}

#[test]
fn a_hostile_file_with_right_digests_is_refused_or_sound() {
    let (folder, path, _) = saved();
    let bytes = std::fs::read(&path).unwrap();
    let victim = folder.path().join("victim");
    let mut random = Random(3);
    let (mut errors, mut sound) = (0, 0);
    for round in 0..3000 {
        let mut changed = bytes.clone();
        for _ in 0..=random.below(3) {
            let place = random.below(bytes.len());
            changed[place] = [0, 1, 0x7f, 0x80, 0xff, random.next().to_le_bytes()[0]][random.below(6)];
        }
        if random.below(4) == 0 {
            changed.truncate(HEAD + random.below(bytes.len() - HEAD));
            let body = (changed.len() - HEAD) as u64;
            changed[40..48].copy_from_slice(&body.to_le_bytes());
        }
        sign(&mut changed);
        match attack(&victim, &changed, &format!("round {round}")) {
            Some(_) => errors += 1,
            None => sound += 1,
        }
    }
    println!("{errors} refused, {sound} sound");
    assert!(errors > 500 && sound > 500, "{errors} {sound}");
}

#[test]
fn each_lie_of_a_file_has_its_sentence() {
    let (folder, path, _) = saved();
    let bytes = std::fs::read(&path).unwrap();
    let victim = folder.path().join("victim");
    // The body: the channels take 8 + 7 + 2 bytes; the first symbol is AAPL, with four rows.
    let symbol = HEAD + 17;
    let (time, rows) = (symbol + 6, symbol + 14);
    let values = rows + 8;
    let second = values + STEPS * WIDTH * 4;
    let check = |status: Status, words: &[&str], change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = bytes.clone();
        change(&mut changed);
        let body = (changed.len() - HEAD) as u64;
        changed[40..48].copy_from_slice(&body.to_le_bytes());
        sign(&mut changed);
        std::fs::write(&victim, changed).unwrap();
        refused(named(STEPS).restore(&victim), status, words);
    };
    let word = |bytes: &mut Vec<u8>, place: usize, value: u64| {
        bytes[place..place + 8].copy_from_slice(&value.to_le_bytes());
    };
    check(Status::Unsupported, &["version 2"], &|bytes| word(bytes, 8, 2));
    check(Status::LimitExceeded, &["symbols"], &|bytes| word(bytes, 32, u64::MAX));
    check(Status::Malformed, &["bytes follow"], &|bytes| word(bytes, 32, 3));
    check(Status::Malformed, &["ends too early"], &|bytes| word(bytes, 32, 5));
    check(Status::Malformed, &["bytes follow"], &|bytes| bytes.push(0));
    check(Status::ShapeMismatch, &["channels"], &|bytes| bytes[HEAD + 10] = b'k');
    check(Status::ShapeMismatch, &["channels"], &|bytes| word(bytes, HEAD, u64::MAX));
    check(Status::Malformed, &["a symbol is a name"], &|bytes| bytes[symbol + 3] = 0);
    check(Status::Malformed, &["no name"], &|bytes| bytes[symbol..symbol + 2].fill(0xff));
    check(Status::Malformed, &["a name has 65534 bytes"], &|bytes| {
        bytes[symbol..symbol + 2].copy_from_slice(&[0xfe, 0xff]);
    });
    check(Status::Malformed, &["not UTF-8"], &|bytes| bytes[symbol + 2] = 0xff);
    check(Status::Malformed, &["AAPL", "5 rows", "at most 4"], &|bytes| word(bytes, rows, 5));
    check(Status::Malformed, &["AAPL", "rows"], &|bytes| word(bytes, rows, u64::MAX));
    check(Status::Malformed, &["AAPL", "NaN"], &|bytes| bytes[values..values + 4].fill(0xff));
    check(Status::Malformed, &["AAPL is there twice"], &|bytes| {
        let name = bytes[symbol..time].to_vec();
        bytes[second..second + 6].copy_from_slice(&name);
    });
}
