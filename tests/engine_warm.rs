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
use std::path::Path;
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

/// Full trees of so many levels over five columns, in a file of XGBoost; `symmetric` ones ask the same on each level. Files of the libraries
/// that have so many nodes would be large, and no number is compared with these.
fn full_trees(levels: u32, symmetric: bool) -> String {
    const COLUMNS: usize = 5;
    let (count, first_leaf) = ((2 << levels) - 1, (1 << levels) - 1);
    let tree = |tree: usize| {
        let of_nodes =
            |number: &dyn Fn(usize) -> String| format!("[{}]", (0..count).map(number).collect::<Vec<_>>().join(","));
        let asked = |node: usize| if symmetric { (node + 1).ilog2() as usize } else { node };
        let child = |side: usize| {
            of_nodes(&|node| if node < first_leaf { (2 * node + side).to_string() } else { "-1".to_owned() })
        };
        format!(
            r#"{{"left_children":{},"right_children":{},"split_indices":{},"split_conditions":{},"default_left":{}}}"#,
            child(1),
            child(2),
            of_nodes(&|node| ((asked(node) + tree) % COLUMNS).to_string()),
            of_nodes(&|node| format!("{}.25", asked(node) * 7 % 13)),
            of_nodes(&|_| "0".to_owned()),
        )
    };
    let trees: Vec<String> = (0..40).map(tree).collect();
    format!(
        r#"{{"version":[3,2,0],"learner":{{"learner_model_param":{{"base_score":"0","num_class":"0","num_feature":"{COLUMNS}"}},
        "objective":{{"name":"reg:squarederror"}},"gradient_booster":{{"name":"gbtree","model":{{
        "gbtree_model_param":{{"num_trees":"40","num_parallel_tree":"1"}},"tree_info":{:?},"trees":[{}]}}}}}}}}"#,
        [0; 40],
        trees.join(",")
    )
}

/// On every processor that this machine is, one row and all of them; returns the kernels.
fn warm_forest(file: &Path, options: &ReadOptions, rows: Rows<'_, f64>) -> BTreeSet<String> {
    let mut kernels = BTreeSet::new();
    for processor in Processor::ALL.into_iter().filter(|processor| processor.is_here()) {
        let options = ReadOptions { processor: Some(processor.name().to_owned()), ..options.clone() };
        let model = mi::Model::open(file, &options).unwrap();
        let Some(compiled) = model.facts().get("compiled") else { continue };
        kernels.extend(compiled["kernel"].as_str().map(str::to_owned));
        let columns = model.columns(Output::Raw).unwrap();
        let mut out = vec![0.0; rows.count() * columns];
        for count in [1, rows.count()] {
            let rows = rows.range(0, count);
            let asked = warm(|| model.predict(Output::Raw, rows, &mut out[..count * columns]).unwrap());
            assert_eq!(asked, 0, "{}: {count} rows, {compiled}", file.display());
        }
    }
    kernels
}

#[test]
fn warm_forests_allocate_nothing() {
    let mut kernels = BTreeSet::new();
    for case in ["catboost", "lightgbm", "xgboost"].iter().flat_map(|library| common::cases(library)) {
        if case.categories().is_some() || !case.json["input"].is_string() {
            continue;
        }
        let input = case.matrix(&case.json["input"]);
        let rows = Rows::new(&input.data, input.rows, input.columns).unwrap();
        kernels.append(&mut warm_forest(&case.model(), &case.options(), rows));
    }
    let folder = tempfile::tempdir().unwrap();
    for (levels, symmetric) in [(6, true), (7, false)] {
        let file = folder.path().join(format!("{levels}.json"));
        std::fs::write(&file, full_trees(levels, symmetric)).unwrap();
        let numbers: Vec<f64> = (0..500).map(|number| f64::from(number % 17)).collect();
        let rows = Rows::new(&numbers, 100, 5).unwrap();
        kernels.append(&mut warm_forest(&file, &ReadOptions::default(), rows));
    }
    for kernel in ["heap", "interleaved", "levels", "sieve"] {
        assert!(kernels.contains(kernel), "{kernel} is not among {kernels:?}");
    }
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
