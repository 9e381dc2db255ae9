//! Sequences: by symbol through windows, whole ones, and many symbols at once; the numbers are those of Keras.

use crate::common::runs::TestRun;
use crate::common::{fixtures, npy};
use crate::{engine, engine_with, refused};
use mi::artifact::checksum::sha256;
use mi::engine::{Bar, Engine, Group, Options};
use mi::exec::Rows;
use mi::ir::Output;
use mi::loader::{self, Loader, Name, Selector};
use mi::{Error, Status};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const NOON: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
const TARGET: &str = "fwd_ret_5m";
const LSTM: Name<'static> = Name { target: TARGET, family: "lstm", view: None, symbol: None };
const BARS: Name<'static> = Name { view: Some("SEQUENTIAL"), ..LSTM };
const STEPS: usize = 12;
const WIDTH: usize = 6;
const VALUE: Output = Output::Value;

fn run() -> Engine {
    run_with(Options::default())
}

fn run_with(options: Options) -> Engine {
    let loader = Loader::open(&fixtures().join("runs/sequences"), loader::Options::default()).unwrap();
    Engine::new(Arc::new(loader), options).unwrap()
}

/// A model of the run, the rows of a symbol, and what Keras answers after each.
struct Stream {
    names: [String; 4],
    steps: usize,
    rows: Vec<Vec<f32>>,
    values: Vec<f64>,
}

impl Stream {
    fn name(&self) -> Name<'_> {
        let [target, family, view, symbol] = &self.names;
        Name { target, family, view: Some(view), symbol: Some(symbol) }
    }

    fn flat(&self, rows: std::ops::Range<usize>) -> Vec<f32> {
        self.rows[rows].concat()
    }
}

#[allow(clippy::cast_possible_truncation)] // the files hold single precision, written wide
fn stream(case: &Value) -> Stream {
    let text = |key: &str| case[key].as_str().unwrap().to_owned();
    let read = |key: &str| npy::read(&fixtures().join("runs/sequences").join(text(key)));
    let rows = read("rows");
    Stream {
        names: [text("target"), text("family"), text("view"), text("symbol")],
        steps: usize::try_from(case["steps"].as_u64().unwrap()).unwrap(),
        rows: rows.data.chunks(rows.columns).map(|row| row.iter().map(|&x| x as f32).collect()).collect(),
        values: read("values").data,
    }
}

fn streams() -> Vec<Stream> {
    let told = std::fs::read(fixtures().join("runs/sequences/expected.json")).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    told["cases"].as_array().unwrap().iter().map(stream).collect()
}

fn stream_of(view: &str, family: &str, symbol: &str) -> Stream {
    streams().into_iter().find(|stream| stream.names[1..] == [family, view, symbol]).unwrap()
}

/// The features of a symbol, and what the network of features answers.
fn features_of(symbol: &str) -> Stream {
    stream_of("CROSS_SECTIONAL", "lstm", symbol)
}

/// Rows of now.
fn bar<T>(rows: Rows<'_, T>) -> Bar<'_, T> {
    Bar { rows: Some(rows), time_ns: 0 }
}

/// Windows as they are now.
fn as_they_are<T>() -> Bar<'static, T> {
    Bar { rows: None, time_ns: 0 }
}

#[track_caller]
fn close(found: f64, expected: f64) {
    let allowed = (1e-5 * expected.abs()).max(1e-6);
    assert!((found - expected).abs() <= allowed, "{found}, Keras says {expected}");
}

fn rows_in(engine: &Engine, name: Name<'_>) -> usize {
    engine.windows(name).unwrap().standing(name.symbol.unwrap(), 0).unwrap().rows
}

