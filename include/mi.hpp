// libmi for C++17: move-only handles and exceptions over mi.h, header only.
//
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Making and naming things throws mi::error, which carries the status and the sentence of the library. Predicting is noexcept,
// writes into memory of the caller and returns the status: the hot path neither throws nor allocates.
//
//   mi::loader run("runs/market");
//   mi::model model = run.load("fwd_ret_5m", "lightgbm");
//   std::array<double, 1> out;
//   if (model.predict(MI_VALUE, row, out) != MI_OK) std::puts(mi::last_error());
#ifndef MI_HPP
#define MI_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mi.h"

namespace mi {

/// A failure: `status()` tells the kind, `what()` is the sentence.
class error : public std::exception {
 public:
  error(mi_status status, const char *sentence) : status_(status), sentence_(std::make_shared<std::string>(sentence)) {}
  const char *what() const noexcept override { return sentence_->c_str(); }
  mi_status status() const noexcept { return status_; }
  const char *name() const noexcept { return mi_status_name(status_); }

 private:
  mi_status status_;
  std::shared_ptr<const std::string> sentence_;  // copying an exception must not throw
};

/// The sentence of the last failure on this thread.
inline const char *last_error() noexcept { return mi_last_error(); }

/// Throws what a status says, unless it is MI_OK.
inline void check(mi_status status) {
  if (status != MI_OK) throw error(status, mi_last_error());
}

/// Contiguous elements of somebody else: an array, a std::vector, a std::array, a std::span, or a pointer and a count.
template <typename T>
class span {
 public:
  constexpr span() noexcept = default;
  constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <std::size_t N>
  constexpr span(T (&array)[N]) noexcept : data_(array), size_(N) {}
  template <typename C, typename = std::enable_if_t<std::is_convertible_v<decltype(std::declval<C &>().data()), T *>>>
  constexpr span(C &&container) noexcept : data_(container.data()), size_(container.size()) {}
  constexpr T *data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }

 private:
  T *data_ = nullptr;
  std::size_t size_ = 0;
};

namespace detail {

template <auto Free>
struct deleter {
  template <typename T>
  void operator()(T *handle) const noexcept {
    Free(handle);
  }
};

template <typename T, auto Free>
using handle = std::unique_ptr<T, deleter<Free>>;

inline const char *optional(const std::string &text) noexcept { return text.empty() ? nullptr : text.c_str(); }

inline std::vector<std::string> take(mi_strings *strings) {
  handle<mi_strings, mi_strings_free> owned(strings);
  std::vector<std::string> items;
  items.reserve(mi_strings_count(strings));
  for (std::size_t i = 0; i < mi_strings_count(strings); ++i) items.emplace_back(mi_strings_at(strings, i));
  return items;
}

}  // namespace detail

/// A model, ready to predict from any number of threads. Move-only; `share()` gives another handle to the same model.
class model {
 public:
  model() noexcept = default;

  /// Takes over one reference.
  explicit model(mi_model *owned) noexcept : handle_(owned) {}

  /// Reads a model file of any supported format.
  explicit model(const std::string &path, const mi_model_options *options = nullptr) {
    mi_model *opened = nullptr;
    check(mi_model_open(path.c_str(), options, &opened));
    handle_.reset(opened);
  }

  /// Reads a model from memory.
  static model from_memory(span<const unsigned char> bytes, const mi_model_options *options = nullptr) {
    mi_model *opened = nullptr;
    check(mi_model_open_memory(bytes.data(), bytes.size(), options, &opened));
    return model(opened);
  }

  /// Another handle to the same model.
  model share() const noexcept { return model(mi_model_retain(get())); }

  const mi_model *get() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  /// Everything known about the model, as one JSON object.
  std::string json() const {
    const char *text = mi_model_json(get());
    return text ? text : "";
  }
  std::size_t feature_count() const noexcept { return mi_model_feature_count(get()); }
  std::size_t sequence_length() const noexcept { return mi_model_sequence_length(get()); }

