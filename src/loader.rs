//! From a training run's directory to verified models, by name.

pub use crate::artifact::{Entry, Name, Selector};

use crate::artifact::{self, Found, Layout, Place, Policy, Rules};
use crate::cache::{ByName, Cache};
use crate::error::{Error, Result, Status, Within};
use crate::model::Model;
use crate::session::Settings;
use serde_json::Value;
use std::collections::BTreeSet;
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
    /// Wishes for the runtime of networks. Default: [`Settings::default`].
    pub networks: Settings,
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
            networks: Settings::default(),
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
///
/// The models it gave away stay usable when it is gone. Nothing of the run is held open.
#[derive(Debug)]
pub struct Loader {
    layout: Box<dyn Layout>,
    options: Options,
    /// One instance per model.
    models: Cache<Found, Model>,
    /// The same instances by the names they were asked for.
    spelled: ByName<Arc<Model>>,
}

impl Loader {
    /// Opens a run: its root, any path inside of it, a directory `mtf_<stamp>` of the older generation, or a `models.yaml`.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` when there is no run, `MI_INVALID_ARGUMENT` for options that cannot be meant or for several stamps of the older
    /// generation, and, with `lazy_load` false, the first failure to load that is not `MI_UNSUPPORTED`: what is not read yet is no
    /// fault of the run.
    pub fn open(path: &Path, options: Options) -> Result<Self> {
        let interval = options.data_interval_minutes;
        if !interval.is_finite() || interval < 0.0 {
            return Err(Error::invalid(format!("data_interval_minutes is {interval}; give minutes, or 0 for unknown")));
        }
        if options.max_file_bytes == 0 {
            return Err(Error::invalid("max_file_bytes is 0, so nothing could be read; the default is 1 GiB"));
        }
        let layout = artifact::layout(path, options.universe.as_deref())?;
        let loader = Self { layout, options, models: Cache::new(), spelled: ByName::new() };
        if !loader.options.lazy_load {
            for entry in loader.select(&Selector::default())? {
                match loader.load(entry.name()) {
                    Err(error) if error.status() != Status::Unsupported => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(loader)
    }

    /// The root of the run, without symbolic links.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.layout.root().path()
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The targets, as their directories are spelled, in bytewise order.
    ///
    /// # Errors
    /// `MI_IO` when a directory cannot be read, `MI_LIMIT_EXCEEDED` when it holds too many entries.
    pub fn targets(&self) -> Result<Vec<String>> {
        self.layout.targets()
    }

    /// The views of a target, without `view=`, in bytewise order.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` for an unknown target, listing those that exist; those of [`Loader::targets`].
    pub fn views(&self, target: &str) -> Result<Vec<String>> {
        self.layout.views(&artifact::target_directory(target)?)
    }

    /// The symbols of a view, without `symbol=`, in bytewise order; `None`: `CROSS_SECTIONAL`.
    ///
    /// # Errors
    /// As [`Loader::views`]; an unknown view is `MI_NOT_FOUND`.
    pub fn symbols(&self, target: &str, view: Option<&str>) -> Result<Vec<String>> {
        self.layout.symbols(&artifact::target_directory(target)?, artifact::view_of(view)?)
    }

    /// The families of a view over all its symbols, as their directories are spelled, in bytewise order; `None`: `CROSS_SECTIONAL`.
    ///
    /// # Errors
    /// As [`Loader::symbols`].
    pub fn families(&self, target: &str, view: Option<&str>) -> Result<Vec<String>> {
        let models = self.layout.models(&artifact::target_directory(target)?, artifact::view_of(view)?)?;
        let families: BTreeSet<String> = models.into_iter().map(|found| found.entry.family).collect();
        Ok(families.into_iter().collect())
    }

    /// The families that a target, a view and a symbol reach, and whether another symbol may reach others.
    ///
    /// # Errors
    /// As [`Loader::load`], as far as the names go.
    pub fn reach(&self, target: &str, view: Option<&str>, symbol: Option<&str>) -> Result<(Vec<String>, bool)> {
        let reach = self.layout.reach(&artifact::target_directory(target)?, artifact::view_of(view)?, symbol)?;
        let families: BTreeSet<String> = reach.models.into_iter().map(|found| found.entry.family).collect();
        Ok((families.into_iter().collect(), reach.by_symbol))
    }

    /// Every model of the run that matches, in bytewise order of target, view, symbol and family.
    ///
    /// # Errors
    /// As [`Loader::families`]; nothing that matches is an empty list.
    pub fn select(&self, selector: &Selector) -> Result<Vec<Entry>> {
        self.layout.select(selector)
    }

    /// The model of this name. With `cache_models` it is the same instance on every call, also from many threads at once: one of
    /// them builds it, the others wait for that one, and other models do not wait. A load that fails is not kept: those who waited
    /// for it get its error, the next call tries again. A name that was loaded before is found without a lock or a system call.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` (listing what exists), `MI_INVALID_ARGUMENT` (a name that two directories answer to, a missing symbol, a path in a
    /// name), `MI_CHECKSUM_MISMATCH`, `MI_UNSIGNED`, `MI_INTERVAL_MISMATCH`, `MI_UNSUPPORTED`, `MI_MALFORMED`, `MI_LIMIT_EXCEEDED`, `MI_IO`.
    pub fn load(&self, name: Name<'_>) -> Result<Arc<Model>> {
        if let Some(model) = self.spelled.with(name, Arc::clone) {
            return Ok(model);
        }
        let (found, by_symbol) = self.locate(name)?;
        let model = self.load_found(&found)?;
        if self.options.cache_models {
            self.spelled.insert(name, by_symbol, Arc::clone(&model));
        }
        Ok(model)
    }

    /// Where the model of this name lies, and whether another symbol may mean another model.
    ///
    /// # Errors
    /// Those of [`Loader::load`], as far as the name goes.
    pub fn locate(&self, name: Name<'_>) -> Result<(Found, bool)> {
        self.layout.locate(name)
    }

    /// The model that was found.
    ///
    /// # Errors
    /// Those of [`Loader::load`], from reading on.
    pub fn load_found(&self, found: &Found) -> Result<Arc<Model>> {
        if self.options.cache_models {
            self.models.get_or_build(found, || self.build(found))
        } else {
            self.build(found).map(Arc::new)
        }
    }

    fn build(&self, found: &Found) -> Result<Model> {
        let rules = Rules {
            checksums: Policy {
                verify: self.options.verify_checksums,
                strict: self.options.strict_checksums,
                allow_unsigned: self.options.allow_unsigned,
            },
            data_interval_minutes: self.options.data_interval_minutes,
            max_file_bytes: self.options.max_file_bytes,
            networks: &self.options.networks,
        };
        let place = self.layout.place(found)?;
        artifact::open(&place, self.layout.root(), rules).within(|| &found.entry)
    }

    /// Loads every model of a target: all views, symbols and families, or those of one view.
    ///
    /// # Errors
    /// As [`Loader::select`]; `MI_NOT_FOUND` for an unknown view. A model that does not load is no error of this call: it is in
    /// [`Preloaded::failures`].
    pub fn preload(&self, target: &str, view: Option<&str>) -> Result<Preloaded> {
        if let Some(view) = view {
            self.layout.models(&artifact::target_directory(target)?, artifact::view_of(Some(view))?)?;
        }
        let selector =
            Selector { target: Some(target.to_owned()), view: view.map(str::to_owned), ..Selector::default() };
        let mut preloaded = Preloaded::default();
        for entry in self.select(&selector)? {
            match self.load(entry.name()) {
                Ok(_) => preloaded.loaded += 1,
                Err(error) => preloaded.failures.push((entry, error)),
            }
        }
        Ok(preloaded)
    }

    fn place(&self, name: Name<'_>) -> Result<Place> {
        self.layout.place(&self.locate(name)?.0)
    }

    /// The metadata of a model, whole, without loading the model.
    ///
    /// # Errors
    /// As [`Loader::load`], as far as names and metadata go.
    pub fn metadata(&self, name: Name<'_>) -> Result<Value> {
        Ok(Value::Object(self.place(name)?.metadata.map().clone()))
    }

    /// `metrics` of the metadata; null when there are none.
    ///
    /// # Errors
    /// As [`Loader::metadata`].
    pub fn metrics(&self, name: Name<'_>) -> Result<Value> {
        Ok(self.place(name)?.metadata.map().get("metrics").cloned().unwrap_or_default())
    }

    /// The routing decision of a target: with a view that view's `routing_decision.json`, without one the target's
    /// `decision/routing_decision.json`, or else that of the default view. `None`: the run holds none.
    ///
    /// # Errors
    /// As [`Loader::views`]; `MI_MALFORMED` for a broken file.
    pub fn routing(&self, target: &str, view: Option<&str>) -> Result<Option<Value>> {
        let view = view.map(|view| artifact::view_of(Some(view))).transpose()?;
        self.layout.routing(&artifact::target_directory(target)?, view)
    }

    /// `manifest.json` of the run, or the catalogue as JSON; `None`: there is none.
    ///
    /// # Errors
    /// `MI_IO` or `MI_MALFORMED` for a broken file.
    pub fn manifest(&self) -> Result<Option<Value>> {
        self.layout.manifest()
    }
}
