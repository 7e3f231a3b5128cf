// Passes over the flat buffers of weights and gradients.
#pragma once

#include "elementwise-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// m += (g - m)(1 - beta_1); v += (g^2 - v)(1 - beta_2); w -= alpha m / (sqrt(v) + epsilon), vhat = max(vhat, v) for v
// with AMSGrad. Before that g is scaled and cut, and w decays.
template <bool Changes, typename T>
void adam_with(const Adam<T>& s) {
  using V = Vec<T>;
  const V rate_1 = V::set(s.rate_1), rate_2 = V::set(s.rate_2);
  const V alpha = V::set(s.alpha), epsilon = V::set(s.epsilon);
  const auto update = [=](int64_t at, int64_t lanes) {
    V g = load_lanes(s.g + at, lanes), w = load_lanes(s.w + at, lanes);
    if constexpr (Changes) {
      g = min(V::set(s.limit), max(V::set(-s.limit), g * V::set(s.factor)));
      if (s.decay != 0) w = w - (w * V::set(s.decay)) * V::set(s.learning_rate);
    }
    V m = load_lanes(s.m + at, lanes), v = load_lanes(s.v + at, lanes);
    m = fma(g - m, rate_1, m);
    v = fma(fma(g, g, V::set(T(0)) - v), rate_2, v);
    store_lanes(m, s.m + at, lanes);
    store_lanes(v, s.v + at, lanes);
    if (s.vhat) {
      v = max(load_lanes(s.vhat + at, lanes), v);
      store_lanes(v, s.vhat + at, lanes);
    }
    store_lanes(w - (alpha * m) / (sqrt(v) + epsilon), s.w + at, lanes);
  };
  for_vectors<T>(s.size, 10, update, s.most_threads);
}

template <typename T>
void adam(const Adam<T>& s) {
  const bool changes = s.factor != 1 || s.limit != std::numeric_limits<T>::infinity() || s.decay != 0;
  if (changes) {
    adam_with<true>(s);
  } else {
    adam_with<false>(s);  // apart, because most ask for none of it
  }
}

}  // namespace recurra::RECURRA_NAMESPACE
