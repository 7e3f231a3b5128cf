// exp, log, tanh, sigmoid and their kin on Vec<T>, the same operations in the same order on every target.
//
// Largest errors measured (tests/ops/test_elementwise.py): float32 exp and log under 2 ulp, sigmoid 2.4 and tanh 2.5
// (of PyTorch 2.4 and 0.5, of JAX 2.4 and 4.5, of TensorFlow 6.2 and 5.2); float64 under 3 ulp. Denormals count as
// zero.
#pragma once

#include "lockstep-inl.h"

namespace recurra::RECURRA_NAMESPACE {

template <typename T>
struct MathConstants;

// expm1: (e^r - 1 - r) / r^2 on |r| <= ln(2)/2, where the largest relative error of expm1 is least: 1.3e-8, a fifth of
// half an ulp. log: Lg1... of FreeBSD's e_logf.c and e_log.c. ln2 is ln2_high + ln2_low in one number.
template <>
struct MathConstants<float> {
  static constexpr float log2e = 1.44269504f, ln2 = 0.693147181f, ln2_high = 6.9314575195e-01f,
                         ln2_low = 1.4286067653e-06f;
  static constexpr float expm1[] = {0.49999997f, 0.166665435f, 0.0416672006f, 0.00836652052f, 0.00138825213f};
  static constexpr float log[] = {0.66666662693f, 0.40000972152f, 0.28498786688f, 0.24279078841f};
  static constexpr float exp_low = -104.0f, exp_high = 89.0f;  // beyond: zero, infinity
  static constexpr float exp_normal = -88.0f;                  // here 2^n is zero: below the smallest normal number
  static constexpr float tanh_one = 10.0f;                     // beyond: one
  static constexpr uint32_t sqrt_half_bits = 0x3f3504f3u, mantissa_mask = 0x007fffffu, infinity_bits = 0x7f800000u;
};
// The same with 11 coefficients, interpolated at Chebyshev nodes: relative error of expm1 5e-19.
template <>
struct MathConstants<double> {
  static constexpr double log2e = 1.4426950408889634, ln2 = 0.6931471805599453, ln2_high = 6.93147180369123816490e-01,
                          ln2_low = 1.90821492927058770002e-10;
  static constexpr double expm1[] = {0.5,
                                     0.16666666666666671,
                                     0.041666666666666671,
                                     0.0083333333333260838,
                                     0.0013888888888883711,
                                     0.00019841269875002279,
                                     2.4801587325677461e-05,
                                     2.7557255170000888e-06,
                                     2.7557273478718582e-07,
                                     2.5105312729622103e-08,
                                     2.0914755325893202e-09};
  static constexpr double log[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                                   2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                                   1.479819860511658591e-01};
  static constexpr double exp_low = -746.0, exp_high = 710.0;
  static constexpr double exp_normal = -709.0;
  static constexpr double tanh_one = 20.0;
  static constexpr uint64_t sqrt_half_bits = 0x3fe6a09e667f3bcdull, mantissa_mask = 0x000fffffffffffffull,
                            infinity_bits = 0x7ff0000000000000ull;
};

template <typename T>
constexpr T power(T x, int n) {
  return n == 0 ? T(1) : x * power(x, n - 1);
}

// Factor times the polynomial at Factor x, coefficients in ascending order, by Horner's rule. Factor: one or a power of
// two, so that the scaled coefficients are exact. (Clang would compute other powers of it each time.)
template <int Factor = 1, typename V, typename T, int N>
RECURRA_INLINE V polynomial(V x, const T (&c)[N]) {
  constexpr T highest = power(T(Factor), N);
  T scale = highest;
  V sum = V::set(c[N - 1] * scale);
  RECURRA_UNROLL for (int i = N - 2; i >= 0; --i) {
    scale /= T(Factor);
    sum = fma(sum, x, V::set(c[i] * scale));
  }
  return sum;
}

// A sum with 1.5 * 2^mantissa_bits + bias is rounded to a whole number and has that number + bias in its low bits,
// ready to be moved into the exponent.
template <typename T>
constexpr T round_to_bias = T(3) * T(typename Format<T>::Int(1) << (Format<T>::mantissa_bits - 1)) + T(Format<T>::bias);

// 2^n for integral n with -bias <= n <= bias + 1 (the ends give zero and infinity).
template <typename T>
RECURRA_INLINE Vec<T> power_of_two(Vec<T> n) {
  return (n + Vec<T>::set(round_to_bias<T>)).template shift_left<Format<T>::mantissa_bits>();
}

// (e^r - 1) / Factor where Factor x = n ln 2 + r with a whole n; `biased` has n + bias in its low bits. A factor that
// is a power of two costs nothing: it goes into the constants. (Not one struct of three: GCC 12 moves that through
// memory.) Where e^x is added to a number of the size of one, ln 2 in one part will do: what it leaves out grows with
// n, and e^x shrinks faster.
enum class Ln2 { in_one_part, in_two_parts };

template <int Factor, Ln2 Parts, typename V>
RECURRA_INLINE V reduce_exp(V x, V& n, V& biased) {
  using T = ElementOf<V>;
  using C = MathConstants<T>;
  const V magic = V::set(round_to_bias<T>);
  biased = fma(x, V::set(Factor * C::log2e), magic);
  n = biased - magic;
  V r = fma(n, V::set(-(Parts == Ln2::in_one_part ? C::ln2 : C::ln2_high) / Factor), x);
  if constexpr (Parts == Ln2::in_two_parts) r = fma(n, V::set(-C::ln2_low / Factor), r);
  return fma(r * r, polynomial<Factor>(r, C::expm1), r);
}

template <typename T>
RECURRA_INLINE Vec<T> exp(Vec<T> x) {
  using C = MathConstants<T>;
  using V = Vec<T>;
  x = min(V::set(C::exp_high), max(V::set(C::exp_low), x));
  V n, biased;
  const V expm1 = reduce_exp<1, Ln2::in_two_parts>(x, n, biased);
  const V half = round(n * V::set(T(0.5)));  // in two steps, because 2^n itself may not be a normal number
  return ((V::set(T(1)) + expm1) * power_of_two(half)) * power_of_two(n - half);
}

// e^x for x <= 0.
template <typename V>
RECURRA_INLINE V exp_nonpositive(V x) {
  V n, biased;
  x = max(V::set(MathConstants<ElementOf<V>>::exp_normal), x);
  const V expm1 = reduce_exp<1, Ln2::in_two_parts>(x, n, biased);
  const V scale = biased.template shift_left<Format<ElementOf<V>>::mantissa_bits>();
  return fma(scale, expm1, scale);
}

// e^x - 1 for x <= 0.
template <typename V>
RECURRA_INLINE V expm1_nonpositive(V x) {
  V n, biased;
  x = max(V::set(MathConstants<ElementOf<V>>::exp_normal), x);
  const V expm1 = reduce_exp<1, Ln2::in_one_part>(x, n, biased);
  const V scale = biased.template shift_left<Format<ElementOf<V>>::mantissa_bits>();
  return fma(scale, expm1, scale - V::set(ElementOf<V>(1)));
}

template <typename V>
RECURRA_INLINE V sigmoid(V x) {
  using T = ElementOf<V>;
  const V one = V::set(T(1)), e = exp_nonpositive(bits_or(x, V::set(T(-0.0))));
  return select(less(x, V::set(T(0))), e, one) / (one + e);
}

// From z = (e^-2|x| - 1) / 2: -z / (1 + z), with the sign of x.
template <typename V>
RECURRA_INLINE V tanh(V x) {
  using T = ElementOf<V>;
  using C = MathConstants<T>;
  const V half = V::set(T(0.5));
  V n, biased;
  const V part = reduce_exp<-2, Ln2::in_one_part>(min(V::set(C::tanh_one), abs(x)), n, biased);
  const V scale = biased.template shift_left<Format<T>::mantissa_bits>();
  const V z = fnma(scale, part, fma(scale, half, V::set(T(-0.5))));
  return copy_sign(z / (V::set(T(1)) + z), x);
}

template <typename T>
RECURRA_INLINE Vec<T> log(Vec<T> x) {
  using C = MathConstants<T>;
  using V = Vec<T>;
  constexpr int bits = Format<T>::mantissa_bits;
  using Int = typename Format<T>::Int;
  // x = 2^k m with m in [sqrt(1/2), sqrt(2)): k from the exponent after moving sqrt(1/2) to one.
  const T two_to_bits = T(Int(1) << bits);
  const Int one_bits = Int(Format<T>::bias) << bits;
  const V moved = int_add(x, V::set_bits(one_bits - C::sqrt_half_bits));
  const V raised = bits_or(moved.template shift_right<bits>(), V::set(two_to_bits));
  const V k = raised - V::set(two_to_bits + T(Format<T>::bias));
  const V m = int_add(bits_and(moved, V::set_bits(C::mantissa_mask)), V::set_bits(C::sqrt_half_bits));
  const V f = m - V::set(T(1));
  const V s = f / (V::set(T(2)) + f);
  const V z = s * s;
  const V R = z * polynomial(z, C::log);
  const V half_square = V::set(T(0.5)) * f * f;
  const V tail = fma(s, half_square + R, k * V::set(C::ln2_low));
  const V y = fma(k, V::set(C::ln2_high), f - (half_square - tail));

  const V infinity = V::set_bits(C::infinity_bits), zero = V::set(T(0));
  const V positive = select(less(x, infinity), y, x);                        // infinity stays
  const V other = select(less(x, zero), infinity - infinity, x - infinity);  // NaN; zero gives -infinity
  return select(less(zero, x), positive, other);
}

// log(1 + e) for 0 <= e <= 1, by Kahan's correction of the rounding of 1 + e.
template <typename T>
RECURRA_INLINE Vec<T> log1p_unit(Vec<T> e) {
  using V = Vec<T>;
  const V one = V::set(T(1));
  const V u = one + e;
  return select(less(one, u), log(u) * (e / (u - one)), e);
}

template <typename T>
RECURRA_INLINE Vec<T> softplus(Vec<T> x) {
  const Vec<T> zero = Vec<T>::set(T(0));
  return max(zero, x) + log1p_unit(exp_nonpositive(zero - abs(x)));
}

// W. J. Cody, Rational Chebyshev approximation for the error function, Math. Comp. 23 (1969): three ranges.
template <typename T>
struct ErfConstants {
  static constexpr T a[] = {T(3.20937758913846947e03), T(3.77485237685302021e02), T(1.13864154151050156e02),
                            T(3.16112374387056560e00), T(1.85777706184603153e-1)};
  static constexpr T b[] = {T(2.84423683343917062e03), T(1.28261652607737228e03), T(2.44024637934444173e02),
                            T(2.36012909523441209e01), T(1)};
  static constexpr T c[] = {T(1.23033935479799725e03), T(2.05107837782607147e03), T(1.71204761263407058e03),
                            T(8.81952221241769090e02), T(2.98635138197400131e02), T(6.61191906371416295e01),
                            T(8.88314979438837594e00), T(5.64188496988670089e-1), T(2.15311535474403846e-8)};
  static constexpr T d[] = {T(1.23033935480374942e03), T(3.43936767414372164e03), T(4.36261909014324716e03),
                            T(3.29079923573345963e03), T(1.62138957456669019e03), T(5.37181101862009858e02),
                            T(1.17693950891312499e02), T(1.57449261107098347e01), T(1)};
  static constexpr T p[] = {T(6.58749161529837803e-4), T(1.60837851487422766e-2), T(1.25781726111229246e-1),
                            T(3.60344899949804439e-1), T(3.05326634961232344e-1), T(1.63153871373020978e-2)};
  static constexpr T q[] = {T(2.33520497626869185e-3), T(6.05183413124413191e-2), T(5.27905102951428412e-1),
                            T(1.87295284992346725e00), T(2.56852019228982242e00), T(1)};
};

template <typename T>
RECURRA_INLINE Vec<T> erf(Vec<T> x) {
  using C = ErfConstants<T>;
  using V = Vec<T>;
  const V zero = V::set(T(0)), one = V::set(T(1));
  const V sign = bits_and(x, V::set(T(-0.0)));
  const V a = min(V::set(T(6)), abs(x));
  const V square = a * a;
  const V near_zero = a * polynomial(square, C::a) / polynomial(square, C::b);
  const V decay = exp_nonpositive(zero - square);
  const V middle = one - decay * polynomial(a, C::c) / polynomial(a, C::d);
  const V y = one / max(V::set(T(1)), square);
  const V series = y * polynomial(y, C::p) / polynomial(y, C::q);
  const V far = one - decay * (V::set(T(5.6418958354775628695e-1)) - series) / max(V::set(T(1)), a);
  const V size = select(less(a, V::set(T(0.46875))), near_zero, select(less(a, V::set(T(4))), middle, far));
  return bits_or(select(less(a, V::set(T(7))), size, a), sign);  // NaN is not less than 7
}

}  // namespace recurra::RECURRA_NAMESPACE
