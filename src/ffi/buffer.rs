//! Rolling windows.

use super::pointer::{Out, object, optional_text, options, slice, slice_mut, text};
use super::status::mi_status;
use super::strings::mi_strings;
use crate::buffer::{Buffer, Normalization, Options};
use crate::error::{Error, Result};
use std::ffi::c_char;
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// Raw channels are read as they were pushed.
pub const MI_NORMALIZE_NONE: i32 = 0;
/// A raw channel x is read as x / (x0 + 1e-8) - 1.
pub const MI_NORMALIZE_RETURNS: i32 = 1;
/// A raw channel x is read as ln(x / (x0 + 1e-8) + 1e-8).
pub const MI_NORMALIZE_LOG_RETURNS: i32 = 2;
/// A raw channel x is read as (x - min) / (max - min + 1e-8), with its extremes in the window.
pub const MI_NORMALIZE_MINMAX: i32 = 3;

/// Rolling windows of feature rows, one for each symbol: the last `sequence_length` rows of `feature_count` floats. Safe from any number of
/// threads; pushes to different symbols do not wait for each other.
///
/// A symbol that was never pushed is one whose window is empty. The first push of a symbol takes the memory of its window;
/// after it, pushing and reading allocate nothing. Times are nanoseconds since 1970; 0 means now.
pub struct mi_buffer {
    buffer: Arc<Buffer>,
}

impl mi_buffer {
    /// A handle that the caller owns.
    pub(super) fn give(buffer: Arc<Buffer>) -> *mut Self {
        Box::into_raw(Box::new(Self { buffer }))
    }
}

/// How windows are filled and read. Fill it in with `mi_buffer_options_init`; NULL means all defaults.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct mi_buffer_options {
    /// Bytes of this struct, set by `mi_buffer_options_init`.
    pub struct_size: usize,
    /// Seconds that the newest row of a window may be old when the window is read; 0: any age. Default 300.
    pub ttl_seconds: f64,
    /// Rows from which on a window may be read; 0: all `sequence_length` of them. Default 0.
    pub warmup_rows: usize,
    /// How many symbols the buffer takes. Default 65536.
    pub max_symbols: usize,
    /// What is done to raw channels when a window is read: one of `MI_NORMALIZE_*`. Default `MI_NORMALIZE_NONE`.
    pub normalization: i32,
    /// Always 0.
    pub reserved: i32,
    /// The name of each column; NULL in place of a name: the column is no raw channel and is read as it was pushed. The prices open, high,
    /// low and close, in any case of letters, are measured against the close of the window's oldest row, where one column is called so;
    /// every other channel against its own value in that row. NULL: five columns are open, high, low, close and volume, in this order; of
    /// any other number each is a channel of its own. Default NULL.
    pub channels: *const *const c_char,
    /// How many names there are: `feature_count`, or 0 with NULL.
    pub channel_count: usize,
}

fn defaults() -> mi_buffer_options {
    let defaults = Options::default();
    mi_buffer_options {
        struct_size: size_of::<mi_buffer_options>(),
        ttl_seconds: defaults.ttl.as_secs_f64(),
        warmup_rows: defaults.warmup_rows,
        max_symbols: defaults.max_symbols,
        normalization: MI_NORMALIZE_NONE,
        reserved: 0,
        channels: ptr::null(),
        channel_count: 0,
    }
}

/// The options as the library takes them.
///
/// # Safety
/// A non-NULL `pointer` leads to a `mi_buffer_options` of the size it states, with live strings.
unsafe fn read_options(pointer: *const mi_buffer_options) -> Result<Options> {
    // SAFETY: as promised; every bit pattern is a valid `mi_buffer_options`.
    let given = unsafe { options("options", pointer, defaults())? };
    let ttl = Duration::try_from_secs_f64(given.ttl_seconds).map_err(|_| {
        Error::invalid(format!("options->ttl_seconds is {}, not a span of time; 0 is any age", given.ttl_seconds))
    })?;
    // SAFETY: as many pointers as stated, as promised.
    let names = unsafe { slice("options->channels", given.channels, given.channel_count)? };
    let channels = names
        .iter()
        // SAFETY: NULL or a live string, as promised.
        .map(|&name| Ok(unsafe { optional_text("options->channels", name)? }.map(str::to_owned)))
        .collect::<Result<_>>()?;
    Ok(Options {
        ttl,
        warmup_rows: given.warmup_rows,
        max_symbols: given.max_symbols,
        normalization: Normalization::from_number(given.normalization)?,
        channels,
    })
}

