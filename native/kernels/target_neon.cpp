// Kernels for ARM64.
#define RECURRA_NAMESPACE neon
#define RECURRA_SIMD_NEON 1
#include "target-inl.h"

namespace recurra {
extern const Kernels kernels_neon;
const Kernels kernels_neon = {"neon", neon::Vec<float>::lanes, true, neon::kernels_of<float>(),
                              neon::kernels_of<double>()};
}  // namespace recurra
