// Activations of recurrent layers and their gradients from the output. Definitions are Keras 3's; see ops/reference/.
#pragma once

#include "kernels.h"
#include "math-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// Activations by name at run time; the pair that nearly everyone uses at compile time.
struct NamedActivations {
  Function activation, recurrent_activation;
};
struct TanhSigmoid {
  static constexpr Function activation = Function::tanh, recurrent_activation = Function::sigmoid;
};

// Calls f(activations) with those of a sequence, as one of the two.
template <typename T, typename F>
RECURRA_INLINE void with_activations(const Sequence<T>& s, F f) {
  if (s.activation == Function::tanh && s.recurrent_activation == Function::sigmoid) {
    f(TanhSigmoid{});
  } else {
    f(NamedActivations{s.activation, s.recurrent_activation});
  }
}

template <typename V>
RECURRA_INLINE V hard_sigmoid(V x) {
  using T = ElementOf<V>;
  return min(V::set(T(1)), max(V::set(T(0)), fma(x, V::set(T(1) / T(6)), V::set(T(0.5)))));
}

constexpr double kSeluAlpha = 1.6732632423543772, kSeluScale = 1.0507009873554805;

template <typename V>
RECURRA_INLINE V elu(V x, ElementOf<V> alpha = 1) {
  const V zero = V::set(ElementOf<V>(0));
  return select(less(zero, x), x, V::set(alpha) * expm1_nonpositive(min(zero, x)));
}

template <typename V>
RECURRA_INLINE V activate(Function f, V x) {
  switch (f) {
    case Function::tanh:
      return tanh(x);
    case Function::sigmoid:
      return sigmoid(x);
    case Function::hard_sigmoid:
      return hard_sigmoid(x);
    case Function::relu:
      return max(V::set(ElementOf<V>(0)), x);
    case Function::elu:
      return elu(x);
    case Function::selu:
      return V::set(ElementOf<V>(kSeluScale)) * elu(x, ElementOf<V>(kSeluAlpha));
    default:
      return x;
  }
}

// dx of the same from dy and the output y.
template <typename V>
RECURRA_INLINE V activation_gradient(Function f, V dy, V y) {
  using T = ElementOf<V>;
  const V zero = V::set(T(0)), one = V::set(T(1));
  switch (f) {
    case Function::tanh:
      return dy * fma(zero - y, y, one);
    case Function::sigmoid:
      return dy * (y * (one - y));
    case Function::hard_sigmoid:
      return select(less(zero, y), select(less(y, one), dy * V::set(T(1) / T(6)), zero), zero);
    case Function::relu:
      return select(less(zero, y), dy, zero);
    case Function::elu:
      return select(less(zero, y), dy, dy * (y + one));
    case Function::selu:
      return select(less(zero, y), V::set(T(kSeluScale)) * dy, dy * (y + V::set(T(kSeluScale * kSeluAlpha))));
    default:
      return dy;
  }
}

}  // namespace recurra::RECURRA_NAMESPACE
