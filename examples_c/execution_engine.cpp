// An execution engine in small: several symbols, one thread each, a loop over bars, and on every bar the prediction of all
// targets x families. At the end: what each model said last, and percentiles of the latency of a bar.
//
//   c++ -std=c++17 -O2 execution_engine.cpp -lmi -pthread -o execution_engine
//   ./execution_engine RUN_ROOT [ROWS.npy] [BARS] [THREADS]
//
// ROWS.npy holds rows of features as numpy saves them (float64, C order); without it the bars are random walks.
#include <mi.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
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
  std::vector<double> nanoseconds;  // one per bar
  std::vector<double> last;         // one per cell
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

void trade(const std::vector<cell> &cells, const std::vector<double> &rows, std::size_t columns, std::size_t first_bar,
           std::size_t bars, report &result) {
  const std::size_t available = rows.size() / columns;
  result.nanoseconds.reserve(bars);
  result.last.assign(cells.size(), std::nan(""));
  for (std::size_t bar = 0; bar < bars; ++bar) {
    const mi::span<const double> row(rows.data() + ((first_bar + bar) % available) * columns, columns);
    const auto start = clock_type::now();
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].model.predict(MI_VALUE, row, mi::span<double>(&result.last[i], 1)) != MI_OK) {
        result.failure = cells[i].target + " " + cells[i].family + ": " + mi::last_error();
        return;
      }
    }
    result.nanoseconds.push_back(std::chrono::duration<double, std::nano>(clock_type::now() - start).count());
  }
}

double percentile(std::vector<double> &sorted, double share) {
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

int run(int argc, char **argv) {
  const mi::loader loader(argv[1]);
  std::vector<cell> cells;
  for (const std::string &target : loader.targets())
    for (const std::string &family : loader.families(target)) {
      const auto start = clock_type::now();
      mi::model model = loader.load(target, family);
      const double micros = std::chrono::duration<double, std::micro>(clock_type::now() - start).count();
      std::printf("loaded   %-16s %-10s %4zu features, verified and ready in %6.0f us\n", target.c_str(), family.c_str(),
                  model.feature_count(), micros);
      cells.push_back({target, family, std::move(model)});
    }
  if (cells.empty()) throw mi::error(MI_NOT_FOUND, "the run holds no models");

  const std::size_t columns = cells.front().model.feature_count();
  const std::size_t bars = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 20000;
  const std::size_t threads = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 2;
  const std::vector<double> rows = argc > 2 && *argv[2] ? read_rows(argv[2], columns) : random_rows(1000, columns);

  // What the first row gives, with every digit, so that it can be compared with Python.
  for (const cell &each : cells) {
    double value = 0.0;
    mi::check(each.model.predict(MI_VALUE, mi::span<const double>(rows.data(), columns), mi::span<double>(&value, 1)));
    std::printf("predict  %-16s %-10s row 0 -> %.17g\n", each.target.c_str(), each.family.c_str(), value);
  }

  // One thread per symbol, all through the same models.
  std::vector<report> reports(threads);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < threads; ++i)
    workers.emplace_back([&, i] { trade(cells, rows, columns, i * 37, bars, reports[i]); });
  for (std::thread &worker : workers) worker.join();

  std::vector<double> all;
  for (std::size_t i = 0; i < threads; ++i) {
    if (!reports[i].failure.empty()) throw mi::error(MI_INTERNAL, reports[i].failure.c_str());
    std::printf("symbol %zu", i);
    for (const double value : reports[i].last) std::printf("  %+.6f", value);
    std::printf("\n");
    all.insert(all.end(), reports[i].nanoseconds.begin(), reports[i].nanoseconds.end());
  }
  std::sort(all.begin(), all.end());
  std::printf("latency  %zu bars x %zu models: p50 %.2f us, p99 %.2f us, p99.9 %.2f us, worst %.1f us\n", all.size(), cells.size(),
              percentile(all, 0.5) / 1e3, percentile(all, 0.99) / 1e3, percentile(all, 0.999) / 1e3, all.back() / 1e3);
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s RUN_ROOT [ROWS.npy] [BARS] [THREADS]\n", argv[0]), 2;
  try {
    return run(argc, argv);
  } catch (const mi::error &error) {
    return std::fprintf(stderr, "%s: %s\n", error.name(), error.what()), 1;
  }
}
