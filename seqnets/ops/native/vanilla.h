// The vanilla recurrence: h = activation(x + h U). The outputs are all that the backward pass needs.
#pragma once

#include "product.h"
#include "sequence.h"

namespace seqnets {

struct Tanh {
  static Vector value(Vector x) { return tanh(x); }
  static Vector slope(Vector y) { return 1.0f - y * y; }
};

struct Relu {
  static Vector value(Vector x) { return x < 0.0f ? Vector{} : x; }
  static Vector slope(Vector y) { return y > 0.0f ? all(1.0f) : Vector{}; }
};

template <class Activation>
struct VanillaForward {
  static constexpr bool kHasMemory = false;
  static constexpr int kGates = 1;
  const float* projected;  // (T, B, H)
  float* outputs;          // (T, B, H)
  Panels kernel;

  template <class In, class Out>
  VanillaForward(const Sequence& sequence, const float* projected, float* outputs, In& in, Out&)
      : projected(projected), outputs(outputs), kernel(in.panels(sequence.hidden, sequence.hidden, 1)) {}

  int phases() const { return 1; }
  int64_t units_a_tile() const { return kernel.units_a_panel(); }
  void forward(const Step& step, int) const {
    const int64_t width = kernel.units();
    multiply(step.hidden, width, step.rows, kernel, step.units, [&](int64_t row, int64_t unit, auto lanes, const Vector* sums) {
      const int64_t i = (step.at + row) * width + unit;
      store(outputs + i, Activation::value(load(projected + i, lanes) + sums[0]), lanes);
    });
  }
};

template <class Activation>
struct VanillaBackward {
  static constexpr bool kHasMemory = false;
  static constexpr int kGates = 1;
  const float* outputs;  // (T, B, H)
  float* d_projected;    // (T, B, H)
  Panels transposed;

  template <class In, class Out>
  VanillaBackward(const Sequence& sequence, const float* outputs, float* d_projected, In& in, Out&)
      : outputs(outputs), d_projected(d_projected),
        transposed(Panels::of_transposed(in.floats({sequence.hidden, sequence.hidden}), sequence.hidden, sequence.hidden)) {}

  void backward(const Pull& pull) const {
    const int64_t width = transposed.units();
    over_units(pull.rows, width, [&](int64_t row, int64_t unit, auto lanes) {
      const int64_t i = (pull.at + row) * width + unit;
      store(d_projected + i, load(pull.d_hidden + row * width + unit, lanes) * Activation::slope(load(outputs + i, lanes)), lanes);
    });
    clear_rows(pull.d_hidden, pull.rows, width);
    multiply_onto(pull.d_hidden, d_projected + pull.at * width, width, pull.rows, transposed);
  }
};

}  // namespace seqnets
