//! Pickled Python objects: which reader knows their class.
//!
//! The only reader that knows other readers: a scikit-learn pipeline may hold a LightGBM estimator, a wrapper may hold anything.

use super::sklearn;
use super::{Context, ReadOptions};
use crate::codec::pickle::{self, Ref};
use crate::error::{Error, Result};
use crate::ir::Model;

/// Reads a pickle or joblib file that holds a model.
///
/// # Errors
/// Those of [`pickle::decode`]; `MI_UNSUPPORTED` for an object that no reader knows, naming its class and its place in the file.
pub(super) fn read(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    let graph = pickle::decode(bytes)?;
    model(graph.root(), &Context { options, model })
}

/// Reads an object of any class that is known.
fn model(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    if let Some((module, name)) = object.class() {
        let library = module.split('.').next().unwrap_or_default();
        if library == "sklearn" {
            return sklearn::read(object, name, context);
        }
    }
    Err(Error::unsupported(format!(
        "{}: {} is not a model that is known; save the model inside of it alone, or export it to ONNX",
        object.path(),
        object.describe()
    )))
}
