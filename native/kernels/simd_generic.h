// Vec<T> in plain C++: 16 bytes as an array, which compilers turn into the baseline's vectors. Without hardware FMA
// (x86-64 before AVX2) fma is a product and a sum, rounded twice: the one target whose bits differ.
#pragma once

#include <math.h>

namespace recurra::RECURRA_NAMESPACE {

template <typename T>
struct Vec {
  struct Mask {
    bool m[16 / sizeof(T)];
  };
  using Int = typename Format<T>::Int;
  static constexpr int lanes = 16 / sizeof(T);
  T v[lanes];

  template <typename F>
  static RECURRA_INLINE Vec make(F f) {
    Vec result;
    RECURRA_UNROLL for (int i = 0; i < lanes; ++i) result.v[i] = f(i);
    return result;
  }
  static RECURRA_INLINE T as_float(Int bits) {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }
  static RECURRA_INLINE Int as_int(T value) {
    Int bits;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
  }

  static RECURRA_INLINE Vec load(const T* p) {
    return make([=](int i) { return p[i]; });
  }
  static RECURRA_INLINE Vec load_part(const T* p, int64_t n) {
    return make([=](int i) { return i < n ? p[i] : T(0); });
  }
  static RECURRA_INLINE Vec set(T value) {
    return make([=](int) { return value; });
  }
  static RECURRA_INLINE Vec set_bits(Int bits) { return set(as_float(bits)); }
  RECURRA_INLINE void store(T* p) const { RECURRA_UNROLL for (int i = 0; i < lanes; ++i) p[i] = v[i]; }
  RECURRA_INLINE void store_part(T* p, int64_t n) const {
    for (int64_t i = 0; i < n; ++i) p[i] = v[i];
  }

  friend RECURRA_INLINE Vec operator+(Vec a, Vec b) {
    return make([=](int i) { return a.v[i] + b.v[i]; });
  }
  friend RECURRA_INLINE Vec operator-(Vec a, Vec b) {
    return make([=](int i) { return a.v[i] - b.v[i]; });
  }
  friend RECURRA_INLINE Vec operator*(Vec a, Vec b) {
    return make([=](int i) { return a.v[i] * b.v[i]; });
  }
  friend RECURRA_INLINE Vec operator/(Vec a, Vec b) {
    return make([=](int i) { return a.v[i] / b.v[i]; });
  }
  friend RECURRA_INLINE Vec fma(Vec a, Vec b, Vec c) {
    return make([=](int i) { return a.v[i] * b.v[i] + c.v[i]; });
  }
  friend RECURRA_INLINE Vec fnma(Vec a, Vec b, Vec c) {
    return make([=](int i) { return c.v[i] - a.v[i] * b.v[i]; });
  }
  friend RECURRA_INLINE Vec min(Vec a, Vec b) {
    return make([=](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  friend RECURRA_INLINE Vec max(Vec a, Vec b) {
    return make([=](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  friend RECURRA_INLINE Vec abs(Vec a) {
    const Int sign = Int(1) << (8 * sizeof(T) - 1);
    return make([=](int i) { return as_float(as_int(a.v[i]) & ~sign); });
  }
  friend RECURRA_INLINE void keep(Vec&) {}
  friend RECURRA_INLINE Vec sqrt(Vec a) {
    return make([=](int i) {
      if constexpr (sizeof(T) == 4)
        return ::sqrtf(a.v[i]);
      else
        return ::sqrt(a.v[i]);
    });
  }
  // Adding and taking away 1.5 * 2^mantissa_bits rounds to an integer; larger values are integers already.
  friend RECURRA_INLINE Vec round(Vec a) {
    const T magic = T(3) * T(Int(1) << (Format<T>::mantissa_bits - 1));
    return make([=](int i) {
      const T size = a.v[i] < 0 ? -a.v[i] : a.v[i];
      return size < magic / 3 ? (a.v[i] + magic) - magic : a.v[i];
    });
  }
  friend RECURRA_INLINE Mask less(Vec a, Vec b) {
    Mask result;
    RECURRA_UNROLL for (int i = 0; i < lanes; ++i) result.m[i] = a.v[i] < b.v[i];
    return result;
  }
  friend RECURRA_INLINE Vec select(Mask m, Vec a, Vec b) {
    return make([=](int i) { return m.m[i] ? a.v[i] : b.v[i]; });
  }
  friend RECURRA_INLINE Vec bits_and(Vec a, Vec b) {
    return make([=](int i) { return as_float(as_int(a.v[i]) & as_int(b.v[i])); });
  }
  friend RECURRA_INLINE Vec bits_or(Vec a, Vec b) {
    return make([=](int i) { return as_float(as_int(a.v[i]) | as_int(b.v[i])); });
  }
  friend RECURRA_INLINE Vec copy_sign(Vec a, Vec sign) { return bits_or(abs(a), bits_and(sign, set(T(-0.0)))); }
  friend RECURRA_INLINE Vec int_add(Vec a, Vec b) {
    return make([=](int i) { return as_float(as_int(a.v[i]) + as_int(b.v[i])); });
  }
  template <int S>
  RECURRA_INLINE Vec shift_left() const {
    return make([this](int i) { return as_float(as_int(v[i]) << S); });
  }
  template <int S>
  RECURRA_INLINE Vec shift_right() const {
    return make([this](int i) { return as_float(as_int(v[i]) >> S); });
  }
};

}  // namespace recurra::RECURRA_NAMESPACE
