//! `mi predict`: a CSV in, a CSV out, block by block.

use crate::block::{Block, Kind};
use crate::cells;
use crate::columns::{Copied, Plan};
use crate::failure::{Failure, Result, printable};
use crate::output::Output as Sink;
use crate::records::Records;
use crate::source::Source;
use clap::Args;
use mi::error::Within;
use mi::exec::Number;
use mi::ir::Output;
use mi::{Error, Model, Status};
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Numbers of a block, in or out: half a megabyte of float64.
const BLOCK_NUMBERS: usize = 1 << 16;
/// Rows of a block.
const BLOCK_ROWS: usize = 4096;

/// Arguments of `mi predict`.
#[derive(Debug, Args)]
#[command(after_help = "\
Columns are matched by the model's feature names when the header holds them all, in any order; a header that names none of them is \
taken by position when the number of columns is right. Empty cells, nan, NaN, NA and null are missing values. Cells of the columns that \
`mi inspect` lists as categorical are text. Numbers are printed with the fewest digits that parse back to the same bits.")]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The CSV with the rows; - is the standard input
    #[arg(long, short, value_name = "CSV")]
    input: PathBuf,
    /// Where the predictions go; - is the standard output. A file appears when all rows are predicted
    #[arg(long, short, value_name = "CSV", default_value = "-")]
    output: PathBuf,
    /// What to compute: value, raw, probability, label, leaf, contribution or distribution
    #[arg(long = "as", value_name = "OUTPUT", default_value = "value", value_parser = output)]
    output_kind: Output,
    /// Round the rows to float32 first, as a caller does who trained on float32
    #[arg(long)]
    float32: bool,
    /// Boosting rounds to use, from BEGIN up to END without it; either may be left out [default: the model's own rule]
    #[arg(long, value_name = "BEGIN:END", value_parser = iterations)]
    iterations: Option<(u32, u32)>,
    /// Copy this column to the output; it is no feature (repeatable)
    #[arg(long = "id-column", value_name = "NAME")]
    ids: Vec<String>,
    /// Copy this column to the output, feature or not (repeatable)
    #[arg(long, value_name = "NAME")]
    keep: Vec<String>,
    /// Columns of categories hold the codes of LightGBM and XGBoost, or whole numbers for CatBoost, instead of text
    #[arg(long)]
    codes: bool,
    /// The CSV has no header, and the output gets none; --id-column and --keep take column numbers, from 1
    #[arg(long)]
    no_header: bool,
}

fn output(name: &str) -> std::result::Result<Output, String> {
    name.parse().map_err(|error: Error| error.message().to_owned())
}

/// `2:5`, `:5`, `2:`; the end is then past every round.
fn iterations(text: &str) -> std::result::Result<(u32, u32), String> {
    let number = |text: &str, default: u32| match text {
        "" => Ok(default),
        _ => text.parse().map_err(|_| format!("'{text}' is not a whole number")),
    };
    let (begin, end) = text.split_once(':').ok_or("expected BEGIN:END, for example 0:100")?;
    let (begin, end) = (number(begin, 0)?, number(end, u32::MAX)?);
    if begin >= end {
        return Err(format!("no round lies between {begin} and {end}"));
    }
    Ok((begin, end))
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let model = arguments.source.open_model(arguments.iterations)?;
    model.columns(arguments.output_kind)?;
    if model.sequence_length() > 0 {
        return Err(Failure::Error(Error::new(
            Status::SequenceRequired,
            format!(
                "this model takes sequences of {} rows, which a table of rows cannot give; call mi_model_predict_sequence_f32, or push the rows \
                 into the window of a symbol (docs/windows.md)",
                model.sequence_length()
            ),
        )));
    }
    let mut table = Table::open(arguments, &model)?;
    let mut output = Sink::open(Some(&arguments.output))?;
    if arguments.float32 {
        #[allow(clippy::cast_possible_truncation)]
        stream(arguments, &model, &mut table, &mut output, |value| value as f32)?;
    } else {
        stream(arguments, &model, &mut table, &mut output, |value| value)?;
    }
    output.finish()
}

/// The input, its header read and matched.
struct Table {
    records: Records,
    plan: Plan,
    /// The current record is a row that was read to learn the width.
    pending: bool,
}

