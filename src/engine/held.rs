//! A model as an engine holds it: with the windows of its symbols, when it takes sequences.

use super::Options;
use crate::buffer::{self, Buffer, Normalization};
use crate::error::{Error, Result, Status, Within};
use crate::exec::{Number, Rows};
use crate::ir::Output;
use crate::limits;
use crate::model::{Model, Names};
use parking_lot::RwLock;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// Working memory of models that take sequences. Grows once per thread.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    /// A row in single precision.
    row: Vec<f32>,
    /// Windows, one behind the other.
    windows: Vec<f32>,
    /// The places of their symbols among those of the call.
    places: Vec<usize>,
    /// What the model answers for them.
    answers: Vec<f64>,
}

/// A model of an engine.
#[derive(Debug)]
pub(super) struct Held {
    pub model: Arc<Model>,
    /// The windows of a model that takes sequences, or why there can be none; `None`: it takes rows.
    windows: Option<Result<Arc<Buffer>>>,
    /// Names that the caller supplied.
    pub supplied: RwLock<Option<Names>>,
}

/// What several symbols are asked about together.
#[derive(Debug, Clone, Copy)]
pub struct Bar<'a, T> {
    /// A row for each symbol; `None`: their windows as they are.
    pub rows: Option<Rows<'a, T>>,
    /// Nanoseconds since 1970 of the rows, or at which the windows are read; 0: now.
    pub time_ns: i64,
}

impl Held {
    pub fn new(model: Arc<Model>, options: &Options) -> Self {
        let windows = (model.sequence_length() > 1)
            .then(|| windows(&model, options).map(Arc::new).within(|| "the windows of its symbols"));
        Self { model, windows, supplied: RwLock::new(None) }
    }

    /// The windows of its symbols.
    ///
    /// # Errors
    /// `MI_UNSUPPORTED` for a model that takes rows; those of making the windows.
    pub fn windows(&self) -> Result<&Arc<Buffer>> {
        match &self.windows {
            Some(windows) => windows.as_ref().map_err(Clone::clone),
            None => Err(Error::unsupported(format!(
                "this model takes rows of {} columns, not sequences, and has no windows; predict the row itself",
                self.model.feature_count()
            ))),
        }
    }

    /// The windows, when it has some, whatever their state.
    pub fn windows_if_any(&self) -> Option<&Arc<Buffer>> {
        self.windows.as_ref()?.as_ref().ok()
    }

    /// Predicts a row, or the window of the symbol that ends with it.
    pub fn predict<T: Number>(
        &self,
        symbol: Option<&str>,
        output: Output,
        features: &[T],
        out: &mut [f64],
    ) -> Result<()> {
        if self.windows.is_none() {
            return predict_row(&self.model, output, features, out);
        }
        let symbol = self.symbol(symbol)?;
        self.answer(output, out, |windows, row, window| windows.push_sequence(symbol, single(features, row), 0, window))
    }

    /// Predicts the window of the symbol as it is.
    pub fn predict_window(&self, symbol: Option<&str>, output: Output, now_ns: i64, out: &mut [f64]) -> Result<()> {
        self.windows()?;
        let symbol = self.symbol(symbol)?;
        self.answer(output, out, |windows, _, window| windows.sequence(symbol, now_ns, window))
    }

    /// Appends history to the window of the symbol.
    pub fn warm_up(&self, symbol: Option<&str>, rows: Rows<'_, f32>, timestamps_ns: Option<&[i64]>) -> Result<usize> {
        let windows = self.windows()?;
        check_width(&self.model, rows.columns())?;
        windows.push_rows(self.symbol(symbol)?, rows.data(), timestamps_ns)
    }

