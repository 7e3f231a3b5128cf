// Functions by element, and softmax along rows. Definitions are Keras 3's; see ops/reference/.
#pragma once

#include "activation-inl.h"
#include "team-inl.h"

namespace recurra::RECURRA_NAMESPACE {

constexpr double kSqrtHalf = 0.70710678118654752, kNormalDensity = 0.39894228040143268;  // 1 / sqrt(2 pi)

template <Function F, typename T>
RECURRA_INLINE Vec<T> function_of(Vec<T> x) {
  using V = Vec<T>;
  const V one = V::set(T(1));
  if constexpr (F == Function::softplus) return softplus(x);
  if constexpr (F == Function::softsign) return x / (one + abs(x));
  if constexpr (F == Function::silu) return x * sigmoid(x);
  if constexpr (F == Function::exponential) return exp(x);
  if constexpr (F == Function::gelu) {
    return (V::set(T(0.5)) * x) * (one + erf(x * V::set(T(kSqrtHalf))));
  }
  if constexpr (F == Function::log) return log(x);
  if constexpr (F == Function::erf) return erf(x);
  if constexpr (F == Function::expm1_nonpositive) return expm1_nonpositive(x);
  return activate(F, x);
}

template <Function F, typename T>
RECURRA_INLINE Vec<T> function_gradient(Vec<T> dy, Vec<T> x, Vec<T> y) {
  using V = Vec<T>;
  const V one = V::set(T(1));
  if constexpr (F == Function::softplus) return dy * sigmoid(x);
  if constexpr (F == Function::softsign) return dy / ((one + abs(x)) * (one + abs(x)));
  if constexpr (F == Function::silu) {
    const V s = sigmoid(x);
    return dy * fma(x * s, one - s, s);
  }
  if constexpr (F == Function::exponential) return dy * y;
  if constexpr (F == Function::gelu) {
    const V cdf = V::set(T(0.5)) * (one + erf(x * V::set(T(kSqrtHalf))));
    const V density = V::set(T(kNormalDensity)) * exp(V::set(T(-0.5)) * (x * x));
    return dy * fma(x, density, cdf);
  }
  return activation_gradient(F, dy, y);
}

// Calls f(offset, lanes) for each vector of 0..size, among threads where the work is worth it.
template <typename T, typename F>
void for_vectors(int64_t size, double flops_per_element, F f, int most_threads = kMaxThreads) {
  constexpr int L = Vec<T>::lanes;
  const int64_t vectors = ceil_div(size, L);
  run_parts(team_size(flops_per_element * static_cast<double>(size), most_threads), [&](const Part& part) {
    const Range own = part_of(vectors, part);
    for (int64_t i = own.begin; i < own.end; ++i) f(i * L, smaller(L, size - i * L));
  });
}

template <Function F, typename T>
void map_one(T* y, const T* x, int64_t size) {
  for_vectors<T>(size, 20, [=](int64_t at, int64_t lanes) {
    store_lanes(function_of<F>(load_lanes(x + at, lanes)), y + at, lanes);
  });
}

template <Function F, typename T>
void map_gradient_one(T* dx, const T* dy, const T* x, const T* y, int64_t size) {
  for_vectors<T>(size, 20, [=](int64_t at, int64_t lanes) {
    const Vec<T> d = load_lanes(dy + at, lanes);
    store_lanes(function_gradient<F>(d, load_lanes(x + at, lanes), load_lanes(y + at, lanes)), dx + at, lanes);
  });
}

template <typename T>
void map(Function f, T* y, const T* x, int64_t size) {
  switch (f) {
    case Function::linear:
      return map_one<Function::linear>(y, x, size);
    case Function::tanh:
      return map_one<Function::tanh>(y, x, size);
    case Function::sigmoid:
      return map_one<Function::sigmoid>(y, x, size);
    case Function::hard_sigmoid:
      return map_one<Function::hard_sigmoid>(y, x, size);
    case Function::relu:
      return map_one<Function::relu>(y, x, size);
    case Function::elu:
      return map_one<Function::elu>(y, x, size);
    case Function::selu:
      return map_one<Function::selu>(y, x, size);
    case Function::softplus:
      return map_one<Function::softplus>(y, x, size);
    case Function::softsign:
      return map_one<Function::softsign>(y, x, size);
    case Function::silu:
      return map_one<Function::silu>(y, x, size);
    case Function::exponential:
      return map_one<Function::exponential>(y, x, size);
    case Function::gelu:
      return map_one<Function::gelu>(y, x, size);
    case Function::log:
      return map_one<Function::log>(y, x, size);
    case Function::erf:
      return map_one<Function::erf>(y, x, size);
    case Function::expm1_nonpositive:
      return map_one<Function::expm1_nonpositive>(y, x, size);
  }
}

template <typename T>
void map_gradient(Function f, T* dx, const T* dy, const T* x, const T* y, int64_t size) {
  switch (f) {
    case Function::tanh:
      return map_gradient_one<Function::tanh>(dx, dy, x, y, size);
    case Function::sigmoid:
      return map_gradient_one<Function::sigmoid>(dx, dy, x, y, size);
    case Function::hard_sigmoid:
      return map_gradient_one<Function::hard_sigmoid>(dx, dy, x, y, size);
    case Function::relu:
      return map_gradient_one<Function::relu>(dx, dy, x, y, size);
    case Function::elu:
      return map_gradient_one<Function::elu>(dx, dy, x, y, size);
    case Function::selu:
      return map_gradient_one<Function::selu>(dx, dy, x, y, size);
    case Function::softplus:
      return map_gradient_one<Function::softplus>(dx, dy, x, y, size);
    case Function::softsign:
      return map_gradient_one<Function::softsign>(dx, dy, x, y, size);
    case Function::silu:
      return map_gradient_one<Function::silu>(dx, dy, x, y, size);
    case Function::exponential:
      return map_gradient_one<Function::exponential>(dx, dy, x, y, size);
    case Function::gelu:
      return map_gradient_one<Function::gelu>(dx, dy, x, y, size);
    default:
      return map_gradient_one<Function::linear>(dx, dy, x, y, size);
  }
}

// Sums and maxima along a row go by 16 virtual lanes, element j into lane j % 16, and then over the lanes in ascending
// order: the same on every vector width.
constexpr int kVirtualLanes = 16;

template <typename T>
struct VirtualLanes {
  static constexpr int L = Vec<T>::lanes;
  static constexpr int count = kVirtualLanes / L > 0 ? kVirtualLanes / L : 1;
  Vec<T> lane[count];

