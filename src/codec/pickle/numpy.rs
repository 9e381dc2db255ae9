//! numpy's objects as its pickles describe them: dtypes, arrays, scalars.
//!
//! Sources: `array_reduce`, `array_setstate`, `arraydescr_reduce`, `arraydescr_setstate` and `gentype_reduce` of numpy, of which
//! only the names and the order of the items matter here. numpy 1 calls its inner package `numpy.core`, numpy 2 `numpy._core`.

use super::path::shorten;
use super::value::{Id, Made, NONE, Node, Record, Store};
use crate::codec::ndarray::{self, DType, Field, Kind};
use crate::error::{Error, Result};
use crate::limits;
use std::borrow::Cow;

/// What must be known of a dtype to find the bytes of an array in a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub size: usize,
    pub objects: bool,
}

/// Told of the bytes that are read or taken, and may refuse: a file can name the same object any number of times.
pub(super) type Charge<'c> = &'c dyn Fn(usize) -> Result<()>;

/// The flag of a dtype whose elements hold references (`NPY_ITEM_REFCOUNT`).
const HAS_OBJECTS: i64 = 1;

fn dtype_record(store: Store<'_>, id: Id) -> Result<Record> {
    match store.record(id) {
        Some(record) if store.global(record.callable) == Some(("numpy", "dtype")) => Ok(record),
        other => Err(Error::unsupported(match other.and_then(|record| store.global(record.callable)) {
            Some((module, name)) => format!(
                "an array whose dtype is made by {}.{}; convert it to a plain numpy array",
                shorten(module),
                shorten(name)
            ),
            None => "an array whose dtype is not numpy.dtype; convert it to a plain numpy array".to_owned(),
        })),
    }
}

/// The items of a dtype's state behind its version: endianness, subarray, names, fields, size, alignment, flags, metadata.
fn dtype_state(store: Store<'_>, record: Record) -> Result<Option<&[Id]>> {
    if record.state == NONE {
        return Ok(None);
    }
    match store.tuple(record.state) {
        Some([version, rest @ ..]) if rest.len() >= 6 && matches!(store.int(*version), Some(1..=4)) => Ok(Some(rest)),
        _ => Err(Error::malformed("the state of a dtype has an unknown form")),
    }
}

/// The code of a dtype without its endianness: `f8`, `S5`, `V64`.
fn dtype_code(store: Store<'_>, record: Record) -> Result<&str> {
    let first = store.tuple(record.args).and_then(|args| args.first().copied());
    let first = first.ok_or_else(|| Error::malformed("a dtype without a type"))?;
    if let Some(code) = store.text(first) {
        return Ok(code);
    }
    match store.global(first) {
        Some(("numpy", "record" | "void")) => Ok("V0"), // the size follows in the state
        _ => Err(Error::unsupported("a dtype of an unknown class; convert the array to a plain numpy array")),
    }
}

/// The size of a dtype's elements as its state gives it, for those types that have no size of their own.
fn explicit_size(store: Store<'_>, state: Option<&[Id]>, plain: &DType) -> Result<usize> {
    let flexible = matches!(plain.kind, Kind::Bytes | Kind::Text) || plain.code.starts_with('V');
    match state.and_then(|state| store.int(state[4])) {
        Some(size) if flexible && size >= 0 => {
            usize::try_from(size).map_err(|_| Error::malformed("the size of a dtype passes every address"))
        }
        _ => Ok(plain.size),
    }
}

/// Size and contents of a dtype, without its fields.
pub(super) fn layout(store: Store<'_>, id: Id) -> Result<Layout> {
    let record = dtype_record(store, id)?;
    let state = dtype_state(store, record)?;
    let plain = DType::parse(dtype_code(store, record)?)?;
    let flags = state.and_then(|state| store.int(*state.get(6)?)).unwrap_or(0);
    let objects = plain.kind == Kind::Object || flags & HAS_OBJECTS != 0;
    Ok(Layout { size: explicit_size(store, state, &plain)?, objects })
}

/// The dtype.
pub(super) fn dtype(store: Store<'_>, id: Id, charge: Charge<'_>) -> Result<DType> {
    dtype_at(store, id, charge, 0)
}

fn dtype_at(store: Store<'_>, id: Id, charge: Charge<'_>, depth: usize) -> Result<DType> {
    limits::check("levels of dtypes in dtypes", depth, limits::DTYPE_DEPTH)?;
    charge(size_of::<Field>())?;
    let record = dtype_record(store, id)?;
    let state = dtype_state(store, record)?;
    let mut plain = DType::parse(dtype_code(store, record)?)?;
    plain.size = explicit_size(store, state, &plain)?;
    let Some(state) = state else { return Ok(plain) };
    let endian = store.text(state[0]).unwrap_or_default();
    plain.big_endian = endian == ">";
    if matches!(endian, "<" | ">") {
        plain.code.insert_str(0, endian);
    }
    if let (Kind::Time { .. }, Some(metadata)) = (&plain.kind, state.get(7)) {
        plain.kind = time(store, *metadata, charge)?;
    }
    if let Some(&[base, axes]) = store.tuple(state[1]) {
        let base = dtype_at(store, base, charge, depth + 1)?;
        let axes = match store.int(axes) {
            Some(_) => vec![dimension(store, axes)?],
            None => shape(store, axes)?,
        };
        let count = ndarray::count(&axes)?;
        if count.checked_mul(base.size) != Some(plain.size) {
            return Err(Error::malformed("the size of a subarray in a dtype is not that of its elements"));
        }
        plain.kind = Kind::Sub(Box::new(base), axes);
    } else if let Some(names) = store.tuple(state[2]) {
        plain.kind = Kind::Struct(fields(store, names, state[3], plain.size, charge, depth)?);
    }
    Ok(plain)
}

