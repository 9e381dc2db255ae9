// The C++ face of rolling windows: move-only, exceptions where things are made or named, statuses where rows go in and out.
//
//   buffer_cpp FOLDER
#include "expect.h"

#include <mi.hpp>

#include <array>
#include <type_traits>

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
  static_assert(!std::is_copy_constructible_v<mi::buffer> && std::is_nothrow_move_constructible_v<mi::buffer>);
  TRUE(thrown([] { mi::buffer(0, 2); }) == MI_INVALID_ARGUMENT);
  mi::buffer made(3, 2);
  mi::buffer buffer = std::move(made);
  TRUE(buffer.sequence_length() == 3 && buffer.feature_count() == 2);

  const std::int64_t noon = 1700000000000000000;
  const std::vector<float> rows = {1, 2, 3, 4, 5, 6};
  TRUE(buffer.push_rows("A", rows, std::array<std::int64_t, 3>{noon, noon + 1, noon + 2}) == 3);
  TRUE(thrown([&] { buffer.push_rows("A", rows, std::array<std::int64_t, 2>{}); }) == MI_SHAPE_MISMATCH);
  TRUE(thrown([&] { buffer.push_rows("A", mi::span<const float>(rows.data(), 5)); }) == MI_SHAPE_MISMATCH);
  TRUE(buffer.push("A", std::array<float, 2>{7, 8}, noon + 3) == MI_OK);
  TRUE(buffer.push("A", std::array<float, 3>{}, noon + 3) == MI_SHAPE_MISMATCH);
  std::array<float, 6> out{};
  TRUE(buffer.sequence("A", out, noon) == MI_OK && out[0] == 3 && out[5] == 8);
  TRUE(buffer.sequence("B", out, noon) == MI_NOT_READY);
  TRUE(buffer.ready("A", noon) && !buffer.ready("B", noon));
  const mi::buffer::standing standing = buffer.status("A", noon + 301000000000);
  TRUE(standing.rows == 3 && standing.newest_ns == noon + 3 && !standing.ready && standing.stale);
  TRUE(buffer.push_rows("B", rows) == 3 && buffer.symbol_count() == 2);
  TRUE(buffer.symbols() == (std::vector<std::string>{"A", "B"}) && buffer.ready_symbols().back() == "B");

  const std::string path = std::string(argv[1]) + "/windows.state";
  buffer.save(path);
  buffer.reset("A");
  buffer.remove("B");
  TRUE(buffer.symbol_count() == 1 && !buffer.ready("A", noon));
  buffer.restore(path);
  TRUE(buffer.symbol_count() == 2 && buffer.ready("A", noon));
  buffer.reset_all();
  TRUE(buffer.ready_symbols(noon).empty());
  TRUE(thrown([&] { buffer.restore(path + ".none"); }) == MI_NOT_FOUND);
  std::remove(path.c_str());
  return 0;
}
