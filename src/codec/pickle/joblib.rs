//! What joblib adds to a pickle: after the `BUILD` of an array wrapper, the array itself stands raw in the stream.
//!
//! Layout as joblib's `numpy_pickle.py` writes it: since 1.2 one byte of padding length and that many bytes, then the data,
//! `product(shape) * itemsize` bytes in `order`; an array with objects is a complete pickle of its own instead.

use super::machine::{self, Machine};
use super::numpy;
use super::value::{Id, NONE, Node, RawArray, narrow};
use crate::error::{Error, Result};
use crate::limits;

/// Reads what follows the state of `target`, when it is one of joblib's wrappers.
pub(super) fn after_build(machine: &mut Machine<'_, '_>, target: Id) -> Result<()> {
    let store = machine.store();
    let Some(record) = store.record(target) else { return Ok(()) };
    let Some((module, name)) = store.class(record) else { return Ok(()) };
    if !is_joblib(module) {
        return Ok(());
    }
    match name {
        "NumpyArrayWrapper" => {}
        "NDArrayWrapper" | "ZNDArrayWrapper" => {
            return Err(Error::unsupported(
                "this joblib file (older than 0.10) keeps its arrays in .npy files beside it; \
                 load it in Python and dump it again with the joblib of today, which writes one file",
            ));
        }
        _ => return Ok(()),
    }
    if let Node::Dict(items) = store.node(record.state) {
        limits::check("attributes of an array wrapper", items.len as usize / 2, limits::WRAPPER_ATTRIBUTES)?;
    }
    let field = |name| store.lookup(record.state, name).map_or(NONE, |(_, value)| value);
    let [dtype, shape, order, alignment] = ["dtype", "shape", "order", "numpy_array_alignment_bytes"].map(field);
    let fortran = match store.text(order) {
        Some("C") => false,
        Some("F") => true,
        _ => return Err(Error::malformed("joblib's array wrapper has no order C or F")),
    };
    let layout = numpy::layout(store, dtype)?;
    let dims = numpy::shape(store, shape)?;
    if layout.objects {
        let (array, end) = machine::run(machine.source, machine.at, true, machine.heap, machine.meter)?;
        machine.at = end;
        return machine.replace_top(array);
    }
    if alignment != NONE {
        let padding = machine.byte()?;
        machine.take(usize::from(padding))?;
    }
    let bytes = dims.iter().try_fold(layout.size, |bytes, &dim| bytes.checked_mul(dim));
    let bytes = bytes.ok_or_else(|| Error::malformed("the shape of an array passes every address"))?;
    let data = machine.take(bytes)?;
    let index = narrow(machine.heap.arrays.len())?;
    machine.meter.push(&mut machine.heap.arrays, RawArray { dtype, shape, fortran, data })?;
    // In place, so that whoever else holds the wrapper holds the array.
    machine.heap.nodes[target.0 as usize] = Node::Array(index);
    Ok(())
}

/// joblib itself, or the copy that scikit-learn carried as `sklearn.externals.joblib`.
fn is_joblib(module: &str) -> bool {
    let of = |suffix: &str| module.strip_suffix(suffix).is_some_and(|head| head.is_empty() || head.ends_with('.'));
    of("joblib.numpy_pickle") || of("joblib.numpy_pickle_compat")
}
