//! A run of the older generation: `mtf_<stamp>/<Family>/<target>/<family>_mtf_b0.{txt,joblib,keras,json,pt}`.

use super::Entry;
use super::layout::{Found, Layout, Place, Reach, view_is};
use super::metadata::{self, Metadata};
use super::name::{self, DEFAULT_VIEW};
use super::root::{Item, Root};
use crate::error::{Error, Result};
use crate::limits;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Levels from a file of a model to the run's directory.
pub const DEPTH: usize = 3;
/// What the directory of a run begins with.
const PREFIX: &str = "mtf_";
/// What is between the family and the ending of a file.
const INFIX: &str = "_mtf_b0";
/// Endings of a model, in the order in which they are tried.
const ENDINGS: [&str; 5] = ["txt", "joblib", "keras", "json", "pt"];

/// A run on disk.
#[derive(Debug)]
pub struct Older {
    root: Root,
}

impl Older {
    /// Whether this directory is the root of a run.
    pub fn is_stamp(directory: &Path) -> bool {
        directory.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
            && directory.is_dir()
    }

    /// The run that lies in this directory.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` when it holds several: which one is meant is not ours to guess.
    pub fn stamp_in(directory: &Path) -> Result<Option<PathBuf>> {
        let Ok(entries) = std::fs::read_dir(directory) else { return Ok(None) };
        let mut stamps: Vec<PathBuf> = entries
            .take(limits::DIRECTORY_ENTRIES)
            .filter_map(std::result::Result::ok)
            .map(|entry| entry.path())
            .filter(|path| Self::is_stamp(path))
            .collect();
        stamps.sort();
        if stamps.len() > 1 {
            let names: Vec<_> = stamps.iter().filter_map(|path| path.file_name()?.to_str()).collect();
            return Err(Error::invalid(format!(
                "{} holds several runs: {}; open the one that is meant",
                directory.display(),
                name::list(&names)
            )));
        }
        Ok(stamps.pop())
    }

    /// The run in this directory `mtf_<stamp>`.
    ///
    /// # Errors
    /// `MI_NOT_FOUND`, `MI_IO`.
    pub fn open(stamp: &Path) -> Result<Self> {
        Ok(Self { root: Root::new(stamp)? })
    }

    /// Every family and target.
    fn all(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for family in self.root.directories(self.root.path(), "")? {
            for target in self.root.directories(&family.path, "")? {
                let entry = Entry {
                    target: target.name,
                    view: DEFAULT_VIEW.to_owned(),
                    symbol: None,
                    family: family.name.clone(),
                };
                found.push(Found { entry, path: target.path });
            }
            limits::check("models of a run", found.len(), limits::DIRECTORY_ENTRIES)?;
        }
        found.sort();
        Ok(found)
    }

    fn of_target(&self, target: &str) -> Result<Vec<Found>> {
        let mut found = self.all()?;
        found.retain(|model| model.entry.target == target);
        if found.is_empty() {
            let place = self.root.path().display().to_string();
            return Err(name::unknown("target", "targets", target, &place, &self.targets()?));
        }
        Ok(found)
    }
}

impl Layout for Older {
    fn root(&self) -> &Root {
        &self.root
    }

    fn targets(&self) -> Result<Vec<String>> {
        let targets: BTreeSet<String> = self.all()?.into_iter().map(|model| model.entry.target).collect();
        Ok(targets.into_iter().collect())
    }

    fn views(&self, target: &str) -> Result<Vec<String>> {
        self.of_target(target)?;
        Ok(vec![DEFAULT_VIEW.to_owned()])
    }

    fn symbols(&self, target: &str, view: &str) -> Result<Vec<String>> {
        self.models(target, view)?;
        Ok(Vec::new())
    }

    fn models(&self, target: &str, view: &str) -> Result<Vec<Found>> {
        let models = self.of_target(target)?;
        only_view(target, view)?;
        Ok(models)
    }

    fn reach(&self, target: &str, view: &str, _symbol: Option<&str>) -> Result<Reach> {
        Ok(Reach { models: self.models(target, view)?, by_symbol: false })
    }

    fn place(&self, found: &Found) -> Result<Place> {
        let here = self.root.list(&found.path)?;
        let with_ending = |ending: &str| -> Vec<&Item> {
            here.iter().filter(|item| item.name.ends_with(&format!("{INFIX}{ending}"))).collect()
        };
        let plain = here.iter().find(|item| item.name == "meta_b0.json");
        let Some(meta) =
            plain.or_else(|| with_ending(".meta.json").pop()).or_else(|| with_ending(".meta.joblib").pop())
        else {
            return Err(Error::not_found(format!(
                "meta_b0.json is missing in {}; it (or <family>{INFIX}.meta.joblib) is required beside the model",
                found.path.display()
            )));
        };
        let value = metadata::json(&self.root.read(&meta.path, limits::METADATA_BYTES)?, &meta.path)?;
        let metadata = Metadata::new(value, meta.path.display().to_string())?;
        let candidates: Vec<PathBuf> = ENDINGS
            .iter()
            .flat_map(|ending| with_ending(&format!(".{ending}")))
            .map(|item| item.path.clone())
            .collect();
        let sidecars = ["_imputer.joblib", "_scaler.joblib"]
            .iter()
            .flat_map(|ending| with_ending(ending))
            .map(|item| item.path.clone())
            .collect();
        Ok(Place {
            entry: found.entry.clone(),
            path: found.path.clone(),
            metadata,
            candidates,
            expected: format!("<family>{INFIX}.{{{}}}", ENDINGS.join(",")),
            sidecars,
            warnings: Vec::new(),
        })
    }

    fn manifest(&self) -> Result<Option<Value>> {
        let path = self.root.path().join("manifest.json");
        let bytes = self.root.read_optional(&path, limits::METADATA_BYTES)?;
        bytes.map(|bytes| metadata::json(&bytes, &path)).transpose()
    }
}

/// Refuses a view other than the default one, for layouts that have no views.
///
/// # Errors
/// `MI_NOT_FOUND` naming the one there is.
pub fn only_view(target: &str, view: &str) -> Result<()> {
    if view_is(view, DEFAULT_VIEW) {
        return Ok(());
    }
    Err(name::unknown("view", "views", view, &format!("target '{target}'"), &[DEFAULT_VIEW.to_owned()]))
}