impl Table {
    fn open(arguments: &Arguments, model: &Model) -> Result<Self> {
        let path = &arguments.input;
        let (input, name): (Box<dyn Read>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), "the standard input".to_owned())
        } else {
            let file = File::open(path).map_err(|cause| Error::io("open", path, &cause))?;
            (Box::new(file), path.display().to_string())
        };
        let mut records = Records::new(input, name);
        let found = records.advance()?;
        let copied = Copied { ids: &arguments.ids, keep: &arguments.keep };
        let plan = if arguments.no_header {
            let width = if found { records.len() } else { model.feature_count() + copied.ids.len() };
            Plan::by_number(width, model.feature_count(), copied)
        } else if found {
            Plan::by_header(&records, model, copied)
        } else {
            let name = records.name();
            return Err(Failure::Error(Error::malformed(format!(
                "{name} is empty; a line with column names is expected"
            ))));
        };
        let plan = plan.within(|| format!("{}: line {}", records.name(), records.line()))?;
        if let Some(note) = &plan.note {
            let _ = writeln!(io::stderr(), "mi: note: {}: {}", printable(records.name()), printable(note));
        }
        Ok(Self { records, plan, pending: arguments.no_header && found })
    }

    /// Goes to the next row; false at the end.
    fn advance(&mut self) -> Result<bool> {
        if !std::mem::take(&mut self.pending) && !self.records.advance()? {
            return Ok(false);
        }
        if self.records.len() != self.plan.width {
            let than = if self.plan.header.is_empty() { "the first line" } else { "the header" };
            return Err(Failure::Error(Error::shape(format!(
                "{}: line {} has {} columns, {than} has {}",
                self.records.name(),
                self.records.line(),
                self.records.len(),
                self.plan.width
            ))));
        }
        Ok(true)
    }

    /// The number in a cell of the row.
    fn number(&self, cell: usize) -> mi::Result<f64> {
        cells::parse(self.records.cell(cell)).map_err(|sentence| self.at(cell, &sentence))
    }

    /// A sentence about a cell of the row.
    fn at(&self, cell: usize, sentence: &str) -> Error {
        let place = format!("line {}, {}", self.records.line(), self.plan.place(cell));
        Error::invalid(format!("{}: {place}: {sentence}", self.records.name()))
    }

    /// The row as the model takes it.
    fn read<T: Number>(&self, block: &mut Block<'_, T>, cast: impl Fn(f64) -> T) -> mi::Result<()> {
        for (column, cell) in self.plan.features.iter().enumerate() {
            let number = match (cell, block.kind(column)) {
                (Some(cell), Kind::Number) => self.number(*cell)?,
                (Some(cell), Kind::Text(place)) => {
                    block.push_text(place, self.records.cell(*cell)).map_err(|sentence| self.at(*cell, &sentence))?;
                    f64::NAN
                }
                (_, Kind::Unread) | (None, _) => f64::NAN,
            };
            block.rows.push(cast(number));
        }
        for &cell in &self.plan.copied {
            block.copied.push_field(self.records.cell(cell));
        }
        block.lines.push(self.records.line());
        Ok(())
    }

    /// The failure of a block, told by the line and the column that it is about.
    fn locate<T: Number>(&self, error: Error, block: &Block<'_, T>, model: &Model, kind: Output) -> Error {
        let Some(fault) = block.first_fault(model, kind) else { return error.within(self.records.name()) };
        let place = format!("{}: line {}", self.records.name(), fault.line);
        match fault.cell.and_then(|(column, sentence)| Some((self.plan.features[column]?, sentence))) {
            Some((cell, sentence)) => Error::invalid(format!("{place}, {}: {sentence}", self.plan.place(cell))),
            None => fault.error.within(place),
        }
    }
}

/// Predicts all rows. `cast` brings a number to the type that the model is asked in.
fn stream<T: Number>(
    arguments: &Arguments,
    model: &Model,
    table: &mut Table,
    output: &mut Sink,
    cast: impl Fn(f64) -> T,
) -> Result<()> {
    let kind = arguments.output_kind;
    let columns = model.columns(kind)?;
    let place = output.place.clone();
    let mut printer = Printer::new(output, place, model, kind, columns);
    if !arguments.no_header {
        printer.header(&table.plan, model, columns)?;
    }
    let capacity = (BLOCK_NUMBERS / model.feature_count().max(columns).max(1)).clamp(1, BLOCK_ROWS);
    let mut block = Block::new(model, arguments.codes);
    loop {
        let more = table.advance()?;
        if more {
            table.read(&mut block, &cast)?;
        }
        if block.lines.len() == capacity || !more {
            if let Err(error) = block.predict(model, kind, columns) {
                return Err(table.locate(error, &block, model, kind).into());
            }
            printer.block(&block, &table.plan, columns)?;
            block.clear();
        }
        if !more {
            return printer.flush();
        }
    }
}

