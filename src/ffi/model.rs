//! Models.

use super::network::Wishes;
use super::pointer::{Out, object, optional_text, options, slice, slice_mut, text};
use super::status::mi_status;
use crate::error::{Error, Result};
use crate::exec::{Categories, Number, Rows};
use crate::formats::{NoFiles, ReadOptions};
use crate::ir::Output;
use crate::model::Model;
use crate::session::Settings;
use std::ffi::c_char;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

/// What the source library's predict() returns; for a classifier the probability of the positive class, or of all classes when
/// there are more than two.
pub const MI_VALUE: i32 = 0;
/// The margin before the link function.
pub const MI_RAW: i32 = 1;
/// predict_proba: one column per class.
pub const MI_PROBABILITY: i32 = 2;
/// The predicted class label: numeric labels as trained, else the index of the class.
pub const MI_LABEL: i32 = 3;
/// The leaf that the row reaches in each tree, as the library numbers them.
pub const MI_LEAF: i32 = 4;
/// SHAP values per feature and a bias column, on the margin. `MI_UNSUPPORTED` in this version.
pub const MI_CONTRIBUTION: i32 = 5;
/// Parameters of the predicted distribution, or one column per quantile.
pub const MI_DISTRIBUTION: i32 = 6;

/// Importance by the number of splits that use a feature.
pub const MI_SPLIT: i32 = 0;
/// Importance by the total gain of the splits that use a feature; by the absolute coefficient in a linear model.
pub const MI_GAIN: i32 = 1;
/// The coefficient of a feature in a linear model of one output.
pub const MI_COEFFICIENT: i32 = 2;

/// A model, ready to predict: immutable, shared, safe to use from any number of threads at once.
///
/// Whoever receives one owns one reference to it and ends it with `mi_model_free`; `mi_model_retain` adds a reference. A model
/// stays usable after the loader or the engine it came from is freed.
pub struct mi_model {
    _opaque: [u8; 0],
}

/// How a model file is read. Fill it in with `mi_model_options_init`; NULL means all defaults.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct mi_model_options {
    /// Bytes of this struct, set by `mi_model_options_init`.
    pub struct_size: usize,
    /// The family of the model, for example "lightgbm"; NULL: detect it from the content.
    pub family: *const c_char,
    /// First boosting round to use.
    pub iteration_begin: u32,
    /// One past the last boosting round to use, cut to the rounds there are; 0: all. With both 0: the model's own rule, for
    /// example the best iteration of an estimator that stopped early.
    pub iteration_end: u32,
    /// The instructions that forests may use: "portable", "avx2", "avx512" or "avx512vbmi"; NULL: the best that the machine has. The
    /// numbers are the same with all of them. `MI_UNSUPPORTED` for instructions that the machine does not have.
    pub processor: *const c_char,
    /// The output of a network that is the value, by its name or its number; NULL: the first that holds numbers, of a "vae" the second.
    pub output: *const c_char,
    /// Columns of a row, or of a step of a sequence, for a network whose file leaves that open; 0: not known.
    pub feature_count: usize,
    /// Steps of a sequence, for a network whose file leaves that open, or whose (steps, 1) are not columns; 0: not known.
    pub sequence_length: usize,
    /// The library that runs networks (libonnxruntime.so.1, version 1.24 or newer) or its folder; NULL: where the environment variable
    /// `MI_ONNXRUNTIME` says, else beside libmi.so, else where the system's loader finds it. A process has one.
    pub runtime: *const c_char,
    /// What hardware runs a network: a list such as "cuda,cpu" or "tensorrt,cuda,cpu" of "cpu", "cuda", "tensorrt" and "webgpu". Each is
    /// tried in turn, the JSON of the model says which of them runs how many nodes and why others do not, and the processor is the last
    /// resort. NULL: "cpu".
    pub providers: *const c_char,
    /// 1: nothing falls back; a provider that is refused, or a node that runs on none of the list, is an error. Default 0.
    pub providers_required: i32,
    /// Number of the device. Default 0.
    pub device_id: i32,
    /// Bytes of device memory that a provider may take; 0: its own rule.
    pub device_memory: u64,
    /// 1: float32 products may be computed in TF32 on devices that have it, with 10 bits of mantissa. Default 0.
    pub tf32: i32,
    /// Threads for the work of one call to a model, the caller's included: the rows of a forest, or the graph of a network. They sleep
    /// between calls, those of a forest from 50 microseconds after one on, and end with the model. 0 and 1: the caller's alone. Default 0.
    pub threads: i32,
    /// Who runs a network of a Keras, PyTorch or scikit-learn file: "native": libmi itself, which needs no runtime; "runtime": the
    /// library that runs ONNX files, except for networks in float64; "auto": libmi, but the runtime where `providers` names more than the
    /// processor. ONNX files always run in the runtime. NULL: "auto".
    pub networks: *const c_char,
    /// 1: on the provider "cuda", calls replay the captured launches of the first call of their shape, which takes less time for graphs of
    /// many small nodes; calls of several threads then run one after the other, and all nodes have to be on the device. The JSON of the
    /// model says why not where it cannot be done. Default 0.
    pub graph_capture: i32,
}

