// Kernels for plain C++, for every CPU; the only target whose fma may round twice.
#define RECURRA_NAMESPACE generic
#define RECURRA_SIMD_GENERIC 1
#include "target-inl.h"

namespace recurra {
extern const Kernels kernels_generic;
const Kernels kernels_generic = {"generic", generic::Vec<float>::lanes, false, generic::kernels_of<float>(),
                                 generic::kernels_of<double>()};
}  // namespace recurra
