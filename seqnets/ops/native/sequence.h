// A recurrence over time, forward and backward, for the rows of one thread: resets, ends of sequences and the order of steps are
// here, the arithmetic of a step in the cells.
//
// Arrays are time-major and contiguous: (T, B, ...). A `Step` names rows of them by `at`, the index of the first row at this time.
// A step has one phase or several; each may need all units of the one before, and none of its own beside the unit that it computes.
// A cell reads a number for the last time before it writes to its place: the projected input and the gates kept, and the gates and
// their gradients, may be one array.
#pragma once

#include <cstdint>
#include <cstring>

#include "memory.h"
#include "parallel.h"
#include "vector.h"

namespace seqnets {

struct Sequence {
  int64_t time, batch, hidden;
  bool reverse;
  const bool* resets;  // (T, B), or null together with `valid`
  const bool* valid;   // (T, B)

  bool masked() const { return resets != nullptr; }
  int64_t at(int64_t step, int64_t row) const { return (reverse ? time - 1 - step : step) * batch + row; }
};

struct Step {
  int64_t at, row, rows;  // `row`: the first row's place in the batch
  const float* hidden;    // before this step
  const float* memory;    // the LSTM's cell before this step
  float* memory_after;
  Units units;  // to be computed
};

// One part of the state on its way through time.
struct State {
  const float* first = nullptr;  // (B, H)
  float* last = nullptr;         // (B, H)
  float* befores = nullptr;      // (T, B, H): the state before every step; null where nobody needs it
};

// Where the hidden state before step s is found once all steps are done.
struct Hidden {
  const float* first;    // (B, H)
  const float* outputs;  // (T, B, H)
  const float* befores;  // (T, B, H), kept only where masks make it differ from the outputs

  const float* before(const Sequence& sequence, int64_t s, int64_t row) const {
    if (befores != nullptr) return befores + sequence.at(s, row) * sequence.hidden;
    if (s == 0) return first + row * sequence.hidden;
    return outputs + sequence.at(s - 1, row) * sequence.hidden;
  }
};

inline void copy_rows(float* to, const float* from, int64_t rows, int64_t width) {
  if (to != from && rows > 0) std::memcpy(to, from, rows * width * sizeof(float));
}

inline void clear_rows(float* to, int64_t rows, int64_t width) {
  if (rows > 0) std::memset(to, 0, rows * width * sizeof(float));
}

template <class Cell>
class Forward {
 public:
  Forward(const Sequence& sequence, const Cell& cell, float* outputs, State hidden, State memory)
      : sequence_(sequence), cell_(cell), outputs_(outputs), hidden_(hidden), memory_(memory) {}

  void run(Rows rows) const {
    const int64_t width = sequence_.hidden;
    Buffer memory_after(has_memory() && sequence_.masked() ? rows.count() * width : 0);
    start(hidden_, rows);
    start(memory_, rows);
    for (int64_t s = 0; s < sequence_.time; ++s) {
      float* next = has_memory() ? slot(memory_, s + 1, rows) : nullptr;
      Step step{sequence_.at(s, rows.begin), rows.begin, rows.count(), hidden_before(s, rows), memory_before(s, rows), next, {0, width}};
      if (sequence_.masked() && has_memory()) step.memory_after = memory_after.get();
      for (int phase = 0; phase < cell_.phases(); ++phase) cell_.forward(step, phase);
      if (sequence_.masked()) hand_on(s, rows, step);
    }
    if (!sequence_.masked() && sequence_.time > 0) {
      copy_rows(hidden_.last + rows.begin * width, output(sequence_.time - 1, rows), rows.count(), width);
    }
  }

 private:
  bool has_memory() const { return memory_.last != nullptr; }
  float* output(int64_t s, Rows rows) const { return outputs_ + sequence_.at(s, rows.begin) * sequence_.hidden; }

  // Where the state before step s is kept; after the last step, and where no history is asked for, in `last`.
  float* slot(const State& state, int64_t s, Rows rows) const {
    if (state.befores == nullptr || s == sequence_.time) return state.last + rows.begin * sequence_.hidden;
    return state.befores + sequence_.at(s, rows.begin) * sequence_.hidden;
  }
  const float* memory_before(int64_t s, Rows rows) const { return has_memory() ? slot(memory_, s, rows) : nullptr; }
  const float* hidden_before(int64_t s, Rows rows) const {
    if (sequence_.masked()) return slot(hidden_, s, rows);
    return Hidden{hidden_.first, outputs_, nullptr}.before(sequence_, s, rows.begin);
  }

  void start(const State& state, Rows rows) const {
    if (state.last == nullptr) return;
    const int64_t width = sequence_.hidden;
    float* to = slot(state, 0, rows);
    copy_rows(to, state.first + rows.begin * width, rows.count(), width);
    for (int64_t row = 0; row < rows.count(); ++row) clear_if_reset(0, rows.begin + row, to + row * width);
  }

