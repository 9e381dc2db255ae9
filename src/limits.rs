//! Every cap on what a file may ask of us, each with its reason.
//!
//! A file that passes a cap is refused with `MI_LIMIT_EXCEEDED` before anything of that size is allocated.

use crate::error::{Error, Result};

/// Bytes of one file: the largest forests seen in practice stay below 1 GiB, and a file is held in memory while it is parsed.
pub const FILE_BYTES: u64 = 1 << 30;
/// Columns of a row: wider tables exist only as sparse matrices, which are not served.
pub const FEATURES: usize = 1 << 20;
/// Columns up to which scikit-learn's trees get an importance: two numbers a column for every tree in a file of nested ensembles.
pub const IMPORTANCE_FEATURES: usize = 1 << 16;
/// Numbers of one row or sequence, over all inputs of a network: 64 MiB of floats, far beyond any window of bars.
pub const ROW_NUMBERS: usize = 1 << 24;
/// Numbers of the rows that one run of a network sees at most: 8 MiB of floats, enough for any device; more rows are more runs.
pub const BLOCK_NUMBERS: usize = 1 << 21;
/// Nodes of an ONNX graph, and its tensors in files: the largest exported models have some ten thousand.
pub const GRAPH_NODES: usize = 1 << 20;
/// Numbers of one tensor inside of a model, also of a sparse one that a runtime makes dense: as many as a file has bytes.
pub const TENSOR_BYTES: u64 = FILE_BYTES;
/// Bytes of all files of weights beside a model.
pub const WEIGHT_BYTES: u64 = 4 << 30;
/// Margins of a row: one per class, target or quantile.
pub const OUTPUTS: usize = 1 << 14;
/// Dimensions of a multivariate distribution: its covariance matrix is inverted for every row; real ones have a handful.
pub const DIMENSIONS: usize = 64;
/// Axes of a tensor of a network: real ones have five.
pub const TENSOR_AXES: usize = 8;
/// Elements of one tensor of a network, per row: attention over 4096 steps.
pub const TENSOR_ELEMENTS: usize = 1 << 24;
/// Elements of all tensors of a network together, per row: they are memory, shared where their lives do not meet.
pub const NETWORK_ELEMENTS: usize = 1 << 28;
/// Nodes of a network: a transformer of a hundred blocks has about 3000.
pub const NETWORK_NODES: usize = 1 << 16;
/// Multiplications of a network, per row: some seconds on one core; the largest networks over market data stay below a thousandth of it.
pub const NETWORK_WORK: usize = 1 << 37;
/// Trees of a forest: ten times the largest model seen.
pub const TREES: usize = 1 << 20;
/// Threads that help with one call.
pub const THREADS: usize = 1 << 10;
/// Nodes and leaves of one tree: child references are 31 bits wide.
pub const NODES: usize = 1 << 28;
/// Levels of a symmetric tree: `CatBoost`'s own cap; one level more doubles the leaves.
pub const LEVELS: usize = 16;
/// The largest category plus one: `XGBoost`'s own cap, the integers that a float32 holds exactly.
pub const CATEGORIES: usize = 1 << 24;
/// Nesting of JSON, UBJSON, pickles and pipelines: real files stay below 40; each level costs native stack.
pub const DEPTH: usize = 128;
/// Entries of a booster's dictionary of attributes: real ones hold a handful.
pub const ATTRIBUTES: usize = 1 << 12;
/// Categories of all columns that a model's JSON repeats: more of them are counted, not listed.
pub const LISTED_CATEGORIES: usize = 1 << 18;
/// Cells of rows looked at when the way of text through a model is followed: ten thousand members of a thousand columns take 10
/// million.
pub const FLOW_CELLS: usize = 1 << 26;
/// Memory that a category given as text takes in the tables of a model, beside its own bytes.
pub const CATEGORY_BYTES: usize = 256;
/// Bytes of an error message: a path has up to 4096, and names from a file must not fill a log.
pub const MESSAGE_BYTES: usize = 1 << 13;
/// Multiplications that solving for the columns of a matrix may take while a model is read: a factor analysis of 500 components over
/// 1000 columns.
pub const SOLVING: usize = 1 << 28;
/// Numbers of a matrix that a file holds in fewer than these: a random projection of 4096 columns onto 1024.
pub const DENSE: usize = 1 << 22;
/// Columns that all questions of an imputer take together: 10 rounds over 1000 columns, each asked about all others.
pub const ASKED: usize = 1 << 24;
/// Bytes of one name or string in metadata.
pub const NAME_BYTES: usize = 1 << 16;
/// Parameters of a training that a model file lists: the library with the most has about 150.
pub const PARAMETERS: usize = 1 << 12;
/// Bytes of one JSON metadata file: real ones stay below 1 MiB even with thousands of features.
pub const METADATA_BYTES: u64 = 64 << 20;
/// Directories and files looked at when a run is listed: bounds the time of a walk over a hostile tree.
pub const DIRECTORY_ENTRIES: usize = 1 << 16;
/// Parents walked up to find the root of a run.
pub const PARENTS: usize = 20;
/// Bytes of a pickle, inflated: its offsets have 32 bits.
pub const PICKLE_BYTES: usize = u32::MAX as usize;
/// Memory that decoding and reading a pickle may take whatever its size: a small compressed file may well hold megabytes.
pub const PICKLE_MEMORY: usize = 64 << 20;
/// Memory that decoding and reading a pickle may take for each byte of its file. Arrays cost their own size once when they are compressed and
/// nothing when they are not; a list of floats costs about 5 for each byte; compressed forests inflate to 3 to 10 times.
pub const PICKLE_MEMORY_PER_BYTE: usize = 16;
/// Bytes in the name of a class or of its module: the longest of real ones have about 80, and each use of one reads it.
pub const CLASS_NAME_BYTES: usize = 1 << 10;
/// Attributes of the wrapper that joblib writes in front of an array: it has 6, and each wrapper is searched.
pub const WRAPPER_ATTRIBUTES: usize = 64;
/// What a model inside of a pickle counts for beside its arrays: its parts and facts take less; files of thousands of base learners
/// have more bytes for each.
pub const MODEL_MEMORY: usize = 8 << 10;
/// The same for a step of a pipeline.
pub const STEP_MEMORY: usize = 1 << 10;
/// Bytes or digits of one integer of a pickle: the seeds of random generators have 128 bits; arithmetic never needs more.
pub const PICKLE_INTEGER_BYTES: usize = 1 << 12;
/// Axes of an array: numpy's own cap.
pub const ARRAY_AXES: usize = 64;
/// Elements of an array whose elements take no bytes: no length of data bounds them, and real ones are empty.
pub const EMPTY_ELEMENTS: usize = 1 << 12;
/// Rows or columns of an array without elements: no length of data bounds them. Twice the columns of a row.
pub const EMPTY_AXIS: usize = 2 * FEATURES;
/// Bytes of a dtype as numpy spells it, a time unit included: each array and scalar has one.
pub const DTYPE_BYTES: usize = 64;
/// Bytes in the name of a field of a structured dtype: real ones stay below 30.
pub const FIELD_NAME_BYTES: usize = 1 << 10;
/// Nesting of structured dtypes: real ones have one level.
pub const DTYPE_DEPTH: usize = 8;
/// Bytes of the header of a `.npy` file: those of plain arrays have 118, of structured ones some hundreds.
pub const NPY_HEADER_BYTES: usize = 1 << 16;
/// Dictionary of xz and lzma: preset 9, the largest one, has 64 MiB.
pub const LZMA_DICTIONARY: usize = 64 << 20;

