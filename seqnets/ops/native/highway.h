// The highway: s_l = s + t (h - s) for each of its layers, the input entering at the first. Kept: h and t of every layer, and the states
// between layers. Where no history is asked for, the states hold one step only.
#pragma once

#include <vector>

#include "product.h"
#include "sequence.h"

namespace seqnets {

struct HighwayForward {
  static constexpr bool kHasMemory = false;
  static constexpr int kGates = 2;
  const float* projected;  // (T, B, 2H)
  float* outputs;          // (T, B, H)
  std::vector<Panels> kernels;
  const float* bias;            // (layers - 1, 2H)
  std::vector<float*> states;   // layers - 1 times (T or 1, B, H)
  std::vector<float*> gates;    // layers times (T, B, 2H), or null
  bool history;

  template <class In, class Out>
  HighwayForward(const Sequence& sequence, const float* projected, float* outputs, In& in, Out& out)
      : projected(projected), outputs(outputs), history(out.training()) {
    const int64_t layers = std::max<int64_t>(1, in.remaining() - 1);
    for (int64_t l = 0; l < layers; ++l) kernels.push_back(in.panels(sequence.hidden, sequence.hidden, 2));
    bias = in.floats({layers - 1, 2 * sequence.hidden});
    for (int64_t l = 1; l < layers; ++l) states.push_back(out.worked(sequence, sequence.hidden));
    for (int64_t l = 0; l < layers; ++l) gates.push_back(out.kept({sequence.time, sequence.batch, 2 * sequence.hidden}));
  }

  int phases() const { return static_cast<int>(kernels.size()); }
  int64_t units_a_tile() const { return kernels[0].units_a_panel(); }
  void forward(const Step& step, size_t layer) const {
    const int64_t width = kernels[0].units(), slot = history ? step.at : step.row;
    const float* left = layer == 0 ? step.hidden : states[layer - 1] + slot * width;
    float* after = layer + 1 == kernels.size() ? outputs + step.at * width : states[layer] + slot * width;
    const float* outside = layer == 0 ? projected + step.at * 2 * width : bias + (layer - 1) * 2 * width;
    const int64_t outside_stride = layer == 0 ? 2 * width : 0;
    multiply(left, width, step.rows, kernels[layer], step.units, [&](int64_t row, int64_t unit, auto lanes, const Vector* sums) {
      const float* x = outside + row * outside_stride + unit;
      const Vector h = tanh(load(x, lanes) + sums[0]);
      const Vector t = sigmoid(load(x + width, lanes) + sums[1]);
      const Vector s = load(left + row * width + unit, lanes);
      store(after + row * width + unit, s + t * (h - s), lanes);
      if (!history) return;
      float* kept = gates[layer] + (step.at + row) * 2 * width + unit;
      store(kept, h, lanes);
      store(kept + width, t, lanes);
    });
  }
};

struct HighwayBackward {
  static constexpr bool kHasMemory = false;
  static constexpr int kGates = 2;
  std::vector<Panels> transposed;
  std::vector<const float*> states, gates;
  std::vector<float*> d_products;  // layers times (T, B, 2H); the first is d_projected

  template <class In, class Out>
  HighwayBackward(const Sequence& sequence, const float*, float* d_projected, In& in, Out& out) : d_products{d_projected} {
    const int64_t T = sequence.time, B = sequence.batch, H = sequence.hidden;
    const int64_t layers = std::max<int64_t>(1, (in.remaining() + 1) / 3);
    for (int64_t l = 0; l < layers; ++l) transposed.push_back(Panels::of_transposed(in.floats({H, 2 * H}), 2 * H, H));
    for (int64_t l = 1; l < layers; ++l) states.push_back(in.floats({T, B, H}));
    for (int64_t l = 0; l < layers; ++l) gates.push_back(in.floats({T, B, 2 * H}));
    for (int64_t l = 1; l < layers; ++l) d_products.push_back(out.floats({T, B, 2 * H}));
  }

  void backward(const Pull& pull) const {
    for (size_t layer = transposed.size(); layer-- > 0;) backward(pull, layer);
  }

 private:
  void backward(const Pull& pull, size_t layer) const {
    const int64_t width = transposed[0].units();
    const float* before = layer == 0 ? pull.hidden : states[layer - 1] + pull.at * width;
    const float* kept = gates[layer] + pull.at * 2 * width;
    float* d = d_products[layer] + pull.at * 2 * width;
    over_units(pull.rows, width, [&](int64_t row, int64_t unit, auto lanes) {
      const int64_t i = row * width + unit, j = row * 2 * width + unit;
      const Vector h = load(kept + j, lanes), t = load(kept + j + width, lanes);
      const Vector d_after = load(pull.d_hidden + i, lanes);
      store(d + j, d_after * t * (1.0f - h * h), lanes);
      store(d + j + width, d_after * (h - load(before + i, lanes)) * t * (1.0f - t), lanes);
      store(pull.d_hidden + i, d_after * (1.0f - t), lanes);
    });
    multiply_onto(pull.d_hidden, d, 2 * width, pull.rows, transposed[layer]);
  }
};

}  // namespace seqnets
