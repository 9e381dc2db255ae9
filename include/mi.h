/* libmi: trained models inside native programs.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * This file is generated from src/ffi; do not edit it.
 *
 * libmi reads model files as their library wrote them, without Python and without executing anything in them, and predicts the
 * same numbers as that library. Link with -lmi, or load libmi.so.1 with dlopen.
 *
 * Calling convention
 *   Functions that can fail return an mi_status, MI_OK (0) or the kind of failure. mi_last_error() then has one line on this
 *   thread: what failed, on what, and what to do about it. Outputs come last, are named out_* (or out, for an array), and are
 *   untouched on failure. There are no in/out parameters and no partial success, except where a function says so.
 *   A NULL handle, a NULL pointer or a wrong size is a status, not a crash. No exception, panic or abort crosses this boundary.
 *   Strings are UTF-8 and end with a NUL. Matrices are row-major and contiguous; sizes count elements, not bytes. A NaN in a
 *   feature means missing. Results are doubles in memory of the caller.
 *   Option structs begin with their own size: call mi_<noun>_options_init first, then set fields. NULL means all defaults.
 *
 * Ownership
 *   | what                                 | who ends it                                                                |
 *   |--------------------------------------|----------------------------------------------------------------------------|
 *   | mi_model *                           | the caller, one mi_model_free for each handle received or retained         |
 *   | mi_loader *                          | the caller, mi_loader_free; models and engines made from it stay usable    |
 *   | mi_engine *                          | the caller, mi_engine_free                                                 |
 *   | mi_buffer *                          | the caller, mi_buffer_free                                                 |
 *   | mi_strings *                         | the caller, mi_strings_free                                                |
 *   | const char * from a handle           | nobody; it is borrowed from that handle and lives as long as it            |
 *   | const char * from mi_last_error      | nobody; valid until the next failure on this thread                        |
 *   | arguments                            | the caller; nothing is kept after the call returns                         |
 *
 * Threads
 *   | handle             | const T *: any number of threads at once  | T *: one thread at a time, after all others are done    |
 *   |--------------------|-------------------------------------------|---------------------------------------------------------|
 *   | mi_model           | everything but mi_model_free              | mi_model_free (each owner frees its own reference)      |
 *   | mi_loader          | everything but mi_loader_free             | mi_loader_free                                          |
 *   | mi_engine          | everything but mi_engine_free             | mi_engine_free                                          |
 *   | mi_buffer          | everything but mi_buffer_free             | mi_buffer_free                                          |
 *   | mi_strings         | mi_strings_count, mi_strings_at           | mi_strings_free                                         |
 *   The library starts no threads unless the options ask for them, prints nothing, installs no signal handlers and touches no
 *   locale. A warm predict allocates nothing, locks nothing and makes no system call; one that reads the window of a symbol holds
 *   the lock of that window, and one that other threads help with wakes them.
 *
 * Versions
 *   mi_abi_version() is 1 for all of libmi.so.1. Within it functions and constants are only added, numbers never change, and
 *   option structs only grow at their end: a program that was compiled against an older header keeps working, and one that was
 *   compiled against a newer header works as long as it sets no field that the library does not know.
 */

#ifndef MI_H
#define MI_H

#include <stddef.h>
#include <stdint.h>

#include <stddef.h>
#include <stdint.h>

/**
 * What the source library's predict() returns; for a classifier the probability of the positive class, or of all classes when
 * there are more than two.
 */
#define MI_VALUE 0

/**
 * The margin before the link function.
 */
#define MI_RAW 1

/**
 * predict_proba: one column per class.
 */
#define MI_PROBABILITY 2

/**
 * The predicted class label: numeric labels as trained, else the index of the class.
 */
#define MI_LABEL 3

/**
 * The leaf that the row reaches in each tree, as the library numbers them.
 */
#define MI_LEAF 4

/**
 * SHAP values per feature and a bias column, on the margin. `MI_UNSUPPORTED` in this version.
 */
#define MI_CONTRIBUTION 5

/**
 * Parameters of the predicted distribution, or one column per quantile.
 */
#define MI_DISTRIBUTION 6

/**
 * Importance by the number of splits that use a feature.
 */
#define MI_SPLIT 0

/**
 * Importance by the total gain of the splits that use a feature; by the absolute coefficient in a linear model.
 */
#define MI_GAIN 1

/**
 * The coefficient of a feature in a linear model of one output.
 */
#define MI_COEFFICIENT 2

/**
 * Raw channels are read as they were pushed.
 */
#define MI_NORMALIZE_NONE 0

/**
 * A raw channel x is read as x / (x0 + 1e-8) - 1.
 */
#define MI_NORMALIZE_RETURNS 1

/**
 * A raw channel x is read as ln(x / (x0 + 1e-8) + 1e-8).
 */
#define MI_NORMALIZE_LOG_RETURNS 2

/**
 * A raw channel x is read as (x - min) / (max - min + 1e-8), with its extremes in the window.
 */
#define MI_NORMALIZE_MINMAX 3

/**
 * Rolling windows of feature rows, one for each symbol: the last `sequence_length` rows of `feature_count` floats. Safe from any number of
 * threads; pushes to different symbols do not wait for each other.
 *
 * A symbol that was never pushed is one whose window is empty. The first push of a symbol takes the memory of its window;
 * after it, pushing and reading allocate nothing. Times are nanoseconds since 1970; 0 means now.
 */
typedef struct mi_buffer mi_buffer;

/**
 * Asks the models of a run by name, one row at a time: one family, all families of a target, or the first that answers. Safe
 * from any number of threads.
 *
 * A model that takes sequences has a window of rows for each symbol. A row that comes with a symbol is added to its window, as one of now,
 * and the answer is that for the window: `MI_NOT_READY`, and NaN in `out`, while the window fills. Without a symbol it is
 * `MI_SEQUENCE_REQUIRED`.
 */
typedef struct mi_engine mi_engine;

/**
 * A training run on disk: finds models by name, verifies them, loads each once and shares it. Safe from any number of threads.
 */
typedef struct mi_loader mi_loader;

/**
 * A model, ready to predict: immutable, shared, safe to use from any number of threads at once.
 *
 * Whoever receives one owns one reference to it and ends it with `mi_model_free`; `mi_model_retain` adds a reference. A model
 * stays usable after the loader or the engine it came from is freed.
 */
typedef struct mi_model mi_model;

/**
 * A list of strings that the library made. It belongs to the caller, who ends it with `mi_strings_free`.
 */
