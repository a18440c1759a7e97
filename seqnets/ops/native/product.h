// The recurrent matrix product: the kernel is regrouped once a call into panels, and the result of each small tile is handed to
// `finish` while it is still in the first cache, so that the gates cost no second pass.
//
// Every number is summed over the kernel's rows in one order, whatever the tile: results do not depend on how rows are split over threads.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "memory.h"
#include "vector.h"

namespace seqnets {

constexpr int kWidest = 4;                                   // vectors side by side in a panel
constexpr int kTile = kRegisters == 32 ? 24 : 8;             // accumulators in a tile
constexpr int kTallest = kTile;                              // rows in a tile of width one
constexpr int rows_of(int width) { return kTile / width; }

// A matrix `depth x (gates * units)` in panels: `groups` times kLanes neighbouring units with all their gates, one row of the
// matrix after the other.
class Panels {
 public:
  // `kernel` has `depth` rows and `gates * units` columns, gate by gate.
  static Panels of(const float* kernel, int64_t depth, int64_t units, int gates) {
    Panels panels(depth, units, gates, Buffer(size(depth, units, gates)));
    panels.fill_from(kernel, {0, units});
    return panels;
  }

  // The same in memory of someone else's, with room for `size` numbers, where `fill_from` writes or wrote them.
  static Panels at(float* data, int64_t depth, int64_t units, int gates) { return Panels(depth, units, gates, data); }

  static int64_t size(int64_t depth, int64_t units, int gates) { return (units + kLanes - 1) / kLanes * kLanes * gates * depth; }

  // The transpose of `kernel`, which has `units` rows and `depth` columns.
  static Panels of_transposed(const float* kernel, int64_t depth, int64_t units) {
    Panels panels(depth, units, 1, Buffer(size(depth, units, 1)));
    panels.fill([=](int64_t k, int64_t, int64_t unit) { return kernel + unit * depth + k; }, depth, {0, units});
    return panels;
  }

  // Writes the panels of some units, from a kernel as `of` takes it.
  void fill_from(const float* kernel, Units units) const {
    fill([=](int64_t k, int64_t gate, int64_t unit) { return kernel + k * gates_ * units_ + gate * units_ + unit; }, 1, units);
  }

  int64_t depth() const { return depth_; }
  int64_t units() const { return units_; }
  int gates() const { return gates_; }
  int64_t units_a_panel() const { return groups_ * kLanes; }
  float* panel(int64_t unit) const { return data_ + unit / kLanes * gates_ * depth_ * kLanes; }
  int width(int64_t unit) const {  // vectors in the panel that begins at `unit`
    const int64_t left = (units_ - unit + kLanes - 1) / kLanes;
    return gates_ * static_cast<int>(std::min<int64_t>(groups_, left));
  }

 private:
  Panels(int64_t depth, int64_t units, int gates, float* data)
      : depth_(depth), units_(units), gates_(gates), groups_(std::max(1, kWidest / gates)), data_(data) {}
  Panels(int64_t depth, int64_t units, int gates, Buffer own) : Panels(depth, units, gates, own.get()) { own_ = std::move(own); }

  template <class Source>
  void fill(Source source, int64_t stride, Units units) const {
    float* to = panel(units.begin);
    for (int64_t first = units.begin; first < units.end; first += units_a_panel()) {
      const int64_t end = std::min((units_ + kLanes - 1) / kLanes * kLanes, first + units_a_panel());
      for (int64_t k = 0; k < depth_; ++k) {
        for (int64_t unit = first; unit < end; unit += kLanes) {
          for (int gate = 0; gate < gates_; ++gate, to += kLanes) copy(source(k, gate, unit), stride, units_ - unit, to);
        }
      }
    }
  }

  static void copy(const float* from, int64_t stride, int64_t lanes, float* to) {
    if (stride == 1 && lanes >= kLanes) return store(to, load(from));
    for (int64_t lane = 0; lane < kLanes; ++lane) to[lane] = lane < lanes ? from[lane * stride] : 0.0f;
  }

  int64_t depth_, units_;
  int gates_, groups_;
  Buffer own_;  // or nothing, where they lie in memory of someone else's
  float* data_;
};

template <int kRows, int kWidth>
void multiply_tile(const float* left, int64_t stride, const float* panel, int64_t depth, Vector* sums) {
  Vector sum[kRows][kWidth] = {};
  for (int64_t k = 0; k < depth; ++k, panel += kWidth * kLanes) {
    Vector right[kWidth];
    for (int v = 0; v < kWidth; ++v) right[v] = load(panel + v * kLanes);
    for (int row = 0; row < kRows; ++row) {
      const Vector x = all(left[row * stride + k]);
      for (int v = 0; v < kWidth; ++v) sum[row][v] += x * right[v];
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int v = 0; v < kWidth; ++v) sums[row * kWidth + v] = sum[row][v];
  }
}

using Tile = void (*)(const float*, int64_t, const float*, int64_t, Vector*);

template <int kWidth, int... kRows>
constexpr std::array<Tile, kTallest + 1> tiles_of_width(std::integer_sequence<int, kRows...>) {
  return {nullptr, multiply_tile<kRows + 1, kWidth>...};
}

inline Tile tile(int rows, int width) {
  static constexpr std::array<Tile, kTallest + 1> tiles[kWidest] = {
      tiles_of_width<1>(std::make_integer_sequence<int, rows_of(1)>{}),
      tiles_of_width<2>(std::make_integer_sequence<int, rows_of(2)>{}),
      tiles_of_width<3>(std::make_integer_sequence<int, rows_of(3)>{}),
      tiles_of_width<4>(std::make_integer_sequence<int, rows_of(4)>{}),
  };
  return tiles[width - 1][rows];
}

// Computes left @ kernel for `rows` rows of `left` and the columns of `units`, which begin with a panel and end with one or with the kernel.
// Calls finish(row, unit, lanes, sums) for every row and every kLanes units: `sums` holds one vector a gate, of which `lanes` numbers count.
template <class Finish>
void multiply(const float* left, int64_t stride, int64_t rows, const Panels& kernel, Units units, Finish finish) {
  alignas(64) Vector sums[kTile];
  for (int64_t first = units.begin; first < units.end; first += kernel.units_a_panel()) {
    const int width = kernel.width(first);
    const int64_t blocks = (rows + rows_of(width) - 1) / rows_of(width);
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t begin = rows * block / blocks, end = rows * (block + 1) / blocks;
      tile(static_cast<int>(end - begin), width)(left + begin * stride, stride, kernel.panel(first), kernel.depth(), sums);
      const Vector* sum = sums;
      const int64_t last = std::min(first + kernel.units_a_panel(), units.end);
      for (int64_t row = begin; row < end; ++row) {
        int64_t unit = first;
        for (; unit + kLanes <= last; unit += kLanes, sum += kernel.gates()) finish(row, unit, Full{}, sum);
        if (unit < last) finish(row, unit, last - unit, sum), sum += kernel.gates();
      }
    }
  }
}

// Adds left @ kernel to `sums`, a matrix `rows x kernel.units()`.
inline void multiply_onto(float* sums, const float* left, int64_t stride, int64_t rows, const Panels& kernel) {
  const int64_t width = kernel.units();
  multiply(left, stride, rows, kernel, {0, width}, [=](int64_t row, int64_t unit, auto lanes, const Vector* product) {
    float* sum = sums + row * width + unit;
    store(sum, load(sum, lanes) + product[0], lanes);
  });
}

}  // namespace seqnets
