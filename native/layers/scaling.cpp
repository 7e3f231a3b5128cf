#include "scaling.h"

#include <algorithm>
#include <cmath>

namespace recurra {

namespace {

// Returns the factors; `place`: for those of variances.
template <typename T>
const T* factors_of(const ScalingLayer<T>& layer, T* place) {
  if (!layer.variance) return layer.factor;
  for (int64_t j = 0; j < layer.D; ++j) place[j] = std::max(std::sqrt(layer.variance[j]), layer.epsilon);
  return place;
}

template <typename T>
void scale(const ScalingLayer<T>& layer, T* y, const T* x, int64_t rows, const T* factor) {
  const int64_t D = layer.D;
  const T* shift = layer.shift;
  for (int64_t row = 0; row < rows; ++row, x += D, y += D) {
    for (int64_t j = 0; j < D; ++j) y[j] = layer.back ? x[j] * factor[j] + shift[j] : (x[j] - shift[j]) / factor[j];
  }
}

}  // namespace

template <typename T>
void ScalingLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T>) const {
  scale(*this, to, given.x, N * (x_size / D), factors_of(*this, scratch));
}

template <typename T>
void ScalingLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  rows = N * (x_size / D);
  y = layout.take(rows * D);
  factors = layout.take(variance ? D : 0);
}

template <typename T>
void ScalingLayer<T>::forward(T* buffer, Given<T> given) const {
  scale(*this, buffer + y, given.x, rows, factors_of(*this, buffer + factors));
}

template <typename T>
void ScalingLayer<T>::backward(T* buffer, T*, Given<T>, T* dy, T* dx, bool) const {
  const T* all = variance ? buffer + factors : factor;
  for (int64_t row = 0; dx && row < rows; ++row, dx += D, dy += D) {
    for (int64_t j = 0; j < D; ++j) dx[j] = back ? dy[j] * all[j] : dy[j] / all[j];
  }
}

template struct ScalingLayer<float>;
template struct ScalingLayer<double>;

}  // namespace recurra
