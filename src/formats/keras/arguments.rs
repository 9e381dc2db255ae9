//! The arguments of a call as configurations have them: tensors by the layer, call and place that they come from, and constants.

use super::config::{count, short, text};
use super::layer::{Arg, Args};
use crate::error::{Error, Result};
use crate::ir::network::NodeId;
use serde_json::Value;

/// Where a tensor comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct History<'a> {
    /// The layer.
    pub layer: &'a str,
    /// Which of its calls.
    pub node: usize,
    /// Which of the tensors that it gave.
    pub tensor: usize,
}

/// An argument whose tensors are not resolved.
#[derive(Debug)]
enum Raw<'a> {
    Tensor(History<'a>),
    List(Vec<Raw<'a>>),
    Json(&'a Value),
}

/// A call whose tensors are not resolved.
#[derive(Debug)]
pub(super) struct RawCall<'a> {
    args: Vec<Raw<'a>>,
    named: Vec<(&'a str, Raw<'a>)>,
}

/// The arguments of one entry of `inbound_nodes`.
pub(super) fn call(node: &Value) -> Result<RawCall<'_>> {
    match node {
        // Keras 3: everything as it was given.
        Value::Object(map) if map.contains_key("args") => {
            let args = match map.get("args") {
                Some(Value::Array(args)) => args.iter().map(third).collect::<Result<_>>()?,
                _ => return Err(Error::malformed("the arguments of a call are no list")),
            };
            let named = match map.get("kwargs") {
                Some(Value::Object(named)) => {
                    named.iter().map(|(name, arg)| Ok((name.as_str(), third(arg)?))).collect::<Result<_>>()?
                }
                _ => Vec::new(),
            };
            Ok(RawCall { args, named })
        }
        // Keras 2: the tensors of the first argument, each with all arguments by name.
        Value::Array(list) if list.first().is_some_and(Value::is_string) => {
            second_call(std::slice::from_ref(node), true)
        }
        Value::Array(list) => second_call(list, list.len() == 1),
        Value::Object(map) => {
            let list: Vec<&Value> = map.values().collect();
            let mut call = RawCall { args: Vec::new(), named: Vec::new() };
            let mut first = Vec::new();
            for tensor in list {
                first.push(second_first(tensor, &mut call.named)?);
            }
            call.args.push(Raw::List(first));
            Ok(call)
        }
        other => Err(Error::malformed(format!("{} is there, the arguments of a call are expected", short(other)))),
    }
}

fn second_call(list: &[Value], alone: bool) -> Result<RawCall<'_>> {
    let mut named = Vec::new();
    let mut first = list.iter().map(|tensor| second_first(tensor, &mut named)).collect::<Result<Vec<_>>>()?;
    let args = match first.pop() {
        Some(only) if alone => vec![only],
        Some(last) => {
            first.push(last);
            vec![Raw::List(first)]
        }
        None => Vec::new(),
    };
    Ok(RawCall { args, named })
}

/// `["layer", node, tensor, {names}]`, `["_CONSTANT_VALUE", -1, value, {names}]`.
fn second_first<'a>(value: &'a Value, named: &mut Vec<(&'a str, Raw<'a>)>) -> Result<Raw<'a>> {
    let Value::Array(parts) = value else {
        return Err(Error::malformed(format!("{} is there, a tensor is expected", short(value))));
    };
    if let Some(Value::Object(names)) = parts.get(3)
        && named.is_empty()
    {
        for (name, arg) in names {
            named.push((name, second(arg)?));
        }
    }
    match (parts.first().and_then(Value::as_str), parts.get(2)) {
        (Some("_CONSTANT_VALUE"), Some(constant)) => Ok(Raw::Json(constant)),
        _ => history(parts).map(Raw::Tensor),
    }
}

/// An argument by name of Keras 2.
fn second(value: &Value) -> Result<Raw<'_>> {
    match value {
        Value::Array(list) if is_history(list) => history(list).map(Raw::Tensor),
        Value::Array(list) if list.iter().any(|item| item.is_array() || item.is_object()) => {
            list.iter().map(second).collect::<Result<_>>().map(Raw::List)
        }
        other => Ok(Raw::Json(other)),
    }
}