typedef struct mi_strings mi_strings;

/**
 * What a call came to: `MI_OK`, or the kind of failure. `mi_last_error()` has the sentence.
 */
typedef int32_t mi_status;

/**
 * How a model file is read. Fill it in with `mi_model_options_init`; NULL means all defaults.
 */
typedef struct mi_model_options {
  /**
   * Bytes of this struct, set by `mi_model_options_init`.
   */
  size_t struct_size;
  /**
   * The family of the model, for example "lightgbm"; NULL: detect it from the content.
   */
  const char *family;
  /**
   * First boosting round to use.
   */
  uint32_t iteration_begin;
  /**
   * One past the last boosting round to use, cut to the rounds there are; 0: all. With both 0: the model's own rule, for
   * example the best iteration of an estimator that stopped early.
   */
  uint32_t iteration_end;
  /**
   * The instructions that forests may use: "portable", "avx2", "avx512" or "avx512vbmi"; NULL: the best that the machine has. The
   * numbers are the same with all of them. `MI_UNSUPPORTED` for instructions that the machine does not have.
   */
  const char *processor;
  /**
   * The output of a network that is the value, by its name or its number; NULL: the first that holds numbers, of a "vae" the second.
   */
  const char *output;
  /**
   * Columns of a row, or of a step of a sequence, for a network whose file leaves that open; 0: not known.
   */
  size_t feature_count;
  /**
   * Steps of a sequence, for a network whose file leaves that open, or whose (steps, 1) are not columns; 0: not known.
   */
  size_t sequence_length;
  /**
   * The library that runs networks (libonnxruntime.so.1, version 1.24 or newer) or its folder; NULL: where the environment variable
   * `MI_ONNXRUNTIME` says, else beside libmi.so, else where the system's loader finds it. A process has one.
   */
  const char *runtime;
  /**
   * What hardware runs a network: a list such as "cuda,cpu" or "tensorrt,cuda,cpu" of "cpu", "cuda", "tensorrt" and "webgpu". Each is
   * tried in turn, the JSON of the model says which of them runs how many nodes and why others do not, and the processor is the last
   * resort. NULL: "cpu".
   */
  const char *providers;
  /**
   * 1: nothing falls back; a provider that is refused, or a node that runs on none of the list, is an error. Default 0.
   */
  int32_t providers_required;
  /**
   * Number of the device. Default 0.
   */
  int32_t device_id;
  /**
   * Bytes of device memory that a provider may take; 0: its own rule.
   */
  uint64_t device_memory;
  /**
   * 1: float32 products may be computed in TF32 on devices that have it, with 10 bits of mantissa. Default 0.
   */
  int32_t tf32;
  /**
   * Threads for the work of one call to a model, the caller's included: the rows of a forest, or the graph of a network. They sleep
   * between calls, those of a forest from 50 microseconds after one on, and end with the model. 0 and 1: the caller's alone. Default 0.
   */
  int32_t threads;
  /**
   * Who runs a network of a Keras, PyTorch or scikit-learn file: "native": libmi itself, which needs no runtime; "runtime": the
   * library that runs ONNX files, except for networks in float64; "auto": libmi, but the runtime where `providers` names more than the
   * processor. ONNX files always run in the runtime. NULL: "auto".
   */
  const char *networks;
  /**
   * 1: on the provider "cuda", calls replay the captured launches of the first call of their shape, which takes less time for graphs of
   * many small nodes; calls of several threads then run one after the other, and all nodes have to be on the device. The JSON of the
   * model says why not where it cannot be done. Default 0.
   */
  int32_t graph_capture;
} mi_model_options;

/**
 * How a run is read. Fill it in with `mi_loader_options_init`; NULL means all defaults.
 */
typedef struct mi_loader_options {
  /**
   * Bytes of this struct, set by `mi_loader_options_init`.
   */
  size_t struct_size;
  /**
   * Compare the SHA-256 of every file that is parsed with the metadata. Default 1.
   */
  int32_t verify_checksums;
  /**
   * A mismatch fails the load; 0: it becomes a warning in the model's JSON. Default 1.
   */
  int32_t strict_checksums;
  /**
   * Accept a model whose metadata holds no checksum. Default 0.
   */
  int32_t allow_unsigned;
  /**
   * Keep what was loaded, so that the same name gives the same instance. Default 1.
   */
  int32_t cache_models;
  /**
   * Load a model when it is first asked for; 0: opening the loader loads all of them. Default 1.
   */
  int32_t lazy_load;
  /**
   * Always 0.
   */
  int32_t reserved;
  /**
   * Minutes of the bars that you feed; 0: unknown. A model trained on another interval is refused. Default 0.
   */
  double data_interval_minutes;
  /**
   * The largest model file that is read, in bytes. Default 1 GiB.
   */
  uint64_t max_file_bytes;
  /**
   * The signature of the universe (the directory `universe=signature`) to use where a run holds several; NULL: there is only one. Default NULL.
   */
  const char *universe;
  /**
   * The library that runs networks (libonnxruntime.so.1, version 1.24 or newer) or its folder; NULL: where the environment variable
   * `MI_ONNXRUNTIME` says, else beside libmi.so, else where the system's loader finds it. A process has one.
   */
  const char *runtime;
  /**
   * What hardware runs a network: a list such as "cuda,cpu" or "tensorrt,cuda,cpu" of "cpu", "cuda", "tensorrt" and "webgpu". Each is
   * tried in turn, the JSON of the model says which of them runs how many nodes and why others do not, and the processor is the last
   * resort. NULL: "cpu".
   */
  const char *providers;
  /**
   * 1: nothing falls back; a provider that is refused, or a node that runs on none of the list, is an error. Default 0.
   */
  int32_t providers_required;
  /**
   * Number of the device. Default 0.
   */
  int32_t device_id;
  /**
   * Bytes of device memory that a provider may take; 0: its own rule.
   */
  uint64_t device_memory;
  /**
   * 1: float32 products may be computed in TF32 on devices that have it, with 10 bits of mantissa. Default 0.
   */
  int32_t tf32;
  /**
   * Threads for the work of one call to a model, the caller's included: the rows of a forest, or the graph of a network. They sleep
   * between calls, those of a forest from 50 microseconds after one on, and end with the model. 0 and 1: the caller's alone. Default 0.
   */
  int32_t threads;
  /**
   * Who runs a network of a Keras, PyTorch or scikit-learn file: "native": libmi itself, which needs no runtime; "runtime": the
   * library that runs ONNX files, except for networks in float64; "auto": libmi, but the runtime where `providers` names more than the
   * processor. ONNX files always run in the runtime. NULL: "auto".
   */
  const char *networks;
  /**
   * 1: on the provider "cuda", calls replay the captured launches of the first call of their shape, which takes less time for graphs of
   * many small nodes; calls of several threads then run one after the other, and all nodes have to be on the device. The JSON of the
   * model says why not where it cannot be done. Default 0.
   */
  int32_t graph_capture;
} mi_loader_options;

