//! Rows between reading and writing: numbers, text, and the answers.

use crate::cells;
use csv::ByteRecord;
use mi::exec::{Categories, Number, Rows};
use mi::ir::Output;
use mi::ir::text::{Numbers, TextColumn, Unknown};
use mi::{Error, Model, Result, Status};

/// What a column of the model holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number,
    /// Text, and its place among the columns of text.
    Text(usize),
    /// Anything: no part of the model looks at it.
    Unread,
}

/// Rows and their answers.
pub struct Block<'m, T> {
    /// Numbers, row after row.
    pub rows: Vec<T>,
    /// The line of each row.
    pub lines: Vec<u64>,
    /// Cells to copy, those of one row after those of another.
    pub copied: ByteRecord,
    /// Answers, row after row.
    pub answers: Vec<f64>,
    kinds: Vec<Kind>,
    texts: Texts<'m>,
}

/// What is wrong with a row.
pub struct Fault {
    /// The line of the row.
    pub line: u64,
    /// The column of the model that is at fault, and a sentence about its cell.
    pub cell: Option<(usize, String)>,
    /// What the model said.
    pub error: Error,
}

impl<'m, T: Number> Block<'m, T> {
    /// No rows yet. With `codes` the cells of columns of categories are numbers.
    pub fn new(model: &'m Model, codes: bool) -> Self {
        let columns = if codes { &[] } else { model.text_columns() };
        let mut kinds = vec![Kind::Number; model.feature_count()];
        for &column in model.unread_columns() {
            kinds[column as usize] = Kind::Unread;
        }
        for (place, column) in columns.iter().enumerate() {
            kinds[column.column() as usize] = Kind::Text(place);
        }
        let texts = Texts { columns, cells: ByteRecord::new(), missing: Vec::new() };
        Self { rows: Vec::new(), lines: Vec::new(), copied: ByteRecord::new(), answers: Vec::new(), kinds, texts }
    }

    /// What a column of the model holds.
    pub fn kind(&self, column: usize) -> Kind {
        self.kinds[column]
    }

    /// The next text of the row; a sentence when it looks like the code of a category.
    pub fn push_text(&mut self, place: usize, cell: &[u8]) -> std::result::Result<(), String> {
        self.texts.push(place, cell)
    }

    /// Predicts all rows, `columns` numbers each.
    pub fn predict(&mut self, model: &Model, kind: Output, columns: usize) -> Result<()> {
        self.answers.resize(self.lines.len() * columns, 0.0);
        let rows = Rows::new(&self.rows, self.lines.len(), self.kinds.len())?;
        model.predict_categorical(kind, rows, &self.texts, &mut self.answers)
    }

    /// No rows again.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.lines.clear();
        self.copied.clear();
        self.texts.cells.clear();
        self.texts.missing.clear();
    }

    /// The first row that the model refuses when it is asked about it alone.
    pub fn first_fault(&self, model: &Model, kind: Output) -> Option<Fault> {
        let width = self.kinds.len();
        let mut answer = vec![0.0; model.columns(kind).unwrap_or(0)];
        for (index, (row, &line)) in self.rows.chunks_exact(width.max(1)).zip(&self.lines).enumerate() {
            let texts = Row { texts: &self.texts, index };
            let asked =
                Rows::new(row, 1, width).and_then(|rows| model.predict_categorical(kind, rows, &texts, &mut answer));
            if let Err(error) = asked {
                let cell = if error.status() == Status::InvalidArgument { self.cell(row, index) } else { None };
                return Some(Fault { line, cell, error });
            }
        }
        None
    }

    /// The cell that a refusal is about.
    fn cell(&self, row: &[T], index: usize) -> Option<(usize, String)> {
        for (place, column) in self.texts.columns.iter().enumerate() {
            let sentence = match self.texts.get(index, place) {
                Some(text) if column.number(text).is_none() => {
                    format!("{} is a category that the model does not know", cells::quoted(text))
                }
                None if !column.may_miss() => {
                    "the text is missing, and the model knows no missing ones there; fill it first".to_owned()
                }
                _ => continue,
            };
            return Some((column.column() as usize, sentence));
        }
        let missing =
            row.iter().zip(&self.kinds).position(|(value, kind)| *kind == Kind::Number && value.widen().is_nan());
        let sentence = "the value is missing, and this model was trained without missing values; fill it first";
        missing.map(|column| (column, sentence.to_owned()))
    }
}

/// Text of rows, each with one for every column of text.
struct Texts<'m> {
    columns: &'m [TextColumn],
    cells: ByteRecord,
    missing: Vec<bool>,
}

impl Texts<'_> {
    /// A cell is missing when it looks like it and is no category. `CatBoost` knows its categories by their hashes, so that any cell
    /// may be one.
    fn push(&mut self, place: usize, cell: &[u8]) -> std::result::Result<(), String> {
        let column = &self.columns[place];
        let any = matches!(column.numbers(), Numbers::Digits | Numbers::Unread);
        let known = any || column.knows(cell);
        let missing = !known && cells::is_missing(cell);
        // What `LightGBM` has never seen is missing, which would hide that a table holds codes.
        if !known
            && !missing
            && column.unknown() == Unknown::Missing
            && cells::parse(cell).is_ok()
            && !column.knows_numbers()
        {
            return Err(format!(
                "{} is not one of the model's categories; add --codes if cells hold codes",
                cells::quoted(cell)
            ));
        }
        self.missing.push(missing);
        self.cells.push_field(cell);
        Ok(())
    }
}

impl Categories for Texts<'_> {
    fn columns(&self) -> Option<usize> {
        (!self.columns.is_empty()).then_some(self.columns.len())
    }

    fn get(&self, row: usize, column: usize) -> Option<&[u8]> {
        let at = row * self.columns.len() + column;
        self.cells.get(at).filter(|_| !self.missing[at])
    }
}

/// One of the rows.
struct Row<'a> {
    texts: &'a Texts<'a>,
    index: usize,
}

impl Categories for Row<'_> {
    fn columns(&self) -> Option<usize> {
        self.texts.columns()
    }

    fn get(&self, _: usize, column: usize) -> Option<&[u8]> {
        self.texts.get(self.index, column)
    }
}
