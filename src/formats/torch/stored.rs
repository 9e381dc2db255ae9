//! Tensors in pickles: a note of how each lies in a storage, and the storages beside the pickle.

use super::number::{Kind, Type, View};
use crate::codec::archive::Archive;
use crate::codec::pickle::{self, Ref};
use crate::error::{Error, Result, Within};
use crate::ir::Precision;
use crate::ir::network::Array;
use std::collections::HashMap;

/// Where the bytes of storages come from.
pub(super) enum Storages<'a, 'b> {
    /// Entries `<folder><key>` of an archive.
    Archive { archive: &'b mut Archive<'a>, folder: String, known: HashMap<String, Vec<u8>> },
    /// Behind the pickles of the older serialisation, by their keys.
    Behind(HashMap<String, &'a [u8]>),
}

impl<'a, 'b> Storages<'a, 'b> {
    /// The pickle of an archive, and its storages.
    ///
    /// # Errors
    /// `MI_MALFORMED` without a pickle, `MI_UNSUPPORTED` for big-endian storages.
    pub(super) fn of_archive(archive: &'b mut Archive<'a>) -> Result<(Vec<u8>, Self)> {
        let name = archive.names().find(|name| name.ends_with("/data.pkl") || name == "data.pkl");
        let name = name.ok_or_else(|| Error::malformed("the archive holds no data.pkl"))?;
        let folder = name[..name.len() - "data.pkl".len()].to_owned();
        let order = format!("{folder}byteorder");
        if archive.contains(&order) && archive.read(&order)?.trim_ascii() != b"little" {
            return Err(Error::unsupported(
                "storages in big-endian order are not read; save the model on another machine",
            ));
        }
        let pickle = archive.read(&name)?;
        Ok((pickle, Self::of_folder(archive, format!("{folder}data/"))))
    }

    /// The storages in a folder of an archive.
    pub(super) fn of_folder(archive: &'b mut Archive<'a>, folder: String) -> Self {
        Storages::Archive { archive, folder, known: HashMap::new() }
    }

    fn bytes(&mut self, key: &str) -> Result<&[u8]> {
        match self {
            Storages::Archive { archive, folder, known } => {
                if !known.contains_key(key) {
                    let bytes = archive.read(&format!("{folder}{key}"))?;
                    known.insert(key.to_owned(), bytes);
                }
                Ok(&known[key])
            }
            Storages::Behind(storages) => {
                let bytes = storages.get(key).copied();
                bytes.ok_or_else(|| Error::malformed(format!("no storage is called '{}'", key.escape_default())))
            }
        }
    }
}

/// A tensor that a pickle notes.
pub(super) struct Noted {
    key: String,
    view: View,
}

impl Noted {
    /// Its shape.
    pub(super) fn sizes(&self) -> &[usize] {
        &self.view.sizes
    }

    /// Its numbers.
    ///
    /// # Errors
    /// `MI_MALFORMED` when its storage is not there or too short.
    pub(super) fn read(&self, storages: &mut Storages<'_, '_>, precision: Precision) -> Result<(Kind, Array)> {
        let array = self.view.array(storages.bytes(&self.key)?, precision)?;
        Ok((self.view.kind.kind(), array))
    }
}

/// The tensor that a value notes; `None` for everything else.
///
/// # Errors
/// `MI_MALFORMED` for a broken note, `MI_UNSUPPORTED` for types and layouts that are not read.
pub(super) fn tensor(value: Ref<'_>) -> Result<Option<Noted>> {
    let Some(("torch._utils", name)) = value.class() else { return Ok(None) };
    let args = value.args()?;
    match (name, &args[..]) {
        ("_rebuild_parameter" | "_rebuild_parameter_with_state", [inner, ..]) => tensor(*inner),
        ("_rebuild_tensor_v2" | "_rebuild_tensor", [storage, offset, sizes, strides, ..]) => {
            let numbers =
                |list: Ref<'_>| list.list()?.iter().map(|number| number.as_usize()).collect::<Result<Vec<_>>>();
            let (kind, key) = note(*storage)?;
            let view = View { kind, sizes: numbers(*sizes)?, strides: numbers(*strides)?, offset: offset.as_usize()? };
            Ok(Some(Noted { key, view }))
        }
        _ => Err(value.unsupported(format!("a tensor made by {name} is not read; save plain tensors of float32"))),
    }
}

fn note(storage: Ref<'_>) -> Result<(Type, String)> {
    noted(storage.persistent_id().ok_or_else(|| storage.expected("a storage"))?)
}

/// Type and key of a storage: `('storage', torch.FloatStorage, '0', 'cpu', 32)`.
fn noted(id: Ref<'_>) -> Result<(Type, String)> {
    let parts = id.list()?;
    let (Some(kind), Some(key)) = (parts.get(1), parts.get(2)) else {
        return Err(id.expected("the note of a storage"));
    };
    let (_, name) = kind.global().or_else(|| kind.class()).ok_or_else(|| kind.expected("a class of storages"))?;
    Ok((Type::of_storage(name).within(|| kind.path())?, key.as_str()?.into_owned()))
}

/// The first bytes of the older serialisation: a pickle of its magic number.
pub(super) const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// A file of the older serialisation taken apart.
pub(super) struct Legacy<'a> {
    /// The pickle of the object.
    pub(super) pickle: &'a [u8],
    pub(super) storages: HashMap<String, &'a [u8]>,
}

/// Takes a file of the older serialisation apart: magic number, version, facts of the machine, the object, and the keys of its storages,
/// each a pickle; then the storages, each with its number of elements in front.
///
/// # Errors
/// `MI_MALFORMED` for a broken file, `MI_UNSUPPORTED` for storages in big-endian order.
pub(super) fn legacy(bytes: &[u8]) -> Result<Legacy<'_>> {
    let mut rest = bytes;
    let mut next = || -> Result<&[u8]> {
        let graph = pickle::decode(rest)?;
        let length = rest.len() - graph.rest().len();
        let (own, behind) = rest.split_at(length);
        rest = behind;
        Ok(own)
    };
    let (_magic, _version, machine, object, keys) = (next()?, next()?, next()?, next()?, next()?);
    let machine = pickle::decode(machine)?;
    if let Some(little) = machine.root().dict_get_opt("little_endian")?
        && little.as_i64()? == 0
    {
        return Err(Error::unsupported("storages in big-endian order are not read; save the model on another machine"));
    }
    let mut kinds = HashMap::new();
    let graph = pickle::decode(object)?;
    for id in graph.persistent_ids() {
        let parts = id.list()?;
        if parts.first().is_some_and(|word| word.as_str().is_ok_and(|word| word == "storage")) {
            let (kind, key) = noted(id)?;
            kinds.insert(key, kind);
        }
    }
    let mut storages = HashMap::new();
    for key in pickle::decode(keys)?.root().list()? {
        let key = key.as_str()?.into_owned();
        let within = || format!("storage '{}'", key.escape_default());
        let size =
            kinds.get(&key).ok_or_else(|| Error::malformed("nothing says of what type it is")).within(within)?.size();
        let cut = || Error::malformed("it is cut off, copy it again").within(within());
        let (count, behind) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(size));
        let length = length.filter(|&length| length <= behind.len()).ok_or_else(cut)?;
        let (own, behind) = behind.split_at(length);
        storages.insert(key, own);
        rest = behind;
    }
    Ok(Legacy { pickle: object, storages })
}
