//! How text travels through a model: which columns of a caller's row hold text, and which texts each of them knows.
//!
//! A model is walked once, when it is read, in the direction in which rows go. A cell of a row is either a caller's cell as it came
//! (fillings may have been put in for some values), or made by a step. An encoder that has words asks for text where it
//! takes a caller's cell; arithmetic asks for numbers.

use super::pipeline::{Pipeline, Transform, UnionPart};
use super::text::{Numbers, TextColumn, TextColumns, Unknown, Vocabulary, is_word};
use super::transform::{Codes, Each, Whole};
use super::{Body, Derived, Estimator, Model};
use crate::error::{Error, Result};
use crate::limits;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// The columns of text of a model whose words are in `vocabulary`, and the columns that no part of it looks at.
///
/// # Errors
/// `MI_UNSUPPORTED` for a column that one part takes as text and another as a number, or when the value of the model is text;
/// `MI_LIMIT_EXCEEDED` for a model that takes longer to walk than any real one.
pub fn text_columns(model: &Model, vocabulary: &Vocabulary) -> Result<TextColumns> {
    let features = model.body.features();
    let mut wants = limits::vec("columns", features)?;
    wants.resize(features, 0);
    let mut walk = Walk { wants, asked: BTreeMap::new(), seen: HashMap::new(), work: 0 };
    let row = (0u32..).take(features).map(|column| Cell::Given(column, None)).collect();
    walk.model(model, &row)?;
    let unread = (0u32..).take(features).filter(|&column| walk.wants[column as usize] == 0).collect();
    let mut columns = Vec::new();
    let nothing = Asked::default();
    for (column, &wants) in (0u32..).zip(&walk.wants) {
        let name = || match model.feature_names.as_ref().and_then(|names| names.get(column as usize)) {
            Some(name) => format!("column {column} ('{name}')"),
            None => format!("column {column}"),
        };
        let demand = Demand { wants, asked: walk.asked.get(&column).unwrap_or(&nothing) };
        columns.extend(demand.column(column, vocabulary).map_err(|error| error.within(name()))?);
    }
    TextColumns::new(features, columns, unread)
}

/// Values that were replaced, by their bits, in the order in which it happened.
type Swaps = Option<Rc<Vec<(u64, u64)>>>;

/// One cell of a row on its way.
#[derive(Clone, PartialEq)]
enum Cell {
    /// A number that a step made.
    Made,
    /// The caller's cell of this column.
    Given(u32, Swaps),
}

type Row = Rc<[Cell]>;

/// The bits of a number, where 0 is -0 and a NaN any other.
fn bits(number: f64) -> u64 {
    if number.is_nan() { f64::NAN.to_bits() } else { (number + 0.0).to_bits() }
}

fn swapped(swaps: &Swaps, number: f64) -> f64 {
    let last = swaps
        .iter()
        .flat_map(|swaps| swaps.iter())
        .fold(bits(number), |number, &(from, to)| if number == from { to } else { number });
    f64::from_bits(last)
}

/// What a part of a model wants of a column.
#[derive(Clone, Copy)]
enum Want {
    /// Arithmetic takes it.
    Number,
    /// It is the value of the model.
    Shown,
    /// An encoder or a filling has words for it.
    Text,
    /// A step tells words from everything else, and nothing more.
    Marked,
    /// A booster has codes for its words, and takes codes as well.
    Codes,
    /// A booster hashes its text, and the digits of numbers.
    Digits,
    /// A booster calls it text and does not look at it.
    Idle,
}

/// What the parts of a model ask about the text of a column.
#[derive(Default)]
struct Asked<'m> {
    /// Every word that is compared with it, by its bits.
    words: BTreeSet<u64>,
    /// Encoders that refuse what they do not know.
    strict: Vec<(&'m Codes, Swaps)>,
}

/// What the parts of a model want of a column.
struct Demand<'w, 'm> {
    /// A bit for each [`Want`].
    wants: u8,
    asked: &'w Asked<'m>,
}

impl Demand<'_, '_> {
    fn has(&self, want: Want) -> bool {
        self.wants & 1 << want as u8 != 0
    }

