#include "masking.h"

#include <algorithm>

#include "../rows.h"

namespace recurra {

namespace {

// Calls f(step, whether it counts) for all timesteps of all rows.
template <typename T, typename F>
void for_steps(const MaskingLayer<T>& layer, const T* x, int64_t steps, F f) {
  for (int64_t step = 0; step < steps; ++step) {
    const T* features = x + step * layer.D;
    f(step, std::any_of(features, features + layer.D, [&](T feature) { return feature != layer.value; }));
  }
}

// to = from, with zeros at the timesteps of x that do not count.
template <typename T>
void copy_steps(const MaskingLayer<T>& layer, T* to, const T* from, const T* x, int64_t steps) {
  for_steps(layer, x, steps, [&](int64_t step, bool counts) {
    if (counts) {
      copy(to + step * layer.D, from + step * layer.D, layer.D);
    } else {
      std::fill_n(to + step * layer.D, layer.D, T(0));
    }
  });
}

}  // namespace

template <typename T>
void MaskingLayer<T>::make_mask(bool* mask, const T* x, int64_t N, int64_t x_size) const {
  for_steps(*this, x, N * (x_size / D), [&](int64_t step, bool counts) { mask[step] = counts; });
}

template <typename T>
void MaskingLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  copy_steps(*this, to, given.x, given.x, N * parts_of(x_size, D));
}

template <typename T>
void MaskingLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  steps = N * parts_of(x_size, D);
  y = layout.take(steps * D);
}

template <typename T>
void MaskingLayer<T>::forward(T* buffer, Given<T> given) const {
  copy_steps(*this, buffer + y, given.x, given.x, steps);
}

template <typename T>
void MaskingLayer<T>::backward(T*, T*, Given<T> given, T* dy, T* dx, bool) const {
  if (dx) copy_steps(*this, dx, dy, given.x, steps);
}

template struct MaskingLayer<float>;
template struct MaskingLayer<double>;

}  // namespace recurra
