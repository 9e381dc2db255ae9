//! Predictions by name.

use crate::artifact::Name;
use crate::error::{Error, Result};
use crate::exec::Number;
use crate::ir::Output;
use crate::loader::Loader;
use crate::model::Model;
use std::sync::Arc;
use std::time::Duration;

/// How an engine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The order of [`Engine::predict_with_fallback`]. Default: lightgbm, xgboost, ridge, mlp.
    pub family_priority: Vec<String>,
    /// How long [`Engine::predict_all`] and [`Engine::predict_with_fallback`] remember that a family did not load, before they try
    /// its files again; zero: they always try. Default: 30 s.
    pub retry_failed: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            family_priority: ["lightgbm", "xgboost", "ridge", "mlp"].map(str::to_owned).to_vec(),
            retry_failed: Duration::from_secs(30),
        }
    }
}

/// Asks the models of a run by name; any number of threads may share it.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// An engine over a run.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a priority that names a family twice or not at all.
    pub fn new(_loader: Arc<Loader>, _options: Options) -> Result<Self> {
        Err(Error::internal("the engine is not built yet"))
    }

    /// The loader behind it.
    #[must_use]
    pub fn loader(&self) -> &Arc<Loader> {
        unreachable!("no engine exists yet")
    }

    /// The model of this name, loaded on the first call.
    ///
    /// # Errors
    /// Those of [`Loader::load`].
    pub fn model(&self, _name: Name<'_>) -> Result<Arc<Model>> {
        Err(Error::internal("the engine is not built yet"))
    }

    /// Predicts one row: `features` has the model's width, `out` the columns of the output.
    ///
    /// # Errors
    /// Those of [`Loader::load`] on the first call and of [`Model::predict`]; `out` is then untouched.
    pub fn predict<T: Number>(
        &self,
        _name: Name<'_>,
        _output: Output,
        _features: &[T],
        _out: &mut [f64],
    ) -> Result<()> {
        Err(Error::internal("the engine is not built yet"))
    }

    /// Predicts one row whose values come by name, in any order; every column of the model is needed, other names are passed over.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` when the names in the metadata disagree with the model (supply them by [`Engine::set_feature_names`]),
    /// `MI_INVALID_ARGUMENT` for a missing or doubled name or a model without names; those of [`Engine::predict`].
    pub fn predict_named(
        &self,
        _name: Name<'_>,
        _output: Output,
        _features: &[(&str, f64)],
        _out: &mut [f64],
    ) -> Result<()> {
        Err(Error::internal("the engine is not built yet"))
    }

    /// Supplies the names of a model's columns, in their order, for [`Engine::predict_named`] of this engine.
    ///
    /// # Errors
    /// Those of [`Loader::load`]; `MI_SHAPE_MISMATCH` for a wrong count, `MI_INVALID_ARGUMENT` for a name given twice.
    pub fn set_feature_names(&self, _name: Name<'_>, _names: &[&str]) -> Result<()> {
        Err(Error::internal("the engine is not built yet"))
    }

    /// The families that [`Engine::predict_all`] asks, in its order: those the run held when it was first asked.
    ///
    /// # Errors
    /// Those of [`Loader::select`].
    pub fn families(&self, _group: Group<'_>) -> Result<Arc<[String]>> {
        Err(Error::internal("the engine is not built yet"))
    }

    /// Asks every family of a target for one number and writes it to `values`, in the order of [`Engine::families`]: NaN where a
    /// family failed or answered NaN. Failures are pushed to `failures` with the index of their family. Returns how many families answered.
    ///
    /// # Errors
    /// Those of [`Engine::families`]; `MI_SHAPE_MISMATCH` when `values` has not one place per family.
    pub fn predict_all<T: Number>(
        &self,
        _group: Group<'_>,
        _output: Output,
        _features: &[T],
        _values: &mut [f64],
        _failures: &mut Vec<(usize, Error)>,
    ) -> Result<usize> {
        Err(Error::internal("the engine is not built yet"))
    }

    /// Asks the families of [`Options::family_priority`] in turn; returns the name (as in the options) of the first that answers with
    /// numbers that are not NaN, written to `out`.
    ///
    /// # Errors
    /// The status of the first family that exists and fails, with a sentence that names each family and its failure; `MI_NOT_FOUND` when none exists.
    pub fn predict_with_fallback<T: Number>(
        &self,
        _group: Group<'_>,
        _output: Output,
        _features: &[T],
        _out: &mut [f64],
    ) -> Result<&str> {
        Err(Error::internal("the engine is not built yet"))
    }
}

/// All families of a target, in a view and for a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Group<'a> {
    /// The target.
    pub target: &'a str,
    /// The view; `None`: `CROSS_SECTIONAL`.
    pub view: Option<&'a str>,
    /// The symbol, where the run has a level of symbols.
    pub symbol: Option<&'a str>,
}
