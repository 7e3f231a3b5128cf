// Kernels for x86-64 with AVX-512 F, DQ and VL.
#define RECURRA_NAMESPACE avx512
#define RECURRA_SIMD_AVX512 1
#include "target-inl.h"

namespace recurra {
extern const Kernels kernels_avx512;
const Kernels kernels_avx512 = {"avx512", avx512::Vec<float>::lanes, true, avx512::kernels_of<float>(),
                                avx512::kernels_of<double>()};
}  // namespace recurra