/// A buffer and the name of a symbol.
///
/// # Safety
/// A non-NULL `buffer` is a live handle, a non-NULL `symbol` a live string.
unsafe fn window<'a>(buffer: *const mi_buffer, symbol: *const c_char) -> Result<(&'a Buffer, &'a str)> {
    // SAFETY: as promised.
    unsafe { Ok((&object("buffer", buffer)?.buffer, text("symbol", symbol)?)) }
}

/// A buffer and a path.
///
/// # Safety
/// A non-NULL `buffer` is a live handle, a non-NULL `path` a live string.
unsafe fn file<'a>(buffer: *const mi_buffer, path: *const c_char) -> Result<(&'a Buffer, &'a Path)> {
    // SAFETY: as promised.
    unsafe { Ok((&object("buffer", buffer)?.buffer, Path::new(text("path", path)?))) }
}

/// Fills in the defaults. NULL is ignored.
///
/// Requires: `options` is NULL or has room for one `mi_buffer_options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_options_init(options: *mut mi_buffer_options) {
    fence_or!((), {
        // SAFETY: NULL is refused by `Out`; else there is room, as promised.
        if let Ok(out) = unsafe { Out::new("options", options) } {
            out.set(defaults());
        }
    });
}

/// A buffer of windows of `sequence_length` rows and `feature_count` columns, without rows.
///
/// Requires: `options` is NULL or initialised, `out_buffer` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_new(
    sequence_length: usize,
    feature_count: usize,
    options: *const mi_buffer_options,
    out_buffer: *mut *mut mi_buffer,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (options, out) = unsafe { (read_options(options)?, Out::new("out_buffer", out_buffer)?) };
        out.set(mi_buffer::give(Arc::new(Buffer::new(sequence_length, feature_count, &options)?)));
    })
}

/// Ends a buffer, or the caller's hold on one of `mi_engine_buffer`. NULL is fine.
///
/// Requires: `buffer` is NULL or live, and no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_free(buffer: *mut mi_buffer) {
    fence_or!((), {
        if !buffer.is_null() {
            // SAFETY: made by `mi_buffer::give`, live, and nobody else uses it.
            drop(unsafe { Box::from_raw(buffer) });
        }
    });
}

/// Rows of a window; 0 for NULL.
///
/// Requires: `buffer` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_sequence_length(buffer: *const mi_buffer) -> usize {
    fence_or!(0, {
        // SAFETY: NULL or live, as promised.
        unsafe { object("buffer", buffer) }.map_or(0, |buffer| buffer.buffer.sequence_length())
    })
}

/// Columns of a row; 0 for NULL.
///
/// Requires: `buffer` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_feature_count(buffer: *const mi_buffer) -> usize {
    fence_or!(0, {
        // SAFETY: NULL or live, as promised.
        unsafe { object("buffer", buffer) }.map_or(0, |buffer| buffer.buffer.feature_count())
    })
}

/// Appends a row to the window of a symbol; the oldest row of a full window falls out. `symbol` is any name of 1 to 256 bytes.
///
/// `MI_SHAPE_MISMATCH` when `count` is not the buffer's `feature_count`; `MI_INVALID_ARGUMENT` for a NaN or an infinity (the sentence names
/// the column) and for a time stamp before that of the newest row (the same one is fine: two rows then have it);
/// `MI_LIMIT_EXCEEDED` for one symbol more than `max_symbols`. The window is then as it was.
///
/// Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, `row` leads to `count` floats.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_push(
    buffer: *const mi_buffer,
    symbol: *const c_char,
    row: *const f32,
    count: usize,
    timestamp_ns: i64,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let ((buffer, symbol), row) = unsafe { (window(buffer, symbol)?, slice("row", row, count)?) };
        buffer.push(symbol, row, timestamp_ns)?;
    })
}

