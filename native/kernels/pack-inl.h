// Matrices rearranged for the tile kernel: column blocks of one vector width, row after row, tails padded with zeros.
#pragma once

#include "team-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// block (K, L) <- lanes columns of src, whose element (k, j) lies at src[k * row_stride + j].
template <typename T>
void pack_block(T* block, const T* src, int64_t K, int64_t row_stride, int64_t lanes) {
  using V = Vec<T>;
  if (lanes == V::lanes) {
    for (int64_t k = 0; k < K; ++k) V::load(src + k * row_stride).store(block + k * V::lanes);
  } else {
    for (int64_t k = 0; k < K; ++k) V::load_part(src + k * row_stride, lanes).store(block + k * V::lanes);
  }
}

// The same from the transpose: element (k, j) lies at src[j * row_stride + k].
template <typename T>
void pack_block_transposed(T* block, const T* src, int64_t K, int64_t row_stride, int64_t lanes) {
  constexpr int L = Vec<T>::lanes;
  for (int64_t k = 0; k < K; k += L) {  // L x L at a time: both sides stay in a few cache lines
    const int64_t rows = smaller(L, K - k);
    for (int64_t j = 0; j < lanes; ++j) {
      const T* from = src + j * row_stride + k;
      T* to = block + k * L + j;
      for (int64_t i = 0; i < rows; ++i) to[i * L] = from[i];
    }
  }
  for (int64_t j = lanes; j < L; ++j) {
    for (int64_t k = 0; k < K; ++k) block[k * L + j] = T(0);
  }
}

}  // namespace recurra::RECURRA_NAMESPACE
