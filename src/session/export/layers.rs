//! Layers with weights, and those whose tensors lie otherwise in ONNX: channels before steps, steps before rows.

use super::Exporter;
use super::functions::reduce;
use super::writer::{Attribute, Name, int};
use crate::error::{Error, Result};
use crate::ir::network::{
    Array, Cell, Convolution, Data, Dense, Function, Norm, Normalize, Pool, Pooling, Recurrent, Reduction, Returns,
    Shape,
};

/// The numbers of an array.
pub(super) fn numbers(array: &Array) -> impl Iterator<Item = f32> + '_ {
    match array.data() {
        Data::F32(numbers) => numbers.iter().copied(),
        Data::F64(_) => [].iter().copied(),
    }
}

impl Exporter<'_> {
    pub(super) fn dense(&mut self, index: usize, dense: &Dense) -> Name {
        let x = self.operands(index)[0];
        let weights = self.graph.floats(dense.weights.shape(), numbers(&dense.weights));
        let bias = dense.bias.as_ref().map(|bias| self.graph.floats(bias.shape(), numbers(bias)));
        match bias {
            Some(bias) if self.network.nodes()[index].shape().rank() == 2 => {
                self.graph.node("Gemm", &[x, weights, bias], &[])
            }
            Some(bias) => {
                let product = self.graph.node("MatMul", &[x, weights], &[]);
                self.graph.node("Add", &[product, bias], &[])
            }
            None => self.graph.node("MatMul", &[x, weights], &[]),
        }
    }

    pub(super) fn normalize(&mut self, index: usize, normalize: &Normalize) -> Name {
        let x = self.operands(index)[0];
        let shape = self.network.nodes()[index].shape();
        let sizes = &shape.per_row()[shape.rank() - normalize.axes..];
        let axes: Vec<i64> = (shape.rank() - normalize.axes..shape.rank()).map(int).collect();
        let graph = &mut self.graph;
        let scale = match &normalize.scale {
            Some(scale) => graph.floats(sizes, numbers(scale)),
            None => graph.floats(sizes, std::iter::repeat_n(1.0, sizes.iter().product())),
        };
        let shift = normalize.shift.as_ref().map(|shift| graph.floats(sizes, numbers(shift)));
        if let Norm::Layer { epsilon } = normalize.norm {
            let attributes = [("axis", Attribute::Int(axes[0])), ("epsilon", Attribute::Float(epsilon))];
            return graph.node("LayerNormalization", &[x, scale, shift.unwrap_or(Name::NONE)], &attributes);
        }
        let squares = graph.node("Mul", &[x, x], &[]);
        let size = match normalize.norm {
            Norm::Unit { least } => {
                let sum = reduce(graph, Reduction::Sum, squares, &axes, true);
                let least = graph.scalar(least);
                graph.node("Max", &[sum, least], &[])
            }
            Norm::Rms { epsilon } | Norm::Layer { epsilon } => {
                let mean = reduce(graph, Reduction::Mean, squares, &axes, true);
                let epsilon = graph.scalar(epsilon);
                graph.node("Add", &[mean, epsilon], &[])
            }
        };
        let root = graph.node("Sqrt", &[size], &[]);
        let quotient = graph.node("Div", &[x, root], &[]);
        let product = graph.node("Mul", &[quotient, scale], &[]);
        shift.map_or(product, |shift| graph.node("Add", &[product, shift], &[]))
    }

    /// Sequences behind each other, their axes in another order: (.., steps, channels) becomes (sequences, `order` of the three).
    fn lined_up(&mut self, x: Name, shape: &Shape, order: &[usize; 3]) -> Name {
        let [.., steps, channels] = shape.per_row()[..] else { return x };
        let x = if shape.rank() == 3 { x } else { self.graph.reshape(x, &[-1, int(steps), int(channels)]) };
        self.graph.transpose(x, order)
    }

    /// The way back to the shape of a node.
    fn apart(&mut self, x: Name, order: &[usize; 3], shape: &Shape) -> Name {
        let x = self.graph.transpose(x, order);
        if shape.rank() == 3 { x } else { self.graph.reshape_to(x, shape) }
    }

    pub(super) fn convolution(&mut self, index: usize, layer: &Convolution) -> Name {
        let (x, from, to) = (self.operands(index)[0], self.from(index, 0), self.network.nodes()[index].shape());
        let x = self.lined_up(x, from, &[0, 2, 1]);
        let [taps, inside, filters] = *layer.kernel.shape() else { return x };
        let kernel: Vec<f32> = numbers(&layer.kernel).collect();
        let places = (0..filters).flat_map(|filter| {
            (0..inside).flat_map(move |channel| (0..taps).map(move |tap| (tap * inside + channel) * filters + filter))
        });
        let mut operands = vec![x, self.graph.floats(&[filters, inside, taps], places.map(|place| kernel[place]))];
        if let Some(bias) = &layer.bias {
            operands.push(self.graph.floats(bias.shape(), numbers(bias)));
        }
        let attributes = [
            ("pads", Attribute::Ints(&[int(layer.before), int(layer.after)])),
            ("strides", Attribute::Ints(&[int(layer.stride)])),
            ("dilations", Attribute::Ints(&[int(layer.dilation)])),
            ("group", Attribute::Int(int(layer.groups))),
        ];
        let y = self.graph.node("Conv", &operands, &attributes);
        self.apart(y, &[0, 2, 1], to)
    }

    pub(super) fn pool(&mut self, index: usize, pool: Pool) -> Name {
        let (x, from, to) = (self.operands(index)[0], self.from(index, 0), self.network.nodes()[index].shape());
        let x = self.lined_up(x, from, &[0, 2, 1]);
        let (pads, strides, dilations, size) =
            ([int(pool.before), int(pool.after)], [int(pool.stride)], [int(pool.dilation)], [int(pool.size)]);
        let mut attributes = vec![
            ("kernel_shape", Attribute::Ints(&size)),
            ("pads", Attribute::Ints(&pads)),
            ("strides", Attribute::Ints(&strides)),
            ("dilations", Attribute::Ints(&dilations)),
        ];
        let op = match pool.how {
            Pooling::Max => "MaxPool",
            Pooling::Mean => "AveragePool",
            Pooling::MeanOfAll => {
                attributes.push(("count_include_pad", Attribute::Int(1)));
                "AveragePool"
            }
        };
        let y = self.graph.node(op, &[x], &attributes);
        self.apart(y, &[0, 2, 1], to)
    }

    pub(super) fn recurrent(&mut self, index: usize, layer: &Recurrent) -> Result<Name> {
        let (operands, from, to) = (self.operands(index), self.from(index, 0), self.network.nodes()[index].shape());
        // Where each gate of ONNX lies among ours.
        let (op, order, functions): (_, &[usize], Vec<Function>) = match layer.cell {
            Cell::Simple { activation } => ("RNN", &[0], vec![activation]),
            Cell::Gru { activation, gate, .. } => ("GRU", &[0, 1, 2], vec![gate, activation]),
            Cell::Lstm { activation, gate } => ("LSTM", &[0, 3, 1, 2], vec![gate, activation, activation]),
        };
        let (units, wide) = (layer.units(), layer.kernel.shape()[1]);
        let features = layer.kernel.shape()[0];
        let turned = |array: &Array, rows: usize| {
            let numbers: Vec<f32> = numbers(array).collect();
            let columns = order.iter().flat_map(|&gate| (gate * units)..((gate + 1) * units));
            columns
                .flat_map(|column| (0..rows).map(|row| numbers[row * wide + column]).collect::<Vec<f32>>())
                .collect::<Vec<f32>>()
        };
        let mut activations = Vec::new();
        let (mut alphas, mut betas) = (Vec::new(), Vec::new());
        for function in functions {
            let (name, alpha, beta) = activation(function)?;
            activations.push(name);
            alphas.extend(alpha);
            betas.extend(beta);
        }
        let x = self.lined_up(operands[0], from, &[1, 0, 2]);
        let kernel = self.graph.floats(&[1, wide, features], turned(&layer.kernel, features));
        let recurrent = self.graph.floats(&[1, wide, units], turned(&layer.recurrent, units));
        let mut bias = Vec::new();
        for part in [&layer.bias, &layer.recurrent_bias] {
            bias.extend(part.as_ref().map_or_else(|| vec![0.0; wide], |bias| turned(bias, 1)));
        }
        let mut inputs = vec![x, kernel, recurrent, self.graph.floats(&[1, 2 * wide], bias), Name::NONE];
        for state in &operands[1..] {
            inputs.push(self.graph.reshape(*state, &[1, -1, int(units)]));
        }
        let direction = if layer.reverse { "reverse" } else { "forward" };
        let mut attributes = vec![
            ("hidden_size", Attribute::Int(int(units))),
            ("direction", Attribute::Text(direction)),
            ("activations", Attribute::Texts(&activations)),
        ];
        if !alphas.is_empty() {
            attributes.push(("activation_alpha", Attribute::Floats(&alphas)));
        }
        if !betas.is_empty() {
            attributes.push(("activation_beta", Attribute::Floats(&betas)));
        }
        if let Cell::Gru { reset_after, .. } = layer.cell {
            attributes.push(("linear_before_reset", Attribute::Int(reset_after.into())));
        }
        let wanted = match layer.returns {
            Returns::Sequence => 0,
            Returns::Last => 1,
            Returns::Memory => 2,
        };
        let y = self.graph.node_output(op, &inputs, &attributes, wanted);
        if layer.returns == Returns::Sequence {
            // (steps, 1, sequences, units).
            let steps = from.per_row()[from.rank() - 2];
            let y = self.graph.reshape(y, &[int(steps), -1, int(units)]);
            return Ok(self.apart(y, &[1, 0, 2], to));
        }
        Ok(self.graph.reshape_to(y, to))
    }
}

/// A function of a recurrent layer by its name in ONNX, with alpha and beta.
fn activation(function: Function) -> Result<(&'static str, Option<f64>, Option<f64>)> {
    Ok(match function {
        Function::Tanh => ("Tanh", None, None),
        Function::Sigmoid => ("Sigmoid", None, None),
        Function::Relu => ("Relu", None, None),
        Function::Softsign => ("Softsign", None, None),
        Function::Softplus => ("Softplus", None, None),
        Function::Identity => ("Affine", Some(1.0), Some(0.0)),
        Function::Elu { alpha } => ("Elu", Some(alpha), None),
        Function::HardSigmoid { slope, offset } => ("HardSigmoid", Some(slope), Some(offset)),
        Function::BentRelu { slope, threshold: 0.0, max: f64::INFINITY } => ("LeakyRelu", Some(slope), None),
        other => {
            return Err(Error::unsupported(format!(
                "{other:?} in a recurrent layer does not exist in ONNX; run the network natively"
            )));
        }
    })
}
