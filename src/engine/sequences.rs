//! Sequences: given whole, or kept in windows by symbol.

use super::held::{Bar, Held};
use super::{Engine, place};
use crate::artifact::{self, Name, Selector, family};
use crate::buffer::Buffer;
use crate::error::{Error, Result, Within};
use crate::exec::{Number, Rows};
use crate::ir::Output;
use std::cell::RefCell;
use std::sync::Arc;

impl Engine {
    /// Predicts whole sequences of `steps` steps, each laid out as a row, into `out`, of shape (rows, columns of the output). They are taken as
    /// they are: no window is read or changed, no channel normalised.
    ///
    /// # Errors
    /// Those of [`Loader::load`](crate::loader::Loader::load) on the first call and of
    /// [`Model::predict_sequence`](crate::model::Model::predict_sequence); `out` is then untouched.
    pub fn predict_sequence(
        &self,
        name: Name<'_>,
        output: Output,
        sequences: Rows<'_, f32>,
        steps: usize,
        out: &mut [f64],
    ) -> Result<()> {
        let out = RefCell::new(out);
        self.with(name, |held| held.model.predict_sequence(output, sequences, steps, &mut out.borrow_mut()))?
            .within(|| place(name))
    }

    /// Predicts the window of the name's symbol as it is at this time; 0: now.
    ///
    /// # Errors
    /// Those of [`Engine::predict`]; `MI_STALE` for a window whose newest row is too old, where `out` is NaN; `MI_UNSUPPORTED` for a model that
    /// takes rows.
    pub fn predict_window(&self, name: Name<'_>, output: Output, now_ns: i64, out: &mut [f64]) -> Result<()> {
        let out = RefCell::new(out);
        self.with(name, |held| held.predict_window(name.symbol, output, now_ns, &mut out.borrow_mut()))?
            .within(|| place(name))
    }

    /// Predicts for several symbols, with as few runs of a network as there are models, into `out`, of shape (symbols, columns of the output).
    /// `name` has no symbol of its own.
    ///
    /// With rows, one for each symbol, a model that takes sequences adds them to the windows, in the order of the
    /// symbols, and answers for the windows; without rows it answers for the windows as they are at that time. A model
    /// that takes rows answers for the rows.
    ///
    /// Where a symbol has no answer `out` is NaN, and its place and the reason are pushed to `failures`. Returns how many symbols have
    /// an answer without NaN.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` when there is not a row for each symbol or `out` has another size, `MI_INVALID_ARGUMENT` without rows for a model
    /// that takes rows, `MI_UNSUPPORTED` for an output that the model does not have. Nothing has been pushed to the windows of that
    /// model then. A symbol whose model does not load is no error of this call.
    pub fn predict_symbols<T: Number>(
        &self,
        name: Name<'_>,
        symbols: &[&str],
        output: Output,
        bar: Bar<'_, T>,
        out: &mut [f64],
        failures: &mut Vec<(usize, Error)>,
    ) -> Result<usize> {
        if let Some(rows) = bar.rows.filter(|rows| rows.count() != symbols.len()) {
            return Err(Error::shape(format!("{} rows for {} symbols", rows.count(), symbols.len())));
        }
        let columns = out.len() / symbols.len().max(1);
        if columns * symbols.len() != out.len() {
            return Err(Error::shape(format!(
                "out has room for {} numbers, which is not the same for each of {} symbols",
                out.len(),
                symbols.len()
            )));
        }
        let held = |index: usize| self.held(name.symbol(symbols[index]));
        let (mut first, mut answered) = (0, 0);
        let mut next = None;
        while first < symbols.len() {
            let model = match next.take().unwrap_or_else(|| held(first)) {
                Ok(model) => model,
                Err(error) => {
                    out[first * columns..][..columns].fill(f64::NAN);
                    failures.push((first, error));
                    first += 1;
                    continue;
                }
            };
            // The symbols behind it that have the same model.
            let mut end = first + 1;
            while end < symbols.len() {
                match held(end) {
                    Ok(other) if Arc::ptr_eq(&model, &other) => end += 1,
                    other => {
                        next = Some(other);
                        break;
                    }
                }
            }
            answered += model
                .predict_symbols(
                    &symbols[first..end],
                    output,
                    Bar { rows: bar.rows.map(|rows| rows.range(first, end - first)), ..bar },
                    &mut out[first * columns..end * columns],
                    &mut |at, error| {
                        failures.push((first + at, error.within(place(name.symbol(symbols[first + at])))));
                    },
                )
                .within(|| place(name))?;
            first = end;
        }
        Ok(answered)
    }

