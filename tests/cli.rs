//! The command `mi`, from the outside: CSV in, the numbers of the library that trained the model out, and errors that say where.

#[path = "common/command.rs"]
mod command;
mod common;

use command::{mi, sentence, stdout};
use common::{Case, npy::Matrix};
use mi::artifact::checksum::sha256;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

fn case(name: &str) -> Case {
    let (library, case) = name.split_once('/').unwrap();
    common::cases(library).into_iter().find(|found| found.folder.ends_with(case)).unwrap()
}

fn model(name: &str) -> String {
    case(name).model().to_str().unwrap().to_owned()
}

/// Rows of a case and one of its answers.
fn answers(case: &Case, kind: &str) -> (Matrix, Matrix) {
    let expect = case.json["expect"].as_array().unwrap();
    let expect = expect.iter().find(|expect| expect["output"] == kind && expect["input"] == "f64").unwrap();
    assert_eq!(expect["tolerance"]["ulp"], 0);
    (case.matrix(&case.json["input"]), case.matrix(&expect["file"]))
}

/// A CSV of these rows; NaN is an empty cell.
fn csv(names: &[String], rows: &Matrix) -> String {
    csv_with(names, rows, &[])
}

/// A CSV of rows with columns of text.
fn csv_with(names: &[String], rows: &Matrix, texts: &[(usize, Vec<Option<String>>)]) -> String {
    let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
    let mut text = names.iter().map(quoted).collect::<Vec<_>>().join(",");
    for (index, row) in rows.data.chunks_exact(rows.columns).enumerate() {
        let mut cells: Vec<String> =
            row.iter().map(|cell| if cell.is_nan() { "\"\"".to_owned() } else { format!("{cell:?}") }).collect();
        for (column, texts) in texts {
            // An empty cell is a category where the model knows the empty text.
            cells[*column] = texts[index].as_ref().map_or_else(|| "NaN".to_owned(), quoted);
        }
        write!(text, "\n{}", cells.join(",")).unwrap();
    }
    text + "\n"
}

/// The numbers of a CSV below its header.
fn numbers(text: &str) -> Vec<f64> {
    text.lines().skip(1).flat_map(|line| line.split(',')).map(|cell| cell.parse().unwrap()).collect()
}

fn column_names(case: &Case, columns: usize) -> Vec<String> {
    match case.json["feature_names"].as_array() {
        Some(names) => names.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        None => (0..columns).map(|column| format!("f{column}")).collect(),
    }
}

/// Asks for every output of a case; returns how many numbers were compared.
fn check(case: &Case) -> usize {
    let rows = case.matrix(&case.json["input"]);
    let texts = case.categories();
    let text = csv_with(&column_names(case, rows.columns), &rows, texts.as_deref().unwrap_or_default());
    let path = case.model();
    let options = case.options();
    let mut compared = 0;
    for expect in case.json["expect"].as_array().unwrap() {
        // Elsewhere the fixture allows a difference between mathematical libraries; the parity test measures it.
        if expect["tolerance"]["ulp"] != 0 {
            continue;
        }
        let kind = expect["output"].as_str().unwrap();
        let mut arguments = vec!["predict", path.to_str().unwrap(), "--input", "-", "--as", kind];
        if expect["input"] == "f32" {
            arguments.push("--float32");
        }
        // Rows of categories that are given by their codes.
        if texts.is_none() {
            arguments.push("--codes");
        }
        let range = format!("{}:{}", options.iteration_begin, options.iteration_end);
        if options.iteration_end > 0 {
            arguments.extend(["--iterations", range.as_str()]);
        }
        let output = mi(arguments, &text);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {kind}: {errors}", case.name());
        let found = numbers(stdout(&output));
        let expected = case.matrix(&expect["file"]);
        assert_eq!(found.len(), expected.data.len(), "{} {kind}", case.name());
        for (at, (found, library)) in found.iter().zip(&expected.data).enumerate() {
            let same = found.to_bits() == library.to_bits() || found.is_nan() && library.is_nan();
            let (row, column) = (at / expected.columns, at % expected.columns);
            assert!(same, "{} {kind} row {row} column {column}: {found:?}, not {library:?}", case.name());
        }
        compared += found.len();
    }
    compared
}

