//! From a training run's directory to verified models, by name.

pub use crate::artifact::{Entry, Name, Selector};

use crate::error::{Error, Result};
use crate::model::Model;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// How a run is read.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // the switches of the training side's configuration, by its names
pub struct Options {
    /// Compare the SHA-256 of every file that is parsed with the metadata. Default: true.
    pub verify_checksums: bool,
    /// A mismatch fails the load; false: it becomes a warning in the model's JSON. Default: true.
    pub strict_checksums: bool,
    /// Accept a model whose metadata holds no checksum. Default: false.
    pub allow_unsigned: bool,
    /// Keep what was loaded, so that the same name gives the same instance. Default: true.
    pub cache_models: bool,
    /// Load a model when it is first asked for; false: [`Loader::open`] loads every model of the run. Default: true.
    pub lazy_load: bool,
    /// Minutes of the bars that the caller feeds; 0: unknown. Default: 0.
    pub data_interval_minutes: f64,
    /// The largest model file that is read, in bytes. Default: [`crate::limits::FILE_BYTES`].
    pub max_file_bytes: u64,
    /// The `universe=<signature>` to use where a run holds several; `None`: there is only one. Default: `None`.
    pub universe: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            verify_checksums: true,
            strict_checksums: true,
            allow_unsigned: false,
            cache_models: true,
            lazy_load: true,
            data_interval_minutes: 0.0,
            max_file_bytes: crate::limits::FILE_BYTES,
            universe: None,
        }
    }
}

/// What [`Loader::preload`] did.
#[derive(Debug, Default)]
pub struct Preloaded {
    /// How many models are loaded now.
    pub loaded: usize,
    /// Those that are not, and why; each error names its model.
    pub failures: Vec<(Entry, Error)>,
}

/// A run directory, ready to load from; any number of threads may share it.
#[derive(Debug)]
pub struct Loader {}

impl Loader {
    /// Opens a run: its root, any path inside of it, a directory `mtf_<stamp>` of the older generation, or a `models.yaml`.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` when there is no run, `MI_INVALID_ARGUMENT` for options that cannot be meant or for several stamps of the older generation,
    /// and, with `lazy_load` false, the first failure to load that is not `MI_UNSUPPORTED`.
    pub fn open(_path: &Path, _options: Options) -> Result<Self> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// The root of the run, without symbolic links.
    #[must_use]
    pub fn root(&self) -> &Path {
        Path::new("")
    }

    /// The targets, as their directories are spelled, in bytewise order.
    ///
    /// # Errors
    /// `MI_IO` when a directory cannot be read, `MI_LIMIT_EXCEEDED` when it holds too many entries.
    pub fn targets(&self) -> Result<Vec<String>> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// The views of a target, without `view=`, in bytewise order.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` for an unknown target, listing those that exist; those of [`Loader::targets`].
    pub fn views(&self, _target: &str) -> Result<Vec<String>> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// The symbols of a view, without `symbol=`, in bytewise order; `None`: `CROSS_SECTIONAL`.
    ///
    /// # Errors
    /// As [`Loader::views`]; an unknown view is `MI_NOT_FOUND`.
    pub fn symbols(&self, _target: &str, _view: Option<&str>) -> Result<Vec<String>> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// The families of a view over all its symbols, as their directories are spelled, in bytewise order; `None`: `CROSS_SECTIONAL`.
    ///
    /// # Errors
    /// As [`Loader::symbols`].
    pub fn families(&self, _target: &str, _view: Option<&str>) -> Result<Vec<String>> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// Every model of the run that matches, in bytewise order of target, view, symbol and family.
    ///
    /// # Errors
    /// As [`Loader::families`]; nothing that matches is an empty list.
    pub fn select(&self, _selector: &Selector) -> Result<Vec<Entry>> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// The model of this name. With `cache_models` it is the same instance on every call, also from many threads at once.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` (listing what exists), `MI_INVALID_ARGUMENT` (a name that two directories answer to, a missing symbol, a path in a
    /// name), `MI_CHECKSUM_MISMATCH`, `MI_UNSIGNED`, `MI_INTERVAL_MISMATCH`, `MI_UNSUPPORTED`, `MI_MALFORMED`, `MI_LIMIT_EXCEEDED`, `MI_IO`.
    pub fn load(&self, _name: Name<'_>) -> Result<Arc<Model>> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// Loads every model of a target: all views, symbols and families, or those of one view.
    ///
    /// # Errors
    /// As [`Loader::select`]. A model that does not load is no error of this call: it is in [`Preloaded::failures`].
    pub fn preload(&self, _target: &str, _view: Option<&str>) -> Result<Preloaded> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// The metadata of a model, whole, without loading the model.
    ///
    /// # Errors
    /// As [`Loader::load`], as far as names and metadata go.
    pub fn metadata(&self, _name: Name<'_>) -> Result<Value> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// `metrics` of the metadata; null when there are none.
    ///
    /// # Errors
    /// As [`Loader::metadata`].
    pub fn metrics(&self, _name: Name<'_>) -> Result<Value> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// The routing decision of a target: with a view that view's `routing_decision.json`, without one the target's
    /// `decision/routing_decision.json`, or else that of the default view. `None`: the run holds none.
    ///
    /// # Errors
    /// As [`Loader::views`]; `MI_MALFORMED` for a broken file.
    pub fn routing(&self, _target: &str, _view: Option<&str>) -> Result<Option<Value>> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// `manifest.json` of the run, or the catalogue as JSON; `None`: there is none.
    ///
    /// # Errors
    /// `MI_IO` or `MI_MALFORMED` for a broken file.
    pub fn manifest(&self) -> Result<Option<Value>> {
        Err(Error::internal("the loader is not built yet"))
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &Options {
        unreachable!("no loader exists yet")
    }
}