/// An argument of Keras 3.
fn third(value: &Value) -> Result<Raw<'_>> {
    match value {
        Value::Object(map) => {
            match (map.get("class_name").and_then(Value::as_str), map.get("config"), map.get("items")) {
                (Some("__keras_tensor__"), Some(config), _) => match config.get("keras_history") {
                    Some(Value::Array(parts)) => history(parts).map(Raw::Tensor),
                    _ => Err(Error::malformed("a tensor without a history")),
                },
                (Some("__tuple__"), _, Some(Value::Array(items))) => {
                    items.iter().map(third).collect::<Result<_>>().map(Raw::List)
                }
                (Some(_), _, _) => Ok(Raw::Json(value)),
                (None, _, _) => {
                    let items: Vec<&Value> = map.values().collect();
                    if items.iter().any(|item| item.is_object() || item.is_array()) {
                        items.into_iter().map(third).collect::<Result<_>>().map(Raw::List)
                    } else {
                        Ok(Raw::Json(value))
                    }
                }
            }
        }
        Value::Array(list) => list.iter().map(third).collect::<Result<_>>().map(Raw::List),
        other => Ok(Raw::Json(other)),
    }
}

fn is_history(list: &[Value]) -> bool {
    matches!(list, [Value::String(_), node, tensor, ..] if node.is_u64() && tensor.is_u64())
}

fn history(parts: &[Value]) -> Result<History<'_>> {
    let [layer, node, tensor, ..] = parts else {
        return Err(Error::malformed(format!("a tensor of {} parts, three are expected", parts.len())));
    };
    Ok(History { layer: text(layer)?, node: count(node)?, tensor: count(tensor)? })
}

/// The tensors of `input_layers` or `output_layers`: one, a list, or some by name.
pub(super) fn histories(value: &Value) -> Result<Vec<History<'_>>> {
    let mut found = Vec::new();
    gather(value, &mut found)?;
    if found.is_empty() {
        return Err(Error::malformed("no tensors are named"));
    }
    Ok(found)
}

fn gather<'a>(value: &'a Value, found: &mut Vec<History<'a>>) -> Result<()> {
    match value {
        Value::Array(list) if is_history(list) => found.push(history(list)?),
        Value::Array(list) => list.iter().try_for_each(|item| gather(item, found))?,
        // In the order of their names, as Keras lays them out.
        Value::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort_unstable();
            names.into_iter().try_for_each(|name| gather(&map[name], found))?;
        }
        other => return Err(Error::malformed(format!("{} is there, a tensor is expected", short(other)))),
    }
    Ok(())
}

impl<'a> RawCall<'a> {
    /// Where all of its tensors come from.
    pub fn histories(&self) -> impl Iterator<Item = &History<'a>> {
        let mut open: Vec<&Raw<'a>> = self.args.iter().chain(self.named.iter().map(|(_, arg)| arg)).collect();
        std::iter::from_fn(move || {
            while let Some(raw) = open.pop() {
                match raw {
                    Raw::Tensor(history) => return Some(history),
                    Raw::List(list) => open.extend(list),
                    Raw::Json(_) => {}
                }
            }
            None
        })
    }

    /// The arguments with their tensors.
    pub fn resolve(&self, known: &dyn Fn(&History<'a>) -> Result<NodeId>) -> Result<Args<'a>> {
        let args = self.args.iter().map(|raw| raw.resolve(known)).collect::<Result<_>>()?;
        let named = self.named.iter().map(|(name, raw)| Ok((*name, raw.resolve(known)?))).collect::<Result<_>>()?;
        Ok((args, named))
    }
}

impl<'a> Raw<'a> {
    fn resolve(&self, known: &dyn Fn(&History<'a>) -> Result<NodeId>) -> Result<Arg<'a>> {
        match self {
            Raw::Tensor(history) => known(history).map(Arg::Tensor),
            Raw::List(list) => list.iter().map(|raw| raw.resolve(known)).collect::<Result<_>>().map(Arg::List),
            Raw::Json(value) => Ok(Arg::Json(value)),
        }
    }
}
