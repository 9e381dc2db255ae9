//! Every fixture, every output, both entry points: the numbers of the library that trained the model.
//!
//! Forests are equal bit for bit; where a fixture allows a tolerance it says by how much, in units of the library's own type.

mod common;

use common::{Case, npy::Matrix, subjects};
use mi::exec::{Number, Processor, Rows, Text};
use mi::formats::ReadOptions;
use mi::ir::Output;
use mi::{Model, Status};
use serde_json::Value;

/// How far a number may be from the library's.
#[derive(Clone, Copy, Debug)]
enum Tolerance {
    Ulp { count: u64, single: bool },
    Near { relative: f64, absolute: f64 },
}

impl Tolerance {
    fn of(json: &Value) -> Self {
        match json["ulp"].as_u64() {
            Some(count) => Tolerance::Ulp { count, single: json["type"] == "f32" },
            None => Tolerance::Near {
                relative: json["relative"].as_f64().expect("ulp or relative"),
                absolute: json["absolute"].as_f64().unwrap_or(0.0),
            },
        }
    }

    #[allow(clippy::cast_possible_truncation)]
    fn holds(self, found: f64, expected: f64) -> bool {
        if found.is_nan() || expected.is_nan() {
            return found.is_nan() && expected.is_nan();
        }
        match self {
            Tolerance::Ulp { count: 0, .. } => found.to_bits() == expected.to_bits(),
            Tolerance::Ulp { count, single: false } => ordered(found).abs_diff(ordered(expected)) <= count,
            Tolerance::Ulp { count, single: true } => {
                let (found, expected) = (found as f32, expected as f32);
                ordered(f64::from(found)).abs_diff(ordered(f64::from(expected))) <= count << 29
            }
            Tolerance::Near { relative, absolute } => {
                found == expected || (found - expected).abs() <= absolute + relative * expected.abs()
            }
        }
    }
}

/// Doubles as integers in the same order, so that neighbours differ by one.
fn ordered(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { i64::MIN - bits } else { bits }
}

/// The rows of a case, and its categories where it has some.
struct Input {
    numbers: Matrix,
    /// Steps of a sequence, each of which is laid out as a row.
    steps: Option<usize>,
    categories: Option<(Vec<Option<String>>, usize)>,
}

impl Input {
    fn of(case: &Case) -> Self {
        let numbers = case.matrix(&case.json["input"]);
        let categories = case.categories().map(|columns| {
            let rows = columns[0].1.len();
            let texts = (0..rows).flat_map(|row| columns.iter().map(move |(_, texts)| texts[row].clone())).collect();
            (texts, columns.len())
        });
        let steps = case.json["sequence"].as_u64().map(|steps| usize::try_from(steps).unwrap());
        Self { numbers, steps, categories }
    }

    fn ask<T: Number>(&self, model: &Model, output: Output, data: &[T], out: &mut [f64]) -> mi::Result<()> {
        let rows = Rows::new(data, self.numbers.rows, self.numbers.columns)?;
        if let Some(steps) = self.steps {
            #[allow(clippy::cast_possible_truncation)]
            let single: Vec<f32> = data.iter().map(|value| value.widen() as f32).collect();
            return model.predict_sequence(output, Rows::new(&single, rows.count(), rows.columns())?, steps, out);
        }
        match &self.categories {
            None => model.predict(output, rows, out),
            Some((texts, columns)) => {
                let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
                model.predict_categorical(output, rows, &Text { texts: &texts, columns: *columns }, out)
            }
        }
    }

    fn predict(&self, model: &Model, output: Output, kind: &str) -> mi::Result<Vec<f64>> {
        let data = &self.numbers.data;
        let mut out = vec![f64::from_bits(0x7ff8_dead_0000_0000); self.numbers.rows * model.columns(output)?];
        match kind {
            "f64" => self.ask(model, output, data, &mut out)?,
            "f32" => {
                #[allow(clippy::cast_possible_truncation)]
                let single: Vec<f32> = data.iter().map(|&value| value as f32).collect();
                self.ask(model, output, &single, &mut out)?;
            }
            _ => panic!("input {kind}"),
        }
        Ok(out)
    }
}