  void hand_on(int64_t s, Rows rows, const Step& step) const {
    const int64_t width = sequence_.hidden;
    for (int64_t row = 0; row < rows.count(); ++row) {
      const int64_t i = row * width;
      const bool valid = sequence_.valid[step.at + row];
      float* to = slot(hidden_, s + 1, rows) + i;
      copy_rows(to, valid ? output(s, rows) + i : step.hidden + i, 1, width);
      clear_if_reset(s + 1, rows.begin + row, to);
      if (!valid) clear_rows(output(s, rows) + i, 1, width);
      if (!has_memory()) continue;
      to = slot(memory_, s + 1, rows) + i;
      copy_rows(to, (valid ? step.memory_after : step.memory) + i, 1, width);
      clear_if_reset(s + 1, rows.begin + row, to);
    }
  }

  void clear_if_reset(int64_t s, int64_t row, float* to) const {
    if (!sequence_.masked() || s >= sequence_.time) return;
    if (sequence_.resets[sequence_.at(s, row)]) clear_rows(to, 1, sequence_.hidden);
  }

  const Sequence& sequence_;
  const Cell& cell_;
  float* outputs_;
  State hidden_, memory_;
};

// What a cell's backward step turns from gradients of the state after into gradients of the state before.
struct Pull {
  int64_t at, rows;
  const float* hidden;  // before this step
  float* d_hidden;  // (rows, H)
  float* d_memory;  // (rows, H), the LSTM's
};

struct StateGradient {
  const float* last = nullptr;  // (B, H)
  float* first = nullptr;       // (B, H)
};

template <class Cell>
class Backward {
 public:
  Backward(const Sequence& sequence, const Cell& cell, const float* d_outputs, Hidden befores, StateGradient hidden,
           StateGradient memory)
      : sequence_(sequence), cell_(cell), d_outputs_(d_outputs), befores_(befores), states_{hidden, memory} {}

  void run(Rows rows) const {
    const int64_t width = sequence_.hidden, numbers = rows.count() * width;
    Buffer held[2] = {Buffer(sequence_.masked() ? numbers : 0), Buffer(sequence_.masked() ? numbers : 0)};
    for (int k = 0; k < 2; ++k) copy_rows(gradient(k, rows), last(k, rows), rows.count(), width);
    for (int64_t s = sequence_.time - 1; s >= 0; --s) {
      const float* hidden = befores_.before(sequence_, s, rows.begin);
      const Pull pull{sequence_.at(s, rows.begin), rows.count(), hidden, gradient(0, rows), gradient(1, rows)};
      take_in(pull, rows, held);
      cell_.backward(pull);
      if (sequence_.masked()) take_up(s, rows, held);
    }
  }

 private:
  float* gradient(int k, Rows rows) const {
    return states_[k].first == nullptr ? nullptr : states_[k].first + rows.begin * sequence_.hidden;
  }
  const float* last(int k, Rows rows) const {
    return states_[k].last == nullptr ? nullptr : states_[k].last + rows.begin * sequence_.hidden;
  }

  void take_in(const Pull& pull, Rows rows, const Buffer (&held)[2]) const {
    const int64_t width = sequence_.hidden;
    const float* d_output = d_outputs_ + pull.at * width;
    for (int64_t row = 0; row < rows.count(); ++row) {
      if (sequence_.masked() && !sequence_.valid[pull.at + row]) {
        for (int k = 0; k < 2; ++k) set_aside(held[k], gradient(k, rows), row);
      } else {
        for (int64_t i = row * width; i < (row + 1) * width; ++i) pull.d_hidden[i] += d_output[i];
      }
    }
  }

  // A row past its end sends no gradient through the step: what comes goes by.
  void set_aside(const Buffer& held, float* gradient, int64_t row) const {
    if (gradient == nullptr) return;
    const int64_t width = sequence_.hidden;
    copy_rows(held.get() + row * width, gradient + row * width, 1, width);
    clear_rows(gradient + row * width, 1, width);
  }

  void take_up(int64_t s, Rows rows, const Buffer (&held)[2]) const {
    const int64_t width = sequence_.hidden;
    for (int k = 0; k < 2; ++k) {
      float* to = gradient(k, rows);
      for (int64_t row = 0; to != nullptr && row < rows.count(); ++row, to += width) {
        const int64_t at = sequence_.at(s, rows.begin + row);
        if (!sequence_.valid[at]) copy_rows(to, held[k].get() + row * width, 1, width);
        if (sequence_.resets[at]) clear_rows(to, 1, width);
      }
    }
  }

  const Sequence& sequence_;
  const Cell& cell_;
  const float* d_outputs_;
  Hidden befores_;
  StateGradient states_[2];
};

}  // namespace seqnets
