//! A training run: `targets/<target>/models/view=<VIEW>/[universe=<signature>/][symbol=<SYMBOL>/]family=<family>/`.

use super::layout::{Found, Layout, Place, Reach, view_is};
use super::metadata::{self, Metadata};
use super::name::{self, SYMBOL_VIEW};
use super::root::{Item, Root};
use super::{Entry, family};
use crate::error::{Error, Result};
use crate::limits;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The metadata of a model.
const METADATA: &str = "model_meta.json";
/// What a model's file or directory may be called, in the order in which they are tried.
const CANDIDATES: [&str; 13] = [
    "model.pkl",
    "model.joblib",
    "model.txt",
    "model.json",
    "model.ubj",
    "model.cbm",
    "model.onnx",
    "model.keras",
    "model.h5",
    "model",
    "saved_model",
    "model.pt2",
    "model.pt",
];
/// Steps before the model, in the order in which they are applied; of each the first name that is there.
const SIDECARS: [[&str; 2]; 2] = [["imputer.joblib", "imputer.pkl"], ["scaler.joblib", "scaler.pkl"]];

/// A run on disk.
#[derive(Debug)]
pub struct Run {
    root: Root,
    universe: Option<String>,
}

impl Run {
    /// Whether this directory is the root of a run.
    pub fn is_root(directory: &Path) -> bool {
        ["targets", "globals", "cache"].iter().any(|mark| directory.join(mark).is_dir())
    }

    /// The run with this root; of several universes only `universe` is seen.
    ///
    /// # Errors
    /// `MI_NOT_FOUND`, `MI_IO`; `MI_INVALID_ARGUMENT` for a universe that is a path.
    pub fn open(root: &Path, universe: Option<&str>) -> Result<Self> {
        if let Some(universe) = universe {
            name::check("universe", universe)?;
        }
        Ok(Self { root: Root::new(root)?, universe: universe.map(str::to_owned) })
    }

    /// The directory of a target.
    fn target(&self, target: &str) -> Result<PathBuf> {
        let path = self.root.path().join("targets").join(target);
        if path.is_dir() {
            return Ok(path);
        }
        let place = format!("{}", self.root.path().join("targets").display());
        Err(name::unknown("target", "targets", target, &place, &self.targets()?))
    }

    /// The directory of a view and its spelling on disk.
    fn view(&self, target: &str, view: &str) -> Result<Item> {
        let mut views = self.view_directories(target)?;
        let spelled: Vec<String> = views.iter().map(|item| item.name.clone()).collect();
        let exact = spelled.iter().position(|name| name == view);
        match exact.or_else(|| spelled.iter().position(|name| view_is(view, name))) {
            Some(index) => Ok(views.swap_remove(index)),
            None => Err(name::unknown("view", "views", view, &format!("target '{target}'"), &spelled)),
        }
    }

    fn view_directories(&self, target: &str) -> Result<Vec<Item>> {
        self.root.directories(&self.target(target)?.join("models"), "view=")
    }

    /// The view's directory and those of its universes.
    fn bases(&self, view: &Path) -> Result<Vec<PathBuf>> {
        let mut bases = vec![view.to_owned()];
        for item in self.root.directories(view, "universe=")? {
            if self.universe.as_ref().is_none_or(|wanted| *wanted == item.name) {
                bases.push(item.path);
            }
        }
        Ok(bases)
    }

    /// The families directly in a directory.
    fn families(&self, directory: &Path, target: &str, view: &str, symbol: Option<&str>) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for item in self.root.directories(directory, "")? {
            let family = match item.name.strip_prefix(family::PREFIX) {
                Some(family) => family,
                None if item.path.join(METADATA).is_file() => &item.name,
                None => continue,
            };
            let entry = Entry {
                target: target.to_owned(),
                view: view.to_owned(),
                symbol: symbol.map(str::to_owned),
                family: family.to_owned(),
            };
            found.push(Found { entry, path: item.path });
        }
        Ok(found)
    }

    fn json(&self, path: &Path) -> Result<Option<Value>> {
        let bytes = self.root.read_optional(path, limits::METADATA_BYTES)?;
        bytes.map(|bytes| metadata::json(&bytes, path)).transpose()
    }
}

impl Layout for Run {
    fn root(&self) -> &Root {
        &self.root
    }

    fn targets(&self) -> Result<Vec<String>> {
        let items = self.root.directories(&self.root.path().join("targets"), "")?;
        Ok(items.into_iter().map(|item| item.name).collect())
    }

    fn views(&self, target: &str) -> Result<Vec<String>> {
        Ok(self.view_directories(target)?.into_iter().map(|item| item.name).collect())
    }

    fn symbols(&self, target: &str, view: &str) -> Result<Vec<String>> {
        let mut symbols = BTreeSet::new();
        for base in self.bases(&self.view(target, view)?.path)? {
            symbols.extend(self.root.directories(&base, "symbol=")?.into_iter().map(|item| item.name));
        }
        Ok(symbols.into_iter().collect())
    }

