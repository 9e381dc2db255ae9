//! Recurrent layers: several in a row, in one direction or both.

use super::super::graph::Graph;
use super::super::known::transposed;
use super::super::number::Kind;
use super::super::value::{Args, Tensor, Value};
use super::{Lower, positive};
use crate::error::{Error, Result, Within};
use crate::ir::network::{Array, Cell, Data, Function, NodeId, Op, Recurrent, Returns};
use std::sync::Arc;

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("lstm", |g, a| run(g, a, Cell::Lstm { activation: Function::Tanh, gate: Function::Sigmoid })),
    ("gru", |g, a| run(g, a, Cell::Gru { activation: Function::Tanh, gate: Function::Sigmoid, reset_after: true })),
    ("rnn_tanh", |g, a| run(g, a, Cell::Simple { activation: Function::Tanh })),
    ("rnn_relu", |g, a| run(g, a, Cell::Simple { activation: Function::Relu })),
];

/// Weights of one direction of one layer, as PyTorch has them: (gates * units, inputs).
struct Weights {
    input: Arc<Array>,
    state: Arc<Array>,
    biases: Option<(Arc<Array>, Arc<Array>)>,
}

/// PyTorch's GRU has reset before update.
const SWAPPED: [usize; 3] = [1, 0, 2];

/// `lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)`: the states of all steps, then the last
/// state of each layer and direction, and for an LSTM the last memory.
fn run(graph: &mut Graph, args: &Args, cell: Cell) -> Result<Value> {
    let mut x = args.tensor(0, "input")?.clone();
    let states: Vec<Tensor> = args.tensors(1, "hx")?;
    let params: Vec<Tensor> = args.tensors(2, "params")?;
    let biased = args.bool_or(3, "has_biases", true)?;
    let layers = positive(args.int_or(4, "num_layers", 1)?, "num_layers")?;
    let both = args.bool_or(7, "bidirectional", false)?;
    let rows_first = args.bool_or(8, "batch_first", false)?;
    if graph.rank(&x) != 3 {
        return Err(Error::unsupported("one sequence alone; export the model with a batch of them"));
    }
    if !rows_first {
        x = graph.swap(&x, 0, 1)?;
    }
    let directions = if both { 2 } else { 1 };
    let each = if biased { 4 } else { 2 };
    let expected = layers.checked_mul(directions * each);
    if expected != Some(params.len()) {
        let count = params.len();
        if Some(count) == layers.checked_mul(directions * (each + 1)) {
            return Err(Error::unsupported("an LSTM with proj_size is not read; export the model to ONNX"));
        }
        return Err(Error::malformed(format!("{count} weights for {layers} layers in {directions} directions")));
    }
    let mut last = Vec::new();
    let mut memories = Vec::new();
    for layer in 0..layers {
        let mut sides = Vec::new();
        for direction in 0..directions {
            let index = layer * directions + direction;
            let weights = weights(&params[index * each..][..each], biased)?;
            let op = recurrent(&weights, cell, direction == 1).within(|| format!("layer {layer}"))?;
            let start = initial(graph, &states, index)?;
            let mut operands = vec![graph.node(&x)?];
            operands.extend(start);
            let sequence = graph.builder.add(Op::Recurrent(Box::new(op.clone())), &operands)?;
            sides.push(graph.of_node(sequence, Kind::Float));
            let mut give = |returns| {
                let op = Recurrent { returns, ..op.clone() };
                let node = graph.builder.add(Op::Recurrent(Box::new(op)), &operands)?;
                let state = graph.of_node(node, Kind::Float);
                graph.unsqueeze(&state, 0)
            };
            last.push(give(Returns::Last)?);
            if matches!(cell, Cell::Lstm { .. }) {
                memories.push(give(Returns::Memory)?);
            }
        }
        x = match &sides[..] {
            [only] => only.clone(),
            _ => graph.concat(&sides, 2)?,
        };
    }
    if !rows_first {
        x = graph.swap(&x, 0, 1)?;
    }
    let mut results = vec![Value::Tensor(x), Value::Tensor(graph.concat(&last, 0)?)];
    if !memories.is_empty() {
        results.push(Value::Tensor(graph.concat(&memories, 0)?));
    }
    Ok(Value::List(results))
}

/// The initial states of one layer and direction; none when they are 0, as a layer has them by itself.
fn initial(graph: &mut Graph, states: &[Tensor], index: usize) -> Result<Vec<NodeId>> {
    if states.iter().all(|state| graph.is_zero(state)) {
        return Ok(Vec::new());
    }
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    states
        .iter()
        .map(|state| {
            let own = graph.select(state, 0, index)?;
            graph.node(&own)
        })
        .collect()
}

fn weights(params: &[Tensor], biased: bool) -> Result<Weights> {
    let known = |index: usize| Graph::known(&params[index], "weights of a recurrent layer");
    let biases = if biased { Some((known(2)?, known(3)?)) } else { None };
    Ok(Weights { input: known(0)?, state: known(1)?, biases })
}

fn recurrent(weights: &Weights, cell: Cell, reverse: bool) -> Result<Recurrent> {
    let gates = cell.gates();
    let order: Vec<usize> = if gates == 3 { SWAPPED.to_vec() } else { (0..gates).collect() };
    let turn = |array: &Array| -> Result<Arc<Array>> { Ok(Arc::new(transposed(&ordered(array, &order)?, &[1, 0])?)) };
    let line = |array: &Array| -> Result<Arc<Array>> { Ok(Arc::new(ordered(array, &order)?)) };
    let (bias, recurrent_bias) = match &weights.biases {
        Some((input, state)) => (Some(line(input)?), Some(line(state)?)),
        None => (None, None),
    };
    Ok(Recurrent {
        cell,
        kernel: turn(&weights.input)?,
        recurrent: turn(&weights.state)?,
        bias,
        recurrent_bias,
        reverse,
        returns: Returns::Sequence,
    })
}

/// Blocks of this many numbers in another order.
fn pick<T: Copy>(data: &[T], order: &[usize], block: usize) -> Vec<T> {
    order.iter().flat_map(|&gate| data[gate * block..][..block].iter().copied()).collect()
}

/// Blocks along the first axis in another order.
fn ordered(array: &Array, order: &[usize]) -> Result<Array> {
    let size = array.shape().first().copied().unwrap_or(0);
    if size == 0 || !size.is_multiple_of(order.len()) || array.shape().len() > 2 {
        return Err(Error::malformed(format!("weights of shape {:?} for {} gates", array.shape(), order.len())));
    }
    let block = array.len() / order.len();
    let data = match array.data() {
        Data::F32(data) => Data::F32(pick(data, order, block)),
        Data::F64(data) => Data::F64(pick(data, order, block)),
    };
    Array::new(array.shape().to_vec(), data)
}
