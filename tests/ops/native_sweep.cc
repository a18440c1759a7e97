// Runs every cell over many shapes, on arrays that end where they should: for the address and undefined-behaviour sanitizers.
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "gru_reset_after.h"
#include "gru_reset_before.h"
#include "highway.h"
#include "lstm.h"
#include "stack_step.h"
#include "vanilla.h"

namespace seqnets {
namespace {

// Arrays in the order in which a cell's constructor asks for them; none of no size.
class Arrays {
 public:
  Arrays(std::vector<int64_t> sizes, bool training) : sizes_(std::move(sizes)), training_(training) {
    for (int64_t size : sizes_) {
      arrays_.emplace_back(new float[size]);
      for (int64_t i = 0; i < size; ++i) arrays_.back()[i] = 0.1f * static_cast<float>((i * 7919) % 17) - 0.8f;
    }
  }
  float* floats(std::initializer_list<int64_t> dims) {
    const int64_t size = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
    if (size != sizes_[next_]) std::printf("array %zu has %ld numbers, wanted %ld\n", next_, (long)sizes_[next_], (long)size), std::exit(1);
    return size == 0 ? (++next_, nullptr) : arrays_[next_++].get();
  }
  float* kept(std::initializer_list<int64_t> dims) { return training_ ? floats(dims) : floats({0}); }
  float* worked(const Sequence& sequence, int64_t width) { return floats({training_ ? sequence.time : 1, sequence.batch, width}); }
  Panels panels(int64_t depth, int64_t units, int gates) { return Panels::of(floats({depth, gates * units}), depth, units, gates); }
  int64_t remaining() const { return static_cast<int64_t>(sizes_.size() - next_); }
  bool training() const { return training_; }
  float* get(size_t i) { return arrays_[i].get(); }
  int64_t size(size_t i) const { return sizes_[i]; }

