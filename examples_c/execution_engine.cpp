// An execution engine in small: several symbols, one thread each, a loop over bars, and on every bar the prediction of all
// targets x families. At the end: what each model said last, and percentiles of the latency of a bar.
//
//   c++ -std=c++17 -O2 execution_engine.cpp -lmi -pthread -o execution_engine
//   ./execution_engine RUN_ROOT [ROWS.npy [EXPECTED.tsv [BARS [THREADS]]]]
//
// ROWS.npy holds rows of features as numpy saves them (float64, C order); without it the bars are random walks. EXPECTED.tsv
// holds what Python said about those rows (target, family, view, symbol, row, value); every prediction is compared with it, bit by bit.
#include <mi.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

// A model of the run with its names, resolved once: the hot path names nothing by string.
struct cell {
  std::string target, family;
  mi::model model;
};

// What one thread measured and saw last.
struct report {
  std::vector<double> bars;                // nanoseconds, one per bar
  std::vector<std::vector<double>> calls;  // nanoseconds, one per cell and bar
  std::vector<double> last;                // one per cell
  std::string failure;
};

// The little of the .npy format that a float64 matrix needs.
std::vector<double> read_rows(const char *path, std::size_t columns) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.size() < 10 || std::memcmp(bytes.data(), "\x93NUMPY\x01", 7) != 0) throw mi::error(MI_MALFORMED, "not a .npy file");
  std::size_t header = 10 + static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  std::vector<double> rows((bytes.size() - header) / sizeof(double));
  std::memcpy(rows.data(), bytes.data() + header, rows.size() * sizeof(double));
  if (rows.empty() || rows.size() % columns != 0) throw mi::error(MI_SHAPE_MISMATCH, "the rows do not have the models' width");
  return rows;
}

// One feature per column, each a slow random walk around zero.
std::vector<double> random_rows(std::size_t count, std::size_t columns) {
  std::mt19937_64 generator(7);
  std::normal_distribution<double> step(0.0, 0.01);
  std::vector<double> rows(count * columns);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = (i >= columns ? rows[i - columns] : 0.0) + step(generator);
  return rows;
}

double nanoseconds(clock_type::time_point start, clock_type::time_point end) {
  return std::chrono::duration<double, std::nano>(end - start).count();
}

void trade(const std::vector<cell> &cells, const std::vector<double> &rows, std::size_t columns, std::size_t first_bar,
           std::size_t bars, report &result) {
  const std::size_t available = rows.size() / columns;
  result.bars.reserve(bars);
  result.calls.assign(cells.size(), {});
  for (auto &calls : result.calls) calls.reserve(bars);
  result.last.assign(cells.size(), std::nan(""));
  for (std::size_t bar = 0; bar < bars; ++bar) {
    const mi::span<const double> row(rows.data() + ((first_bar + bar) % available) * columns, columns);
    const auto start = clock_type::now();
    auto before = start;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].model.predict(MI_VALUE, row, mi::span<double>(&result.last[i], 1)) != MI_OK) {
        result.failure = cells[i].target + " " + cells[i].family + ": " + mi::last_error();
        return;
      }
      const auto after = clock_type::now();
      result.calls[i].push_back(nanoseconds(before, after));
      before = after;
    }
    result.bars.push_back(nanoseconds(start, before));
  }
}

