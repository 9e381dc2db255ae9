//! Rolling windows: the last rows of every symbol, for models that take sequences.

mod normalize;
mod ring;
mod state;
mod table;

pub use normalize::Normalization;

use crate::error::{Error, Result, Status, Within};
use crate::limits;
use arc_swap::ArcSwap;
use normalize::Scale;
use ring::Ring;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use table::Table;

/// How windows are filled and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How old the newest row of a window may be when the window is read; zero: any age. Default: 300 s.
    pub ttl: Duration,
    /// Rows from which on a window may be read, at most the sequence length; 0: all of them. Default: 0.
    pub warmup_rows: usize,
    /// How many symbols the buffer takes. Default: 65536.
    pub max_symbols: usize,
    /// What is done to raw channels when a window is read. Default: nothing.
    pub normalization: Normalization,
    /// A name for each column, `None` for one that is no raw channel and stays as it is. Without names, five columns are open, high,
    /// low, close and volume, and any other number of columns are raw channels of their own. Default: none.
    pub channels: Vec<Option<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttl: Duration::from_mins(5),
            warmup_rows: 0,
            max_symbols: 1 << 16,
            normalization: Normalization::None,
            channels: Vec::new(),
        }
    }
}

/// What a window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Rows, at most the sequence length.
    pub rows: usize,
    /// Nanoseconds since 1970 of the newest row; 0 without rows.
    pub newest_ns: i64,
    /// Whether the window can be read.
    pub ready: bool,
    /// Whether there are enough rows, the newest of which is too old.
    pub stale: bool,
}

/// Rows and columns of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    steps: usize,
    width: usize,
}

impl Shape {
    fn values(self) -> usize {
        self.steps * self.width
    }
}

/// The last `sequence_length` rows of every symbol; any number of threads may share it.
///
/// A symbol that was never pushed is one whose window is empty. Each window has a lock of its own, held while a row is copied in or
/// the window is copied out; finding it takes none, so that pushes to different symbols do not wait for each other. After the first
/// push of a symbol nothing is allocated. A time of 0 means now; others are nanoseconds since 1970.
#[derive(Debug)]
pub struct Buffer {
    shape: Shape,
    ttl_ns: i64,
    warmup_rows: usize,
    max_symbols: usize,
    scale: Scale,
    /// Swapped as a whole by [`Buffer::restore`].
    table: ArcSwap<Table>,
}

impl Buffer {
    /// A buffer without rows.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a length or count of 0, more warm-up rows than the window has, or channels that are not one for each
    /// column or named twice; `MI_LIMIT_EXCEEDED` for a window of more than 2^28 numbers.
    pub fn new(sequence_length: usize, feature_count: usize, options: &Options) -> Result<Self> {
        for (what, count) in [("sequence_length", sequence_length), ("feature_count", feature_count)] {
            if count == 0 {
                return Err(Error::invalid(format!("{what} is 0; a window has at least one row of one column")));
            }
        }
        limits::check("rows of a window", sequence_length, limits::SEQUENCE_LENGTH)?;
        limits::check("columns of a row", feature_count, limits::FEATURES)?;
        let shape = Shape { steps: sequence_length, width: feature_count };
        limits::check("numbers of a window", shape.values(), limits::WINDOW_VALUES)?;
        if options.warmup_rows > sequence_length {
            return Err(Error::invalid(format!(
                "warmup_rows is {}, more than the {sequence_length} rows of a window",
                options.warmup_rows
            )));
        }
        Ok(Self {
            shape,
            ttl_ns: i64::try_from(options.ttl.as_nanos()).unwrap_or(i64::MAX),
            warmup_rows: if options.warmup_rows == 0 { sequence_length } else { options.warmup_rows },
            max_symbols: options.max_symbols,
            scale: Scale::new(options.normalization, &options.channels, feature_count)?,
            table: ArcSwap::from_pointee(Table::new()),
        })
    }

    /// Rows of a window.
    #[must_use]
    pub fn sequence_length(&self) -> usize {
        self.shape.steps
    }

    /// Columns of a row.
    #[must_use]
    pub fn feature_count(&self) -> usize {
        self.shape.width
    }

    /// Appends a row of finite numbers to the window of a symbol; the oldest row of a full window falls out. A row may have the time
    /// stamp of the row before it, not an earlier one.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` for a row of another width, `MI_INVALID_ARGUMENT` for a NaN or an infinity (the sentence names the column), an
    /// earlier time stamp or a symbol that is no name, `MI_LIMIT_EXCEEDED` for one symbol too many; the window is then as it was.
    pub fn push(&self, symbol: &str, row: &[f32], timestamp_ns: i64) -> Result<()> {
        self.check_row(row).within(|| symbol)?;
        self.write(symbol, |ring| ring.push(row, timestamp_ns))
    }