/// The model of a case, behind the files that belong to it.
fn open(case: &Case, options: &ReadOptions) -> mi::Result<Model> {
    let Some(files) = case.json["sidecars"].as_array() else { return Model::open(&case.model(), options) };
    let steps: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|file| file.as_str().expect("a file name").to_owned())
        .map(|file| (file.clone(), std::fs::read(case.folder.join(&file)).unwrap()))
        .collect();
    Model::with_steps(&std::fs::read(case.model()).unwrap(), &steps, options)
}

/// The processors that a case is predicted on: the best one by default, then the others by name.
fn processors() -> Vec<Option<String>> {
    let others = Processor::ALL.into_iter().filter(|kind| kind.is_here() && *kind != Processor::here());
    std::iter::once(None).chain(others.map(|kind| Some(kind.name().to_owned()))).collect()
}

/// Compares one expectation; returns how many numbers were compared and what was wrong.
fn compare(case: &Case, model: &Model, input: &Input, expect: &Value) -> (usize, Vec<String>) {
    let (output, kind) = (expect["output"].as_str().unwrap(), expect["input"].as_str().unwrap());
    let expected = case.matrix(&expect["file"]);
    let mut tolerance = Tolerance::of(&expect["tolerance"]);
    if matches!(tolerance, Tolerance::Near { .. }) && case.json["library"] == "catboost" {
        // The library's exponential function is repeated step by step; what is left is the platform's own.
        tolerance = Tolerance::Ulp { count: 1, single: false };
    }
    let place = format!("{} {output} {kind}", case.name());
    let found = match input.predict(model, output.parse().unwrap(), kind) {
        Ok(found) => found,
        Err(error) => return (0, vec![format!("{place}: {error}")]),
    };
    if found.len() != expected.data.len() {
        return (0, vec![format!("{place}: {} numbers, the library gave {}", found.len(), expected.data.len())]);
    }
    let wrong: Vec<usize> = (0..found.len()).filter(|&at| !tolerance.holds(found[at], expected.data[at])).collect();
    let report = wrong.first().map(|&at| {
        let (row, column) = (at / expected.columns, at % expected.columns);
        format!(
            "{place}: {} of {} differ; row {row} column {column}: {:e}, the library says {:e} ({tolerance:?})",
            wrong.len(),
            found.len(),
            found[at],
            expected.data[at]
        )
    });
    (found.len(), report.into_iter().collect())
}

fn check_refusal(case: &Case, refuse: &Value) -> Vec<String> {
    let status = refuse["status"].as_str().unwrap();
    match Model::open(&case.model(), &case.options()) {
        Ok(_) => vec![format!("{}: was read, {status} was expected", case.name())],
        Err(error) => {
            let contains = refuse["contains"].as_str().unwrap_or("");
            let right = error.status().c_name().to_str() == Ok(status) && error.message().contains(contains);
            if right { vec![] } else { vec![format!("{}: {:?} {error}", case.name(), error.status())] }
        }
    }
}

