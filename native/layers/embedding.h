// Rows of a table.
#pragma once

#include "layer.h"

namespace recurra {

// Rows of a table (rows, units) by their numbers, which are whole, from 0 on and below `rows`. With `mask_zero` the
// timesteps of number 0 do not count. Numbers have no gradient.
template <typename T>
struct EmbeddingLayer : AnyLayer<T> {
  int64_t rows, units;
  bool mask_zero;
  const T* table;
  T* dtable;  // or null

  int64_t output_size(int64_t x_size) const { return x_size * units; }
  double flops(int64_t x_size) const { return static_cast<double>(output_size(x_size)); }
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dtable; }
  int64_t mask_steps(int64_t x_size) const { return mask_zero ? x_size : 0; }
  void make_mask(bool* mask, const T* x, int64_t N, int64_t x_size) const;
  int64_t backward_scratch(int64_t N, int64_t x_size) const { return N * output_size(x_size); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;
  // For averages v of squared gradients: adds to each row that was used factor * (its parts, squared and summed, less
  // its gradient's square), as Optimizer._add_sparse_squares does. `slots` (rows): zeros before and after.
  void add_squares(T* v, T* scratch, std::vector<int32_t>& slots, const T* x, const T* dy, T factor) const;

  int64_t count, y;  // numbers of a batch
};

}  // namespace recurra
