// Sums over all elements of an array, and losses: means over elements or rows, each with its gradient in the same pass.
#pragma once

#include "elementwise-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// The sum of values 0 to `count` in double, by 16 lanes within chunks of a fixed number of values; the chunks are added
// in ascending order. put(at, n, out) writes values at, at + 1, ... at + n - 1, of which there are up to 16.
constexpr int64_t kChunk = 1 << 15;
template <typename F>
double sum_of(int64_t count, int64_t chunk, double flops_per_value, F put) {
  const int64_t chunks = ceil_div(count, chunk);
  double* sums = static_cast<double*>(scratch(static_cast<size_t>(chunks + 1) * sizeof(double)));
  run_parts(team_size(flops_per_value * static_cast<double>(count)), [&](const Part& part) {
    const Range own = part_of(chunks, part);
    for (int64_t i = own.begin; i < own.end; ++i) {
      const int64_t end = smaller(count, (i + 1) * chunk);
      double lane[kVirtualLanes] = {}, value[kVirtualLanes];
      int64_t at = i * chunk;
      for (; at + kVirtualLanes <= end; at += kVirtualLanes) {
        put(at, kVirtualLanes, value);
        for (int l = 0; l < kVirtualLanes; ++l) lane[l] = lane[l] + value[l];
      }
      if (at < end) put(at, end - at, value);
      for (int l = 0; at + l < end; ++l) lane[l] = lane[l] + value[l];
      double sum = lane[0];
      for (int l = 1; l < kVirtualLanes; ++l) sum = sum + lane[l];
      sums[i] = sum;
    }
  });
  double total = 0;
  for (int64_t i = 0; i < chunks; ++i) total = total + sums[i];
  return total;
}

template <typename T>
double sum_of_squares(const T* x, int64_t size) {
  return sum_of(size, kChunk, 4, [=](int64_t at, int64_t n, double* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<double>(x[at + i]) * static_cast<double>(x[at + i]);
  });
}

// The same of a loss's values, each of one element or of a row, with weights; put(at, n, out) writes dy too.
template <typename T, typename F>
double weighted_sum(const Loss<T>& s, int64_t count, int64_t chunk, double flops_per_value, F put) {
  const int64_t elements = s.size / count, with_one_weight = s.columns / elements;
  return sum_of(count, chunk, flops_per_value, [=](int64_t at, int64_t n, double* out) {
    put(at, n, out);
    for (int64_t i = 0; s.weights && i < n; ++i) {
      const T weight = s.weights[(at + i) / with_one_weight];
      out[i] *= static_cast<double>(weight);
      for (int64_t e = (at + i) * elements; s.dy && e < (at + i + 1) * elements; ++e) s.dy[e] *= weight;
    }
  });
}

// The mean of value(y - target), and where dy is wanted its gradient: slope(y - target) * factor.
template <typename T, typename Value, typename Slope>
double mean_error(const Loss<T>& s, double factor, Value value, Slope slope) {
  const double total = s.total * static_cast<double>(s.columns);
  const T scale = static_cast<T>(factor / total);
  const double sum = weighted_sum(s, s.size, kChunk, 8, [=](int64_t at, int64_t count, double* out) {
    for (int64_t i = 0; i < count; ++i) {
      const T error = s.y[at + i] - s.target[at + i];
      if (s.dy) s.dy[at + i] = slope(error) * scale;
      out[i] = value(static_cast<double>(error));
    }
  });
  return sum / total;
}

RECURRA_INLINE double magnitude(double e) { return e < 0 ? -e : e; }

template <typename T>
double huber(const Loss<T>& s) {
  const double delta = s.delta;
  const T limit = static_cast<T>(delta);
  return mean_error(
      s, 1,
      [=](double e) { return magnitude(e) > delta ? delta * magnitude(e) - 0.5 * (delta * delta) : 0.5 * (e * e); },
      [=](T e) { return e > limit    ? limit
                        : e < -limit ? -limit
                                     : e; });
}

// e = y - target: the mean of max(-q e, (1 - q) e) over the quantiles q, which have one target.
template <typename T>
double pinball(const Loss<T>& s) {
  const double total = s.total * static_cast<double>(s.columns);
  const T scale = static_cast<T>(1 / total);
  const double sum = weighted_sum(s, s.size, kChunk, 8, [=](int64_t at, int64_t count, double* out) {
    int64_t row = at / s.columns, column = at % s.columns;
    for (int64_t i = 0; i < count; ++i) {
      const T error = s.y[at + i] - s.target[row], q = s.quantiles[column];
      const double exact = static_cast<double>(error), share = static_cast<double>(q);
      out[i] = error < 0 ? -share * exact : (1 - share) * exact;
      if (s.dy) s.dy[at + i] = (error < 0 ? -q : error >= 0 ? T(1) - q : error) * scale;
      if (++column == s.columns) column = 0, ++row;
    }
  });
  return sum / total;
}

