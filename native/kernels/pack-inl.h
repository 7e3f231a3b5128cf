// Numbers copied, and matrices rearranged for the tile kernel: column blocks of one vector width, row after row, tails
// padded with zeros.
#pragma once

#include "team-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// to <- from, or zeros if it is null.
template <typename T>
RECURRA_INLINE void copy_or_zero(T* to, const T* from, int64_t count) {
  if (count == 0) return;  // nothing may lie at a null
  if (from) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
  } else {
    std::memset(to, 0, static_cast<size_t>(count) * sizeof(T));
  }
}

// block (K, L), its rows block_row apart <- lanes columns of src, whose element (k, j) lies at src[k * row_stride + j].
template <typename T>
void pack_block(T* block, int64_t block_row, const T* src, int64_t K, int64_t row_stride, int64_t lanes) {
  using V = Vec<T>;
  if (lanes == V::lanes) {
    for (int64_t k = 0; k < K; ++k) V::load(src + k * row_stride).store(block + k * block_row);
  } else {
    for (int64_t k = 0; k < K; ++k) V::load_part(src + k * row_stride, lanes).store(block + k * block_row);
  }
}

// Calls f(some) for a few rows at a time of a matrix that is packed: all blocks take theirs before the next rows. One
// block after the other would read columns of it, lines that drive each other out of the cache where rows are a power
// of two long: a prediction of five steps through 256 or 512 units took twice as long.
template <typename F>
RECURRA_INLINE void for_packed_rows(Range rows, F f) {
  constexpr int64_t kRows = 8;
  for (int64_t k = rows.begin; k < rows.end; k += kRows) f(Range{k, smaller(k + kRows, rows.end)});
}

// to (4, 4) <- from (4, 4) transposed, rows so far apart.
template <typename T>
RECURRA_INLINE void transpose_4x4(T* to, int64_t to_row, const T* from, int64_t from_row) {
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) to[i * to_row + j] = from[j * from_row + i];
  }
}

#if defined(RECURRA_SIMD_AVX512) || defined(RECURRA_SIMD_AVX2)
RECURRA_INLINE void transpose_4x4(float* to, int64_t to_row, const float* from, int64_t from_row) {
  __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + from_row);
  __m128 c = _mm_loadu_ps(from + 2 * from_row), d = _mm_loadu_ps(from + 3 * from_row);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(to, a);
  _mm_storeu_ps(to + to_row, b);
  _mm_storeu_ps(to + 2 * to_row, c);
  _mm_storeu_ps(to + 3 * to_row, d);
}
#endif

// The same from the transpose: element (k, j) lies at src[j * row_stride + k]. A cache line of each row at a time, for
// the same reason.
template <typename T>
void pack_block_transposed(T* block, const T* src, int64_t K, int64_t row_stride, int64_t lanes) {
  constexpr int L = Vec<T>::lanes;
  constexpr int64_t kLine = 64 / sizeof(T);
  const int64_t whole_lanes = lanes / 4 * 4, whole_k = K / 4 * 4;
  for (int64_t begin = 0; begin < whole_k; begin += kLine) {
    const int64_t end = smaller(begin + kLine, whole_k);
    for (int64_t j = 0; j < whole_lanes; j += 4) {
      for (int64_t k = begin; k < end; k += 4) {
        transpose_4x4(block + k * L + j, L, src + j * row_stride + k, row_stride);
      }
    }
    for (int64_t j = whole_lanes; j < lanes; ++j) {
      for (int64_t k = begin; k < end; ++k) block[k * L + j] = src[j * row_stride + k];
    }
  }
  for (int64_t k = whole_k; k < K; ++k) {
    for (int64_t j = 0; j < lanes; ++j) block[k * L + j] = src[j * row_stride + k];
  }
  for (int64_t j = lanes; j < L; ++j) {
    for (int64_t k = 0; k < K; ++k) block[k * L + j] = T(0);
  }
}

}  // namespace recurra::RECURRA_NAMESPACE