fn check_all(library: &str, at_least: usize) {
    let cases = common::cases(library);
    let compared: usize = cases.iter().filter(|case| !case.json["refuse"].is_object()).map(check).sum();
    assert!(compared >= at_least, "only {compared} numbers were compared, {at_least} were expected");
}

#[test]
fn lightgbm_from_csv() {
    check_all("lightgbm", 50_000);
}

#[test]
fn xgboost_from_csv() {
    check_all("xgboost", 50_000);
}

#[test]
fn text_from_csv() {
    let compared: usize =
        common::cases_of("sklearn", &["text_hist_names", "text_hist_dtype", "text_one_hot_mixed", "text_ordinal_rare"])
            .iter()
            .map(check)
            .sum();
    assert!(compared > 300, "{compared}");
    let case = case("sklearn/text_frame_forest-1.9");
    let path = case.model();
    let row = |cells: &str| format!("ret_1d,sector,vol_20d,note,side,bucket\n{cells}\n");
    let answer = |text: &str| {
        let output = mi(["predict", path.to_str().unwrap(), "-i", "-", "--as", "label"], text);
        stdout(&output).to_owned()
    };
    let known = answer(&row("0.5,bank,0.2,anything,long,10"));
    assert!(known == "label\nup\n" || known == "label\ndn\n", "{known}");
    // A column that nobody looks at may be missing; so may the cells of the others.
    assert_eq!(answer("bucket,side,vol_20d,ret_1d,sector\n10,long,0.2,0.5,bank\n"), known);
    for cells in ["0.5,never seen,0.2,,flat,10", ",,,,,", "0.5,NA,0.2,x,nan,10"] {
        assert!(answer(&row(cells)).starts_with("label\n"), "{cells}");
    }
    let output = mi(["predict", path.to_str().unwrap(), "-i", "-"], &row("half,bank,0.2,x,long,10"));
    assert!(sentence(&output).contains("line 2, column 1 ('ret_1d'): 'half' is not a number"), "{output:?}");
}

#[test]
fn text_that_a_model_does_not_know() {
    let strict = model("sklearn/text_one_hot_array-1.9");
    let output = mi(["predict", &strict, "-i", "-"], "a,b\nbank,long\nbank,flat\n");
    assert!(sentence(&output).contains("line 3, column 2 ('b'): 'flat' is a category that the model does not know"));
    let output = mi(["predict", &strict, "-i", "-"], "a,b\n\"\",long\nbank,\n");
    assert!(sentence(&output).contains("line 3, column 2 ('b'): the text is missing"));
    let boosted = model("lightgbm/text_pandas");
    let row = |sector: &str| format!("sector,ret_5m,grade,vol_5m,bucket,rsi_14\n{sector},0.1,0.5,0.1,30,50\n");
    let output = mi(["predict", &boosted, "-i", "-"], &row("3"));
    assert!(sentence(&output).contains("column 1 ('sector'): '3' is not one of the model's categories; add --codes"));
    let by_code = mi(["predict", &boosted, "-i", "-", "--codes"], &row("3").replace(",0.5,0.1,30,", ",1,0.1,4,"));
    assert_eq!(stdout(&by_code), stdout(&mi(["predict", &boosted, "-i", "-"], &row("banks"))));
}

#[test]
fn columns_in_any_order() {
    let case = case("lightgbm/wide");
    let (rows, raw) = answers(&case, "raw");
    let names = column_names(&case, rows.columns);
    let order: Vec<usize> = (0..rows.columns).rev().collect();
    let mut text = "id".to_owned();
    for &column in &order {
        write!(text, ",{}", names[column]).unwrap();
    }
    for row in 0..rows.rows {
        write!(text, "\n\"r,{row}\"").unwrap();
        for &column in &order {
            write!(text, ",{:?}", rows.data[row * rows.columns + column]).unwrap();
        }
    }
    let arguments = ["--as", "raw", "--id-column", "id", "--keep", &names[3]];
    let output = mi(["predict", &model("lightgbm/wide"), "-i", "-"].into_iter().chain(arguments), &text);
    let mut lines = stdout(&output).lines();
    assert_eq!(lines.next().unwrap(), format!("id,{},raw", names[3]));
    for (row, line) in lines.by_ref().take(rows.rows).enumerate() {
        let rest = line.strip_prefix(&format!("\"r,{row}\",")).unwrap();
        let cells: Vec<f64> = rest.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN)).collect();
        let kept = rows.data[row * rows.columns + 3];
        assert!(cells[0].to_bits() == kept.to_bits() || kept.is_nan());
        assert_eq!(cells[1].to_bits(), raw.data[row].to_bits(), "row {row}");
    }
    assert_eq!(lines.next(), None);
    // Columns that nobody names are left out, also where they stand between the features.
    let output = mi(["predict", &model("lightgbm/wide"), "-i", "-", "--as", "raw"], &text);
    assert_eq!(numbers(stdout(&output)), raw.data);
}