// Crossentropies ------------------------------------------------------------------------------------------------------

// Probabilities cut to [low, high], so that their logarithms are finite; where they are cut there is no gradient.
template <typename T>
struct Cut {
  using V = Vec<T>;
  V low, high;

  explicit Cut(double epsilon) : low(V::set(static_cast<T>(epsilon))), high(V::set(T(1) - static_cast<T>(epsilon))) {}
  RECURRA_INLINE V of(V p) const { return min(high, max(low, p)); }
  RECURRA_INLINE V gradient(V p, V d) const {
    const V zero = V::set(T(0));
    return select(less(p, low), zero, select(less(high, p), zero, d));
  }
};

// Targets t * rest + share: with label smoothing a part of each goes to all.
template <typename T>
struct Smoothed {
  Vec<T> rest, share;

  Smoothed(double label_smoothing, double classes)
      : rest(Vec<T>::set(static_cast<T>(1 - label_smoothing))),
        share(Vec<T>::set(static_cast<T>(label_smoothing / classes))) {}
  RECURRA_INLINE Vec<T> of(Vec<T> t) const { return t * rest + share; }
};

template <typename T>
double binary_crossentropy(const Loss<T>& s) {
  using V = Vec<T>;
  const Cut<T> cut(s.epsilon);
  const Smoothed<T> smoothed(s.label_smoothing, 2);
  const V zero = V::set(T(0)), one = V::set(T(1));
  const double total = s.total * static_cast<double>(s.columns);
  const V scale = V::set(static_cast<T>(1 / total));
  const double sum = weighted_sum(s, s.size, kChunk, 60, [=](int64_t at, int64_t count, double* out) {
    T values[kVirtualLanes];
    for (int64_t i = 0; i < count; i += V::lanes) {
      const int64_t lanes = smaller(V::lanes, count - i);
      const V p = load_lanes(s.y + at + i, lanes), t = smoothed.of(load_lanes(s.target + at + i, lanes));
      V value, gradient;
      if (s.from_logits) {
        value = (max(zero, p) - p * t) + softplus(zero - abs(p));
        gradient = sigmoid(p) - t;
      } else {
        const V inside = cut.of(p);
        value = zero - (t * log(inside) + (one - t) * log(one - inside));
        gradient = cut.gradient(p, (one - t) / (one - inside) - t / inside);
      }
      store_lanes(value, values + i, lanes);
      if (s.dy) store_lanes(gradient * scale, s.dy + at + i, lanes);
    }
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<double>(values[i]);
  });
  return sum / total;
}

template <typename T>
RECURRA_INLINE T log_of(T x) {
  T values[Vec<T>::lanes];
  log(Vec<T>::set(x)).store(values);
  return values[0];
}

// Classes: target (columns) of a row, its gradient where dy is wanted, and the value.
template <typename T>
double categorical_row(const Loss<T>& s, T* dy, const T* y, const T* target, Vec<T> scale) {
  using V = Vec<T>;
  const Smoothed<T> smoothed(s.label_smoothing, static_cast<double>(s.columns));
  const auto target_at = [=](int64_t at, int64_t lanes) { return smoothed.of(load_lanes(target + at, lanes)); };
  if (s.from_logits) {
    const auto [largest, sum] = exponentials(dy, y, s.columns);
    const V top = V::set(largest), total = V::set(sum), shift = log(total);
    const T value = row_sum<T>(s.columns, [=](int64_t at, int64_t lanes) {
      return target_at(at, lanes) * ((load_lanes(y + at, lanes) - top) - shift);
    });
    if (!dy) return -static_cast<double>(value);
    const V targets = V::set(row_sum<T>(s.columns, target_at));
    along_row<T>(s.columns, [&](int64_t at, int64_t lanes, int64_t) {
      const V share = load_lanes(dy + at, lanes) / total;
      store_lanes((share * targets - target_at(at, lanes)) * scale, dy + at, lanes);
    });
    return -static_cast<double>(value);
  }
  const Cut<T> cut(s.epsilon);
  const V total = V::set(row_sum<T>(s.columns, [=](int64_t at, int64_t lanes) { return load_lanes(y + at, lanes); }));
  const auto share_at = [=](int64_t at, int64_t lanes) { return load_lanes(y + at, lanes) / total; };
  const T value = row_sum<T>(
      s.columns, [=](int64_t at, int64_t lanes) { return target_at(at, lanes) * log(cut.of(share_at(at, lanes))); });
  if (!dy) return -static_cast<double>(value);
  const auto gradient_at = [=](int64_t at, int64_t lanes) {
    const V share = share_at(at, lanes);
    return cut.gradient(share, V::set(T(0)) - target_at(at, lanes) / cut.of(share));
  };
  const V mean = V::set(
      row_sum<T>(s.columns, [=](int64_t at, int64_t lanes) { return gradient_at(at, lanes) * share_at(at, lanes); }));
  along_row<T>(s.columns, [&](int64_t at, int64_t lanes, int64_t) {
    store_lanes(((gradient_at(at, lanes) - mean) / total) * scale, dy + at, lanes);
  });
  return -static_cast<double>(value);
}

