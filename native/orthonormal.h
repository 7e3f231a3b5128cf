// Rows made orthonormal: what orthogonal initial weights are made of.
#pragma once

#include <cstdint>

namespace recurra {

// rows (count, size) become Q of the QR factorisation of their transpose whose R has a positive diagonal. Returns false
// where a row is a combination of those before it, to rounding; what the rows hold then is of no use.
bool orthonormalize(double* rows, int64_t count, int64_t size);

}  // namespace recurra
