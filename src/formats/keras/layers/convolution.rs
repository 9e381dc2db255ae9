//! Convolutions along the steps.

use super::activation::Activation;
use super::basic::kernel_and_bias;
use super::floats;
use crate::error::{Error, Result};
use crate::formats::keras::config::Config;
use crate::formats::keras::layer::{Call, Layer, Outputs};
use crate::formats::keras::table::{Entry, none};
use crate::ir::network::{Array, Convolution, NodeId, Op, Padding};
use std::sync::Arc;

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry {
        class: "Conv1D",
        read: convolution,
        weights: kernel_and_bias,
        what: "stride, dilation, groups, every padding",
        refused: "channels_first",
    },
    Entry { class: "DepthwiseConv1D", read: depthwise, weights: kernel_and_bias, what: "", refused: "channels_first" },
    Entry {
        class: "SeparableConv1D",
        read: separable,
        weights: two_kernels_and_bias,
        what: "",
        refused: "channels_first",
    },
    Entry {
        class: "Conv1DTranspose",
        read: transposed,
        weights: kernel_and_bias,
        what: "stride, output_padding",
        refused: "dilation, channels_first",
    },
    Entry { class: "ZeroPadding1D", read: pad, weights: none, what: "", refused: "channels_first" },
    Entry { class: "Cropping1D", read: crop, weights: none, what: "", refused: "" },
    Entry { class: "UpSampling1D", read: repeat, weights: none, what: "", refused: "" },
];

fn two_kernels_and_bias(layer: Layer<'_>) -> Result<(usize, usize)> {
    Ok((kernel_and_bias(layer)?.0 + 1, 0))
}

/// Refuses an order of axes that no CPU of the training side runs either.
pub(super) fn channels_last(config: Config<'_>) -> Result<()> {
    match config.text("data_format", "channels_last")? {
        "channels_last" => Ok(()),
        other => {
            Err(Error::unsupported(format!("data_format '{}' is not read; use channels_last", other.escape_debug())))
        }
    }
}

/// The padding that a layer names.
pub(super) fn padding(config: Config<'_>) -> Result<Padding> {
    match config.text("padding", "valid")? {
        "valid" => Ok(Padding::Valid),
        "same" => Ok(Padding::Same),
        "causal" => Ok(Padding::Causal),
        other => Err(Error::unsupported(format!("padding '{}' is not read", other.escape_debug()))),
    }
}

/// Steps of a tensor (.., steps, channels).
pub(super) fn steps(call: &mut Call<'_, '_>, x: NodeId) -> Result<usize> {
    let axis = call.axis(x, -2)?;
    call.builder().shape(x).size(axis)
}

/// Settings of a convolution with this kernel over `x`.
fn layer(call: &mut Call<'_, '_>, x: NodeId, kernel: Arc<Array>, bias: Option<Arc<Array>>) -> Result<Convolution> {
    let config = call.config();
    channels_last(config)?;
    let (stride, dilation) = (config.one("strides", 1)?, config.one("dilation_rate", 1)?);
    let groups = config.count_or("groups", 1)?;
    let taps = kernel.shape().first().copied().unwrap_or(0);
    let (before, after) = padding(config)?.places(steps(call, x)?, taps, stride, dilation);
    Ok(Convolution { kernel, bias, stride, dilation, groups, before, after })
}

fn convolution(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let bias = call.config().flag("use_bias", true)?;
    let (kernel, bias) = (call.weights.take("kernel")?, call.weights.maybe(bias, "bias")?);
    let layer = layer(call, x, kernel, bias)?;
    let y = call.builder().add(Op::Convolution(layer), &[x])?;
    Activation::of(call, "activation")?.apply(call, y)
}

fn depthwise(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let bias = call.config().flag("use_bias", true)?;
    let (kernel, bias) = (call.weights.take("depthwise_kernel")?, call.weights.maybe(bias, "bias")?);
    let layer = layer(call, x, Arc::clone(&kernel), bias)?;
    let y = call.builder().depthwise(x, &kernel, layer)?;
    Activation::of(call, "activation")?.apply(call, y)
}

