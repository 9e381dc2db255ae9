//! What a reader must stand, whatever bytes it is given: an error with a sentence, or something sound, within a second and within
//! the memory that the size of the file grants.
//!
//! Shared by the tests, which bring bytes of their own, and by `fuzz/`, whose targets are [`TARGETS`].
#![allow(dead_code)] // each program uses a part of it

mod ask;
pub mod cost;

pub use ask::ask_everything;

use mi::codec::hdf5;
use mi::codec::inflate::Container;
use mi::codec::npy;
use mi::codec::pickle::{self, Graph};
use mi::exec::{Rows, Text};
use mi::formats::{Format, ReadOptions, detect};
use mi::ir::Output;
use mi::{Error, Model, Result, limits};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A fuzz target: its name, and what it does with bytes. False: bytes that it has no use for.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// Objects of a pickle that fuzzing asks: most messages of most of them are errors with a path, which cost more than reading.
const OBJECTS: usize = 30;

/// Every fuzz target. `tests/fuzz.rs` replays its corpus.
pub const TARGETS: &[Target] = &[
    ("pickle", |bytes| pickle("pickle", bytes, OBJECTS) || !bytes.is_empty()),
    ("joblib", |bytes| pickle("joblib", bytes, OBJECTS) || !bytes.is_empty()),
    ("npy", array),
    ("pickled_model", |bytes| format(Format::Pickle, bytes)),
    ("lightgbm", |bytes| format(Format::LightgbmText, bytes)),
    ("xgboost_json", |bytes| format(Format::XgboostJson, bytes)),
    ("xgboost_ubjson", |bytes| format(Format::XgboostUbjson, bytes)),
    ("xgboost_binary", |bytes| format(Format::XgboostBinary, bytes)),
    ("catboost_binary", |bytes| format(Format::CatboostBinary, bytes)),
    ("catboost_json", |bytes| format(Format::CatboostJson, bytes)),
    ("keras_archive", |bytes| format(Format::KerasArchive, bytes)),
    ("hdf5", hdf5),
    ("onnx", network),
    ("torch", |bytes| format(Format::Torch, bytes)),
];

/// Debug builds are slower by about this much.
pub const PATIENCE: u32 = if cfg!(debug_assertions) { 8 } else { 1 };

/// What an attack cost.
pub struct Cost {
    pub time: Duration,
    /// The most bytes that were held at a time.
    pub memory: usize,
}

/// Does `work` with a file, which must not panic, take long or hold much.
pub fn bounded<T>(what: &dyn Display, bytes: &[u8], work: impl Fn() -> T) -> (T, Cost) {
    let second = Duration::from_secs(1) * PATIENCE;
    let outcome = catch_unwind(AssertUnwindSafe(|| cost::peak(|| cost::time(second, &work))));
    let ((result, time), memory) = outcome.unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str).or(cause.downcast_ref::<&str>().copied());
        panic!("{what}: panicked: {}", text.unwrap_or("without a word"))
    });
    let size = bytes.len();
    assert!(time < second, "{what}: {time:?} for {size} bytes");
    let inflated = if Container::sniff(bytes).is_some() { limits::inflated_memory(size, usize::MAX) } else { 0 };
    let granted = limits::pickle_memory(size) + inflated;
    assert!(memory <= granted, "{what}: {memory} bytes for a file of {size}, {granted} are granted");
    (result, Cost { time, memory })
}

/// An error is one line of text that fits on a page.
fn taught(what: &dyn Display, error: &Error) {
    let message = error.message();
    assert!(!message.is_empty(), "{what}: an error without a sentence");
    assert!(message.len() <= limits::MESSAGE_BYTES, "{what}: an error of {} bytes: {message}", message.len());
    assert!(!message.contains(char::is_control), "{what}: {message:?}");
}

/// Decodes a pickle within the bounds.
pub fn graph<'a>(what: &str, bytes: &'a [u8]) -> Result<Graph<'a>> {
    let (graph, _) = bounded(&what, bytes, || pickle::decode(bytes));
    graph.inspect_err(|error| taught(&what, error))
}

/// Decodes a pickle and asks everything of so many objects, all within the bounds. Whether it was decoded.
pub fn pickle(what: &str, bytes: &[u8], objects: usize) -> bool {
    let _ = bounded(&what, bytes, || pickle::looks_like(bytes));
    let Ok(graph) = graph(what, bytes) else { return false };
    bounded(&format!("questions to {what}"), bytes, || ask_everything(&graph, objects));
    true
}

/// Reads a `.npy` file within the bounds. Whether it was one.
fn array(bytes: &[u8]) -> bool {
    bounded(&"npy", bytes, || match npy::read(bytes) {
        Ok(array) => {
            let _ = (array.f64(), array.i64(), array.bools(), array.strings());
            for field in array.fields().unwrap_or_default() {
                let _ = array.field(&field.name).map(|field| (field.f64(), field.i64(), field.strings()));
            }
        }
        Err(error) => taught(&"npy", &error),
    });
    npy::looks_like(bytes)
}

