// Prints how many quotients of `quotient_from` are not those of the CPU's division, of all that sigmoid (1 and e by 1 +
// e) and tanh (z by 1 + z) divide, each with inverses as good as they come and as bad as they may be; needs AVX2 and
// FMA.
#include <cstdint>
#include <cstdio>
#include <initializer_list>

#define RECURRA_NAMESPACE check
#define RECURRA_SIMD_AVX2 1
#include "../kernels/simd.h"

using V = recurra::check::Vec<float>;

static V ones() { return V::set(1.0f); }

static long differing(V a, V b) {
  const V wanted = a / b, inverse = ones() / b;
  long count = 0;
  for (float error : {-0x1p-14f, -0x1p-15f, -0x1p-20f, 0.0f, 0x1p-20f, 0x1p-15f, 0x1p-14f}) {
    const V found = quotient_from(a, b, fma(inverse, V::set(error), inverse));
    const __m256i same = _mm256_cmpeq_epi32(found.to_int(), wanted.to_int());
    count += 8 - __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(same))));
  }
  return count;
}

// Calls f with all floats from 2^-27 (less does not move 1) to `end`, a power of two.
template <typename F>
static void for_floats(float end, F f) {
  float begin = 0x1p-27f;
  for (; begin < end; begin *= 2) {
    const V ulp = V::set(begin * 0x1p-23f);
    alignas(32) float first[8];
    for (int i = 0; i < 8; ++i) first[i] = begin + static_cast<float>(i) * begin * 0x1p-23f;
    V x = V::load(first);
    for (int i = 0; i < (1 << 23) / 8; ++i, x = x + V::set(8.0f) * ulp) f(x);
  }
  f(V::set(end));
}

int main() {
  long count = 0;
  for_floats(1.0f, [&](V e) { count += differing(ones(), ones() + e) + differing(e, ones() + e); });
  for_floats(0.5f, [&](V z) { count += differing(V::set(0.0f) - z, ones() - z); });
  std::printf("%ld\n", count);
}
