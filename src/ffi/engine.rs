//! Predictions by name.

use super::loader::{mi_loader, name_of, share};
use super::pointer::{Out, object, optional_text, options, slice, slice_mut, text};
use super::status::{MI_OK, mi_status};
use super::strings::mi_strings;
use crate::engine::{Engine, Group, Options};
use crate::error::{Error, Result};
use crate::exec::Number;
use crate::ir::Output;
use std::cell::Cell;
use std::ffi::{CString, c_char};
use std::ptr;
use std::time::Duration;

/// Asks the models of a run by name, one row at a time: one family, all families of a target, or the first that answers. Safe
/// from any number of threads.
///
/// A model that takes sequences has a window of rows for each symbol. A row that comes with a symbol is added to its window, as one of now,
/// and the answer is that for the window: `MI_NOT_READY`, and NaN in `out`, while the window fills. Without a symbol it is
/// `MI_SEQUENCE_REQUIRED`.
pub struct mi_engine {
    pub(super) engine: Engine,
    /// The families of the fallback order, for the caller to borrow.
    priority: Vec<CString>,
}

/// How an engine answers. Fill it in with `mi_engine_options_init`; NULL means all defaults.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct mi_engine_options {
    /// Bytes of this struct, set by `mi_engine_options_init`.
    pub struct_size: usize,
    /// The order of the fallback: `family_priority_count` family names. NULL: lightgbm, xgboost, ridge, mlp.
    pub family_priority: *const *const c_char,
    /// How many names there are.
    pub family_priority_count: usize,
    /// Seconds for which the calls that ask several families remember that a family did not load, before they try its files
    /// again; 0: they always try. Default 30.
    pub retry_failed_seconds: f64,
    /// Seconds that the newest row of a window may be old when the window is read; 0: any age. Default 300.
    pub window_ttl_seconds: f64,
    /// Rows from which on a window may be read, at most those of the model's sequences; 0: all of them. The missing ones are
    /// zeros. Default 0.
    pub warmup_rows: usize,
    /// How many symbols the windows of one model take. Default 65536.
    pub max_symbols: usize,
}

fn defaults() -> mi_engine_options {
    let defaults = Options::default();
    mi_engine_options {
        struct_size: size_of::<mi_engine_options>(),
        family_priority: ptr::null(),
        family_priority_count: 0,
        retry_failed_seconds: defaults.retry_failed.as_secs_f64(),
        window_ttl_seconds: defaults.window_ttl.as_secs_f64(),
        warmup_rows: defaults.warmup_rows,
        max_symbols: defaults.max_symbols,
    }
}

/// The options as the library takes them.
///
/// # Safety
/// A non-NULL `pointer` leads to a `mi_engine_options` of the size it states, with live strings.
unsafe fn read_options(pointer: *const mi_engine_options) -> Result<Options> {
    // SAFETY: as promised; every bit pattern is a valid `mi_engine_options`.
    let given = unsafe { options("options", pointer, defaults())? };
    let mut read = Options {
        retry_failed: span("retry_failed_seconds", given.retry_failed_seconds)?,
        window_ttl: span("window_ttl_seconds", given.window_ttl_seconds)?,
        warmup_rows: given.warmup_rows,
        max_symbols: given.max_symbols,
        ..Options::default()
    };
    if !given.family_priority.is_null() {
        // SAFETY: as many live strings as stated, as promised.
        read.family_priority =
            unsafe { texts("options->family_priority", given.family_priority, given.family_priority_count)? }
                .into_iter()
                .map(str::to_owned)
                .collect();
    }
    Ok(read)
}

fn span(name: &str, seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| Error::invalid(format!("options->{name} is {seconds}, not a span of time")))
}

/// An array of strings.
///
/// # Safety
/// `pointer` leads to `count` pointers to live strings.
unsafe fn texts<'a>(name: &str, pointer: *const *const c_char, count: usize) -> Result<Vec<&'a str>> {
    // SAFETY: as promised.
    let pointers = unsafe { slice(name, pointer, count)? };
    // SAFETY: as promised.
    pointers.iter().map(|&pointer| unsafe { text(name, pointer) }).collect()
}

