// What XLA calls: for every cell a forward and a backward function over time, and a step of layers on top of each other.
//
// Forward   arguments: projected, resets, valid, the first state's parts, then what the cell's constructor reads (kernels, vectors)
//           results:   outputs, the last state's parts, the state before every step for each of them, then what the cell keeps
// Backward  arguments: d_outputs, resets, valid, gradients of the last state's parts, first hidden, outputs, hidden before every step,
//                      then what the cell's constructor reads (kernels, what it kept)
//           results:   d_projected, gradients of the first state's parts, then what the cell adds
// Step      arguments: projected, then of every layer: the state's parts, the kernel of the input and its bias, which the lowest has
//                      not, then what the cell's constructor reads; all kernels as `pack` wrote them
//           results:   of every layer: the state's parts, the projected input, which the lowest has not, then what the cell works in
//
// An LSTM's state has two parts, memory (its cell) and hidden, every other state one. An array that is not needed is empty.
#include <atomic>

#include "gru_reset_after.h"
#include "gru_reset_before.h"
#include "highway.h"
#include "lstm.h"
#include "stack_step.h"
#include "vanilla.h"
#include "xla/ffi/api/ffi.h"

namespace seqnets {
namespace {

namespace ffi = xla::ffi;

std::atomic<int64_t> thread_limit{0};  // 0: as many as XLA's pool has

template <class List>
ffi::AnyBuffer buffer(const List& list, size_t i) {
  if constexpr (std::is_same_v<List, ffi::RemainingArgs>) {
    return list.template get<ffi::AnyBuffer>(i).value();
  } else {
    return *list.template get<ffi::AnyBuffer>(i).value();
  }
}

// Takes arguments or results one after the other; an empty array is null.
template <class List>
class Reader {
 public:
  Reader(const List& list, bool training) : Reader(list, training, false, 0, list.size()) {}
  // Of a step: the arrays from `begin` to `end`, kernels as `pack` wrote them.
  static Reader of_step(const List& list, size_t begin, size_t end) { return Reader(list, false, true, begin, end); }

  float* floats() { return next<float>(); }
  const bool* flags() { return next<bool>(); }
  Panels panels(int64_t depth, int64_t units, int gates) {
    float* kernel = floats();
    return packed_ ? Panels::at(kernel, depth, units, gates) : Panels::of(kernel, depth, units, gates);
  }
  int64_t remaining() const { return end_ - next_; }
  bool training() const { return training_; }

 private:
  template <class Number>
  Number* next() {
    ffi::AnyBuffer taken = buffer(list_, next_++);
    return taken.element_count() == 0 ? nullptr : static_cast<Number*>(taken.untyped_data());
  }

  Reader(const List& list, bool training, bool packed, size_t begin, size_t end)
      : list_(list), training_(training), packed_(packed), next_(begin), end_(end) {}