    /// Appends rows of history, oldest first, with a time stamp for each (`None`: all of them are of now), without another thread's push
    /// in between; returns how many were appended. Rows that [`Buffer::push`] would refuse are passed over.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` when `rows` is not whole rows or has not one time stamp each, and what [`Buffer::push`] says of the symbol.
    pub fn push_rows(&self, symbol: &str, rows: &[f32], timestamps_ns: Option<&[i64]>) -> Result<usize> {
        let count = rows.len() / self.shape.width;
        if !rows.len().is_multiple_of(self.shape.width) {
            return Err(Error::shape(format!("{} numbers are no rows of {} columns", rows.len(), self.shape.width)));
        }
        if let Some(timestamps) = timestamps_ns.filter(|timestamps| timestamps.len() != count) {
            return Err(Error::shape(format!("{} time stamps for {count} rows", timestamps.len())));
        }
        check_symbol(symbol)?;
        let mut finite = rows
            .chunks_exact(self.shape.width)
            .enumerate()
            .map(|(index, row)| (row, timestamps_ns.map_or(0, |timestamps| timestamps[index])))
            .filter(|(row, _)| self.check_row(row).is_ok())
            .peekable();
        if finite.peek().is_none() {
            return Ok(0);
        }
        self.write(symbol, |ring| {
            ring.reserve()?;
            Ok(finite.filter(|(row, timestamp)| ring.push(row, *timestamp).is_ok()).count())
        })
    }

    /// Whether a window can be read at this time: it has its warm-up rows, and the newest is not too old.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a symbol that is no name.
    pub fn ready(&self, symbol: &str, now_ns: i64) -> Result<bool> {
        Ok(self.standing(symbol, now_ns)?.ready)
    }

    /// What a window holds.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a symbol that is no name.
    pub fn standing(&self, symbol: &str, now_ns: i64) -> Result<Standing> {
        check_symbol(symbol)?;
        let standing = self.table.load().with(symbol, |ring| self.judge(ring, now_ns));
        Ok(standing.unwrap_or_default())
    }

    /// Writes a window to `out`: `sequence_length` rows of `feature_count` numbers, oldest first, normalised; zeros stand for rows that are
    /// not there yet, at the old end.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` when `out` has another size, `MI_NOT_READY`, `MI_STALE`, `MI_INVALID_ARGUMENT` for a symbol that is no name or
    /// where the normalisation of a channel has no finite value; `out` is then untouched.
    pub fn sequence(&self, symbol: &str, now_ns: i64, out: &mut [f32]) -> Result<()> {
        self.check_room(out)?;
        check_symbol(symbol)?;
        let copied = self.table.load().with(symbol, |ring| self.copy(ring, now_ns, out));
        let rows = copied.unwrap_or_else(|| Err(self.not_ready(0))).within(|| symbol)?;
        self.normalize(rows, out);
        Ok(())
    }

    /// Appends a row and writes the window that ends with it to `out`, without another thread's push in between.
    ///
    /// # Errors
    /// Those of [`Buffer::push`] and of [`Buffer::sequence`]. The row is in the window after the latter ones, but for `MI_SHAPE_MISMATCH`; `out` is
    /// untouched after any.
    pub fn push_sequence(&self, symbol: &str, row: &[f32], timestamp_ns: i64, out: &mut [f32]) -> Result<()> {
        self.check_room(out)?;
        self.check_row(row).within(|| symbol)?;
        let rows = self.write(symbol, |ring| {
            ring.push(row, timestamp_ns)?;
            self.copy(ring, ring.newest_ns().unwrap_or_default(), out)
        })?;
        self.normalize(rows, out);
        Ok(())
    }

    fn check_room(&self, out: &[f32]) -> Result<()> {
        let Shape { steps, width } = self.shape;
        if out.len() != self.shape.values() {
            return Err(Error::shape(format!(
                "out has room for {} numbers, a window has {steps} x {width}",
                out.len()
            )));
        }
        Ok(())
    }

    /// Writes a window that can be read and normalised, as it was pushed; returns how many rows it has.
    fn copy(&self, ring: &Ring, now_ns: i64, out: &mut [f32]) -> Result<usize> {
        self.admit(ring, now_ns)?;
        self.scale.check(ring)?;
        ring.copy(out);
        Ok(ring.rows())
    }

    /// Normalises the newest `rows` of a window.
    fn normalize(&self, rows: usize, window: &mut [f32]) {
        self.scale.apply(&mut window[(self.shape.steps - rows) * self.shape.width..]);
    }

    /// Empties the window of a symbol; its memory stays, and its time stamps may begin anew.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a symbol that is no name.
    pub fn reset(&self, symbol: &str) -> Result<()> {
        check_symbol(symbol)?;
        self.table.load().with(symbol, Ring::clear);
        Ok(())
    }

