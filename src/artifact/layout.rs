//! What every layout of a run can be asked.

use super::catalogue::Catalogue;
use super::metadata::Metadata;
use super::name::{self, DEFAULT_VIEW};
use super::older::{self, Older};
use super::root::Root;
use super::run::Run;
use super::{Entry, Name, Selector, family};
use crate::error::{Error, Result, Status};
use crate::limits;
use serde_json::Value;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// A model that a layout found: its names and where it lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Found {
    /// Its names as they are on disk.
    pub entry: Entry,
    /// Its directory, or its file in a catalogue.
    pub path: PathBuf,
}

/// The models that a target, a view and a symbol reach.
#[derive(Debug)]
pub struct Reach {
    /// The models.
    pub models: Vec<Found>,
    /// The view has a level of symbols: another symbol may reach other models.
    pub by_symbol: bool,
}

/// Everything needed to read one model.
#[derive(Debug)]
pub struct Place {
    /// Its names as they are on disk.
    pub entry: Entry,
    /// Where it lies; with the names it identifies the model.
    pub path: PathBuf,
    /// What is said about it.
    pub metadata: Metadata,
    /// Files and directories that may be the model, in the order in which they are tried.
    pub candidates: Vec<PathBuf>,
    /// What the model's file would be called, for the sentence that none is there.
    pub expected: String,
    /// Steps that come before the model: imputer, scaler.
    pub sidecars: Vec<PathBuf>,
    /// Files of the layout itself that a careful reader should know about.
    pub warnings: Vec<String>,
}

/// A way to lay out a run on disk. Targets are directories here, already checked by [`name::target_directory`].
pub trait Layout: Debug + Send + Sync {
    /// The directory that nothing is read out of.
    fn root(&self) -> &Root;

    /// The targets in bytewise order.
    ///
    /// # Errors
    /// Those of [`Root::list`].
    fn targets(&self) -> Result<Vec<String>>;

    /// The views of a target in bytewise order.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` for an unknown target, and those of [`Root::list`].
    fn views(&self, target: &str) -> Result<Vec<String>>;

    /// The symbols of a view in bytewise order.
    ///
    /// # Errors
    /// As [`Layout::views`], and `MI_NOT_FOUND` for an unknown view.
    fn symbols(&self, target: &str, view: &str) -> Result<Vec<String>>;

    /// Every model of a view, for all its symbols.
    ///
    /// # Errors
    /// As [`Layout::symbols`].
    fn models(&self, target: &str, view: &str) -> Result<Vec<Found>>;

    /// The models that these names reach.
    ///
    /// # Errors
    /// As [`Layout::symbols`], and for a symbol that is missing, unknown or a path.
    fn reach(&self, target: &str, view: &str, symbol: Option<&str>) -> Result<Reach>;

    /// Looks at the files of a model.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` when the metadata is missing, and those of reading it.
    fn place(&self, found: &Found) -> Result<Place>;

    /// The routing decision of a target, or of one view of it.
    ///
    /// # Errors
    /// Those of reading the file.
    fn routing(&self, _target: &str, _view: Option<&str>) -> Result<Option<Value>> {
        Ok(None)
    }

    /// What is said about the run as a whole.
    ///
    /// # Errors
    /// Those of reading the file.
    fn manifest(&self) -> Result<Option<Value>>;
}

impl dyn Layout {
    /// The model of this name, and whether the symbol matters to it.
    ///
    /// # Errors
    /// Those of [`Layout::reach`]; `MI_NOT_FOUND` for an unknown family and `MI_INVALID_ARGUMENT` for one that two directories answer to.
    pub fn locate(&self, wanted: Name<'_>) -> Result<(Found, bool)> {
        let target = name::target_directory(wanted.target)?;
        let view = view_of(wanted.view)?;
        let reach = self.reach(&target, view, wanted.symbol)?;
        let spellings: Vec<String> = reach.models.iter().map(|found| found.entry.family.clone()).collect();
        let mut matches = family::matching(wanted.family, &spellings)?.into_iter().map(|index| &reach.models[index]);
        let Some(found) = matches.next() else {
            let place = format!("target '{target}', view {view}");
            return Err(name::unknown("family", "families", wanted.family, &place, &spellings));
        };
        if let Some(other) = matches.next() {
            return Err(Error::invalid(format!(
                "the family '{}' of target '{target}' may be {} or {}: both spell the same name; keep one of them{}",
                wanted.family.escape_default(),
                self.root().relative(&found.path),
                self.root().relative(&other.path),
                if found.path.parent() == other.path.parent() { "" } else { ", or choose by the option `universe`" },
            )));
        }
        Ok((found.clone(), reach.by_symbol))
    }

