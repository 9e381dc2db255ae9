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
 *   | mi_strings         | mi_strings_count, mi_strings_at           | mi_strings_free                                         |
 *   The library starts no threads, prints nothing, installs no signal handlers and touches no locale. A warm predict allocates
 *   nothing, locks nothing and makes no system call.
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
 * Asks the models of a run by name, one row at a time: one family, all families of a target, or the first that answers. Safe
 * from any number of threads.
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
} mi_engine_options;

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
 * `mi_model_predict_f64` for a model with columns of categories, whose categories are given as text.
 *
 * `categories` holds `rows` x `categorical_columns` strings, row after row; the columns are those that `mi_model_json` lists under
 * "categorical_columns", in that order. What `x` holds in these columns is not looked at, unless the string is NULL: then the number
 * in `x` must be a whole one and stands for the text of its decimal digits, which is how `mi_model_predict_f64` reads all of them. A
 * category that the model has never seen is fine. `MI_SHAPE_MISMATCH` when `categorical_columns` is not what the model has.
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
 * Predicts `rows` sequences of `steps` x `columns` floats, oldest step first. No model of this version takes sequences, so the
 * answer is `MI_UNSUPPORTED`; predict rows with `mi_model_predict_f32` instead.
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
 * Errors as `mi_loader_load` and `mi_model_predict_f64`; `out` is then untouched.
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
 * Errors as `mi_loader_load` and `mi_model_predict_f64`; `out` is then untouched.
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
 * `mi_model_predict_f64` for a model with columns of categories, whose categories are given as text.
 *
 * `categories` holds `rows` x `categorical_columns` strings, row after row; the columns are those that `mi_model_json` lists under
 * "categorical_columns", in that order. What `x` holds in these columns is not looked at, unless the string is NULL: then the number
 * in `x` must be a whole one and stands for the text of its decimal digits, which is how `mi_model_predict_f64` reads all of them. A
 * category that the model has never seen is fine. `MI_SHAPE_MISMATCH` when `categorical_columns` is not what the model has.
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
 * Predicts `rows` sequences of `steps` x `columns` floats, oldest step first. No model of this version takes sequences, so the
 * answer is `MI_UNSUPPORTED`; predict rows with `mi_model_predict_f32` instead.
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

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MI_H */
