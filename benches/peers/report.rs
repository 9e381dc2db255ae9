//! Tables in Markdown, and everything as JSON.

use crate::answers::Equality;
use crate::machine;
use crate::measure::{BATCHES, Line, THREADS, Table};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// All tables of a run.
pub struct Report {
    tables: Vec<Table>,
}

impl Report {
    /// A report without tables.
    pub fn new() -> Self {
        Self { tables: Vec::new() }
    }

    /// Adds the table of a model.
    pub fn add(&mut self, table: Table) {
        println!("{}", of_model(&table));
        self.tables.push(table);
    }

    /// The summary: ratios to the fastest other library.
    pub fn print(&self) {
        println!("{}\n\n{}", machine::name(), self.summary());
    }

    fn summary(&self) -> String {
        let mut text = String::from(
            "| model | one row, p50 | the fastest other | ratio | 1,000 rows | the fastest other | ratio |\n|---|---|---|---|---|---|---|\n",
        );
        for table in &self.tables {
            let Some(ours) = table.lines.iter().find(|line| line.peer == "libmi") else { continue };
            let others = || table.lines.iter().filter(|line| line.peer != "libmi");
            let row = others().min_by(|a, b| a.median.total_cmp(&b.median));
            let rate = |line: &Line| line.rates[0][3].unwrap_or(0.0);
            let batch = others().max_by(|a, b| rate(a).total_cmp(&rate(b)));
            let (Some(row), Some(batch)) = (row, batch) else { continue };
            let _ = writeln!(
                text,
                "| {} | {} | {} {} | {:.1}x | {}/s | {} {}/s | {:.1}x |",
                table.model,
                time(ours.median),
                row.peer,
                time(row.median),
                row.median / ours.median,
                count(rate(ours)),
                batch.peer,
                count(rate(batch)),
                rate(ours) / rate(batch),
            );
        }
        text
    }

    /// Writes everything as JSON.
    pub fn write(&self, file: &Path) {
        let tables: Vec<Value> = self.tables.iter().map(as_json).collect();
        let all = json!({"machine": machine::name(), "batches": BATCHES, "threads": THREADS, "models": tables});
        std::fs::write(file, format!("{all:#}\n")).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
    }
}

fn of_model(table: &Table) -> String {
    let fastest = table.lines.iter().map(|line| line.median).fold(f64::INFINITY, f64::min);
    let mut text = format!("### {}\n\n| library | equal | one row p50 | p99 | cold | to the fastest |", table.model);
    let mut rule = String::from("\n|---|---|---|---|---|---|");
    for threads in THREADS {
        for size in BATCHES {
            let _ = write!(text, " {size} x{threads} |");
            rule.push_str("---|");
        }
    }
    let _ = writeln!(text, " load | memory |{rule}---|---|");
    for line in &table.lines {
        let equal = match line.equality {
            Equality::Exact => "exact".to_owned(),
            Equality::Off(distance) => format!("{distance:.0e} off"),
        };
        let (median, slow, cold) = (time(line.median), time(line.slow), time(line.cold));
        let _ = write!(text, "| {} | {equal} | {median} | {slow} | {cold} | {:.1} |", line.peer, line.median / fastest);
        for rate in line.rates.iter().flatten() {
            let _ = write!(text, " {} |", rate.map_or_else(|| "-".to_owned(), |rate| format!("{}/s", count(rate))));
        }
        let _ = match line.load {
            Some(load) => writeln!(text, " {:.1} ms | {:.1} MiB |", load.milliseconds, load.mebibytes),
            None => writeln!(text, " - | - |"),
        };
    }
    let [waiting, others] = table.scatter;
    let _ = writeln!(
        text,
        "\nAdditions within the first cache, in the same turns: p99 is {waiting:.2} times p50 where each waits for the one before, {others:.2} where none does"
    );
    for (peer, why) in &table.absent {
        if why != "not its model" && why != "does not read this kind of model" {
            let _ = writeln!(text, "\n{peer}: {why}");
        }
    }
    text
}

fn as_json(table: &Table) -> Value {
    let lines: Vec<Value> = table
        .lines
        .iter()
        .map(|line| {
            let off = match line.equality {
                Equality::Exact => 0.0,
                Equality::Off(distance) => distance,
            };
            json!({
                "library": line.peer,
                "off": off,
                "row_p50_ns": line.median,
                "row_p99_ns": line.slow,
                "row_cold_ns": line.cold,
                "rows_per_second": line.rates,
                "load_ms": line.load.map(|load| load.milliseconds),
                "memory_mib": line.load.map(|load| load.mebibytes),
            })
        })
        .collect();
    let absent: serde_json::Map<String, Value> =
        table.absent.iter().map(|(peer, why)| ((*peer).to_owned(), json!(why))).collect();
    json!({"model": table.model, "libraries": lines, "absent": absent, "scatter": table.scatter})
}

/// Nanoseconds with a unit.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds:.0} ns"),
        ..1e5 => format!("{:.2} us", nanoseconds / 1e3),
        ..1e6 => format!("{:.0} us", nanoseconds / 1e3),
        _ => format!("{:.1} ms", nanoseconds / 1e6),
    }
}

/// A number of rows with a unit.
fn count(rows: f64) -> String {
    match rows {
        ..1e3 => format!("{rows:.0}"),
        ..1e6 => format!("{:.1} k", rows / 1e3),
        _ => format!("{:.2} M", rows / 1e6),
    }
}
