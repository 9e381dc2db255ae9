//! Sums of products by their subscripts, as far as they are dense layers in disguise.

use super::activation::Activation;
use super::{permuted, product, reshaped};
use crate::error::{Error, Result};
use crate::formats::keras::layer::{Call, Outputs};
use crate::ir::network::{Binary, Op};

/// `input,weights->output`, one letter for each axis.
struct Subscripts {
    input: Vec<char>,
    weights: Vec<char>,
    output: Vec<char>,
}

impl Subscripts {
    /// Reads an equation for an input of so many axes; `...` stands for those that have no letter.
    fn parse(equation: &str, rank: usize) -> Result<Self> {
        let refuse =
            || Error::unsupported(format!("the equation '{}' is not read; use a Dense layer", equation.escape_debug()));
        let (left, output) = equation.split_once("->").ok_or_else(refuse)?;
        let (input, weights) = left.split_once(',').ok_or_else(refuse)?;
        let letters = |text: &str| text.chars().filter(|letter| letter.is_alphabetic()).collect::<Vec<char>>();
        let open = if input.contains("...") { rank.checked_sub(letters(input).len()).ok_or_else(refuse)? } else { 0 };
        if open > crate::limits::TENSOR_AXES {
            return Err(refuse());
        }
        // Digits stand for axes without letters.
        let all = |text: &str| -> Vec<char> {
            let mut found = Vec::new();
            let text = text.trim();
            let (front, behind) = text.split_once("...").map_or((text, None), |(front, behind)| (front, Some(behind)));
            found.extend(letters(front));
            if let Some(behind) = behind {
                found.extend((0..open).filter_map(|axis| char::from_digit(u32::try_from(axis).ok()?, 10)));
                found.extend(letters(behind));
            }
            found
        };
        let it = Self { input: all(input), weights: all(weights), output: all(output) };
        let twice = |letters: &[char]| letters.iter().enumerate().any(|(at, letter)| letters[..at].contains(letter));
        if it.input.len() != rank || twice(&it.input) || twice(&it.weights) || twice(&it.output) {
            return Err(refuse());
        }
        let shared = it.output.iter().any(|letter| it.input.contains(letter) && it.weights.contains(letter));
        let lost = it.input.iter().any(|letter| !it.output.contains(letter) && !it.weights.contains(letter));
        let odd = it.weights.iter().any(|letter| !it.input.contains(letter) && !it.output.contains(letter));
        let new = it.output.iter().any(|letter| !it.input.contains(letter) && !it.weights.contains(letter));
        if shared || lost || odd || new { Err(refuse()) } else { Ok(it) }
    }
}

/// An `EinsumDense`: axes that are summed over come last, those of the weights take their place.
pub(super) fn read(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let rank = call.rank(x);
    let it = Subscripts::parse(call.config().text("equation", "")?, rank)?;
    let bias = call.config().get("bias_axes").is_some();
    let (kernel, bias) = (call.weights.take("kernel")?, call.weights.maybe(bias, "bias")?);
    if kernel.shape().len() != it.weights.len() {
        return Err(Error::malformed(format!(
            "a kernel of shape {:?} for {} subscripts",
            kernel.shape(),
            it.weights.len()
        )));
    }
    let place = |letters: &[char], letter: char| letters.iter().position(|known| *known == letter);
    let (kept, summed): (Vec<usize>, Vec<usize>) = (0..rank).partition(|&axis| it.output.contains(&it.input[axis]));
    let free: Vec<usize> = (0..it.weights.len()).filter(|&axis| it.output.contains(&it.weights[axis])).collect();
    let order: Vec<usize> =
        summed.iter().filter_map(|&axis| place(&it.weights, it.input[axis])).chain(free.iter().copied()).collect();
    let sizes = |axes: &[usize]| axes.iter().map(|&axis| kernel.shape()[axis]).collect::<Vec<usize>>();
    let (inside, outside) = (sizes(&order[..summed.len()]), sizes(&free));
    let weights = permuted(&kernel, &order)?;
    let weights = reshaped(&weights, &[product(&inside)?, product(&outside)?])?;
    let builder = call.builder();
    let front: Vec<usize> = kept.iter().chain(&summed).copied().collect();
    let y = builder.transpose(x, &front)?;
    let dims = builder.shape(y).dims().to_vec();
    let keep = |dims: &[crate::ir::network::Dim], more: &[usize]| -> Vec<Option<usize>> {
        let sizes = dims[..kept.len()].iter().map(|dim| if dim.is_batch() { None } else { Some(dim.per_row()) });
        sizes.chain(more.iter().copied().map(Some)).collect()
    };
    let y = builder.reshape(y, &keep(&dims, &[product(&inside)?]))?;
    let y = builder.dense(y, weights, None)?;
    let y = builder.reshape(y, &keep(&dims, &outside))?;
    let letters: Vec<char> =
        kept.iter().map(|&axis| it.input[axis]).chain(free.iter().map(|&axis| it.weights[axis])).collect();
    let back: Vec<usize> = it.output.iter().filter_map(|&letter| place(&letters, letter)).collect();
    let mut y = builder.transpose(y, &back)?;
    if let Some(bias) = bias {
        let bias = builder.add(Op::Constant(bias), &[])?;
        y = builder.binary(Binary::Add, y, bias)?;
    }
    Activation::of(call, "activation")?.apply(call, y)
}
