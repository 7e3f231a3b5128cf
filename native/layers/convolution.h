// Convolutions along time.
#pragma once

#include "layer.h"
#include "windows.h"

namespace recurra {

// y = function(convolution of x with the kernel + bias): `settings` holds sizes, stride, dilation, groups and weights.
template <typename T>
struct ConvolutionLayer : AnyLayer<T> {
  Convolution<T> settings;
  Padding padding;
  Function function;
  T *dkernel, *dbias;  // or null

  int64_t output_size(int64_t x_size) const { return placed(1, x_size).steps * settings.F; }
  double flops(int64_t x_size) const { return placed(1, x_size).flops(); }
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dkernel || dbias; }
  int64_t infer_scratch(int64_t N, int64_t x_size) const { return padded_size(placed(N, x_size), x_size); }
  int64_t backward_scratch(int64_t N, int64_t x_size) const;
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t N, x_size, y, product, padded;

 private:
  int64_t span() const { return settings.dilation * (settings.size - 1) + 1; }
  // The convolution of N rows, padded; without x and y.
  Convolution<T> placed(int64_t rows, int64_t elements) const;
  int64_t padded_size(const Convolution<T>& s, int64_t elements) const;
  void run(const Convolution<T>& s, T* y, T* product, T* padded, const T* x, int64_t elements) const;
  void input_gradient(const Convolution<T>& s, T* dx, T* scratch, const T* dz) const;
};

}  // namespace recurra