fn fields(
    store: Store<'_>,
    names: &[Id],
    by_name: Id,
    size: usize,
    charge: Charge<'_>,
    depth: usize,
) -> Result<Vec<Field>> {
    let broken = || Error::malformed("the fields of a dtype have an unknown form");
    let Node::Dict(entries) = store.node(by_name) else { return Err(broken()) };
    let mut fields = Vec::new();
    for &name in names {
        let name = store.text(name).ok_or_else(broken)?;
        limits::check("bytes in the name of a field", name.len(), limits::FIELD_NAME_BYTES)?;
        // The names are looked up one by one in a dict that a file may make as long as it likes.
        charge(size_of::<Field>() + name.len() + entries.len as usize * (1 + name.len() / 32))?;
        let (_, field) = store.lookup(by_name, name).ok_or_else(broken)?;
        let [dtype, offset, ..] = *store.tuple(field).ok_or_else(broken)? else { return Err(broken()) };
        let dtype = dtype_at(store, dtype, charge, depth + 1)?;
        let offset = dimension(store, offset)?;
        if offset.checked_add(dtype.size).is_none_or(|end| end > size) {
            return Err(Error::malformed(format!("field '{}' lies outside of its record", name.escape_debug())));
        }
        fields.push(Field { name: name.to_owned(), dtype, offset });
    }
    Ok(fields)
}

/// `({}, (unit, step, denominator, event))`, the unit being `bytes`.
fn time(store: Store<'_>, metadata: Id, charge: Charge<'_>) -> Result<Kind> {
    let broken = || Error::malformed("the unit of a time dtype has an unknown form");
    let Some(&[_, unit]) = store.tuple(metadata) else { return Err(broken()) };
    let Some(&[unit, step, ..]) = store.tuple(unit) else { return Err(broken()) };
    let unit = bytes(store, unit, charge)?.ok_or_else(broken)?;
    let unit = match &*unit {
        b"generic" => None,
        unit => Some(*ndarray::TIME_UNITS.iter().find(|known| known.as_bytes() == unit).ok_or_else(broken)?),
    };
    let step = store.int(step).ok_or_else(broken)?;
    Ok(Kind::Time { unit: unit.map(str::to_owned), step })
}

fn dimension(store: Store<'_>, id: Id) -> Result<usize> {
    let number = store.int(id).and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| Error::malformed("an axis of an array is not a length"))
}

/// The axes of an array: a tuple of integers.
pub(super) fn shape(store: Store<'_>, id: Id) -> Result<Vec<usize>> {
    let axes = store.tuple(id).ok_or_else(|| Error::malformed("the shape of an array is not a tuple"))?;
    limits::check("axes of an array", axes.len(), limits::ARRAY_AXES)?;
    axes.iter().map(|&axis| dimension(store, axis)).collect()
}

/// The bytes of `bytes`, `bytearray` and a Python 2 `str`, also where Python wrote them as a call: protocol 2 knows no bytes and
/// writes Latin-1 text (`_codecs.encode(text, 'latin1')`). `None` when it is none of these.
pub(super) fn bytes<'s>(store: Store<'s>, id: Id, charge: Charge<'_>) -> Result<Option<Cow<'s, [u8]>>> {
    if let Some(octets) = store.octets(id) {
        return Ok(Some(Cow::Borrowed(octets)));
    }
    let Some(record) = store.record(id).filter(|record| record.made == Made::Call) else { return Ok(None) };
    let called = store.global(record.callable);
    let maker = matches!(called, Some(("builtins", "bytearray" | "bytes")));
    match store.tuple(record.args) {
        Some(&[text, encoding]) if maker || called == Some(("_codecs", "encode")) => {
            latin(store, text, encoding, charge)
        }
        // `bytearray(bytes)`; only one call deep, so that no file can nest it.
        Some(&[inner]) if maker => match store.record(inner) {
            Some(record) => match store.tuple(record.args) {
                Some(&[text, encoding]) if store.global(record.callable) == Some(("_codecs", "encode")) => {
                    latin(store, text, encoding, charge)
                }
                _ => Ok(None),
            },
            None => Ok(store.octets(inner).map(Cow::Borrowed)),
        },
        Some([]) if maker => Ok(Some(Cow::Borrowed(&[]))),
        _ => Ok(None),
    }
}