#[test]
fn windows_answer_as_keras_does() {
    needs_runtime!();
    let (engine, twin) = (run(), run());
    let mut asked = 0;
    for stream in streams() {
        let name = stream.name();
        assert_eq!(engine.model(name).unwrap().sequence_length(), stream.steps, "{name:?}");
        for (index, (row, &expected)) in stream.rows.iter().zip(&stream.values).enumerate() {
            let wide: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
            let (mut single, mut double) = ([7.0], [7.0]);
            let asked_single = engine.predict(name, VALUE, row, &mut single);
            let asked_double = twin.predict(name, VALUE, &wide, &mut double);
            if index + 1 < stream.steps {
                let words = [name.symbol.unwrap(), &format!("holds {} of the {} rows", index + 1, stream.steps)];
                refused(asked_single, Status::NotReady, &words);
                refused(asked_double, Status::NotReady, &words);
                assert!(single[0].is_nan() && double[0].is_nan() && expected.is_nan());
            } else {
                asked_single.unwrap();
                asked_double.unwrap();
                close(single[0], expected);
                assert_eq!(single[0].to_bits(), double[0].to_bits());
                asked += 1;
            }
        }
    }
    assert!(asked > 500, "{asked}");
}

#[test]
fn a_sequence_is_required() {
    needs_runtime!();
    let engine = run();
    let row = [0.5_f32; WIDTH];
    let mut out = [7.0];
    let words = ["fwd_ret_5m/lstm", "12 steps of 6 columns", "name the symbol", "mi_engine_predict_sequence_f32"];
    refused(engine.predict(LSTM, VALUE, &row, &mut out), Status::SequenceRequired, &words);
    refused(engine.predict_window(LSTM, VALUE, 0, &mut out), Status::SequenceRequired, &words);
    let history = Rows::new(&row, 1, WIDTH).unwrap();
    refused(engine.warm_up(LSTM, history, None), Status::SequenceRequired, &words);
    let model = engine.model(LSTM).unwrap();
    refused(model.predict(VALUE, history, &mut out), Status::SequenceRequired, &["mi_model_predict_sequence_f32"]);
    assert_eq!(out, [7.0], "untouched");
}

#[test]
fn a_call_that_cannot_be_answered_changes_nothing() {
    needs_runtime!();
    let engine = run();
    let name = LSTM.symbol("AAPL");
    let row = [0.5_f32; WIDTH];
    let mut out = [7.0; 2];
    refused(engine.predict(name, VALUE, &row, &mut out), Status::ShapeMismatch, &["2 numbers"]);
    refused(engine.predict(name, Output::Leaf, &row, &mut out[..1]), Status::Unsupported, &["leaf"]);
    refused(engine.predict(name, VALUE, &row[..5], &mut out[..1]), Status::ShapeMismatch, &["AAPL", "5 columns"]);
    let mut bad = row;
    bad[4] = f32::NAN;
    refused(engine.predict(name, VALUE, &bad, &mut out[..1]), Status::InvalidArgument, &["column 4"]);
    let mut wide = [0.5_f64; WIDTH];
    wide[2] = 1e300;
    refused(engine.predict(name, VALUE, &wide, &mut out[..1]), Status::InvalidArgument, &["column 2 is inf"]);
    refused(engine.predict(LSTM.symbol(""), VALUE, &row, &mut out[..1]), Status::InvalidArgument, &["a symbol is"]);
    assert_eq!(out, [7.0; 2], "untouched");
    assert_eq!(rows_in(&engine, name), 0);
}