/// Appends history to the window of a symbol: `row_count` rows of `columns` floats, oldest first, with a time stamp for each;
/// `timestamps_ns` NULL: all of them are of now. No other push to the symbol comes in between. Rows that `mi_buffer_push` would refuse for
/// their numbers or their time stamps are passed over; `out_accepted`, which may be NULL, receives how many were appended.
///
/// `MI_SHAPE_MISMATCH` when `columns` is not the buffer's `feature_count`; `MI_LIMIT_EXCEEDED` as `mi_buffer_push`.
///
/// Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, `rows` leads to `row_count` * `columns` floats, a non-NULL
/// `timestamps_ns` to `row_count` numbers, a non-NULL `out_accepted` has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_push_rows(
    buffer: *const mi_buffer,
    symbol: *const c_char,
    rows: *const f32,
    row_count: usize,
    columns: usize,
    timestamps_ns: *const i64,
    out_accepted: *mut usize,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let ((buffer, symbol), out) =
            unsafe { (window(buffer, symbol)?, Out::optional("out_accepted", out_accepted)?) };
        if columns != buffer.feature_count() {
            return Err(Error::shape(format!(
                "{symbol}: the rows have {columns} columns, a window {}",
                buffer.feature_count()
            )));
        }
        let numbers = row_count
            .checked_mul(columns)
            .ok_or_else(|| Error::shape(format!("{row_count} rows of {columns} columns pass any memory")))?;
        // SAFETY: as promised by the caller.
        let rows = unsafe { slice("rows", rows, numbers)? };
        let timestamps = if timestamps_ns.is_null() {
            None
        } else {
            // SAFETY: as promised by the caller.
            Some(unsafe { slice("timestamps_ns", timestamps_ns, row_count)? })
        };
        let accepted = buffer.push_rows(symbol, rows, timestamps)?;
        if let Some(out) = out {
            out.set(accepted);
        }
    })
}

/// Whether a window can be read at the time `now_ns`: `out_ready` receives 1 when it has its warm-up rows and the newest is not older than
/// `ttl_seconds`, else 0.
///
/// Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, `out_ready` has room for one number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_ready(
    buffer: *const mi_buffer,
    symbol: *const c_char,
    now_ns: i64,
    out_ready: *mut i32,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let ((buffer, symbol), out) = unsafe { (window(buffer, symbol)?, Out::new("out_ready", out_ready)?) };
        out.set(buffer.ready(symbol, now_ns)?.into());
    })
}

/// What a window holds at the time `now_ns`: its rows, the time stamp of the newest one (0 without rows), whether it can be
/// read, and whether it has its warm-up rows but the newest is too old. Each output may be NULL.
///
/// Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, the outputs are NULL or have room for one number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_status(
    buffer: *const mi_buffer,
    symbol: *const c_char,
    now_ns: i64,
    out_rows: *mut usize,
    out_newest_ns: *mut i64,
    out_ready: *mut i32,
    out_stale: *mut i32,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let ((buffer, symbol), rows, newest, ready, stale) = unsafe {
            (
                window(buffer, symbol)?,
                Out::optional("out_rows", out_rows)?,
                Out::optional("out_newest_ns", out_newest_ns)?,
                Out::optional("out_ready", out_ready)?,
                Out::optional("out_stale", out_stale)?,
            )
        };
        let standing = buffer.standing(symbol, now_ns)?;
        if let Some(out) = rows {
            out.set(standing.rows);
        }
        if let Some(out) = newest {
            out.set(standing.newest_ns);
        }
        if let Some(out) = ready {
            out.set(standing.ready.into());
        }
        if let Some(out) = stale {
            out.set(standing.stale.into());
        }
    })
}

/// Writes the window of a symbol to `out`, which has room for `sequence_length` * `feature_count` floats: rows one after the other, oldest
/// first, raw channels normalised. Rows that are not there yet are zeros, at the old end.
///
/// `MI_NOT_READY` while the window has less than its warm-up rows; `MI_STALE` when the newest row is older than `ttl_seconds` at the time
/// `now_ns`; `MI_SHAPE_MISMATCH` when `out_len` is another size; `MI_INVALID_ARGUMENT` when a channel has no finite normalised value, such as
/// the logarithm of a negative price. `out` is then untouched.
///
/// Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, `out` leads to `out_len` floats.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_sequence(
    buffer: *const mi_buffer,
    symbol: *const c_char,
    now_ns: i64,
    out: *mut f32,
    out_len: usize,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let ((buffer, symbol), out) =
            unsafe { (window(buffer, symbol)?, slice_mut::<_, u8>("out", out, out_len, &[])?) };
        buffer.sequence(symbol, now_ns, out)?;
    })
}

