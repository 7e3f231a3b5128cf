// Windows of time steps brought to one value of each feature. Plain loops over features: compilers see vectors in them.
#pragma once

#include "elementwise-inl.h"
#include "pack-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// The steps of x in window t: what is padded counts for none.
template <typename T>
RECURRA_INLINE Range window_of(const Pooling<T>& s, int64_t t) {
  const int64_t first = t * s.stride - s.before;
  return {larger(first, 0), smaller(first + s.size, s.timesteps)};
}

// f(n, t, steps of the window) for all windows; a member owns whole sequences.
template <typename T, typename F>
void for_windows(const Pooling<T>& s, F f) {
  const auto elements = static_cast<double>(s.N * s.steps * s.size * s.D);
  run_parts(team_size(4 * elements), [&](const Part& part) {
    const Range own = part_of(s.N, part);
    for (int64_t n = own.begin; n < own.end; ++n) {
      for (int64_t t = 0; t < s.steps; ++t) f(n, t, window_of(s, t));
    }
  });
}

template <typename T>
void pool(const Pooling<T>& s, T* y, const T* x) {
  const int64_t D = s.D;
  for_windows(s, [&](int64_t n, int64_t t, Range window) {
    T* __restrict to = y + (n * s.steps + t) * D;
    const T* from = x + (n * s.timesteps + window.begin) * D;
    copy_or_zero(to, from, D);
    for (int64_t j = window.begin + 1; j < window.end; ++j) {
      from += D;
      if (s.kind == PoolKind::mean) {
        for (int64_t d = 0; d < D; ++d) to[d] += from[d];
      } else {
        for (int64_t d = 0; d < D; ++d) to[d] = ((from[d] > to[d]) | (from[d] != from[d])) ? from[d] : to[d];
      }
    }
    const T count = static_cast<T>(window.end - window.begin);
    for (int64_t d = 0; s.kind == PoolKind::mean && d < D; ++d) to[d] = to[d] / count;
  });
}

// dx from dy: to all of a mean alike; of a maximum to the first of the largest, or to all of them alike.
template <typename T>
void pool_gradient(const Pooling<T>& s, T* dx, const T* dy, const T* x, const T* y) {
  constexpr int64_t kFeatures = 64;
  const int64_t D = s.D;
  for_windows(s, [&](int64_t n, int64_t t, Range window) {
    const T *of_y = dy + (n * s.steps + t) * D, *largest = y + (n * s.steps + t) * D;
    if (t == 0) copy_or_zero<T>(dx + n * s.timesteps * D, nullptr, s.timesteps * D);
    for (int64_t first = 0; first < D; first += kFeatures) {
      const int64_t count = smaller(kFeatures, D - first);
      T left[kFeatures], equal[kFeatures] = {};
      const auto for_steps = [&](auto f) {
        for (int64_t j = window.begin; j < window.end; ++j) {
          const int64_t at = (n * s.timesteps + j) * D + first;
          f(dx + at, x + at, largest + first);
        }
      };
      copy_or_zero(left, of_y + first, count);
      if (s.kind == PoolKind::mean) {
        const T size = static_cast<T>(window.end - window.begin);
        for (int64_t d = 0; d < count; ++d) left[d] = left[d] / size;
        for_steps([&](T* __restrict to, const T*, const T*) {
          for (int64_t d = 0; d < count; ++d) to[d] += left[d];
        });
      } else if (s.kind == PoolKind::first_max) {
        for_steps([&](T* __restrict to, const T* from, const T* top) {
          for (int64_t d = 0; d < count; ++d) {
            const bool is_it = !(from[d] < top[d]);
            to[d] += is_it ? left[d] : T(0);
            left[d] = is_it ? T(0) : left[d];
          }
        });
      } else {
        for_steps([&](T*, const T* from, const T* top) {
          for (int64_t d = 0; d < count; ++d) equal[d] += from[d] == top[d] ? T(1) : T(0);
        });
        for (int64_t d = 0; d < count; ++d) left[d] = left[d] / equal[d];
        for_steps([&](T* __restrict to, const T* from, const T* top) {
          for (int64_t d = 0; d < count; ++d) to[d] += from[d] == top[d] ? left[d] : T(0);
        });
      }
    }
  });
}

}  // namespace recurra::RECURRA_NAMESPACE