thread_local! {
    /// Room for the strings of a call, empty between calls. Grows once per thread.
    static TEXTS: Cell<Vec<&'static str>> = const { Cell::new(Vec::new()) };
    /// Room for the numbers of a call with their names. Grows once per thread.
    static NAMED: Cell<Vec<(&'static str, f64)>> = const { Cell::new(Vec::new()) };
}

/// Hands an array of strings to `body`, in room that the thread keeps: a call of a size that was seen before allocates nothing.
///
/// # Safety
/// `pointer` leads to `count` pointers to live strings.
pub(super) unsafe fn with_texts<R>(
    name: &str,
    pointer: *const *const c_char,
    count: usize,
    body: impl FnOnce(&[&str]) -> Result<R>,
) -> Result<R> {
    // SAFETY: as promised.
    let pointers = unsafe { slice(name, pointer, count)? };
    let mut texts: Vec<&str> = TEXTS.take();
    let read = pointers.iter().try_for_each(|&pointer| {
        // SAFETY: as promised.
        texts.push(unsafe { text(name, pointer)? });
        Ok(())
    });
    let done = read.and_then(|()| body(&texts));
    texts.clear();
    // Nothing is left of the strings but their room, which is collected in place.
    TEXTS.set(texts.into_iter().map(|_| "").collect());
    done
}

/// Hands numbers with their names to `body`, in room as that of [`with_texts`].
///
/// # Safety
/// `pointer` leads to a pointer to a live string for each of `values`.
unsafe fn with_named<R>(
    pointer: *const *const c_char,
    values: &[f64],
    body: impl FnOnce(&[(&str, f64)]) -> Result<R>,
) -> Result<R> {
    // SAFETY: as promised.
    let pointers = unsafe { slice("feature_names", pointer, values.len())? };
    let mut named: Vec<(&str, f64)> = NAMED.take();
    let read = pointers.iter().zip(values).try_for_each(|(&pointer, &value)| {
        // SAFETY: as promised.
        named.push((unsafe { text("feature_names", pointer)? }, value));
        Ok(())
    });
    let done = read.and_then(|()| body(&named));
    named.clear();
    NAMED.set(named.into_iter().map(|_| ("", 0.0)).collect());
    done
}

/// The three names of a group of models.
///
/// # Safety
/// Non-NULL strings are live.
unsafe fn group_of<'a>(target: *const c_char, view: *const c_char, symbol: *const c_char) -> Result<Group<'a>> {
    // SAFETY: as promised.
    unsafe {
        Ok(Group {
            target: text("target", target)?,
            view: optional_text("view", view)?,
            symbol: optional_text("symbol", symbol)?,
        })
    }
}

/// Fills in the defaults. NULL is ignored.
///
/// Requires: `options` is NULL or has room for one `mi_engine_options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_options_init(options: *mut mi_engine_options) {
    fence_or!((), {
        // SAFETY: NULL is refused by `Out`; else there is room, as promised.
        if let Ok(out) = unsafe { Out::new("options", options) } {
            out.set(defaults());
        }
    });
}

/// An engine over a run. It keeps what it needs of the loader, which may be freed.
///
/// Requires: `loader` is NULL or live, `options` NULL or initialised, `out_engine` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_new(
    loader: *const mi_loader,
    options: *const mi_engine_options,
    out_engine: *mut *mut mi_engine,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (loader, options, out) =
            unsafe { (share(loader)?, read_options(options)?, Out::new("out_engine", out_engine)?) };
        let priority =
            options.family_priority.iter().map(|name| CString::new(name.as_str()).unwrap_or_default()).collect();
        let engine = Engine::new(loader, options)?;
        out.set(Box::into_raw(Box::new(mi_engine { engine, priority })));
    })
}

/// Ends an engine. NULL is fine.
///
/// Requires: `engine` is NULL or live, and no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_free(engine: *mut mi_engine) {
    fence_or!((), {
        if !engine.is_null() {
            // SAFETY: made by `mi_engine_new`, live, and nobody else uses it.
            drop(unsafe { Box::from_raw(engine) });
        }
    });
}

/// Predicts one row of `count` doubles by the names of a model (as `mi_loader_load` takes them) into `out`, which holds `out_len`
/// numbers, the answer columns of the output. Loads the model on the first call; a warm call allocates nothing.
///
/// A model that takes sequences adds the row to the window of `symbol`, as one of now, and answers for the window.
///
/// Errors as `mi_loader_load` and `mi_model_predict_f64`; `out` is then untouched. For sequences also `MI_SEQUENCE_REQUIRED` without a
/// symbol, those of `mi_buffer_push`, and `MI_NOT_READY` while the window fills: the row is then in it, and `out` is NaN.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `features` leads to `count` doubles, `out` to `out_len`
/// doubles that do not overlap them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_predict_f64(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    output: i32,
    features: *const f64,
    count: usize,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    // SAFETY: the same promises.
    fence!({ unsafe { predict(engine, [target, family, view, symbol], output, features, count, out, out_len)? } })
}

/// `mi_engine_predict_f64` for a row of floats.
///
/// Requires: as `mi_engine_predict_f64`, with floats in `features`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_predict_f32(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    output: i32,
    features: *const f32,
    count: usize,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    // SAFETY: the same promises.
    fence!({ unsafe { predict(engine, [target, family, view, symbol], output, features, count, out, out_len)? } })
}

/// # Safety
/// Those of `mi_engine_predict_f64`.
unsafe fn predict<T: Number>(
    engine: *const mi_engine,
    [target, family, view, symbol]: [*const c_char; 4],
    output: i32,
    features: *const T,
    count: usize,
    out: *mut f64,
    out_len: usize,
) -> Result<()> {
    // SAFETY: as promised by the caller.
    let (engine, name, features) = unsafe {
        (object("engine", engine)?, name_of(target, family, view, symbol)?, slice("features", features, count)?)
    };
    // SAFETY: as promised by the caller.
    let out = unsafe { slice_mut("out", out, out_len, features)? };
    engine.engine.predict(name, Output::from_number(output)?, features, out)
}