  const List& list_;
  bool training_, packed_;
  size_t next_, end_;
};

Workers workers_of(ffi::ThreadPool pool) {
  const int64_t threads = thread_limit > 0 ? thread_limit.load() : std::max<int64_t>(1, pool.num_threads());
  return {threads, [pool](std::function<void()> task) mutable { pool.Schedule(std::move(task)); }};
}

// Runs body(rows) over the batch; a call too small to be worth a second thread stays on this one.
template <class Run>
void over_batch(ffi::ThreadPool pool, const Sequence& sequence, const Run& run) {
  const Workers workers = workers_of(pool);
  const double products = static_cast<double>(sequence.time) * sequence.batch * sequence.hidden * sequence.hidden;
  Split::run(sequence.batch, static_cast<int64_t>(products / 2e5) + 1, workers, [&](Rows rows) { run.run(rows); });
}

template <class Run>
ffi::Error guarded(Run run) {
  try {
    run();
    return ffi::Error::Success();
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "seqnets: out of memory for a recurrent kernel's panels");
  }
}

// (T, B, ...) is the shape of the first argument, (B, H) that of the state behind the masks.
template <class Arguments>
Sequence sequence_of(const ffi::RemainingArgs& arguments, Arguments& in, bool reverse) {
  const auto time_major = buffer(arguments, 0).dimensions(), state = buffer(arguments, 3).dimensions();
  const bool *resets = in.flags(), *valid = in.flags();
  return {time_major[0], time_major[1], state[1], reverse, resets, valid};
}

template <class Cell>
ffi::Error forward(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets rets, bool reverse, bool training) {
  return guarded([&] {
    Reader<ffi::RemainingArgs> in(args, training);
    Reader<ffi::RemainingRets> out(rets, training);
    const float* projected = in.floats();
    const Sequence sequence = sequence_of(args, in, reverse);
    State memory, hidden;
    if (Cell::kHasMemory) memory.first = in.floats();
    hidden.first = in.floats();
    float* outputs = out.floats();
    if (Cell::kHasMemory) memory.last = out.floats();
    hidden.last = out.floats();
    if (Cell::kHasMemory) memory.befores = out.floats();
    hidden.befores = out.floats();
    const Cell cell(sequence, projected, outputs, in, out);
    over_batch(pool, sequence, Forward<Cell>(sequence, cell, outputs, hidden, memory));
  });
}

template <class Cell>
ffi::Error backward(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets rets, bool reverse, bool training) {
  return guarded([&] {
    Reader<ffi::RemainingArgs> in(args, training);
    Reader<ffi::RemainingRets> out(rets, training);
    const float* d_outputs = in.floats();
    const Sequence sequence = sequence_of(args, in, reverse);
    StateGradient memory, hidden;
    if (Cell::kHasMemory) memory.last = in.floats();
    hidden.last = in.floats();
    Hidden befores;
    befores.first = in.floats();
    befores.outputs = in.floats();
    befores.befores = in.floats();
    float* d_projected = out.floats();
    if (Cell::kHasMemory) memory.first = out.floats();
    hidden.first = out.floats();
    const Cell cell(sequence, befores.outputs, d_projected, in, out);
    over_batch(pool, sequence, Backward<Cell>(sequence, cell, d_outputs, befores, hidden, memory));
  });
}

constexpr int64_t kNumbersWorthAThread = 1 << 18;  // a megabyte: to read it takes about 10 microseconds
constexpr int64_t kRowsAsLongAsReading = 4;

// The lowest layer's input is `projected`; of another, its kernel multiplies what the layer below puts out.
template <class Cell>
Layer<Cell> layer_of(const Sequence& sequence, const float* projected, int gates, const float* below,
                     Reader<ffi::RemainingArgs> in, Reader<ffi::RemainingRets> out) {
  Step step{0, 0, sequence.batch, nullptr, nullptr, nullptr, {0, sequence.hidden}};
  if (Cell::kHasMemory) step.memory = in.floats(), step.memory_after = out.floats();
  step.hidden = in.floats();
  float* outputs = out.floats();
  Panels kernel = in.panels(sequence.hidden, sequence.hidden, gates);
  const float* bias = in.floats();
  float* own = out.floats();
  Cell cell(sequence, below == nullptr ? projected : own, outputs, in, out);
  if (below == nullptr) return {std::nullopt, std::move(cell), step, outputs};
  return {InputProduct{std::move(kernel), below, bias, own}, std::move(cell), step, outputs};
}

template <class Cell>
ffi::Error step(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets rets, int64_t layers) {
  return guarded([&] {
    const auto inputs = buffer(args, 0).dimensions(), state = buffer(args, 1).dimensions();
    const Sequence sequence{1, state[0], state[1], false, nullptr, nullptr};
    const float* projected = static_cast<float*>(buffer(args, 0).untyped_data());
    const size_t taken = (args.size() - 1) / layers, given = rets.size() / layers;
    std::vector<Layer<Cell>> stack;
    for (size_t l = 0; l < static_cast<size_t>(layers); ++l) {
      auto in = Reader<ffi::RemainingArgs>::of_step(args, 1 + l * taken, 1 + (l + 1) * taken);
      auto out = Reader<ffi::RemainingRets>::of_step(rets, l * given, (l + 1) * given);
      const float* below = l == 0 ? nullptr : stack.back().outputs;
      stack.push_back(layer_of<Cell>(sequence, projected, static_cast<int>(inputs[1] / state[1]), below, in, out));
    }
    int64_t numbers = 0;
    for (size_t i = 0; i < args.size(); ++i) numbers += buffer(args, i).element_count();
    numbers *= std::max<int64_t>(1, sequence.batch / kRowsAsLongAsReading);
    Workers workers = workers_of(pool);
    workers.threads = std::clamp<int64_t>(numbers / kNumbersWorthAThread, 1, workers.threads);
    StackStep<Cell>::run(std::move(stack), workers);
  });
}

using Numbers = ffi::Buffer<ffi::F32>;

ffi::Error pack(ffi::ThreadPool pool, Numbers kernel, ffi::Result<Numbers> packed, int64_t units) {
  const int64_t depth = kernel.dimensions()[0], width = kernel.dimensions()[1];
  const Panels panels = Panels::at(packed->typed_data(), depth, units, static_cast<int>(width / units));
  const int64_t all = (units + panels.units_a_panel() - 1) / panels.units_a_panel();
  Split::run(all, depth * width / kNumbersWorthAThread, workers_of(pool), [&](Rows part) {
    const int64_t end = std::min(units, part.end * panels.units_a_panel());
    panels.fill_from(kernel.typed_data(), {part.begin * panels.units_a_panel(), end});
  });
  return ffi::Error::Success();
}

#define SEQNETS_FUNCTION(symbol, implementation)                                                                  \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(                                                                                  \
      symbol, implementation,                                                                                     \
      ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().RemainingArgs().RemainingRets().Attr<bool>("reverse").Attr<bool>("training"))

#define SEQNETS_CELL(name, Cell)                                      \
  SEQNETS_FUNCTION(seqnets_##name##_forward, forward<Cell##Forward>); \
  SEQNETS_FUNCTION(seqnets_##name##_backward, backward<Cell##Backward>); \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(                                      \
      seqnets_##name##_step, step<Cell##Forward>,                     \
      ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().RemainingArgs().RemainingRets().Attr<int64_t>("layers"))

using VanillaTanhForward = VanillaForward<Tanh>;
using VanillaTanhBackward = VanillaBackward<Tanh>;
using VanillaReluForward = VanillaForward<Relu>;
using VanillaReluBackward = VanillaBackward<Relu>;

}  // namespace

SEQNETS_CELL(lstm, Lstm);
SEQNETS_CELL(vanilla_tanh, VanillaTanh);
SEQNETS_CELL(vanilla_relu, VanillaRelu);
SEQNETS_CELL(gru_reset_after, GruResetAfter);
SEQNETS_CELL(gru_reset_before, GruResetBefore);
SEQNETS_CELL(highway, Highway);

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    seqnets_pack, pack, ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Numbers>().Ret<Numbers>().Attr<int64_t>("units"));

extern "C" void seqnets_set_threads(int64_t threads) { thread_limit = threads; }

}  // namespace seqnets