  explicit VirtualLanes(T start) {
    for (Vec<T>& v : lane) v = Vec<T>::set(start);
  }
  void store(T* values) const {
    for (int i = 0; i < count; ++i) lane[i].store(values + i * L);
  }
  T sum() const {
    T values[kVirtualLanes];
    store(values);
    T total = values[0];
    for (int i = 1; i < kVirtualLanes; ++i) total = total + values[i];
    return total;
  }
  T largest() const {
    T values[kVirtualLanes];
    store(values);
    T most = values[0];
    for (int i = 1; i < kVirtualLanes; ++i) most = values[i] > most || values[i] != values[i] ? values[i] : most;
    return most;
  }
};

// Calls f(offset, lanes, which virtual vector) along a row.
template <typename T, typename F>
RECURRA_INLINE void along_row(int64_t columns, F f) {
  constexpr int L = Vec<T>::lanes;
  for (int64_t at = 0; at < columns; at += L) f(at, smaller(L, columns - at), (at / L) % VirtualLanes<T>::count);
}

// The row's own zeros beyond its end must not count: `fill` stands there instead.
template <typename T>
RECURRA_INLINE Vec<T> load_filled(const T* p, int64_t lanes, T fill) {
  if (lanes == Vec<T>::lanes) return Vec<T>::load(p);
  T values[Vec<T>::lanes];
  for (int i = 0; i < Vec<T>::lanes; ++i) values[i] = i < lanes ? p[i] : fill;
  return Vec<T>::load(values);
}

// v with zeros beyond the end of a row.
template <typename T>
RECURRA_INLINE Vec<T> cleared(Vec<T> v, int64_t lanes) {
  if (lanes == Vec<T>::lanes) return v;
  T values[Vec<T>::lanes];
  v.store(values);
  return load_filled(values, lanes, T(0));
}

// The sum of terms_at(offset, lanes) along a row.
template <typename T, typename F>
RECURRA_INLINE T row_sum(int64_t columns, F terms_at) {
  VirtualLanes<T> sum(T(0));
  along_row<T>(columns, [&](int64_t at, int64_t lanes, int64_t i) {
    sum.lane[i] = sum.lane[i] + cleared(terms_at(at, lanes), lanes);
  });
  return sum.sum();
}

template <typename T>
struct Exponentials {
  T top, total;
};

// The largest number of a row, and the sum of e^(x - top); where y is given, the terms too.
template <typename T>
RECURRA_INLINE Exponentials<T> exponentials(T* y, const T* x, int64_t columns) {
  using V = Vec<T>;
  const T lowest = -__builtin_huge_val();
  VirtualLanes<T> peak(lowest), sum(T(0));
  along_row<T>(columns, [&](int64_t at, int64_t lanes, int64_t i) {
    peak.lane[i] = max(peak.lane[i], load_filled(x + at, lanes, lowest));
  });
  const T largest = peak.largest();
  const V top = V::set(largest);
  along_row<T>(columns, [&](int64_t at, int64_t lanes, int64_t i) {
    const V e = exp(load_filled(x + at, lanes, lowest) - top);
    sum.lane[i] = sum.lane[i] + e;
    if (y) store_lanes(e, y + at, lanes);
  });
  return {largest, sum.sum()};
}

template <typename T>
void softmax_row(T* y, const T* x, int64_t columns, bool logarithm) {
  using V = Vec<T>;
  const auto [largest, sum] = exponentials(logarithm ? nullptr : y, x, columns);
  const V top = V::set(largest), total = V::set(sum), shift = log(total);
  along_row<T>(columns, [&](int64_t at, int64_t lanes, int64_t) {
    if (logarithm) {
      store_lanes((load_lanes(x + at, lanes) - top) - shift, y + at, lanes);
    } else {
      store_lanes(load_lanes(y + at, lanes) / total, y + at, lanes);
    }
  });
}

template <typename T>
void softmax_gradient_row(T* dx, const T* dy, const T* y, int64_t columns, bool logarithm) {
  using V = Vec<T>;
  VirtualLanes<T> sum(T(0));
  along_row<T>(columns, [&](int64_t at, int64_t lanes, int64_t i) {
    const V d = load_lanes(dy + at, lanes);
    sum.lane[i] = logarithm ? sum.lane[i] + d : fma(d, load_lanes(y + at, lanes), sum.lane[i]);
  });
  const V total = V::set(sum.sum());
  along_row<T>(columns, [&](int64_t at, int64_t lanes, int64_t) {
    const V d = load_lanes(dy + at, lanes), value = load_lanes(y + at, lanes);
    store_lanes(logarithm ? d - exp(value) * total : value * (d - total), dx + at, lanes);
  });
}

template <typename F>
void for_rows(int64_t rows, int64_t columns, F f) {
  run_parts(team_size(40.0 * static_cast<double>(rows * columns)), [&](const Part& part) {
    const Range own = part_of(rows, part);
    for (int64_t row = own.begin; row < own.end; ++row) f(row * columns);
  });
}

template <typename T>
void softmax(T* y, const T* x, int64_t rows, int64_t columns, bool logarithm) {
  for_rows(rows, columns, [=](int64_t at) { softmax_row(y + at, x + at, columns, logarithm); });
}

template <typename T>
void softmax_gradient(T* dx, const T* dy, const T* y, int64_t rows, int64_t columns, bool logarithm) {
  for_rows(rows, columns, [=](int64_t at) { softmax_gradient_row(dx + at, dy + at, y + at, columns, logarithm); });
}

}  // namespace recurra::RECURRA_NAMESPACE
