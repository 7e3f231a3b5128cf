// Rows or columns brought to mean 0 and variance 1, scaled and moved: layer and batch normalization.
#pragma once

#include "elementwise-inl.h"

namespace recurra::RECURRA_NAMESPACE {

template <typename T, typename F>
void for_normalized_rows(const Normalization<T>& s, F f) {
  run_parts(team_size(30.0 * static_cast<double>(s.rows * s.columns)), [&](const Part& part) {
    const Range own = part_of(s.rows, part);
    for (int64_t row = own.begin; row < own.end; ++row) f(row, row * s.columns);
  });
}

// f(at, lanes) for vectors of columns; a member owns whole ones. `flops`: what an element costs, about.
template <typename T, typename F>
void for_columns(const Normalization<T>& s, double flops, F f) {
  constexpr int64_t L = Vec<T>::lanes;
  run_parts(team_size(flops * static_cast<double>(s.rows * s.columns)), [&](const Part& part) {
    const Range own = part_of(ceil_div(s.columns, L), part);
    for (int64_t at = own.begin * L; at < smaller(own.end * L, s.columns); at += L) f(at, smaller(L, s.columns - at));
  });
}

// The sum of f(position of a row) over all rows, in blocks: a long chain of float sums would lose digits.
template <typename T, typename F>
RECURRA_INLINE Vec<T> column_sum(const Normalization<T>& s, F f) {
  constexpr int64_t kBlock = 128;
  const int64_t size = s.rows * s.columns;
  Vec<T> total = Vec<T>::set(T(0));
  for (int64_t first = 0; first < size; first += kBlock * s.columns) {
    Vec<T> sum = Vec<T>::set(T(0));
    for (int64_t i = first; i < smaller(first + kBlock * s.columns, size); i += s.columns) sum = sum + f(i);
    total = total + sum;
  }
  return total;
}

// standardized = (x - mean) * inverse, inverse = 1 / sqrt(variance + epsilon); y = standardized * gamma + beta.
template <typename T>
void normalize(const Normalization<T>& s, T* y, const T* x) {
  using V = Vec<T>;
  const V columns = V::set(static_cast<T>(s.columns));
  for_normalized_rows(s, [&](int64_t row, int64_t first) {
    const T *from = x + first, *gamma = s.gamma, *beta = s.beta;
    T *to = y + first, *standardized = s.standardized ? s.standardized + first : to;
    const auto mean_of = [&](auto terms_at) { return V::set(row_sum<T>(s.columns, terms_at)) / columns; };
    const V mean = mean_of([=](int64_t at, int64_t lanes) { return load_lanes(from + at, lanes); });
    const auto centred = [=](int64_t at, int64_t lanes) { return load_lanes(from + at, lanes) - mean; };
    const V variance = mean_of([=](int64_t at, int64_t lanes) {
      const V d = centred(at, lanes);
      return d * d;
    });
    const V inverse = V::set(T(1)) / sqrt(variance + V::set(static_cast<T>(s.epsilon)));
    if (s.inverse) store_lanes(inverse, s.inverse + row, 1);
    along_row<T>(s.columns, [&](int64_t at, int64_t lanes, int64_t) {
      V value = centred(at, lanes) * inverse;
      store_lanes(value, standardized + at, lanes);
      if (gamma) value = value * load_lanes(gamma + at, lanes);
      if (beta) value = value + load_lanes(beta + at, lanes);
      store_lanes(value, to + at, lanes);
    });
  });
}

// dx from dy, and what is added to dgamma and dbeta.
template <typename T>
void normalize_gradient(const Normalization<T>& s, T* dx, T* dgamma, T* dbeta, const T* dy) {
  using V = Vec<T>;
  const V columns = V::set(static_cast<T>(s.columns));
  if (dgamma || dbeta) {
    for_columns(s, 4, [&](int64_t at, int64_t lanes) {
      V of_gamma = V::set(T(0)), of_beta = of_gamma;
      for (int64_t i = at; i < s.rows * s.columns; i += s.columns) {
        const V d = load_lanes(dy + i, lanes);
        of_gamma = of_gamma + d * load_lanes(s.standardized + i, lanes);
        of_beta = of_beta + d;
      }
      if (dgamma) store_lanes(load_lanes(dgamma + at, lanes) + of_gamma, dgamma + at, lanes);
      if (dbeta) store_lanes(load_lanes(dbeta + at, lanes) + of_beta, dbeta + at, lanes);
    });
  }
  if (!dx) return;
  for_normalized_rows(s, [&](int64_t row, int64_t first) {
    const T *from = dy + first, *standardized = s.standardized + first, *gamma = s.gamma;
    const auto mean_of = [&](auto terms_at) { return V::set(row_sum<T>(s.columns, terms_at)) / columns; };
    const auto gradient = [=](int64_t at, int64_t lanes) {
      const V d = load_lanes(from + at, lanes);
      return gamma ? d * load_lanes(gamma + at, lanes) : d;
    };
    const V mean = mean_of(gradient), slope = mean_of([=](int64_t at, int64_t lanes) {
                                        return gradient(at, lanes) * load_lanes(standardized + at, lanes);
                                      });
    const V inverse = V::set(s.inverse[row]);
    along_row<T>(s.columns, [&](int64_t at, int64_t lanes, int64_t) {
      const V d = (gradient(at, lanes) - mean) - load_lanes(standardized + at, lanes) * slope;
      store_lanes(inverse * d, dx + first + at, lanes);
    });
  });
}

// As `normalize`, of columns.
template <typename T>
void normalize_columns(const Normalization<T>& s, T* y, T* mean, T* variance, const T* x, bool of_batch) {
  using V = Vec<T>;
  const V rows = V::set(static_cast<T>(s.rows));
  for_columns(s, of_batch ? 10 : 5, [&](int64_t at, int64_t lanes) {
    if (of_batch) {
      const V m = column_sum(s, [=](int64_t row) { return load_lanes(x + row + at, lanes); }) / rows;
      const V squares = column_sum(s, [=](int64_t row) {
        const V d = load_lanes(x + row + at, lanes) - m;
        return d * d;
      });
      store_lanes(m, mean + at, lanes);
      store_lanes(squares / rows, variance + at, lanes);
    }
    const V m = load_lanes(mean + at, lanes);
    const V inverse = V::set(T(1)) / sqrt(load_lanes(variance + at, lanes) + V::set(static_cast<T>(s.epsilon)));
    if (s.inverse) store_lanes(inverse, s.inverse + at, lanes);
    for (int64_t i = at; i < s.rows * s.columns; i += s.columns) {
      V value = (load_lanes(x + i, lanes) - m) * inverse;
      if (s.standardized) store_lanes(value, s.standardized + i, lanes);
      if (s.gamma) value = value * load_lanes(s.gamma + at, lanes);
      if (s.beta) value = value + load_lanes(s.beta + at, lanes);
      store_lanes(value, y + i, lanes);
    }
  });
}

template <typename T>
void normalize_columns_gradient(const Normalization<T>& s, T* dx, T* dgamma, T* dbeta, const T* dy, bool of_batch) {
  using V = Vec<T>;
  const V rows = V::set(static_cast<T>(s.rows));
  for_columns(s, 10, [&](int64_t at, int64_t lanes) {
    const V sum = column_sum(s, [=](int64_t row) { return load_lanes(dy + row + at, lanes); });
    const V slope = column_sum(s, [=, &s](int64_t row) {
      return load_lanes(dy + row + at, lanes) * load_lanes(s.standardized + row + at, lanes);
    });
    if (dgamma) store_lanes(load_lanes(dgamma + at, lanes) + slope, dgamma + at, lanes);
    if (dbeta) store_lanes(load_lanes(dbeta + at, lanes) + sum, dbeta + at, lanes);
    if (!dx) return;
    const V inverse = load_lanes(s.inverse + at, lanes);
    const V factor = s.gamma ? inverse * load_lanes(s.gamma + at, lanes) : inverse;
    for (int64_t i = at; i < s.rows * s.columns; i += s.columns) {
      V d = load_lanes(dy + i, lanes);
      if (of_batch) d = (d - sum / rows) - load_lanes(s.standardized + i, lanes) * (slope / rows);
      store_lanes(factor * d, dx + i, lanes);
    }
  });
}

}  // namespace recurra::RECURRA_NAMESPACE
