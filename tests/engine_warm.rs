//! A warm prediction allocates nothing: by name, and with categories.

mod common;
#[path = "common/counting.rs"]
mod counting;

use common::runs::{TestRun, answers};
use counting::allocations;
use mi::engine::{Bar, Engine, Group, Options};
use mi::exec::{Processor, Rows, Text};
use mi::formats::ReadOptions;
use mi::ir::Output;
use mi::loader::Name;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Allocations of this thread in the second of two calls.
fn warm(mut call: impl FnMut()) -> usize {
    call();
    allocations(call)
}

#[test]
fn a_warm_prediction_allocates_nothing() {
    const MODEL: &str = "lightgbm/regression";
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let symbols = "targets/t/models/view=SYMBOL_SPECIFIC/symbol=AAPL/family=lgb";
    run.family(symbols).model(MODEL, "model.txt").done();
    let family_priority = ["ridge", "lightgbm"].map(str::to_owned).to_vec();
    let engine = Engine::new(Arc::new(run.loader()), Options { family_priority, ..Options::default() }).unwrap();
    let expected = answers(MODEL);
    let row = expected.row(0);
    let single: Vec<f32> = vec![0.5; row.len()];
    let mut out = [0.0];
    let cross = Name::new("t", "lgb");
    for name in [cross, cross.symbol("MSFT"), cross.view("SYMBOL_SPECIFIC").symbol("AAPL")] {
        assert_eq!(warm(|| engine.predict(name, Output::Value, row, &mut out).unwrap()), 0, "{name:?}");
        assert_eq!(warm(|| engine.predict(name, Output::Value, &single, &mut out).unwrap()), 0, "{name:?}");
    }
    let model = engine.model(cross).unwrap();
    let names: Vec<String> = model.feature_names().unwrap().to_vec();
    let named: Vec<(&str, f64)> = names.iter().map(String::as_str).zip(row.iter().copied()).collect();
    assert_eq!(warm(|| engine.predict_named(cross, Output::Value, &named, &mut out).unwrap()), 0, "by name");
    let group = Group::new("t");
    let mut failures = Vec::new();
    let all = warm(|| {
        engine.predict_all(group, Output::Value, row, &mut out, &mut failures).unwrap();
    });
    assert_eq!(all, 0, "all families");
    // The first family of the order does not exist, which is remembered.
    let first = warm(|| {
        engine.predict_with_fallback(group, Output::Value, row, &mut out).unwrap();
    });
    assert_eq!(first, 0, "the first that answers");
    assert_eq!(warm(|| drop(engine.loader().load(cross).unwrap())), 0, "the loader itself");
    let counted = warm(|| drop(std::hint::black_box(vec![1_u8])));
    assert_eq!(counted, 1, "the counter counts");
}

/// What is counted is what libmi asks for; the memory of ONNX Runtime is its own affair.
#[test]
fn warm_sequences_allocate_nothing() {
    let absent = common::runtime::is_absent();
    let path = common::fixtures().join("runs/sequences");
    let loader = mi::loader::Loader::open(&path, mi::loader::Options::default()).unwrap();
    let engine = Engine::new(Arc::new(loader), Options::default()).unwrap();
    let value = Output::Value;
    // The last one runs natively.
    for (view, family, width) in
        [("CROSS_SECTIONAL", "lstm", 6), ("SEQUENTIAL", "lstm", 5), ("SEQUENTIAL", "tab_lstm", 5)]
    {
        if absent && family == "lstm" {
            continue;
        }
        let name = Name::new("fwd_ret_5m", family).view(view);
        let wide: Vec<f64> = (1..=width).map(f64::from).collect();
        let row: Vec<f32> = vec![1.5; wide.len()];
        let symbols = ["A", "B", "C"];
        for symbol in symbols {
            let history: Vec<f32> = row.repeat(20);
            engine.warm_up(name.symbol(symbol), Rows::new(&history, 20, row.len()).unwrap(), None).unwrap();
        }
        let mut out = [0.0; 3];
        let one = name.symbol("A");
        assert_eq!(warm(|| engine.predict(one, value, &row, &mut out[..1]).unwrap()), 0, "a row");
        assert_eq!(warm(|| engine.predict(one, value, &wide, &mut out[..1]).unwrap()), 0, "a row of doubles");
        assert_eq!(warm(|| engine.predict_window(one, value, 0, &mut out[..1]).unwrap()), 0, "a window");
        let whole = row.repeat(12);
        let steps = engine.model(name).unwrap().sequence_length();
        let sequence = Rows::new(&whole[..steps * row.len()], 1, steps * row.len()).unwrap();
        let explicit = warm(|| engine.predict_sequence(name, value, sequence, steps, &mut out[..1]).unwrap());
        assert_eq!(explicit, 0, "a whole sequence");
        let rows = row.repeat(3);
        let rows = Rows::new(&rows, 3, row.len()).unwrap();
        let mut failures = Vec::new();
        let many = warm(|| {
            engine
                .predict_symbols(name, &symbols, value, Bar { rows: Some(rows), time_ns: 0 }, &mut out, &mut failures)
                .unwrap();
        });
        assert_eq!((many, failures.len()), (0, 0), "many symbols");
    }
}