/// Predicts one row whose `count` values come by name, in any order, by the names of a model. Every column of the model is
/// needed; other names are passed over.
///
/// `MI_SHAPE_MISMATCH` when the names in the metadata disagree with the model (supply them by `mi_engine_set_feature_names`),
/// `MI_INVALID_ARGUMENT` for a name that is missing or given twice; else as `mi_engine_predict_f64`.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `feature_names` and `values` lead to `count` elements each, `out` to
/// `out_len` doubles that do not overlap them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_predict_named_f64(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    output: i32,
    feature_names: *const *const c_char,
    values: *const f64,
    count: usize,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (engine, name, values) = unsafe {
            (object("engine", engine)?, name_of(target, family, view, symbol)?, slice("values", values, count)?)
        };
        // SAFETY: as promised by the caller.
        let out = unsafe { slice_mut("out", out, out_len, values)? };
        let output = Output::from_number(output)?;
        // SAFETY: as promised by the caller.
        unsafe {
            with_named(feature_names, values, |features| engine.engine.predict_named(name, output, features, out))?;
        }
    })
}

/// Supplies the names of a model's columns, in their order, for `mi_engine_predict_named_f64` of this engine.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `feature_names` leads to `count` strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_set_feature_names(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    feature_names: *const *const c_char,
    count: usize,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (engine, name, names) = unsafe {
            (
                object("engine", engine)?,
                name_of(target, family, view, symbol)?,
                texts("feature_names", feature_names, count)?,
            )
        };
        engine.engine.set_feature_names(name, &names)?;
    })
}

/// The families of a target, in the order in which `mi_engine_predict_all_f64` answers.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `out_families` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_families(
    engine: *const mi_engine,
    target: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    out_families: *mut *mut mi_strings,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (engine, group, out) = unsafe {
            (object("engine", engine)?, group_of(target, view, symbol)?, Out::new("out_families", out_families)?)
        };
        out.set(mi_strings::give(engine.engine.families(group)?.to_vec()));
    })
}

/// Asks every family of a target for one number: `out[i]` is the answer of family i of `mi_engine_families`, NaN where there is
/// none, and `out_statuses[i]`, when not NULL, says why. `out_len` is the number of families. `out_answered`, which may be NULL, receives
/// how many answered. A family that fails is no failure of this call.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `features` leads to `count` doubles, `out` and a non-NULL
/// `out_statuses` to `out_len` elements that do not overlap them or each other.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_predict_all_f64(
    engine: *const mi_engine,
    target: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    output: i32,
    features: *const f64,
    count: usize,
    out: *mut f64,
    out_statuses: *mut mi_status,
    out_len: usize,
    out_answered: *mut usize,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (engine, group, features, answered) = unsafe {
            (
                object("engine", engine)?,
                group_of(target, view, symbol)?,
                slice("features", features, count)?,
                Out::optional("out_answered", out_answered)?,
            )
        };
        // SAFETY: as promised by the caller.
        let out = unsafe { slice_mut("out", out, out_len, features)? };
        let status_len = if out_statuses.is_null() { 0 } else { out_len };
        // SAFETY: as promised by the caller.
        let statuses = unsafe { slice_mut("out_statuses", out_statuses, status_len, features)? };
        let mut failures = Vec::new();
        let count = engine.engine.predict_all(group, Output::from_number(output)?, features, out, &mut failures)?;
        statuses.fill(MI_OK);
        for (family, error) in failures {
            if let Some(status) = statuses.get_mut(family) {
                *status = error.status() as mi_status;
            }
        }
        if let Some(out) = answered {
            out.set(count);
        }
    })
}

/// Asks the families of the engine's priority list in turn; the first that answers with numbers, not NaN, fills `out`, and
/// `out_family`, which may be NULL, receives its name as the list spells it, borrowed from the engine.
///
/// When none answers: the status of the first family that exists and failed, with a sentence that names each family and its
/// failure; `MI_NOT_FOUND` when none exists.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `features` leads to `count` doubles, `out` to `out_len`
/// doubles that do not overlap them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_predict_fallback_f64(
    engine: *const mi_engine,
    target: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    output: i32,
    features: *const f64,
    count: usize,
    out: *mut f64,
    out_len: usize,
    out_family: *mut *const c_char,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (handle, group, features, out_family) = unsafe {
            (
                object("engine", engine)?,
                group_of(target, view, symbol)?,
                slice("features", features, count)?,
                Out::optional("out_family", out_family)?,
            )
        };
        // SAFETY: as promised by the caller.
        let out = unsafe { slice_mut("out", out, out_len, features)? };
        let family = handle.engine.predict_with_fallback(group, Output::from_number(output)?, features, out)?;
        if let Some(out_family) = out_family {
            let listed = handle.priority.iter().find(|listed| listed.to_bytes() == family.as_bytes());
            out_family.set(listed.map_or(ptr::null(), |name| name.as_ptr()));
        }
    })
}
