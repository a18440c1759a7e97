// The LSTM: c = f c + i g, h = o tanh(c). Kept for the backward pass: the activated gates, and the cell before every step.
#pragma once

#include "product.h"
#include "sequence.h"

namespace seqnets {

struct LstmForward {
  static constexpr bool kHasMemory = true;
  static constexpr int kGates = 4;
  const float* projected;  // (T, B, 4H)
  float* outputs;          // (T, B, H)
  Panels kernel;
  float* gates;  // (T, B, 4H), or null

  template <class In, class Out>
  LstmForward(const Sequence& sequence, const float* projected, float* outputs, In& in, Out& out)
      : projected(projected), outputs(outputs), kernel(in.panels(sequence.hidden, sequence.hidden, 4)),
        gates(out.kept({sequence.time, sequence.batch, 4 * sequence.hidden})) {}

  int phases() const { return 1; }
  int64_t units_a_tile() const { return kernel.units_a_panel(); }
  void forward(const Step& step, int) const {
    const int64_t width = kernel.units();
    multiply(step.hidden, width, step.rows, kernel, step.units, [&](int64_t row, int64_t unit, auto lanes, const Vector* sums) {
      const float* x = projected + (step.at + row) * 4 * width + unit;
      const Vector i = sigmoid(load(x, lanes) + sums[0]);
      const Vector f = sigmoid(load(x + width, lanes) + sums[1]);
      const Vector g = tanh(load(x + 2 * width, lanes) + sums[2]);
      const Vector o = sigmoid(load(x + 3 * width, lanes) + sums[3]);
      const Vector c = f * load(step.memory + row * width + unit, lanes) + i * g;
      store(step.memory_after + row * width + unit, c, lanes);
      store(outputs + (step.at + row) * width + unit, o * tanh(c), lanes);
      if (gates == nullptr) return;
      float* kept = gates + (step.at + row) * 4 * width + unit;
      store(kept, i, lanes);
      store(kept + width, f, lanes);
      store(kept + 2 * width, g, lanes);
      store(kept + 3 * width, o, lanes);
    });
  }
};

struct LstmBackward {
  static constexpr bool kHasMemory = true;
  static constexpr int kGates = 4;
  Panels transposed;
  const float* memories;  // (T, B, H)
  const float* gates;     // (T, B, 4H)
  float* d_projected;     // (T, B, 4H)

  template <class In, class Out>
  LstmBackward(const Sequence& sequence, const float*, float* d_projected, In& in, Out&)
      : transposed(Panels::of_transposed(in.floats({sequence.hidden, 4 * sequence.hidden}), 4 * sequence.hidden, sequence.hidden)),
        memories(in.floats({sequence.time, sequence.batch, sequence.hidden})),
        gates(in.floats({sequence.time, sequence.batch, 4 * sequence.hidden})), d_projected(d_projected) {}

  void backward(const Pull& pull) const {
    const int64_t width = transposed.units();
    over_units(pull.rows, width, [&](int64_t row, int64_t unit, auto lanes) { pull_gates(pull, row, unit, lanes); });
    const float* d_gates = d_projected + pull.at * 4 * width;
    multiply(d_gates, 4 * width, pull.rows, transposed, {0, width}, [&](int64_t row, int64_t unit, auto lanes, const Vector* sums) {
      store(pull.d_hidden + row * width + unit, sums[0], lanes);
    });
  }

 private:
  template <class Lanes>
  void pull_gates(const Pull& pull, int64_t row, int64_t unit, Lanes lanes) const {
    const int64_t width = transposed.units();
    const float* kept = gates + (pull.at + row) * 4 * width + unit;
    const Vector i = load(kept, lanes), f = load(kept + width, lanes);
    const Vector g = load(kept + 2 * width, lanes), o = load(kept + 3 * width, lanes);
    const Vector before = load(memories + (pull.at + row) * width + unit, lanes);
    const Vector seen = tanh(f * before + i * g);
    const Vector d_hidden = load(pull.d_hidden + row * width + unit, lanes);
    const Vector d_c = load(pull.d_memory + row * width + unit, lanes) + d_hidden * o * (1.0f - seen * seen);
    float* d = d_projected + (pull.at + row) * 4 * width + unit;
    store(d, d_c * g * i * (1.0f - i), lanes);
    store(d + width, d_c * before * f * (1.0f - f), lanes);
    store(d + 2 * width, d_c * i * (1.0f - g * g), lanes);
    store(d + 3 * width, d_hidden * seen * o * (1.0f - o), lanes);
    store(pull.d_memory + row * width + unit, d_c * f, lanes);
  }
};

}  // namespace seqnets
