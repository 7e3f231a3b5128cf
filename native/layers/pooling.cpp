#include "pooling.h"

namespace recurra {

template <typename T>
Pooling<T> PoolingLayer<T>::placed(int64_t rows, int64_t elements) const {
  const int64_t steps = parts_of(elements, D), span = size > 0 ? size : steps;
  const Windows windows = windows_of(padding, steps, span, stride);
  return {kind, rows, steps, D, windows.count, span, stride, windows.before};
}

template <typename T>
void PoolingLayer<T>::infer(T* to, Given<T> given, int64_t rows, int64_t elements, T*, States<T>) const {
  kernels().of<T>().pool(placed(rows, elements), to, given.x);
}

template <typename T>
void PoolingLayer<T>::lay_out(Layout<T>& layout, int64_t rows, int64_t elements) {
  N = rows, x_size = elements;
  y = layout.take(N * output_size(x_size));
}

template <typename T>
void PoolingLayer<T>::forward(T* buffer, Given<T> given) const {
  kernels().of<T>().pool(placed(N, x_size), buffer + y, given.x);
}

template <typename T>
void PoolingLayer<T>::backward(T* buffer, T*, Given<T> given, T* dy, T* dx, bool) const {
  if (dx) kernels().of<T>().pool_gradient(placed(N, x_size), dx, dy, given.x, buffer + y);
}

template struct PoolingLayer<float>;
template struct PoolingLayer<double>;

}  // namespace recurra
