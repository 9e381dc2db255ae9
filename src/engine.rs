//! Predictions by name.

mod held;
mod sequences;

pub use held::Bar;

use crate::artifact::{Found, Name, family};
use crate::cache::{ByName, Cache};
use crate::error::{Error, Result, Status, Within};
use crate::exec::Number;
use crate::ir::Output;
use crate::loader::Loader;
use crate::model::{Model, NamedRow, Names};
use held::Held;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

thread_local! {
    /// A row that is put together by name. Grows once per thread.
    static ROW: RefCell<NamedRow> = RefCell::default();
    /// An answer that is not yet known to count. Grows once per thread.
    static ANSWER: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// How an engine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The order of [`Engine::predict_with_fallback`]. Default: lightgbm, xgboost, ridge, mlp.
    pub family_priority: Vec<String>,
    /// How long [`Engine::predict_all`] and [`Engine::predict_with_fallback`] remember that a family did not load, before they try
    /// its files again; zero: they always try. Default: 30 s.
    pub retry_failed: Duration,
    /// How old the newest row of a window may be when the window is read; zero: any age. Default: 300 s.
    pub window_ttl: Duration,
    /// Rows from which on a window may be read, at most those of the model's sequences; 0: all of them. Default: 0.
    pub warmup_rows: usize,
    /// How many symbols the windows of one model take. Default: 65536.
    pub max_symbols: usize,
}