// The same with the number of the class for a target.
template <typename T>
double sparse_categorical_row(const Loss<T>& s, T* dy, const T* y, const T* target, Vec<T> scale) {
  using V = Vec<T>;
  const auto label = static_cast<int64_t>(*target);
  T scales[V::lanes];
  scale.store(scales);
  if (s.from_logits) {
    const auto [largest, sum] = exponentials(dy, y, s.columns);
    const V total = V::set(sum);
    const T value = (y[label] - largest) - log_of(sum);
    if (!dy) return -static_cast<double>(value);
    const T at_label = (dy[label] / sum - T(1)) * scales[0];
    along_row<T>(s.columns, [&](int64_t at, int64_t lanes, int64_t) {
      store_lanes((load_lanes(dy + at, lanes) / total) * scale, dy + at, lanes);
    });
    dy[label] = at_label;
    return -static_cast<double>(value);
  }
  const Cut<T> cut(s.epsilon);
  const T sum = row_sum<T>(s.columns, [=](int64_t at, int64_t lanes) { return cut.of(load_lanes(y + at, lanes)); });
  T right[V::lanes], less[V::lanes];
  const V probability = V::set(y[label]);
  cut.of(probability).store(right);
  const double value = static_cast<double>(log_of(sum) - log_of(right[0]));
  if (!dy) return value;
  const V one = V::set(T(1)), rest = one / V::set(sum);
  ((cut.gradient(probability, rest) - cut.gradient(probability, one / V::set(right[0]))) * scale).store(less);
  along_row<T>(s.columns, [&](int64_t at, int64_t lanes, int64_t) {
    store_lanes(cut.gradient(load_lanes(y + at, lanes), rest) * scale, dy + at, lanes);
  });
  dy[label] = less[0];
  return value;
}

// The mean over rows. The chunks hold about as many elements as those of other losses.
template <typename T, typename F>
double mean_of_rows(const Loss<T>& s, F value_of) {
  const int64_t rows = s.rows(), chunk = larger(1, kChunk / (kVirtualLanes * s.columns)) * kVirtualLanes;
  const Vec<T> scale = Vec<T>::set(static_cast<T>(1 / s.total));
  const int64_t targets = s.targets() / rows;
  const double sum =
      weighted_sum(s, rows, chunk, 60.0 * static_cast<double>(s.columns), [=](int64_t at, int64_t count, double* out) {
        for (int64_t i = 0; i < count; ++i) {
          const int64_t row = at + i;
          T* dy = s.dy ? s.dy + row * s.columns : nullptr;
          out[i] = value_of(s, dy, s.y + row * s.columns, s.target + row * targets, scale);
        }
      });
  return sum / s.total;
}

template <typename T>
double mean_loss(const Loss<T>& s) {
  switch (s.kind) {
    case LossKind::squared:
      return mean_error(s, 2, [](double e) { return e * e; }, [](T e) { return e; });
    case LossKind::absolute:
      return mean_error(s, 1, magnitude, [](T e) { return e > 0 ? T(1) : e < 0 ? T(-1) : e; });
    case LossKind::huber:
      return huber(s);
    case LossKind::pinball:
      return pinball(s);
    case LossKind::binary_crossentropy:
      return binary_crossentropy(s);
    case LossKind::categorical_crossentropy:
      return mean_of_rows(s, categorical_row<T>);
    case LossKind::sparse_categorical_crossentropy:
      return mean_of_rows(s, sparse_categorical_row<T>);
  }
  return 0;
}

}  // namespace recurra::RECURRA_NAMESPACE
