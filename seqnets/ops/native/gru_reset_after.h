// The GRU of cuDNN and torch: n = tanh(x_n + r q) with q = h U_n + b, h' = n + z (h - n). Kept: r, z, n, q.
#pragma once

#include "product.h"
#include "sequence.h"

namespace seqnets {

struct GruResetAfterForward {
  static constexpr bool kHasMemory = false;
  static constexpr int kGates = 3;
  const float* projected;  // (T, B, 3H)
  float* outputs;          // (T, B, H)
  Panels kernel;
  const float* bias;  // (H)
  float* gates;       // (T, B, 3H), or null: r, z, n
  float* products;    // (T, B, H), or null: q

  template <class In, class Out>
  GruResetAfterForward(const Sequence& sequence, const float* projected, float* outputs, In& in, Out& out)
      : projected(projected), outputs(outputs), kernel(in.panels(sequence.hidden, sequence.hidden, 3)),
        bias(in.floats({sequence.hidden})), gates(out.kept({sequence.time, sequence.batch, 3 * sequence.hidden})),
        products(out.kept({sequence.time, sequence.batch, sequence.hidden})) {}

  int phases() const { return 1; }
  int64_t units_a_tile() const { return kernel.units_a_panel(); }
  void forward(const Step& step, int) const {
    const int64_t width = kernel.units();
    multiply(step.hidden, width, step.rows, kernel, step.units, [&](int64_t row, int64_t unit, auto lanes, const Vector* sums) {
      const float* x = projected + (step.at + row) * 3 * width + unit;
      const Vector r = sigmoid(load(x, lanes) + sums[0]);
      const Vector z = sigmoid(load(x + width, lanes) + sums[1]);
      const Vector q = sums[2] + load(bias + unit, lanes);
      const Vector n = tanh(load(x + 2 * width, lanes) + r * q);
      const Vector h = load(step.hidden + row * width + unit, lanes);
      store(outputs + (step.at + row) * width + unit, n + z * (h - n), lanes);
      if (gates == nullptr) return;
      float* kept = gates + (step.at + row) * 3 * width + unit;
      store(kept, r, lanes);
      store(kept + width, z, lanes);
      store(kept + 2 * width, n, lanes);
      store(products + (step.at + row) * width + unit, q, lanes);
    });
  }
};

struct GruResetAfterBackward {
  static constexpr bool kHasMemory = false;
  static constexpr int kGates = 3;
  float* d_projected;  // (T, B, 3H)
  Panels transposed;
  const float* gates;     // (T, B, 3H)
  const float* products;  // (T, B, H)
  float* d_products;      // (T, B, 3H): of the gates' recurrent products, which differ from d_projected in n

  template <class In, class Out>
  GruResetAfterBackward(const Sequence& sequence, const float*, float* d_projected, In& in, Out& out)
      : d_projected(d_projected),
        transposed(Panels::of_transposed(in.floats({sequence.hidden, 3 * sequence.hidden}), 3 * sequence.hidden, sequence.hidden)),
        gates(in.floats({sequence.time, sequence.batch, 3 * sequence.hidden})),
        products(in.floats({sequence.time, sequence.batch, sequence.hidden})),
        d_products(out.floats({sequence.time, sequence.batch, 3 * sequence.hidden})) {}

  void backward(const Pull& pull) const {
    const int64_t width = transposed.units();
    over_units(pull.rows, width, [&](int64_t row, int64_t unit, auto lanes) { pull_gates(pull, row, unit, lanes); });
    multiply_onto(pull.d_hidden, d_products + pull.at * 3 * width, 3 * width, pull.rows, transposed);
  }

 private:
  template <class Lanes>
  void pull_gates(const Pull& pull, int64_t row, int64_t unit, Lanes lanes) const {
    const int64_t width = transposed.units(), i = row * width + unit;
    const float* kept = gates + (pull.at + row) * 3 * width + unit;
    const Vector r = load(kept, lanes), z = load(kept + width, lanes), n = load(kept + 2 * width, lanes);
    const Vector q = load(products + (pull.at + row) * width + unit, lanes);
    const Vector d_hidden = load(pull.d_hidden + i, lanes), h = load(pull.hidden + i, lanes);
    const Vector d_n = d_hidden * (1.0f - z) * (1.0f - n * n);
    const Vector d_r = d_n * q * r * (1.0f - r);
    const Vector d_z = d_hidden * (h - n) * z * (1.0f - z);
    write(d_projected + (pull.at + row) * 3 * width + unit, d_r, d_z, d_n, lanes);
    write(d_products + (pull.at + row) * 3 * width + unit, d_r, d_z, d_n * r, lanes);
    store(pull.d_hidden + i, d_hidden * z, lanes);
  }

  template <class Lanes>
  void write(float* to, Vector r, Vector z, Vector n, Lanes lanes) const {
    store(to, r, lanes);
    store(to + transposed.units(), z, lanes);
    store(to + 2 * transposed.units(), n, lanes);
  }
};

}  // namespace seqnets
