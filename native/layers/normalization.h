// Layer and batch normalization.
#pragma once

#include "layer.h"

namespace recurra {

// What both share: features brought to mean 0 and variance 1, scaled by gamma and moved by beta.
template <typename T>
struct AnyNormalization : AnyLayer<T> {
  Normalization<T> settings;
  T *dgamma, *dbeta;  // or null

  int64_t output_size(int64_t x_size) const { return x_size; }
  double flops(int64_t x_size) const { return 20.0 * static_cast<double>(x_size); }
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dgamma || dbeta; }
  T* output(T* buffer) const { return buffer + y; }

  int64_t rows, y, standardized, inverse;

 protected:
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size, bool of_columns);
  Normalization<T> placed(T* buffer) const;
  void zero_gradients() const;
};

// Each step's features.
template <typename T>
struct NormalizationLayer : AnyNormalization<T> {
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size) { AnyNormalization<T>::lay_out(layout, N, x_size, false); }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;
};

// Each feature over all rows of the batch in training, with stored moments else.
template <typename T>
struct BatchNormalizationLayer : AnyNormalization<T> {
  T *mean, *variance;
  bool of_batch;    // whether `forward` takes the moments of the batch and moves the stored ones towards them,
  double momentum;  // of which they keep this share

  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t moments;
};

}  // namespace recurra
