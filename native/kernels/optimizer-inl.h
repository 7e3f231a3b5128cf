// Passes over the flat buffers of weights and gradients.
#pragma once

#include "elementwise-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// m += (g - m)(1 - beta_1); v += (g^2 - v)(1 - beta_2); w -= alpha m / (sqrt(v) + epsilon), vhat = max(vhat, v) for v
// with AMSGrad.
template <typename T>
void adam(const Adam<T>& s) {
  using V = Vec<T>;
  const V rate_1 = V::set(s.rate_1), rate_2 = V::set(s.rate_2);
  const V alpha = V::set(s.alpha), epsilon = V::set(s.epsilon);
  for_vectors<T>(s.size, 10, [=](int64_t at, int64_t lanes) {
    const V g = load_lanes(s.g + at, lanes);
    V m = load_lanes(s.m + at, lanes), v = load_lanes(s.v + at, lanes);
    m = fma(g - m, rate_1, m);
    v = fma(fma(g, g, V::set(T(0)) - v), rate_2, v);
    store_lanes(m, s.m + at, lanes);
    store_lanes(v, s.v + at, lanes);
    if (s.vhat) {
      v = max(load_lanes(s.vhat + at, lanes), v);
      store_lanes(v, s.vhat + at, lanes);
    }
    store_lanes(load_lanes(s.w + at, lanes) - (alpha * m) / (sqrt(v) + epsilon), s.w + at, lanes);
  });
}

// In double, by 16 lanes within chunks of fixed size; the chunks are added in ascending order.
template <typename T>
double sum_of_squares(const T* x, int64_t size) {
  constexpr int64_t kChunk = 1 << 15;
  const int64_t chunks = ceil_div(size, kChunk);
  double* sums = static_cast<double*>(scratch(static_cast<size_t>(chunks + 1) * sizeof(double)));
  run_members(team_size(4.0 * static_cast<double>(size)), [&](const Member& member) {
    const Range own = part_of(chunks, member.index, member.count);
    for (int64_t chunk = own.begin; chunk < own.end; ++chunk) {
      const int64_t begin = chunk * kChunk, end = smaller(size, begin + kChunk);
      double lane[kVirtualLanes] = {};
      int64_t at = begin;
      for (; at + kVirtualLanes <= end; at += kVirtualLanes) {
        for (int i = 0; i < kVirtualLanes; ++i) {
          lane[i] = lane[i] + static_cast<double>(x[at + i]) * static_cast<double>(x[at + i]);
        }
      }
      for (int i = 0; at + i < end; ++i) {
        lane[i] = lane[i] + static_cast<double>(x[at + i]) * static_cast<double>(x[at + i]);
      }
      double sum = lane[0];
      for (int i = 1; i < kVirtualLanes; ++i) sum = sum + lane[i];
      sums[chunk] = sum;
    }
  });
  double total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) total = total + sums[chunk];
  return total;
}

}  // namespace recurra::RECURRA_NAMESPACE
