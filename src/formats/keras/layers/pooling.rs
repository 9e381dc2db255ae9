//! Windows and wholes of the steps.

use super::convolution::{channels_last, padding, steps};
use crate::error::Result;
use crate::formats::keras::layer::{Call, Outputs};
use crate::formats::keras::table::{Entry, none};
use crate::ir::network::{Op, Pool, Pooling, Reduction};

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry {
        class: "MaxPooling1D",
        read: |call| windows(call, Pooling::Max),
        weights: none,
        what: "every padding",
        refused: "channels_first",
    },
    Entry {
        class: "AveragePooling1D",
        read: |call| windows(call, Pooling::Mean),
        weights: none,
        what: "every padding",
        refused: "channels_first",
    },
    Entry {
        class: "GlobalMaxPooling1D",
        read: |call| whole(call, Reduction::Max),
        weights: none,
        what: "with keepdims",
        refused: "channels_first",
    },
    Entry {
        class: "GlobalAveragePooling1D",
        read: |call| whole(call, Reduction::Mean),
        weights: none,
        what: "with keepdims",
        refused: "channels_first",
    },
];

fn windows(call: &mut Call<'_, '_>, how: Pooling) -> Result<Outputs> {
    let (config, x) = (call.config(), call.x()?);
    channels_last(config)?;
    let size = config.one("pool_size", 2)?;
    let stride = config.one("strides", size)?;
    let (before, after) = padding(config)?.places(steps(call, x)?, size, stride, 1);
    let pool = Pool { how, size, stride, dilation: 1, before, after };
    Ok(vec![call.builder().add(Op::Pool(pool), &[x])?])
}

fn whole(call: &mut Call<'_, '_>, how: Reduction) -> Result<Outputs> {
    let (config, x) = (call.config(), call.x()?);
    channels_last(config)?;
    let axis = call.axis(x, -2)?;
    let keep = config.flag("keepdims", false)?;
    Ok(vec![call.builder().add(Op::Reduce { how, axes: vec![axis], keep }, &[x])?])
}
