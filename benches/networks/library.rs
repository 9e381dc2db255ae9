//! The perceptron once more, as a program would write it with a matrix library: `matrixmultiply`, what `ndarray` multiplies with.

use super::models::numbers;
use std::hint::black_box;

struct Layer {
    inputs: usize,
    outputs: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Layer {
    fn run(&self, x: &[f32], rows: usize, out: &mut [f32], relu: bool) {
        for out in out.chunks_exact_mut(self.outputs) {
            out.copy_from_slice(&self.bias);
        }
        let (m, k, n) = (rows, self.inputs, self.outputs);
        let (strides, columns) = (|width: usize| isize::try_from(width).expect("a width"), 1);
        assert!(x.len() >= m * k && self.weights.len() == k * n && out.len() >= m * n);
        // SAFETY: the assertion holds what the strides reach; `out` overlaps neither operand.
        unsafe {
            matrixmultiply::sgemm(
                m,
                k,
                n,
                1.0,
                x.as_ptr(),
                strides(k),
                columns,
                self.weights.as_ptr(),
                strides(n),
                columns,
                1.0,
                out.as_mut_ptr(),
                strides(n),
                columns,
            );
        }
        if relu {
            out.iter_mut().for_each(|x| *x = x.max(0.0));
        }
    }
}

/// Layers and what they give.
pub struct Perceptron {
    widths: [usize; 4],
    layers: Vec<Layer>,
    x: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Perceptron {
    pub fn new(widths: [usize; 4]) -> Self {
        let layer = |pair: &[usize]| Layer {
            inputs: pair[0],
            outputs: pair[1],
            weights: numbers(2, pair[0] * pair[1]).iter().map(|number| number * 0.2).collect(),
            bias: numbers(1, pair[1]),
        };
        Self {
            widths,
            layers: widths.windows(2).map(layer).collect(),
            x: numbers(1, super::ROWS * widths[0]),
            first: vec![0.0; super::ROWS * widths[1]],
            second: vec![0.0; super::ROWS * widths[2]],
        }
    }

    pub fn run(&mut self, rows: usize) {
        let [_, first, second, last] = self.widths;
        self.layers[0].run(black_box(&self.x), rows, &mut self.first[..rows * first], true);
        self.layers[1].run(&self.first, rows, &mut self.second[..rows * second], true);
        self.layers[2].run(&self.second, rows, &mut self.first[..rows * last], false);
        black_box(&mut self.first);
    }
}
