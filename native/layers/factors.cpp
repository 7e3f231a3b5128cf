#include "factors.h"

namespace recurra {

namespace {

template <typename T>
void multiply(T* y, const T* x, const T* factors, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = x[i] * factors[i];
}

}  // namespace

template <typename T>
void FactorsLayer<T>::infer(T*, Given<T>, int64_t, int64_t, T*, States<T>) const {
  throw std::logic_error("factors are for training");
}

template <typename T>
void FactorsLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  elements = N * x_size;
  y = layout.take(elements);
}

template <typename T>
void FactorsLayer<T>::forward(T* buffer, Given<T> given) const {
  if (size != elements) throw std::invalid_argument("factors must have the size of the layer's input");
  multiply(buffer + y, given.x, factors, elements);
}

template <typename T>
void FactorsLayer<T>::backward(T*, T*, Given<T>, T* dy, T* dx, bool) const {
  if (dx) multiply(dx, dy, factors, elements);
}

template struct FactorsLayer<float>;
template struct FactorsLayer<double>;

}  // namespace recurra