const DEFAULTS: mi_model_options = mi_model_options {
    struct_size: size_of::<mi_model_options>(),
    family: ptr::null(),
    iteration_begin: 0,
    iteration_end: 0,
    processor: ptr::null(),
    output: ptr::null(),
    feature_count: 0,
    sequence_length: 0,
    runtime: ptr::null(),
    providers: ptr::null(),
    providers_required: 0,
    device_id: 0,
    device_memory: 0,
    tf32: 0,
    threads: 0,
    networks: ptr::null(),
    graph_capture: 0,
};

/// The options as the library takes them.
///
/// # Safety
/// A non-NULL `pointer` leads to a `mi_model_options` of the size it states, with live strings.
unsafe fn read_options(pointer: *const mi_model_options) -> Result<(ReadOptions, Settings)> {
    // SAFETY: as promised; every bit pattern is a valid `mi_model_options`.
    let given = unsafe { options("options", pointer, DEFAULTS)? };
    // SAFETY: the string is live, as promised.
    let family = unsafe { optional_text("options->family", given.family)? };
    // SAFETY: as above.
    let processor = unsafe { optional_text("options->processor", given.processor)? };
    // SAFETY: as above.
    let output = unsafe { optional_text("options->output", given.output)? };
    let wishes = Wishes {
        runtime: given.runtime,
        providers: given.providers,
        required: given.providers_required,
        device: given.device_id,
        device_memory: given.device_memory,
        tf32: given.tf32,
        threads: given.threads,
        networks: given.networks,
        graph_capture: given.graph_capture,
    };
    // SAFETY: as above.
    let settings = unsafe { wishes.settings()? };
    let options = ReadOptions {
        family: family.map(str::to_owned),
        iteration_begin: given.iteration_begin,
        iteration_end: given.iteration_end,
        processor: processor.map(str::to_owned),
        output: output.map(str::to_owned),
        feature_count: given.feature_count,
        sequence_length: given.sequence_length,
    };
    Ok((options, settings))
}

/// A handle that owns one reference.
pub(super) fn give(model: Arc<Model>) -> *mut mi_model {
    Arc::into_raw(model).cast_mut().cast()
}

/// The model behind a handle.
///
/// # Safety
/// A non-NULL `model` is a live handle.
#[inline]
unsafe fn model_of<'a>(model: *const mi_model) -> Result<&'a Model> {
    // SAFETY: a live handle was made by `give` from a `Model`.
    unsafe { object("model", model.cast::<Model>()) }
}

/// Fills in the defaults. NULL is ignored.
///
/// Requires: `options` is NULL or has room for one `mi_model_options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_options_init(options: *mut mi_model_options) {
    fence_or!((), {
        // SAFETY: NULL is refused by `Out`; else there is room, as promised.
        if let Ok(out) = unsafe { Out::new("options", options) } {
            out.set(DEFAULTS);
        }
    });
}

/// Reads a model file of any supported format, recognised by its content: LightGBM text, XGBoost JSON, UBJSON and binary,
/// CatBoost binary and JSON.
///
/// Nothing in a file can make the library execute anything, allocate without bound or loop: a hostile or broken file costs
/// `MI_MALFORMED`, `MI_UNSUPPORTED` or `MI_LIMIT_EXCEEDED`. `MI_NOT_FOUND` and `MI_IO` when it cannot be read.
///
/// Requires: `path` is a NUL-terminated string, `options` NULL or initialised, `out_model` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_open(
    path: *const c_char,
    options: *const mi_model_options,
    out_model: *mut *mut mi_model,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (path, (options, settings), out) =
            unsafe { (text("path", path)?, read_options(options)?, Out::new("out_model", out_model)?) };
        out.set(give(Arc::new(Model::open_with(Path::new(path), &options, &settings)?)));
    })
}

