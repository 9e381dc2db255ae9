//! Sequences of an engine: given whole, or kept in windows by symbol.

use super::buffer::mi_buffer;
use super::engine::{mi_engine, with_texts};
use super::loader::name_of;
use super::pointer::{Out, object, optional_text, slice, slice_mut};
use super::status::{MI_OK, mi_status};
use crate::engine::Bar;
use crate::error::{Error, Result};
use crate::exec::{Number, Rows};
use crate::ir::Output;
use crate::loader::Selector;
use std::ffi::c_char;
use std::ptr;

/// How many numbers `rows` rows, each of `steps` steps of `columns` columns, are.
fn numbers(rows: usize, steps: usize, columns: usize) -> Result<usize> {
    rows.checked_mul(steps)
        .and_then(|rows| rows.checked_mul(columns))
        .ok_or_else(|| Error::shape(format!("{rows} rows of {steps} steps of {columns} columns pass any memory")))
}

/// Predicts `rows` whole sequences of `steps` steps of `columns` columns, oldest step first, by the names of a model into `out`, of shape
/// (rows, answer columns of the output). They are taken as they are: no window is read or changed, no channel is normalised.
///
/// Errors as `mi_loader_load` and `mi_model_predict_sequence_f32`; `out` is then untouched.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `x` leads to `rows` * `steps` * `columns` floats, `out` to `out_len`
/// doubles that do not overlap them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_predict_sequence_f32(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    output: i32,
    x: *const f32,
    rows: usize,
    steps: usize,
    columns: usize,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    fence!({
        let len = numbers(rows, steps, columns)?;
        // SAFETY: as promised by the caller.
        let (engine, name, x) =
            unsafe { (object("engine", engine)?, name_of(target, family, view, symbol)?, slice("x", x, len)?) };
        // SAFETY: as promised by the caller.
        let out = unsafe { slice_mut("out", out, out_len, x)? };
        let sequences = Rows::new(x, rows, steps * columns)?;
        engine.engine.predict_sequence(name, Output::from_number(output)?, sequences, steps, out)?;
    })
}

/// Predicts the window of `symbol` as it is at the time `now_ns`, by the names of a model into `out`, which holds `out_len` numbers, the answer
/// columns of the output. No row is added.
///
/// `MI_NOT_READY` while the window has less than its warm-up rows, and `MI_STALE` when its newest row is too old: `out` is then NaN.
/// `MI_UNSUPPORTED` for a model that takes rows; else as `mi_engine_predict_f64`.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `out` leads to `out_len` doubles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_predict_window(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    output: i32,
    now_ns: i64,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (engine, name, out) = unsafe {
            (
                object("engine", engine)?,
                name_of(target, family, view, symbol)?,
                slice_mut::<_, u8>("out", out, out_len, &[])?,
            )
        };
        engine.engine.predict_window(name, Output::from_number(output)?, now_ns, out)?;
    })
}

/// Predicts for `symbol_count` symbols at once, by the other names of a model, into `out`, of shape (symbols, answer columns of the
/// output): all windows go through a network in one run.
///
/// With `features`, a row of `columns` numbers for each symbol, a model that takes sequences adds the rows to the windows, in the
/// order of the symbols and with the time stamp `time_ns`, and answers for the windows; with NULL it answers for the windows as they are
/// at that time. 0 is now. A model that takes rows answers for the rows. In a view with a model for each symbol, each is asked
/// about its own.
///
/// `out_statuses[i]`, when not NULL, says how it went for symbol i; where that is not `MI_OK`, its numbers in `out` are NaN. `out_answered`,
/// which may be NULL, receives how many symbols have answers without NaN. A symbol that fails is no failure of this call. Sizes that do not
/// fit are: `MI_SHAPE_MISMATCH`, and no row is added.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `symbols` leads to `symbol_count` of them, a non-NULL
/// `features` to `symbol_count` * `columns` doubles, `out` to `out_len` doubles and a non-NULL `out_statuses` to `symbol_count` numbers, which do
/// not overlap them or each other.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_predict_symbols_f64(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbols: *const *const c_char,
    symbol_count: usize,
    output: i32,
    features: *const f64,
    columns: usize,
    time_ns: i64,
    out: *mut f64,
    out_statuses: *mut mi_status,
    out_len: usize,
    out_answered: *mut usize,
) -> mi_status {
    fence!({
        let names = [target, family, view];
        let symbols = (symbols, symbol_count);
        let given = (features, columns);
        // SAFETY: the same promises.
        unsafe {
            predict_symbols(
                engine,
                names,
                symbols,
                output,
                given,
                time_ns,
                (out, out_len),
                out_statuses,
                out_answered,
            )?;
        }
    })
}

/// `mi_engine_predict_symbols_f64` for rows of floats.
///
/// Requires: as `mi_engine_predict_symbols_f64`, with floats in `features`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_predict_symbols_f32(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbols: *const *const c_char,
    symbol_count: usize,
    output: i32,
    features: *const f32,
    columns: usize,
    time_ns: i64,
    out: *mut f64,
    out_statuses: *mut mi_status,
    out_len: usize,
    out_answered: *mut usize,
) -> mi_status {
    fence!({
        let names = [target, family, view];
        let symbols = (symbols, symbol_count);
        let given = (features, columns);
        // SAFETY: the same promises.
        unsafe {
            predict_symbols(
                engine,
                names,
                symbols,
                output,
                given,
                time_ns,
                (out, out_len),
                out_statuses,
                out_answered,
            )?;
        }
    })
}