    fn symbol<'a>(&self, symbol: Option<&'a str>) -> Result<&'a str> {
        symbol.ok_or_else(|| {
            Error::new(
                Status::SequenceRequired,
                format!(
                    "this model takes sequences of {} steps of {} columns: name the symbol whose window a row goes on, or give a whole \
                     sequence to mi_engine_predict_sequence_f32",
                    self.model.sequence_length(),
                    self.model.feature_count()
                ),
            )
        })
    }

    /// Predicts the window that `read` writes; it is given a place for a row, too. NaN stands for an answer that is not there yet or no more.
    fn answer(
        &self,
        output: Output,
        out: &mut [f64],
        read: impl FnOnce(&Buffer, &mut Vec<f32>, &mut [f32]) -> Result<()>,
    ) -> Result<()> {
        let windows = self.windows()?;
        // Before a row is pushed: a call that cannot be answered changes nothing.
        check_room(out, 1, self.model.columns(output)?)?;
        SCRATCH.with_borrow_mut(|Scratch { row, windows: numbers, .. }| {
            let values = windows.sequence_length() * windows.feature_count();
            grow(numbers, values);
            let window = &mut numbers[..values];
            if let Err(error) = read(windows, row, window) {
                if is_waiting(&error) {
                    out.fill(f64::NAN);
                }
                return Err(error);
            }
            self.model.predict_sequence(output, Rows::new(window, 1, values)?, windows.sequence_length(), out)
        })
    }

    /// Predicts for several symbols at once: the row of each, or the window that ends with it, or without rows the window as it is. NaN
    /// stands for an answer that is not there; `failed` is told why. Returns how many were answered.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` for rows of another width or when `out` has not the columns of the output for each symbol, `MI_INVALID_ARGUMENT` without rows for a model that
    /// takes rows, and those of making the windows; nothing is pushed then.
    pub fn predict_symbols<T: Number>(
        &self,
        symbols: &[&str],
        output: Output,
        Bar { rows, time_ns }: Bar<'_, T>,
        out: &mut [f64],
        failed: &mut dyn FnMut(usize, Error),
    ) -> Result<usize> {
        let columns = self.model.columns(output)?;
        check_room(out, symbols.len(), columns)?;
        if let Some(rows) = rows {
            check_width(&self.model, rows.columns())?;
        }
        if self.windows.is_none() {
            let rows = rows.ok_or_else(|| {
                Error::invalid(format!(
                    "this model takes rows of {} columns and has no windows; give a row for each symbol",
                    self.model.feature_count()
                ))
            })?;
            out.fill(f64::NAN);
            return Ok(self.predict_rows(output, rows, columns, out, failed));
        }
        let windows = self.windows()?;
        out.fill(f64::NAN);
        let values = windows.sequence_length() * windows.feature_count();
        let block = (limits::WINDOW_BLOCK / values).max(1);
        SCRATCH.with_borrow_mut(|Scratch { row, windows: numbers, places, answers }| {
            let mut answered = 0;
            for first in (0..symbols.len()).step_by(block) {
                let block = &symbols[first..symbols.len().min(first + block)];
                grow(numbers, block.len() * values);
                places.clear();
                for (index, symbol) in block.iter().enumerate() {
                    let place = first + index;
                    let window = &mut numbers[places.len() * values..][..values];
                    let read = match rows {
                        Some(rows) => windows.push_sequence(symbol, single(rows.row(place), row), time_ns, window),
                        None => windows.sequence(symbol, time_ns, window),
                    };
                    match read {
                        Ok(()) => places.push(place),
                        Err(error) => failed(place, error),
                    }
                }
                answers.clear();
                answers.resize(places.len() * columns, f64::NAN);
                let sequences = Rows::new(&numbers[..places.len() * values], places.len(), values)?;
                match self.model.predict_sequence(output, sequences, windows.sequence_length(), answers) {
                    Ok(()) => {
                        for (answer, &place) in answers.chunks_exact(columns.max(1)).zip(&*places) {
                            out[place * columns..][..columns].copy_from_slice(answer);
                            answered += usize::from(!answer.iter().any(|value| value.is_nan()));
                        }
                    }
                    Err(error) => places.iter().for_each(|&place| failed(place, error.clone())),
                }
            }
            Ok(answered)
        })
    }

    /// Predicts rows at once, or one by one where one of them cannot be predicted.
    fn predict_rows<T: Number>(
        &self,
        output: Output,
        rows: Rows<'_, T>,
        columns: usize,
        out: &mut [f64],
        failed: &mut dyn FnMut(usize, Error),
    ) -> usize {
        if self.model.predict(output, rows, out).is_err() {
            for (index, (row, out)) in rows.iter().zip(out.chunks_exact_mut(columns.max(1))).enumerate() {
                if let Err(error) = predict_row(&self.model, output, row, out) {
                    failed(index, error);
                }
            }
        }
        out.chunks_exact(columns.max(1)).filter(|answer| !answer.iter().any(|value| value.is_nan())).count()
    }
}

