// Scratch memory, aligned to cache lines.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace seqnets {

class Buffer {
 public:
  explicit Buffer(int64_t numbers = 0) : data_(allocate(numbers)) {}
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~Buffer() { std::free(data_); }
  float* get() const { return data_; }

 private:
  static float* allocate(int64_t numbers) {
    if (numbers == 0) return nullptr;
    const size_t bytes = (numbers * sizeof(float) + 63) / 64 * 64;
    void* data = std::aligned_alloc(64, bytes);
    if (data == nullptr) throw std::bad_alloc();
    return static_cast<float*>(data);
  }
  float* data_;
};

}  // namespace seqnets