/// On every processor that this machine is, one row and all of them.
#[test]
fn warm_forests_allocate_nothing() {
    let mut kernels = BTreeSet::new();
    for case in ["catboost", "lightgbm", "xgboost"].iter().flat_map(|library| common::cases(library)) {
        if case.categories().is_some() || !case.json["input"].is_string() {
            continue;
        }
        let input = case.matrix(&case.json["input"]);
        for processor in Processor::ALL.into_iter().filter(|processor| processor.is_here()) {
            let options = ReadOptions { processor: Some(processor.name().to_owned()), ..case.options() };
            let model = mi::Model::open(&case.model(), &options).unwrap();
            let Some(compiled) = model.facts().get("compiled") else { continue };
            kernels.insert(compiled["kernel"].to_string());
            let columns = model.columns(Output::Raw).unwrap();
            let mut out = vec![0.0; input.rows * columns];
            for count in [1, input.rows] {
                let rows = Rows::new(&input.data[..count * input.columns], count, input.columns).unwrap();
                let asked = warm(|| model.predict(Output::Raw, rows, &mut out[..count * columns]).unwrap());
                assert_eq!(asked, 0, "{}: {count} rows, {compiled}", case.name());
            }
        }
    }
    assert!(kernels.len() > 3, "{kernels:?}");
}

#[test]
fn warm_categories_allocate_nothing() {
    let mut asked = 0;
    for case in
        ["catboost", "sklearn", "lightgbm", "xgboost", "pickled"].iter().flat_map(|library| common::cases(library))
    {
        let Some(categories) = case.categories() else { continue };
        let model = mi::Model::open(&case.model(), &case.options()).unwrap();
        let input = case.matrix(&case.json["input"]);
        let texts: Vec<Option<&str>> =
            (0..input.rows).flat_map(|row| categories.iter().map(move |(_, texts)| texts[row].as_deref())).collect();
        let texts = Text { texts: &texts, columns: categories.len() };
        let rows = Rows::new(&input.data, input.rows, input.columns).unwrap();
        for output in [Output::Value, Output::Raw, Output::Label, Output::Leaf] {
            let Ok(columns) = model.columns(output) else { continue };
            let mut out = vec![0.0; input.rows * columns];
            let count = warm(|| model.predict_categorical(output, rows, &texts, &mut out).unwrap());
            assert_eq!(count, 0, "{} {output:?}", case.name());
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
}

/// `prefetch` makes the working memory of its thread, of rows and of sequences alike: the first call after it finds all of it.
#[test]
fn the_first_call_after_prefetch_allocates_nothing() {
    let mut kinds = (0, 0);
    for (library, name) in [
        ("lightgbm", "regression"),
        ("catboost", "logloss"),
        ("torch", "pt2_lstm-2.15"),
        ("torch", "pt2_mlp-2.15"),
        ("sklearn", "pipeline_ridge"),
    ] {
        let cases = common::cases(library);
        let Some(case) = cases.iter().find(|case| case.folder.file_name().unwrap().to_string_lossy().starts_with(name))
        else {
            panic!("there is no fixture {library}/{name}");
        };
        let model = mi::Model::open(&case.model(), &case.options()).unwrap();
        let (steps, width) = (model.sequence_length(), model.feature_count());
        let mut out = vec![0.0; model.columns(Output::Value).unwrap()];
        let row = vec![0.5f32; width * steps.max(1)];
        let rows = Rows::new(&row, 1, row.len()).unwrap();
        let count = std::thread::scope(|scope| {
            let first = || {
                model.prefetch();
                allocations(|| match steps {
                    0 => model.predict(Output::Value, rows, &mut out).unwrap(),
                    _ => model.predict_sequence(Output::Value, rows, steps, &mut out).unwrap(),
                })
            };
            scope.spawn(first).join().unwrap()
        });
        assert_eq!(count, 0, "{}", case.name());
        if steps > 0 { kinds.1 += 1 } else { kinds.0 += 1 }
    }
    assert!(kinds.0 > 0 && kinds.1 > 0);
}
