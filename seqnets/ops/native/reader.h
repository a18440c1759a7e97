// The arrays of a call, taken one after the other, each held against the shape that it must have: what is taken here may be read and
// written without another question.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "product.h"
#include "sequence.h"
#include "xla/ffi/api/ffi.h"

namespace seqnets {

using Dims = std::initializer_list<int64_t>;

struct Mismatch : std::runtime_error {
  explicit Mismatch(const std::string& what) : std::runtime_error("seqnets: " + what) {}
};

inline void require(bool holds, const char* what) {
  if (!holds) throw Mismatch(what);
}

constexpr int64_t kPackedLanes = 16;  // units of a packed kernel are padded to a multiple of it, whatever this machine's registers hold

inline int64_t packed_size(int64_t depth, int64_t units, int gates) {
  return (units + kPackedLanes - 1) / kPackedLanes * kPackedLanes * gates * depth;
}

template <class List>
class Reader {
 public:
  Reader(const List& list, bool training) : Reader(list, training, false, 0, list.size()) {}
  // Of a step: the arrays from `begin` to `end`, kernels as `pack` wrote them.
  static Reader of_step(const List& list, size_t begin, size_t end) { return Reader(list, false, true, begin, end); }

  // An array of no numbers is null.
  float* floats(Dims dims) { return static_cast<float*>(next(xla::ffi::F32, dims)); }
  const bool* flags(Dims dims) { return static_cast<const bool*>(next(xla::ffi::PRED, dims)); }
  // What only the backward pass needs.
  float* kept(Dims dims) { return training_ ? floats(dims) : none(); }
  // What a cell works in: all steps where there is a backward pass, else one.
  float* worked(const Sequence& sequence, int64_t width) {
    if (packed_) return floats({sequence.batch, width});
    return floats({training_ ? sequence.time : 1, sequence.batch, width});
  }
  float* none() { return floats({0}); }
  Panels panels(int64_t depth, int64_t units, int gates) {
    if (packed_) return Panels::at(floats({packed_size(depth, units, gates)}), depth, units, gates);
    return Panels::of(floats({depth, gates * units}), depth, units, gates);
  }

  // The sizes of the array that lies `ahead` of the next one.
  xla::ffi::AnyBuffer::Dimensions dims(size_t ahead, size_t rank) const {
    const auto found = at(next_ + ahead).dimensions();
    if (found.size() != rank) throw Mismatch(described(next_ + ahead, found) + " instead of " + std::to_string(rank) + " axes");
    return found;
  }
  int64_t remaining() const { return static_cast<int64_t>(end_ - next_); }
  void finish() const { require(remaining() == 0, "there are more arrays than this function takes"); }
  bool training() const { return training_; }

 private:
  Reader(const List& list, bool training, bool packed, size_t begin, size_t end)
      : list_(list), training_(training), packed_(packed), next_(begin), end_(end) {}

  xla::ffi::AnyBuffer at(size_t i) const {
    require(i < end_, "there are fewer arrays than this function takes");
    auto found = list_.template get<xla::ffi::AnyBuffer>(i);
    require(found.has_value(), "an argument or result is no array");
    if constexpr (std::is_same_v<List, xla::ffi::RemainingArgs>) {
      return found.value();
    } else {
      return *found.value();
    }
  }

  void* next(xla::ffi::DataType type, Dims dims) {
    const xla::ffi::AnyBuffer taken = at(next_);
    const auto found = taken.dimensions();
    const bool none = std::find(dims.begin(), dims.end(), 0) != dims.end();
    if (none ? taken.element_count() != 0 : !std::equal(dims.begin(), dims.end(), found.begin(), found.end())) {
      throw Mismatch(described(next_, found) + " instead of " + listed(dims));
    }
    if (!none && taken.element_type() != type) throw Mismatch(described(next_, found) + " of another type than its own");
    ++next_;
    return none ? nullptr : taken.untyped_data();
  }

  template <class Sizes>
  static std::string listed(const Sizes& sizes) {
    std::string text;
    for (int64_t size : sizes) text += (text.empty() ? "" : ", ") + std::to_string(size);
    return "(" + text + ")";
  }

  template <class Sizes>
  static std::string described(size_t i, const Sizes& sizes) {
    const char* kind = std::is_same_v<List, xla::ffi::RemainingArgs> ? "argument " : "result ";
    return kind + std::to_string(i) + " has the shape " + listed(sizes);
  }

  const List& list_;
  bool training_, packed_;
  size_t next_, end_;
};

}  // namespace seqnets
