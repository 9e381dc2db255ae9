//! Layers that hold another layer.

use super::recurrent;
use crate::error::{Error, Result};
use crate::formats::keras::layer::{Arg, Call, Layer, Outputs};
use crate::formats::keras::table::{self, Entry, none};
use crate::ir::network::{Builder, Dim, Merge, NodeId};

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry {
        class: "TimeDistributed",
        read: each_step,
        weights: none,
        what: "any layer or model at every step",
        refused: "",
    },
    Entry {
        class: "Bidirectional",
        read: both_ways,
        weights: none,
        what: "every merge_mode, another layer backwards, states",
        refused: "",
    },
];

/// The layers inside of a layer, in the order in which their weights are made.
pub(in crate::formats::keras) fn parts(layer: Layer<'_>) -> Result<Option<Vec<Layer<'_>>>> {
    match layer.class {
        "TimeDistributed" => Ok(Some(vec![Layer::new(layer.config.need("layer")?)?])),
        "Bidirectional" => {
            let forward = Layer::new(layer.config.need("layer")?)?;
            let backward = layer.config.get("backward_layer").map_or(Ok(forward), Layer::new)?;
            Ok(Some(vec![forward, backward]))
        }
        "RNN" => Ok(Some(vec![Layer::new(layer.config.need("cell")?)?])),
        "StackedRNNCells" => recurrent::inner(layer).map(Some),
        _ => Ok(None),
    }
}

fn each_step(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let (inner, weights) = call.part("layer", &["layer"])?;
    // Rows and steps become one axis of rows, and come apart behind the layer.
    let shape = call.builder().shape(x).clone();
    let steps = shape.size(1)?;
    let sizes: Vec<Option<usize>> =
        std::iter::once(None).chain(shape.dims()[2..].iter().map(|dim| Some(dim.per_row()))).collect();
    let flat = call.builder().reshape(x, &sizes)?;
    let outputs = call.inner(inner, weights, vec![Arg::Tensor(flat)])?;
    outputs.into_iter().map(|y| apart(call.builder(), y, steps)).collect()
}

fn apart(builder: &mut Builder, y: NodeId, steps: usize) -> Result<NodeId> {
    let dims = builder.shape(y).dims();
    if !matches!(dims.first(), Some(Dim::Batch { .. })) {
        return Err(Error::malformed("the layer inside moves the rows"));
    }
    let mut sizes = vec![None, Some(steps)];
    sizes.extend(dims[1..].iter().map(|dim| Some(dim.per_row())));
    builder.reshape(y, &sizes)
}

fn both_ways(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let config = call.config();
    let forward = Layer::new(config.need("layer")?)?;
    let backward = config.get("backward_layer").map(Layer::new).transpose()?;
    let merge = match config.get("merge_mode").map(|_| config.text("merge_mode", "")).transpose()? {
        Some("concat") => Some(Merge::Concat),
        Some("sum") => Some(Merge::Sum),
        Some("mul") => Some(Merge::Multiply),
        Some("ave") => Some(Merge::Average),
        None => None,
        Some(other) => return Err(Error::unsupported(format!("merge_mode '{}' is not read", other.escape_debug()))),
    };
    let mut tensors = Vec::new();
    for (place, name) in [(0, "sequences"), (1, "initial_state")] {
        if let Some(arg) = call.arg(place, name) {
            arg.tensors(&mut tensors);
        }
    }
    let Some((&x, states)) = tensors.split_first() else {
        return Err(Error::malformed("it is called without a tensor"));
    };
    if !states.len().is_multiple_of(2) {
        return Err(Error::malformed(format!("{} states for two directions", states.len())));
    }
    let sequences = forward.config.flag("return_sequences", false)?;
    let mut made = Vec::new();
    for (at, (layer, name)) in
        [(forward, "forward_layer"), (backward.unwrap_or(forward), "backward_layer")].into_iter().enumerate()
    {
        let weights = call.weights.part(&[name], table::variables(layer)?.len())?;
        let states = &states[at * states.len() / 2..(at + 1) * states.len() / 2];
        let args = vec![Arg::Tensor(x), Arg::List(states.iter().copied().map(Arg::Tensor).collect())];
        // Without a layer of its own the way back is the same layer, turned.
        let turned = at == 1 && backward.is_none();
        made.push(call.inner(Layer { turned, ..layer }, weights, args)?);
    }
    let [forward, mut backward] = <[Outputs; 2]>::try_from(made).map_err(|_| Error::internal("two directions"))?;
    let builder = call.builder();
    if sequences {
        let axis = builder.shape(backward[0]).axis(-2)?;
        backward[0] = builder.reverse(backward[0], axis)?;
    }
    let mut outputs = match merge {
        Some(merge) => vec![builder.merged(forward[0], backward[0], merge)?],
        None => vec![forward[0], backward[0]],
    };
    outputs.extend(&forward[1..]);
    outputs.extend(&backward[1..]);
    Ok(outputs)
}
