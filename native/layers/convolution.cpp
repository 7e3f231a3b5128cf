#include "convolution.h"

#include <algorithm>

#include "../rows.h"
#include "products.h"

namespace recurra {

namespace {

// to (N, timesteps, D): the rows of x (N, steps, D), `stride` apart, after so many zeros, and zeros around.
template <typename T>
void spread(T* to, int64_t timesteps, int64_t before, int64_t stride, const T* x, int64_t N, int64_t steps, int64_t D) {
  std::fill_n(to, N * timesteps * D, T(0));
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t t = 0; t < steps; ++t) {
      copy(to + (n * timesteps + before + t * stride) * D, x + (n * steps + t) * D, D);
    }
  }
}

}  // namespace

template <typename T>
Convolution<T> ConvolutionLayer<T>::placed(int64_t rows, int64_t elements) const {
  Convolution<T> s = settings;
  const int64_t steps = parts_of(elements, s.D);
  const Windows windows = windows_of(padding, steps, span(), s.stride);
  s.N = rows, s.timesteps = steps + windows.before + windows.after, s.steps = windows.count;
  return s;
}

template <typename T>
int64_t ConvolutionLayer<T>::padded_size(const Convolution<T>& s, int64_t elements) const {
  return s.timesteps == elements / s.D ? 0 : s.N * s.timesteps * s.D;
}

template <typename T>
void ConvolutionLayer<T>::run(const Convolution<T>& given, T* to, T* z, T* wide, const T* x, int64_t elements) const {
  Convolution<T> s = given;
  const int64_t steps = elements / s.D;
  s.x = x, s.y = z;
  if (padded_size(s, elements) > 0) {
    spread(wide, s.timesteps, windows_of(padding, steps, span(), s.stride).before, 1, x, s.N, steps, s.D);
    s.x = wide;
  }
  const KernelsOf<T>& table = kernels().of<T>();
  table.convolve(s);
  if (function != Function::linear) table.map(function, to, z, s.N * s.steps * s.F);
}

template <typename T>
void ConvolutionLayer<T>::infer(T* to, Given<T> given, int64_t rows, int64_t elements, T* scratch, States<T>) const {
  run(placed(rows, elements), to, to, scratch, given.x, elements);
}

template <typename T>
void ConvolutionLayer<T>::lay_out(Layout<T>& layout, int64_t rows, int64_t elements) {
  N = rows, x_size = elements;
  const Convolution<T> s = placed(N, x_size);
  const int64_t values = N * s.steps * s.F;
  padded = layout.take(padded_size(s, x_size));
  y = layout.take(values);
  product = has_gradient_by_output(function) ? y : layout.take(values);
}

template <typename T>
void ConvolutionLayer<T>::forward(T* buffer, Given<T> given) const {
  run(placed(N, x_size), buffer + y, buffer + product, buffer + padded, given.x, x_size);
}

template <typename T>
void ConvolutionLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dkernel) pieces.push_back({dkernel, settings.size * settings.D / settings.groups * settings.F});
  if (dbias) pieces.push_back({dbias, settings.F});
}

template <typename T>
int64_t ConvolutionLayer<T>::backward_scratch(int64_t rows, int64_t elements) const {
  const Convolution<T> s = placed(rows, elements);
  const int64_t wide = rows * (elements / s.D + span() - 1) * s.F, turned = s.size * s.F / s.groups * s.D;
  return std::max(rows * s.steps, wide + turned);
}

// Each input was seen by the windows that end after it: a convolution with the kernel turned round.
template <typename T>
void ConvolutionLayer<T>::input_gradient(const Convolution<T>& s, T* dx, T* scratch, const T* dz) const {
  const int64_t steps = x_size / s.D, features = s.D / s.groups, filters = s.F / s.groups;
  Convolution<T> t{};
  t.N = N, t.timesteps = steps + span() - 1, t.D = s.F, t.steps = steps, t.F = s.D;
  t.size = s.size, t.stride = 1, t.dilation = s.dilation, t.groups = s.groups;
  T* turned = scratch + N * t.timesteps * s.F;
  for (int64_t j = 0; j < s.size; ++j) {
    for (int64_t b = 0; b < filters; ++b) {
      for (int64_t d = 0; d < s.D; ++d) {
        const int64_t group = d / features, row = (s.size - 1 - j) * features + d % features;
        turned[(j * filters + b) * s.D + d] = s.kernel[row * s.F + group * filters + b];
      }
    }
  }
  const int64_t before = span() - 1 - windows_of(padding, steps, span(), s.stride).before;
  if (s.steps != t.timesteps) spread(scratch, t.timesteps, before, s.stride, dz, N, s.steps, s.F);
  t.x = s.steps != t.timesteps ? scratch : dz;
  t.y = dx, t.kernel = turned;
  kernels().of<T>().convolve(t);
}

template <typename T>
void ConvolutionLayer<T>::backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const {
  const KernelsOf<T>& table = kernels().of<T>();
  Convolution<T> s = placed(N, x_size);
  const int64_t rows = N * s.steps;
  if (function != Function::linear) {
    table.map_gradient(function, dy, dy, buffer + product, buffer + y, rows * s.F);
  }
  if (dbias) add_column_sums(dbias, dy, rows, s.F, scratch, fresh);
  if (dkernel) {
    if (fresh) std::fill_n(dkernel, s.size * s.D / s.groups * s.F, T(0));
    s.x = padded_size(s, x_size) > 0 ? buffer + padded : given.x;
    table.convolve_gradient(s, dkernel, dy);
  }
  if (dx) input_gradient(s, dx, scratch, dy);
}

template struct ConvolutionLayer<float>;
template struct ConvolutionLayer<double>;

}  // namespace recurra
