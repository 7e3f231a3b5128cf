// Rows or timesteps repeated along time.
#pragma once

#include "layer.h"

namespace recurra {

// Each D values n times over; D = 0: each row.
template <typename T>
struct RepeatLayer : AnyLayer<T> {
  int64_t n, D;

  int64_t part_size(int64_t x_size) const { return D > 0 ? D : x_size; }
  int64_t output_size(int64_t x_size) const { return n * (D > 0 ? parts_of(x_size, D) * D : x_size); }
  double flops(int64_t x_size) const { return static_cast<double>(output_size(x_size)); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t parts, features, y;
};

}  // namespace recurra