#[test]
fn whole_sequences_are_taken_as_they_are() {
    needs_runtime!();
    let engine = run();
    let stream = features_of("MSFT");
    let count = 49;
    let sequences: Vec<f32> = (0..count).flat_map(|first| stream.flat(first..first + STEPS)).collect();
    let rows = Rows::new(&sequences, count, STEPS * WIDTH).unwrap();
    let mut out = vec![0.0; count];
    engine.predict_sequence(LSTM, VALUE, rows, STEPS, &mut out).unwrap();
    for (found, expected) in out.iter().zip(&stream.values[STEPS - 1..]) {
        close(*found, *expected);
    }
    assert_eq!(engine.windows(LSTM).unwrap().symbol_count(), 0, "no window was touched");
    let other = Rows::new(&sequences, count * 2, STEPS / 2 * WIDTH).unwrap();
    let asked = engine.predict_sequence(LSTM, VALUE, other, STEPS / 2, &mut vec![0.0; count * 2]);
    refused(asked, Status::ShapeMismatch, &["fwd_ret_5m/lstm", "6 steps", "12 steps"]);
    // A network of any length takes shorter ones, too.
    let bars = stream_of("SEQUENTIAL", "lstm", "MSFT");
    let shorter = bars.flat(0..7);
    engine.predict_sequence(BARS, VALUE, Rows::new(&shorter, 1, 35).unwrap(), 7, &mut out[..1]).unwrap();
}

#[test]
fn features_may_be_rows_or_sequences_of_one_channel() {
    needs_runtime!();
    let engine = run();
    let stream = stream_of("CROSS_SECTIONAL", "cnn1d", "GOOG");
    let name = Name { family: "cnn1d", ..LSTM };
    assert_eq!(engine.model(name).unwrap().sequence_length(), 0);
    let all = stream.flat(0..60);
    let mut out = [0.0; 60];
    for steps in [WIDTH, 1] {
        engine.predict_sequence(name, VALUE, Rows::new(&all, 60, WIDTH).unwrap(), steps, &mut out).unwrap();
        for (found, expected) in out.iter().zip(&stream.values) {
            close(*found, *expected);
        }
    }
    engine.predict(name, VALUE, &stream.rows[3], &mut out[..1]).unwrap();
    close(out[0], stream.values[3]);
    let words = ["cnn1d: ", "rows of 6 columns", "no windows"];
    refused(engine.windows(name), Status::Unsupported, &words);
    refused(engine.predict_window(name.symbol("A"), VALUE, 0, &mut out[..1]), Status::Unsupported, &words);
    refused(engine.warm_up(name.symbol("A"), Rows::new(&all, 60, WIDTH).unwrap(), None), Status::Unsupported, &words);
}

#[test]
fn history_warms_a_window_up() {
    needs_runtime!();
    let engine = run();
    let stream = features_of("AAPL");
    let name = LSTM.symbol("AAPL");
    let mut history = stream.flat(0..20);
    history.splice(0..0, [f32::NAN; WIDTH]);
    let rows = Rows::new(&history, 21, WIDTH).unwrap();
    assert_eq!(engine.warm_up(name, rows, None).unwrap(), 20, "the row of NaN is passed over");
    let mut out = [0.0];
    engine.predict_window(name, VALUE, 0, &mut out).unwrap();
    close(out[0], stream.values[19]);
    engine.predict(name, VALUE, &stream.rows[20], &mut out).unwrap();
    close(out[0], stream.values[20]);
    let narrow = Rows::new(&history[..20], 4, 5).unwrap();
    refused(engine.warm_up(name, narrow, None), Status::ShapeMismatch, &["5 columns", "takes 6"]);
    let two = Rows::new(&history[..12], 2, WIDTH).unwrap();
    refused(engine.warm_up(name, two, Some(&[1])), Status::ShapeMismatch, &["1 time stamps for 2 rows"]);
    // Fewer rows are enough where the options say so; the missing ones are zeros.
    let early = run_with(Options { warmup_rows: 3, ..Options::default() });
    assert_eq!(early.warm_up(name, Rows::new(&history[WIDTH..3 * WIDTH], 2, WIDTH).unwrap(), None).unwrap(), 2);
    refused(early.predict_window(name, VALUE, 0, &mut out), Status::NotReady, &["2 of the 3 rows"]);
    early.predict(name, VALUE, &stream.rows[2], &mut out).unwrap();
    let mut padded = vec![0.0; (STEPS - 3) * WIDTH];
    padded.extend(stream.flat(0..3));
    let mut whole = [0.0];
    early.predict_sequence(LSTM, VALUE, Rows::new(&padded, 1, 72).unwrap(), STEPS, &mut whole).unwrap();
    close(out[0], whole[0]);
    // As many as the model takes are all that can be asked for.
    let patient = run_with(Options { warmup_rows: 1000, ..Options::default() });
    patient.warm_up(name, Rows::new(&history[WIDTH..], 20, WIDTH).unwrap(), None).unwrap();
    patient.predict_window(name, VALUE, 0, &mut out).unwrap();
}

