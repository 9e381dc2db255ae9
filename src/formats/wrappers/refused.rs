//! Libraries and classes whose objects are refused by name, each with its remedy.

use crate::codec::pickle::Ref;
use crate::error::Error;

/// A library, why its objects are not read, and what to do.
pub type Refusal = (&'static str, &'static str, &'static str);

/// Every library that is known and not read, by the first part of its modules.
pub const TABLE: &[Refusal] = &[
    (
        "statsmodels",
        "its results compute in code that is not in the file",
        "refit with scikit-learn's linear models, or copy `params` into a LinearRegression (coef_, intercept_) and save that",
    ),
    ("torch", "a network's code is not in the file", "save it with torch.export.save or torch.onnx.export"),
    ("keras", "its objects are pickled as code", "save the network itself with model.save('model.keras')"),
    ("tensorflow", "its objects are pickled as code", "save the network itself with model.save('model.keras')"),
    ("jax", "a network's code is not in the file", "export it to ONNX"),
    ("flax", "a network's code is not in the file", "export it to ONNX"),
    (
        "prophet",
        "its forecasts are computed by code that is not in the file",
        "export what it predicts, or use another model",
    ),
    (
        "pmdarima",
        "its forecasts are computed by code that is not in the file",
        "export what it predicts, or use another model",
    ),
    ("hmmlearn", "its formulas are not read", "use a GaussianMixture, or export the model to ONNX"),
    ("cuml", "its objects hold memory of a GPU", "convert it with as_sklearn() and save that"),
    ("h2o", "its models live in a server", "export them with save_mojo, or train with a library that is read"),
    ("pyspark", "its models live in a cluster", "export the model to ONNX"),
    ("onnxruntime", "a session is not the model", "open the .onnx file itself"),
    ("__main__", "the class was defined in the script that saved it, so that its code is not in the file", HOLD),
];

/// What an object of a class that nobody knows must look like.
const HOLD: &str = "save the trained model itself, or a dict {'model': ..., 'imputer': ..., 'scaler': ..., 'colmask': ..., \
                    'feature_names': [...]}";

/// Whether nothing of a library is read, whatever its attributes are called.
pub(super) fn is_foreign(module: &str) -> bool {
    let library = module.split('.').next().unwrap_or_default();
    library != "__main__" && TABLE.iter().any(|(name, ..)| *name == library)
}

/// The sentence for an object of this class, of which nothing could be made.
pub(super) fn error(object: Ref<'_>, module: &str, name: &str) -> Error {
    let library = module.split('.').next().unwrap_or_default();
    match TABLE.iter().find(|(name, ..)| *name == library) {
        Some((_, why, remedy)) => object.unsupported(format!("{module}.{name} is not read: {why}; {remedy}")),
        None => object.unsupported(format!(
            "{module}.{name} is a class of its own whose code is not in the file, and it holds no model under a known name; {HOLD}"
        )),
    }
}
