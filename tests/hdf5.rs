//! HDF5 as its own library writes it: every dataset and every attribute of text as h5py reads them, or a refusal.

mod attack;
mod common;

use mi::codec::hdf5::{File, Object};
use serde_json::Value;

/// What h5py says about each file.
fn expected() -> serde_json::Map<String, Value> {
    let text = std::fs::read(common::fixtures().join("hdf5/expect.json")).unwrap();
    mi::codec::json::parse(&text).unwrap().as_object().unwrap().clone()
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(common::fixtures().join("hdf5").join(name)).unwrap()
}

/// Every dataset below an object, read.
fn read_all(object: &Object<'_>) -> mi::Result<usize> {
    if let Some(dataset) = object.dataset()? {
        return Ok(dataset.numbers()?.len());
    }
    let mut count = 0;
    for name in object.names()? {
        if let Some(child) = object.child(name)? {
            count += read_all(&child)?;
        }
    }
    Ok(count)
}

#[test]
fn files_are_read_as_the_library_reads_them() {
    let mut compared = 0;
    for (name, expect) in expected() {
        let bytes = bytes(&name);
        let file = File::open(&bytes);
        if let Some(word) = expect["refuse"].as_str() {
            let error = file.and_then(|file| read_all(&file.root()?).map(drop)).expect_err(&name);
            assert!(error.message().contains(word), "{name}: {error}");
            continue;
        }
        let file = file.unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = file.root().unwrap();
        for (path, data) in expect["datasets"].as_object().unwrap() {
            let object = root.find(path).unwrap_or_else(|error| panic!("{name} {path}: {error}")).expect(path);
            let dataset = object.dataset().unwrap_or_else(|error| panic!("{name} {path}: {error}")).expect(path);
            let shape: Vec<u64> = dataset.shape().iter().map(|&size| size as u64).collect();
            assert_eq!(Value::from(shape), data[0], "{name} {path}");
            let found: Vec<u32> = dataset.numbers().unwrap().iter().map(|number| number.to_bits()).collect();
            assert_eq!(Value::from(found), data[1], "{name} {path}");
            compared += 1;
        }
        for (place, values) in expect["attributes"].as_object().unwrap() {
            let (path, attribute) = place.split_once('@').unwrap();
            let object = if path.is_empty() { file.root().unwrap() } else { root.find(path).unwrap().expect(path) };
            let found = object.strings(attribute).unwrap_or_else(|error| panic!("{name} {place}: {error}"));
            assert_eq!(Value::from(found.expect(place)), *values, "{name} {place}");
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} things were compared");
}

#[test]
fn what_is_not_there_is_none() {
    let bytes = bytes("names.h5");
    let file = File::open(&bytes).unwrap();
    let root = file.root().unwrap();
    assert!(root.find("layer_00/nothing").unwrap().is_none() && root.find("").unwrap().is_none());
    assert!(root.strings("nothing").unwrap().is_none());
    assert!(root.strings("number").unwrap_err().message().contains("strings"));
    assert!(root.child("layer_00").unwrap().unwrap().dataset().unwrap().is_none());
    // A link by name is not followed: it may lead anywhere.
    assert!(root.child("linked").unwrap().is_none_or(|object| object.dataset().unwrap().is_none()));
    assert_eq!(root.string("one").unwrap().unwrap(), "a text of any length: \u{e4} \u{20ac}");
    assert!(root.string("list").unwrap_err().message().contains("3 strings"));
}

/// Cuts, and flipped bits all over small files: an error or numbers, within the bounds of every reader.
#[test]
fn broken_files_are_errors() {
    let (mut errors, mut sound) = (0, 0);
    for (name, _) in expected() {
        let whole = bytes(&name);
        if whole.len() > 40_000 {
            continue;
        }
        let mut attack = |what: String, bytes: &[u8]| {
            let work = || File::open(bytes).and_then(|file| read_all(&file.root()?));
            match attack::bounded(&format_args!("{name} {what}"), bytes, work).0 {
                Ok(_) => sound += 1,
                Err(error) => {
                    assert!(!error.message().is_empty());
                    errors += 1;
                }
            }
        };
        for length in (0..whole.len()).step_by(whole.len() / 200 + 1) {
            attack(format!("cut to {length}"), &whole[..length]);
        }
        let mut flipped = whole.clone();
        for place in (0..whole.len()).step_by(3) {
            flipped[place] ^= 1 << (place / 3 % 8);
            attack(format!("bit {} of byte {place}", place / 3 % 8), &flipped);
            flipped[place] = whole[place];
        }
    }
    assert!(errors > 1_000 && sound > 1_000, "{errors} errors, {sound} sound");
}
