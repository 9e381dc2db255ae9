//! From the tensors of a graph to the answers of a model.

use super::cell::{Cell, Cells, for_cells};
use crate::ir::graph::{Answer, Classifier, Element, Graph, ValueOf};
use crate::ir::{Classes, Output};

/// What is made of the numbers of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// All of them.
    All,
    /// The second of two.
    Second,
    /// 1 minus the only one, and the only one.
    Pair,
    /// The label of the first of the largest.
    Largest,
    /// The label of the second class above one half, else that of the first.
    Above,
    /// 1 above one half, else 0, for each.
    EachAbove,
    /// The place of the text among the classes.
    Text,
}

/// How an answer is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The output tensor.
    pub tensor: usize,
    /// What is made of it.
    pub pick: Pick,
    /// Columns of the answer.
    pub columns: usize,
}

/// How this graph answers; `None` when it does not. `widths` has the numbers that each output gives for a row.
pub fn ask(graph: &Graph, widths: &[usize], output: Output) -> Option<Ask> {
    let all = |tensor: usize| Ask { tensor, pick: Pick::All, columns: widths[tensor] };
    let classifier = match (&graph.parts().answer, output) {
        (Answer::Values(tensor), Output::Value | Output::Raw)
        | (Answer::Each(tensor), Output::Value | Output::Probability) => return Some(all(*tensor)),
        (Answer::Each(tensor), Output::Label) => return Some(Ask { pick: Pick::EachAbove, ..all(*tensor) }),
        (Answer::Classes(classifier), _) => classifier,
        _ => return None,
    };
    let probabilities = classifier.probabilities.map(all);
    match output {
        Output::Raw => classifier.scores.map(all),
        Output::Value => match classifier.value {
            ValueOf::Probabilities => probabilities,
            ValueOf::Second => probabilities.map(|ask| match ask.columns {
                2 => Ask { pick: Pick::Second, columns: 1, ..ask },
                _ => ask,
            }),
            ValueOf::Label => label(graph, widths, classifier),
            ValueOf::Nothing => None,
        },
        Output::Probability => probabilities.map(|ask| match ask.columns {
            1 => Ask { pick: Pick::Pair, columns: 2, ..ask },
            _ => ask,
        }),
        Output::Label => label(graph, widths, classifier),
        Output::Leaf | Output::Contribution | Output::Distribution => None,
    }
}

/// How the label is come by: given by a tensor, or chosen by the probabilities.
fn label(graph: &Graph, widths: &[usize], classifier: &Classifier) -> Option<Ask> {
    match (classifier.label, classifier.probabilities) {
        (Some(tensor), _) => {
            let text = graph.parts().outputs[tensor].element == Element::String;
            Some(Ask { pick: if text { Pick::Text } else { Pick::All }, columns: 1, tensor })
        }
        (None, Some(tensor)) => {
            Some(Ask { pick: if widths[tensor] == 1 { Pick::Above } else { Pick::Largest }, columns: 1, tensor })
        }
        (None, None) => None,
    }
}

/// Answers rows from the numbers of their tensor, `width` of them each. [`Pick::Text`] is not for numbers and leaves `out` alone.
pub fn answer(pick: Pick, cells: Cells<'_>, width: usize, classes: &Classes, out: &mut [f64]) {
    for_cells!(cells, cells => rows(pick, cells, width, classes, out));
}

fn rows<C: Cell>(pick: Pick, cells: &[C], width: usize, classes: &Classes, out: &mut [f64]) {
    // Cut only where it is asked for: it costs a division.
    let each = || cells.chunks_exact(width.max(1));
    match pick {
        Pick::All => out.iter_mut().zip(cells).for_each(|(out, cell)| *out = cell.wide()),
        Pick::Second => out.iter_mut().zip(each()).for_each(|(out, row)| *out = row[1].wide()),
        Pick::Pair => out
            .chunks_exact_mut(2)
            .zip(cells)
            .for_each(|(out, second)| out.copy_from_slice(&[second.rest(), second.wide()])),
        Pick::Largest => out.iter_mut().zip(each()).for_each(|(out, row)| *out = classes.number(first_largest(row))),
        Pick::Above => {
            out.iter_mut().zip(cells).for_each(|(out, second)| *out = classes.number(usize::from(second.wide() > 0.5)));
        }
        Pick::EachAbove => {
            out.iter_mut().zip(cells).for_each(|(out, cell)| *out = f64::from(u8::from(cell.wide() > 0.5)));
        }
        Pick::Text => {}
    }
}

/// The index of the first of the largest; a NaN counts as the largest, as in numpy.
fn first_largest<C: Cell>(row: &[C]) -> usize {
    let mut best = 0;
    for (index, cell) in row.iter().enumerate() {
        if cell.wide().is_nan() {
            return index;
        }
        if cell.wide() > row[best].wide() {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(pick: Pick, cells: &[f32], width: usize, columns: usize, classes: &Classes) -> Vec<f64> {
        let mut out = vec![f64::NAN; cells.len() / width * columns];
        answer(pick, Cells::F32(cells), width, classes, &mut out);
        out
    }

    #[test]
    fn answers_are_picked() {
        let two = [0.25, 0.75, 0.5, 0.5];
        assert_eq!(picked(Pick::All, &two, 2, 2, &Classes::Index), [0.25, 0.75, 0.5, 0.5]);
        assert_eq!(picked(Pick::Second, &two, 2, 1, &Classes::Index), [0.75, 0.5]);
        assert_eq!(picked(Pick::Largest, &two, 2, 1, &Classes::Numbers(vec![7.0, 9.0])), [9.0, 7.0]);
        assert_eq!(picked(Pick::Above, &[0.5, 0.6], 1, 1, &Classes::Numbers(vec![-1.0, 1.0])), [-1.0, 1.0]);
        assert_eq!(picked(Pick::EachAbove, &two, 2, 2, &Classes::Index), [0.0, 1.0, 0.0, 0.0]);
        // As numpy subtracts in float32.
        assert_eq!(picked(Pick::Pair, &[0.1], 1, 2, &Classes::Index), [f64::from(1.0 - 0.1f32), f64::from(0.1f32)]);
        assert_eq!(picked(Pick::Largest, &[1.0, f32::NAN, 2.0], 3, 1, &Classes::Index), [1.0]);
    }
}
