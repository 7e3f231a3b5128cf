// Dense, and functions of each element.
#pragma once

#include "layer.h"

namespace recurra {

// y = function(x @ kernel + bias). Without a kernel the function alone; `softmax` takes the place of the function.
template <typename T>
struct DenseLayer : AnyLayer<T> {
  int64_t D, units;
  Function function;
  bool softmax;
  const T *kernel, *bias;
  T *dkernel, *dbias;  // or null

  int64_t output_size(int64_t x_size) const;
  double flops(int64_t x_size) const;
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dkernel || dbias; }
  int64_t backward_scratch(int64_t N, int64_t x_size) const { return N * (x_size / D); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t rows, y, product;  // the product has a place of its own where backward needs it
};

}  // namespace recurra
