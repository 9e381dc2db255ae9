// The C++ face of sequences by symbol.
//
//   sequences_cpp RUN_ROOT
#include "expect.h"

#include <mi.hpp>

#include <array>
#include <cmath>

template <typename Call>
static mi_status thrown(Call call) {
  try {
    call();
  } catch (const mi::error &error) {
    return error.status();
  }
  return MI_OK;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  const char *target = "fwd_ret_5m", *family = "lstm";
  mi::engine engine{mi::loader(argv[1])};
  std::vector<float> rows(13 * 6);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i % 17) / 16.0f - 0.5f;
  const mi::span<const float> row(rows.data() + 12 * 6, 6), history(rows.data(), 12 * 6);
  std::array<double, 1> out{7.0};
  TRUE(engine.predict(target, family, nullptr, nullptr, MI_VALUE, row, out) == MI_SEQUENCE_REQUIRED && out[0] == 7.0);
  TRUE(engine.predict(target, family, nullptr, "AAPL", MI_VALUE, row, out) == MI_NOT_READY && std::isnan(out[0]));
  engine.reset(target, family);
  TRUE(engine.warm_up(target, family, nullptr, "AAPL", history, 12) == 12);
  TRUE(thrown([&] { engine.warm_up(target, family, nullptr, "AAPL", history, 7); }) == MI_SHAPE_MISMATCH);
  TRUE(thrown([&] { engine.warm_up(target, "cnn1d", nullptr, "AAPL", history, 12); }) == MI_UNSUPPORTED);
  TRUE(engine.predict_window(target, family, nullptr, "AAPL", MI_VALUE, out) == MI_OK);
  std::array<double, 1> whole{};
  TRUE(engine.predict_sequence(target, family, nullptr, nullptr, MI_VALUE, history, 1, 12, whole) == MI_OK);
  TRUE(std::fabs(whole[0] - out[0]) < 1e-6);
  TRUE(engine.predict(target, family, nullptr, "AAPL", MI_VALUE, row, out) == MI_OK);

  const std::array<const char *, 2> symbols{"AAPL", "MSFT"};
  std::array<double, 2> both{};
  std::array<mi_status, 2> statuses{};
  std::size_t answered = 0;
  TRUE(engine.predict_symbols(target, family, nullptr, symbols, MI_VALUE, mi::span<const float>(), both, statuses, &answered) == MI_OK);
  TRUE(answered == 1 && std::fabs(both[0] - out[0]) < 1e-6 && std::isnan(both[1]) && statuses[1] == MI_NOT_READY);
  const std::vector<double> wide(12, 0.5);
  TRUE(engine.predict_symbols(target, "cnn1d", nullptr, symbols, MI_VALUE, wide, both) == MI_OK && both[0] == both[1]);

  const mi::buffer windows = engine.windows(target, family);
  TRUE(windows.sequence_length() == 12 && windows.status("AAPL").rows == 12);
  TRUE(thrown([&] { engine.windows(target, "cnn1d"); }) == MI_UNSUPPORTED);
  TRUE(thrown([&] { engine.reset(target, "gru"); }) == MI_NOT_FOUND);
  engine.reset(nullptr, nullptr, nullptr, "AAPL");
  TRUE(windows.status("AAPL").rows == 0);
  return 0;
}