    fn column(&self, column: u32, vocabulary: &Vocabulary) -> Result<Option<TextColumn>> {
        let text =
            self.has(Want::Text) || self.has(Want::Marked) && !self.asked.words.is_empty() && !self.has(Want::Number);
        if text && self.has(Want::Shown) {
            return Err(Error::unsupported(
                "text would be a part of the value; put a model or an encoder behind this step",
            ));
        }
        if text && self.has(Want::Number) {
            return Err(Error::unsupported(
                "it is text for one part of the model and a number for another; encode it before, or export the model to ONNX",
            ));
        }
        let booster = [Want::Codes, Want::Digits, Want::Idle].into_iter().any(|want| self.has(want));
        if !text && (self.has(Want::Number) || self.has(Want::Shown) || !booster) {
            return Ok(None);
        }
        let passes =
            |number: f64| self.asked.strict.iter().all(|(codes, swaps)| codes.get(swapped(swaps, number)).is_some());
        let words = self.asked.words.iter().map(|&bits| f64::from_bits(bits)).filter(|&word| passes(word));
        let mut known = limits::vec("categories", self.asked.words.len())?;
        let mut cut = None;
        for word in words {
            cut = vocabulary.longer(word).or(cut);
            let text = vocabulary.text(word).ok_or_else(|| Error::internal("a word that is not in the vocabulary"))?;
            known.push((text.to_owned(), word));
        }
        let unknown = if self.asked.strict.is_empty() { Unknown::Kept } else { Unknown::Refused };
        let numbers = match (text, self.has(Want::Codes), self.has(Want::Digits)) {
            (false, true, false) => Numbers::Codes,
            (false, false, true) => Numbers::Digits,
            (false, false, false) => Numbers::Unread,
            _ => Numbers::Refused,
        };
        TextColumn::new(column, known.into_iter(), unknown, numbers, passes(f64::NAN))
            .map(|column| Some(column.with_cut(cut)))
    }
}

struct Walk<'m> {
    /// What is wanted of each column, a bit for each [`Want`].
    wants: Vec<u8>,
    /// What is asked of columns of text.
    asked: BTreeMap<u32, Asked<'m>>,
    /// Rows that shared models were given.
    seen: HashMap<*const Model, Vec<Row>>,
    work: usize,
}

impl<'m> Walk<'m> {
    fn pay(&mut self, cells: usize) -> Result<()> {
        self.work = self.work.saturating_add(cells).saturating_add(1);
        limits::check("cells on the way through a model", self.work, limits::FLOW_CELLS)
    }

    fn want(&mut self, column: u32, want: Want) {
        self.wants[column as usize] |= 1 << want as u8;
    }

