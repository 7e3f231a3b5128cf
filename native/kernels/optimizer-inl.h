// Passes over the flat buffers of weights and gradients.
#pragma once

#include <type_traits>

#include "elementwise-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// w = formula(w, g, at, lanes) for all vectors, at position `at` each. `flops`: what an element costs, about.
template <typename T, typename F>
void update_with(const Update<T>& s, int64_t flops, F formula) {
  using V = Vec<T>;
  const auto run = [&](auto changes) {
    const auto update = [=](int64_t at, int64_t lanes) {
      V g = load_lanes(s.g + at, lanes), w = load_lanes(s.w + at, lanes);
      if constexpr (changes) {
        g = min(V::set(s.limit), max(V::set(-s.limit), g * V::set(s.factor)));
        if (s.decay != 0) w = w - (w * V::set(s.decay)) * V::set(s.learning_rate);
      }
      store_lanes(formula(w, g, at, lanes), s.w + at, lanes);
    };
    for_vectors<T>(s.size, flops, update, s.most_threads);
  };
  if (s.factor != 1 || s.limit != std::numeric_limits<T>::infinity() || s.decay != 0) {
    run(std::true_type{});
  } else {
    run(std::false_type{});  // apart, because most ask for none of it
  }
}

// m += (g - m)(1 - beta_1); v += (g^2 - v)(1 - beta_2); w -= alpha m / (sqrt(v) + epsilon), vhat = max(vhat, v) for v
// with AMSGrad.
template <typename T>
void adam(const Adam<T>& s) {
  using V = Vec<T>;
  const V rate_1 = V::set(s.rate_1), rate_2 = V::set(s.rate_2);
  const V alpha = V::set(s.alpha), epsilon = V::set(s.epsilon);
  update_with(s, 10, [=](V w, V g, int64_t at, int64_t lanes) {
    V m = load_lanes(s.m + at, lanes), v = load_lanes(s.v + at, lanes);
    m = fma(g - m, rate_1, m);
    v = fma(fma(g, g, V::set(T(0)) - v), rate_2, v);
    store_lanes(m, s.m + at, lanes);
    store_lanes(v, s.v + at, lanes);
    if (s.vhat) {
      v = max(load_lanes(s.vhat + at, lanes), v);
      store_lanes(v, s.vhat + at, lanes);
    }
    return w - (alpha * m) / (sqrt(v) + epsilon);
  });
}

// v = rho v + (1 - rho) g^2; i = learning_rate g / sqrt(v + epsilon); w -= i, or m = momentum m + i and w -= m; with an
// average of g its square is taken from v there.
template <typename T>
void rmsprop(const RMSprop<T>& s) {
  using V = Vec<T>;
  const V rho = V::set(s.rho), rate = V::set(s.rate), epsilon = V::set(s.epsilon);
  const V learning_rate = V::set(s.learning_rate), momentum = V::set(s.momentum);
  update_with(s, 10, [=](V w, V g, int64_t at, int64_t lanes) {
    const V v = fma(load_lanes(s.v + at, lanes), rho, rate * (g * g));
    store_lanes(v, s.v + at, lanes);
    V spread = v;
    if (s.average) {
      const V average = fma(load_lanes(s.average + at, lanes), rho, rate * g);
      store_lanes(average, s.average + at, lanes);
      spread = v - average * average;
    }
    V move = (learning_rate * g) / sqrt(spread + epsilon);
    if (s.m) {
      move = fma(load_lanes(s.m + at, lanes), momentum, move);
      store_lanes(move, s.m + at, lanes);
    }
    return w - move;
  });
}

// w -= learning_rate g; or m = momentum m - learning_rate g and w += m; nesterov: w += momentum m - learning_rate g.
template <typename T>
void sgd(const SGD<T>& s) {
  using V = Vec<T>;
  const V learning_rate = V::set(s.learning_rate), momentum = V::set(s.momentum);
  update_with(s, 4, [=](V w, V g, int64_t at, int64_t lanes) {
    const V move = learning_rate * g;
    if (!s.m) return w - move;
    const V m = load_lanes(s.m + at, lanes) * momentum - move;
    store_lanes(m, s.m + at, lanes);
    return w + (s.nesterov ? m * momentum - move : m);
  });
}

}  // namespace recurra::RECURRA_NAMESPACE
