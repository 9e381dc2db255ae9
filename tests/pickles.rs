//! Pickles of every Python, protocol, numpy and joblib hold what Python itself found in them.

mod pickle;

use mi::codec::ndarray::{Array, Kind, RawArray};
use mi::codec::pickle::{Ref, decode, looks_like};
use mi::codec::{npy, pickle as codec};
use serde_json::Value;
use std::collections::BTreeMap;

type Found = Result<(), String>;

/// `Ok` when `yes`, else what is wrong.
fn ensure(yes: bool, what: impl FnOnce() -> String) -> Found {
    if yes { Ok(()) } else { Err(what()) }
}

fn tag(expected: &Value) -> (&str, &Value) {
    let entries = expected.as_object().unwrap();
    assert_eq!(entries.len(), 1, "{expected}");
    let (tag, value) = entries.iter().next().unwrap();
    (tag, value)
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn same_float(found: f64, expected: f64) -> bool {
    found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan()
}

fn text<T: std::fmt::Display>(error: T) -> String {
    error.to_string()
}

/// Whether the object is what Python described.
fn compare(expected: &Value, found: Ref<'_>) -> Found {
    let wrong = || format!("{}: expected {expected}, found {}", found.path(), found.describe());
    match expected {
        Value::Null => return ensure(found.is_none(), wrong),
        Value::Bool(yes) => return ensure(found.describe() == "a bool" && found.as_bool() == Ok(*yes), wrong),
        Value::Number(number) => {
            return ensure(found.describe() == "an int" && found.as_i64() == Ok(number.as_i64().unwrap()), wrong);
        }
        Value::String(float) => {
            let value = found.as_f64().map_err(text)?;
            return ensure(found.describe() == "a float" && same_float(value, float.parse().unwrap()), wrong);
        }
        _ => {}
    }
    let (tag, value) = tag(expected);
    match tag {
        "int" => ensure(found.as_i64().is_err_and(|error| error.message().contains("passes 64 bits")), wrong),
        "str" => ensure(found.as_str().map_err(text)? == value.as_str().unwrap(), wrong),
        "bytes" | "str2" => ensure(found.bytes().map_err(text)?.as_ref() == unhex(value), wrong),
        "list" | "tuple" => each(value, &found.list().map_err(text)?),
        "set" | "frozenset" => {
            let items = found.list().map_err(text)?;
            let expected = value.as_array().unwrap();
            ensure(items.len() == expected.len(), wrong)?;
            ensure(expected.iter().all(|item| items.iter().any(|&found| compare(item, found).is_ok())), wrong)
        }
        "dict" => pairs(value, found),
        "slice" => each(value, &found.slice().map_err(text)?),
        "global" => ensure(found.global() == Some(pair(value)), wrong),
        "objects" => {
            let array = found.object_array().map_err(text)?;
            ensure(array.shape == shape(value), || format!("{}: shape {:?}", found.path(), array.shape))?;
            each(&value["values"], &array.data)
        }
        "scalar" => {
            ensure(found.shape().map_err(text)?.is_empty(), wrong)?;
            compare(value, found)
        }
        "object" => object(value, found),
        _ => {
            let array = found.raw_array().map_err(text)?.ok_or_else(wrong)?;
            compare_array(expected, &array).map_err(|error| format!("{}: {error}", found.path()))?;
            through_the_graph(tag, value, found)
        }
    }
}

/// The conveniences of a reference say the same as the raw array does.
fn through_the_graph(tag: &str, value: &Value, found: Ref<'_>) -> Found {
    let raw = found.raw_array().map_err(text)?.unwrap();
    match (tag, &raw.dtype().kind) {
        ("structured", _) => {
            let structured = found.structured().map_err(text)?;
            let names: Vec<_> =
                value["fields"].as_array().unwrap().iter().map(|field| field[0].as_str().unwrap()).collect();
            ensure(structured.names() == names, || "field names".to_owned())?;
            for name in names {
                let (all, one) = (structured.i64(name), raw.field(name).map_err(text)?.i64());
                ensure(all.ok() == one.ok().map(|array| array.data), || format!("field {name}"))?;
            }
        }
        (_, Kind::Int | Kind::Uint | Kind::Float | Kind::Bool) => {
            let (mine, theirs) = (found.array_f64().map_err(text)?, raw.f64().map_err(text)?);
            ensure(mine.data.len() == theirs.data.len() && mine.shape == theirs.shape, || "lengths".to_owned())?;
            if let [one] = *mine.data {
                ensure(same_float(found.as_f64().map_err(text)?, one), || "as_f64".to_owned())?;
            }
        }
        (_, Kind::Text) => {
            ensure(found.array_strings().map_err(text)? == raw.strings().map_err(text)?, || "strings".to_owned())?;
        }
        _ => {}
    }
    Ok(())
}

fn shape(value: &Value) -> Vec<usize> {
    let axes = value["shape"].as_array().unwrap().iter();
    axes.map(|axis| usize::try_from(axis.as_u64().unwrap()).unwrap()).collect()
}

fn pair(value: &Value) -> (&str, &str) {
    (value[0].as_str().unwrap(), value[1].as_str().unwrap())
}

fn each(expected: &Value, found: &[Ref<'_>]) -> Found {
    let expected = expected.as_array().unwrap();
    ensure(found.len() == expected.len(), || format!("{} items, expected {}", found.len(), expected.len()))?;
    expected.iter().zip(found).try_for_each(|(expected, &found)| compare(expected, found))
}

/// Every key with its value; dicts of older Pythons have no order that survives.
fn pairs(expected: &Value, found: Ref<'_>) -> Found {
    let items = found.items().map_err(text)?;
    let expected = expected.as_array().unwrap();
    ensure(items.len() == expected.len(), || format!("{}: {} keys", found.path(), items.len()))?;
    for (at, entry) in expected.iter().enumerate() {
        let in_place = items.get(at).filter(|(key, _)| compare(&entry[0], *key).is_ok());
        let anywhere = || items.iter().find(|(key, _)| compare(&entry[0], *key).is_ok());
        let (_, value) = in_place.or_else(anywhere).ok_or_else(|| format!("{}: no key {}", found.path(), entry[0]))?;
        compare(&entry[1], *value)?;
        if let Some(name) = entry[0]["str"].as_str() {
            ensure(found.dict_get(name).as_ref() == Ok(value), || format!("{}: dict_get {name}", found.path()))?;
        }
    }
    Ok(())
}

fn object(expected: &Value, found: Ref<'_>) -> Found {
    let class = pair(&expected["class"]);
    // Cython's classes are made by a function that is named after them.
    let made_by = format!("__pyx_unpickle_{}", class.1);
    ensure(found.class() == Some(class) || found.class() == Some((class.0, &made_by)), || {
        format!("{}: class {:?}, expected {class:?}", found.path(), found.class())
    })?;
    for attribute in expected["attributes"].as_array().into_iter().flatten() {
        compare(&attribute[1], found.attr(attribute[0].as_str().unwrap()).map_err(text)?)?;
    }
    if expected.get("arguments").is_some() {
        each(&expected["arguments"], &found.args().map_err(text)?)?;
    }
    if expected.get("list").is_some() {
        each(&expected["list"], &found.list().map_err(text)?)?;
    }
    if expected.get("dict").is_some() {
        pairs(&expected["dict"], found)?;
    }
    Ok(())
}

fn compare_array(expected: &Value, found: &RawArray<'_>) -> Found {
    let (tag, value) = tag(expected);
    let expected_shape = shape(value);
    ensure(found.shape() == expected_shape, || format!("shape {:?}, expected {expected_shape:?}", found.shape()))?;
    match tag {
        "structured" => {
            for field in value["fields"].as_array().unwrap() {
                let name = field[0].as_str().unwrap();
                let inner = found.field(name).map_err(text)?;
                compare_array(&field[1], &inner).map_err(|error| format!("field {name}: {error}"))?;
            }
            Ok(())
        }
        "times" => {
            let unit = Some(value["unit"].as_str().unwrap().to_owned()).filter(|unit| unit != "generic");
            let step = value["step"].as_i64().unwrap();
            ensure(found.dtype().kind == Kind::Time { unit, step }, || format!("unit {:?}", found.dtype()))?;
            let counts = value["values"].as_array().unwrap().iter().map(|count| count.as_i64().unwrap());
            ensure(found.i64().map_err(text)?.data.into_iter().eq(counts), || "times".to_owned())
        }
        "array" => {
            let code = found.dtype().code.trim_start_matches(['<', '>', '|', '=']);
            ensure(code == value["dtype"].as_str().unwrap(), || format!("dtype {code}, expected {}", value["dtype"]))?;
            elements(value["values"].as_array().unwrap(), found)
        }
        other => panic!("what is {other}?"),
    }
}

fn elements(expected: &[Value], found: &RawArray<'_>) -> Found {
    fn all<T>(expected: &[Value], found: &Array<T>, same: impl Fn(&Value, &T) -> bool) -> Found {
        ensure(expected.len() == found.data.len(), || "number of elements".to_owned())?;
        let wrong = expected.iter().zip(&found.data).position(|(expected, found)| !same(expected, found));
        ensure(wrong.is_none(), || format!("element {wrong:?}, expected {}", expected[wrong.unwrap()]))
    }
    match found.dtype().kind {
        Kind::Float => all(expected, &found.f64().map_err(text)?, |expected, &found| {
            same_float(found, expected.as_str().unwrap().parse().unwrap())
        }),
        Kind::Bool | Kind::Int | Kind::Uint => {
            all(expected, &found.i64().map_err(text)?, |expected, &found| expected.as_i64() == Some(found))
        }
        Kind::Text => {
            all(expected, &found.strings().map_err(text)?, |expected, found| expected["str"].as_str() == Some(found))
        }
        // The only bytes that are no text are those of one scalar.
        Kind::Bytes => match found.strings() {
            Ok(found) => all(expected, &found, |expected, found| unhex(&expected["bytes"]) == found.as_bytes()),
            Err(_) => ensure(std::str::from_utf8(&unhex(&expected[0]["bytes"])).is_err(), || "bytes".to_owned()),
        },
        _ => Err(format!("elements {:?}", found.dtype())),
    }
}

/// Where a description says `at`, the value of that key of a described dict.
fn described(values: &mut BTreeMap<String, Value>, entry: &Value) -> Value {
    let name = entry["value"].as_str().unwrap();
    let path = pickle::folder().join("values").join(name);
    let value = values.entry(name.to_owned()).or_insert_with(|| pickle::json(&path));
    let Some(at) = entry.get("at") else { return value.clone() };
    let pairs = value["object"]["dict"].as_array().unwrap();
    pairs.iter().find(|pair| pair[0]["str"] == *at).unwrap()[1].clone()
}

#[test]
fn every_file_holds_what_python_found_in_it() {
    let mut values = BTreeMap::new();
    let mut read = 0;
    let mut wrong = Vec::new();
    for file in
        pickle::files().iter().filter(|file| file.entry.get("refuse").is_none() && file.entry.get("value").is_some())
    {
        let expected = described(&mut values, &file.entry);
        let found = if npy::looks_like(&file.bytes) {
            npy::read(&file.bytes).map_err(text).and_then(|array| compare_array(&expected, &array))
        } else {
            assert!(looks_like(&file.bytes), "{}", file.name);
            decode(&file.bytes).map_err(text).and_then(|graph| {
                ensure(graph.rest().is_empty(), || format!("{} bytes are left", graph.rest().len()))?;
                compare(&expected, graph.root())
            })
        };
        read += 1;
        if let Err(error) = found {
            wrong.push(format!("{}: {error}", file.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {read} files:\n{}", wrong.len(), wrong.join("\n"));
    assert!(read > 250, "only {read} files were read");
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let mut refused = 0;
    for file in pickle::files() {
        let Some(refuse) = file.entry.get("refuse") else { continue };
        let error = if npy::looks_like(&file.bytes) {
            npy::read(&file.bytes).unwrap_err()
        } else {
            let inside = |root: Ref<'_>| match file.entry["key"].as_str() {
                Some(key) => root.dict_get(key)?.array_f64(),
                None => root.array_f64(),
            };
            decode(&file.bytes).and_then(|graph| inside(graph.root())).expect_err(&file.name)
        };
        assert_eq!(error.status().c_name().to_str().unwrap(), refuse["status"].as_str().unwrap(), "{}", file.name);
        assert!(error.message().contains(refuse["contains"].as_str().unwrap()), "{}: {error}", file.name);
        refused += 1;
    }
    assert!(refused > 15, "only {refused} files were refused");
}

#[test]
fn references_stay_shared() {
    let bytes = std::fs::read(pickle::folder().join("3.13/plain.4.pkl")).unwrap();
    let graph = decode(&bytes).unwrap();
    let shared = graph.root().dict_get("shared").unwrap().list().unwrap();
    assert!(shared[0] == shared[1] && shared[0] != shared[2]);
}

#[test]
fn messages_lead_by_the_path() {
    let bytes = std::fs::read(pickle::folder().join("3.12/pipeline.5.pkl")).unwrap();
    let graph = decode(&bytes).unwrap();
    let steps = graph.root().attr("steps").unwrap().list().unwrap();
    let forest = steps[1].list().unwrap()[1];
    let error = forest.attr("coef_").unwrap_err();
    assert_eq!(
        error.message(),
        "Pipeline.steps[1][1]: a sklearn.ensemble._forest.RandomForestClassifier has no attribute 'coef_'; \
         it is not trained, or of another version"
    );
    let tree = forest.attr("estimators_").unwrap().list().unwrap()[0].attr("tree_").unwrap();
    let nodes = tree.attr("nodes").unwrap();
    assert_eq!(nodes.path(), "Pipeline.steps[1][1].estimators_[0].tree_.nodes");
    let error = nodes.structured().unwrap().f64("treshold").unwrap_err();
    assert!(
        error.message().starts_with("Pipeline.steps[1][1].estimators_[0].tree_.nodes: no field 'treshold'; "),
        "{error}"
    );
    assert!(error.message().contains("threshold"), "{error}");
    let error = nodes.array_f64().unwrap_err();
    assert!(error.message().contains("tree_.nodes: numbers are expected, the array holds V64"), "{error}");
    assert_eq!(codec::decode(b"\x80\x04]\x94K\x01a.").unwrap().root().list().unwrap()[0].path(), "list of 1[0]");
}