/// Reads a model from `length` bytes of memory, which may be freed when the call returns. Otherwise as `mi_model_open`.
///
/// Requires: `bytes` leads to `length` bytes, `options` is NULL or initialised, `out_model` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_open_memory(
    bytes: *const std::ffi::c_void,
    length: usize,
    options: *const mi_model_options,
    out_model: *mut *mut mi_model,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (bytes, (options, settings), out) = unsafe {
            (slice("bytes", bytes.cast::<u8>(), length)?, read_options(options)?, Out::new("out_model", out_model)?)
        };
        out.set(give(Arc::new(Model::read(bytes, &[], &options, &settings, &NoFiles)?)));
    })
}

/// One more reference to the same model; it must be ended with `mi_model_free` as well. Returns `model`; NULL for NULL.
///
/// Requires: `model` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_retain(model: *const mi_model) -> *mut mi_model {
    fence_or!(ptr::null_mut(), {
        if !model.is_null() {
            // SAFETY: live, so made by `give` with at least one reference left.
            unsafe { Arc::increment_strong_count(model.cast::<Model>()) };
        }
        model.cast_mut()
    })
}

/// Ends one reference; the last one frees the model. NULL is fine.
///
/// Requires: `model` is NULL or a reference that the caller owns and does not use any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_free(model: *mut mi_model) {
    fence_or!((), {
        if !model.is_null() {
            // SAFETY: live, so made by `give`; the caller gives its reference up.
            unsafe { Arc::decrement_strong_count(model.cast_const().cast::<Model>()) };
        }
    });
}

/// Everything known about the model, as one JSON object: library, format, objective, task, feature names, outputs and their
/// columns, warnings, and, for a model of a loader, its metadata and checksum. Borrowed from the model; NULL for NULL.
///
/// Requires: `model` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_json(model: *const mi_model) -> *const c_char {
    fence_or!(ptr::null(), {
        // SAFETY: NULL or live, as promised.
        unsafe { model_of(model) }.map_or(ptr::null(), |model| model.json_text().as_ptr())
    })
}

/// Columns of a row; 0 for NULL.
///
/// Requires: `model` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_feature_count(model: *const mi_model) -> usize {
    // SAFETY: NULL or live, as promised.
    fence_or!(0, { unsafe { model_of(model) }.map_or(0, Model::feature_count) })
}

/// The name of a column, borrowed from the model; NULL when the model has no names or no such column.
///
/// Requires: `model` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_feature_name(model: *const mi_model, index: usize) -> *const c_char {
    fence_or!(ptr::null(), {
        // SAFETY: NULL or live, as promised.
        let model = unsafe { model_of(model) };
        model.ok().and_then(|model| model.feature_name_text(index)).map_or(ptr::null(), std::ffi::CStr::as_ptr)
    })
}

/// Columns of a row that may hold text; 0 for NULL. Which they are: `mi_model_categorical_column`.
///
/// Requires: `model` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_categorical_count(model: *const mi_model) -> usize {
    // SAFETY: NULL or live, as promised.
    fence_or!(0, { unsafe { model_of(model) }.map_or(0, |model| model.categorical_columns().len()) })
}

/// The column of the `index`th text of a row, in ascending order; `SIZE_MAX` when there is none. Its name, where it has one, is
/// `mi_model_feature_name` of it.
///
/// Requires: `model` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_categorical_column(model: *const mi_model, index: usize) -> usize {
    fence_or!(usize::MAX, {
        // SAFETY: NULL or live, as promised.
        let model = unsafe { model_of(model) };
        model.ok().and_then(|model| model.categorical_columns().nth(index)).map_or(usize::MAX, |column| column as usize)
    })
}

/// Steps of the sequences that the model takes; 0: it takes rows.
///
/// Requires: `model` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_sequence_length(model: *const mi_model) -> usize {
    // SAFETY: NULL or live, as promised.
    fence_or!(0, { unsafe { model_of(model) }.map_or(0, Model::sequence_length) })
}

