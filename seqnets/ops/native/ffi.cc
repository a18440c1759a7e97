// What XLA calls: one forward and one backward function for every cell.
//
// Forward   arguments: projected, resets, valid, the first state's parts, then what the cell's constructor reads (kernels, vectors)
//           results:   outputs, the last state's parts, the state before every step for each of them, then what the cell keeps
// Backward  arguments: d_outputs, resets, valid, gradients of the last state's parts, first hidden, outputs, hidden before every step,
//                      then what the cell's constructor reads (kernels, what it kept)
//           results:   d_projected, gradients of the first state's parts, then what the cell adds
//
// An LSTM's state has two parts, memory (its cell) and hidden, every other state one. An array that is not needed is empty.
#include <atomic>

#include "gru_reset_after.h"
#include "gru_reset_before.h"
#include "highway.h"
#include "lstm.h"
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
  Reader(const List& list, bool training) : list_(list), training_(training) {}
  float* floats() { return next<float>(); }
  const bool* flags() { return next<bool>(); }
  int64_t remaining() const { return list_.size() - next_; }
  bool training() const { return training_; }

 private:
  template <class Number>
  Number* next() {
    ffi::AnyBuffer taken = buffer(list_, next_++);
    return taken.element_count() == 0 ? nullptr : static_cast<Number*>(taken.untyped_data());
  }

  const List& list_;
  bool training_;
  size_t next_ = 0;
};

// Runs body(rows) over the batch; a call too small to be worth a second thread stays on this one.
template <class Run>
void over_batch(ffi::ThreadPool pool, const Sequence& sequence, const Run& run) {
  Workers workers;
  workers.threads = thread_limit > 0 ? thread_limit.load() : std::max<int64_t>(1, pool.num_threads());
  workers.schedule = [pool](std::function<void()> task) mutable { pool.Schedule(std::move(task)); };
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

#define SEQNETS_FUNCTION(symbol, implementation)                                                                  \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(                                                                                  \
      symbol, implementation,                                                                                     \
      ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().RemainingArgs().RemainingRets().Attr<bool>("reverse").Attr<bool>("training"))

#define SEQNETS_CELL(name, Cell)                                      \
  SEQNETS_FUNCTION(seqnets_##name##_forward, forward<Cell##Forward>); \
  SEQNETS_FUNCTION(seqnets_##name##_backward, backward<Cell##Backward>)

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

extern "C" void seqnets_set_threads(int64_t threads) { thread_limit = threads; }

}  // namespace seqnets
