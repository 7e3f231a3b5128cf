#include "repeat.h"

#include "../rows.h"

namespace recurra {

namespace {

template <typename T>
void repeat(T* y, const T* x, int64_t parts, int64_t features, int64_t n) {
  for (int64_t i = 0; i < parts * n; ++i) copy(y + i * features, x + i / n * features, features);
}

}  // namespace

template <typename T>
void RepeatLayer<T>::infer(T* to, Given<T> given, int64_t rows, int64_t x_size, T*, States<T>) const {
  const int64_t size = part_size(x_size);
  repeat(to, given.x, rows * (x_size / size), size, n);
}

template <typename T>
void RepeatLayer<T>::lay_out(Layout<T>& layout, int64_t batch, int64_t x_size) {
  features = part_size(x_size);
  parts = batch * (x_size / features);
  y = layout.take(parts * n * features);
}

template <typename T>
void RepeatLayer<T>::forward(T* buffer, Given<T> given) const {
  repeat(buffer + y, given.x, parts, features, n);
}

template <typename T>
void RepeatLayer<T>::backward(T*, T*, Given<T>, T* dy, T* dx, bool) const {
  for (int64_t part = 0; dx && part < parts; ++part, dx += features, dy += n * features) {
    copy(dx, dy, features);
    for (int64_t t = 1; t < n; ++t) {
      for (int64_t j = 0; j < features; ++j) dx[j] += dy[t * features + j];
    }
  }
}

template struct RepeatLayer<float>;
template struct RepeatLayer<double>;

}  // namespace recurra