/// Text of Latin-1 as its bytes.
fn latin<'s>(store: Store<'s>, text: Id, encoding: Id, charge: Charge<'_>) -> Result<Option<Cow<'s, [u8]>>> {
    if !matches!(store.text(encoding), Some("latin1" | "latin-1")) {
        return Ok(None);
    }
    // The same text may be the bytes of many arrays.
    charge(store.written(text).map_or(0, <[u8]>::len))?;
    let Some(text) = store.text(text) else { return Ok(None) };
    if text.is_ascii() {
        return Ok(Some(Cow::Borrowed(text.as_bytes())));
    }
    Ok(text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>().map(Cow::Owned))
}

/// Where the elements of an array lie.
pub(super) enum Content<'s> {
    /// In these bytes.
    Raw(Cow<'s, [u8]>),
    /// In these nodes, in C order.
    Objects(&'s [Id]),
}

/// An array or scalar in the parts that its pickle has.
pub(super) struct Parts<'s> {
    pub dtype: Id,
    pub shape: Vec<usize>,
    pub fortran: bool,
    pub content: Content<'s>,
}

fn inner_package(module: &str, rest: &str) -> bool {
    let of = |package: &str| module.strip_prefix(package).and_then(|tail| tail.strip_prefix('.')) == Some(rest);
    of("numpy.core") || of("numpy._core")
}

/// The array or scalar that a node describes; `None` when it describes something else.
pub(super) fn parts<'s>(store: Store<'s>, id: Id, charge: Charge<'_>) -> Result<Option<Parts<'s>>> {
    if let Node::Array(index) = store.node(id) {
        let array = store.heap.arrays[index as usize];
        let content = Content::Raw(Cow::Borrowed(store.span(array.data)));
        let shape = shape(store, array.shape)?;
        return Ok(Some(Parts { dtype: array.dtype, shape, fortran: array.fortran, content }));
    }
    let Some(record) = store.record(id).filter(|record| record.made == Made::Call) else { return Ok(None) };
    let Some((module, name)) = store.global(record.callable) else { return Ok(None) };
    let args = store.tuple(record.args).unwrap_or_default();
    match name {
        "_reconstruct" if inner_package(module, "multiarray") => reconstructed(store, record, args, charge).map(Some),
        "scalar" if inner_package(module, "multiarray") => scalar(store, args, charge).map(Some),
        "_frombuffer" if inner_package(module, "numeric") => from_buffer(store, args, charge).map(Some),
        "_mareconstruct" if module.starts_with("numpy.ma.") => Err(Error::unsupported(
            "a masked array, whose mask this library does not read; store array.filled(...) instead",
        )),
        _ => Ok(None),
    }
}

fn data_of<'s>(store: Store<'s>, data: Id, charge: Charge<'_>) -> Result<Cow<'s, [u8]>> {
    bytes(store, data, charge)?.ok_or_else(|| Error::malformed("the data of an array are not bytes"))
}

/// `_reconstruct(class, (0,), b'b')` and the state `(version, shape, dtype, is_fortran, data)`; numpy before 1.0 has no version.
fn reconstructed<'s>(store: Store<'s>, record: Record, args: &[Id], charge: Charge<'_>) -> Result<Parts<'s>> {
    let state = store.tuple(record.state).unwrap_or_default();
    let (&[_, axes, dtype, fortran, data] | &[axes, dtype, fortran, data]) = state else {
        let class = args.first().and_then(|&class| store.global(class));
        return Err(Error::unsupported(match class {
            Some((module, name)) => {
                format!("the state of an array of class {}.{} has an unknown form", shorten(module), shorten(name))
            }
            None => "the state of an array has an unknown form".to_owned(),
        }));
    };
    let content = match store.node(data) {
        Node::List(items) => Content::Objects(store.heap.items(items)),
        _ => Content::Raw(data_of(store, data, charge)?),
    };
    let fortran = store.int(fortran).unwrap_or(0) != 0;
    Ok(Parts { dtype, shape: shape(store, axes)?, fortran, content })
}

/// `_frombuffer(buffer, dtype, shape, order)` of protocol 5.
fn from_buffer<'s>(store: Store<'s>, args: &[Id], charge: Charge<'_>) -> Result<Parts<'s>> {
    let &[buffer, dtype, axes, order, ..] = args else {
        return Err(Error::malformed("an array from a buffer lacks its dtype, shape or order"));
    };
    let fortran = match store.text(order) {
        Some("C") => false,
        Some("F") => true,
        _ => return Err(Error::unsupported("an array in an order that is neither C nor F")),
    };
    let data = data_of(store, buffer, charge)?;
    Ok(Parts { dtype, shape: shape(store, axes)?, fortran, content: Content::Raw(data) })
}

/// `scalar(dtype, data)`: an array of no axes.
fn scalar<'s>(store: Store<'s>, args: &'s [Id], charge: Charge<'_>) -> Result<Parts<'s>> {
    let [dtype, data] = args else {
        return Err(Error::malformed("a numpy scalar lacks its dtype or its data"));
    };
    let content = match bytes(store, *data, charge)? {
        Some(data) => Content::Raw(data),
        None => Content::Objects(std::slice::from_ref(data)),
    };
    Ok(Parts { dtype: *dtype, shape: Vec::new(), fortran: false, content })
}