#[test]
fn every_spelling_of_a_missing_value() {
    let case = case("lightgbm/regression");
    let (rows, _) = answers(&case, "raw");
    let mut text = (0..rows.columns).map(|column| format!("x{column}")).collect::<Vec<_>>().join(",");
    let words = ["", "nan", "NaN", "NA", "null", " "];
    for word in words {
        let cells: Vec<String> = rows.data[1..rows.columns].iter().map(|cell| format!("{cell:?}")).collect();
        write!(text, "\r\n{word},{}", cells.join(",")).unwrap();
    }
    let model = mi::Model::open(&case.model(), &case.options()).unwrap();
    let mut row = rows.data[..rows.columns].to_vec();
    row[0] = f64::NAN;
    let mut expected = [0.0];
    let matrix = mi::exec::Rows::new(&row, 1, row.len()).unwrap();
    model.predict(mi::ir::Output::Raw, matrix, &mut expected).unwrap();
    let output = mi(["predict", case.model().to_str().unwrap(), "-i", "-", "--as", "raw"], &text);
    assert_eq!(numbers(stdout(&output)), vec![expected[0]; words.len()]);
}

#[test]
fn a_header_that_does_not_fit() {
    let wide = case("lightgbm/wide");
    let names = column_names(&wide, 0);
    let predict = |header: &str| sentence(&mi(["predict", wide.model().to_str().unwrap(), "-i", "-"], header));
    let mut some = names.clone();
    let (first, second) = (some.remove(7), some.remove(9));
    let lacking = predict(&some.join(","));
    assert!(lacking.contains(&format!("lacks 2 of the model's {} features", names.len())), "{lacking}");
    assert!(lacking.contains(&first) && lacking.contains(&second), "{lacking}");
    let foreign = predict("a,b,c\n1,2,3\n");
    assert!(foreign.contains("line 1: the header names none") && foreign.contains("has 3 columns"), "{foreign}");
    let twice = predict(&format!("{},{}", names.join(","), names[0]));
    assert!(twice.contains("twice, in columns 1 and "), "{twice}");
    let headless = predict(&vec!["1.5"; names.len()].join(","));
    assert!(headless.contains("--no-header"), "{headless}");
    assert!(predict("").contains("is empty"));
}

#[test]
fn a_row_that_does_not_fit() {
    let model = model("lightgbm/larger");
    for (text, expected) in [
        ("a,b,c,d,e\n1,2,3,4,5\n\n1,2,3,4\n", "line 4 has 4 columns, the header has 5"),
        ("a,b,c,d,e\r\n1,2,3,4,5\r\n1,2,3,4,5,6\r\n", "line 3 has 6 columns"),
        ("a,b,c,d,e\n1,2,3,4,5\n1,2,x7,4,5\n", "line 3, column 3 ('c'): 'x7' is not a number"),
        ("a,b,c,d,e\n\"1\",2,3,4,\"5,5\"\n", "line 2, column 5 ('e'): '5,5' is not a number"),
        ("a,b,c,d,e\n1,1e999,3,4,5\n", "line 2, column 2 ('b'): '1e999' is beyond the range"),
    ] {
        let found = sentence(&mi(["predict", &model, "--input", "-"], text));
        assert!(found.starts_with("the standard input: ") && found.contains(expected), "{found}");
    }
    let headless = |text: &str| mi(["predict", &model, "--input", "-", "--no-header", "--id-column", "1"], text);
    assert!(sentence(&headless("r,1,2,3,4,5\nr,1,2,3,4\n")).contains("line 2 has 5 columns, the first line has 6"));
    assert!(sentence(&headless("r,1,2,3,4,5\nr,1,2,3,-,5\n")).contains("line 2, column 5: '-' is not a number"));
    assert_eq!(stdout(&headless("r,1,2,3,4,5\n")).lines().count(), 1);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nothing.txt");
    let missing = missing.to_str().unwrap();
    let found = sentence(&mi(["inspect", missing], ""));
    assert!(found.contains(missing) && found.contains("No such file"), "{found}");
    let bytes = std::fs::read(model("lightgbm/larger")).unwrap();
    for kept in [0, 100, bytes.len() / 2] {
        let path = folder.path().join("cut.txt");
        std::fs::write(&path, &bytes[..kept]).unwrap();
        let found = sentence(&mi(["predict", path.to_str().unwrap(), "-i", "-"], "a\n1\n"));
        assert!(found.contains("cut.txt: "), "{found}");
    }
    let found = sentence(&mi(["predict", &model("lightgbm/larger"), "-i", missing], ""));
    assert!(found.contains(missing), "{found}");
    let found = sentence(&mi(["predict", &model("lightgbm/larger"), "-i", "-", "--as", "probability"], "a\n"));
    assert!(found.contains("no probabilities"), "{found}");
}