/**
 * How an engine answers. Fill it in with `mi_engine_options_init`; NULL means all defaults.
 */
typedef struct mi_engine_options {
  /**
   * Bytes of this struct, set by `mi_engine_options_init`.
   */
  size_t struct_size;
  /**
   * The order of the fallback: `family_priority_count` family names. NULL: lightgbm, xgboost, ridge, mlp.
   */
  const char *const *family_priority;
  /**
   * How many names there are.
   */
  size_t family_priority_count;
  /**
   * Seconds for which the calls that ask several families remember that a family did not load, before they try its files
   * again; 0: they always try. Default 30.
   */
  double retry_failed_seconds;
  /**
   * Seconds that the newest row of a window may be old when the window is read; 0: any age. Default 300.
   */
  double window_ttl_seconds;
  /**
   * Rows from which on a window may be read, at most those of the model's sequences; 0: all of them. The missing ones are
   * zeros. Default 0.
   */
  size_t warmup_rows;
  /**
   * How many symbols the windows of one model take. Default 65536.
   */
  size_t max_symbols;
} mi_engine_options;

/**
 * How windows are filled and read. Fill it in with `mi_buffer_options_init`; NULL means all defaults.
 */
typedef struct mi_buffer_options {
  /**
   * Bytes of this struct, set by `mi_buffer_options_init`.
   */
  size_t struct_size;
  /**
   * Seconds that the newest row of a window may be old when the window is read; 0: any age. Default 300.
   */
  double ttl_seconds;
  /**
   * Rows from which on a window may be read; 0: all `sequence_length` of them. Default 0.
   */
  size_t warmup_rows;
  /**
   * How many symbols the buffer takes. Default 65536.
   */
  size_t max_symbols;
  /**
   * What is done to raw channels when a window is read: one of `MI_NORMALIZE_*`. Default `MI_NORMALIZE_NONE`.
   */
  int32_t normalization;
  /**
   * Always 0.
   */
  int32_t reserved;
  /**
   * The name of each column; NULL in place of a name: the column is no raw channel and is read as it was pushed. The prices open, high,
   * low and close, in any case of letters, are measured against the close of the window's oldest row, where one column is called so;
   * every other channel against its own value in that row. NULL: five columns are open, high, low, close and volume, in this order; of
   * any other number each is a channel of its own. Default NULL.
   */
  const char *const *channels;
  /**
   * How many names there are: `feature_count`, or 0 with NULL.
   */
  size_t channel_count;
} mi_buffer_options;

/**
 * The call did what it promises.
 */
#define MI_OK 0

/**
 * An argument cannot be used: NULL, not UTF-8, a NaN where the model has no rule for missing values, an unknown number.
 */
#define MI_INVALID_ARGUMENT 1

/**
 * The file, target, family, view or symbol does not exist; the sentence lists what does.
 */
#define MI_NOT_FOUND 2

/**
 * The operating system refused to read or write.
 */
#define MI_IO 3

/**
 * The bytes are not what their format promises.
 */
#define MI_MALFORMED 4

/**
 * Understood, but not served; the sentence says what to do instead.
 */
#define MI_UNSUPPORTED 5

/**
 * A size in a file passes a cap of the library.
 */
#define MI_LIMIT_EXCEEDED 6

/**
 * The SHA-256 of a file is not the one in its metadata.
 */
#define MI_CHECKSUM_MISMATCH 10

/**
 * The metadata holds no checksum, and the loader was not told to accept that.
 */
#define MI_UNSIGNED 11

/**
 * The model was trained on bars of another interval.
 */
#define MI_INTERVAL_MISMATCH 12

/**
 * Rows, columns or an output buffer have the wrong size.
 */
#define MI_SHAPE_MISMATCH 20

/**
 * A sequence model was asked with a single row and no symbol.
 */
#define MI_SEQUENCE_REQUIRED 21

/**
 * The window of the symbol is not filled yet.
 */
#define MI_NOT_READY 22

/**
 * The newest row of the symbol is too old.
 */
#define MI_STALE 23

/**
 * A foreign runtime failed.
 */
#define MI_BACKEND 30

/**
 * A foreign runtime is not installed.
 */
#define MI_BACKEND_MISSING 31

/**
 * A defect of this library; please report it with the sentence.
 */
#define MI_INTERNAL 99

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the binary interface: 1. It changes together with the SONAME, `libmi.so.1`; a program that was compiled
 * against one version runs with every library of that version that is as new or newer.
 *
 * Safe from any thread at any time.
 */
uint32_t mi_abi_version(void);

/**
 * The version of the library as "major.minor.patch", a string that lives as long as the process.
 *
 * Safe from any thread at any time.
 */
const char *mi_version(void);

/**
 * The name of a status, for example "MI_CHECKSUM_MISMATCH"; "MI_UNKNOWN" for a number that is none. The string lives as long
 * as the process.
 *
 * Safe from any thread at any time.
 */
const char *mi_status_name(mi_status status);

/**
 * The text of the last failure on this thread: one line that says what failed, on what, and what to do about it; "" when there
 * was none. A call that succeeds leaves it as it is.
 *
 * The string belongs to the library and is valid until the next call on this thread that fails, or until the thread ends.
 */
const char *mi_last_error(void);

/**
 * Copies the text of the last failure on this thread into `buffer` and clears it, in one call, for languages whose code hops
 * between threads. At most `capacity` bytes are written, NUL included; a longer text is cut. `out_needed`, which may be NULL,
 * receives the bytes that the whole text takes with its NUL (1 when there was no failure).
 *
 * With `capacity` 0 nothing is copied or cleared: ask for the size first, then copy. Returns `MI_INVALID_ARGUMENT` when
 * `buffer` is NULL and `capacity` is not 0.
 *
 * Requires: `buffer` has room for `capacity` bytes.
 */
mi_status mi_last_error_take(char *buffer, size_t capacity, size_t *out_needed);

