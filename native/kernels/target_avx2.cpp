// Kernels for x86-64 with AVX2 and FMA.
#define RECURRA_NAMESPACE avx2
#define RECURRA_SIMD_AVX2 1
#include "target-inl.h"

namespace recurra {
extern const Kernels kernels_avx2;
const Kernels kernels_avx2 = {"avx2", avx2::Vec<float>::lanes, true, avx2::kernels_of<float>(),
                              avx2::kernels_of<double>()};
}  // namespace recurra