#[test]
fn a_file_of_predictions_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let predict =
        |text: &str| mi(["predict", &model("lightgbm/larger"), "-i", "-", "-o", path.to_str().unwrap()], text);
    sentence(&predict("a,b,c,d,e\n1,2,3,4,5\n1,2,3,4,x\n"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(stdout(&predict("a,b,c,d,e\n1,2,3,4,5\n")), "");
    let whole = std::fs::read_to_string(&path).unwrap();
    assert_eq!(whole.lines().count(), 2);
    sentence(&predict("a,b,c,d,e\n1,2\n"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn many_blocks_are_one_table() {
    let case = case("lightgbm/larger");
    let (rows, raw) = answers(&case, "raw");
    let times = 20_000 / rows.rows + 1;
    let mut many = Matrix { rows: rows.rows * times, columns: rows.columns, data: Vec::new() };
    let mut expected = Vec::new();
    for _ in 0..times {
        many.data.extend_from_slice(&rows.data);
        expected.extend_from_slice(&raw.data);
    }
    let text = csv(&column_names(&case, rows.columns), &many);
    let output = mi(["predict", case.model().to_str().unwrap(), "-i", "-", "--as", "raw"], &text);
    assert!(numbers(stdout(&output)) == expected);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let case = case("lightgbm/larger");
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("rows.csv");
    std::fs::write(&input, "a,b,c,d,e\n".to_owned() + &"1,2,3,4,5\n".repeat(200_000)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mi"))
        .args(["predict", case.model().to_str().unwrap(), "--as", "leaf", "-i", input.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"leaf_0");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn inspect_a_file() {
    let path = model("lightgbm/multiclass");
    let bytes = std::fs::read(&path).unwrap();
    let json: Value = serde_json::from_str(stdout(&mi(["inspect", &path, "--json"], ""))).unwrap();
    assert_eq!(json["library"], "lightgbm");
    assert_eq!(json["outputs"]["probability"], 3);
    assert_eq!(json["file"]["bytes"], bytes.len());
    assert_eq!(json["file"]["sha256"], sha256(&bytes));
    let output = mi(["inspect", &path], "");
    let text = stdout(&output);
    let gain = case("lightgbm/multiclass").matrix(&json!("importance_gain.npy")).data;
    let best = (0..gain.len()).max_by(|&a, &b| gain[a].total_cmp(&gain[b])).unwrap();
    let first = text.lines().skip_while(|line| !line.starts_with('─')).nth(1).unwrap();
    let cells: Vec<&str> = first.split_whitespace().collect();
    assert_eq!(cells[..3], [best.to_string(), format!("Column_{best}"), format!("{:.4}", gain[best])], "{text}");
    let leaves = format!("leaf ({} columns)", answers(&case("lightgbm/multiclass"), "leaf").1.columns);
    for word in [sha256(&bytes).as_str(), "multiclass num_class:3", &leaves] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn names_cannot_command_a_terminal() {
    let text = std::fs::read_to_string(model("lightgbm/larger")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.txt");
    std::fs::write(&path, text.replace("Column_0", "\x1b[31mColumn_0")).unwrap();
    let output = mi(["inspect", path.to_str().unwrap()], "");
    let text = stdout(&output);
    assert!(text.contains("Column_0") && !text.contains('\x1b'), "{text}");
}

/// A run with a sound model, one whose checksum is wrong, and one for each of two symbols.
fn run() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let add = |below: &str, case: &str, sum: Option<&str>| {
        let family = folder.path().join("targets/fwd_ret_5m/models").join(below);
        std::fs::create_dir_all(&family).unwrap();
        let bytes = std::fs::read(model(case)).unwrap();
        std::fs::write(family.join("model.txt"), &bytes).unwrap();
        let metadata = json!({"model_checksum": sum.map_or_else(|| sha256(&bytes), str::to_owned)});
        std::fs::write(family.join("model_meta.json"), metadata.to_string()).unwrap();
    };
    add("view=CROSS_SECTIONAL/family=lightgbm", "lightgbm/larger", None);
    add("view=CROSS_SECTIONAL/family=quantile_lightgbm", "lightgbm/quantile", Some(&"0".repeat(64)));
    add("view=SYMBOL_SPECIFIC/symbol=AAPL/family=lightgbm", "lightgbm/regression", None);
    add("view=SYMBOL_SPECIFIC/symbol=MSFT/family=lightgbm", "lightgbm/regression", None);
    folder
}

#[test]
fn inspect_how_a_forest_is_compiled() {
    let output = mi(["inspect", &model("lightgbm/regression"), "--compiled"], "");
    for word in ["processor", "codes", "kernel", "bytes"] {
        assert!(stdout(&output).contains(word), "{word}: {}", stdout(&output));
    }
    let linear = mi(["inspect", &model("xgboost/gblinear"), "--compiled"], "");
    assert!(sentence(&linear).contains("no forest"));
}

#[test]
fn inspect_a_run() {
    let run = run();
    let path = run.path().to_str().unwrap();
    let output = mi(["inspect", path], "");
    assert!(sentence(&output).contains("1 of 4 models do not load"));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |word: &str| text.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{text}"));
    assert!(line(" quantile_lightgbm ").contains("SHA-256"), "{text}");
    assert!(line("AAPL").ends_with("ok") && line("AAPL").contains("SYMBOL_SPECIFIC"), "{text}");
    let output = mi(["inspect", path, "--json"], "");
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let statuses: Vec<&str> =
        json["models"].as_array().unwrap().iter().map(|m| m["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["MI_OK", "MI_CHECKSUM_MISMATCH", "MI_OK", "MI_OK"]);
    assert_eq!(json["models"][3]["symbol"], "MSFT");
    let text = std::fs::read_to_string(model("lightgbm/larger")).unwrap();
    assert_eq!(json["models"][0]["model"]["trees"], text.matches("\nTree=").count());
    assert!(stdout(&mi(["inspect", path, "--view", "SYMBOL_SPECIFIC"], "")).contains("MSFT"));
    assert!(sentence(&mi(["inspect", path, "--family", "ridge"], "")).contains("no model of this run matches"));
}

#[test]
fn predict_from_a_run() {
    let run = run();
    let path = run.path().to_str().unwrap();
    let case = case("lightgbm/regression");
    let (rows, raw) = answers(&case, "raw");
    let text = csv(&column_names(&case, rows.columns), &rows);
    let predict = |more: &[&str]| mi([&["predict", path, "-i", "-", "--as", "raw"], more].concat(), &text);
    assert_eq!(numbers(stdout(&predict(&["--symbol", "AAPL"]))), raw.data);
    let full = ["--target", "fwd_ret_5m", "--family", "LightGBM", "--view", "SYMBOL_SPECIFIC", "--symbol", "MSFT"];
    assert_eq!(numbers(stdout(&predict(&full))), raw.data);
    let several = sentence(&predict(&["--view", "SYMBOL_SPECIFIC"]));
    assert!(several.contains("2 models") && several.contains("AAPL") && several.contains("--symbol"), "{several}");
    assert!(sentence(&predict(&["--symbol", "TSLA"])).contains("no model of this run matches"));
    assert!(sentence(&predict(&["--family", "quantile_lightgbm"])).contains("SHA-256"));
    assert_eq!(predict(&["--symbol", "AAPL", "--iterations", "0:3"]).status.code(), Some(2));
}

/// A run as the training side writes it: every model of it, and the numbers that its library gave.
#[test]
fn predict_every_model_of_a_run() {
    let run = common::fixtures().join("runs/market");
    let json: Value = serde_json::from_slice(&std::fs::read(run.join("expected.json")).unwrap()).unwrap();
    let rows = common::npy::read(&run.join(json["rows"].as_str().unwrap()));
    let names: Vec<String> = (0..rows.columns).map(|column| format!("x{column}")).collect();
    let text = csv(&names, &rows);
    let models = json["models"].as_array().unwrap();
    assert!(models.len() >= 10);
    for model in models {
        let mut arguments = vec!["predict", run.to_str().unwrap(), "-i", "-"];
        for option in ["--target", "--family", "--view", "--symbol"] {
            if let Some(value) = model[option.trim_start_matches('-')].as_str() {
                arguments.extend([option, value]);
            }
        }
        let output = mi(arguments, &text);
        let expected = common::npy::read(&run.join(model["file"].as_str().unwrap()));
        assert!(numbers(stdout(&output)) == expected.data, "{model}");
        // The models have names, and the CSV has others: that is said.
        let note = String::from_utf8_lossy(&output.stderr);
        assert!(note.starts_with("mi: note: ") && note.contains("taken in their order"), "{note}");
    }
    assert!(stdout(&mi(["inspect", run.to_str().unwrap()], "")).contains("fwd_ret_15m"));
}

/// Runs every `$ ` line of the examples in docs/cli.md and puts what it prints below it.
fn run_examples(page: &str, folder: &Path) -> String {
    let market = std::fs::canonicalize(common::fixtures().join("runs/market")).unwrap();
    let search = format!("{}:{}", Path::new(env!("CARGO_BIN_EXE_mi")).parent().unwrap().display(), env!("PATH"));
    let mut fresh = String::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        }
        if !inside || line == "```console" {
            writeln!(fresh, "{line}").unwrap();
        } else if let Some(command) = line.strip_prefix("$ ") {
            let script = format!("({command}) 2>&1");
            let output =
                Command::new("sh").args(["-c", &script]).current_dir(folder).env("PATH", &search).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap().replace(market.to_str().unwrap(), "/data/run");
            write!(fresh, "{line}\n{text}").unwrap();
        }
    }
    fresh
}

#[test]
#[cfg(unix)]
fn the_examples_of_the_documentation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(common::fixtures().join("runs/market"), folder.path().join("run")).unwrap();
    std::os::unix::fs::symlink(root.join("docs/rows.csv"), folder.path().join("rows.csv")).unwrap();
    let page = std::fs::read_to_string(root.join("docs/cli.md")).unwrap();
    let fresh = run_examples(&page, folder.path());
    if std::env::var_os("MI_UPDATE").is_some() {
        std::fs::write(root.join("docs/cli.md"), &fresh).unwrap();
        return;
    }
    // How long a file took to load is never the same twice.
    let steady = |page: &str| {
        page.lines().filter(|line| !line.starts_with(" loaded in ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let hint = "docs/cli.md shows other output than mi prints; run MI_UPDATE=1 cargo test --test cli";
    for (shown, printed) in steady(&page).iter().zip(steady(&fresh)) {
        assert!(*shown == printed, "{hint}\nshown:   {shown}\nprinted: {printed}");
    }
    assert!(steady(&page).len() == steady(&fresh).len() && page.matches("\n$ mi ").count() > 5, "{hint}");
}

#[test]
fn usage() {
    assert!(stdout(&mi(["--version"], "")).starts_with(concat!("mi ", env!("CARGO_PKG_VERSION"))));
    for arguments in [&["--help"][..], &["predict", "--help"], &["inspect", "--help"]] {
        assert!(stdout(&mi(arguments, "")).contains("Usage: mi"));
    }
    let model = model("lightgbm/larger");
    for wrong in [
        &[][..],
        &["frobnicate"],
        &["predict", &model],
        &["predict", &model, "-i", "-", "--as", "everything"],
        &["predict", &model, "-i", "-", "--iterations", "7:7"],
        &["predict", &model, "-i", "-", "--target", "x"],
        &["inspect", &model, "--symbol", "x"],
    ] {
        let output = mi(wrong, "");
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(
            output.stdout.is_empty() && String::from_utf8_lossy(&output.stderr).contains("Usage: mi")
                || wrong.len() > 4
        );
    }
}