/**
 * How many strings there are; 0 for NULL.
 *
 * Requires: `strings` is NULL or a live list.
 */
size_t mi_strings_count(const struct mi_strings *strings);

/**
 * The string of this index, borrowed from the list; NULL when there is none.
 *
 * Requires: `strings` is NULL or a live list.
 */
const char *mi_strings_at(const struct mi_strings *strings, size_t index);

/**
 * Ends a list. NULL is fine.
 *
 * Requires: `strings` is NULL or a live list that nobody uses any more.
 */
void mi_strings_free(struct mi_strings *strings);

/**
 * Fills in the defaults. NULL is ignored.
 *
 * Requires: `options` is NULL or has room for one `mi_model_options`.
 */
void mi_model_options_init(struct mi_model_options *options);

/**
 * Reads a model file of any supported format, recognised by its content: LightGBM text, XGBoost JSON, UBJSON and binary,
 * CatBoost binary and JSON.
 *
 * Nothing in a file can make the library execute anything, allocate without bound or loop: a hostile or broken file costs
 * `MI_MALFORMED`, `MI_UNSUPPORTED` or `MI_LIMIT_EXCEEDED`. `MI_NOT_FOUND` and `MI_IO` when it cannot be read.
 *
 * Requires: `path` is a NUL-terminated string, `options` NULL or initialised, `out_model` has room for one pointer.
 */
mi_status mi_model_open(const char *path, const struct mi_model_options *options, struct mi_model **out_model);

/**
 * Reads a model from `length` bytes of memory, which may be freed when the call returns. Otherwise as `mi_model_open`.
 *
 * Requires: `bytes` leads to `length` bytes, `options` is NULL or initialised, `out_model` has room for one pointer.
 */
mi_status mi_model_open_memory(const void *bytes,
                               size_t length,
                               const struct mi_model_options *options,
                               struct mi_model **out_model);

/**
 * One more reference to the same model; it must be ended with `mi_model_free` as well. Returns `model`; NULL for NULL.
 *
 * Requires: `model` is NULL or live.
 */
struct mi_model *mi_model_retain(const struct mi_model *model);

/**
 * Ends one reference; the last one frees the model. NULL is fine.
 *
 * Requires: `model` is NULL or a reference that the caller owns and does not use any more.
 */
void mi_model_free(struct mi_model *model);

/**
 * Everything known about the model, as one JSON object: library, format, objective, task, feature names, outputs and their
 * columns, warnings, and, for a model of a loader, its metadata and checksum. Borrowed from the model; NULL for NULL.
 *
 * Requires: `model` is NULL or live.
 */
const char *mi_model_json(const struct mi_model *model);

/**
 * Columns of a row; 0 for NULL.
 *
 * Requires: `model` is NULL or live.
 */
size_t mi_model_feature_count(const struct mi_model *model);

/**
 * The name of a column, borrowed from the model; NULL when the model has no names or no such column.
 *
 * Requires: `model` is NULL or live.
 */
const char *mi_model_feature_name(const struct mi_model *model, size_t index);

/**
 * Columns of a row that may hold text; 0 for NULL. Which they are: `mi_model_categorical_column`.
 *
 * Requires: `model` is NULL or live.
 */
size_t mi_model_categorical_count(const struct mi_model *model);

/**
 * The column of the `index`th text of a row, in ascending order; `SIZE_MAX` when there is none. Its name, where it has one, is
 * `mi_model_feature_name` of it.
 *
 * Requires: `model` is NULL or live.
 */
size_t mi_model_categorical_column(const struct mi_model *model, size_t index);

/**
 * Steps of the sequences that the model takes; 0: it takes rows.
 *
 * Requires: `model` is NULL or live.
 */
size_t mi_model_sequence_length(const struct mi_model *model);

/**
 * Columns of an answer: how many numbers a row gives for this output (`MI_VALUE`, `MI_RAW`, ...). `MI_UNSUPPORTED` when the
 * model has no such output.
 *
 * Requires: `model` is NULL or live, `out_columns` has room for one number.
 */
mi_status mi_model_outputs(const struct mi_model *model, int32_t output, size_t *out_columns);

/**
 * Reads what a call reads, so that the next one finds it in the processor's caches, and makes this thread's working memory, which the
 * first call would make otherwise. Call it after a pause, for example shortly before a market opens. It allocates.
 *
 * Requires: `model` is NULL or live.
 */
mi_status mi_model_prefetch(const struct mi_model *model);

/**
 * Predicts `rows` rows of `columns` doubles, row after row, into `out`, which holds `out_len` = rows x answer columns (see
 * `mi_model_outputs`) numbers.
 *
 * NaN means missing. A model without a rule for missing values answers `MI_INVALID_ARGUMENT` and names the column;
 * `MI_SHAPE_MISMATCH` for a wrong width or buffer; `out` is then untouched. The numbers are those of the library that trained the
 * model, to the last bit for forests. A warm call allocates nothing, locks nothing and makes no system call.
 *
 * Requires: `model` is NULL or live, `x` leads to rows x columns doubles, `out` to `out_len` doubles that do not overlap them.
 */
mi_status mi_model_predict_f64(const struct mi_model *model,
                               int32_t output,
                               const double *x,
                               size_t rows,
                               size_t columns,
                               double *out,
                               size_t out_len);

/**
 * `mi_model_predict_f64` for rows of floats. The result is the same as for the same numbers given as doubles.
 *
 * Requires: As `mi_model_predict_f64`, with floats in `x`.
 */
mi_status mi_model_predict_f32(const struct mi_model *model,
                               int32_t output,
                               const float *x,
                               size_t rows,
                               size_t columns,
                               double *out,
                               size_t out_len);

/**
 * `mi_model_predict_f64` for a model with columns of text: categories as the library that trained it was given them.
 *
 * `categories` holds `rows` x `categorical_columns` strings in UTF-8, row after row; the columns are those of
 * `mi_model_categorical_column`, in that order, which `mi_model_json` lists under "categorical_columns". What `x` holds in these columns
 * is not looked at. `MI_SHAPE_MISMATCH` when `categorical_columns` is not what the model has.
 *
 * A NULL string is a missing value (None or NaN of the library). What the model does with it, and with a category that it has never
 * seen, is what the library does: an encoder that ignores or groups unknown ones does so, one that was trained with
 * handle_unknown='error' and XGBoost answer `MI_INVALID_ARGUMENT` naming row, column and category, for LightGBM it is a missing value,
 * for CatBoost any category is fine.
 *
 * `mi_model_predict_f64` takes the same rows without text: NaN is a missing one, LightGBM and XGBoost take the code of the category (its
 * place in the list that the file holds), and CatBoost a whole number, which stands for the text of its decimal digits, also here for a
 * NULL string. Encoders of text refuse numbers.
 *
 * Requires: As `mi_model_predict_f64`, and `categories` leads to rows x `categorical_columns` pointers, each NULL or to a
 * NUL-terminated string; neither they nor the strings overlap `out`.
 */
