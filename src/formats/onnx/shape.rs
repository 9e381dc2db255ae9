//! What the axes of inputs and outputs count.
//!
//! A file names sizes or leaves them open, and does not say which of them is the batch. **Rules:** the first axis is the batch, also
//! where its size is fixed; where the first is fixed and the second open, the second is. Three axes are (batch, steps, columns), and
//! with one column they are a row that the network wants as a sequence. One axis of a fixed size is a row without a batch.

use super::document::{Dim, Kind, Value};
use crate::error::{Error, Result};
use crate::ir::graph::{Axis, Element, Input, Output, Takes};

/// What a caller knows beside the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// Columns of a row or of a step; 0: as the file says.
    pub columns: usize,
    /// Steps of a sequence; 0: as the file says.
    pub steps: usize,
}

/// Inputs as rows fill them.
#[derive(Debug, Clone, PartialEq)]
pub struct Filling<'a> {
    pub inputs: Vec<Input>,
    pub batch: Option<usize>,
    pub takes: Takes,
    /// The name of the open axis of steps.
    pub steps: &'a str,
}

/// The element behind a number of `TensorProto.DataType`.
pub fn element(kind: i64) -> Option<Element> {
    Some(match kind {
        1 => Element::F32,
        2 => Element::U8,
        3 => Element::I8,
        4 => Element::U16,
        5 => Element::I16,
        6 => Element::I32,
        7 => Element::I64,
        8 => Element::String,
        9 => Element::Bool,
        10 => Element::F16,
        11 => Element::F64,
        12 => Element::U32,
        13 => Element::U64,
        _ => return None,
    })
}

/// How one input is laid out.
struct Layout<'a> {
    axes: Vec<Axis>,
    batch: Option<usize>,
    /// The name of an open axis of steps.
    steps: Option<&'a str>,
}

fn columns(dim: Dim<'_>, hints: Hints, name: &str) -> Result<Axis> {
    match (dim, hints.columns) {
        (Dim::Fixed(size), _) => Ok(Axis::Fixed(size)),
        (Dim::Open(_), 0) => Err(Error::unsupported(format!(
            "input '{name}' does not say how many columns it takes; say it (options->feature_count, or the feature list of the metadata)"
        ))),
        (Dim::Open(_), columns) => Ok(Axis::Fixed(columns)),
    }
}

fn axes<'a>(input: &Value<'a>, shape: &[Dim<'a>], hints: Hints) -> Result<Layout<'a>> {
    let name = input.name.escape_default().to_string();
    let (axes, batch, steps) = match *shape {
        [Dim::Open(_)] => (vec![Axis::Rows], None, None),
        [Dim::Fixed(size)] => (vec![Axis::Fixed(size)], Some(1), None),
        // The caller says that this is one sequence, not a batch of rows.
        [Dim::Fixed(steps), last] if steps > 1 && steps == hints.steps => {
            (vec![Axis::Fixed(steps), columns(last, hints, &name)?], Some(1), None)
        }
        [first, last] => (vec![Axis::Rows, columns(last, hints, &name)?], fixed(first), None),
        [Dim::Fixed(steps), Dim::Open(_), last] if steps > 1 => {
            (vec![Axis::Fixed(steps), Axis::Rows, columns(last, hints, &name)?], None, None)
        }
        [first, Dim::Open(steps), last] => {
            (vec![Axis::Rows, Axis::Steps, columns(last, hints, &name)?], fixed(first), Some(steps))
        }
        [first, Dim::Fixed(steps), last] => {
            let last = match last {
                // A network of one channel, whatever its name.
                Dim::Open(_) if hints.columns == steps => Axis::Fixed(1),
                last => columns(last, hints, &name)?,
            };
            (vec![Axis::Rows, Axis::Fixed(steps), last], fixed(first), None)
        }
        _ => {
            return Err(Error::unsupported(format!(
                "input '{name}' has {} axes; rows fill 1 to 3: (columns), (rows, columns) or (rows, steps, columns)",
                shape.len()
            )));
        }
    };
    Ok(Layout { axes, batch, steps })
}

fn fixed(dim: Dim<'_>) -> Option<usize> {
    match dim {
        Dim::Fixed(size) => Some(size),
        Dim::Open(_) => None,
    }
}

/// How rows fill these inputs.
///
/// # Errors
/// `MI_UNSUPPORTED` for inputs that rows cannot fill, naming them, with what would help.
pub fn filling<'a>(values: &[Value<'a>], hints: Hints) -> Result<Filling<'a>> {
    let mut filling = Filling { inputs: Vec::new(), batch: None, takes: Takes::Rows, steps: "" };
    // With several inputs the caller's number of columns is that of all of them.
    let own = if values.len() == 1 { hints } else { Hints { columns: 0, steps: 0 } };
    for value in values {
        let name = value.name.escape_default().to_string();
        let Kind::Tensor(kind, shape) = &value.kind else {
            return Err(Error::unsupported(format!(
                "input '{name}' is no tensor; export the model with tensors as inputs"
            )));
        };
        let element = element(*kind).filter(|element| element.takes_numbers()).ok_or_else(|| {
            let found = element(*kind).map_or("of an unknown type", Element::name);
            Error::unsupported(format!(
                "input '{name}' is {found}; rows fill float16, float32, float64, int32 and int64: export the model with such inputs"
            ))
        })?;
        let unknown = [Dim::Open(""), Dim::Open("")];
        let Layout { axes, batch, steps } = axes(value, shape.as_deref().unwrap_or(&unknown), own)?;
        filling.batch = match (filling.batch, batch) {
            (Some(one), Some(other)) if one != other => {
                return Err(Error::unsupported(format!(
                    "input '{name}' takes {other} rows at a time, another one {one}"
                )));
            }
            (one, other) => one.or(other),
        };
        if let Some(steps) = steps {
            if values.len() > 1 {
                return Err(Error::unsupported(format!(
                    "input '{name}' takes sequences of any length beside other inputs; export it with a fixed length"
                )));
            }
            filling.steps = steps;
        }
        filling.inputs.push(Input { name: value.name.to_owned(), element, axes });
    }
    if let [only] = &filling.inputs[..] {
        filling.takes = takes(&only.axes, hints, &only.name)?;
    }
    Ok(filling)
}

