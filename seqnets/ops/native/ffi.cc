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
#include "reader.h"
#include "stack_step.h"
#include "vanilla.h"
#include "xla/ffi/api/ffi.h"

namespace seqnets {
namespace {

namespace ffi = xla::ffi;

std::atomic<int64_t> thread_limit{0};  // 0: as many as XLA's pool has

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

// Whatever does not fit is refused before anything is read or written.
template <class Run>
ffi::Error guarded(Run run) {
  try {
    run();
    return ffi::Error::Success();
  } catch (const Mismatch& mismatch) {
    return ffi::Error(ffi::ErrorCode::kInvalidArgument, mismatch.what());
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "seqnets: out of memory for a recurrent kernel's panels");
  }
}

using In = Reader<ffi::RemainingArgs>;
using Out = Reader<ffi::RemainingRets>;

// (T, B, gates * H) is the shape of the array in front, (B, H) that of the state behind the masks.
Sequence sizes_of(const In& in, bool reverse) {
  const auto time_major = in.dims(0, 3), state = in.dims(3, 2);
  return {time_major[0], time_major[1], state[1], reverse, nullptr, nullptr};
}

// Both masks, or neither.
void read_masks(Sequence& sequence, In& in) {
  const auto first = in.dims(0, 2);
  const Dims dims = {first[0] == 0 ? 0 : sequence.time, sequence.batch};
  sequence.resets = in.flags(dims), sequence.valid = in.flags(dims);
}

template <class Cell>
ffi::Error forward(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets rets, bool reverse, bool training) {
  return guarded([&] {
    In in(args, training);
    Out out(rets, training);
    Sequence sequence = sizes_of(in, reverse);
    const int64_t T = sequence.time, B = sequence.batch, H = sequence.hidden;
    const float* projected = in.floats({T, B, Cell::kGates * H});
    read_masks(sequence, in);
    State memory, hidden;
    if (Cell::kHasMemory) memory.first = in.floats({B, H});
    hidden.first = in.floats({B, H});
    float* outputs = out.floats({T, B, H});
    if (Cell::kHasMemory) memory.last = out.floats({B, H});
    hidden.last = out.floats({B, H});
    if (Cell::kHasMemory) memory.befores = out.kept({T, B, H});
    hidden.befores = sequence.masked() ? out.kept({T, B, H}) : out.none();
    const Cell cell(sequence, projected, outputs, in, out);
    in.finish(), out.finish();
    over_batch(pool, sequence, Forward<Cell>(sequence, cell, outputs, hidden, memory));
  });
}

template <class Cell>
ffi::Error backward(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets rets, bool reverse, bool training) {
  return guarded([&] {
    require(training, "a backward pass is one of training");
    In in(args, training);
    Out out(rets, training);
    Sequence sequence = sizes_of(in, reverse);
    const int64_t T = sequence.time, B = sequence.batch, H = sequence.hidden;
    const float* d_outputs = in.floats({T, B, H});
    read_masks(sequence, in);
    StateGradient memory, hidden;
    if (Cell::kHasMemory) memory.last = in.floats({B, H});
    hidden.last = in.floats({B, H});
    Hidden befores;
    befores.first = in.floats({B, H});
    befores.outputs = in.floats({T, B, H});
    befores.befores = sequence.masked() ? in.floats({T, B, H}) : in.none();
    float* d_projected = out.floats({T, B, Cell::kGates * H});
    if (Cell::kHasMemory) memory.first = out.floats({B, H});
    hidden.first = out.floats({B, H});
    const Cell cell(sequence, befores.outputs, d_projected, in, out);
    in.finish(), out.finish();
    over_batch(pool, sequence, Backward<Cell>(sequence, cell, d_outputs, befores, hidden, memory));
  });
}

constexpr int64_t kNumbersWorthAThread = 1 << 18;  // a megabyte: to read it takes about 10 microseconds
constexpr int64_t kRowsAsLongAsReading = 4;

// The lowest layer's input is `projected`; of another, its kernel multiplies what the layer below puts out.
template <class Cell>
Layer<Cell> layer_of(const Sequence& sequence, const float* projected, const Layer<Cell>* below, In in, Out out) {
  const int64_t B = sequence.batch, H = sequence.hidden, width = Cell::kGates * H;
  Step step{0, 0, B, nullptr, nullptr, nullptr, {0, H}};
  if (Cell::kHasMemory) step.memory = in.floats({B, H}), step.memory_after = out.floats({B, H});
  step.hidden = in.floats({B, H});
  float* outputs = out.floats({B, H});
  std::optional<InputProduct> input;
  if (below == nullptr) {
    in.none(), in.none(), out.none();
  } else {
    Panels kernel = in.panels(H, H, Cell::kGates);
    const float* bias = in.floats({width});
    input = InputProduct{std::move(kernel), below->outputs, bias, out.floats({B, width})};
  }
  Cell cell(sequence, below == nullptr ? projected : input->projected, outputs, in, out);
  in.finish();
  while (out.remaining() > 0) out.none();  // what a backward pass would need
  return {std::move(input), std::move(cell), step, outputs};
}

template <class Cell>
ffi::Error step(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets rets, int64_t layers) {
  return guarded([&] {
    In first(args, false);
    require(layers > 0 && (first.remaining() - 1) % layers == 0 && rets.size() % layers == 0, "each layer takes as many arrays");
    const auto inputs = first.dims(0, 2), state = first.dims(1, 2);
    const Sequence sequence{1, inputs[0], state[1], false, nullptr, nullptr};
    const float* projected = first.floats({sequence.batch, Cell::kGates * sequence.hidden});
    const size_t taken = (args.size() - 1) / layers, given = rets.size() / layers;
    std::vector<Layer<Cell>> stack;
    stack.reserve(layers);
    for (size_t l = 0; l < static_cast<size_t>(layers); ++l) {
      stack.push_back(layer_of<Cell>(sequence, projected, l == 0 ? nullptr : &stack.back(),
                                     In::of_step(args, 1 + l * taken, 1 + (l + 1) * taken), Out::of_step(rets, l * given, (l + 1) * given)));
    }
    int64_t numbers = 0;
    for (size_t i = 0; i < args.size(); ++i) numbers += args.get<ffi::AnyBuffer>(i).value().element_count();
    numbers *= std::max<int64_t>(1, sequence.batch / kRowsAsLongAsReading);
    Workers workers = workers_of(pool);
    workers.threads = std::clamp<int64_t>(numbers / kNumbersWorthAThread, 1, workers.threads);
    StackStep<Cell>::run(std::move(stack), workers);
  });
}

using Numbers = ffi::Buffer<ffi::F32>;

ffi::Error pack(ffi::ThreadPool pool, Numbers kernel, ffi::Result<Numbers> packed, int64_t units) {
  return guarded([&] {
    require(kernel.dimensions().size() == 2 && packed->dimensions().size() == 1, "a kernel has two axes, a packed one has one");
    const int64_t depth = kernel.dimensions()[0], width = kernel.dimensions()[1];
    require(units > 0 && depth == units && width % units == 0, "no kernel of that many units");
    const int gates = static_cast<int>(width / units);
    require(static_cast<int64_t>(packed->element_count()) == packed_size(depth, units, gates),
            "the packed kernel has another size");
    const Panels panels = Panels::at(packed->typed_data(), depth, units, gates);
    const int64_t all = (units + panels.units_a_panel() - 1) / panels.units_a_panel();
    Split::run(all, depth * width / kNumbersWorthAThread, workers_of(pool), [&](Rows part) {
      const int64_t end = std::min(units, part.end * panels.units_a_panel());
      panels.fill_from(kernel.typed_data(), {part.begin * panels.units_a_panel(), end});
    });
  });
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