/// Messages of an object of an HDF5 file: real ones have a dozen, attributes included.
pub const HDF5_MESSAGES: usize = 1 << 14;

/// Steps that reading an HDF5 file of this many bytes may take: looking up a name passes the others of its group, and a file of a
/// thousand layers has some millions of such steps.
#[must_use]
pub fn hdf5_steps(file_bytes: usize) -> usize {
    file_bytes.saturating_mul(64).saturating_add(1 << 22)
}

/// Bytes that the datasets of an HDF5 file of this many bytes may hold together: those without compression are no larger than the file.
#[must_use]
pub fn hdf5_data(file_bytes: usize) -> usize {
    file_bytes.saturating_mul(8).saturating_add(16 << 20)
}

/// How much smaller compression makes a model: forests become 3 to 10 times smaller.
pub const COMPRESSION: usize = 10;
/// Entries of a zip archive: PyTorch writes one for each tensor, Keras a handful.
pub const ARCHIVE_ENTRIES: usize = 1 << 16;
/// What may be unpacked of an archive whatever its size.
pub const ARCHIVE_MEMORY: usize = 64 << 20;
/// What may be unpacked of an archive for each of its bytes: weights hardly compress, JSON does to a tenth.
pub const ARCHIVE_MEMORY_PER_BYTE: usize = 4;

