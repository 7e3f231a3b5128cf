// Vec<T> on NEON (ARM64, where FMA is always there): 4 floats or 2 doubles.
#pragma once

#include <arm_neon.h>

namespace recurra::RECURRA_NAMESPACE {

template <>
struct Vec<float> {
  using Mask = uint32x4_t;
  static constexpr int lanes = 4;
  float32x4_t v;

  static RECURRA_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
  static RECURRA_INLINE Vec load_part(const float* p, int64_t n) {
    float part[lanes] = {};
    for (int64_t i = 0; i < n; ++i) part[i] = p[i];
    return load(part);
  }
  static RECURRA_INLINE Vec set(float value) { return {vdupq_n_f32(value)}; }
  static RECURRA_INLINE Vec set_bits(Format<float>::Int value) { return from_int(vdupq_n_u32(value)); }
  static RECURRA_INLINE Vec from_int(uint32x4_t bits) { return {vreinterpretq_f32_u32(bits)}; }
  RECURRA_INLINE uint32x4_t to_int() const { return vreinterpretq_u32_f32(v); }
  RECURRA_INLINE void store(float* p) const { vst1q_f32(p, v); }
  RECURRA_INLINE void store_part(float* p, int64_t n) const {
    float part[lanes];
    store(part);
    for (int64_t i = 0; i < n; ++i) p[i] = part[i];
  }

  friend RECURRA_INLINE Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
  friend RECURRA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  friend RECURRA_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
  // By comparison, not vminq/vmaxq: those return NaN where either is NaN, x86 returns b.
  friend RECURRA_INLINE Vec min(Vec a, Vec b) { return select(vcltq_f32(a.v, b.v), a, b); }
  friend RECURRA_INLINE Vec max(Vec a, Vec b) { return select(vcgtq_f32(a.v, b.v), a, b); }
  friend RECURRA_INLINE Vec abs(Vec a) { return {vabsq_f32(a.v)}; }
  friend RECURRA_INLINE void keep(Vec&) {}
  friend RECURRA_INLINE Vec sqrt(Vec a) { return {vsqrtq_f32(a.v)}; }
  friend RECURRA_INLINE Vec round(Vec a) { return {vrndnq_f32(a.v)}; }
  friend RECURRA_INLINE Mask less(Vec a, Vec b) { return vcltq_f32(a.v, b.v); }
  friend RECURRA_INLINE Vec select(Mask m, Vec a, Vec b) { return {vbslq_f32(m, a.v, b.v)}; }
  friend RECURRA_INLINE Vec bits_and(Vec a, Vec b) { return from_int(vandq_u32(a.to_int(), b.to_int())); }
  friend RECURRA_INLINE Vec bits_or(Vec a, Vec b) { return from_int(vorrq_u32(a.to_int(), b.to_int())); }
  friend RECURRA_INLINE Vec copy_sign(Vec a, Vec sign) { return {vbslq_f32(set(-0.0f).to_int(), sign.v, a.v)}; }
  friend RECURRA_INLINE Vec int_add(Vec a, Vec b) { return from_int(vaddq_u32(a.to_int(), b.to_int())); }
  template <int S>
  RECURRA_INLINE Vec shift_left() const {
    return from_int(vshlq_n_u32(to_int(), S));
  }
  template <int S>
  RECURRA_INLINE Vec shift_right() const {
    return from_int(vshrq_n_u32(to_int(), S));
  }
};

template <>
struct Vec<double> {
  using Mask = uint64x2_t;
  static constexpr int lanes = 2;
  float64x2_t v;

  static RECURRA_INLINE Vec load(const double* p) { return {vld1q_f64(p)}; }
  static RECURRA_INLINE Vec load_part(const double* p, int64_t n) {
    double part[lanes] = {};
    for (int64_t i = 0; i < n; ++i) part[i] = p[i];
    return load(part);
  }
  static RECURRA_INLINE Vec set(double value) { return {vdupq_n_f64(value)}; }
  static RECURRA_INLINE Vec set_bits(Format<double>::Int value) { return from_int(vdupq_n_u64(value)); }
  static RECURRA_INLINE Vec from_int(uint64x2_t bits) { return {vreinterpretq_f64_u64(bits)}; }
  RECURRA_INLINE uint64x2_t to_int() const { return vreinterpretq_u64_f64(v); }
  RECURRA_INLINE void store(double* p) const { vst1q_f64(p, v); }
  RECURRA_INLINE void store_part(double* p, int64_t n) const {
    double part[lanes];
    store(part);
    for (int64_t i = 0; i < n; ++i) p[i] = part[i];
  }

  friend RECURRA_INLINE Vec operator+(Vec a, Vec b) { return {vaddq_f64(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator-(Vec a, Vec b) { return {vsubq_f64(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator*(Vec a, Vec b) { return {vmulq_f64(a.v, b.v)}; }
  friend RECURRA_INLINE Vec operator/(Vec a, Vec b) { return {vdivq_f64(a.v, b.v)}; }
  friend RECURRA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
  friend RECURRA_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {vfmsq_f64(c.v, a.v, b.v)}; }
  // By comparison, not vminq/vmaxq: those return NaN where either is NaN, x86 returns b.
  friend RECURRA_INLINE Vec min(Vec a, Vec b) { return select(vcltq_f64(a.v, b.v), a, b); }
  friend RECURRA_INLINE Vec max(Vec a, Vec b) { return select(vcgtq_f64(a.v, b.v), a, b); }
  friend RECURRA_INLINE Vec abs(Vec a) { return {vabsq_f64(a.v)}; }
  friend RECURRA_INLINE void keep(Vec&) {}
  friend RECURRA_INLINE Vec sqrt(Vec a) { return {vsqrtq_f64(a.v)}; }
  friend RECURRA_INLINE Vec round(Vec a) { return {vrndnq_f64(a.v)}; }
  friend RECURRA_INLINE Mask less(Vec a, Vec b) { return vcltq_f64(a.v, b.v); }
  friend RECURRA_INLINE Vec select(Mask m, Vec a, Vec b) { return {vbslq_f64(m, a.v, b.v)}; }
  friend RECURRA_INLINE Vec bits_and(Vec a, Vec b) { return from_int(vandq_u64(a.to_int(), b.to_int())); }
  friend RECURRA_INLINE Vec bits_or(Vec a, Vec b) { return from_int(vorrq_u64(a.to_int(), b.to_int())); }
  friend RECURRA_INLINE Vec copy_sign(Vec a, Vec sign) { return {vbslq_f64(set(-0.0).to_int(), sign.v, a.v)}; }
  friend RECURRA_INLINE Vec int_add(Vec a, Vec b) { return from_int(vaddq_u64(a.to_int(), b.to_int())); }
  template <int S>
  RECURRA_INLINE Vec shift_left() const {
    return from_int(vshlq_n_u64(to_int(), S));
  }
  template <int S>
  RECURRA_INLINE Vec shift_right() const {
    return from_int(vshrq_n_u64(to_int(), S));
  }
};

}  // namespace recurra::RECURRA_NAMESPACE