  /// Names of the columns; empty when the model has none.
  std::vector<std::string> feature_names() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; const char *name = mi_model_feature_name(get(), i); ++i) names.emplace_back(name);
    return names;
  }

  /// Columns that may hold text, in the order of the texts of a row.
  std::vector<std::size_t> categorical_columns() const {
    std::vector<std::size_t> columns(mi_model_categorical_count(get()));
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i] = mi_model_categorical_column(get(), i);
    return columns;
  }

  /// Columns of an answer.
  std::size_t outputs(std::int32_t output) const {
    std::size_t columns = 0;
    check(mi_model_outputs(get(), output, &columns));
    return columns;
  }

  /// Importance of every column by MI_SPLIT, MI_GAIN or MI_COEFFICIENT.
  std::vector<double> importance(std::int32_t kind) const {
    std::vector<double> values(feature_count());
    check(mi_model_importance(get(), kind, values.data(), values.size()));
    return values;
  }

  /// Reads what a call reads, so that the next one finds it in the caches.
  mi_status prefetch() const noexcept { return mi_model_prefetch(get()); }

  /// Predicts one row of `x.size()` numbers into `out`.
  mi_status predict(std::int32_t output, span<const double> x, span<double> out) const noexcept {
    return mi_model_predict_f64(get(), output, x.data(), 1, x.size(), out.data(), out.size());
  }
  mi_status predict(std::int32_t output, span<const float> x, span<double> out) const noexcept {
    return mi_model_predict_f32(get(), output, x.data(), 1, x.size(), out.data(), out.size());
  }

  /// Predicts `rows` rows, stored one after the other in `x`, into `out`.
  mi_status predict(std::int32_t output, span<const double> x, std::size_t rows, span<double> out) const noexcept {
    return mi_model_predict_f64(get(), output, x.data(), rows, rows ? x.size() / rows : 0, out.data(), out.size());
  }
  mi_status predict(std::int32_t output, span<const float> x, std::size_t rows, span<double> out) const noexcept {
    return mi_model_predict_f32(get(), output, x.data(), rows, rows ? x.size() / rows : 0, out.data(), out.size());
  }

  /// Predicts one row with text: `texts` holds one string, or nullptr where it is missing, for each of `categorical_columns()`.
  mi_status predict(std::int32_t output, span<const double> x, span<const char *const> texts, span<double> out) const noexcept {
    return predict(output, x, texts, 1, out);
  }
  /// Predicts `rows` rows with text, rows and texts stored one after the other, into `out`.
  mi_status predict(std::int32_t output, span<const double> x, span<const char *const> texts, std::size_t rows,
                    span<double> out) const noexcept {
    return mi_model_predict_categorical_f64(get(), output, x.data(), rows, rows ? x.size() / rows : 0, texts.data(),
                                            rows ? texts.size() / rows : 0, out.data(), out.size());
  }

 private:
  detail::handle<mi_model, mi_model_free> handle_;
};

/// A training run on disk. An empty view or symbol means none given.
class loader {
 public:
  explicit loader(const std::string &run_root, const mi_loader_options *options = nullptr) {
    mi_loader *opened = nullptr;
    check(mi_loader_open(run_root.c_str(), options, &opened));
    handle_.reset(opened);
  }

  const mi_loader *get() const noexcept { return handle_.get(); }

  std::vector<std::string> targets() const {
    mi_strings *found = nullptr;
    check(mi_loader_targets(get(), &found));
    return detail::take(found);
  }
  std::vector<std::string> views(const std::string &target) const {
    mi_strings *found = nullptr;
    check(mi_loader_views(get(), target.c_str(), &found));
    return detail::take(found);
  }
  std::vector<std::string> families(const std::string &target, const std::string &view = {}) const {
    mi_strings *found = nullptr;
    check(mi_loader_families(get(), target.c_str(), detail::optional(view), &found));
    return detail::take(found);
  }
  std::vector<std::string> symbols(const std::string &target, const std::string &view = {}) const {
    mi_strings *found = nullptr;
    check(mi_loader_symbols(get(), target.c_str(), detail::optional(view), &found));
    return detail::take(found);
  }

  /// The model of this name; the same instance on every call.
  model load(const std::string &target, const std::string &family, const std::string &view = {},
             const std::string &symbol = {}) const {
    mi_model *loaded = nullptr;
    check(mi_loader_load(get(), target.c_str(), family.c_str(), detail::optional(view), detail::optional(symbol), &loaded));
    return model(loaded);
  }

 private:
  detail::handle<mi_loader, mi_loader_free> handle_;
};

/// Rolling windows of feature rows, one for each symbol. Times are nanoseconds since 1970; 0 means now.
class buffer {
 public:
  buffer(std::size_t sequence_length, std::size_t feature_count, const mi_buffer_options *options = nullptr) {
    mi_buffer *made = nullptr;
    check(mi_buffer_new(sequence_length, feature_count, options, &made));
    handle_.reset(made);
  }

  /// Takes a handle over.
  explicit buffer(mi_buffer *handle) noexcept { handle_.reset(handle); }

  const mi_buffer *get() const noexcept { return handle_.get(); }
  std::size_t sequence_length() const noexcept { return mi_buffer_sequence_length(get()); }
  std::size_t feature_count() const noexcept { return mi_buffer_feature_count(get()); }

  /// Appends a row to the window of a symbol.
  mi_status push(const char *symbol, span<const float> row, std::int64_t timestamp_ns = 0) const noexcept {
    return mi_buffer_push(get(), symbol, row.data(), row.size(), timestamp_ns);
  }

