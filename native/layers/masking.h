// Timesteps that do not count.
#pragma once

#include "layer.h"

namespace recurra {

// Timesteps whose features all are `value` do not count, and become zeros.
template <typename T>
struct MaskingLayer : AnyLayer<T> {
  int64_t D;
  T value;

  int64_t output_size(int64_t x_size) const { return x_size; }
  double flops(int64_t x_size) const { return static_cast<double>(x_size); }
  int64_t mask_steps(int64_t x_size) const { return x_size / D; }
  void make_mask(bool* mask, const T* x, int64_t N, int64_t x_size) const;
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t steps, y;  // of all rows
};

}  // namespace recurra
