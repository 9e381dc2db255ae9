//! Computation graphs that a foreign runtime runs, as ONNX writes them, and what their tensors mean.
//!
//! The graph itself stays bytes here: whoever reads or makes it says which tensors a row fills and which of them answer, and a
//! runtime does the rest. Rows and sequences come as one flat row of numbers each; the inputs share it in their order.

use super::Classes;
use crate::error::{Error, Result};
use crate::limits;
use std::fmt;
use std::sync::Arc;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Element {
    F16,
    F32,
    F64,
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    String,
}

impl Element {
    /// Every type.
    pub const ALL: [Element; 13] = [
        Element::F16,
        Element::F32,
        Element::F64,
        Element::Bool,
        Element::I8,
        Element::I16,
        Element::I32,
        Element::I64,
        Element::U8,
        Element::U16,
        Element::U32,
        Element::U64,
        Element::String,
    ];

    /// The name in numpy's spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Element::F16 => "float16",
            Element::F32 => "float32",
            Element::F64 => "float64",
            Element::Bool => "bool",
            Element::I8 => "int8",
            Element::I16 => "int16",
            Element::I32 => "int32",
            Element::I64 => "int64",
            Element::U8 => "uint8",
            Element::U16 => "uint16",
            Element::U32 => "uint32",
            Element::U64 => "uint64",
            Element::String => "string",
        }
    }

    /// Bytes of one element; `None` for strings.
    #[must_use]
    pub fn size(self) -> Option<usize> {
        Some(match self {
            Element::Bool | Element::I8 | Element::U8 => 1,
            Element::F16 | Element::I16 | Element::U16 => 2,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::F64 | Element::I64 | Element::U64 => 8,
            Element::String => return None,
        })
    }

    /// Whether numbers of a row can fill it.
    #[must_use]
    pub fn takes_numbers(self) -> bool {
        matches!(self, Element::F16 | Element::F32 | Element::F64 | Element::I32 | Element::I64)
    }

    /// Whether it holds numbers with a fraction.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Element::F16 | Element::F32 | Element::F64)
    }
}

/// What an axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Rows of the batch.
    Rows,
    /// Steps of a sequence whose length the graph leaves open.
    Steps,
    /// Always this many.
    Fixed(usize),
}

/// Numbers of one row along these axes, when a sequence has this many steps.
fn numbers(axes: &[Axis], steps: usize) -> Option<usize> {
    axes.iter().try_fold(1usize, |product, axis| match axis {
        Axis::Rows => Some(product),
        Axis::Steps => product.checked_mul(steps),
        Axis::Fixed(size) => product.checked_mul(*size),
    })
}

/// A tensor that rows fill.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name in the graph.
    pub name: String,
    /// Its elements; [`Element::takes_numbers`].
    pub element: Element,
    /// Its axes; [`Axis::Rows`] at most once.
    pub axes: Vec<Axis>,
}

impl Input {
    /// Numbers that it takes of a row, when a sequence has this many steps.
    #[must_use]
    pub fn numbers(&self, steps: usize) -> usize {
        numbers(&self.axes, steps).unwrap_or(usize::MAX)
    }
}

/// A tensor that answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name in the graph.
    pub name: String,
    /// Its elements.
    pub element: Element,
    /// Its axes; `None` where the file leaves them open, so that a run has to tell.
    pub axes: Option<Vec<Axis>>,
}

impl Output {
    /// Numbers that it gives for a row, as far as the file tells.
    #[must_use]
    pub fn numbers(&self, steps: usize) -> Option<usize> {
        numbers(self.axes.as_deref()?, steps)
    }
}

/// What a row of a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A row of columns.
    Rows,
    /// A row of columns, which the graph wants as a sequence with one number in each step.
    Columns,
    /// A sequence of this many steps.
    Steps(usize),
    /// A sequence of any length, usually this many steps.
    AnySteps(usize),
}

impl Takes {
    /// Steps of a sequence; 0: a row is no sequence.
    #[must_use]
    pub fn sequence_length(self) -> usize {
        match self {
            Takes::Rows | Takes::Columns => 0,
            Takes::Steps(steps) | Takes::AnySteps(steps) => steps,
        }
    }
}

/// What the value of a classifier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueOf {
    /// Its probabilities.
    Probabilities,
    /// The probability of the second of two classes, else all of them.
    Second,
    /// The label: of a model that finds clusters or outliers.
    Label,
    /// There is none: it has margins and labels.
    Nothing,
}

/// A classifier's tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// Probabilities, one per class; or of the second class alone.
    pub probabilities: Option<usize>,
    /// Margins.
    pub scores: Option<usize>,
    /// The chosen class: its label. Without it the class is chosen by the probabilities.
    pub label: Option<usize>,
    /// Labels of the classes.
    pub classes: Classes,
    /// What its value is.
    pub value: ValueOf,
}

/// Which of the outputs answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Numbers.
    Values(usize),
    /// One of several classes.
    Classes(Classifier),
    /// The probability of one independent yes for each number.
    Each(usize),
}

/// What a [`Graph`] is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The graph, as ONNX writes it.
    pub bytes: Arc<[u8]>,
    /// Files that hold its weights, by the names that it uses.
    pub files: Vec<(String, Arc<[u8]>)>,
    /// Inputs in the order in which a row holds their numbers; at least one.
    pub inputs: Vec<Input>,
    /// Rows of every run; `None`: any number of them.
    pub batch: Option<usize>,
    /// What a row is.
    pub takes: Takes,
    /// Outputs that may be asked for.
    pub outputs: Vec<Output>,
    /// Which of them answer.
    pub answer: Answer,
    /// Whether the graph has a rule for missing values; without one they are refused.
    pub accepts_nan: bool,
}