/// # Safety
/// Those of `mi_engine_predict_symbols_f64`.
#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn predict_symbols<T: Number>(
    engine: *const mi_engine,
    [target, family, view]: [*const c_char; 3],
    (symbols, count): (*const *const c_char, usize),
    output: i32,
    (features, columns): (*const T, usize),
    time_ns: i64,
    (out, out_len): (*mut f64, usize),
    out_statuses: *mut mi_status,
    out_answered: *mut usize,
) -> Result<()> {
    let len = if features.is_null() { 0 } else { numbers(count, 1, columns)? };
    // SAFETY: as promised by the caller.
    let (engine, name, features_in, answered) = unsafe {
        (
            object("engine", engine)?,
            name_of(target, family, view, ptr::null())?,
            slice("features", features, len)?,
            Out::optional("out_answered", out_answered)?,
        )
    };
    // SAFETY: as promised by the caller.
    let out = unsafe { slice_mut("out", out, out_len, features_in)? };
    let status_len = if out_statuses.is_null() { 0 } else { count };
    // SAFETY: as promised by the caller.
    let statuses = unsafe { slice_mut("out_statuses", out_statuses, status_len, features_in)? };
    let rows = if features.is_null() { None } else { Some(Rows::new(features_in, count, columns)?) };
    let bar = Bar { rows, time_ns };
    let mut failures = Vec::new();
    let output = Output::from_number(output)?;
    // SAFETY: as promised by the caller.
    let count = unsafe {
        with_texts("symbols", symbols, count, |symbols| {
            engine.engine.predict_symbols(name, symbols, output, bar, out, &mut failures)
        })?
    };
    statuses.fill(MI_OK);
    for (symbol, error) in failures {
        if let Some(status) = statuses.get_mut(symbol) {
            *status = error.status() as mi_status;
        }
    }
    if let Some(out) = answered {
        out.set(count);
    }
    Ok(())
}

/// Appends history to the window of `symbol`, by the names of a model: `row_count` rows of `columns` floats, oldest first, with a time
/// stamp for each; `timestamps_ns` NULL: all of them are of now. Rows with a NaN, an infinity or an earlier time stamp are passed
/// over; `out_accepted`, which may be NULL, receives how many were appended.
///
/// Errors as `mi_loader_load` and `mi_buffer_push_rows`; `MI_SEQUENCE_REQUIRED` without a symbol, `MI_UNSUPPORTED` for a model that takes rows.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `rows` leads to `row_count` * `columns` floats, a non-NULL
/// `timestamps_ns` to `row_count` numbers, a non-NULL `out_accepted` has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_warm_up(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    rows: *const f32,
    row_count: usize,
    columns: usize,
    timestamps_ns: *const i64,
    out_accepted: *mut usize,
) -> mi_status {
    fence!({
        let len = numbers(row_count, 1, columns)?;
        let times = if timestamps_ns.is_null() { 0 } else { row_count };
        // SAFETY: as promised by the caller.
        let (engine, name, rows, times, out) = unsafe {
            (
                object("engine", engine)?,
                name_of(target, family, view, symbol)?,
                slice("rows", rows, len)?,
                slice("timestamps_ns", timestamps_ns, times)?,
                Out::optional("out_accepted", out_accepted)?,
            )
        };
        let times = (!timestamps_ns.is_null()).then_some(times);
        let accepted = engine.engine.warm_up(name, Rows::new(rows, row_count, columns)?, times)?;
        if let Some(out) = out {
            out.set(accepted);
        }
    })
}

/// Empties windows: those of every loaded model that `target`, `family` and `view` name, where NULL names all of them, for `symbol`, or with
/// NULL for all symbols. Their memory stays. `MI_NOT_FOUND` when the run has no such model.
///
/// Requires: `engine` is NULL or live, the strings are NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_reset(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (engine, [target, family, view, symbol]) = unsafe {
            let name = |what, pointer| Ok(optional_text(what, pointer)?.map(str::to_owned));
            (
                object("engine", engine)?,
                [name("target", target)?, name("family", family)?, name("view", view)?, name("symbol", symbol)?],
            )
        };
        engine.engine.reset(&Selector { target, family, view, symbol })?;
    })
}

/// The windows of a model that takes sequences, by its names: to push rows with time stamps of their own, to look at, save and restore
/// them. It is the engine's own buffer, not a copy; free it by `mi_buffer_free`, also after the engine.
///
/// `MI_UNSUPPORTED` for a model that takes rows; else as `mi_loader_load`.
///
/// Requires: `engine` is NULL or live, the strings are NUL-terminated, `out_buffer` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_engine_buffer(
    engine: *const mi_engine,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    out_buffer: *mut *mut mi_buffer,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (engine, name, out) = unsafe {
            (object("engine", engine)?, name_of(target, family, view, symbol)?, Out::new("out_buffer", out_buffer)?)
        };
        out.set(mi_buffer::give(engine.engine.windows(name)?));
    })
}
