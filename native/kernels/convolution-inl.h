// Convolutions along time: products of windows with a kernel. Windows overlap, and are read where they lie.
#pragma once

#include "gemm-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// One group: features and filters of its own. A window is so many stretches of features; of all features at once and
// without dilation it is one stretch.
template <typename T>
struct ConvolutionGroup {
  const Convolution<T>& s;
  int64_t index;

  int64_t features() const { return s.D / s.groups; }
  int64_t filters() const { return s.F / s.groups; }
  bool in_one() const { return s.groups == 1 && s.dilation == 1; }
  int64_t stretches() const { return in_one() ? 1 : s.size; }
  int64_t stretch() const { return in_one() ? s.size * s.D : features(); }
  int64_t apart() const { return s.dilation * s.D; }
  int64_t window() const { return s.size * features(); }
  const T* x(int64_t n) const { return s.x + n * s.timesteps * s.D + index * features(); }
  int64_t first_filter() const { return index * filters(); }
};

template <typename T>
void convolve(const Convolution<T>& s) {
  constexpr int L = Vec<T>::lanes;
  const ConvolutionGroup<T> first{s, 0};
  const int64_t K = first.window(), filters = first.filters(), packed_size = ceil_div(filters, L) * L * K;
  const int team = team_size(s.flops());
  Arena arena;
  arena.take<T>(s.groups * packed_size);
  arena.allocate();
  T* packed = arena.take<T>(s.groups * packed_size);
  run_parts(team, [&](const Part& part) {
    for (int64_t g = 0; g < s.groups; ++g) {
      pack_matrix(part, packed + g * packed_size, s.kernel + g * filters, K, filters, s.F, false);
    }
  });
  run_parts(team, [&](const Part& part) {
    const Range own = part_of(s.N * s.steps, part);
    for (int64_t g = 0; g < s.groups; ++g) {
      const ConvolutionGroup<T> group{s, g};
      const T* bias = s.bias ? s.bias + group.first_filter() : nullptr;
      for (int64_t n = own.begin / s.steps; n * s.steps < own.end; ++n) {
        const Range rows{larger(own.begin - n * s.steps, 0), smaller(own.end - n * s.steps, s.steps)};
        const Stretch<T> stretch{
            group.x(n),        s.stride * s.D, 1, packed + g * packed_size, L, K * L, group.stretch(),
            group.stretches(), group.apart()};
        product_of_blocks<T>(rows, blocks_of<T>(filters), stretch, filters, bias, false,
                             [&](int64_t t) { return s.y + (n * s.steps + t) * s.F + group.first_filter(); });
      }
    }
  });
}

// dkernel += the sums over windows of window^T @ dy: of some whole sequences at once, or of some steps of a long one.
template <typename T>
void convolve_gradient(const Convolution<T>& s, T* dkernel, const T* dy) {
  constexpr int64_t kDepth = GradientProduct<T>::kDepth;
  const int64_t rows_at_once = smaller(s.steps, kDepth), sequences_at_once = larger(1, kDepth / rows_at_once);
  const int64_t filters = s.F / s.groups;
  const int team = team_size(s.flops());

  GradientProduct<T> product;
  product.depth = rows_at_once * sequences_at_once + 1;  // as in run_backward
  product.width = filters;
  product.first = product.first_out = 0;
  product.count = 1;
  product.in_place = ceil_div(filters, Vec<T>::lanes) <= 4 * kGemmColumns && rows_at_once >= 8;

  const auto run = [&](const ConvolutionGroup<T>& group, int64_t n, int64_t sequences, int64_t t, int64_t rows,
                       Range stretches) {
    product.order = {rows, rows, sequences};
    product.parts = 0;
    for (int64_t j = stretches.begin; j < stretches.end; ++j) {
      const T* source = group.x(n) + t * s.stride * s.D + j * group.apart();
      T* out = dkernel + j * group.stretch() * s.F + group.first_filter();
      product.add({source, s.timesteps * s.D, s.stride * s.D, group.stretch(), out, s.F});
    }
    Arena arena;
    T* dz = product.allocate(arena);
    const T* first = dy + (n * s.steps + t) * s.F + group.first_filter();
    run_parts(team, [&](const Part& part) {
      product.pack_dz(part, dz, first, rows * sequences, s.F);
      product.pack(0, {0, sequences}, part_of(rows, part));
    });
    run_parts(team, [&](const Part& part) { product.run(part, 0, sequences, false, false); });
  };

  for (int64_t g = 0; g < s.groups; ++g) {
    const ConvolutionGroup<T> group{s, g};
    for (int64_t j = 0; j < group.stretches(); j += GradientProduct<T>::kParts) {
      const Range stretches{j, smaller(j + GradientProduct<T>::kParts, group.stretches())};
      for (int64_t n = 0; n < s.N; n += sequences_at_once) {
        for (int64_t t = 0; t < s.steps; t += rows_at_once) {
          run(group, n, smaller(sequences_at_once, s.N - n), t, smaller(rows_at_once, s.steps - t), stretches);
        }
      }
    }
  }
}

}  // namespace recurra::RECURRA_NAMESPACE
