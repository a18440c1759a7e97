// Vectors of floats as wide as the machine's registers, and the activations on them. The compiler's vector extensions carry them
// to any instruction set.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace seqnets {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kRegisters = 32;
#elif defined(__AVX__)
constexpr int kLanes = 8;
constexpr int kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kLanes = 4;
constexpr int kRegisters = 32;
#else
constexpr int kLanes = 4;
constexpr int kRegisters = 16;
#endif

typedef float Vector __attribute__((vector_size(kLanes * 4)));
typedef int32_t Integers __attribute__((vector_size(kLanes * 4)));
typedef float Unaligned __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

inline Vector all(float x) { return x - Vector{}; }  // x - 0 is x, -0 included: no instruction but the broadcast

// Hidden units of a matrix's columns or a layer.
struct Units {
  int64_t begin, end;
};

// The last vector of a row may stand over its end: `lanes` says how many numbers are there. Code that takes them as `auto` is
// compiled once for whole vectors, without a question asked.
using Full = std::integral_constant<int64_t, kLanes>;

inline Vector load(const float* from, int64_t lanes = kLanes) {
  if (lanes == kLanes) return *reinterpret_cast<const Unaligned*>(from);
  Vector x = {};
  std::memcpy(&x, from, lanes * sizeof(float));
  return x;
}

inline void store(float* to, Vector x, int64_t lanes = kLanes) {
  if (lanes == kLanes) {
    *reinterpret_cast<Unaligned*>(to) = x;
  } else {
    std::memcpy(to, &x, lanes * sizeof(float));
  }
}

inline Vector clamp(Vector x, float low, float high) {  // a NaN stays one
#if defined(__AVX512F__)                                // compilers do not find these instructions by themselves
  return _mm512_min_ps(all(high), _mm512_max_ps(all(low), x));
#elif defined(__AVX__)
  return _mm256_min_ps(all(high), _mm256_max_ps(all(low), x));
#else
  x = x < low ? all(low) : x;
  return x > high ? all(high) : x;
#endif
}

// Calls body(row, unit, lanes) for every vector of a `rows x width` matrix.
template <class Body>
void over_units(int64_t rows, int64_t width, Body body) {
  for (int64_t row = 0; row < rows; ++row) {
    int64_t unit = 0;
    for (; unit + kLanes <= width; unit += kLanes) body(row, unit, Full{});
    if (unit < width) body(row, unit, width - unit);
  }
}

// exp(x) = power * (1 + rest) with power = 2^n, |log(1 + rest)| <= log(2) / 2 and `rest` accurate near 0. |x| <= 87.
struct Exponential {
  Vector power, rest;
};

inline Exponential exponential(Vector x) {
  const float to_integer = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer and leaves that in the low bits
  const Vector shifted = x * 1.44269504f + to_integer;
  const Vector n = shifted - to_integer;
  const Vector r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vector q = r * 1.9875691500e-4f + 1.3981999507e-3f;  // Cephes' polynomial
  q = q * r + 8.3334519073e-3f;
  q = q * r + 4.1665795894e-2f;
  q = q * r + 1.6666665459e-1f;
  q = q * r + 5.0000001201e-1f;
  return {(Vector)(((Integers)shifted << 23) + (127 << 23)), q * (r * r) + r};
}

// Both activations err by at most 4 units in the last place (measured against float64 by the tests).
inline Vector sigmoid(Vector x) {
  const Exponential e = exponential(clamp(-x, -87.0f, 87.0f));
  return 1.0f / (1.0f + (e.power * e.rest + e.power));
}

inline Vector tanh(Vector x) {
  const Exponential e = exponential(clamp(x + x, -20.0f, 20.0f));
  const Vector less_one = e.power * e.rest + (e.power - 1.0f);  // exp(2x) - 1 without cancellation
  return less_one / (less_one + 2.0f);
}

}  // namespace seqnets
