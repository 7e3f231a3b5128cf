// One vector type, Vec<T> for T float or double, whose operations mean the same on every target.
//
// A target file defines RECURRA_NAMESPACE and one RECURRA_SIMD_... macro and then includes the kernels, so everything
// here exists once per target in that target's namespace. Nothing of the standard library is inlined here: the linker
// keeps one copy of each inline function, and it could be the one that was compiled for another CPU.
//
//   Vec<T>::lanes                      number of elements
//   load(p), load_part(p, n)           n < lanes elements, the rest zero
//   store(p), store_part(p, n)
//   set(value), set_bits(integer)      the same value in every lane
//   + - * /, fma(a, b, c) = a * b + c and fnma(a, b, c) = c - a * b rounded once, min, max, abs, sqrt, round (to even)
//   max(a, b), min(a, b)               b where either is NaN
//   less(a, b) -> Mask, select(mask, a, b)
//   keep(a)                            has the compiler hold it in a register, where it would read memory again
//   bits_and, bits_or, copy_sign(a, sign), int_add, shift_left<S>, shift_right<S>   on the bits of each lane
#pragma once

#include <cstdint>
#include <cstring>

#if defined(_MSC_VER)
#define RECURRA_INLINE __forceinline
#define RECURRA_APART __declspec(noinline)
#define RECURRA_UNROLL
#define RECURRA_PREFETCH(p)
#define RECURRA_PREFETCH_WRITE(p)
#define RECURRA_KEEP(v)
#else
#define RECURRA_INLINE inline __attribute__((always_inline))
#define RECURRA_APART __attribute__((noinline))
#define RECURRA_UNROLL _Pragma("GCC unroll 16")
#define RECURRA_PREFETCH(p) __builtin_prefetch(p)
#define RECURRA_PREFETCH_WRITE(p) __builtin_prefetch(p, 1)
#define RECURRA_KEEP(v) asm("" : "+v"(v))
#endif

namespace recurra::RECURRA_NAMESPACE {

// Layout of a float type: IntType of its size, bits of the mantissa, exponent bias.
template <typename T>
struct Format;
template <>
struct Format<float> {
  using Int = uint32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr int bias = 127;
};
template <>
struct Format<double> {
  using Int = uint64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr int bias = 1023;
};

template <typename T>
struct Vec;

}  // namespace recurra::RECURRA_NAMESPACE

#if defined(RECURRA_SIMD_AVX512) && defined(RECURRA_AVX512_IN_PAIRS)
#include "../tests/simd_in_pairs.h"
#elif defined(RECURRA_SIMD_AVX512)
#include "simd_avx512.h"
#elif defined(RECURRA_SIMD_AVX2)
#include "simd_avx2.h"
#elif defined(RECURRA_SIMD_NEON)
#include "simd_neon.h"
#else
#include "simd_generic.h"
#endif
