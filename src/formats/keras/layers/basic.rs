//! Dense layers, tables, and what predicts nothing.

use super::activation::Activation;
use crate::error::{Error, Result};
use crate::formats::keras::layer::{Call, Layer, Outputs};
use crate::formats::keras::table::{Entry, none};
use crate::ir::network::Op;

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry {
        class: "Dense",
        read: dense,
        weights: kernel_and_bias,
        what: "over the last axis",
        refused: "quantized weights",
    },
    Entry {
        class: "EinsumDense",
        read: super::einsum::read,
        weights: einsum_weights,
        what: "subscripts that sum over axes of the input",
        refused: "axes that input, weights and output share",
    },
    Entry {
        class: "Embedding",
        read: embedding,
        weights: |_| Ok((1, 0)),
        what: "numbers of rows as numbers of the input",
        refused: "mask_zero",
    },
    Entry { class: "Dropout", read: same, weights: none, what: "does nothing when it predicts", refused: "" },
    Entry { class: "SpatialDropout1D", read: same, weights: none, what: "does nothing when it predicts", refused: "" },
    Entry { class: "SpatialDropout2D", read: same, weights: none, what: "does nothing when it predicts", refused: "" },
    Entry { class: "GaussianDropout", read: same, weights: none, what: "does nothing when it predicts", refused: "" },
    Entry { class: "GaussianNoise", read: same, weights: none, what: "does nothing when it predicts", refused: "" },
    Entry { class: "AlphaDropout", read: same, weights: none, what: "does nothing when it predicts", refused: "" },
    Entry {
        class: "ActivityRegularization",
        read: same,
        weights: none,
        what: "does nothing when it predicts",
        refused: "",
    },
    Entry { class: "Identity", read: same, weights: none, what: "", refused: "" },
];

/// A kernel, and a bias when the layer says so.
pub(super) fn kernel_and_bias(layer: Layer<'_>) -> Result<(usize, usize)> {
    Ok((1 + usize::from(layer.config.flag("use_bias", true)?), 0))
}

#[allow(clippy::unnecessary_wraps)] // as the table has it
fn einsum_weights(layer: Layer<'_>) -> Result<(usize, usize)> {
    Ok((1 + usize::from(layer.config.get("bias_axes").is_some()), 0))
}

fn dense(call: &mut Call<'_, '_>) -> Result<Outputs> {
    if call.config().get("quantization_config").is_some() {
        return Err(Error::unsupported("its weights are quantized; save the model before it is"));
    }
    let bias = call.config().flag("use_bias", true)?;
    let (kernel, bias) = (call.weights.take("kernel")?, call.weights.maybe(bias, "bias")?);
    let x = call.x()?;
    let y = call.builder().dense(x, kernel, bias)?;
    Activation::of(call, "activation")?.apply(call, y)
}

fn embedding(call: &mut Call<'_, '_>) -> Result<Outputs> {
    if call.config().flag("mask_zero", false)? {
        return Err(Error::unsupported("mask_zero is set, and masks are not read; train the model without it"));
    }
    let table = call.weights.take("embeddings")?;
    let x = call.x()?;
    Ok(vec![call.builder().add(Op::Embedding(table), &[x])?])
}

/// What comes in.
pub(super) fn same(call: &mut Call<'_, '_>) -> Result<Outputs> {
    match call.tensors() {
        tensors if tensors.is_empty() => Err(Error::malformed("it is called without a tensor")),
        tensors => Ok(tensors),
    }
}