double percentile(const std::vector<double> &sorted, double share) {
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

// What Python said about the default view, by "target family row".
std::map<std::string, double> read_expected(const char *path) {
  std::ifstream file(path);
  if (!file) throw mi::error(MI_NOT_FOUND, "the file of expected values cannot be opened");
  std::map<std::string, double> expected;
  std::string line;
  for (std::getline(file, line); std::getline(file, line);) {
    std::istringstream fields(line);
    std::string target, family, view, symbol, row, value;
    for (std::string *field : {&target, &family, &view, &symbol, &row, &value}) std::getline(fields, *field, '\t');
    std::replace(target.begin(), target.end(), '/', '_');  // as on disk
    if (view == "CROSS_SECTIONAL") expected[target + " " + family + " " + row] = std::strtod(value.c_str(), nullptr);
  }
  return expected;
}

// Compares every row of every model with what Python said; returns how many predictions differ.
std::size_t compare(const std::vector<cell> &cells, const std::vector<double> &rows, std::size_t columns, const char *path) {
  const std::map<std::string, double> expected = read_expected(path);
  std::size_t compared = 0, different = 0;
  for (const cell &each : cells)
    for (std::size_t row = 0; row < rows.size() / columns; ++row) {
      const auto python = expected.find(each.target + " " + each.family + " " + std::to_string(row));
      if (python == expected.end()) continue;
      double value = 0.0;
      mi::check(each.model.predict(MI_VALUE, mi::span<const double>(rows.data() + row * columns, columns),
                                   mi::span<double>(&value, 1)));
      const bool same = std::memcmp(&value, &python->second, sizeof value) == 0;
      if (row < 2 || !same)
        std::printf("predict  %-12s %-9s row %zu  libmi %-24.17g Python %-24.17g %s\n", each.target.c_str(),
                    each.family.c_str(), row, value, python->second, same ? "equal" : "DIFFERENT");
      ++compared;
      different += !same;
    }
  std::printf("compared %zu predictions with Python's, %zu differ in any bit\n", compared, different);
  return compared == 0 ? 1 : different;
}

int run(int argc, char **argv) {
  const mi::loader loader(argv[1]);
  std::vector<cell> cells;
  for (const std::string &target : loader.targets())
    for (const std::string &family : loader.families(target)) {
      const auto start = clock_type::now();
      mi::model model = loader.load(target, family);
      const double micros = nanoseconds(start, clock_type::now()) / 1e3;
      std::printf("loaded   %-12s %-9s %4zu features, verified and ready in %6.0f us\n", target.c_str(), family.c_str(),
                  model.feature_count(), micros);
      cells.push_back({target, family, std::move(model)});
    }
  if (cells.empty()) throw mi::error(MI_NOT_FOUND, "the run holds no models");

  const std::size_t columns = cells.front().model.feature_count();
  const std::size_t bars = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 20000;
  const std::size_t threads = argc > 5 ? std::strtoull(argv[5], nullptr, 10) : 2;
  const std::vector<double> rows = argc > 2 && *argv[2] ? read_rows(argv[2], columns) : random_rows(1000, columns);

  if (argc > 3 && compare(cells, rows, columns, argv[3]) != 0) return 1;

  // One thread per symbol, all through the same models.
  std::vector<report> reports(threads);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < threads; ++i)
    workers.emplace_back([&, i] { trade(cells, rows, columns, i * 37, bars, reports[i]); });
  for (std::thread &worker : workers) worker.join();

  report all;
  all.calls.resize(cells.size());
  for (std::size_t i = 0; i < threads; ++i) {
    if (!reports[i].failure.empty()) throw mi::error(MI_INTERNAL, reports[i].failure.c_str());
    std::printf("symbol %zu", i);
    for (const double value : reports[i].last) std::printf("  %+.6f", value);
    std::printf("\n");
    all.bars.insert(all.bars.end(), reports[i].bars.begin(), reports[i].bars.end());
    for (std::size_t c = 0; c < cells.size(); ++c)
      all.calls[c].insert(all.calls[c].end(), reports[i].calls[c].begin(), reports[i].calls[c].end());
  }
  for (std::size_t c = 0; c < cells.size(); ++c) {
    std::vector<double> &calls = all.calls[c];
    std::sort(calls.begin(), calls.end());
    std::printf("latency  %-12s %-9s p50 %5.0f ns  p99 %5.0f ns  worst %7.0f ns\n", cells[c].target.c_str(),
                cells[c].family.c_str(), percentile(calls, 0.5), percentile(calls, 0.99), calls.back());
  }
  std::sort(all.bars.begin(), all.bars.end());
  std::printf("latency  %zu bars x %zu models: p50 %.2f us, p99 %.2f us, p99.9 %.2f us, worst %.1f us\n", all.bars.size(),
              cells.size(), percentile(all.bars, 0.5) / 1e3, percentile(all.bars, 0.99) / 1e3, percentile(all.bars, 0.999) / 1e3,
              all.bars.back() / 1e3);
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s RUN_ROOT [ROWS.npy [EXPECTED.tsv [BARS [THREADS]]]]\n", argv[0]), 2;
  try {
    return run(argc, argv);
  } catch (const mi::error &error) {
    return std::fprintf(stderr, "%s: %s\n", error.name(), error.what()), 1;
  }
}