/// Bytes of the JSON of an exported program: half of it are notes of where each operation came from; large ones have some MiB.
pub const PROGRAM_BYTES: usize = 64 << 20;
/// Statements and expressions of TorchScript that are walked: a module that is called twice is walked twice.
pub const PROGRAM_STEPS: usize = 1 << 20;
/// Bytes of a declaration of layers: real ones have some hundreds.
pub const DECLARATION_BYTES: usize = 1 << 20;

/// What may be unpacked of an archive of this many bytes.
#[must_use]
pub fn archive_memory(file_bytes: usize) -> usize {
    file_bytes.saturating_mul(ARCHIVE_MEMORY_PER_BYTE).saturating_add(ARCHIVE_MEMORY)
}
/// Rows of a rolling window: two years of minutes.
pub const SEQUENCE_LENGTH: usize = 1 << 20;
/// Numbers of one rolling window: 1 GiB of memory for each symbol.
pub const WINDOW_VALUES: usize = 1 << 28;
/// Numbers of the windows that go through a network together: 64 MiB of a thread's memory.
pub const WINDOW_BLOCK: usize = 1 << 24;
/// Bytes of the name of a symbol, or of a channel of its window: tickers have up to 30, contracts and options somewhat more.
pub const SYMBOL_BYTES: usize = 256;

/// Compressed streams behind each other that content of this many bytes may come from. Programs that write many give each 64 KiB or
/// more; beginning one costs up to a tenth of a millisecond.
#[must_use]
pub fn streams(content_bytes: usize) -> usize {
    content_bytes / (16 << 10) + 16
}

/// Memory that decoding and reading a pickle of this many bytes may take, its own bytes not counted.
#[must_use]
pub fn pickle_memory(file_bytes: usize) -> usize {
    file_bytes.saturating_mul(PICKLE_MEMORY_PER_BYTE).saturating_add(PICKLE_MEMORY)
}

/// Memory that reading a model out of a compressed pickle may take beside that: its content counts like bytes of a file, as far as
/// files are compressed in practice.
#[must_use]
pub fn inflated_memory(file_bytes: usize, content_bytes: usize) -> usize {
    content_bytes.min(file_bytes.saturating_mul(COMPRESSION)).saturating_mul(PICKLE_MEMORY_PER_BYTE)
}

/// Refuses a count that passes its cap.
///
/// # Errors
/// `MI_LIMIT_EXCEEDED`, naming the thing, its count and the cap.
#[inline]
pub fn check(what: &str, count: usize, cap: usize) -> Result<()> {
    if count > cap { Err(passed(what, count, cap)) } else { Ok(()) }
}

#[cold]
fn passed(what: &str, count: usize, cap: usize) -> Error {
    Error::limit(format!("{count} {what} pass the cap of {cap}"))
}

/// An empty vector with room for `count` elements.
///
/// # Errors
/// `MI_LIMIT_EXCEEDED` when the memory is not there.
pub fn vec<T>(what: &str, count: usize) -> Result<Vec<T>> {
    let mut vector = Vec::new();
    vector
        .try_reserve_exact(count)
        .map_err(|_| Error::limit(format!("no memory for {count} {what} of {} bytes", size_of::<T>())))?;
    Ok(vector)
}

/// Columns that nothing looks at, as the facts of a model list them.
pub const LISTED_COLUMNS: usize = 1 << 16;