    fn held(&self, name: Name<'_>) -> Result<Arc<Held>> {
        if let Some(held) = self.spelled.with(name, Arc::clone) {
            return Ok(held);
        }
        self.with(name, |_| ())?;
        self.spelled
            .with(name, Arc::clone)
            .ok_or_else(|| Error::internal(format!("{}: the model that was loaded is gone", place(name))))
    }

    /// Appends history to the window of the name's symbol: rows of the model's width, oldest first, with a time stamp for each
    /// (`None`: all of them are of now). Returns how many were appended; rows with a NaN, an infinity or an earlier time stamp are not.
    ///
    /// # Errors
    /// Those of [`Engine::windows`] and of [`Buffer::push_rows`]; `MI_SEQUENCE_REQUIRED` without a symbol.
    pub fn warm_up(&self, name: Name<'_>, rows: Rows<'_, f32>, timestamps_ns: Option<&[i64]>) -> Result<usize> {
        self.with(name, |held| held.warm_up(name.symbol, rows, timestamps_ns))?.within(|| place(name))
    }

    /// The windows of a model that takes sequences, by symbol: to push, read, save and restore them.
    ///
    /// # Errors
    /// Those of [`Loader::load`](crate::loader::Loader::load) on the first call; `MI_UNSUPPORTED` for a model that takes rows;
    /// `MI_INVALID_ARGUMENT`, `MI_MALFORMED`, `MI_UNSUPPORTED` or `MI_LIMIT_EXCEEDED` when the metadata asks for windows that there can be none of.
    pub fn windows(&self, name: Name<'_>) -> Result<Arc<Buffer>> {
        self.with(name, |held| held.windows().map(Arc::clone))?.within(|| place(name))
    }

    /// Empties windows: those of every loaded model that the selector's target, family and view match, for its symbol or, without one, for
    /// all symbols.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a name that is a path; `MI_NOT_FOUND` when the run has no such model.
    pub fn reset(&self, selector: &Selector) -> Result<()> {
        let target = selector.target.as_deref().map(artifact::target_directory).transpose()?;
        let view = selector.view.as_deref().map(|view| artifact::view_of(Some(view))).transpose()?;
        let wanted = selector.family.as_deref().map(family::canonical);
        let mut found = false;
        let mut result = Ok(());
        self.models.each(|key, held| {
            let entry = &key.entry;
            if target.as_ref().is_none_or(|target| *target == entry.target)
                && view.is_none_or(|view| view.eq_ignore_ascii_case(&entry.view))
                && wanted.as_ref().is_none_or(|wanted| *wanted == family::canonical(&entry.family))
            {
                found = true;
                match (held.windows_if_any(), &selector.symbol) {
                    (Some(windows), Some(symbol)) => result = windows.reset(symbol),
                    (Some(windows), None) => windows.reset_all(),
                    (None, _) => {}
                }
            }
        });
        // Nothing of it is loaded: a model without windows, or one that does not exist.
        let everything = selector.target.is_none() && selector.family.is_none() && selector.view.is_none();
        if !found && !everything {
            let named = Selector { symbol: None, ..selector.clone() };
            if self.loader.select(&named)?.is_empty() {
                let names = [&selector.target, &selector.view, &selector.family];
                let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
                return Err(Error::not_found(format!("{}: there is no model", names.join("/"))));
            }
        }
        result
    }
}