    fn ask(&mut self, column: u32) -> &mut Asked<'m> {
        self.asked.entry(column).or_default()
    }

    /// Arithmetic on a row.
    fn consume(&mut self, row: &Row) -> Result<()> {
        self.pay(row.len())?;
        for cell in row.iter() {
            if let Cell::Given(column, _) = cell {
                self.want(*column, Want::Number);
            }
        }
        Ok(())
    }

    fn made(&mut self, count: usize) -> Result<Row> {
        self.pay(count)?;
        Ok(std::iter::repeat_n(Cell::Made, count).collect())
    }

    fn model(&mut self, model: &'m Model, row: &Row) -> Result<()> {
        match &model.body {
            Body::Derived { stage, .. } => self.derived(stage, row),
            Body::Estimator(estimator) => match &**estimator {
                Estimator::Pipeline(pipeline) => self.pipeline(pipeline, row),
                Estimator::Blend(blend) => {
                    blend.paths().iter().try_for_each(|path| self.transform(path, row).map(drop))
                }
                Estimator::Beside(beside) => beside.models().iter().try_for_each(|model| self.model(model, row)),
                Estimator::Ensemble(ensemble) => {
                    for member in ensemble.members() {
                        let row = self.select(row, member.columns.as_deref())?;
                        self.model(&member.model, &row)?;
                    }
                    Ok(())
                }
                _ => self.consume(row),
            },
            Body::Forest(_) | Body::Linear(_) => self.consume(row),
        }
    }

    fn pipeline(&mut self, pipeline: &'m Pipeline, row: &Row) -> Result<()> {
        let mut row = Rc::clone(row);
        for step in pipeline.steps() {
            row = self.transform(step, &row)?;
        }
        if let Some(last) = pipeline.last() {
            return self.model(last, &row);
        }
        for cell in row.iter() {
            if let Cell::Given(column, _) = cell {
                self.want(*column, Want::Shown);
            }
        }
        Ok(())
    }

    fn derived(&mut self, stage: &Derived, row: &Row) -> Result<()> {
        self.pay(row.len())?;
        let mut categories = stage.categories().iter().peekable();
        for (index, cell) in row.iter().enumerate() {
            let category = categories.next_if(|category| category.column as usize == index);
            let Cell::Given(column, _) = cell else { continue };
            match category {
                Some(category) if category.used => self.want(*column, Want::Digits),
                Some(_) => self.want(*column, Want::Idle),
                None => self.want(*column, Want::Number),
            }
        }
        Ok(())
    }

    fn select(&mut self, row: &Row, columns: Option<&[usize]>) -> Result<Row> {
        let Some(columns) = columns else { return Ok(Rc::clone(row)) };
        self.pay(columns.len())?;
        Ok(columns.iter().map(|&column| row[column].clone()).collect())
    }

    fn transform(&mut self, step: &'m Transform, row: &Row) -> Result<Row> {
        match step {
            Transform::Select { columns, .. } => self.select(row, Some(columns)),
            Transform::Missing { .. } => Ok(Rc::clone(row)),
            Transform::Codes { columns, .. } => {
                self.pay(row.len())?;
                let mut row = row.to_vec();
                for (column, codes) in columns {
                    self.encode(&row[*column], codes)?;
                    row[*column] = Cell::Made;
                }
                Ok(row.into())
            }
            Transform::Each(_, things) => {
                let mut row = Rc::clone(row);
                for thing in things {
                    row = self.each(thing, &row)?;
                }
                Ok(row)
            }
            Transform::Whole { whole: Whole::Constant(numbers), .. } => self.made(numbers.len()),
            Transform::Chain(_, steps) => {
                let mut row = Rc::clone(row);
                for step in steps {
                    row = self.transform(step, &row)?;
                }
                Ok(row)
            }
            Transform::Union { parts, .. } => {
                let mut cells = Vec::new();
                for UnionPart { columns, step, weight } in parts {
                    let taken = self.select(row, columns.as_deref())?;
                    let mut given = self.transform(step, &taken)?;
                    if weight.is_some() {
                        self.consume(&given)?;
                        given = self.made(given.len())?;
                    }
                    self.pay(given.len())?;
                    cells.extend_from_slice(&given);
                }
                Ok(cells.into())
            }
            Transform::Answer { model, width, .. } => {
                self.pay(row.len())?;
                let seen = self.seen.entry(Arc::as_ptr(model)).or_default();
                if !seen.contains(row) {
                    seen.push(Rc::clone(row));
                    self.model(model, row)?;
                }
                self.made(*width)
            }
            _ => {
                self.consume(row)?;
                self.made(step.outputs())
            }
        }
    }

    fn each(&mut self, thing: &'m Each, row: &Row) -> Result<Row> {
        self.pay(row.len())?;
        match thing {
            Each::Complete | Each::Refuse(..) => {
                self.compare(row, thing);
                Ok(Rc::clone(row))
            }
            Each::Is(_) => {
                self.compare(row, thing);
                self.made(row.len())
            }
            Each::Replace(from, by) => {
                Ok(row.iter().zip(by).map(|(cell, &to)| self.replace(cell, *from, to)).collect())
            }
            Each::Encode(codes) => {
                for (cell, codes) in row.iter().zip(codes) {
                    self.encode(cell, codes)?;
                }
                self.made(row.len())
            }
            _ => {
                self.consume(row)?;
                self.made(row.len())
            }
        }
    }

    /// A step that only compares cells with one value.
    fn compare(&mut self, row: &Row, thing: &Each) {
        for cell in row.iter() {
            let Cell::Given(column, _) = cell else { continue };
            self.want(*column, Want::Marked);
            if let Each::Is(value) | Each::Refuse(value, _) = thing
                && is_word(*value)
            {
                self.ask(*column).words.insert(bits(*value));
            }
        }
    }

    fn replace(&mut self, cell: &Cell, from: f64, to: f64) -> Cell {
        let Cell::Given(column, swaps) = cell else { return Cell::Made };
        self.want(*column, if is_word(to) { Want::Text } else { Want::Marked });
        for word in [from, to].into_iter().filter(|&value| is_word(value)) {
            self.ask(*column).words.insert(bits(word));
        }
        let mut swaps = swaps.as_deref().cloned().unwrap_or_default();
        swaps.push((bits(from), bits(to)));
        Cell::Given(*column, Some(Rc::new(swaps)))
    }

    fn encode(&mut self, cell: &Cell, codes: &'m Codes) -> Result<()> {
        let asks = codes.numbers().any(is_word);
        let Cell::Given(column, swaps) = cell else {
            if asks && !codes.is_open() {
                return Err(Error::unsupported("an encoder of text stands behind a step that gives numbers"));
            }
            return Ok(());
        };
        self.pay(codes.numbers().len())?;
        if !asks {
            // An encoder that knows no number (all were missing) asks for nothing.
            self.want(*column, if codes.numbers().len() > 0 { Want::Number } else { Want::Marked });
            return Ok(());
        }
        self.want(*column, if codes.is_open() { Want::Codes } else { Want::Text });
        let asked = self.ask(*column);
        asked.words.extend(codes.numbers().filter(|&number| is_word(number)).map(bits));
        if codes.is_strict() {
            asked.strict.push((codes, swaps.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;
    use crate::ir::linear::{Linear, LinearOrder};
    use crate::ir::{Classes, Decision, Importance, Link, Output, Precision, Source, Task};

    fn model(body: Body) -> Model {
        Model {
            body,
            average: None,
            link: Link::Identity,
            precision: Precision::F64,
            task: Task::Regression,
            classes: Classes::Index,
            decision: Decision::default(),
            feature_names: None,
            texts: None,
            importance: Importance::default(),
            source: Source::default(),
        }
    }

    fn linear(features: usize) -> Model {
        let order = LinearOrder::InterceptLast;
        let linear = Linear::new(features, vec![1.0; features], vec![0.0], Precision::F64, order, false).unwrap();
        model(Body::Linear(linear))
    }

    fn pipeline(steps: Vec<Transform>, last: Option<Model>) -> Model {
        let pipeline = Pipeline::new(steps, last.map(Box::new)).unwrap();
        model(Body::Estimator(Arc::new(Estimator::Pipeline(pipeline))))
    }

    fn encode(columns: Vec<Codes>) -> Transform {
        Transform::each(columns.len(), vec![Each::Encode(columns)]).unwrap()
    }

    fn words(texts: &[&str], vocabulary: &mut Vocabulary) -> Vec<(f64, f64)> {
        let codes = (0u32..).map(f64::from);
        texts.iter().zip(codes).map(|(text, code)| (vocabulary.word(text).unwrap(), code)).collect()
    }

    fn part(columns: &[usize], step: Transform) -> UnionPart {
        UnionPart { columns: Some(columns.to_vec()), step, weight: None }
    }

    #[test]
    fn encoders_ask_for_text() {
        let mut vocabulary = Vocabulary::default();
        let free = Codes::new(words(&["a", "b"], &mut vocabulary), Some(-1.0));
        let strict = Codes::new(words(&["b", "c"], &mut vocabulary), None);
        let numbers = Codes::new([(1.0, 0.0)], None);
        // Column 0 is encoded twice, once strictly, column 2 is not looked at, column 3 holds numbers.
        let parts = vec![part(&[1, 0], encode(vec![free.clone(), free])), part(&[0, 3], encode(vec![strict, numbers]))];
        let made = pipeline(vec![Transform::union(4, parts).unwrap()], Some(linear(4)));
        let found = text_columns(&made, &vocabulary).unwrap();
        assert_eq!(found.unread(), [2]);
        let [first, second] = found.columns() else { panic!("two columns of text are expected") };
        assert_eq!((first.column(), second.column()), (0, 1));
        assert_eq!((first.unknown(), second.unknown()), (Unknown::Refused, Unknown::Kept));
        assert!(first.knows(b"b") && first.knows(b"c") && !first.knows(b"a"), "what one of the two refuses is refused");
        assert!(second.knows(b"a") && second.knows(b"b") && !second.knows(b"c"));
        assert!(!first.may_miss() && second.may_miss());
        assert_eq!(first.numbers(), Numbers::Refused);
    }

    #[test]
    fn fillings_are_followed() {
        let mut vocabulary = Vocabulary::default();
        let (mark, none) = (vocabulary.word("?").unwrap(), vocabulary.word("none").unwrap());
        let strict = Codes::new([(none, 0.0)].into_iter().chain(words(&["a"], &mut vocabulary)), None);
        let fill = |from: f64| Transform::each(1, vec![Each::Replace(from, vec![none])]).unwrap();
        let found = |steps| text_columns(&pipeline(steps, Some(linear(1))), &vocabulary).unwrap().columns()[0].clone();
        let marked = found(vec![fill(mark), encode(vec![strict.clone()])]);
        assert!(marked.knows(b"?") && marked.knows(b"none") && marked.knows(b"a") && !marked.may_miss());
        let missing = found(vec![fill(f64::NAN), encode(vec![strict])]);
        assert!(!missing.knows(b"?") && missing.may_miss());
    }

    #[test]
    fn a_column_is_text_or_a_number() {
        let mut vocabulary = Vocabulary::default();
        let codes = || Codes::new(words(&["a"], &mut Vocabulary::default()), Some(-1.0));
        vocabulary.word("a").unwrap();
        let same = || Transform::chain(1, Vec::new()).unwrap();
        let both = Transform::union(1, vec![part(&[0], encode(vec![codes()])), part(&[0], same())]).unwrap();
        for (made, sentence) in [
            (pipeline(vec![both.clone()], Some(linear(2))), "a number for another"),
            (pipeline(vec![both], None), "a part of the value"),
            (
                pipeline(vec![encode(vec![codes()]), encode(vec![codes()])], Some(linear(1))),
                "a step that gives numbers",
            ),
        ] {
            let error = text_columns(&made, &vocabulary).unwrap_err();
            assert!(error.status() == Status::Unsupported && error.message().contains(sentence), "{error}");
        }
        // A booster takes codes as well, and then the numbers stay what they are.
        let open = Codes::of_words(words(&["a"], &mut vocabulary), Some(f64::NAN));
        let coded = Transform::codes(1, vec![(0, open)]).unwrap();
        let alone = text_columns(&pipeline(vec![coded.clone()], Some(linear(1))), &vocabulary).unwrap();
        assert_eq!(alone.columns()[0].numbers(), Numbers::Codes);
        let beside = Transform::union(1, vec![part(&[0], coded), part(&[0], same())]).unwrap();
        assert!(text_columns(&pipeline(vec![beside], Some(linear(2))), &vocabulary).unwrap().columns().is_empty());
    }

    #[test]
    fn shared_models_are_walked_once() {
        let mut vocabulary = Vocabulary::default();
        let codes = Codes::new(words(&["a"], &mut vocabulary), None);
        let mut inner = Arc::new(pipeline(vec![encode(vec![codes])], Some(linear(1))));
        // Each level asks the one below twice: 2^60 ways in all.
        for _ in 0..60 {
            let answer =
                || UnionPart { columns: None, step: Transform::answer(&inner, Output::Value, 0, 1), weight: None };
            let both = Transform::union(1, vec![answer(), answer()]).unwrap();
            inner = Arc::new(pipeline(vec![both], Some(linear(2))));
        }
        assert_eq!(text_columns(&inner, &vocabulary).unwrap().columns().len(), 1);
    }
}