/// Writes answers as CSV.
struct Printer<'a> {
    writer: csv::Writer<&'a mut Sink>,
    place: String,
    /// Labels that were text when the model was trained.
    labels: Vec<String>,
    /// Whole numbers are written as such.
    whole: bool,
    text: String,
    kind: Output,
}

impl<'a> Printer<'a> {
    fn new(output: &'a mut Sink, place: String, model: &Model, kind: Output, columns: usize) -> Self {
        let writer = csv::WriterBuilder::new().buffer_capacity(1 << 16).flexible(true).from_writer(output);
        let classes = model.facts().get("classes").and_then(Value::as_array);
        let texts = classes.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        // Several columns of labels are a yes or no each.
        let labels = if kind == Output::Label && columns == 1 { texts } else { Vec::new() };
        let whole = matches!(kind, Output::Label | Output::Leaf);
        Self { writer, place, labels, whole, text: String::new(), kind }
    }

    fn header(&mut self, plan: &Plan, model: &Model, columns: usize) -> Result<()> {
        for &cell in &plan.copied {
            self.field(plan.header[cell].as_bytes())?;
        }
        for name in names(self.kind, model, columns) {
            self.field(name.as_bytes())?;
        }
        self.end_row()
    }

    fn block<T>(&mut self, block: &Block<'_, T>, plan: &Plan, columns: usize) -> Result<()> {
        let mut copied = block.copied.iter();
        for row in 0..block.lines.len() {
            for cell in copied.by_ref().take(plan.copied.len()) {
                self.field(cell)?;
            }
            for &answer in &block.answers[row * columns..][..columns] {
                self.number(answer)?;
            }
            self.end_row()?;
        }
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a label that is an index
    fn number(&mut self, value: f64) -> Result<()> {
        let written = if let Some(label) = self.labels.get(value as usize) {
            self.writer.write_field(label)
        } else {
            cells::format(&mut self.text, value, self.whole);
            self.writer.write_field(&self.text)
        };
        written.map_err(|error| self.failed(error))
    }

    fn field(&mut self, cell: &[u8]) -> Result<()> {
        self.writer.write_field(cell).map_err(|error| self.failed(error))
    }

    fn end_row(&mut self) -> Result<()> {
        self.writer.write_record(None::<&[u8]>).map_err(|error| self.failed(error))
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush().map_err(|cause| Failure::write(&self.place, &cause))
    }

    fn failed(&self, error: csv::Error) -> Failure {
        match error.into_kind() {
            csv::ErrorKind::Io(cause) => Failure::write(&self.place, &cause),
            other => Failure::Error(Error::internal(format!("cannot write {}: {other:?}", self.place))),
        }
    }
}

/// Names of the columns of an answer.
fn names(kind: Output, model: &Model, columns: usize) -> Vec<String> {
    let name = kind.name();
    if columns == 1 && kind != Output::Leaf {
        return vec![name.to_owned()];
    }
    let parts: Vec<String> = match kind {
        Output::Value | Output::Probability => classes(model),
        Output::Contribution => {
            let bias = std::iter::once("bias".to_owned());
            model.feature_names().unwrap_or_default().iter().cloned().chain(bias).collect()
        }
        _ => Vec::new(),
    };
    let known = parts.len() == columns;
    (0..columns).map(|at| if known { format!("{name}_{}", parts[at]) } else { format!("{name}_{at}") }).collect()
}

/// Labels of the classes as text.
fn classes(model: &Model) -> Vec<String> {
    let labels = model.facts().get("classes").and_then(Value::as_array);
    let text = |label: &Value| match label {
        Value::String(label) => label.clone(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
        other => other.to_string(),
    };
    labels.into_iter().flatten().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::iterations;

    #[test]
    fn iterations_are_a_range() {
        assert_eq!(iterations("2:5"), Ok((2, 5)));
        assert_eq!(iterations(":5"), Ok((0, 5)));
        assert_eq!(iterations("2:"), Ok((2, u32::MAX)));
        for wrong in ["", "5", "5:5", "0:0", "-1:3", "a:b", "1:2:3"] {
            assert!(iterations(wrong).is_err(), "{wrong}");
        }
    }
}