/// Columns of an answer: how many numbers a row gives for this output (`MI_VALUE`, `MI_RAW`, ...). `MI_UNSUPPORTED` when the
/// model has no such output.
///
/// Requires: `model` is NULL or live, `out_columns` has room for one number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_outputs(model: *const mi_model, output: i32, out_columns: *mut usize) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (model, out) = unsafe { (model_of(model)?, Out::new("out_columns", out_columns)?) };
        out.set(model.columns(Output::from_number(output)?)?);
    })
}

/// Reads what a call reads, so that the next one finds it in the processor's caches, and makes this thread's working memory, which the
/// first call would make otherwise. Call it after a pause, for example shortly before a market opens. It allocates.
///
/// Requires: `model` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_prefetch(model: *const mi_model) -> mi_status {
    fence!({
        // SAFETY: NULL or live, as promised.
        unsafe { model_of(model)? }.prefetch();
    })
}

/// Predicts `rows` rows of `columns` doubles, row after row, into `out`, which holds `out_len` = rows x answer columns (see
/// `mi_model_outputs`) numbers.
///
/// NaN means missing. A model without a rule for missing values answers `MI_INVALID_ARGUMENT` and names the column;
/// `MI_SHAPE_MISMATCH` for a wrong width or buffer; `out` is then untouched. The numbers are those of the library that trained the
/// model, to the last bit for forests. A warm call allocates nothing, locks nothing and makes no system call.
///
/// Requires: `model` is NULL or live, `x` leads to rows x columns doubles, `out` to `out_len` doubles that do not overlap them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_predict_f64(
    model: *const mi_model,
    output: i32,
    x: *const f64,
    rows: usize,
    columns: usize,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    // SAFETY: the same promises.
    fence!({ unsafe { predict(model, output, x, rows, columns, out, out_len)? } })
}

/// `mi_model_predict_f64` for rows of floats. The result is the same as for the same numbers given as doubles.
///
/// Requires: As `mi_model_predict_f64`, with floats in `x`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_predict_f32(
    model: *const mi_model,
    output: i32,
    x: *const f32,
    rows: usize,
    columns: usize,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    // SAFETY: the same promises.
    fence!({ unsafe { predict(model, output, x, rows, columns, out, out_len)? } })
}

/// `mi_model_predict_f64` for a model with columns of text: categories as the library that trained it was given them.
///
/// `categories` holds `rows` x `categorical_columns` strings in UTF-8, row after row; the columns are those of
/// `mi_model_categorical_column`, in that order, which `mi_model_json` lists under "categorical_columns". What `x` holds in these columns
/// is not looked at. `MI_SHAPE_MISMATCH` when `categorical_columns` is not what the model has.
///
/// A NULL string is a missing value (None or NaN of the library). What the model does with it, and with a category that it has never
/// seen, is what the library does: an encoder that ignores or groups unknown ones does so, one that was trained with
/// handle_unknown='error' and XGBoost answer `MI_INVALID_ARGUMENT` naming row, column and category, for LightGBM it is a missing value,
/// for CatBoost any category is fine.
///
/// `mi_model_predict_f64` takes the same rows without text: NaN is a missing one, LightGBM and XGBoost take the code of the category (its
/// place in the list that the file holds), and CatBoost a whole number, which stands for the text of its decimal digits, also here for a
/// NULL string. Encoders of text refuse numbers.
///
/// Requires: As `mi_model_predict_f64`, and `categories` leads to rows x `categorical_columns` pointers, each NULL or to a
/// NUL-terminated string; neither they nor the strings overlap `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_predict_categorical_f64(
    model: *const mi_model,
    output: i32,
    x: *const f64,
    rows: usize,
    columns: usize,
    categories: *const *const c_char,
    categorical_columns: usize,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    fence!({
        let numbers = matrix(rows, columns)?;
        let texts = matrix(rows, categorical_columns)?;
        // SAFETY: as promised by the caller.
        let (model, x, texts) =
            unsafe { (model_of(model)?, slice("x", x, numbers)?, slice("categories", categories, texts)?) };
        // SAFETY: as promised by the caller.
        unsafe { slice_mut("out", out, out_len, texts)? };
        // SAFETY: as promised by the caller; the view made one line above is gone.
        let out = unsafe { slice_mut("out", out, out_len, x)? };
        let texts = Texts { texts, columns: categorical_columns };
        model.predict_categorical(Output::from_number(output)?, Rows::new(x, rows, columns)?, &texts, out)?;
    })
}