impl Default for Options {
    fn default() -> Self {
        let windows = crate::buffer::Options::default();
        Self {
            family_priority: ["lightgbm", "xgboost", "ridge", "mlp"].map(str::to_owned).to_vec(),
            retry_failed: Duration::from_secs(30),
            window_ttl: windows.ttl,
            warmup_rows: windows.warmup_rows,
            max_symbols: windows.max_symbols,
        }
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

impl<'a> Group<'a> {
    /// All families of a target in the default view.
    #[must_use]
    pub fn new(target: &'a str) -> Self {
        Self { target, view: None, symbol: None }
    }

    /// One family of the group.
    #[must_use]
    pub fn family(self, family: &'a str) -> Name<'a> {
        Name { target: self.target, family, view: self.view, symbol: self.symbol }
    }
}

/// Asks the models of a run by name; any number of threads may share it.
///
/// A model that was asked before is found by a look-up that takes no lock and allocates nothing, whatever else is loaded meanwhile.
/// [`Engine::predict_named`] takes a lock that belongs to the model alone and is written by [`Engine::set_feature_names`].
///
/// A model that takes sequences has a window for each symbol, of which only one thread at a time can be at one; they are made of the
/// rows that [`Engine::predict`] and its kin are given with a symbol, and of those of [`Engine::warm_up`].
#[derive(Debug)]
pub struct Engine {
    loader: Arc<Loader>,
    options: Options,
    /// One instance per model, also where the loader keeps none.
    models: Cache<Found, Held>,
    /// The same by the names they were asked for.
    spelled: ByName<Arc<Held>>,
    /// The families of a group, under the family "".
    groups: ByName<Arc<Families>>,
    /// What did not load, and when: looked at by the calls that ask several families.
    failures: ByName<(Error, Instant)>,
}

/// Why a family of a group gave no answer.
#[derive(Debug)]
enum Refusal {
    /// It failed just now.
    Fresh(Error),
    /// It failed to load a short while ago; costs no allocation.
    Remembered,
}

#[derive(Debug)]
struct Families {
    names: Arc<[String]>,
    by_symbol: bool,
}

impl Engine {
    /// An engine over a run.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a priority that names a family twice or not at all.
    pub fn new(loader: Arc<Loader>, options: Options) -> Result<Self> {
        if options.family_priority.is_empty() {
            return Err(Error::invalid("family_priority names no family; leave it out for the default order"));
        }
        let mut seen = Vec::new();
        for family in &options.family_priority {
            let plain = family::canonical(family);
            if plain.is_empty() {
                return Err(Error::invalid(format!("family_priority: '{family}' names no family")));
            }
            if seen.contains(&plain) {
                return Err(Error::invalid(format!("family_priority names '{family}' twice")));
            }
            seen.push(plain);
        }
        Ok(Self {
            loader,
            options,
            models: Cache::new(),
            spelled: ByName::new(),
            groups: ByName::new(),
            failures: ByName::new(),
        })
    }

    /// The loader behind it.
    #[must_use]
    pub fn loader(&self) -> &Arc<Loader> {
        &self.loader
    }

    /// The options it was made with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The model of this name, loaded on the first call and the same on every call after.
    ///
    /// # Errors
    /// Those of [`Loader::load`].
    pub fn model(&self, name: Name<'_>) -> Result<Arc<Model>> {
        self.with(name, |held| Arc::clone(&held.model))
    }

    /// What `look` makes of the model of this name.
    fn with<R>(&self, name: Name<'_>, look: impl Fn(&Held) -> R) -> Result<R> {
        if let Some(answer) = self.spelled.with(name, |held| look(held)) {
            return Ok(answer);
        }
        let (found, by_symbol) = self.loader.locate(name)?;
        let held =
            self.models.get_or_build(&found, || Ok(Held::new(self.loader.load_found(&found)?, &self.options)))?;
        let answer = look(&held);
        self.spelled.insert(name, by_symbol, held);
        Ok(answer)
    }

    /// Predicts one row: `features` has the model's width, `out` the columns of the output.
    ///
    /// A model that takes sequences adds the row to the window of the symbol, as one of now, and answers for the window.
    ///
    /// # Errors
    /// Those of [`Loader::load`] on the first call and of [`Model::predict`]; `out` is then untouched. For sequences
    /// `MI_SEQUENCE_REQUIRED` without a symbol, `MI_NOT_READY` while the window fills, where `out` is NaN, and those of
    /// [`Buffer::push`](crate::buffer::Buffer::push).
    pub fn predict<T: Number>(&self, name: Name<'_>, output: Output, features: &[T], out: &mut [f64]) -> Result<()> {
        let out = RefCell::new(out);
        self.with(name, |held| held.predict(name.symbol, output, features, &mut out.borrow_mut()))?
            .within(|| place(name))
    }

    /// Predicts one row whose values come by name, in any order; every column of the model is needed, other names are passed over.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` when the names in the metadata disagree with the model (supply them by [`Engine::set_feature_names`]),
    /// `MI_INVALID_ARGUMENT` for a missing or doubled name or a model without names; those of [`Engine::predict`].
    pub fn predict_named(
        &self,
        name: Name<'_>,
        output: Output,
        features: &[(&str, f64)],
        out: &mut [f64],
    ) -> Result<()> {
        let out = RefCell::new(out);
        self.with(name, |held| {
            let supplied = held.supplied.read();
            let names = match &*supplied {
                Some(names) => names,
                None => held.model.names()?,
            };
            ROW.with_borrow_mut(|row| {
                held.predict(name.symbol, output, names.row(features, row)?, &mut out.borrow_mut())
            })
        })?
        .within(|| place(name))
    }

    /// Supplies the names of a model's columns, in their order, for [`Engine::predict_named`] of this engine. They hold for every
    /// spelling of the model's name.
    ///
    /// # Errors
    /// Those of [`Loader::load`]; `MI_SHAPE_MISMATCH` for a wrong count, `MI_INVALID_ARGUMENT` for a name given twice.
    pub fn set_feature_names(&self, name: Name<'_>, names: &[&str]) -> Result<()> {
        self.with(name, |held| {
            let columns = names.iter().map(|&name| name.to_owned()).collect();
            *held.supplied.write() = Some(Names::new(columns, held.model.feature_count())?);
            Ok(())
        })?
        .within(|| place(name))
    }

    /// The families that [`Engine::predict_all`] asks, in its order: those the run held when it was first asked.
    ///
    /// # Errors
    /// Those of [`Loader::reach`]; `MI_NOT_FOUND` when there are none.
    pub fn families(&self, group: Group<'_>) -> Result<Arc<[String]>> {
        Ok(Arc::clone(&self.group(group)?.names))
    }

    fn group(&self, group: Group<'_>) -> Result<Arc<Families>> {
        let key = group.family("");
        if let Some(families) = self.groups.with(key, Arc::clone) {
            return Ok(families);
        }
        let (names, by_symbol) = self.loader.reach(group.target, group.view, group.symbol)?;
        if names.is_empty() {
            return Err(Error::not_found(format!("{}: there is no model", place(key))));
        }
        let families = Arc::new(Families { names: names.into(), by_symbol });
        self.groups.insert(key, by_symbol, Arc::clone(&families));
        Ok(families)
    }

    /// Asks a family of a group, unless it failed to load a short while ago.
    fn ask<T: Number>(
        &self,
        name: Name<'_>,
        by_symbol: bool,
        output: Output,
        features: &[T],
        out: &mut [f64],
    ) -> std::result::Result<(), Refusal> {
        if let Some(answer) = self.spelled.with(name, |held| held.predict(name.symbol, output, features, out)) {
            return answer.within(|| place(name)).map_err(Refusal::Fresh);
        }
        let recent = self.failures.with(name, |(_, when)| when.elapsed() < self.options.retry_failed);
        if recent == Some(true) {
            return Err(Refusal::Remembered);
        }
        if let Err(error) = self.model(name) {
            self.failures.insert(name, by_symbol, (error.clone(), Instant::now()));
            return Err(Refusal::Fresh(error));
        }
        self.predict(name, output, features, out).map_err(Refusal::Fresh)
    }

    /// The error behind a refusal.
    fn explain(&self, name: Name<'_>, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Fresh(error) => error,
            Refusal::Remembered => self
                .failures
                .with(name, |(error, _)| error.clone())
                .unwrap_or_else(|| Error::internal(format!("{}: its failure was forgotten", place(name)))),
        }
    }

    /// Asks every family of a target for one number and writes it to `values`, in the order of [`Engine::families`]: NaN where a
    /// family failed or answered NaN. Failures are pushed to `failures` with the index of their family. Returns how many families answered.
    ///
    /// # Errors
    /// Those of [`Engine::families`]; `MI_SHAPE_MISMATCH` when `values` has not one place per family. A family that fails is no error of
    /// this call.
    pub fn predict_all<T: Number>(
        &self,
        group: Group<'_>,
        output: Output,
        features: &[T],
        values: &mut [f64],
        failures: &mut Vec<(usize, Error)>,
    ) -> Result<usize> {
        let families = self.group(group)?;
        if values.len() != families.names.len() {
            return Err(Error::shape(format!(
                "values has room for {} numbers, {} has {} families",
                values.len(),
                group.target,
                families.names.len()
            )));
        }
        let mut answered = 0;
        for (index, (family, value)) in families.names.iter().zip(values).enumerate() {
            *value = f64::NAN;
            match self.ask(group.family(family), families.by_symbol, output, features, std::slice::from_mut(value)) {
                Ok(()) if value.is_nan() => {}
                Ok(()) => answered += 1,
                Err(refusal) => failures.push((index, self.explain(group.family(family), refusal))),
            }
        }
        Ok(answered)
    }

    /// Asks the families of [`Options::family_priority`] in turn; returns the name (as in the options) of the first that answers with
    /// numbers that are not NaN, written to `out`.
    ///
    /// # Errors
    /// The status of the first family that exists and fails, with a sentence that names each family and its failure; `MI_NOT_FOUND`
    /// when none exists. `out` is then untouched.
    pub fn predict_with_fallback<T: Number>(
        &self,
        group: Group<'_>,
        output: Output,
        features: &[T],
        out: &mut [f64],
    ) -> Result<&str> {
        let by_symbol = self.group(group)?.by_symbol;
        let mut fresh: Vec<(&str, Error)> = Vec::new();
        for family in &self.options.family_priority {
            let asked = ANSWER.with_borrow_mut(|answer| {
                answer.clear();
                answer.resize(out.len(), 0.0);
                self.ask(group.family(family), by_symbol, output, features, answer)?;
                if answer.iter().any(|value| value.is_nan()) {
                    let sentence = format!("{} answers NaN", place(group.family(family)));
                    return Err(Refusal::Fresh(Error::new(Status::NotReady, sentence)));
                }
                out.copy_from_slice(answer);
                Ok(())
            });
            match asked {
                Ok(()) => return Ok(family),
                Err(Refusal::Fresh(error)) => fresh.push((family, error)),
                Err(Refusal::Remembered) => {}
            }
        }
        let mut failures: Vec<(&str, Error)> = Vec::new();
        for family in &self.options.family_priority {
            let refusal = match fresh.iter().find(|(name, _)| name == family) {
                Some((_, error)) => Refusal::Fresh(error.clone()),
                None => Refusal::Remembered,
            };
            failures.push((family, self.explain(group.family(family), refusal)));
        }
        let status = failures.iter().map(|(_, error)| error.status()).find(|&status| status != Status::NotFound);
        let each: Vec<String> = failures.iter().map(|(family, error)| format!("{family}: {error}")).collect();
        Err(Error::new(
            status.unwrap_or(Status::NotFound),
            format!("no family answers for {}: {}", group.target, each.join("; ")),
        ))
    }
}

/// A name for a sentence.
fn place(name: Name<'_>) -> String {
    let mut text = name.target.to_owned();
    for part in [name.view, name.symbol, Some(name.family)].into_iter().flatten().filter(|part| !part.is_empty()) {
        text.push('/');
        text.push_str(part);
    }
    text
}