mi_status mi_model_predict_categorical_f64(const struct mi_model *model,
                                           int32_t output,
                                           const double *x,
                                           size_t rows,
                                           size_t columns,
                                           const char *const *categories,
                                           size_t categorical_columns,
                                           double *out,
                                           size_t out_len);

/**
 * Predicts `rows` sequences of `steps` x `columns` floats, oldest step first, into `out` as `mi_model_predict_f64` does. A model that
 * takes rows takes a sequence of one step as a row, and one whose network wants its columns as a sequence takes those with `columns`
 * 1; other sequences are `MI_UNSUPPORTED` there. Another number of steps or columns than the model has is `MI_SHAPE_MISMATCH`, but for a
 * network that takes sequences of any length. A NaN is `MI_INVALID_ARGUMENT`, unless the network has a rule for it.
 *
 * Requires: `model` is NULL or live, `x` leads to rows x steps x columns floats, `out` to `out_len` doubles that do not overlap them.
 */
mi_status mi_model_predict_sequence_f32(const struct mi_model *model,
                                        int32_t output,
                                        const float *x,
                                        size_t rows,
                                        size_t steps,
                                        size_t columns,
                                        double *out,
                                        size_t out_len);

/**
 * Importance of every column by `kind`: `MI_SPLIT`, `MI_GAIN` or `MI_COEFFICIENT`, as the library reports it, into `out` of
 * feature-count length. The gain of scikit-learn's trees and of NGBoost (there that of the first parameter) is
 * `feature_importances_`: shares of the decrease of impurity, which add up to 1. HistGradientBoosting reports none; its gain is the
 * sum over its splits. CatBoost's gain is its `PredictionValuesChange`, in percent. The gain of a linear model is the absolute coefficient, added up over outputs; the JSON of the model holds the
 * coefficients of every output. Behind steps that keep columns apart, such as a scaler or a column mask, these are the numbers of the
 * columns that come in; behind steps that mix them there are none.
 * `MI_UNSUPPORTED` when the file does not hold it, `MI_SHAPE_MISMATCH` for a wrong `out_len`.
 *
 * Requires: `model` is NULL or live, `out` leads to `out_len` doubles.
 */
mi_status mi_model_importance(const struct mi_model *model,
                              int32_t kind,
                              double *out,
                              size_t out_len);

/**
 * Fills in the defaults. NULL is ignored.
 *
 * Requires: `options` is NULL or has room for one `mi_loader_options`.
 */
void mi_loader_options_init(struct mi_loader_options *options);

/**
 * Opens a run: its root, any path inside of it (its parents are searched), a directory of the older generation, or a
 * `models.yaml`. `MI_NOT_FOUND` when there is no run.
 *
 * Requires: `run_root` is a NUL-terminated string, `options` NULL or initialised, `out_loader` has room for one pointer.
 */
mi_status mi_loader_open(const char *run_root, const struct mi_loader_options *options, struct mi_loader **out_loader);

/**
 * Ends a loader; its models and engines stay usable. NULL is fine.
 *
 * Requires: `loader` is NULL or live, and no other thread uses it.
 */
void mi_loader_free(struct mi_loader *loader);

/**
 * The targets of the run, in bytewise order.
 *
 * Requires: `loader` is NULL or live, `out_targets` has room for one pointer.
 */
mi_status mi_loader_targets(const struct mi_loader *loader, struct mi_strings **out_targets);

/**
 * The views of a target (`CROSS_SECTIONAL`, `SYMBOL_SPECIFIC`, `SEQUENTIAL`), in bytewise order.
 *
 * Requires: `loader` is NULL or live, `target` a NUL-terminated string, `out_views` has room for one pointer.
 */
mi_status mi_loader_views(const struct mi_loader *loader, const char *target, struct mi_strings **out_views);

/**
 * The families of a target in a view (NULL: `CROSS_SECTIONAL`), in bytewise order.
 *
 * Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_families` has room for one pointer.
 */
mi_status mi_loader_families(const struct mi_loader *loader,
                             const char *target,
                             const char *view,
                             struct mi_strings **out_families);

/**
 * The symbols of a target in a view (NULL: `CROSS_SECTIONAL`), in bytewise order; empty where models are not per symbol.
 *
 * Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_symbols` has room for one pointer.
 */
mi_status mi_loader_symbols(const struct mi_loader *loader,
                            const char *target,
                            const char *view,
                            struct mi_strings **out_symbols);

/**
 * Loads a model by name. `family` matches in any spelling ("LightGBM", "lgb", "family=lightgbm"); `view` NULL is
 * `CROSS_SECTIONAL`; `symbol` is NULL unless the view is `SYMBOL_SPECIFIC`. The same names give the same instance on every call and
 * from every thread; 64 threads that ask at once load it once. A load that fails is not remembered.
 *
 * `MI_NOT_FOUND` (the sentence lists what exists), `MI_CHECKSUM_MISMATCH`, `MI_UNSIGNED`, `MI_INTERVAL_MISMATCH`, or what
 * `mi_model_open` says.
 *
 * Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_model` has room for one pointer.
 */
mi_status mi_loader_load(const struct mi_loader *loader,
                         const char *target,
                         const char *family,
                         const char *view,
                         const char *symbol,
                         struct mi_model **out_model);

/**
 * Loads every model of a target: of all views (`view` NULL) or of one. `out_loaded` receives how many are loaded now. A model
 * that does not load is no failure of this call: `out_failures`, which may be NULL, receives one sentence for each.
 *
 * Requires: `loader` is NULL or live, the strings are NUL-terminated, the outputs have room for one value each.
 */
mi_status mi_loader_preload(const struct mi_loader *loader,
                            const char *target,
                            const char *view,
                            size_t *out_loaded,
                            struct mi_strings **out_failures);

/**
 * The metadata of a model, whole and without loading the model, as a list of one JSON text.
 *
 * Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_json` has room for one pointer.
 */