#[test]
fn a_window_goes_stale() {
    needs_runtime!();
    let engine = run_with(Options { window_ttl: Duration::from_mins(1), ..Options::default() });
    let stream = features_of("AAPL");
    let name = LSTM.symbol("AAPL");
    let times: Vec<i64> = (0..60).map(|row| NOON + row * SECOND).collect();
    let all = stream.flat(0..60);
    engine.warm_up(name, Rows::new(&all, 60, WIDTH).unwrap(), Some(&times)).unwrap();
    let mut out = [7.0];
    engine.predict_window(name, VALUE, NOON + 119 * SECOND, &mut out).unwrap();
    close(out[0], stream.values[59]);
    let late = engine.predict_window(name, VALUE, NOON + 120 * SECOND, &mut out);
    refused(late, Status::Stale, &["fwd_ret_5m/AAPL/lstm", "61.000 s old", "60.000 s allowed"]);
    assert!(out[0].is_nan());
    // A row of now makes it fresh.
    engine.predict(name, VALUE, &stream.rows[0], &mut out).unwrap();
    assert!(out[0].is_finite());
    let ageless = run_with(Options { window_ttl: Duration::ZERO, ..Options::default() });
    ageless.warm_up(name, Rows::new(&all, 60, WIDTH).unwrap(), Some(&times)).unwrap();
    ageless.predict_window(name, VALUE, 0, &mut out).unwrap();
    close(out[0], stream.values[59]);
}

#[test]
fn windows_are_reset_by_name() {
    needs_runtime!();
    let engine = run();
    let row = [0.5_f32; WIDTH];
    let fill = || {
        for symbol in ["AAPL", "MSFT"] {
            let _ = engine.predict(LSTM.symbol(symbol), VALUE, &row, &mut [0.0]);
            let _ = engine.predict(BARS.symbol(symbol), VALUE, &row[..5], &mut [0.0]);
        }
    };
    let held = || {
        [LSTM.symbol("AAPL"), LSTM.symbol("MSFT"), BARS.symbol("AAPL"), BARS.symbol("MSFT")]
            .map(|name| rows_in(&engine, name))
    };
    let reset = |target: Option<&str>, family: Option<&str>, view: Option<&str>, symbol: Option<&str>| {
        let own = |name: Option<&str>| name.map(str::to_owned);
        engine.reset(&Selector { target: own(target), family: own(family), view: own(view), symbol: own(symbol) })
    };
    reset(None, None, None, None).unwrap();
    fill();
    assert_eq!(held(), [1, 1, 1, 1]);
    reset(Some(TARGET), Some("LSTM"), Some("SEQUENTIAL"), Some("AAPL")).unwrap();
    assert_eq!(held(), [1, 1, 0, 1]);
    reset(None, None, None, Some("MSFT")).unwrap();
    assert_eq!(held(), [1, 0, 0, 0]);
    fill();
    reset(Some(TARGET), None, Some("view=CROSS_SECTIONAL"), None).unwrap();
    assert_eq!(held(), [0, 0, 1, 2 - 1]);
    fill();
    reset(None, None, None, None).unwrap();
    assert_eq!(held(), [0; 4]);
    // A model that is not loaded has nothing to reset; one that does not exist is a slip of the pen.
    reset(Some(TARGET), Some("cnn1d"), None, None).unwrap();
    refused(reset(Some(TARGET), Some("gru"), None, None), Status::NotFound, &["fwd_ret_5m/gru"]);
    refused(reset(Some("fwd_ret_6m"), None, None, None), Status::NotFound, &["fwd_ret_5m"]);
    refused(reset(Some("../x"), None, None, None), Status::InvalidArgument, &["is a path"]);
}