/// Strings of C, of shape (rows, `columns`), each NULL or live.
struct Texts<'a> {
    texts: &'a [*const c_char],
    columns: usize,
}

impl Categories for Texts<'_> {
    fn columns(&self) -> Option<usize> {
        Some(self.columns)
    }

    fn get(&self, row: usize, column: usize) -> Option<&[u8]> {
        let text = *self.texts.get(row * self.columns + column)?;
        // SAFETY: not NULL, and the caller of the C function promised a NUL-terminated string that lives as long as the call.
        (!text.is_null()).then(|| unsafe { std::ffi::CStr::from_ptr(text) }.to_bytes())
    }
}

#[inline]
fn matrix(rows: usize, columns: usize) -> Result<usize> {
    rows.checked_mul(columns).ok_or_else(|| too_large(rows, columns))
}

#[cold]
fn too_large(rows: usize, columns: usize) -> Error {
    Error::shape(format!("{rows} rows of {columns} columns do not fit into memory"))
}

/// # Safety
/// Those of `mi_model_predict_f64`.
#[inline]
unsafe fn predict<T: Number>(
    model: *const mi_model,
    output: i32,
    x: *const T,
    rows: usize,
    columns: usize,
    out: *mut f64,
    out_len: usize,
) -> Result<()> {
    let numbers = matrix(rows, columns)?;
    // SAFETY: as promised by the caller.
    let (model, x) = unsafe { (model_of(model)?, slice("x", x, numbers)?) };
    // SAFETY: as promised by the caller.
    let out = unsafe { slice_mut("out", out, out_len, x)? };
    model.predict(Output::from_number(output)?, Rows::new(x, rows, columns)?, out)
}

/// Predicts `rows` sequences of `steps` x `columns` floats, oldest step first, into `out` as `mi_model_predict_f64` does. A model that
/// takes rows takes a sequence of one step as a row, and one whose network wants its columns as a sequence takes those with `columns`
/// 1; other sequences are `MI_UNSUPPORTED` there. Another number of steps or columns than the model has is `MI_SHAPE_MISMATCH`, but for a
/// network that takes sequences of any length. A NaN is `MI_INVALID_ARGUMENT`, unless the network has a rule for it.
///
/// Requires: `model` is NULL or live, `x` leads to rows x steps x columns floats, `out` to `out_len` doubles that do not overlap them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_predict_sequence_f32(
    model: *const mi_model,
    output: i32,
    x: *const f32,
    rows: usize,
    steps: usize,
    columns: usize,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    fence!({
        let width = matrix(steps, columns)?;
        let numbers = matrix(rows, width)?;
        // SAFETY: as promised by the caller.
        let (model, x) = unsafe { (model_of(model)?, slice("x", x, numbers)?) };
        // SAFETY: as promised by the caller.
        let out = unsafe { slice_mut("out", out, out_len, x)? };
        model.predict_sequence(Output::from_number(output)?, Rows::new(x, rows, width)?, steps, out)?;
    })
}

/// Importance of every column by `kind`: `MI_SPLIT`, `MI_GAIN` or `MI_COEFFICIENT`, as the library reports it, into `out` of
/// feature-count length. The gain of scikit-learn's trees and of NGBoost (there that of the first parameter) is
/// `feature_importances_`: shares of the decrease of impurity, which add up to 1. HistGradientBoosting reports none; its gain is the
/// sum over its splits. CatBoost's gain is its `PredictionValuesChange`, in percent. The gain of a linear model is the absolute coefficient, added up over outputs; the JSON of the model holds the
/// coefficients of every output. Behind steps that keep columns apart, such as a scaler or a column mask, these are the numbers of the
/// columns that come in; behind steps that mix them there are none.
/// `MI_UNSUPPORTED` when the file does not hold it, `MI_SHAPE_MISMATCH` for a wrong `out_len`.
///
/// Requires: `model` is NULL or live, `out` leads to `out_len` doubles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_model_importance(
    model: *const mi_model,
    kind: i32,
    out: *mut f64,
    out_len: usize,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (model, out) = unsafe { (model_of(model)?, slice_mut("out", out, out_len, &[0u8; 0])?) };
        let values = model.importance_of(kind)?;
        if values.len() != out.len() {
            return Err(Error::shape(format!("out has room for {} numbers, there are {}", out.len(), values.len())));
        }
        out.copy_from_slice(values);
    })
}