/// What a row is for a single input.
fn takes(axes: &[Axis], hints: Hints, name: &str) -> Result<Takes> {
    Ok(match *axes {
        [Axis::Rows, Axis::Fixed(steps), Axis::Fixed(1)] | [Axis::Fixed(steps), Axis::Rows, Axis::Fixed(1)] => {
            if hints.steps == steps && steps > 1 { Takes::Steps(steps) } else { Takes::Columns }
        }
        [Axis::Rows, Axis::Fixed(steps), _] | [Axis::Fixed(steps), Axis::Rows, _] => Takes::Steps(steps),
        [Axis::Fixed(steps), Axis::Fixed(_)] => Takes::Steps(steps),
        [Axis::Rows, Axis::Steps, _] => match hints.steps {
            0 => {
                return Err(Error::unsupported(format!(
                    "input '{}' takes sequences of any length; say which (options->sequence_length, or `sequence_length` in the metadata)",
                    name.escape_default()
                )));
            }
            steps => Takes::AnySteps(steps),
        },
        _ => Takes::Rows,
    })
}

/// An output as far as its shape is known.
///
/// # Errors
/// `MI_UNSUPPORTED` for one that is no tensor of numbers or text.
pub fn output(value: &Value<'_>, filling: &Filling<'_>) -> Result<Output> {
    let name = value.name.escape_default().to_string();
    let Kind::Tensor(kind, shape) = &value.kind else {
        return Err(Error::unsupported(format!(
            "output '{name}' is no tensor; export the model with tensors as outputs"
        )));
    };
    let element = element(*kind).ok_or_else(|| {
        Error::unsupported(format!("output '{name}' has elements of type {kind}, which are not read"))
    })?;
    let rows_first = filling.inputs.iter().all(|input| input.axes.first() == Some(&Axis::Rows));
    let unbatched = filling.inputs.iter().all(|input| !input.axes.contains(&Axis::Rows));
    let open = matches!(filling.takes, Takes::AnySteps(_));
    let axes = shape.as_deref().and_then(|shape| {
        let rest = |rest: &[Dim<'_>]| -> Option<Vec<Axis>> {
            rest.iter()
                .map(|dim| match *dim {
                    Dim::Fixed(size) => Some(Axis::Fixed(size)),
                    Dim::Open(name) => (open && !name.is_empty() && name == filling.steps).then_some(Axis::Steps),
                })
                .collect()
        };
        match shape.split_first() {
            _ if unbatched => rest(shape),
            Some((first, others)) if rows_first => {
                let batch = match (*first, filling.batch) {
                    (Dim::Open(_), None) => true,
                    (Dim::Fixed(size), Some(batch)) => size == batch,
                    _ => false,
                };
                batch.then(|| rest(others)).flatten().map(|mut axes| {
                    axes.insert(0, Axis::Rows);
                    axes
                })
            }
            _ => None,
        }
    });
    Ok(Output { name: value.name.to_owned(), element, axes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: Dim<'static> = Dim::Open("N");
    const F: fn(usize) -> Dim<'static> = Dim::Fixed;

    fn one(shape: &[Dim<'static>], hints: Hints) -> Result<(Vec<Axis>, Option<usize>, Takes)> {
        let value = Value { name: "x", kind: Kind::Tensor(1, Some(shape.to_vec())) };
        let filling = filling(&[value], hints)?;
        Ok((filling.inputs[0].axes.clone(), filling.batch, filling.takes))
    }

    #[test]
    fn axes_are_what_exporters_mean() {
        use Axis::{Fixed, Rows, Steps};
        let none = Hints::default();
        let hint = |columns, steps| Hints { columns, steps };
        for (shape, hints, axes, batch, takes) in [
            (&[N][..], none, vec![Rows], None, Takes::Rows),
            (&[F(7)], none, vec![Fixed(7)], Some(1), Takes::Rows),
            (&[N, F(7)], none, vec![Rows, Fixed(7)], None, Takes::Rows),
            (&[F(1), F(7)], none, vec![Rows, Fixed(7)], Some(1), Takes::Rows),
            (&[F(32), F(7)], none, vec![Rows, Fixed(7)], Some(32), Takes::Rows),
            (&[N, N], hint(7, 0), vec![Rows, Fixed(7)], None, Takes::Rows),
            (&[F(60), F(5)], hint(0, 60), vec![Fixed(60), Fixed(5)], Some(1), Takes::Steps(60)),
            (&[N, F(60), F(5)], none, vec![Rows, Fixed(60), Fixed(5)], None, Takes::Steps(60)),
            (&[F(1), F(60), F(5)], none, vec![Rows, Fixed(60), Fixed(5)], Some(1), Takes::Steps(60)),
            (&[N, F(1), F(5)], none, vec![Rows, Fixed(1), Fixed(5)], None, Takes::Steps(1)),
            (&[N, F(60), F(1)], none, vec![Rows, Fixed(60), Fixed(1)], None, Takes::Columns),
            (&[N, F(60), F(1)], hint(0, 60), vec![Rows, Fixed(60), Fixed(1)], None, Takes::Steps(60)),
            (&[N, Dim::Open("T"), F(5)], hint(0, 20), vec![Rows, Steps, Fixed(5)], None, Takes::AnySteps(20)),
            (&[F(60), N, F(5)], none, vec![Fixed(60), Rows, Fixed(5)], None, Takes::Steps(60)),
        ] {
            assert_eq!(one(shape, hints).unwrap(), (axes, batch, takes), "{shape:?} {hints:?}");
        }
        for (shape, word) in [
            (&[][..], "has 0 axes"),
            (&[N, N], "how many columns"),
            (&[N, N, F(5)], "any length"),
            (&[N, F(3), F(8), F(8)], "has 4 axes"),
        ] {
            let error = one(shape, none).unwrap_err();
            assert!(error.message().contains(word), "{shape:?}: {error}");
        }
    }

    #[test]
    fn axes_of_outputs_follow_those_of_inputs() {
        use Axis::{Fixed, Rows, Steps};
        let open = |inputs: &[Dim<'static>], hints, shape: &[Dim<'static>]| {
            let value = |shape: &[Dim<'static>]| Value { name: "x", kind: Kind::Tensor(1, Some(shape.to_vec())) };
            output(&value(shape), &filling(&[value(inputs)], hints).unwrap()).unwrap().axes
        };
        let none = Hints::default();
        assert_eq!(open(&[N, F(3)], none, &[Dim::Open("unk"), F(2)]), Some(vec![Rows, Fixed(2)]));
        assert_eq!(open(&[N, F(3)], none, &[N]), Some(vec![Rows]));
        assert_eq!(open(&[N, F(3)], none, &[N, N]), None);
        assert_eq!(open(&[N, F(3)], none, &[F(1), F(2)]), None, "rows would be lost");
        assert_eq!(open(&[F(4), F(3)], none, &[F(4), F(2)]), Some(vec![Rows, Fixed(2)]));
        assert_eq!(open(&[F(3)], none, &[F(2)]), Some(vec![Fixed(2)]));
        assert_eq!(open(&[F(3)], none, &[]), Some(vec![]));
        let steps = Hints { columns: 0, steps: 9 };
        let shape = [N, Dim::Open("T"), F(5)];
        assert_eq!(open(&shape, steps, &[N, Dim::Open("T"), F(1)]), Some(vec![Rows, Steps, Fixed(1)]));
        assert_eq!(open(&shape, steps, &[N, Dim::Open("U"), F(1)]), None);
        assert_eq!(open(&[F(9), N, F(5)], none, &[F(9), N, F(2)]), None);
    }
}