/// A graph with what its tensors mean, validated.
#[derive(Clone)]
pub struct Graph {
    parts: Parts,
    columns: usize,
}

impl Graph {
    /// A graph of these parts.
    ///
    /// # Errors
    /// `MI_MALFORMED` when they do not fit each other, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new(parts: Parts) -> Result<Self> {
        limits::check("inputs", parts.inputs.len(), limits::FEATURES)?;
        limits::check("outputs", parts.outputs.len(), limits::OUTPUTS)?;
        if parts.inputs.is_empty() {
            return Err(Error::malformed("the graph has no input"));
        }
        if parts.batch == Some(0) {
            return Err(Error::malformed("the graph takes batches of 0 rows"));
        }
        let open = |axes: &[Axis]| axes.contains(&Axis::Steps);
        for input in &parts.inputs {
            let rows = input.axes.iter().filter(|axis| **axis == Axis::Rows).count();
            if !input.element.takes_numbers() || rows > 1 || rows == 0 && parts.batch != Some(1) {
                return Err(Error::malformed(format!("input '{}' cannot be filled with rows", input.name)));
            }
            if open(&input.axes) && !matches!(parts.takes, Takes::AnySteps(_)) {
                return Err(Error::malformed(format!("input '{}' takes sequences of any length", input.name)));
            }
        }
        let steps = match parts.takes {
            Takes::Rows | Takes::Columns => 1,
            sequence => sequence.sequence_length(),
        };
        limits::check("steps of a sequence", steps, limits::FEATURES)?;
        let mut row = 0usize;
        for input in &parts.inputs {
            row = row.saturating_add(input.numbers(steps));
        }
        limits::check("numbers in a row", row, limits::ROW_NUMBERS)?;
        if steps == 0 || row == 0 || !row.is_multiple_of(steps) {
            return Err(Error::malformed(format!("{row} numbers in a row of {steps} steps")));
        }
        let graph = Self { columns: row / steps, parts };
        limits::check("features", graph.columns, limits::FEATURES)?;
        let outputs = graph.outputs();
        limits::check("outputs", outputs.unwrap_or(0), limits::OUTPUTS)?;
        graph.check_answer()?;
        Ok(graph)
    }

    fn check_answer(&self) -> Result<()> {
        let there = |tensor: usize| match self.parts.outputs.get(tensor) {
            Some(output) => Ok(output),
            None => Err(Error::malformed(format!("output {tensor} of {}", self.parts.outputs.len()))),
        };
        let numbers = |tensor: usize| match there(tensor)? {
            output if output.element == Element::String => {
                Err(Error::malformed(format!("output '{}' is text, numbers were expected", output.name)))
            }
            output => Ok(output),
        };
        match &self.parts.answer {
            Answer::Values(tensor) | Answer::Each(tensor) => numbers(*tensor).map(|_| ()),
            Answer::Classes(classifier) => {
                for tensor in classifier.probabilities.iter().chain(&classifier.scores) {
                    numbers(*tensor)?;
                }
                let columns = match classifier.probabilities {
                    Some(tensor) => numbers(tensor)?.numbers(self.steps()),
                    None => None,
                };
                if let (Some(columns), Some(count)) = (columns, classifier.classes.count())
                    && columns.max(2) != count
                {
                    return Err(Error::malformed(format!("{count} class labels for {columns} probabilities")));
                }
                let Some(label) = classifier.label else {
                    return match classifier.probabilities {
                        Some(_) => Ok(()),
                        None => Err(Error::malformed("a classifier with neither labels nor probabilities")),
                    };
                };
                let texts = there(label)?.element == Element::String;
                if texts && !matches!(classifier.classes, Classes::Strings(_)) {
                    return Err(Error::malformed("labels are text, and the graph does not list them"));
                }
                Ok(())
            }
        }
    }

    /// What it is made of.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The same without its bytes, for whoever has handed them to a runtime.
    #[must_use]
    pub fn without_bytes(&self) -> Self {
        let none: Arc<[u8]> = Arc::new([]);
        Self { parts: Parts { bytes: none, files: Vec::new(), ..self.parts.clone() }, ..*self }
    }

    /// Whether it takes sequences of any length.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.parts.takes, Takes::AnySteps(_))
    }

    /// Columns of a row, or of one step of a sequence.
    #[must_use]
    pub fn features(&self) -> usize {
        self.columns
    }

    /// Steps of a sequence; 0: it takes rows.
    #[must_use]
    pub fn sequence_length(&self) -> usize {
        self.parts.takes.sequence_length()
    }

    /// Steps that the shapes of inputs are made with when nothing else is said.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.sequence_length().max(1)
    }

    /// Columns of a value, as far as the file tells.
    #[must_use]
    pub fn outputs(&self) -> Option<usize> {
        let output = |tensor: usize| self.parts.outputs.get(tensor)?.numbers(self.steps());
        match &self.parts.answer {
            Answer::Values(tensor) | Answer::Each(tensor) => output(*tensor),
            Answer::Classes(classifier) => match (classifier.value, classifier.probabilities) {
                (ValueOf::Second, Some(tensor)) => match output(tensor)? {
                    2 => Some(1),
                    columns => Some(columns),
                },
                (ValueOf::Probabilities, Some(tensor)) => output(tensor),
                _ => Some(1),
            },
        }
    }
}

impl fmt::Debug for Graph {
    /// Without the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("bytes", &self.parts.bytes.len())
            .field("files", &self.parts.files.len())
            .field("inputs", &self.parts.inputs)
            .field("takes", &self.parts.takes)
            .field("outputs", &self.parts.outputs)
            .field("answer", &self.parts.answer)
            .finish_non_exhaustive()
    }
}