mi_status mi_loader_metadata(const struct mi_loader *loader,
                             const char *target,
                             const char *family,
                             const char *view,
                             const char *symbol,
                             struct mi_strings **out_json);

/**
 * The routing decision of a target as a list of one JSON text, or an empty list when the run holds none: that of a view, or, with
 * `view` NULL, that of the target.
 *
 * Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_json` has room for one pointer.
 */
mi_status mi_loader_routing(const struct mi_loader *loader,
                            const char *target,
                            const char *view,
                            struct mi_strings **out_json);

/**
 * Fills in the defaults. NULL is ignored.
 *
 * Requires: `options` is NULL or has room for one `mi_engine_options`.
 */
void mi_engine_options_init(struct mi_engine_options *options);

/**
 * An engine over a run. It keeps what it needs of the loader, which may be freed.
 *
 * Requires: `loader` is NULL or live, `options` NULL or initialised, `out_engine` has room for one pointer.
 */
mi_status mi_engine_new(const struct mi_loader *loader, const struct mi_engine_options *options, struct mi_engine **out_engine);

/**
 * Ends an engine. NULL is fine.
 *
 * Requires: `engine` is NULL or live, and no other thread uses it.
 */
void mi_engine_free(struct mi_engine *engine);

/**
 * Predicts one row of `count` doubles by the names of a model (as `mi_loader_load` takes them) into `out`, which holds `out_len`
 * numbers, the answer columns of the output. Loads the model on the first call; a warm call allocates nothing.
 *
 * A model that takes sequences adds the row to the window of `symbol`, as one of now, and answers for the window.
 *
 * Errors as `mi_loader_load` and `mi_model_predict_f64`; `out` is then untouched. For sequences also `MI_SEQUENCE_REQUIRED` without a
 * symbol, those of `mi_buffer_push`, and `MI_NOT_READY` while the window fills: the row is then in it, and `out` is NaN.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `features` leads to `count` doubles, `out` to `out_len`
 * doubles that do not overlap them.
 */
mi_status mi_engine_predict_f64(const struct mi_engine *engine,
                                const char *target,
                                const char *family,
                                const char *view,
                                const char *symbol,
                                int32_t output,
                                const double *features,
                                size_t count,
                                double *out,
                                size_t out_len);

/**
 * `mi_engine_predict_f64` for a row of floats.
 *
 * Requires: as `mi_engine_predict_f64`, with floats in `features`.
 */
mi_status mi_engine_predict_f32(const struct mi_engine *engine,
                                const char *target,
                                const char *family,
                                const char *view,
                                const char *symbol,
                                int32_t output,
                                const float *features,
                                size_t count,
                                double *out,
                                size_t out_len);

/**
 * Predicts one row whose `count` values come by name, in any order, by the names of a model. Every column of the model is
 * needed; other names are passed over.
 *
 * `MI_SHAPE_MISMATCH` when the names in the metadata disagree with the model (supply them by `mi_engine_set_feature_names`),
 * `MI_INVALID_ARGUMENT` for a name that is missing or given twice; else as `mi_engine_predict_f64`.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `feature_names` and `values` lead to `count` elements each, `out` to
 * `out_len` doubles that do not overlap them.
 */
mi_status mi_engine_predict_named_f64(const struct mi_engine *engine,
                                      const char *target,
                                      const char *family,
                                      const char *view,
                                      const char *symbol,
                                      int32_t output,
                                      const char *const *feature_names,
                                      const double *values,
                                      size_t count,
                                      double *out,
                                      size_t out_len);

/**
 * Supplies the names of a model's columns, in their order, for `mi_engine_predict_named_f64` of this engine.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `feature_names` leads to `count` strings.
 */
mi_status mi_engine_set_feature_names(const struct mi_engine *engine,
                                      const char *target,
                                      const char *family,
                                      const char *view,
                                      const char *symbol,
                                      const char *const *feature_names,
                                      size_t count);

/**
 * The families of a target, in the order in which `mi_engine_predict_all_f64` answers.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `out_families` has room for one pointer.
 */
mi_status mi_engine_families(const struct mi_engine *engine,
                             const char *target,
                             const char *view,
                             const char *symbol,
                             struct mi_strings **out_families);

/**
 * Asks every family of a target for one number: `out[i]` is the answer of family i of `mi_engine_families`, NaN where there is
 * none, and `out_statuses[i]`, when not NULL, says why. `out_len` is the number of families. `out_answered`, which may be NULL, receives
 * how many answered. A family that fails is no failure of this call.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `features` leads to `count` doubles, `out` and a non-NULL
 * `out_statuses` to `out_len` elements that do not overlap them or each other.
 */
mi_status mi_engine_predict_all_f64(const struct mi_engine *engine,
                                    const char *target,
                                    const char *view,
                                    const char *symbol,
                                    int32_t output,
                                    const double *features,
                                    size_t count,
                                    double *out,
                                    mi_status *out_statuses,
                                    size_t out_len,
                                    size_t *out_answered);

/**
 * Asks the families of the engine's priority list in turn; the first that answers with numbers, not NaN, fills `out`, and
 * `out_family`, which may be NULL, receives its name as the list spells it, borrowed from the engine.
 *
 * When none answers: the status of the first family that exists and failed, with a sentence that names each family and its
 * failure; `MI_NOT_FOUND` when none exists.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `features` leads to `count` doubles, `out` to `out_len`
 * doubles that do not overlap them.
 */
mi_status mi_engine_predict_fallback_f64(const struct mi_engine *engine,
                                         const char *target,
                                         const char *view,
                                         const char *symbol,
                                         int32_t output,
                                         const double *features,
                                         size_t count,
                                         double *out,
                                         size_t out_len,
                                         const char **out_family);

/**
 * Fills in the defaults. NULL is ignored.
 *
 * Requires: `options` is NULL or has room for one `mi_buffer_options`.
 */
void mi_buffer_options_init(struct mi_buffer_options *options);

/**
 * A buffer of windows of `sequence_length` rows and `feature_count` columns, without rows.
 *
 * Requires: `options` is NULL or initialised, `out_buffer` has room for one pointer.
 */
mi_status mi_buffer_new(size_t sequence_length,
                        size_t feature_count,
                        const struct mi_buffer_options *options,
                        struct mi_buffer **out_buffer);

/**
 * Ends a buffer, or the caller's hold on one of `mi_engine_buffer`. NULL is fine.
 *
 * Requires: `buffer` is NULL or live, and no other thread uses it.
 */
