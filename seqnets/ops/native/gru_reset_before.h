// The GRU as first published: n = tanh(x_n + (r h) U_n), h' = n + z (h - n). Kept: r, z, n, and r h. Where no history is asked for,
// those arrays hold one step only.
#pragma once

#include "product.h"
#include "sequence.h"

namespace seqnets {

struct GruResetBeforeForward {
  static constexpr bool kHasMemory = false;
  static constexpr int kGates = 3;
  const float* projected;  // (T, B, 3H)
  float* outputs;          // (T, B, H)
  Panels gates_kernel, candidate_kernel;
  float* gates;  // (T or 1, B, 3H)
  float* reset;  // (T or 1, B, H)
  bool history;

  template <class In, class Out>
  GruResetBeforeForward(const Sequence& sequence, const float* projected, float* outputs, In& in, Out& out)
      : projected(projected), outputs(outputs), gates_kernel(in.panels(sequence.hidden, sequence.hidden, 2)),
        candidate_kernel(in.panels(sequence.hidden, sequence.hidden, 1)), gates(out.worked(sequence, 3 * sequence.hidden)),
        reset(out.worked(sequence, sequence.hidden)), history(out.training()) {}

  int phases() const { return 2; }
  int64_t units_a_tile() const { return candidate_kernel.units_a_panel(); }
  void forward(const Step& step, int phase) const { phase == 0 ? compute_gates(step) : compute_candidate(step); }

 private:
  int64_t slot(const Step& step) const { return history ? step.at : step.row; }

  void compute_gates(const Step& step) const {
    const int64_t width = gates_kernel.units();
    multiply(step.hidden, width, step.rows, gates_kernel, step.units, [&](int64_t row, int64_t unit, auto lanes, const Vector* sums) {
      const float* x = projected + (step.at + row) * 3 * width + unit;
      const Vector r = sigmoid(load(x, lanes) + sums[0]);
      float* kept = gates + (slot(step) + row) * 3 * width + unit;
      store(kept, r, lanes);
      store(kept + width, sigmoid(load(x + width, lanes) + sums[1]), lanes);
      store(reset + (slot(step) + row) * width + unit, r * load(step.hidden + row * width + unit, lanes), lanes);
    });
  }

  void compute_candidate(const Step& step) const {
    const int64_t width = candidate_kernel.units();
    const float* left = reset + slot(step) * width;
    multiply(left, width, step.rows, candidate_kernel, step.units, [&](int64_t row, int64_t unit, auto lanes, const Vector* sums) {
      const Vector n = tanh(load(projected + (step.at + row) * 3 * width + 2 * width + unit, lanes) + sums[0]);
      float* kept = gates + (slot(step) + row) * 3 * width + unit;
      store(kept + 2 * width, n, lanes);
      const Vector z = load(kept + width, lanes), h = load(step.hidden + row * width + unit, lanes);
      store(outputs + (step.at + row) * width + unit, n + z * (h - n), lanes);
    });
  }
};

struct GruResetBeforeBackward {
  static constexpr bool kHasMemory = false;
  static constexpr int kGates = 3;
  float* d_projected;  // (T, B, 3H)
  Panels gates_transposed, candidate_transposed;
  const float* gates;  // (T, B, 3H)

  template <class In, class Out>
  GruResetBeforeBackward(const Sequence& sequence, const float*, float* d_projected, In& in, Out&)
      : d_projected(d_projected),
        gates_transposed(
            Panels::of_transposed(in.floats({sequence.hidden, 2 * sequence.hidden}), 2 * sequence.hidden, sequence.hidden)),
        candidate_transposed(Panels::of_transposed(in.floats({sequence.hidden, sequence.hidden}), sequence.hidden, sequence.hidden)),
        gates(in.floats({sequence.time, sequence.batch, 3 * sequence.hidden})) {
    in.floats({sequence.time, sequence.batch, sequence.hidden});  // r h, of which only the weights' gradient is made
  }

  void backward(const Pull& pull) const {
    const int64_t width = gates_transposed.units();
    over_units(pull.rows, width, [&](int64_t row, int64_t unit, auto lanes) { pull_candidate(pull, row, unit, lanes); });
    float* d = d_projected + pull.at * 3 * width;
    multiply(d + 2 * width, 3 * width, pull.rows, candidate_transposed, {0, width},
             [&](int64_t row, int64_t unit, auto lanes, const Vector* sums) { pull_reset(pull, row, unit, lanes, sums[0]); });
    multiply_onto(pull.d_hidden, d, 3 * width, pull.rows, gates_transposed);
  }

 private:
  template <class Lanes>
  void pull_candidate(const Pull& pull, int64_t row, int64_t unit, Lanes lanes) const {
    const int64_t width = gates_transposed.units(), i = row * width + unit;
    const float* kept = gates + (pull.at + row) * 3 * width + unit;
    const Vector z = load(kept + width, lanes), n = load(kept + 2 * width, lanes);
    const Vector d_hidden = load(pull.d_hidden + i, lanes), h = load(pull.hidden + i, lanes);
    float* d = d_projected + (pull.at + row) * 3 * width + unit;
    store(d + width, d_hidden * (h - n) * z * (1.0f - z), lanes);
    store(d + 2 * width, d_hidden * (1.0f - z) * (1.0f - n * n), lanes);
    store(pull.d_hidden + i, d_hidden * z, lanes);
  }

  template <class Lanes>
  void pull_reset(const Pull& pull, int64_t row, int64_t unit, Lanes lanes, Vector d_reset) const {
    const int64_t width = gates_transposed.units(), i = row * width + unit;
    const Vector r = load(gates + (pull.at + row) * 3 * width + unit, lanes);
    const Vector h = load(pull.hidden + i, lanes);
    store(d_projected + (pull.at + row) * 3 * width + unit, d_reset * h * r * (1.0f - r), lanes);
    store(pull.d_hidden + i, load(pull.d_hidden + i, lanes) + d_reset * r, lanes);
  }
};

}  // namespace seqnets
