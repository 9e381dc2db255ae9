//! Classes that training code brings along, of which the file has the name alone: those of variational autoencoders.

use super::basic::same;
use crate::error::{Error, Result};
use crate::formats::keras::layer::{Call, Layer, Outputs};

/// What reads a layer of a class that is not Keras' own.
pub(in crate::formats::keras) fn reader(layer: Layer<'_>) -> Result<fn(&mut Call<'_, '_>) -> Result<Outputs>> {
    let class = layer.class.rsplit('>').next().unwrap_or_default().to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| class.contains(word));
    if has(&["sampling", "sampler", "reparam"]) {
        return Ok(mean);
    }
    if has(&["kldiv", "kl_div", "klloss", "kl_loss", "kllayer", "kl_layer", "kullback"]) {
        return Ok(handed_on);
    }
    Err(Error::unsupported(
        "its class is not one of Keras, and its code is not in the file; write it with layers of Keras, or export the model to ONNX",
    ))
}

/// Noise around a mean, which is 0 when it predicts: the first tensor.
fn mean(call: &mut Call<'_, '_>) -> Result<Outputs> {
    without_weights(call)?;
    match call.tensors()[..] {
        [mean, _, ..] => Ok(vec![mean]),
        _ => Err(Error::unsupported(
            "a layer that samples is expected to take a mean and a log of the variance; export the model to ONNX",
        )),
    }
}

/// What adds to a loss and hands its tensors on.
fn handed_on(call: &mut Call<'_, '_>) -> Result<Outputs> {
    without_weights(call)?;
    same(call)
}

fn without_weights(call: &Call<'_, '_>) -> Result<()> {
    if call.weights.is_empty()? {
        return Ok(());
    }
    Err(Error::unsupported("it has weights, and its code is not in the file; export the model to ONNX"))
}
