//! `mi inspect`: what a file, or every model of a run, is.

use crate::failure::{Failure, Result, printable};
use crate::source::Source;
use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, presets};
use mi::artifact::checksum::sha256;
use mi::loader::Entry;
use mi::{Error, Model, limits};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows of the table of features.
const TOP: usize = 10;
/// Characters of a fact that a table shows; longer ones are counted instead.
const SHORT: usize = 60;

/// Arguments of `mi inspect`.
#[derive(Debug, Args)]
#[command(after_help = "\
A run is listed model by model with the status of each, and the command fails when one of them does not load.")]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Print one JSON object: for a file everything known about the model and the file, for a run all of its models
    #[arg(long)]
    json: bool,
    /// Print how a forest is laid out for this processor, and why
    #[arg(long, conflicts_with = "json")]
    compiled: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.source.is_run() {
        return inspect_run(arguments);
    }
    let file = File::read(&arguments.source)?;
    if arguments.json {
        return print_json(&file.json());
    }
    if arguments.compiled {
        return print(&file.compiled()?);
    }
    print(&file.text())
}

/// A model file and what was measured on the way.
struct File {
    model: Model,
    path: String,
    bytes: usize,
    sha256: String,
    /// Reading and building, without the checksum.
    load: Duration,
}

impl File {
    fn read(source: &Source) -> Result<Self> {
        let start = Instant::now();
        let model = source.open_file(None)?;
        let load = start.elapsed();
        let bytes = mi::codec::file::read(&source.path, limits::FILE_BYTES)?;
        let sha256 = sha256(&bytes);
        Ok(Self { model, path: source.path.display().to_string(), bytes: bytes.len(), sha256, load })
    }

    fn json(&self) -> Value {
        let mut facts = self.model.facts().clone();
        let file = json!({
            "path": self.path,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "load_seconds": self.load.as_secs_f64(),
        });
        facts.insert("file".to_owned(), file);
        Value::Object(facts)
    }

    fn compiled(&self) -> Result<String> {
        let Some(Value::Object(compiled)) = self.model.facts().get("compiled") else {
            return Err(Failure::Error(Error::unsupported(format!("{}: the model is no forest", self.path))));
        };
        let mut table = plain();
        for (key, value) in compiled {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            table.add_row([key.replace('_', " "), printable(&text)]);
        }
        Ok(format!("{}\n", table.trim_fmt()))
    }

    fn text(&self) -> String {
        let mut table = plain();
        let mut row = |key: &str, value: &str| {
            table.add_row([key.to_owned(), printable(value)]);
        };
        row("file", &self.path);
        row("size", &format!("{} bytes", self.bytes));
        row("sha256", &self.sha256);
        row("loaded in", &format!("{:.3} ms", self.load.as_secs_f64() * 1e3));
        for (key, value) in self.model.facts() {
            if let Some(text) = fact(key, value) {
                row(&key.replace('_', " "), &text);
            }
        }
        for warning in warnings(self.model.facts()) {
            row("warning", warning);
        }
        match features(&self.model) {
            Some(features) => format!("{}\n\n{}\n", table.trim_fmt(), features.trim_fmt()),
            None => format!("{}\n", table.trim_fmt()),
        }
    }
}