 private:
  std::vector<int64_t> sizes_;
  std::vector<std::unique_ptr<float[]>> arrays_;
  bool training_;
  size_t next_ = 0;
};

struct Widths {  // in units of H; per step and row
  int64_t gates;
  std::vector<int64_t> kernels, vectors, worked, kept, added;
};

template <class Run>
void on_threads(int64_t rows, const Run& run) {
  std::vector<std::thread> threads;
  Workers workers{3, [&threads](std::function<void()> task) { threads.emplace_back(std::move(task)); }};
  Split::run(rows, 3, workers, [&](Rows part) { run.run(part); });
  for (std::thread& thread : threads) thread.join();
}

std::vector<int64_t> joined(std::vector<int64_t> a, const std::vector<int64_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::vector<int64_t> times(const std::vector<int64_t>& widths, int64_t size) {
  std::vector<int64_t> sizes;
  for (int64_t width : widths) sizes.push_back(width * size);
  return sizes;
}

void require_finite(Arrays& arrays, size_t i, const char* what) {
  for (int64_t k = 0; k < arrays.size(i); ++k) {
    if (!std::isfinite(arrays.get(i)[k])) std::printf("not finite: %s\n", what), std::exit(1);
  }
}

template <class Fwd, class Bwd>
void sweep_one(const Widths& widths, Sequence sequence, bool training) {
  const int64_t H = sequence.hidden, states = sequence.batch * H, all = sequence.time * states;
  Arrays state({states, states, states, states}, training), big({widths.gates * all, all, training ? all : 0, training ? all : 0}, training);
  Arrays in(joined(times(widths.kernels, H * H), times(widths.vectors, H)), training);
  Arrays out(joined(times(widths.worked, training ? all : states), times(widths.kept, training ? all : 0)), training);
  const Fwd cell(sequence, big.get(0), big.get(1), in, out);
  State hidden{state.get(0), state.get(1), sequence.masked() && training ? big.get(2) : nullptr};
  State memory;
  if (Fwd::kHasMemory) memory = {state.get(2), state.get(3), training ? big.get(3) : nullptr};
  on_threads(sequence.batch, Forward<Fwd>(sequence, cell, big.get(1), hidden, memory));
  require_finite(big, 1, "outputs");
  if (!training) return;
  std::vector<int64_t> kept = joined(times(widths.worked, all), times(widths.kept, all));
  std::vector<int64_t> sizes = times(widths.kernels, H * H);
  if (Fwd::kHasMemory) sizes.push_back(all);
  Arrays back_in(joined(sizes, kept), true), back_out(times(widths.added, all), true);
  Arrays gradients({widths.gates * all, all, states, states, states, states}, true);
  const Bwd back(sequence, big.get(1), gradients.get(0), back_in, back_out);
  const Hidden befores{state.get(0), big.get(1), hidden.befores};
  StateGradient d_hidden{gradients.get(2), gradients.get(3)}, d_memory;
  if (Fwd::kHasMemory) d_memory = {gradients.get(4), gradients.get(5)};
  on_threads(sequence.batch, Backward<Bwd>(sequence, back, gradients.get(1), befores, d_hidden, d_memory));
}

template <class Cell>
void step_stack(const Widths& widths, int64_t batch, int64_t H) {
  const Sequence sequence{1, batch, H, false, nullptr, nullptr};
  const int64_t states = batch * H, depth = 3;
  std::vector<std::unique_ptr<Arrays>> arrays;
  const auto make = [&](std::vector<int64_t> sizes) { return arrays.emplace_back(new Arrays(std::move(sizes), false)).get(); };
  std::vector<Layer<Cell>> layers;
  for (int64_t l = 0; l < depth; ++l) {
    Arrays* in = make(joined(times(widths.kernels, H * H), times(widths.vectors, H)));
    Arrays* out = make(joined(times(widths.worked, states), times(widths.kept, 0)));
    Arrays* own = make({states, states, states, states, widths.gates * states, widths.gates * H, widths.gates * H * H});
    Step step{0, 0, batch, own->get(0), own->get(1), own->get(2), {0, H}};
    Cell cell(sequence, own->get(4), own->get(3), *in, *out);
    std::optional<InputProduct> input;
    const int gates = static_cast<int>(widths.gates);
    if (l > 0) input = InputProduct{Panels::of(own->get(6), H, H, gates), layers.back().outputs, own->get(5), own->get(4)};
    layers.push_back({std::move(input), std::move(cell), step, own->get(3)});
  }
  std::vector<std::thread> threads;
  StackStep<Cell>::run(std::move(layers), {3, [&](std::function<void()> task) { threads.emplace_back(std::move(task)); }});
  for (std::thread& thread : threads) thread.join();
  require_finite(*arrays.back(), 3, "a step of a stack");
}

template <class Fwd, class Bwd>
void sweep(const Widths& widths) {
  for (int64_t hidden : {1, 3, 15, 16, 17, 33, 64, 70}) {
    for (int64_t batch : {1, 2, 7, 25}) {
      step_stack<Fwd>(widths, batch, hidden);
      for (int64_t time : {1, 3}) {
        std::unique_ptr<bool[]> flags(new bool[time * batch]);
        for (int64_t i = 0; i < time * batch; ++i) flags[i] = i % 3 == 0;
        for (int variant = 0; variant < 8; ++variant) {
          const bool* masks = variant & 1 ? flags.get() : nullptr;
          sweep_one<Fwd, Bwd>(widths, {time, batch, hidden, (variant & 2) != 0, masks, masks}, (variant & 4) != 0);
        }
      }
    }
  }
}

}  // namespace
}  // namespace seqnets

int main() {
  using namespace seqnets;
  sweep<LstmForward, LstmBackward>({4, {4}, {}, {}, {4}, {}});
  sweep<VanillaForward<Tanh>, VanillaBackward<Tanh>>({1, {1}, {}, {}, {}, {}});
  sweep<VanillaForward<Relu>, VanillaBackward<Relu>>({1, {1}, {}, {}, {}, {}});
  sweep<GruResetAfterForward, GruResetAfterBackward>({3, {3}, {1}, {}, {3, 1}, {3}});
  sweep<GruResetBeforeForward, GruResetBeforeBackward>({3, {2, 1}, {}, {3, 1}, {}, {}});
  sweep<HighwayForward, HighwayBackward>({2, {2}, {0}, {}, {2}, {}});
  sweep<HighwayForward, HighwayBackward>({2, {2, 2, 2}, {4}, {1, 1}, {2, 2, 2}, {2, 2}});
  std::puts("clean");
}