void mi_buffer_free(struct mi_buffer *buffer);

/**
 * Rows of a window; 0 for NULL.
 *
 * Requires: `buffer` is NULL or live.
 */
size_t mi_buffer_sequence_length(const struct mi_buffer *buffer);

/**
 * Columns of a row; 0 for NULL.
 *
 * Requires: `buffer` is NULL or live.
 */
size_t mi_buffer_feature_count(const struct mi_buffer *buffer);

/**
 * Appends a row to the window of a symbol; the oldest row of a full window falls out. `symbol` is any name of 1 to 256 bytes.
 *
 * `MI_SHAPE_MISMATCH` when `count` is not the buffer's `feature_count`; `MI_INVALID_ARGUMENT` for a NaN or an infinity (the sentence names
 * the column) and for a time stamp before that of the newest row (the same one is fine: two rows then have it);
 * `MI_LIMIT_EXCEEDED` for one symbol more than `max_symbols`. The window is then as it was.
 *
 * Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, `row` leads to `count` floats.
 */
mi_status mi_buffer_push(const struct mi_buffer *buffer,
                         const char *symbol,
                         const float *row,
                         size_t count,
                         int64_t timestamp_ns);

/**
 * Appends history to the window of a symbol: `row_count` rows of `columns` floats, oldest first, with a time stamp for each;
 * `timestamps_ns` NULL: all of them are of now. No other push to the symbol comes in between. Rows that `mi_buffer_push` would refuse for
 * their numbers or their time stamps are passed over; `out_accepted`, which may be NULL, receives how many were appended.
 *
 * `MI_SHAPE_MISMATCH` when `columns` is not the buffer's `feature_count`; `MI_LIMIT_EXCEEDED` as `mi_buffer_push`.
 *
 * Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, `rows` leads to `row_count` * `columns` floats, a non-NULL
 * `timestamps_ns` to `row_count` numbers, a non-NULL `out_accepted` has room for one.
 */
mi_status mi_buffer_push_rows(const struct mi_buffer *buffer,
                              const char *symbol,
                              const float *rows,
                              size_t row_count,
                              size_t columns,
                              const int64_t *timestamps_ns,
                              size_t *out_accepted);

/**
 * Whether a window can be read at the time `now_ns`: `out_ready` receives 1 when it has its warm-up rows and the newest is not older than
 * `ttl_seconds`, else 0.
 *
 * Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, `out_ready` has room for one number.
 */
mi_status mi_buffer_ready(const struct mi_buffer *buffer,
                          const char *symbol,
                          int64_t now_ns,
                          int32_t *out_ready);

/**
 * What a window holds at the time `now_ns`: its rows, the time stamp of the newest one (0 without rows), whether it can be
 * read, and whether it has its warm-up rows but the newest is too old. Each output may be NULL.
 *
 * Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, the outputs are NULL or have room for one number.
 */
mi_status mi_buffer_status(const struct mi_buffer *buffer,
                           const char *symbol,
                           int64_t now_ns,
                           size_t *out_rows,
                           int64_t *out_newest_ns,
                           int32_t *out_ready,
                           int32_t *out_stale);

/**
 * Writes the window of a symbol to `out`, which has room for `sequence_length` * `feature_count` floats: rows one after the other, oldest
 * first, raw channels normalised. Rows that are not there yet are zeros, at the old end.
 *
 * `MI_NOT_READY` while the window has less than its warm-up rows; `MI_STALE` when the newest row is older than `ttl_seconds` at the time
 * `now_ns`; `MI_SHAPE_MISMATCH` when `out_len` is another size; `MI_INVALID_ARGUMENT` when a channel has no finite normalised value, such as
 * the logarithm of a negative price. `out` is then untouched.
 *
 * Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string, `out` leads to `out_len` floats.
 */
mi_status mi_buffer_sequence(const struct mi_buffer *buffer,
                             const char *symbol,
                             int64_t now_ns,
                             float *out,
                             size_t out_len);

/**
 * Empties the window of a symbol. Its memory stays for the next rows, whose time stamps may begin anew.
 *
 * Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string.
 */
mi_status mi_buffer_reset(const struct mi_buffer *buffer, const char *symbol);

/**
 * Empties every window, one after the other.
 *
 * Requires: `buffer` is NULL or live.
 */
mi_status mi_buffer_reset_all(const struct mi_buffer *buffer);

/**
 * Forgets a symbol: its memory and its place among `max_symbols` become free. A push at the same moment comes before or after it.
 *
 * Requires: `buffer` is NULL or live, `symbol` a NUL-terminated string.
 */
mi_status mi_buffer_remove(const struct mi_buffer *buffer,
                           const char *symbol);

/**
 * How many symbols have a window: those that were pushed or restored, and not removed; 0 for NULL.
 *
 * Requires: `buffer` is NULL or live.
 */
size_t mi_buffer_symbol_count(const struct mi_buffer *buffer);

/**
 * The symbols that have a window, in bytewise order.
 *
 * Requires: `buffer` is NULL or live, `out_symbols` has room for one pointer.
 */
mi_status mi_buffer_symbols(const struct mi_buffer *buffer, struct mi_strings **out_symbols);

/**
 * The symbols whose windows can be read at the time `now_ns`, in bytewise order.
 *
 * Requires: `buffer` is NULL or live, `out_symbols` has room for one pointer.
 */
mi_status mi_buffer_ready_symbols(const struct mi_buffer *buffer, int64_t now_ns, struct mi_strings **out_symbols);

/**
 * Writes every window to a file: at every moment, also after a crash or a loss of power, `path` leads to the whole old file or the
 * whole new one. Pushes go on meanwhile; each window is saved as it is at one moment. A process that is killed in the middle may leave a
 * file `.mi-*.tmp` beside it, which nobody needs. `MI_NOT_FOUND` or `MI_IO` when the file cannot be written.
 *
 * Requires: `buffer` is NULL or live, `path` a NUL-terminated string.
 */
mi_status mi_buffer_save(const struct mi_buffer *buffer,
                         const char *path);