#[test]
fn symbols_go_through_a_network_together() {
    needs_runtime!();
    let engine = run();
    let symbols = ["AAPL", "MSFT", "GOOG"];
    let streams = symbols.map(features_of);
    let mut failures: Vec<(usize, Error)> = Vec::new();
    for index in 0..60 {
        let rows: Vec<f32> = streams.iter().flat_map(|stream| stream.rows[index].clone()).collect();
        let rows = Rows::new(&rows, 3, WIDTH).unwrap();
        let mut out = [7.0; 3];
        let answered = engine.predict_symbols(LSTM, &symbols, VALUE, bar(rows), &mut out, &mut failures).unwrap();
        if index + 1 < STEPS {
            assert_eq!(answered, 0);
            assert!(out.iter().all(|value| value.is_nan()));
            for (place, (at, error)) in failures.drain(..).enumerate() {
                assert_eq!((at, error.status()), (place, Status::NotReady));
                assert!(error.message().contains(symbols[at]), "{error}");
            }
        } else {
            assert_eq!((answered, failures.len()), (3, 0));
            for (found, stream) in out.iter().zip(&streams) {
                close(*found, stream.values[index]);
            }
        }
    }
    // As they are, with one that has no window among them, and one twice.
    let asked = ["GOOG", "TSLA", "AAPL", "GOOG"];
    let mut out = [7.0; 4];
    let answered = engine.predict_symbols::<f32>(LSTM, &asked, VALUE, as_they_are(), &mut out, &mut failures).unwrap();
    assert_eq!((answered, failures.len(), failures[0].0, failures[0].1.status()), (3, 1, 1, Status::NotReady));
    close(out[0], streams[2].values[59]);
    assert!(out[1].is_nan());
    close(out[2], streams[0].values[59]);
    assert_eq!(out[0].to_bits(), out[3].to_bits());
    assert_eq!(rows_in(&engine, LSTM.symbol("GOOG")), STEPS, "nothing was added");
}

#[test]
fn sizes_of_many_symbols_are_checked() {
    needs_runtime!();
    let engine = run();
    let (symbols, rows) = (["AAPL", "MSFT"], [0.5_f32; 18]);
    let mut failures = Vec::new();
    let mut ask = |rows: Option<Rows<'_, f32>>, out: &mut [f64]| {
        engine.predict_symbols(LSTM, &symbols, VALUE, Bar { rows, time_ns: 0 }, out, &mut failures)
    };
    let three = Rows::new(&rows, 3, WIDTH).unwrap();
    refused(ask(Some(three), &mut [0.0; 2]), Status::ShapeMismatch, &["3 rows for 2 symbols"]);
    refused(ask(Some(three.range(0, 2)), &mut [0.0; 3]), Status::ShapeMismatch, &["3 numbers", "2 symbols"]);
    refused(ask(Some(three.range(0, 2)), &mut [0.0; 4]), Status::ShapeMismatch, &["4 numbers", "1 columns"]);
    let wide = Rows::new(&rows, 2, 9).unwrap();
    refused(ask(Some(wide), &mut [0.0; 2]), Status::ShapeMismatch, &["9 columns", "takes 6"]);
    assert_eq!(failures.len(), 0);
    assert_eq!(engine.windows(LSTM).unwrap().symbol_count(), 0, "nothing was added");
    assert_eq!(engine.predict_symbols::<f32>(LSTM, &[], VALUE, as_they_are(), &mut [], &mut failures).unwrap(), 0);
}