  /// Appends rows of history, stored one after the other, oldest first, each with a time stamp (or none: now); returns how many were
  /// accepted.
  std::size_t push_rows(const char *symbol, span<const float> rows, span<const std::int64_t> timestamps_ns = {}) const {
    const std::size_t count = rows.size() / feature_count();
    if (count * feature_count() != rows.size() || (timestamps_ns.data() && timestamps_ns.size() != count))
      throw error(MI_SHAPE_MISMATCH, "rows are not whole rows of the buffer, or have not one time stamp each");
    std::size_t accepted = 0;
    check(mi_buffer_push_rows(get(), symbol, rows.data(), count, feature_count(), timestamps_ns.data(), &accepted));
    return accepted;
  }

  /// Writes the window of a symbol, oldest row first, to `out`.
  mi_status sequence(const char *symbol, span<float> out, std::int64_t now_ns = 0) const noexcept {
    return mi_buffer_sequence(get(), symbol, now_ns, out.data(), out.size());
  }

  /// Whether the window of a symbol can be read.
  bool ready(const char *symbol, std::int64_t now_ns = 0) const {
    std::int32_t answer = 0;
    check(mi_buffer_ready(get(), symbol, now_ns, &answer));
    return answer != 0;
  }

  /// What a window holds.
  struct standing {
    std::size_t rows = 0;
    std::int64_t newest_ns = 0;  // 0 without rows
    bool ready = false;
    bool stale = false;  // enough rows, but the newest is too old
  };
  standing status(const char *symbol, std::int64_t now_ns = 0) const {
    standing found;
    std::int32_t ready = 0, stale = 0;
    check(mi_buffer_status(get(), symbol, now_ns, &found.rows, &found.newest_ns, &ready, &stale));
    found.ready = ready != 0;
    found.stale = stale != 0;
    return found;
  }

  /// Empties the window of a symbol, or all windows.
  void reset(const char *symbol) const { check(mi_buffer_reset(get(), symbol)); }
  void reset_all() const { check(mi_buffer_reset_all(get())); }

  /// Forgets a symbol.
  void remove(const char *symbol) const { check(mi_buffer_remove(get(), symbol)); }

  std::size_t symbol_count() const noexcept { return mi_buffer_symbol_count(get()); }
  std::vector<std::string> symbols() const {
    mi_strings *found = nullptr;
    check(mi_buffer_symbols(get(), &found));
    return detail::take(found);
  }
  std::vector<std::string> ready_symbols(std::int64_t now_ns = 0) const {
    mi_strings *found = nullptr;
    check(mi_buffer_ready_symbols(get(), now_ns, &found));
    return detail::take(found);
  }

  /// Writes all windows to a file, whole or not at all, and reads them back with the same bits.
  void save(const std::string &path) const { check(mi_buffer_save(get(), path.c_str())); }
  void restore(const std::string &path) const { check(mi_buffer_restore(get(), path.c_str())); }

 private:
  detail::handle<mi_buffer, mi_buffer_free> handle_;
};

/// Predictions by name. NULL for a view or symbol means none given.
class engine {
 public:
  explicit engine(const loader &run, const mi_engine_options *options = nullptr) {
    mi_engine *made = nullptr;
    check(mi_engine_new(run.get(), options, &made));
    handle_.reset(made);
  }

  const mi_engine *get() const noexcept { return handle_.get(); }

  /// The families of a target, in the order in which predict_all answers.
  std::vector<std::string> families(const char *target, const char *view = nullptr, const char *symbol = nullptr) const {
    mi_strings *found = nullptr;
    check(mi_engine_families(get(), target, view, symbol, &found));
    return detail::take(found);
  }

  /// Predicts one row by name into `out`.
  mi_status predict(const char *target, const char *family, const char *view, const char *symbol, std::int32_t output,
                    span<const double> features, span<double> out) const noexcept {
    return mi_engine_predict_f64(get(), target, family, view, symbol, output, features.data(), features.size(), out.data(),
                                 out.size());
  }
  mi_status predict(const char *target, const char *family, const char *view, const char *symbol, std::int32_t output,
                    span<const float> features, span<double> out) const noexcept {
    return mi_engine_predict_f32(get(), target, family, view, symbol, output, features.data(), features.size(), out.data(),
                                 out.size());
  }

  /// Asks every family of a target for one number: NaN where there is none, the reason in `statuses` (which may be empty).
  mi_status predict_all(const char *target, const char *view, const char *symbol, std::int32_t output,
                        span<const double> features, span<double> out, span<mi_status> statuses = {},
                        std::size_t *answered = nullptr) const noexcept {
    mi_status *reasons = statuses.size() >= out.size() ? statuses.data() : nullptr;
    return mi_engine_predict_all_f64(get(), target, view, symbol, output, features.data(), features.size(), out.data(),
                                     reasons, out.size(), answered);
  }

