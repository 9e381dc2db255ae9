//! Attention, and the fused layers of transformers that tracing records.

use super::super::graph::Graph;
use super::super::number::Kind;
use super::super::value::{Args, Size, Tensor, Value};
use super::product::through;
use super::{Lower, number, positive, tensor};
use crate::error::{Error, Result};
use crate::ir::network::{Attention, Binary, Function, Norm, Normalize, Op};

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("scaled_dot_product_attention", scaled_dot_product),
    ("_scaled_dot_product_flash_attention_for_cpu", |g, a| {
        let attended = flash(g, a)?;
        Ok(Value::List(vec![attended, Value::Absent("the sums of an attention")]))
    }),
    ("_native_multi_head_attention", |g, a| {
        let attended = native(g, a)?;
        Ok(Value::List(vec![tensor(attended)?, Value::Absent("the shares of an attention")]))
    }),
    ("_transformer_encoder_layer_fwd", encoder_layer),
];

/// What added to scores hides where a mask is False.
const HIDDEN: f64 = 1e38;

/// A mask as numbers that are added to the scores.
fn added(graph: &mut Graph, mask: &Tensor, shown: bool) -> Result<Tensor> {
    if mask.kind != Kind::Boolean {
        return Ok(mask.clone());
    }
    let off =
        if shown { graph.with_number(Binary::Subtract, mask, 1.0)? } else { graph.map(Function::Negate, mask)? };
    let mask = graph.with_number(Binary::Multiply, &off, HIDDEN)?;
    Ok(Tensor { kind: Kind::Float, ..mask })
}

fn attend(
    graph: &mut Graph,
    sides: [&Tensor; 3],
    scale: Option<f64>,
    causal: bool,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let width = graph.shape(sides[0])?.last()?;
    let mask = mask.map(|mask| graph.node(mask)).transpose()?;
    let how = Attention { scale: scale.unwrap_or_else(|| number(width).sqrt().recip()), causal, mask };
    let (queries, keys, values) = (graph.node(sides[0])?, graph.node(sides[1])?, graph.node(sides[2])?);
    let node = graph.builder.attention(queries, keys, values, how)?;
    Ok(graph.of_node(node, Kind::Float))
}

fn scaled_dot_product(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (queries, keys, values) =
        (args.tensor(0, "query")?.clone(), args.tensor(1, "key")?.clone(), args.tensor(2, "value")?.clone());
    if args.float_or(4, "dropout_p", 0.0)? > 0.0 {
        return Err(Error::unsupported("the model was exported while training; call eval() before it is exported"));
    }
    if args.bool_or(7, "enable_gqa", false)? {
        return Err(Error::unsupported("enable_gqa is not read; export the model to ONNX"));
    }
    let mask = args.opt_tensor(3, "attn_mask")?.cloned();
    let mask = mask.map(|mask| added(graph, &mask, true)).transpose()?;
    let scale = args.opt(6, "scale").map(Value::as_float).transpose()?;
    tensor(attend(graph, [&queries, &keys, &values], scale, args.bool_or(5, "is_causal", false)?, mask.as_ref())?)
}

/// `(query, key, value, dropout_p, is_causal, *, attn_mask, scale)`.
fn flash(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (queries, keys, values) =
        (args.tensor(0, "query")?.clone(), args.tensor(1, "key")?.clone(), args.tensor(2, "value")?.clone());
    let mask = args.opt_tensor(usize::MAX, "attn_mask")?.cloned();
    let mask = mask.map(|mask| added(graph, &mask, true)).transpose()?;
    let scale = args.opt(usize::MAX, "scale").map(Value::as_float).transpose()?;
    tensor(attend(graph, [&queries, &keys, &values], scale, args.bool_or(4, "is_causal", false)?, mask.as_ref())?)
}

/// (rows, steps, heads * width) as (rows, heads, steps, width).
fn heads(graph: &mut Graph, x: &Tensor, heads: usize) -> Result<Tensor> {
    let wide = graph.shape(x)?.last()?;
    let size = |size: usize| Size::Fixed(i64::try_from(size).unwrap_or(i64::MAX));
    if !wide.is_multiple_of(heads) {
        return Err(Error::malformed(format!("{wide} numbers for {heads} heads")));
    }
    let split = graph.unflatten(x, 2, &[size(heads), size(wide / heads)])?;
    graph.swap(&split, 1, 2)
}

