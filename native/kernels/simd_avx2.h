// Vec<T> on AVX2 with FMA: 8 floats or 4 doubles.
#pragma once

#include <immintrin.h>

namespace recurra::RECURRA_NAMESPACE {

// Eight ones, then eight zeros: a window of it masks the first n lanes.
alignas(64) static const int32_t kFirst32[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
alignas(64) static const int64_t kFirst64[8] = {-1, -1, -1, -1, 0, 0, 0, 0};

template <>
struct Vec<float> {
  using Mask = __m256;
  static constexpr int lanes = 8;
  __m256 v;

  static RECURRA_INLINE __m256i first(int64_t n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirst32 + lanes - n));
  }
  static RECURRA_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static RECURRA_INLINE Vec load_part(const float* p, int64_t n) { return {_mm256_maskload_ps(p, first(n))}; }
  static RECURRA_INLINE Vec set(float value) { return {_mm256_set1_ps(value)}; }
  static RECURRA_INLINE Vec set_bits(Format<float>::Int value) {
    return from_int(_mm256_set1_epi32(static_cast<int>(value)));
  }
  static RECURRA_INLINE Vec from_int(__m256i bits) { return {_mm256_castsi256_ps(bits)}; }
  RECURRA_INLINE __m256i to_int() const { return _mm256_castps_si256(v); }
  RECURRA_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  RECURRA_INLINE void store_part(float* p, int64_t n) const { _mm256_maskstore_ps(p, first(n), v); }

  friend RECURRA_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  friend RECURRA_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
  friend RECURRA_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
  friend RECURRA_INLINE void keep(Vec& a) { RECURRA_KEEP(a.v); }
  friend RECURRA_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
  friend RECURRA_INLINE Vec round(Vec a) {
    return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend RECURRA_INLINE Mask less(Vec a, Vec b) { return _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ); }
  friend RECURRA_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm256_blendv_ps(b.v, a.v, m)}; }
  friend RECURRA_INLINE Vec bits_and(Vec a, Vec b) { return {_mm256_and_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec bits_or(Vec a, Vec b) { return {_mm256_or_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec copy_sign(Vec a, Vec sign) { return bits_or(abs(a), bits_and(sign, set(-0.0f))); }
  friend RECURRA_INLINE Vec int_add(Vec a, Vec b) { return from_int(_mm256_add_epi32(a.to_int(), b.to_int())); }
  template <int S>
  RECURRA_INLINE Vec shift_left() const {
    return from_int(_mm256_slli_epi32(to_int(), S));
  }
  template <int S>
  RECURRA_INLINE Vec shift_right() const {
    return from_int(_mm256_srli_epi32(to_int(), S));
  }
};

template <>
struct Vec<double> {
  using Mask = __m256d;
  static constexpr int lanes = 4;
  __m256d v;

  static RECURRA_INLINE __m256i first(int64_t n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirst64 + lanes - n));
  }
  static RECURRA_INLINE Vec load(const double* p) { return {_mm256_loadu_pd(p)}; }
  static RECURRA_INLINE Vec load_part(const double* p, int64_t n) { return {_mm256_maskload_pd(p, first(n))}; }
  static RECURRA_INLINE Vec set(double value) { return {_mm256_set1_pd(value)}; }
  static RECURRA_INLINE Vec set_bits(Format<double>::Int value) {
    return from_int(_mm256_set1_epi64x(static_cast<long long>(value)));
  }
  static RECURRA_INLINE Vec from_int(__m256i bits) { return {_mm256_castsi256_pd(bits)}; }
  RECURRA_INLINE __m256i to_int() const { return _mm256_castpd_si256(v); }
  RECURRA_INLINE void store(double* p) const { _mm256_storeu_pd(p, v); }
  RECURRA_INLINE void store_part(double* p, int64_t n) const { _mm256_maskstore_pd(p, first(n), v); }

  friend RECURRA_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
  friend RECURRA_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_pd(a.v, b.v, c.v)}; }
  friend RECURRA_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec abs(Vec a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
  friend RECURRA_INLINE void keep(Vec& a) { RECURRA_KEEP(a.v); }
  friend RECURRA_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_pd(a.v)}; }
  friend RECURRA_INLINE Vec round(Vec a) {
    return {_mm256_round_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend RECURRA_INLINE Mask less(Vec a, Vec b) { return _mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ); }
  friend RECURRA_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm256_blendv_pd(b.v, a.v, m)}; }
  friend RECURRA_INLINE Vec bits_and(Vec a, Vec b) { return {_mm256_and_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec bits_or(Vec a, Vec b) { return {_mm256_or_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec copy_sign(Vec a, Vec sign) { return bits_or(abs(a), bits_and(sign, set(-0.0))); }
  friend RECURRA_INLINE Vec int_add(Vec a, Vec b) { return from_int(_mm256_add_epi64(a.to_int(), b.to_int())); }
  template <int S>
  RECURRA_INLINE Vec shift_left() const {
    return from_int(_mm256_slli_epi64(to_int(), S));
  }
  template <int S>
  RECURRA_INLINE Vec shift_right() const {
    return from_int(_mm256_srli_epi64(to_int(), S));
  }
};

}  // namespace recurra::RECURRA_NAMESPACE