  /// Asks the families of the priority list in turn; `family` receives the name of the one that answered.
  mi_status predict_fallback(const char *target, const char *view, const char *symbol, std::int32_t output,
                             span<const double> features, span<double> out, const char **family = nullptr) const noexcept {
    return mi_engine_predict_fallback_f64(get(), target, view, symbol, output, features.data(), features.size(), out.data(),
                                          out.size(), family);
  }

  /// Predicts whole sequences of `steps` steps, oldest step first: `x` has the shape (rows, steps, columns).
  mi_status predict_sequence(const char *target, const char *family, const char *view, const char *symbol, std::int32_t output,
                             span<const float> x, std::size_t rows, std::size_t steps, span<double> out) const noexcept {
    const std::size_t whole = rows * steps;
    return mi_engine_predict_sequence_f32(get(), target, family, view, symbol, output, x.data(), rows, steps,
                                          whole == 0 ? 0 : x.size() / whole, out.data(), out.size());
  }

  /// Predicts the window of a symbol as it is at a time; 0: now.
  mi_status predict_window(const char *target, const char *family, const char *view, const char *symbol, std::int32_t output,
                           span<double> out, std::int64_t now_ns = 0) const noexcept {
    return mi_engine_predict_window(get(), target, family, view, symbol, output, now_ns, out.data(), out.size());
  }

  /// Predicts for several symbols at once, for a row of each or, without features, for their windows as they are; NaN where there is no
  /// answer, the reason in `statuses` (which may be empty).
  mi_status predict_symbols(const char *target, const char *family, const char *view, span<const char *const> symbols,
                            std::int32_t output, span<const float> features, span<double> out, span<mi_status> statuses = {},
                            std::size_t *answered = nullptr, std::int64_t time_ns = 0) const noexcept {
    mi_status *reasons = statuses.size() >= symbols.size() ? statuses.data() : nullptr;
    const std::size_t columns = symbols.size() == 0 ? 0 : features.size() / symbols.size();
    return mi_engine_predict_symbols_f32(get(), target, family, view, symbols.data(), symbols.size(), output,
                                         features.size() == 0 ? nullptr : features.data(), columns, time_ns, out.data(), reasons, out.size(), answered);
  }
  mi_status predict_symbols(const char *target, const char *family, const char *view, span<const char *const> symbols,
                            std::int32_t output, span<const double> features, span<double> out, span<mi_status> statuses = {},
                            std::size_t *answered = nullptr, std::int64_t time_ns = 0) const noexcept {
    mi_status *reasons = statuses.size() >= symbols.size() ? statuses.data() : nullptr;
    const std::size_t columns = symbols.size() == 0 ? 0 : features.size() / symbols.size();
    return mi_engine_predict_symbols_f64(get(), target, family, view, symbols.data(), symbols.size(), output,
                                         features.size() == 0 ? nullptr : features.data(), columns, time_ns, out.data(), reasons, out.size(), answered);
  }

  /// Appends history to the window of a symbol, oldest row first, with a time stamp for each (none: all of them are of now); returns how many
  /// rows were accepted.
  std::size_t warm_up(const char *target, const char *family, const char *view, const char *symbol, span<const float> rows,
                      std::size_t row_count, span<const std::int64_t> timestamps_ns = {}) const {
    const std::size_t columns = row_count == 0 ? 0 : rows.size() / row_count;
    if (columns * row_count != rows.size() || (timestamps_ns.size() != 0 && timestamps_ns.size() != row_count))
      throw error(MI_SHAPE_MISMATCH, "rows are not row_count whole rows, or have not one time stamp each");
    std::size_t accepted = 0;
    check(mi_engine_warm_up(get(), target, family, view, symbol, rows.data(), row_count, columns, timestamps_ns.data(), &accepted));
    return accepted;
  }

  /// Empties the windows of the models that these names mean; NULL means all of them.
  void reset(const char *target = nullptr, const char *family = nullptr, const char *view = nullptr,
             const char *symbol = nullptr) const {
    check(mi_engine_reset(get(), target, family, view, symbol));
  }

  /// The windows of a model that takes sequences: the engine's own, not a copy.
  buffer windows(const char *target, const char *family, const char *view = nullptr, const char *symbol = nullptr) const {
    mi_buffer *found = nullptr;
    check(mi_engine_buffer(get(), target, family, view, symbol, &found));
    return buffer(found);
  }

 private:
  detail::handle<mi_engine, mi_engine_free> handle_;
};

}  // namespace mi

#endif  // MI_HPP