    /// Every model that a selector matches, in order.
    ///
    /// # Errors
    /// Those of the listings.
    pub fn select(&self, selector: &Selector) -> Result<Vec<Entry>> {
        let targets = match &selector.target {
            Some(target) => vec![name::target_directory(target)?],
            None => self.targets()?,
        };
        let family = selector.family.as_deref().map(family::canonical);
        let mut entries = Vec::new();
        for target in &targets {
            for view in self.views(target)? {
                if selector.view.as_ref().is_some_and(|wanted| !view_is(wanted, &view)) {
                    continue;
                }
                entries.extend(self.models(target, &view)?.into_iter().map(|found| found.entry).filter(|entry| {
                    family.as_ref().is_none_or(|wanted| family::canonical(&entry.family) == *wanted)
                        && selector.symbol.as_ref().is_none_or(|wanted| entry.symbol.as_ref() == Some(wanted))
                }));
                limits::check("models of a run", entries.len(), limits::DIRECTORY_ENTRIES)?;
            }
        }
        entries.sort();
        entries.dedup();
        Ok(entries)
    }
}

/// The view that is meant when the caller says this.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` for a path.
pub fn view_of(view: Option<&str>) -> Result<&str> {
    let Some(view) = view else { return Ok(DEFAULT_VIEW) };
    let plain = view.strip_prefix("view=").unwrap_or(view);
    name::check("view", plain)?;
    Ok(plain)
}

/// A view in the caller's spelling is this view on disk: capitals do not matter.
pub fn view_is(wanted: &str, view: &str) -> bool {
    wanted.strip_prefix("view=").unwrap_or(wanted).eq_ignore_ascii_case(view)
}

/// The layout at a path: a `models.yaml`, or the nearest directory upwards that is a run of either generation.
///
/// # Errors
/// `MI_NOT_FOUND` when the path does not exist or nothing up to its twentieth parent is a run; `MI_INVALID_ARGUMENT` for a directory
/// with several runs of the older generation; those of reading a catalogue.
pub fn layout(path: &Path, universe: Option<&str>) -> Result<Box<dyn Layout>> {
    let real = path.canonicalize().map_err(|cause| Error::io("open the run", path, &cause))?;
    if real.is_file() && real.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
        return Ok(Box::new(Catalogue::open(&real)?));
    }
    for (parents, directory) in real.ancestors().take(limits::PARENTS + 1).enumerate() {
        if Run::is_root(directory) {
            return Ok(Box::new(Run::open(directory, universe)?));
        }
        // A name alone says little, so it counts only where the path could be one of its files.
        if parents <= older::DEPTH && Older::is_stamp(directory) {
            return Ok(Box::new(Older::open(directory)?));
        }
        // What lies beside the path, in a parent of it, was not meant.
        if parents > 0 {
            continue;
        }
        if let Some(stamp) = Older::stamp_in(directory)? {
            return Ok(Box::new(Older::open(&stamp)?));
        }
        let catalogue = directory.join("models.yaml");
        if catalogue.is_file() {
            return Ok(Box::new(Catalogue::open(&catalogue)?));
        }
    }
    Err(Error::new(
        Status::NotFound,
        format!(
            "no training run at {}: it holds no mtf_<stamp>/ and no models.yaml, and neither it nor one of its {} parents holds targets/, \
             globals/ or cache/",
            path.display(),
            limits::PARENTS
        ),
    ))
}
