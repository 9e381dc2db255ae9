//! Every layer that is read.

use super::layer::{Call, Layer, Outputs};
use super::{layers, operations, reader};
use crate::error::{Error, Result};

/// How a layer is read.
type Read = fn(&mut Call<'_, '_>) -> Result<Outputs>;

/// A class of layers.
pub(super) struct Entry {
    /// Its name.
    pub class: &'static str,
    /// How a call of it is read.
    pub read: Read,
    /// How many weights it makes that are trained, and how many others behind them.
    pub weights: fn(Layer<'_>) -> Result<(usize, usize)>,
    /// What of it is read, as the documentation says it.
    pub what: &'static str,
    /// What of it is refused.
    pub refused: &'static str,
}

/// The classes by what they are about.
pub(super) const TABLE: &[&[Entry]] = &[
    layers::basic::ENTRIES,
    layers::activation::ENTRIES,
    layers::convolution::ENTRIES,
    layers::pooling::ENTRIES,
    layers::recurrent::ENTRIES,
    layers::attention::ENTRIES,
    layers::normalization::ENTRIES,
    layers::merge::ENTRIES,
    layers::shapes::ENTRIES,
    layers::wrapped::ENTRIES,
    operations::ENTRIES,
];

/// What is not read, and what to do about it.
const REFUSED: &[(&str, &str)] = &[
    ("Masking", "masks are not read; fill the steps that are missing, and leave the layer out"),
    ("Lambda", "its code is not read; write it with layers or operations of Keras, or export the model to ONNX"),
    ("StringLookup", "text is not read; look words up before the model, or export the layers behind it"),
    ("TextVectorization", "text is not read; look words up before the model, or export the layers behind it"),
    ("Hashing", "text is not read; hash words before the model, or export the layers behind it"),
    ("CuDNNLSTM", "it is of TensorFlow 1; load the model there, copy its weights into an LSTM and save that"),
    ("CuDNNGRU", "it is of TensorFlow 1; load the model there, copy its weights into a GRU and save that"),
];

/// No weights.
#[allow(clippy::unnecessary_wraps)] // as the table has it
pub(super) fn none(_: Layer<'_>) -> Result<(usize, usize)> {
    Ok((0, 0))
}

fn entry(layer: Layer<'_>) -> Option<&'static Entry> {
    TABLE.iter().flat_map(|entries| entries.iter()).find(|entry| entry.class == layer.class)
}

/// What reads a layer.
pub(super) fn reader(layer: Layer<'_>) -> Result<Read> {
    if layer.is_operation() {
        return Ok(operations::third);
    }
    if layer.is_custom() {
        return layers::custom::reader(layer);
    }
    if let Some(entry) = entry(layer) {
        return Ok(entry.read);
    }
    // Some versions write the classes of others without their modules.
    if layer.module.is_empty()
        && let Ok(read) = layers::custom::reader(layer)
    {
        return Ok(read);
    }
    let why = REFUSED.iter().find(|(class, _)| *class == layer.class).map_or(
        "this class of layers is not read; docs/keras.md lists those that are; export the model to ONNX",
        |(_, why)| *why,
    );
    Err(Error::unsupported(why))
}

/// Which of the weights of a layer are trained, in the order in which they are made.
pub(super) fn variables(layer: Layer<'_>) -> Result<Vec<bool>> {
    let mut flags = if reader::is_model(layer) {
        let mut flags = Vec::new();
        for layer in reader::layers(layer)?.into_iter().filter(|layer| !layer.is_operation()) {
            flags.extend(variables(layer)?);
            crate::limits::check("weights of a model", flags.len(), crate::limits::NETWORK_NODES)?;
        }
        flags
    } else {
        let Some(entry) = entry(layer).filter(|_| !layer.is_custom()) else { return Ok(Vec::new()) };
        if let Some(parts) = layers::wrapped::parts(layer)? {
            let mut flags = Vec::new();
            for part in parts {
                flags.extend(variables(part)?);
            }
            flags
        } else {
            let (trained, rest) = (entry.weights)(layer)?;
            let trained = std::iter::repeat_n(true, trained);
            trained.chain(std::iter::repeat_n(false, rest)).collect()
        }
    };
    if !layer.config.flag("trainable", true)? {
        flags.fill(false);
    }
    Ok(flags)
}
