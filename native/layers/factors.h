// What dropout layers multiply.
#pragma once

#include "layer.h"

namespace recurra {

// y = x * factors, which are set before each forward run: what dropout draws. For training alone.
template <typename T>
struct FactorsLayer : AnyLayer<T> {
  const T* factors = nullptr;
  int64_t size = 0;  // of factors

  int64_t output_size(int64_t x_size) const { return x_size; }
  double flops(int64_t x_size) const { return static_cast<double>(x_size); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t elements, y;
};

}  // namespace recurra