fn check_facts(case: &Case, model: &Model) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(names) = case.json["feature_names"].as_array() {
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        let found: Vec<&str> = model.feature_names().unwrap_or_default().iter().map(String::as_str).collect();
        if names != found {
            wrong.push(format!("{}: feature names {found:?}, the library says {names:?}", case.name()));
        }
    }
    // LightGBM's own files do not hold them.
    if let Some(classes) = case.json["classes"].as_array().filter(|_| case.json["library"] != "lightgbm") {
        // Numbers may be written as floats or as booleans.
        let plain = |label: &Value| match label {
            Value::Bool(yes) => f64::from(u8::from(*yes)).into(),
            Value::Number(number) => number.as_f64().into(),
            other => other.clone(),
        };
        let plain = |labels: &[Value]| labels.iter().map(plain).collect::<Vec<Value>>();
        let found = model.facts().get("classes").and_then(Value::as_array).cloned().unwrap_or_default();
        if plain(classes) != plain(&found) {
            wrong.push(format!("{}: classes {found:?}, the library says {classes:?}", case.name()));
        }
    }
    let importance = model.importance();
    // CatBoost adds up the changes of the columns of its own order, and takes percents of them before and after.
    let near = |a: f64, b: f64| case.json["library"] == "catboost" && (a - b).abs() <= 1e-12 * 100.0;
    for (kind, found) in
        [("split", &importance.split), ("gain", &importance.gain), ("coefficient", &importance.coefficient)]
    {
        let file = &case.json["importance"][kind];
        if file.is_string() {
            let expected = case.matrix(file).data;
            // scikit-learn 1.3 itself answers NaN for columns that had missing values.
            let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan() || near(*a, *b);
            let equal = found
                .as_ref()
                .is_some_and(|found| found.len() == expected.len() && found.iter().zip(&expected).all(same));
            if !equal {
                wrong.push(format!("{}: {kind} importance {found:?}, the library says {expected:?}", case.name()));
            }
        }
    }
    wrong
}

/// Checks every case of a library and prints how many numbers were compared.
fn check(library: &str, at_least: usize) {
    check_cases(library, &common::cases(library), at_least);
}

fn check_cases(library: &str, cases: &[Case], at_least: usize) {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for case in cases {
        if case.json["refuse"].is_object() {
            wrong.extend(check_refusal(case, &case.json["refuse"]));
            continue;
        }
        let input = Input::of(case);
        for processor in processors() {
            let best = processor.is_none();
            let model = match open(case, &ReadOptions { processor, ..case.options() }) {
                Ok(model) => model,
                Err(error) => {
                    wrong.push(format!("{}: {error}", case.name()));
                    continue;
                }
            };
            if best {
                wrong.extend(check_facts(case, &model));
            } else if model.facts().get("compiled").is_none() {
                break; // no forest, hence nothing that a processor changes
            }
            for expect in case.json["expect"].as_array().expect("expect is a list") {
                let (count, report) = compare(case, &model, &input, expect);
                compared += if best { count } else { 0 };
                wrong.extend(report);
            }
        }
    }
    println!("{library}: {compared} numbers of {} cases compared with the library's own", cases.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared >= at_least, "only {compared} numbers were compared, {at_least} were expected");
}

#[test]
fn lightgbm() {
    check("lightgbm", 100_000);
}

#[test]
fn xgboost() {
    check("xgboost", 100_000);
}

#[test]
fn catboost() {
    check("catboost", 50_000);
}

#[test]
fn sklearn_trees() {
    check_cases("sklearn trees", &common::cases_of("sklearn", subjects::TREES), 50_000);
}

#[test]
fn sklearn_linear() {
    check_cases("sklearn linear", &common::cases_of("sklearn", subjects::LINEAR), 5_000);
}

#[test]
fn sklearn_kernels() {
    check_cases("sklearn kernels", &common::cases_of("sklearn", subjects::KERNELS), 1_000);
}

#[test]
fn sklearn_networks() {
    check_cases("sklearn networks", &common::cases_of("sklearn", subjects::NETWORKS), 1_000);
}

#[test]
fn sklearn_neighbors() {
    check_cases("sklearn neighbors", &common::cases_of("sklearn", subjects::NEIGHBORS), 500);
}

#[test]
fn sklearn_bayes() {
    check_cases("sklearn bayes", &common::cases_of("sklearn", subjects::BAYES), 500);
}

#[test]
fn sklearn_similarity() {
    check_cases("sklearn similarity", &common::cases_of("sklearn", subjects::SIMILARITY), 500);
}

#[test]
fn sklearn_versions() {
    check_cases("sklearn versions", &common::cases_of("sklearn", subjects::VERSIONS), 10_000);
}

#[test]
fn sklearn_unsupervised() {
    check_cases("sklearn unsupervised", &common::cases_of("sklearn", subjects::UNSUPERVISED), 500);
}