/// Whether the answer is only not there yet, or no more.
fn is_waiting(error: &Error) -> bool {
    matches!(error.status(), Status::NotReady | Status::Stale)
}

fn check_room(out: &[f64], answers: usize, columns: usize) -> Result<()> {
    if answers.checked_mul(columns) != Some(out.len()) {
        return Err(Error::shape(format!(
            "out has room for {} numbers, {answers} answers of {columns} columns are {}",
            out.len(),
            answers.saturating_mul(columns)
        )));
    }
    Ok(())
}

fn predict_row<T: Number>(model: &Model, output: Output, features: &[T], out: &mut [f64]) -> Result<()> {
    check_width(model, features.len())?;
    model.predict(output, Rows::new(features, 1, features.len())?, out)
}

fn check_width(model: &Model, columns: usize) -> Result<()> {
    let wanted = model.feature_count();
    if columns != wanted {
        return Err(Error::shape(format!("the row has {columns} columns, the model takes {wanted}")));
    }
    Ok(())
}

/// The numbers in single precision, as they are or in `room`.
fn single<'a, T: Number>(numbers: &'a [T], room: &'a mut Vec<f32>) -> &'a [f32] {
    if let Some(numbers) = T::as_f32(numbers) {
        return numbers;
    }
    room.clear();
    #[allow(clippy::cast_possible_truncation)] // a number that becomes infinite is refused as an infinity
    room.extend(numbers.iter().map(|number| number.widen() as f32));
    room
}

fn grow(numbers: &mut Vec<f32>, len: usize) {
    if numbers.len() < len {
        numbers.resize(len, 0.0);
    }
}

/// Windows for a model that takes sequences, as its metadata wants them.
///
/// # Errors
/// Those of [`Buffer::new`]; `MI_MALFORMED` and `MI_UNSUPPORTED` for what the metadata says of raw channels.
fn windows(model: &Model, options: &Options) -> Result<Buffer> {
    let steps = model.sequence_length();
    let none = Map::new();
    let metadata = model.facts().get("metadata").and_then(Value::as_object).unwrap_or(&none);
    let (normalization, channels) = raw_channels(metadata).within(|| "metadata")?;
    let options = buffer::Options {
        ttl: options.window_ttl,
        warmup_rows: options.warmup_rows.min(steps),
        max_symbols: options.max_symbols,
        normalization,
        channels,
    };
    Buffer::new(steps, model.feature_count(), &options)
}

/// What is done to raw channels, and their names: of a model whose `input_mode` is `raw_sequence`; others take features as they are.
/// Training normalises by returns where it is not told how.
fn raw_channels(metadata: &Map<String, Value>) -> Result<(Normalization, Vec<Option<String>>)> {
    if metadata.get("input_mode").and_then(Value::as_str) != Some("raw_sequence") {
        return Ok((Normalization::None, Vec::new()));
    }
    let normalization = match metadata.get("sequence_normalization") {
        None | Some(Value::Null) => Normalization::Returns,
        Some(Value::String(name)) => Normalization::from_name(name)?,
        Some(_) => return Err(Error::malformed("`sequence_normalization` is no string")),
    };
    let channels = match metadata.get("sequence_channels") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(channels)) => channels
            .iter()
            .map(|channel| channel.as_str().map(|name| Some(name.to_owned())))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::malformed("`sequence_channels` lists something that is no string"))?,
        Some(_) => return Err(Error::malformed("`sequence_channels` is no list")),
    };
    Ok((normalization, channels))
}
