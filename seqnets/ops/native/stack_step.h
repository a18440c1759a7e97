// One step of recurrent layers on top of each other, for a few rows: what a loop that samples consists of. Its time goes into reading the
// weights. So every weight is read once, in the order in which it lies in memory, and threads are called once for all layers.
//
// The work of each layer, and of each phase within one, is shared out in tiles of hidden units. Every number is computed by one thread, in
// one order: results do not depend on how many there are.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "parallel.h"
#include "product.h"
#include "sequence.h"

namespace seqnets {

// projected = left @ kernel + bias, for the rows of a step.
struct InputProduct {
  Panels kernel;
  const float* left;
  const float* bias;  // (gates * H)
  float* projected;   // (B, gates * H)

  void compute(int64_t rows, Units units) const {
    const int64_t width = kernel.units();
    multiply(left, kernel.depth(), rows, kernel, units, [&](int64_t row, int64_t unit, auto lanes, const Vector* sums) {
      for (int gate = 0; gate < kernel.gates(); ++gate) {
        const int64_t i = gate * width + unit;
        store(projected + row * kernel.gates() * width + i, load(bias + i, lanes) + sums[gate], lanes);
      }
    });
  }
};

template <class Cell>
struct Layer {
  std::optional<InputProduct> input;  // the lowest layer has it from elsewhere
  Cell cell;
  Step step;
  const float* outputs;  // (B, H)
};

template <class Cell>
class StackStep {
 public:
  explicit StackStep(std::vector<Layer<Cell>> layers) : layers_(std::move(layers)) {
    tile_ = layers_[0].cell.units_a_tile();
    tiles_ = (layers_[0].step.units.end + tile_ - 1) / tile_;
    for (const Layer<Cell>& layer : layers_) {
      for (int number = 0; number < layer.cell.phases(); ++number) phases_.push_back({&layer, number});
    }
  }

  // The caller works too, and finishes alone what no other thread has begun. A thread that comes too late touches nothing but the counter.
  static void run(std::vector<Layer<Cell>> layers, const Workers& workers) {
    auto stack = std::make_shared<StackStep>(std::move(layers));
    for (int64_t other = 1; other < workers.threads; ++other) workers.schedule([stack] { stack->work(); });
    stack->work();
    stack->wait_for(stack->total());
  }

 private:
  struct Phase {
    const Layer<Cell>* layer;
    int number;
  };

  int64_t total() const { return tiles_ * static_cast<int64_t>(phases_.size()); }

  void work() {
    for (int64_t tile = next_++; tile < total(); tile = next_++) {
      wait_for(tile / tiles_ * tiles_);  // all phases before
      compute(phases_[tile / tiles_], tile % tiles_ * tile_);
      done_.fetch_add(1, std::memory_order_release);
    }
  }

  void compute(const Phase& phase, int64_t unit) const {
    Step step = phase.layer->step;
    step.units = {unit, std::min(unit + tile_, step.units.end)};
    if (phase.number == 0 && phase.layer->input) phase.layer->input->compute(step.rows, step.units);
    phase.layer->cell.forward(step, phase.number);
  }

  // What is missing is being computed, in a microsecond or two; a thread without a processor may have this one's.
  void wait_for(int64_t tiles) const {
    while (done_.load(std::memory_order_acquire) < tiles) std::this_thread::yield();
  }

  const std::vector<Layer<Cell>> layers_;
  std::vector<Phase> phases_;
  int64_t tile_, tiles_;
  std::atomic<int64_t> next_{0}, done_{0};
};

}  // namespace seqnets