#[test]
fn sklearn_transformers() {
    check_cases("sklearn transformers", &common::cases_of("sklearn", subjects::TRANSFORMERS), 10_000);
}

#[test]
fn sklearn_text() {
    check_cases("sklearn text", &common::cases_of("sklearn", subjects::TEXT), 2_000);
}

#[test]
fn boosters_in_pickles() {
    check("pickled", 10_000);
}

#[test]
fn ngboost() {
    check("ngboost", 1_000);
}

#[test]
fn wrappers() {
    check("wrappers", 1_000);
}

#[test]
fn sklearn_meta() {
    check_cases("sklearn meta", &common::cases_of("sklearn", subjects::META), 1_000);
}

/// A model of quantiles answers with them as its distribution: one column for each, the numbers of `predict`.
#[test]
fn quantiles_are_a_distribution() {
    let mut compared = 0;
    for (library, name, quantiles) in [
        ("lightgbm", "quantile", &[0.85][..]),
        ("pickled", "lightgbm_quantile-4.7", &[0.9]),
        ("xgboost", "reg_quantileerror_three", &[0.1, 0.5, 0.9]),
        ("xgboost", "v3_4_quantile_crossing", &[0.45, 0.5, 0.55]),
        ("catboost", "quantile-1.2", &[0.3]),
        ("catboost", "multiquantile-1.2", &[0.1, 0.5, 0.9]),
        ("sklearn", "gradient_boosting_quantile-1.9", &[0.2]),
        ("sklearn", "gradient_boosting_quantile-0.19", &[0.2]),
        ("sklearn", "hist_quantile-1.9", &[0.8]),
        ("sklearn", "quantile_regressor-1.9", &[0.7]),
        ("wrappers", "quantile_lightgbm-1.9", &[0.5]),
    ] {
        let case = common::cases(library).into_iter().find(|case| case.folder.ends_with(name)).expect(name);
        let model = Model::open(&case.model(), &case.options()).unwrap();
        let found: Vec<f64> =
            model.facts()["quantiles"].as_array().expect(name).iter().filter_map(Value::as_f64).collect();
        assert_eq!(model.columns(Output::Distribution).unwrap(), quantiles.len(), "{name}");
        assert_eq!(found, quantiles, "{name}");
        let input = Input::of(&case);
        for expect in case.json["expect"].as_array().unwrap().iter().filter(|expect| expect["output"] == "value") {
            let mut expect = expect.clone();
            expect["output"] = "distribution".into();
            let (count, wrong) = compare(&case, &model, &input, &expect);
            assert!(wrong.is_empty(), "{wrong:?}");
            compared += count;
        }
    }
    assert!(compared > 1_000, "{compared}");
}

#[test]
fn torch() {
    check("torch", 20_000);
}

#[test]
fn keras() {
    check("keras", 2_000);
}

#[test]
fn onnx() {
    if common::runtime::is_absent() {
        return;
    }
    check("onnx", 5_000);
}

#[test]
fn refusals_name_the_format() {
    for (bytes, status, word) in [
        (&b""[..], Status::Malformed, "empty"),
        (b"hello", Status::Malformed, "hello"),
        (b"PK\x03\x04....", Status::Malformed, "zip"),
    ] {
        let error = Model::from_bytes(bytes, &ReadOptions::default()).unwrap_err();
        assert!(error.status() == status && error.message().contains(word), "{error}");
    }
}

#[test]
fn tolerances_measure() {
    let one = Tolerance::Ulp { count: 1, single: true };
    assert!(one.holds(f64::from(1.0f32.next_up()), 1.0) && !one.holds(f64::from(1.0f32.next_up().next_up()), 1.0));
    let exact = Tolerance::Ulp { count: 0, single: false };
    assert!(exact.holds(0.5, 0.5) && !exact.holds(0.0, -0.0) && !exact.holds(0.5f64.next_up(), 0.5));
    assert!(Tolerance::Ulp { count: 1, single: false }.holds(0.5f64.next_up(), 0.5));
}