/// A fact as one line; `None` for what the table shows elsewhere or not at all.
fn fact(key: &str, value: &Value) -> Option<String> {
    match (key, value) {
        ("warnings" | "feature_names" | "compiled", _) | (_, Value::Null) => None,
        ("sequence_length", value) if *value == json!(0) => None,
        ("outputs", Value::Object(outputs)) => Some(
            outputs
                .iter()
                .map(|(name, columns)| {
                    format!("{name} ({columns} {})", if *columns == json!(1) { "column" } else { "columns" })
                })
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("iterations", value) => Some(iterations(value).unwrap_or_else(|| value.to_string())),
        (_, Value::String(text)) => Some(text.clone()),
        (_, value) => {
            let text = value.to_string();
            let entries = match value {
                Value::Array(items) => items.len(),
                Value::Object(entries) => entries.len(),
                _ => return Some(text),
            };
            let short = text.chars().count() <= SHORT;
            Some(if short { text } else { format!("{entries} entries; --json shows them") })
        }
    }
}

/// `{"used": [0, 50], "of": 100}` in words.
fn iterations(value: &Value) -> Option<String> {
    let (begin, end) = (value["used"][0].as_u64()?, value["used"][1].as_u64()?);
    Some(format!("{begin}..{end} of {}", value["of"].as_u64()?))
}

fn warnings(facts: &Map<String, Value>) -> impl Iterator<Item = &str> {
    facts.get("warnings").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The features that matter most.
fn features(model: &Model) -> Option<Table> {
    let mi::ir::Importance { split, gain, coefficient } = model.importance();
    let (gain, split) = (gain.as_deref(), coefficient.as_deref().or(split.as_deref()));
    let leading = gain.or(split)?;
    // Of a linear model the gain is the size of the coefficient.
    let heads = match (coefficient, gain) {
        (Some(_), _) => ["size", "coefficient", "of size"],
        (None, Some(_)) => ["gain", "splits", "of gain"],
        (None, None) => ["gain", "splits", "of splits"],
    };
    let digits = if coefficient.is_some() { 6 } else { 0 };
    let mut order: Vec<usize> = (0..leading.len()).filter(|&column| leading[column] > 0.0).collect();
    order.sort_by(|&a, &b| leading[b].total_cmp(&leading[a]).then(a.cmp(&b)));
    if order.is_empty() {
        return None;
    }
    let total: f64 = leading.iter().sum();
    let mut table = ruled(&["column", "feature", heads[0], heads[1], heads[2]]);
    for number in [0, 2, 3, 4] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for &column in order.iter().take(TOP) {
        let name = model.feature_names().map_or_else(String::new, |names| printable(&names[column]));
        let of = |values: Option<&[f64]>, digits: usize| {
            values.map_or_else(|| "-".to_owned(), |values| format!("{:.digits$}", values[column]))
        };
        let share = format!("{:.1} %", 100.0 * leading[column] / total);
        table.add_row([column.to_string(), name, of(gain, 4.max(digits)), of(split, digits), share]);
    }
    Some(table)
}

fn inspect_run(arguments: &Arguments) -> Result<()> {
    let run = arguments.source.open_run()?;
    let entries = arguments.source.select(&run)?;
    let root = run.root().display().to_string();
    if entries.is_empty() {
        return Err(Failure::Error(Error::not_found(format!("{root}: no model of this run matches"))));
    }
    let mut table = ruled(&["target", "view", "symbol", "family", "model", "status"]);
    let mut models = Vec::new();
    let mut failed = 0;
    for entry in &entries {
        let loaded = run.load(entry.name());
        failed += usize::from(loaded.is_err());
        if arguments.json {
            models.push(entry_json(entry, &loaded));
        } else {
            table.add_row(entry_row(entry, &loaded));
        }
    }
    if arguments.json {
        print_json(&json!({ "root": root, "models": models }))?;
    } else {
        print(&format!("{}\n{}\n", printable(&root), table.trim_fmt()))?;
    }
    if failed > 0 {
        return Err(Failure::Error(Error::malformed(format!(
            "{root}: {failed} of {} models do not load",
            entries.len()
        ))));
    }
    Ok(())
}

fn entry_json(entry: &Entry, loaded: &mi::Result<Arc<Model>>) -> Value {
    let mut object = json!({
        "target": entry.target,
        "view": entry.view,
        "symbol": entry.symbol,
        "family": entry.family,
    });
    match loaded {
        Ok(model) => {
            object["status"] = json!("MI_OK");
            object["model"] = Value::Object(model.facts().clone());
        }
        Err(error) => {
            object["status"] = json!(error.status().c_name().to_string_lossy());
            object["error"] = json!(error.message());
        }
    }
    object
}

fn entry_row(entry: &Entry, loaded: &mi::Result<Arc<Model>>) -> [String; 6] {
    let (model, status) = match loaded {
        Ok(model) => {
            let warnings: Vec<&str> = warnings(model.facts()).collect();
            let status = if warnings.is_empty() { "ok".to_owned() } else { format!("ok; {}", warnings.join("; ")) };
            (summary(model), status)
        }
        Err(error) => (String::new(), error.message().to_owned()),
    };
    let symbol = entry.symbol.clone().unwrap_or_default();
    [entry.target.clone(), entry.view.clone(), symbol, entry.family.clone(), model, status].map(|text| printable(&text))
}

/// A model in a few words: `lightgbm 4.6.0, 326 features, 100 trees`.
fn summary(model: &Model) -> String {
    let facts = model.facts();
    let text = |key: &str| facts.get(key).and_then(Value::as_str).map(str::to_owned);
    let library = [text("library"), text("library_version")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let mut words = format!("{library}, {} features", model.feature_count());
    if let Some(trees) = facts.get("trees").and_then(Value::as_u64) {
        let _ = write!(words, ", {trees} trees");
    }
    words
}

/// A table without lines: words and what they stand for.
fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    fit(&mut table);
    table
}

/// A table with a line below its header.
fn ruled(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(LineStyle::new('─', '─', '─', '─')));
    table.set_header(header.to_vec());
    fit(&mut table);
    table
}

/// On a terminal a table is as wide as that; elsewhere every row stays on its line, for `grep`.
fn fit(table: &mut Table) {
    if io::stdout().is_terminal()
        && let Some((terminal_size::Width(width), _)) = terminal_size::terminal_size()
    {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
}

fn print_json(value: &Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}

fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|cause| Failure::write("the standard output", &cause))
}