    /// Empties every window, one after the other.
    pub fn reset_all(&self) {
        self.table.load().sorted(|windows| windows.iter().for_each(|(_, ring)| ring.lock().clear()));
    }

    /// Forgets a symbol and gives its memory and its place among [`Options::max_symbols`] back. A push at the same moment comes before or
    /// after it.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a symbol that is no name.
    pub fn remove(&self, symbol: &str) -> Result<()> {
        check_symbol(symbol)?;
        self.table.load().remove(symbol);
        Ok(())
    }

    /// How many symbols have a window: those that were pushed or restored and not removed.
    #[must_use]
    pub fn symbol_count(&self) -> usize {
        self.table.load().count()
    }

    /// The symbols that have a window, in bytewise order.
    #[must_use]
    pub fn symbols(&self) -> Vec<String> {
        self.symbols_that(|_| true)
    }

    /// The symbols whose windows can be read at this time, in bytewise order.
    #[must_use]
    pub fn ready_symbols(&self, now_ns: i64) -> Vec<String> {
        let now_ns = time(now_ns);
        self.symbols_that(|ring| self.judge(ring, now_ns).ready)
    }

    fn symbols_that(&self, keep: impl Fn(&Ring) -> bool) -> Vec<String> {
        self.table.load().sorted(|windows| {
            let kept = windows.iter().filter(|(_, ring)| keep(&ring.lock()));
            kept.map(|(symbol, _)| (*symbol).to_owned()).collect()
        })
    }

    /// What `change` makes of the window of a symbol, made when there is none.
    fn write<R>(&self, symbol: &str, change: impl FnOnce(&mut Ring) -> Result<R>) -> Result<R> {
        let new = || check_symbol(symbol).map(|()| Ring::new(self.shape));
        self.table.load().with_or_new(symbol, self.max_symbols, new, change)?.within(|| symbol)
    }

    /// Refuses a row that no window takes.
    fn check_row(&self, row: &[f32]) -> Result<()> {
        if row.len() != self.shape.width {
            return Err(Error::shape(format!("the row has {} columns, a window {}", row.len(), self.shape.width)));
        }
        // All of them, without a way out in between, which the compiler turns into a few vector instructions.
        if row.iter().fold(true, |finite, value| finite & value.is_finite()) {
            return Ok(());
        }
        let column = row.iter().position(|value| !value.is_finite()).unwrap_or_default();
        Err(Error::invalid(format!(
            "{} is {}; a window takes finite numbers only",
            self.scale.column_name(column),
            row[column]
        )))
    }

    fn judge(&self, ring: &Ring, now_ns: i64) -> Standing {
        let filled = ring.rows() >= self.warmup_rows;
        let stale = filled && self.is_old(ring, now_ns);
        Standing { rows: ring.rows(), newest_ns: ring.newest_ns().unwrap_or_default(), ready: filled && !stale, stale }
    }

    fn is_old(&self, ring: &Ring, now_ns: i64) -> bool {
        let newest = ring.newest_ns().filter(|_| self.ttl_ns != 0);
        newest.is_some_and(|newest| time(now_ns).saturating_sub(newest) > self.ttl_ns)
    }

    /// Refuses to read a window that is not ready.
    fn admit(&self, ring: &Ring, now_ns: i64) -> Result<()> {
        if ring.rows() < self.warmup_rows {
            return Err(self.not_ready(ring.rows()));
        }
        if self.is_old(ring, now_ns) {
            let age = time(now_ns).saturating_sub(ring.newest_ns().unwrap_or_default());
            return Err(Error::new(
                Status::Stale,
                format!(
                    "the newest row is {} old, older than the {} allowed; push a newer row, or raise ttl_seconds",
                    seconds(age),
                    seconds(self.ttl_ns)
                ),
            ));
        }
        Ok(())
    }

    fn not_ready(&self, rows: usize) -> Error {
        Error::new(
            Status::NotReady,
            format!("the window holds {rows} of the {} rows it needs; push more, or push history", self.warmup_rows),
        )
    }
}

/// Refuses what is no name of a symbol.
fn check_symbol(symbol: &str) -> Result<()> {
    if symbol.is_empty() || symbol.len() > limits::SYMBOL_BYTES || symbol.contains('\0') {
        return Err(Error::invalid(format!(
            "a symbol is a name of 1 to {} bytes without NUL, not of {}",
            limits::SYMBOL_BYTES,
            symbol.len()
        )));
    }
    Ok(())
}

/// The time that a caller means: 0 is now.
fn time(given_ns: i64) -> i64 {
    if given_ns != 0 {
        return given_ns;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[allow(clippy::cast_precision_loss)] // for a sentence
fn seconds(ns: i64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}
