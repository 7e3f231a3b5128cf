// Vec<T> of AVX-512's width from two vectors of AVX2, in place of simd_avx512.h: what the kernels do with 16 floats can
// then be checked on every x86-64 CPU (the instructions themselves cannot).
#pragma once

// simd_avx2.h, a namespace deeper.
#pragma push_macro("RECURRA_NAMESPACE")
#undef RECURRA_NAMESPACE
#define RECURRA_NAMESPACE avx512::half
namespace recurra::RECURRA_NAMESPACE {
template <typename T>
struct Vec;
}
#include "../kernels/simd_avx2.h"
#pragma pop_macro("RECURRA_NAMESPACE")

namespace recurra::RECURRA_NAMESPACE {

template <typename T>
struct Vec {
  using Half = half::Vec<T>;
  struct Mask {
    typename Half::Mask low, high;
  };
  static constexpr int lanes = 2 * Half::lanes;
  Half low, high;

  static RECURRA_INLINE Vec load(const T* p) { return {Half::load(p), Half::load(p + Half::lanes)}; }
  static RECURRA_INLINE Vec load_part(const T* p, int64_t n) {
    if (n <= Half::lanes) return {Half::load_part(p, n), Half::set(T(0))};
    return {Half::load(p), Half::load_part(p + Half::lanes, n - Half::lanes)};
  }
  static RECURRA_INLINE Vec set(T value) { return {Half::set(value), Half::set(value)}; }
  static RECURRA_INLINE Vec set_bits(typename Format<T>::Int value) {
    return {Half::set_bits(value), Half::set_bits(value)};
  }
  RECURRA_INLINE void store(T* p) const {
    low.store(p);
    high.store(p + Half::lanes);
  }
  RECURRA_INLINE void store_part(T* p, int64_t n) const {
    if (n <= Half::lanes) return low.store_part(p, n);
    low.store(p);
    high.store_part(p + Half::lanes, n - Half::lanes);
  }

  friend RECURRA_INLINE Vec operator+(Vec a, Vec b) { return {a.low + b.low, a.high + b.high}; }
  friend RECURRA_INLINE Vec operator-(Vec a, Vec b) { return {a.low - b.low, a.high - b.high}; }
  friend RECURRA_INLINE Vec operator*(Vec a, Vec b) { return {a.low * b.low, a.high * b.high}; }
  friend RECURRA_INLINE Vec operator/(Vec a, Vec b) { return {a.low / b.low, a.high / b.high}; }
  friend RECURRA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {fma(a.low, b.low, c.low), fma(a.high, b.high, c.high)}; }
  friend RECURRA_INLINE Vec fnma(Vec a, Vec b, Vec c) {
    return {fnma(a.low, b.low, c.low), fnma(a.high, b.high, c.high)};
  }
  friend RECURRA_INLINE Vec min(Vec a, Vec b) { return {min(a.low, b.low), min(a.high, b.high)}; }
  friend RECURRA_INLINE Vec max(Vec a, Vec b) { return {max(a.low, b.low), max(a.high, b.high)}; }
  friend RECURRA_INLINE Vec abs(Vec a) { return {abs(a.low), abs(a.high)}; }
  friend RECURRA_INLINE void keep(Vec& a) {
    keep(a.low);
    keep(a.high);
  }
  friend RECURRA_INLINE Vec sqrt(Vec a) { return {sqrt(a.low), sqrt(a.high)}; }
  friend RECURRA_INLINE Vec round(Vec a) { return {round(a.low), round(a.high)}; }
  friend RECURRA_INLINE Mask less(Vec a, Vec b) { return {less(a.low, b.low), less(a.high, b.high)}; }
  friend RECURRA_INLINE Vec select(Mask m, Vec a, Vec b) {
    return {select(m.low, a.low, b.low), select(m.high, a.high, b.high)};
  }
  friend RECURRA_INLINE Vec bits_and(Vec a, Vec b) { return {bits_and(a.low, b.low), bits_and(a.high, b.high)}; }
  friend RECURRA_INLINE Vec bits_or(Vec a, Vec b) { return {bits_or(a.low, b.low), bits_or(a.high, b.high)}; }
  friend RECURRA_INLINE Vec copy_sign(Vec a, Vec sign) {
    return {copy_sign(a.low, sign.low), copy_sign(a.high, sign.high)};
  }
  friend RECURRA_INLINE Vec int_add(Vec a, Vec b) { return {int_add(a.low, b.low), int_add(a.high, b.high)}; }
  template <int S>
  RECURRA_INLINE Vec shift_left() const {
    return {low.template shift_left<S>(), high.template shift_left<S>()};
  }
  template <int S>
  RECURRA_INLINE Vec shift_right() const {
    return {low.template shift_right<S>(), high.template shift_right<S>()};
  }
};

}  // namespace recurra::RECURRA_NAMESPACE
