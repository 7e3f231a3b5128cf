// Vec<T> on AVX-512 (F and DQ): 16 floats or 8 doubles.
#pragma once

#include <immintrin.h>

namespace recurra::RECURRA_NAMESPACE {

template <>
struct Vec<float> {
  using Mask = __mmask16;
  static constexpr int lanes = 16;
  __m512 v;

  static RECURRA_INLINE Mask first(int64_t n) { return static_cast<Mask>((1u << n) - 1u); }
  static RECURRA_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static RECURRA_INLINE Vec load_part(const float* p, int64_t n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  static RECURRA_INLINE Vec set(float value) { return {_mm512_set1_ps(value)}; }
  static RECURRA_INLINE Vec set_bits(Format<float>::Int value) {
    return from_int(_mm512_set1_epi32(static_cast<int>(value)));
  }
  static RECURRA_INLINE Vec from_int(__m512i bits) { return {_mm512_castsi512_ps(bits)}; }
  RECURRA_INLINE __m512i to_int() const { return _mm512_castps_si512(v); }
  RECURRA_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  RECURRA_INLINE void store_part(float* p, int64_t n) const { _mm512_mask_storeu_ps(p, first(n), v); }

  friend RECURRA_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  friend RECURRA_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
  friend RECURRA_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
  friend RECURRA_INLINE Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }
  friend RECURRA_INLINE void keep(Vec& a) { RECURRA_KEEP(a.v); }
  friend RECURRA_INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
  friend RECURRA_INLINE Vec round(Vec a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend RECURRA_INLINE Mask less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
  friend RECURRA_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_blend_ps(m, b.v, a.v)}; }
  friend RECURRA_INLINE Vec bits_and(Vec a, Vec b) { return from_int(_mm512_and_si512(a.to_int(), b.to_int())); }
  friend RECURRA_INLINE Vec bits_or(Vec a, Vec b) { return from_int(_mm512_or_si512(a.to_int(), b.to_int())); }
  friend RECURRA_INLINE Vec copy_sign(Vec a, Vec sign) {  // 0xd8: third ? second : first
    return from_int(_mm512_ternarylogic_epi32(a.to_int(), sign.to_int(), set(-0.0f).to_int(), 0xd8));
  }
  friend RECURRA_INLINE Vec int_add(Vec a, Vec b) { return from_int(_mm512_add_epi32(a.to_int(), b.to_int())); }
  template <int S>
  RECURRA_INLINE Vec shift_left() const {
    return from_int(_mm512_slli_epi32(to_int(), S));
  }
  template <int S>
  RECURRA_INLINE Vec shift_right() const {
    return from_int(_mm512_srli_epi32(to_int(), S));
  }
};

template <>
struct Vec<double> {
  using Mask = __mmask8;
  static constexpr int lanes = 8;
  __m512d v;

  static RECURRA_INLINE Mask first(int64_t n) { return static_cast<Mask>((1u << n) - 1u); }
  static RECURRA_INLINE Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static RECURRA_INLINE Vec load_part(const double* p, int64_t n) { return {_mm512_maskz_loadu_pd(first(n), p)}; }
  static RECURRA_INLINE Vec set(double value) { return {_mm512_set1_pd(value)}; }
  static RECURRA_INLINE Vec set_bits(Format<double>::Int value) {
    return from_int(_mm512_set1_epi64(static_cast<long long>(value)));
  }
  static RECURRA_INLINE Vec from_int(__m512i bits) { return {_mm512_castsi512_pd(bits)}; }
  RECURRA_INLINE __m512i to_int() const { return _mm512_castpd_si512(v); }
  RECURRA_INLINE void store(double* p) const { _mm512_storeu_pd(p, v); }
  RECURRA_INLINE void store_part(double* p, int64_t n) const { _mm512_mask_storeu_pd(p, first(n), v); }

  friend RECURRA_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  friend RECURRA_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_pd(a.v, b.v, c.v)}; }
  friend RECURRA_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_pd(a.v, b.v)}; }
  friend RECURRA_INLINE Vec abs(Vec a) { return {_mm512_abs_pd(a.v)}; }
  friend RECURRA_INLINE void keep(Vec& a) { RECURRA_KEEP(a.v); }
  friend RECURRA_INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_pd(a.v)}; }
  friend RECURRA_INLINE Vec round(Vec a) {
    return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend RECURRA_INLINE Mask less(Vec a, Vec b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ); }
  friend RECURRA_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_blend_pd(m, b.v, a.v)}; }
  friend RECURRA_INLINE Vec bits_and(Vec a, Vec b) { return from_int(_mm512_and_si512(a.to_int(), b.to_int())); }
  friend RECURRA_INLINE Vec bits_or(Vec a, Vec b) { return from_int(_mm512_or_si512(a.to_int(), b.to_int())); }
  friend RECURRA_INLINE Vec copy_sign(Vec a, Vec sign) {  // 0xd8: third ? second : first
    return from_int(_mm512_ternarylogic_epi64(a.to_int(), sign.to_int(), set(-0.0).to_int(), 0xd8));
  }
  friend RECURRA_INLINE Vec int_add(Vec a, Vec b) { return from_int(_mm512_add_epi64(a.to_int(), b.to_int())); }
  template <int S>
  RECURRA_INLINE Vec shift_left() const {
    return from_int(_mm512_slli_epi64(to_int(), S));
  }
  template <int S>
  RECURRA_INLINE Vec shift_right() const {
    return from_int(_mm512_srli_epi64(to_int(), S));
  }
};

}  // namespace recurra::RECURRA_NAMESPACE
