// What layers share that multiply by a kernel.
#pragma once

#include <algorithm>

#include "layer.h"

namespace recurra {

inline double product_flops(int64_t rows, int64_t K, int64_t columns) {
  constexpr int64_t kFunctions = 20;  // what an element costs after the product
  return 2.0 * static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(K + kFunctions);
}

// sums (columns) += those of values (rows, columns), as a product with ones.
template <typename T>
void add_column_sums(T* sums, const T* values, int64_t rows, int64_t columns, T* ones, bool fresh) {
  std::fill_n(ones, rows, T(1));
  Matmul<T> s{};
  s.M = 1, s.N = columns, s.K = rows;
  s.accumulate = !fresh;
  s.out = sums, s.a = ones, s.b = values;
  kernels().of<T>().matmul(s);
}

// Whether y alone tells the gradient, so that what the function was given need not be kept.
inline bool has_gradient_by_output(Function function) {
  return function == Function::exponential || static_cast<int>(function) < kSequenceFunctions;
}

}  // namespace recurra
