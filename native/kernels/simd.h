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
//   quotient(a, b)                     a / b where 1/2 <= b <= 2 and |a| <= 2 b
//   max(a, b), min(a, b)               b where either is NaN
//   less(a, b) -> Mask, select(mask, a, b)
//   keep(a)                            has the compiler hold it in a register, where it would read memory again
//   bits_and, bits_or, copy_sign(a, sign), int_add, shift_left<S>, shift_right<S>   on the bits of each lane
#pragma once

#include <cstdint>
#include <cstring>

#if defined(_MSC_VER)
#define RECURRA_INLINE __forceinline
#define RECURRA_UNROLL
#define RECURRA_PREFETCH_WRITE(p)
#define RECURRA_KEEP(v)
#else
#define RECURRA_INLINE inline __attribute__((always_inline))
#define RECURRA_UNROLL _Pragma("GCC unroll 16")
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

template <typename T>
RECURRA_INLINE Vec<T> quotient(Vec<T> a, Vec<T> b) {  // a target whose division is slow has its own
  return a / b;
}

// a / b as the CPU's own division rounds it, from 1 / b to within 2^-14: Markstein's method (IBM Journal of Research
// and Development 34, 1990). 2^-26 too much in the inverse keeps it from being rounded down, after which a few
// quotients would be an ulp off. native/tests/quotient_check.cpp tries it with all that sigmoid and tanh divide.
template <typename V>
RECURRA_INLINE V quotient_from(V a, V b, V inverse) {
  const V error = fnma(b, inverse, V::set(1.0f)) + V::set(0x1p-26f);
  inverse = fma(inverse, error, inverse);
  const V quotient = a * inverse;
  return fma(fnma(b, quotient, a), inverse, quotient);
}

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
