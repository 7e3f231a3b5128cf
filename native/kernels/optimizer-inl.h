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
  const auto update = [=](int64_t at, int64_t lanes) {
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
  };
  for_vectors<T>(s.size, 10, update, s.most_threads);
}

}  // namespace recurra::RECURRA_NAMESPACE
