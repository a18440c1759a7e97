// The product of one row with a matrix, at the pace of the memory: each number of the matrix is read once, where it lies. Strips of
// columns are shared out over threads; a strip's sums stay in registers, and what lies some rows below is asked for ahead, because the
// way from row to row is too long for the processor to foresee.
//
// Every number is summed over the matrix's rows in one order, whatever the strips: results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "parallel.h"
#include "vector.h"

namespace seqnets {

constexpr int kStrip = kRegisters / 2;             // vectors side by side in a strip, at most
constexpr int kAhead = 8;                          // rows
constexpr int64_t kNumbersWorthAThread = 1 << 18;  // a megabyte: about 10 microseconds

struct Matrix {
  const float* numbers;
  int64_t rows, columns;  // at least kLanes columns
};

// `strip` points to the first of kWidth vectors in the matrix's first row, `last` is the distance from there to the last of them.
template <int kWidth>
void sum_strip(const float* row, const Matrix& matrix, const float* strip, int64_t last, Vector* sums) {
  Vector sum[kWidth] = {};
  for (int64_t k = 0; k < matrix.rows; ++k, strip += matrix.columns) {
    const Vector x = all(row[k]);
    for (int v = 0; v < kWidth; ++v) {
      const float* right = strip + (v + 1 < kWidth ? v * kLanes : last);
      __builtin_prefetch(right + kAhead * matrix.columns);
      sum[v] += x * load(right);
    }
  }
  for (int v = 0; v < kWidth; ++v) sums[v] = sum[v];
}

using Strip = void (*)(const float*, const Matrix&, const float*, int64_t, Vector*);

template <int... kWidths>
constexpr std::array<Strip, kStrip> strips(std::integer_sequence<int, kWidths...>) {
  return {sum_strip<kWidths + 1>...};
}

// Computes the vectors `strip` of the product. The last one of all begins early where it would stand over the end of the rows, and only
// what is new of it is stored.
inline void multiply_strip(const float* row, const Matrix& matrix, Rows strip, float* product) {
  static constexpr std::array<Strip, kStrip> of_width = strips(std::make_integer_sequence<int, kStrip>{});
  alignas(64) Vector sums[kStrip];
  const int64_t first = strip.begin * kLanes, before_last = strip.count() - 1;
  const int64_t last = std::min(before_last * kLanes, matrix.columns - kLanes - first), twice = before_last * kLanes - last;
  of_width[before_last](row, matrix, matrix.numbers + first, last, sums);
  for (int64_t v = 0; v < before_last; ++v) store(product + first + v * kLanes, sums[v]);
  const float* numbers = reinterpret_cast<const float*>(&sums[before_last]);
  std::copy(numbers + twice, numbers + kLanes, product + first + last + twice);
}

inline void multiply_row(const float* row, const Matrix& matrix, Workers workers, float* product) {
  const int64_t worth = matrix.rows * matrix.columns / kNumbersWorthAThread;
  workers.threads = std::clamp<int64_t>(worth, 1, workers.threads);
  const int64_t vectors = (matrix.columns + kLanes - 1) / kLanes, at_once = workers.threads * kStrip;
  const int64_t rounds = (vectors + at_once - 1) / at_once;
  Split::run(vectors, rounds * workers.threads, workers, [&](Rows strip) { multiply_strip(row, matrix, strip, product); });
}

}  // namespace seqnets