/// The operands that both fused layers share.
struct Fused<'a> {
    heads: usize,
    input: (&'a Tensor, &'a Tensor),
    output: (&'a Tensor, &'a Tensor),
    mask: Option<&'a Tensor>,
    /// 0: of (steps, steps); 1: of (rows, steps), marking padding; 2: of (rows, heads, steps, steps).
    mask_type: i64,
}

fn self_attention(graph: &mut Graph, x: &Tensor, fused: &Fused<'_>) -> Result<Tensor> {
    let all = through(graph, x, fused.input.0, Some(fused.input.1))?;
    let width = graph.shape(&all)?.last()? / 3;
    let mut sides = Vec::new();
    for part in 0..3 {
        let part = graph.slice(&all, 2, part * width, 1, width)?;
        sides.push(heads(graph, &part, fused.heads)?);
    }
    let mask = match fused.mask {
        Some(_) if fused.mask_type == 1 => {
            return Err(Error::unsupported("padding marked for each row is not read; export the model to ONNX"));
        }
        // True hides here.
        Some(mask) => Some(added(graph, &mask.clone(), false)?),
        None => None,
    };
    let attended = attend(graph, [&sides[0], &sides[1], &sides[2]], None, false, mask.as_ref())?;
    let together = graph.swap(&attended, 1, 2)?;
    let together = graph.flatten(&together, 2, 3)?;
    through(graph, &together, fused.output.0, Some(fused.output.1))
}

/// `(query, key, value, embed_dim, num_head, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, need_weights, average, mask_type)`.
fn native(graph: &mut Graph, args: &Args) -> Result<Tensor> {
    let x = args.tensor(0, "query")?.clone();
    let fused = Fused {
        heads: positive(args.int(4, "num_head")?, "num_head")?,
        input: (args.tensor(5, "qkv_weight")?, args.tensor(6, "qkv_bias")?),
        output: (args.tensor(7, "proj_weight")?, args.tensor(8, "proj_bias")?),
        mask: args.opt_tensor(9, "mask")?,
        mask_type: args.int_or(12, "mask_type", 0)?,
    };
    self_attention(graph, &x, &fused)
}

/// `(src, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, use_gelu, norm_first, eps, norm_weight_1, norm_bias_1,
/// norm_weight_2, norm_bias_2, ffn_weight_1, ffn_bias_1, ffn_weight_2, ffn_bias_2, mask, mask_type)`.
fn encoder_layer(graph: &mut Graph, args: &Args) -> Result<Value> {
    let mut x = args.tensor(0, "src")?.clone();
    let fused = Fused {
        heads: positive(args.int(2, "num_heads")?, "num_heads")?,
        input: (args.tensor(3, "qkv_weight")?, args.tensor(4, "qkv_bias")?),
        output: (args.tensor(5, "proj_weight")?, args.tensor(6, "proj_bias")?),
        mask: args.opt_tensor(18, "mask")?,
        mask_type: args.int_or(19, "mask_type", 0)?,
    };
    let function = if args.bool_or(7, "use_gelu", false)? { Function::Gelu } else { Function::Relu };
    let first = args.bool_or(8, "norm_first", false)?;
    let epsilon = args.float_or(9, "eps", 1e-5)?;
    let norm = |graph: &mut Graph, x: &Tensor, place: usize| -> Result<Tensor> {
        let weight = Graph::known(args.tensor(place, "norm_weight")?, "weights of a normalisation")?;
        let bias = Graph::known(args.tensor(place + 1, "norm_bias")?, "weights of a normalisation")?;
        let node = graph.node(x)?;
        let normalize = Normalize { norm: Norm::Layer { epsilon }, axes: 1, scale: Some(weight), shift: Some(bias) };
        let node = graph.builder.add(Op::Normalize(normalize), &[node])?;
        Ok(graph.of_node(node, Kind::Float))
    };
    let feed = |graph: &mut Graph, x: &Tensor| -> Result<Tensor> {
        let wide = through(graph, x, args.tensor(14, "ffn_weight_1")?, Some(args.tensor(15, "ffn_bias_1")?))?;
        let wide = graph.map(function, &wide)?;
        through(graph, &wide, args.tensor(16, "ffn_weight_2")?, Some(args.tensor(17, "ffn_bias_2")?))
    };
    for step in [0, 1] {
        let place = 10 + 2 * step;
        let inner = if first { norm(graph, &x, place)? } else { x.clone() };
        let change = if step == 0 { self_attention(graph, &inner, &fused)? } else { feed(graph, &inner)? };
        x = graph.binary(Binary::Add, &x, &change)?;
        if !first {
            x = norm(graph, &x, place)?;
        }
    }
    tensor(x)
}