/// Empties the window of a symbol. Its memory stays for the next rows, whose time stamps may begin anew.
///
/// Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_reset(buffer: *const mi_buffer, symbol: *const c_char) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (buffer, symbol) = unsafe { window(buffer, symbol)? };
        buffer.reset(symbol)?;
    })
}

/// Empties every window, one after the other.
///
/// Requires: `buffer` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_reset_all(buffer: *const mi_buffer) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        unsafe { object("buffer", buffer)? }.buffer.reset_all();
    })
}

/// Forgets a symbol: its memory and its place among `max_symbols` become free. A push at the same moment comes before or after it.
///
/// Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_remove(buffer: *const mi_buffer, symbol: *const c_char) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (buffer, symbol) = unsafe { window(buffer, symbol)? };
        buffer.remove(symbol)?;
    })
}

/// How many symbols have a window: those that were pushed or restored, and not removed; 0 for NULL.
///
/// Requires: `buffer` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_symbol_count(buffer: *const mi_buffer) -> usize {
    fence_or!(0, {
        // SAFETY: NULL or live, as promised.
        unsafe { object("buffer", buffer) }.map_or(0, |buffer| buffer.buffer.symbol_count())
    })
}

/// The symbols that have a window, in bytewise order.
///
/// Requires: `buffer` is NULL or live, `out_symbols` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_symbols(buffer: *const mi_buffer, out_symbols: *mut *mut mi_strings) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (buffer, out) = unsafe { (object("buffer", buffer)?, Out::new("out_symbols", out_symbols)?) };
        out.set(mi_strings::give(buffer.buffer.symbols()));
    })
}

/// The symbols whose windows can be read at the time `now_ns`, in bytewise order.
///
/// Requires: `buffer` is NULL or live, `out_symbols` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_ready_symbols(
    buffer: *const mi_buffer,
    now_ns: i64,
    out_symbols: *mut *mut mi_strings,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (buffer, out) = unsafe { (object("buffer", buffer)?, Out::new("out_symbols", out_symbols)?) };
        out.set(mi_strings::give(buffer.buffer.ready_symbols(now_ns)));
    })
}

/// Writes every window to a file: at every moment, also after a crash or a loss of power, `path` leads to the whole old file or the
/// whole new one. Pushes go on meanwhile; each window is saved as it is at one moment. A process that is killed in the middle may leave a
/// file `.mi-*.tmp` beside it, which nobody needs. `MI_NOT_FOUND` or `MI_IO` when the file cannot be written.
///
/// Requires: `buffer` is NULL or live, `path` a NUL-terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_save(buffer: *const mi_buffer, path: *const c_char) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (buffer, path) = unsafe { file(buffer, path)? };
        buffer.save(path)?;
    })
}

/// Replaces all windows by those of a file that `mi_buffer_save` wrote, with the same bits; symbols that are not in the file are gone. Other
/// threads see all of the old windows or all of the new ones.
///
/// The buffer must have the same `sequence_length`, `feature_count` and names of channels (else `MI_SHAPE_MISMATCH`); its other options
/// are its own. `MI_NOT_FOUND` or `MI_IO` when the file cannot be read, `MI_MALFORMED` when it is cut short or something else,
/// `MI_CHECKSUM_MISMATCH` when its bytes were changed, `MI_UNSUPPORTED` when a later version wrote it, `MI_LIMIT_EXCEEDED` when it
/// has more than `max_symbols`. The windows are then as they were.
///
/// Requires: `buffer` is NULL or live, `path` a NUL-terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_buffer_restore(buffer: *const mi_buffer, path: *const c_char) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (buffer, path) = unsafe { file(buffer, path)? };
        buffer.restore(path)?;
    })
}
