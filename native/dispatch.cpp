#include "dispatch.h"

#include <cstdlib>
#include <stdexcept>

#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#endif

namespace recurra {

extern const Kernels kernels_generic, kernels_avx2, kernels_avx512, kernels_neon;

namespace {

struct Target {
  const Kernels* kernels;
  bool (*supported)();
};

bool always() { return true; }

#if defined(__x86_64__)
// These also ask the system whether it saves the registers.
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#if defined(RECURRA_AVX512_IN_PAIRS)
bool has_avx512() { return has_avx2(); }
#else
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#endif
#elif defined(_M_X64)
bool has_bits(int leaf, int index, unsigned bits) {
  int registers[4];
  __cpuidex(registers, leaf, 0);
  return (static_cast<unsigned>(registers[index]) & bits) == bits;
}
bool has_avx2() {
  constexpr unsigned osxsave_avx_fma = 1u << 27 | 1u << 28 | 1u << 12, avx2 = 1u << 5;
  return has_bits(1, 2, osxsave_avx_fma) && (_xgetbv(0) & 6) == 6 && has_bits(7, 1, avx2);
}
bool has_avx512() {
  constexpr unsigned f_dq_vl = 1u << 16 | 1u << 17 | 1u << 31;
  return has_avx2() && (_xgetbv(0) & 0xe6) == 0xe6 && has_bits(7, 1, f_dq_vl);
}
#endif

// In order of preference.
const Target kTargets[] = {
#if defined(__x86_64__) || defined(_M_X64)
    {&kernels_avx512, has_avx512},
    {&kernels_avx2, has_avx2},
#elif defined(__aarch64__) || defined(_M_ARM64)
    {&kernels_neon, always},
#endif
    {&kernels_generic, always},
};

const Kernels& choose() {
  const char* wanted = std::getenv("RECURRA_TARGET");
  std::string known;
  for (const Target& target : kTargets) {
    const bool any = !wanted || !*wanted;
    if (any && target.supported()) return *target.kernels;
    if (!any && wanted == std::string(target.kernels->name)) {
      if (target.supported()) return *target.kernels;
      throw std::invalid_argument("RECURRA_TARGET names '" + std::string(wanted) +
                                  "', which this CPU does not support");
    }
    known += (known.empty() ? "" : ", ") + std::string(target.kernels->name);
  }
  throw std::invalid_argument("RECURRA_TARGET expected one of " + known + ", got '" + wanted + "'");
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

std::vector<std::string> supported_targets() {
  std::vector<std::string> names;
  for (const Target& target : kTargets) {
    if (target.supported()) names.emplace_back(target.kernels->name);
  }
  return names;
}

}  // namespace recurra