#[test]
fn each_symbol_has_a_model_of_its_own() {
    needs_runtime!();
    let engine = run();
    let name = LSTM.view("SYMBOL_SPECIFIC");
    let symbols = ["AAPL", "TSLA", "MSFT"];
    let (apple, microsoft) =
        (stream_of("SYMBOL_SPECIFIC", "lstm", "AAPL"), stream_of("SYMBOL_SPECIFIC", "lstm", "MSFT"));
    for index in 0..60 {
        let rows = [&apple.rows[index], &apple.rows[index], &microsoft.rows[index]].map(|row| &row[..]).concat();
        let rows = Rows::new(&rows, 3, 5).unwrap();
        let (mut out, mut failures) = ([7.0; 3], Vec::new());
        let answered = engine.predict_symbols(name, &symbols, VALUE, bar(rows), &mut out, &mut failures).unwrap();
        let missing = failures.iter().find(|(at, _)| *at == 1).unwrap();
        assert_eq!(missing.1.status(), Status::NotFound, "{}", missing.1);
        assert!(out[1].is_nan());
        if index + 1 < apple.steps {
            assert_eq!((answered, failures.len()), (0, 3));
        } else {
            assert_eq!((answered, failures.len()), (2, 1));
            close(out[0], apple.values[index]);
            close(out[2], microsoft.values[index]);
        }
    }
}

#[test]
fn models_of_rows_take_symbols_too() {
    const MODEL: &str = "lightgbm/regression";
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    run.plain("t", "ridge").model("sklearn/ridge-1.9", "model.joblib").done();
    let engine = engine(&run);
    let expected = crate::common::runs::answers(MODEL);
    let symbols = ["A", "B", "C", "D"];
    let rows = Rows::new(&expected.rows.data[..4 * 8], 4, 8).unwrap();
    let (mut out, mut failures) = ([7.0; 4], Vec::new());
    let name = Name::new("t", "lgb");
    assert_eq!(engine.predict_symbols(name, &symbols, VALUE, bar(rows), &mut out, &mut failures).unwrap(), 4);
    for (found, expected) in out.iter().zip(&expected.values.data) {
        assert_eq!(found.to_bits(), expected.to_bits());
    }
    let asked = engine.predict_symbols::<f64>(name, &symbols, VALUE, as_they_are(), &mut out, &mut failures);
    refused(asked, Status::InvalidArgument, &["rows of 8 columns", "give a row for each symbol"]);
    // One row that cannot be predicted fails alone.
    let width = engine.model(Name::new("t", "ridge")).unwrap().feature_count();
    let mut rows = vec![0.25; 4 * width];
    rows[2 * width] = f64::NAN;
    let rows = Rows::new(&rows, 4, width).unwrap();
    let name = Name::new("t", "ridge");
    assert_eq!(engine.predict_symbols(name, &symbols, VALUE, bar(rows), &mut out, &mut failures).unwrap(), 3);
    assert_eq!((failures.len(), failures[0].0, failures[0].1.status()), (1, 2, Status::InvalidArgument));
    assert!(out[2].is_nan() && [0, 1, 3].iter().all(|&at| out[at].is_finite()));
}