/// Reads every dataset of an HDF5 file within the bounds, then what it holds as a model. Whether it was one.
fn hdf5(bytes: &[u8]) -> bool {
    fn read(object: &hdf5::Object<'_>, depth: usize) -> Result<()> {
        if let Some(dataset) = object.dataset()? {
            return dataset.numbers().map(drop);
        }
        for name in object.names()? {
            if depth < 8
                && let Some(child) = object.child(name)?
            {
                read(&child, depth + 1)?;
            }
        }
        object.strings("weight_names").map(drop)
    }
    let work = || hdf5::File::open(bytes).and_then(|file| read(&file.root()?, 0));
    if let (Err(error), _) = bounded(&"hdf5", bytes, work) {
        taught(&"hdf5", &error);
    }
    format(Format::Hdf5, bytes)
}

fn format(format: Format, bytes: &[u8]) -> bool {
    let mine = detect::detect(bytes) == Ok(format);
    if mine {
        let _ = model(&format_args!("{format:?}"), bytes);
    }
    mine
}

/// Reads an ONNX model within the bounds; what a runtime makes of it is the runtime's. Whether it was one.
fn network(bytes: &[u8]) -> bool {
    let mine = detect::detect(bytes) == Ok(Format::Onnx);
    if mine {
        let (result, _) = bounded(&"onnx", bytes, || mi::formats::read(bytes, &ReadOptions::default()));
        if let Err(error) = result {
            taught(&"onnx", &error);
        }
    }
    mine
}

/// Reads a model and asks it for every output, all within the bounds.
pub fn model(what: &dyn Display, bytes: &[u8]) -> (Result<()>, Cost) {
    bounded(what, bytes, || read_and_ask(what, bytes))
}

/// Reads a model and asks it for every output.
pub fn read_and_ask(what: &dyn Display, bytes: &[u8]) -> Result<()> {
    let model = Model::from_bytes(bytes, &ReadOptions::default()).inspect_err(|error| taught(what, error))?;
    questions(what, &model)
}

/// Numbers that a row is made of: first what is plain, then what is not.
const ROWS: [&[f64]; 3] = [
    &[0.5],
    &[f64::NAN],
    &[f64::INFINITY, -7.0, 1e300, -0.0, 2_147_483_648.0, 1.0, f64::NEG_INFINITY, 5e-324, 0.1, 3.0, f64::NAN, -1e300],
];

/// Asks again what was answered; the second time nothing is allocated.
fn twice(mut ask: impl FnMut() -> Result<()>) -> Result<()> {
    ask()?;
    let mut again = Ok(());
    assert_eq!(cost::allocations(|| again = ask()), 0, "a warm predict allocates");
    again
}

/// Asks for every output of several rows, in both widths. An error of the first row is
/// returned; those of the others, which no model must understand, are not.
fn questions(what: &dyn Display, model: &Model) -> Result<()> {
    let width = model.feature_count();
    let _ = (model.json_text(), model.feature_name_text(0), model.importance_of(0), model.importance_of(1));
    if model.sequence_length() > 0 {
        return sequences(what, model);
    }
    let categories: Vec<usize> = model.categorical_columns().map(|column| column as usize).collect();
    let texts: Vec<_> = categories.iter().map(|&column| ["long", "bank"].get(column % 3).copied()).collect();
    let mut row = vec![0.0f64; width];
    for (index, numbers) in ROWS.iter().enumerate() {
        row.iter_mut().zip(numbers.iter().cycle()).for_each(|(place, number)| *place = *number);
        if index == 0 {
            categories.iter().for_each(|&column| row[column] = 7.0);
        }
        for output in Output::ALL {
            let Ok(columns) = model.columns(output) else { continue };
            let mut out = vec![0.0; columns];
            let rows = Rows::new(&row, 1, width)?;
            // Encoders of text want text, which some of them know, and which may be missing.
            let numbers = twice(|| model.predict(output, rows, &mut out));
            let answer = if texts.is_empty() {
                numbers
            } else {
                let text = Text { texts: &texts, columns: texts.len() };
                twice(|| model.predict_categorical(output, rows, &text, &mut out)).or(numbers)
            };
            if let Err(error) = answer {
                taught(what, &error);
                if index == 0 {
                    return Err(error);
                }
            }
        }
        #[allow(clippy::cast_possible_truncation)] // infinities are welcome
        let single: Vec<f32> = row.iter().map(|&number| number as f32).collect();
        for output in Output::ALL {
            let Ok(columns) = model.columns(output) else { continue };
            let _ = model.predict(output, Rows::new(&single, 1, width)?, &mut vec![0.0; columns]);
        }
    }
    Ok(())
}

/// Asks for every output of a sequence; the second time nothing is allocated.
fn sequences(what: &dyn Display, model: &Model) -> Result<()> {
    let steps = model.sequence_length();
    let sequence = vec![0.5f32; steps * model.feature_count()];
    for output in Output::ALL {
        let Ok(columns) = model.columns(output) else { continue };
        let mut out = vec![0.0; columns];
        let rows = Rows::new(&sequence, 1, sequence.len())?;
        model.predict_sequence(output, rows, steps, &mut out).inspect_err(|error| taught(what, error))?;
        let mut again = Ok(());
        let count = cost::allocations(|| again = model.predict_sequence(output, rows, steps, &mut out));
        again?;
        assert_eq!(count, 0, "a warm predict allocates");
    }
    Ok(())
}