/**
 * Replaces all windows by those of a file that `mi_buffer_save` wrote, with the same bits; symbols that are not in the file are gone. Other
 * threads see all of the old windows or all of the new ones.
 *
 * The buffer must have the same `sequence_length`, `feature_count` and names of channels (else `MI_SHAPE_MISMATCH`); its other options
 * are its own. `MI_NOT_FOUND` or `MI_IO` when the file cannot be read, `MI_MALFORMED` when it is cut short or something else,
 * `MI_CHECKSUM_MISMATCH` when its bytes were changed, `MI_UNSUPPORTED` when a later version wrote it, `MI_LIMIT_EXCEEDED` when it
 * has more than `max_symbols`. The windows are then as they were.
 *
 * Requires: `buffer` is NULL or live, `path` a NUL-terminated string.
 */
mi_status mi_buffer_restore(const struct mi_buffer *buffer,
                            const char *path);

/**
 * Predicts `rows` whole sequences of `steps` steps of `columns` columns, oldest step first, by the names of a model into `out`, of shape
 * (rows, answer columns of the output). They are taken as they are: no window is read or changed, no channel is normalised.
 *
 * Errors as `mi_loader_load` and `mi_model_predict_sequence_f32`; `out` is then untouched.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `x` leads to `rows` * `steps` * `columns` floats, `out` to `out_len`
 * doubles that do not overlap them.
 */
mi_status mi_engine_predict_sequence_f32(const struct mi_engine *engine,
                                         const char *target,
                                         const char *family,
                                         const char *view,
                                         const char *symbol,
                                         int32_t output,
                                         const float *x,
                                         size_t rows,
                                         size_t steps,
                                         size_t columns,
                                         double *out,
                                         size_t out_len);

/**
 * Predicts the window of `symbol` as it is at the time `now_ns`, by the names of a model into `out`, which holds `out_len` numbers, the answer
 * columns of the output. No row is added.
 *
 * `MI_NOT_READY` while the window has less than its warm-up rows, and `MI_STALE` when its newest row is too old: `out` is then NaN.
 * `MI_UNSUPPORTED` for a model that takes rows; else as `mi_engine_predict_f64`.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `out` leads to `out_len` doubles.
 */
mi_status mi_engine_predict_window(const struct mi_engine *engine,
                                   const char *target,
                                   const char *family,
                                   const char *view,
                                   const char *symbol,
                                   int32_t output,
                                   int64_t now_ns,
                                   double *out,
                                   size_t out_len);

/**
 * Predicts for `symbol_count` symbols at once, by the other names of a model, into `out`, of shape (symbols, answer columns of the
 * output): all windows go through a network in one run.
 *
 * With `features`, a row of `columns` numbers for each symbol, a model that takes sequences adds the rows to the windows, in the
 * order of the symbols and with the time stamp `time_ns`, and answers for the windows; with NULL it answers for the windows as they are
 * at that time. 0 is now. A model that takes rows answers for the rows. In a view with a model for each symbol, each is asked
 * about its own.
 *
 * `out_statuses[i]`, when not NULL, says how it went for symbol i; where that is not `MI_OK`, its numbers in `out` are NaN. `out_answered`,
 * which may be NULL, receives how many symbols have answers without NaN. A symbol that fails is no failure of this call. Sizes that do not
 * fit are: `MI_SHAPE_MISMATCH`, and no row is added.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `symbols` leads to `symbol_count` of them, a non-NULL
 * `features` to `symbol_count` * `columns` doubles, `out` to `out_len` doubles and a non-NULL `out_statuses` to `symbol_count` numbers, which do
 * not overlap them or each other.
 */
mi_status mi_engine_predict_symbols_f64(const struct mi_engine *engine,
                                        const char *target,
                                        const char *family,
                                        const char *view,
                                        const char *const *symbols,
                                        size_t symbol_count,
                                        int32_t output,
                                        const double *features,
                                        size_t columns,
                                        int64_t time_ns,
                                        double *out,
                                        mi_status *out_statuses,
                                        size_t out_len,
                                        size_t *out_answered);

/**
 * `mi_engine_predict_symbols_f64` for rows of floats.
 *
 * Requires: as `mi_engine_predict_symbols_f64`, with floats in `features`.
 */
mi_status mi_engine_predict_symbols_f32(const struct mi_engine *engine,
                                        const char *target,
                                        const char *family,
                                        const char *view,
                                        const char *const *symbols,
                                        size_t symbol_count,
                                        int32_t output,
                                        const float *features,
                                        size_t columns,
                                        int64_t time_ns,
                                        double *out,
                                        mi_status *out_statuses,
                                        size_t out_len,
                                        size_t *out_answered);

/**
 * Appends history to the window of `symbol`, by the names of a model: `row_count` rows of `columns` floats, oldest first, with a time
 * stamp for each; `timestamps_ns` NULL: all of them are of now. Rows with a NaN, an infinity or an earlier time stamp are passed
 * over; `out_accepted`, which may be NULL, receives how many were appended.
 *
 * Errors as `mi_loader_load` and `mi_buffer_push_rows`; `MI_SEQUENCE_REQUIRED` without a symbol, `MI_UNSUPPORTED` for a model that takes rows.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `rows` leads to `row_count` * `columns` floats, a non-NULL
 * `timestamps_ns` to `row_count` numbers, a non-NULL `out_accepted` has room for one.
 */
mi_status mi_engine_warm_up(const struct mi_engine *engine,
                            const char *target,
                            const char *family,
                            const char *view,
                            const char *symbol,
                            const float *rows,
                            size_t row_count,
                            size_t columns,
                            const int64_t *timestamps_ns,
                            size_t *out_accepted);

/**
 * Empties windows: those of every loaded model that `target`, `family` and `view` name, where NULL names all of them, for `symbol`, or with
 * NULL for all symbols. Their memory stays. `MI_NOT_FOUND` when the run has no such model.
 *
 * Requires: `engine` is NULL or live, the strings are NULL or NUL-terminated.
 */
mi_status mi_engine_reset(const struct mi_engine *engine,
                          const char *target,
                          const char *family,
                          const char *view,
                          const char *symbol);

/**
 * The windows of a model that takes sequences, by its names: to push rows with time stamps of their own, to look at, save and restore
 * them. It is the engine's own buffer, not a copy; free it by `mi_buffer_free`, also after the engine.
 *
 * `MI_UNSUPPORTED` for a model that takes rows; else as `mi_loader_load`.
 *
 * Requires: `engine` is NULL or live, the strings are NUL-terminated, `out_buffer` has room for one pointer.
 */
mi_status mi_engine_buffer(const struct mi_engine *engine,
                           const char *target,
                           const char *family,
                           const char *view,
                           const char *symbol,
                           struct mi_buffer **out_buffer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MI_H */