    fn models(&self, target: &str, view: &str) -> Result<Vec<Found>> {
        let view = self.view(target, view)?;
        let mut models = Vec::new();
        for base in self.bases(&view.path)? {
            models.extend(self.families(&base, target, &view.name, None)?);
            for symbol in self.root.directories(&base, "symbol=")? {
                models.extend(self.families(&symbol.path, target, &view.name, Some(&symbol.name))?);
            }
        }
        models.sort();
        Ok(models)
    }

    fn reach(&self, target: &str, view: &str, symbol: Option<&str>) -> Result<Reach> {
        let view = self.view(target, view)?;
        let symbol = symbol.map(|symbol| symbol.strip_prefix("symbol=").unwrap_or(symbol));
        if let Some(symbol) = symbol {
            name::check("symbol", symbol)?;
        }
        let strict = view_is(SYMBOL_VIEW, &view.name);
        let mut own = Vec::new();
        let mut shared = Vec::new();
        let mut symbols = BTreeSet::new();
        for base in self.bases(&view.path)? {
            shared.extend(self.families(&base, target, &view.name, None)?);
            for item in self.root.directories(&base, "symbol=")? {
                if symbol == Some(item.name.as_str()) {
                    own.extend(self.families(&item.path, target, &view.name, symbol)?);
                }
                symbols.insert(item.name);
            }
        }
        let by_symbol = !symbols.is_empty();
        let known = symbol.is_some_and(|symbol| symbols.contains(symbol));
        let symbols: Vec<String> = symbols.into_iter().collect();
        let place = format!("target '{target}', view {}", view.name);
        match symbol {
            Some(symbol) if strict && by_symbol && !known => {
                return Err(name::unknown("symbol", "symbols", symbol, &place, &symbols));
            }
            None if by_symbol && (strict || shared.is_empty()) => {
                return Err(Error::invalid(format!(
                    "{place} has one model per symbol: say which of {}",
                    name::list(&symbols)
                )));
            }
            _ => {}
        }
        if !(strict && by_symbol) {
            let covered: BTreeSet<String> = own.iter().map(|found| family::canonical(&found.entry.family)).collect();
            own.extend(shared.into_iter().filter(|found| !covered.contains(&family::canonical(&found.entry.family))));
        }
        own.sort();
        Ok(Reach { models: own, by_symbol })
    }

    fn place(&self, found: &Found) -> Result<Place> {
        let path = found.path.join(METADATA);
        let Some(value) = self.json(&path)? else {
            return Err(Error::not_found(format!(
                "{METADATA} is missing in {}; it is required beside the model and says what the model is: family, target, features, \
                 model_checksum (SHA-256 of the model file), interval_minutes",
                found.path.display()
            )));
        };
        let here: Vec<Item> = self.root.list(&found.path)?;
        let present = |names: &[&str]| -> Vec<PathBuf> {
            names
                .iter()
                .filter_map(|name| here.iter().find(|item| item.name == *name))
                .map(|item| item.path.clone())
                .collect()
        };
        let metadata = Metadata::new(value, path.display().to_string())?;
        let mut candidates = present(&CANDIDATES);
        let mut warnings = Vec::new();
        if let Some(file) = metadata.model_file()? {
            match here.iter().find(|item| item.name == file) {
                Some(item) => {
                    candidates.retain(|path| *path != item.path);
                    candidates.insert(0, item.path.clone());
                }
                None => warnings.push(format!("metadata: `model_file` is '{file}', which is not there")),
            }
        }
        let mut sidecars = Vec::new();
        for names in &SIDECARS {
            let mut files = present(names).into_iter();
            sidecars.extend(files.next());
            if files.next().is_some() {
                warnings.push(format!("{} and {} lie beside the model; the first is used", names[0], names[1]));
            }
        }
        Ok(Place {
            entry: found.entry.clone(),
            path: found.path.clone(),
            metadata,
            candidates,
            expected: format!("{}, or as `model_file` in {METADATA} says", CANDIDATES.join(", ")),
            sidecars,
            warnings,
        })
    }

    fn routing(&self, target: &str, view: Option<&str>) -> Result<Option<Value>> {
        const FILE: &str = "routing_decision.json";
        let directory = self.target(target)?;
        let Some(view) = view else {
            let decision = self.json(&directory.join("decision").join(FILE))?;
            // The file holds its target as a key, spelled as it was before it became a directory.
            let own = decision.as_ref().and_then(Value::as_object).and_then(|targets| {
                targets.iter().find(|(key, _)| name::target_directory(key).is_ok_and(|key| key == target))
            });
            return match own {
                Some((_, decision)) => Ok(Some(decision.clone())),
                None if decision.is_some() => Ok(decision),
                None => match self.view(target, name::DEFAULT_VIEW) {
                    Ok(view) => self.json(&view.path.join(FILE)),
                    Err(_) => Ok(None),
                },
            };
        };
        self.json(&self.view(target, view)?.path.join(FILE))
    }

    fn manifest(&self) -> Result<Option<Value>> {
        self.json(&self.root.path().join("manifest.json"))
    }
}
