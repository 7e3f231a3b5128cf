// Windows brought to one value.
#pragma once

#include "layer.h"
#include "windows.h"

namespace recurra {

// One value of each feature for windows of time steps, or for all of them together.
template <typename T>
struct PoolingLayer : AnyLayer<T> {
  PoolKind kind;
  int64_t D, size, stride;  // size 0: all steps
  Padding padding;

  int64_t output_size(int64_t x_size) const { return placed(1, x_size).steps * D; }
  double flops(int64_t x_size) const { return 4.0 * static_cast<double>(x_size); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t N, x_size, y;

 private:
  Pooling<T> placed(int64_t rows, int64_t elements) const;
};

}  // namespace recurra
