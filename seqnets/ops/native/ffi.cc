// What XLA calls. Arguments: projected, resets, valid, the state's parts, kernels, vectors. Results: outputs, the state's parts,
// and in training what the backward pass needs. Backward, see each cell. `resets` and `valid` are empty where there are none.
#include <atomic>
#include <vector>

#include "lstm.h"
#include "xla/ffi/api/ffi.h"

namespace seqnets {
namespace {

namespace ffi = xla::ffi;

std::atomic<int64_t> thread_limit{0};  // 0: as many as XLA's pool has

// Takes arguments or results one after the other.
template <class List>
class Reader {
 public:
  explicit Reader(const List& list) : list_(list) {}
  float* floats() { return done() ? nullptr : static_cast<float*>(untyped(next_++)); }
  const bool* flags() {
    const bool empty = dimensions(next_)[0] == 0;
    const void* data = untyped(next_++);
    return empty ? nullptr : static_cast<const bool*>(data);
  }
  ffi::Span<const int64_t> dimensions(size_t i) { return value(i).dimensions(); }
  bool done() const { return next_ == list_.size(); }

 private:
  void* untyped(size_t i) { return value(i).untyped_data(); }
  ffi::AnyBuffer value(size_t i) {
    if constexpr (std::is_same_v<List, ffi::RemainingArgs>) {
      return list_.template get<ffi::AnyBuffer>(i).value();
    } else {
      return *list_.template get<ffi::AnyBuffer>(i).value();
    }
  }
  const List& list_;
  size_t next_ = 0;
};

using Arguments = Reader<ffi::RemainingArgs>;
using Results = Reader<ffi::RemainingRets>;

// Runs body(rows) over the batch; a call too small to be worth a second thread stays on this one.
template <class Body>
void over_batch(ffi::ThreadPool pool, const Sequence& sequence, int64_t kernel_size, Body body) {
  Workers workers;
  workers.threads = thread_limit > 0 ? thread_limit.load() : std::max<int64_t>(1, pool.num_threads());
  workers.schedule = [pool](std::function<void()> task) mutable { pool.Schedule(std::move(task)); };
  const double products = static_cast<double>(sequence.time) * sequence.batch * kernel_size;
  const int64_t worthwhile = static_cast<int64_t>(products / 1e6) + 1;
  Split::run(sequence.batch, worthwhile, workers, body);
}

// The axes are those of the array at `position`, (T, B, ...); H is the last axis of the state that follows the masks.
template <class List>
Sequence sequence_of(Reader<List>& arguments, bool reverse, const bool* resets, const bool* valid) {
  const auto time_major = arguments.dimensions(0), state = arguments.dimensions(3);
  return {time_major[0], time_major[1], state[1], reverse, resets, valid};
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

ffi::Error lstm_forward(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets rets, bool reverse) {
  return guarded([&] {
    Arguments in(args);
    Results out(rets);
    const float* projected = in.floats();
    const bool *resets = in.flags(), *valid = in.flags();
    const Sequence sequence = sequence_of(in, reverse, resets, valid);
    State memory{in.floats()}, hidden{in.floats()};
    Panels kernel = Panels::of(in.floats(), sequence.hidden, sequence.hidden, 4);
    float* outputs = out.floats();
    memory.last = out.floats();
    hidden.last = out.floats();
    const LstmForward cell{std::move(kernel), projected, outputs, out.floats()};
    memory.befores = out.floats();
    hidden.befores = out.floats();
    const Forward<LstmForward> forward(sequence, cell, outputs, hidden, memory);
    over_batch(pool, sequence, sequence.hidden * sequence.hidden * 4, [&](Rows rows) { forward.run(rows); });
  });
}

// Arguments: the outputs' gradient, resets, valid, the last state's gradient, the kernel, gates, memories.
// Results: gradients of the projected input and of the first state.
ffi::Error lstm_backward(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets rets, bool reverse) {
  return guarded([&] {
    Arguments in(args);
    Results out(rets);
    const float* d_outputs = in.floats();
    const bool *resets = in.flags(), *valid = in.flags();
    const Sequence sequence = sequence_of(in, reverse, resets, valid);
    StateGradient memory{in.floats()}, hidden{in.floats()};
    Panels transposed = Panels::of_transposed(in.floats(), 4 * sequence.hidden, sequence.hidden);
    const float *gates = in.floats(), *memories = in.floats();
    const LstmBackward cell{std::move(transposed), gates, memories, out.floats()};
    memory.first = out.floats();
    hidden.first = out.floats();
    const Backward<LstmBackward> backward(sequence, cell, d_outputs, hidden, memory);
    over_batch(pool, sequence, sequence.hidden * sequence.hidden * 4, [&](Rows rows) { backward.run(rows); });
  });
}

#define SEQNETS_BINDING \
  ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().RemainingArgs().RemainingRets().Attr<bool>("reverse")

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(seqnets_lstm_forward, lstm_forward, SEQNETS_BINDING);
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqnets_lstm_backward, lstm_backward, SEQNETS_BINDING);

extern "C" void seqnets_set_threads(int64_t threads) { thread_limit = threads; }

}  // namespace seqnets