#[test]
fn groups_ask_networks_by_symbol() {
    needs_runtime!();
    let family_priority = ["lstm", "cnn1d"].map(str::to_owned).to_vec();
    let engine = run_with(Options { family_priority, ..Options::default() });
    let (lstm, cnn1d) = (features_of("AAPL"), stream_of("CROSS_SECTIONAL", "cnn1d", "AAPL"));
    let group = Group { target: TARGET, view: None, symbol: Some("AAPL") };
    assert_eq!(*engine.families(group).unwrap(), ["cnn1d", "lstm"]);
    for (index, row) in lstm.rows.iter().enumerate().take(30) {
        let (mut values, mut failures) = ([7.0; 2], Vec::new());
        let answered = engine.predict_all(group, VALUE, row, &mut values, &mut failures).unwrap();
        close(values[0], cnn1d.values[index]);
        if index + 1 < STEPS {
            assert_eq!((answered, failures.len(), failures[0].0), (1, 1, 1));
            assert_eq!(failures[0].1.status(), Status::NotReady);
            assert!(values[1].is_nan());
        } else {
            assert_eq!((answered, failures.len()), (2, 0));
            close(values[1], lstm.values[index]);
        }
    }
    let mut out = [7.0];
    assert_eq!(engine.predict_with_fallback(group, VALUE, &lstm.rows[30], &mut out).unwrap(), "lstm");
    close(out[0], lstm.values[30]);
    let other = Group { symbol: Some("NEW"), ..group };
    assert_eq!(engine.predict_with_fallback(other, VALUE, &lstm.rows[31], &mut out).unwrap(), "cnn1d");
    close(out[0], cnn1d.values[31]);
    assert_eq!(rows_in(&engine, LSTM.symbol("NEW")), 1, "it was asked and had the row");
    let (mut values, mut failures) = ([7.0; 2], Vec::new());
    let nobody = Group { symbol: None, ..group };
    assert_eq!(engine.predict_all(nobody, VALUE, &lstm.rows[0], &mut values, &mut failures).unwrap(), 1);
    assert_eq!((failures[0].0, failures[0].1.status()), (1, Status::SequenceRequired));
}

#[test]
fn rows_by_name_go_into_the_window() {
    needs_runtime!();
    let engine = run();
    let stream = features_of("AAPL");
    let names = ["ret_1", "vol_20d", "rsi_14", "vol_ratio", "macd", "mom_5d"];
    let mut out = [0.0];
    for (index, row) in stream.rows.iter().enumerate().take(20) {
        let named: Vec<(&str, f64)> = names.iter().copied().zip(row.iter().map(|&x| f64::from(x))).rev().collect();
        let asked = engine.predict_named(LSTM.symbol("AAPL"), VALUE, &named, &mut out);
        if index + 1 < STEPS {
            refused(asked, Status::NotReady, &[]);
        } else {
            asked.unwrap();
            close(out[0], stream.values[index]);
        }
    }
}

