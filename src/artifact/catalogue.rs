//! `models.yaml`: a list `models: [{name, path, ...}]`, a map `registry: {id: {path, ...}}`, or both.

use super::Entry;
use super::layout::{Found, Layout, Place, Reach};
use super::metadata::{Metadata, kind};
use super::name::{self, DEFAULT_VIEW};
use super::older::only_view;
use super::root::Root;
use crate::codec;
use crate::error::{Error, Result, Within};
use crate::limits;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The target of a model whose entry names none.
const NO_TARGET: &str = "default";

/// A catalogue and the models it names.
#[derive(Debug)]
pub struct Catalogue {
    root: Root,
    file: PathBuf,
    value: Value,
    models: Vec<Model>,
}

#[derive(Debug)]
struct Model {
    found: Found,
    metadata: Map<String, Value>,
}

impl Catalogue {
    /// The catalogue in this file. Its paths are relative to its directory; in a directory `config` also to the one above.
    ///
    /// # Errors
    /// `MI_NOT_FOUND`, `MI_IO`, `MI_LIMIT_EXCEEDED`; `MI_MALFORMED` with the line for what is no YAML or an entry without name or path.
    pub fn open(file: &Path) -> Result<Self> {
        let directory = file.parent().unwrap_or(Path::new("/"));
        let in_config = directory.file_name().is_some_and(|name| name.eq_ignore_ascii_case("config"));
        let root = Root::new(if in_config { directory.parent().unwrap_or(directory) } else { directory })?;
        let bytes = codec::file::read(file, limits::METADATA_BYTES)?;
        let value = parse(&bytes).within(|| file.display())?;
        let mut models = Vec::new();
        for (id, map) in entries(&value).within(|| file.display())? {
            models.push(model(&id, map, directory, &root).within(|| format!("{}: model '{id}'", file.display()))?);
        }
        models.sort_by(|a, b| a.found.cmp(&b.found));
        Ok(Self { root, file: file.to_owned(), value, models })
    }
}

fn parse(bytes: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(bytes).map_err(|cause| Error::malformed(format!("not UTF-8: {cause}")))?;
    serde_saphyr::from_str(text).map_err(|cause| {
        // The rest of the text is a picture of the lines, which one line of C text cannot show.
        let cause = cause.to_string();
        let line = cause.lines().next().unwrap_or_default();
        Error::malformed(format!("not YAML: {}", line.strip_prefix("error: ").unwrap_or(line)))
    })
}

/// The entries of both shapes, by name.
fn entries(value: &Value) -> Result<Vec<(String, Map<String, Value>)>> {
    let mut found = Vec::new();
    let list = value.get("models").filter(|list| !list.is_null());
    let map = value.get("registry").filter(|map| !map.is_null());
    if list.is_none() && map.is_none() {
        return Err(Error::malformed("a catalogue has a list `models:` or a map `registry:`, this has neither"));
    }
    if let Some(list) = list {
        let list =
            list.as_array().ok_or_else(|| Error::malformed(format!("`models` is {}, not a list", kind(list))))?;
        for (index, entry) in list.iter().enumerate() {
            let entry = entry.as_object().ok_or_else(|| {
                Error::malformed(format!("models[{index}] is {}, not a map {{name, path}}", kind(entry)))
            })?;
            let name = entry
                .get("name")
                .and_then(Value::as_str)
                .ok_or_else(|| Error::malformed(format!("models[{index}] has no `name`, or one that is no string")))?;
            found.push((name.to_owned(), entry.clone()));
        }
    }
    if let Some(map) = map {
        let map = map.as_object().ok_or_else(|| Error::malformed(format!("`registry` is {}, not a map", kind(map))))?;
        for (id, entry) in map {
            let entry = entry
                .as_object()
                .ok_or_else(|| Error::malformed(format!("registry.{id} is {}, not a map {{path}}", kind(entry))))?;
            found.push((id.clone(), entry.clone()));
        }
    }
    limits::check("models of a catalogue", found.len(), limits::DIRECTORY_ENTRIES)?;
    Ok(found)
}

fn model(id: &str, mut map: Map<String, Value>, directory: &Path, root: &Root) -> Result<Model> {
    name::check("model", id)?;
    // What an entry says itself goes before what it says in its `metadata`.
    if let Some(Value::Object(metadata)) = map.get("metadata").cloned() {
        map.remove("metadata");
        for (key, value) in metadata {
            map.entry(key).or_insert(value);
        }
    }
    let path = map
        .get("path")
        .and_then(Value::as_str)
        .ok_or_else(|| Error::malformed("no `path`, or one that is no string"))?;
    let relative = Path::new(path);
    let beside = directory.join(relative);
    let path = if beside.exists() { beside } else { root.path().join(relative) };
    let target = match map.get("target") {
        None | Some(Value::Null) => NO_TARGET.to_owned(),
        Some(Value::String(target)) => name::target_directory(target)?,
        Some(other) => return Err(Error::malformed(format!("`target` is {}, not a string", kind(other)))),
    };
    let entry = Entry { target, view: DEFAULT_VIEW.to_owned(), symbol: None, family: id.to_owned() };
    Ok(Model { found: Found { entry, path }, metadata: map })
}

impl Layout for Catalogue {
    fn root(&self) -> &Root {
        &self.root
    }

    fn targets(&self) -> Result<Vec<String>> {
        let targets: BTreeSet<&String> = self.models.iter().map(|model| &model.found.entry.target).collect();
        Ok(targets.into_iter().cloned().collect())
    }

    fn views(&self, target: &str) -> Result<Vec<String>> {
        self.models(target, DEFAULT_VIEW)?;
        Ok(vec![DEFAULT_VIEW.to_owned()])
    }

    fn symbols(&self, target: &str, view: &str) -> Result<Vec<String>> {
        self.models(target, view)?;
        Ok(Vec::new())
    }

    fn models(&self, target: &str, view: &str) -> Result<Vec<Found>> {
        let of_target = self.models.iter().filter(|model| model.found.entry.target == target);
        let found: Vec<Found> = of_target.map(|model| model.found.clone()).collect();
        if found.is_empty() {
            return Err(name::unknown("target", "targets", target, &self.file.display().to_string(), &self.targets()?));
        }
        only_view(target, view)?;
        Ok(found)
    }

    fn reach(&self, target: &str, view: &str, _symbol: Option<&str>) -> Result<Reach> {
        Ok(Reach { models: self.models(target, view)?, by_symbol: false })
    }

    fn place(&self, found: &Found) -> Result<Place> {
        let model = self.models.iter().find(|model| model.found == *found);
        let map = model.map(|model| model.metadata.clone()).unwrap_or_default();
        let place = format!("{} (model '{}')", self.file.display(), found.entry.family);
        Ok(Place {
            entry: found.entry.clone(),
            path: found.path.clone(),
            metadata: Metadata::new(Value::Object(map), place)?,
            candidates: vec![found.path.clone()],
            expected: "as `path` says".to_owned(),
            sidecars: Vec::new(),
            warnings: Vec::new(),
        })
    }

    fn manifest(&self) -> Result<Option<Value>> {
        Ok(Some(self.value.clone()))
    }
}
