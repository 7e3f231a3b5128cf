// Sums over all elements of an array, and the losses that are means of a function of the error.
#pragma once

#include "elementwise-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// The sum of value_at(0..size) in double, by 16 lanes within chunks of fixed size; the chunks are added in ascending
// order.
template <typename F>
double sum_of(int64_t size, double flops_per_element, F value_at) {
  constexpr int64_t kChunk = 1 << 15;
  const int64_t chunks = ceil_div(size, kChunk);
  double* sums = static_cast<double*>(scratch(static_cast<size_t>(chunks + 1) * sizeof(double)));
  run_parts(team_size(flops_per_element * static_cast<double>(size)), [&](const Part& part) {
    const Range own = part_of(chunks, part);
    for (int64_t chunk = own.begin; chunk < own.end; ++chunk) {
      const int64_t begin = chunk * kChunk, end = smaller(size, begin + kChunk);
      double lane[kVirtualLanes] = {};
      int64_t at = begin;
      for (; at + kVirtualLanes <= end; at += kVirtualLanes) {
        for (int i = 0; i < kVirtualLanes; ++i) lane[i] = lane[i] + value_at(at + i);
      }
      for (int i = 0; at + i < end; ++i) lane[i] = lane[i] + value_at(at + i);
      double sum = lane[0];
      for (int i = 1; i < kVirtualLanes; ++i) sum = sum + lane[i];
      sums[chunk] = sum;
    }
  });
  double total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) total = total + sums[chunk];
  return total;
}

template <typename T>
double sum_of_squares(const T* x, int64_t size) {
  return sum_of(size, 4, [=](int64_t i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
}

// The mean of value(y - target), and where dy is given its gradient: slope(y - target) * factor / size.
template <typename T, typename Value, typename Slope>
double mean_error(T* dy, const T* y, const T* target, int64_t size, double factor, Value value, Slope slope) {
  const T scale = static_cast<T>(factor / static_cast<double>(size));
  const double sum = sum_of(size, 8, [=](int64_t i) {
    const T error = y[i] - target[i];
    if (dy) dy[i] = slope(error) * scale;
    return value(static_cast<double>(error));
  });
  return sum / static_cast<double>(size);
}

template <typename T>
double error_loss(ErrorLoss loss, T* dy, const T* y, const T* target, int64_t size, double delta) {
  const auto absolute = [](double e) { return e < 0 ? -e : e; };
  const T limit = static_cast<T>(delta);
  switch (loss) {
    case ErrorLoss::squared:
      return mean_error(dy, y, target, size, 2, [](double e) { return e * e; }, [](T e) { return e; });
    case ErrorLoss::absolute:
      return mean_error(dy, y, target, size, 1, absolute, [](T e) { return e > 0 ? T(1) : e < 0 ? T(-1) : e; });
    default:
      return mean_error(
          dy, y, target, size, 1,
          [=](double e) { return absolute(e) > delta ? delta * absolute(e) - 0.5 * (delta * delta) : 0.5 * (e * e); },
          [=](T e) { return e > limit    ? limit
                            : e < -limit ? -limit
                                         : e; });
  }
}

}  // namespace recurra::RECURRA_NAMESPACE