#[test]
fn the_windows_themselves_can_be_had() {
    needs_runtime!();
    let engine = run();
    let stream = features_of("AAPL");
    let name = LSTM.symbol("AAPL");
    let windows = engine.windows(LSTM).unwrap();
    assert_eq!((windows.sequence_length(), windows.feature_count()), (STEPS, WIDTH));
    for (row, time) in stream.rows.iter().zip(NOON..) {
        windows.push("AAPL", row, time).unwrap();
    }
    let mut out = [0.0];
    engine.predict_window(name, VALUE, NOON + SECOND, &mut out).unwrap();
    close(out[0], stream.values[59]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("windows");
    windows.save(&path).unwrap();
    let other = run();
    other.windows(LSTM).unwrap().restore(&path).unwrap();
    let mut again = [0.0];
    other.predict_window(name, VALUE, NOON + SECOND, &mut again).unwrap();
    assert_eq!(out, again);
    drop(engine);
    windows.push("AAPL", &stream.rows[0], 0).unwrap();
}

#[test]
fn metadata_that_cannot_be_meant_is_told() {
    needs_runtime!();
    let bytes = std::fs::read(fixtures().join("onnx/graph_lstm/model.onnx")).unwrap();
    let run = TestRun::new();
    let family = |keys: &[(&str, Value)]| {
        let mut family = run.plain("t", "LSTM").file("model.onnx", &bytes);
        family = family.says("model_checksum", json!(sha256(&bytes))).says("input_mode", json!("raw_sequence"));
        for (key, value) in keys {
            family = family.says(key, value.clone());
        }
        family.done();
    };
    let name = Name::new("t", "lstm").symbol("A");
    for (keys, status, words) in [
        (&[("sequence_normalization", json!("zscore"))][..], Status::Unsupported, &["metadata", "'zscore'"][..]),
        (&[("sequence_normalization", json!(3))], Status::Malformed, &["sequence_normalization"]),
        (&[("sequence_channels", json!("ohlc"))], Status::Malformed, &["sequence_channels"]),
        (&[("sequence_channels", json!(["open", 3]))], Status::Malformed, &["sequence_channels"]),
        (&[("sequence_channels", json!(["open", "open", "x"]))], Status::InvalidArgument, &["'open'"]),
        (&[("sequence_channels", json!(["open", "close"]))], Status::InvalidArgument, &["2 channels", "3 columns"]),
    ] {
        family(keys);
        let engine = engine(&run);
        let mut out = [7.0];
        let mut all = vec!["t/A/lstm", "the windows of its symbols"];
        all.extend_from_slice(words);
        refused(engine.predict(name, VALUE, &[1.0_f32; 3], &mut out), status, &all);
        refused(engine.windows(name), status, words);
        assert_eq!(out, [7.0]);
        // Whole sequences need no windows.
        engine.predict_sequence(name, VALUE, Rows::new(&[0.5; 36], 1, 36).unwrap(), 12, &mut out).unwrap();
    }
    family(&[("sequence_channels", json!(["high", "low", "close"])), ("sequence_length", json!(20))]);
    let engine = engine(&run);
    let facts = engine.model(name).unwrap().facts()["warnings"].to_string();
    assert!(facts.contains("`sequence_length` is 20, the model takes 12 steps"), "{facts}");
    let windows = engine.windows(name).unwrap();
    for close in [100.0_f32, 101.0] {
        windows.push("A", &[102.0, 99.0, close], NOON).unwrap();
    }
    assert_eq!(windows.standing("A", NOON).unwrap().rows, 2);
}

#[test]
fn symbols_are_limited_for_each_model() {
    needs_runtime!();
    let engine = run_with(Options { max_symbols: 2, ..Options::default() });
    let row = [0.5_f32; WIDTH];
    for symbol in ["A", "B"] {
        refused(engine.predict(LSTM.symbol(symbol), VALUE, &row, &mut [0.0]), Status::NotReady, &[]);
    }
    let third = engine.predict(LSTM.symbol("C"), VALUE, &row, &mut [0.0]);
    refused(third, Status::LimitExceeded, &["C", "2 symbols"]);
    refused(engine.predict(BARS.symbol("C"), VALUE, &row[..5], &mut [0.0]), Status::NotReady, &[]);
}

#[test]
fn threads_push_and_predict_at_once() {
    needs_runtime!();
    let engine = run();
    let streams = ["AAPL", "MSFT", "GOOG"].map(features_of);
    std::thread::scope(|scope| {
        for stream in &streams {
            let engine = &engine;
            scope.spawn(move || {
                for round in 0..20 {
                    let mut out = [0.0];
                    for (index, row) in stream.rows.iter().enumerate() {
                        let asked = engine.predict(stream.name(), VALUE, row, &mut out);
                        if round == 0 && index + 1 < STEPS {
                            refused(asked, Status::NotReady, &[]);
                        } else {
                            asked.unwrap();
                        }
                        if index + 1 >= STEPS {
                            close(out[0], stream.values[index]);
                        }
                    }
                }
            });
        }
        let engine = &engine;
        scope.spawn(move || {
            let mut out = [0.0; 3];
            for _ in 0..200 {
                let mut failures = Vec::new();
                let symbols = ["AAPL", "MSFT", "GOOG"];
                engine.predict_symbols::<f32>(LSTM, &symbols, VALUE, as_they_are(), &mut out, &mut failures).unwrap();
                assert!(failures.iter().all(|(_, error)| error.status() == Status::NotReady));
            }
        });
    });
}

#[test]
fn a_default_engine_over_another_run_has_no_windows() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model("lightgbm/regression", "model.txt").done();
    let engine = engine_with(&run, Options::default());
    refused(engine.windows(Name::new("t", "lgb")), Status::Unsupported, &["rows of 8 columns"]);
}