fn separable(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let bias = call.config().flag("use_bias", true)?;
    let (kernel, points) = (call.weights.take("depthwise_kernel")?, call.weights.take("pointwise_kernel")?);
    let bias = call.weights.maybe(bias, "bias")?;
    let layer = layer(call, x, Arc::clone(&kernel), None)?;
    let y = call.builder().depthwise(x, &kernel, layer)?;
    let plain = Convolution { kernel: points, bias, stride: 1, dilation: 1, groups: 1, before: 0, after: 0 };
    let y = call.builder().add(Op::Convolution(plain), &[y])?;
    Activation::of(call, "activation")?.apply(call, y)
}

/// A transposed convolution as a plain one: zeros between the steps, the kernel backwards.
fn transposed(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let config = call.config();
    channels_last(config)?;
    let bias = config.flag("use_bias", true)?;
    let (kernel, bias) = (call.weights.take("kernel")?, call.weights.maybe(bias, "bias")?);
    let [taps, filters, channels] = *kernel.shape() else {
        return Err(Error::malformed(format!("a kernel of shape {:?}, three axes are expected", kernel.shape())));
    };
    let (stride, dilation) = (config.one("strides", 1)?, config.one("dilation_rate", 1)?);
    if dilation != 1 {
        return Err(Error::unsupported("a transposed convolution with dilation is not read; export the model to ONNX"));
    }
    let same = padding(config)? == Padding::Same;
    let steps = steps(call, x)?;
    let too_long = || Error::malformed("a transposed convolution without end");
    let long = steps.checked_mul(stride).ok_or_else(too_long)?;
    let size = match config.get("output_padding") {
        None if same => long,
        None => long.checked_add(taps.saturating_sub(stride)).ok_or_else(too_long)?,
        Some(_) => {
            let more = config.one("output_padding", 0)?;
            let cut = if same { 2 * (taps / 2) } else { 0 };
            (long + taps + more).checked_sub(stride + cut).ok_or_else(too_long)?
        }
    };
    // What a plain convolution of the result with this padding would have in front.
    let front = if same { ((steps.saturating_sub(1)) * stride + taps).saturating_sub(size) / 2 } else { 0 };
    let before = taps.checked_sub(front + 1).ok_or_else(too_long)?;
    // Windows over steps that lie `stride` apart: as many as the result has steps.
    let spread = (steps.saturating_sub(1)) * stride + 1;
    let after = (size + taps).checked_sub(spread + before + 1).ok_or_else(too_long)?;
    let numbers = floats(&kernel)?;
    let turned = (0..taps).flat_map(|tap| {
        (0..channels).flat_map(move |channel| {
            (0..filters).map(move |filter| numbers[((taps - 1 - tap) * filters + filter) * channels + channel])
        })
    });
    let kernel = Arc::new(Array::f32(&[taps, channels, filters], turned.collect())?);
    let builder = call.builder();
    let axis = builder.shape(x).axis(-2)?;
    let y = builder.spread(x, axis, stride.saturating_sub(1))?;
    let plain = Convolution { kernel, bias, stride: 1, dilation: 1, groups: 1, before, after };
    let y = builder.add(Op::Convolution(plain), &[y])?;
    Activation::of(call, "activation")?.apply(call, y)
}

fn pad(call: &mut Call<'_, '_>) -> Result<Outputs> {
    channels_last(call.config())?;
    let ((before, after), x) = (call.config().pair("padding")?, call.x()?);
    let axis = call.axis(x, -2)?;
    Ok(vec![call.builder().add(Op::Pad { axis, before, after, value: 0.0 }, &[x])?])
}

fn crop(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let ((before, after), x) = (call.config().pair("cropping")?, call.x()?);
    let axis = call.axis(x, -2)?;
    let left = steps(call, x)?.checked_sub(before).and_then(|left| left.checked_sub(after)).filter(|&left| left > 0);
    let left = left.ok_or_else(|| Error::malformed("it cuts all steps away"))?;
    Ok(vec![call.builder().slice(x, axis, before, left)?])
}

fn repeat(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (times, x) = (call.config().one("size", 2)?, call.x()?);
    let axis = call.axis(x, -2)?;
    Ok(vec![call.builder().repeat(x, axis, times)?])
}
