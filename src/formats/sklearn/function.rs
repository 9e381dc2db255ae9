//! `FunctionTransformer`: functions by their names.

use super::{Context, width};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::pipeline::Transform;
use crate::ir::transform::{Each, Function};

pub(super) fn read(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    made(object, "func", "kw_args", || width(object, context))
}

/// The transformer backwards.
pub(super) fn inverse(object: Ref<'_>) -> Result<Transform> {
    // A target that was transformed is one column, which old versions do not say.
    let columns = || object.attr_some("n_features_in_")?.map_or(Ok(1), Ref::as_usize);
    made(object, "inverse_func", "inv_kw_args", columns)
}

fn made(object: Ref<'_>, name: &str, arguments: &str, columns: impl Fn() -> Result<usize>) -> Result<Transform> {
    let arguments = object.attr_some(arguments)?;
    let mut things = Vec::new();
    if let Some(function) = object.attr_some(name)? {
        things.push(thing(function, arguments)?);
    }
    Transform::each(columns()?, things).within(|| object.path())
}

fn thing(function: Ref<'_>, arguments: Option<Ref<'_>>) -> Result<Each> {
    let name = name(function)?;
    if name.as_deref() == Some("clip") {
        let bound = |names: [&str; 2], none: f64| -> Result<f64> {
            for name in names {
                if let Some(arguments) = arguments
                    && let Some(bound) = arguments.dict_get_opt(name)?.filter(|bound| !bound.is_none())
                {
                    return bound.as_f64();
                }
            }
            Ok(none)
        };
        return Ok(Each::Clip(bound(["a_min", "min"], f64::NEG_INFINITY)?, bound(["a_max", "max"], f64::INFINITY)?));
    }
    if let Some(arguments) = arguments
        && !arguments.items()?.is_empty()
    {
        return Err(arguments.unsupported("arguments of a function are read for numpy.clip only"));
    }
    let known = match name.as_deref() {
        Some("log1p") => Function::LogOnePlus,
        Some("expm1") => Function::ExpMinusOne,
        Some("log") => Function::Log,
        Some("log2") => Function::Log2,
        Some("log10") => Function::Log10,
        Some("exp") => Function::Exp,
        Some("sqrt") => Function::Sqrt,
        Some("cbrt") => Function::Cbrt,
        Some("square") => Function::Square,
        Some("abs" | "absolute" | "fabs") => Function::Abs,
        Some("negative") => Function::Negative,
        Some("positive") => Function::Same,
        Some("reciprocal") => Function::Reciprocal,
        Some("sign") => Function::Sign,
        Some("sin") => Function::Sin,
        Some("cos") => Function::Cos,
        Some("tanh") => Function::Tanh,
        Some("sinh") => Function::Sinh,
        Some("arcsinh" | "asinh") => Function::Arcsinh,
        Some("arctan" | "atan") => Function::Arctan,
        Some("expit") => Function::Expit,
        Some("logit") => Function::Logit,
        _ => {
            return Err(function.unsupported(format!(
                "the function {} is not known; only functions of numpy that change each number by itself are",
                name.unwrap_or_else(|| function.describe())
            )));
        }
    };
    Ok(Each::Apply(known))
}

/// The name of a function of numpy or scipy; another function is given by its whole name.
pub(super) fn name(function: Ref<'_>) -> Result<Option<String>> {
    let known = |module: &str| {
        module == "numpy"
            || module == "builtins"
            || module.starts_with("scipy.special")
            || module.ends_with("umath")
            || module.ends_with("fromnumeric")
    };
    if let Some((module, name)) = function.global() {
        return Ok(Some(if known(module) { name.to_owned() } else { format!("{module}.{name}") }));
    }
    // Older numpy pickles a function as a call with its module and its name.
    if let Some((_, "_ufunc_reconstruct")) = function.class()
        && let [module, name] = &*function.args()?
    {
        let (module, name) = (module.as_str()?, name.as_str()?);
        return Ok(Some(if known(&module) { name.into_owned() } else { format!("{module}.{name}") }));
    }
    Ok(None)
}
