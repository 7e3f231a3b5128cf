// Matrix products. Every element of a result is one chain of FMAs over k in ascending order, begun with what stands in
// the tile's `init`; a vector holds different columns of one row. So neither the tile's size nor the vector's width nor
// the split among threads changes a bit.
#pragma once

#include "kernels.h"
#include "lockstep-inl.h"
#include "pack-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// Rows of a tile for 1, 2, 3, 4 vectors of columns, by what the registers hold: R * C sums, C of b, one of a.
#if defined(RECURRA_SIMD_AVX512) || defined(RECURRA_SIMD_NEON)
constexpr int kTileRows[] = {0, 8, 8, 8, 6};
constexpr int kGemmColumns = 4;
#else
constexpr int kTileRows[] = {0, 8, 6, 4, 3};
constexpr int kGemmColumns = 2;
#endif
constexpr int kMaxRows = 8;
constexpr int kMaxColumns = 4;
constexpr int kGemmRows = 6;  // == kTileRows[kGemmColumns]

// One stretch of k: a (rows, K) with element (r, k) at a[r * a_row + k * a_k]; b (K, vectors) with vector c of row k at
// b[k * b_k + c * b_vector].
template <typename T>
struct Stretch {
  const T* a;
  int64_t a_row, a_k;
  const T* b;
  int64_t b_k, b_vector;
  int64_t K;
};

template <typename T>
struct Tile {
  Stretch<T> stretch[2];
  int stretches;
  T* rows[kMaxRows];              // where each row of the result begins
  int64_t columns[kMaxColumns];   // offset of each vector in a row
  int64_t lanes[kMaxColumns];     // its valid lanes
  const T* init[kMaxColumns];     // what the chains begin with, row r at init[c] + r * init_row[c]; null: the result's
  int64_t init_row[kMaxColumns];  // own content
};

template <typename T, int R, int C>
void tile_kernel(const Tile<T>& tile) {
  using V = Vec<T>;
  V sum[R][C];
  RECURRA_UNROLL for (int c = 0; c < C; ++c) {
    RECURRA_UNROLL for (int r = 0; r < R; ++r) {
      const T* from = tile.init[c] ? tile.init[c] + r * tile.init_row[c] : tile.rows[r] + tile.columns[c];
      sum[r][c] = load_lanes(from, tile.lanes[c]);
    }
  }
  for (int i = 0; i < tile.stretches; ++i) {
    const Stretch<T>& s = tile.stretch[i];
    const T* a = s.a;
    const T* b = s.b;
    const int64_t a_row = s.a_row, a_k = s.a_k, b_k = s.b_k, b_vector = s.b_vector;
    for (int64_t k = s.K; k > 0; --k) {
      V bk[C];
      RECURRA_UNROLL for (int c = 0; c < C; ++c) bk[c] = V::load(b + c * b_vector);
      RECURRA_UNROLL for (int r = 0; r < R; ++r) {
        const V ak = V::set(a[r * a_row]);
        RECURRA_UNROLL for (int c = 0; c < C; ++c) sum[r][c] = fma(ak, bk[c], sum[r][c]);
      }
      a += a_k;
      b += b_k;
    }
  }
  RECURRA_UNROLL for (int c = 0; c < C; ++c) {
    RECURRA_UNROLL for (int r = 0; r < R; ++r) store_lanes(sum[r][c], tile.rows[r] + tile.columns[c], tile.lanes[c]);
  }
}

template <typename T, int C>
RECURRA_INLINE void run_rows(const Tile<T>& tile, int64_t rows) {
  constexpr int most = kTileRows[C];
  switch (rows) {
    case 1:
      return tile_kernel<T, 1, C>(tile);
    case 2:
      return tile_kernel<T, 2, C>(tile);
    case 3:
      return tile_kernel<T, 3, C>(tile);
    case 4:
      return tile_kernel < T, most<4 ? most : 4, C>(tile);
    case 5:
      return tile_kernel < T, most<5 ? most : 5, C>(tile);
    case 6:
      return tile_kernel < T, most<6 ? most : 6, C>(tile);
    case 7:
      return tile_kernel < T, most<7 ? most : 7, C>(tile);
    default:
      return tile_kernel<T, most, C>(tile);
  }
}

// rows <= kTileRows[columns].
template <typename T>
void run_tile(const Tile<T>& tile, int64_t rows, int64_t columns) {
  switch (columns) {
    case 1:
      return run_rows<T, 1>(tile, rows);
    case 2:
      return run_rows<T, 2>(tile, rows);
    case 3:
      return run_rows<T, 3>(tile, rows);
    default:
      return run_rows<T, 4>(tile, rows);
  }
}

// Calls f(begin, rows) for nearly equal runs of at most `most` rows of range.
template <typename F>
RECURRA_INLINE void for_row_tiles(Range range, int64_t most, F f) {
  const int64_t total = range.end - range.begin;
  const int64_t tiles = ceil_div(total, most);
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t begin = range.begin + total * i / tiles;
    f(begin, range.begin + total * (i + 1) / tiles - begin);
  }
}

// Calls f(first, columns) for groups of at most `most` consecutive column blocks.
template <typename F>
RECURRA_INLINE void for_column_groups(Range blocks, int64_t most, F f) {
  for (int64_t first = blocks.begin; first < blocks.end; first += most) f(first, smaller(most, blocks.end - first));
}

template <typename T>
alignas(64) inline constexpr T kZeros[Vec<T>::lanes] = {};

// Rows of a transposed left matrix: row j of `count` is column j of the source, whose row (step, n) lies at
// source + step * step_stride + n * row_stride. No source: one row of ones. Result row j is out + j * out_row.
template <typename T>
struct GradientPart {
  const T* source;
  int64_t step_stride, row_stride;
  int64_t count;
  T* out;
  int64_t out_row;
};

// out += a^T @ dz over rows (step, n) in ascending order: the gradient of weights and biases.
//   dz (steps * N, ...) rows dz_row apart, its columns dz_column .. + columns; out columns from out_column.
template <typename T>
struct GradientProduct {
  static constexpr int kParts = 5;
  static constexpr int64_t kDepth = 256;  // rows at once: a block of dz of 256 * 64 floats and of a stay in L2
  GradientPart<T> part[kParts];
  int parts = 0;
  int64_t N;
  const T* dz;
  int64_t dz_row, dz_column, out_column, columns;

  void add(GradientPart<T> p) {
    if (p.out && p.count) part[parts++] = p;
  }
  int64_t rows() const {
    int64_t total = 0;
    for (int i = 0; i < parts; ++i) total += part[i].count;
    return total;
  }
  // Elements of memory that `run` needs for so many rows of dz.
  int64_t scratch_size(int64_t dz_rows) const {
    return smaller(kDepth, dz_rows) * (ceil_div(rows(), kGemmRows) * kGemmRows + kGemmColumns * Vec<T>::lanes);
  }

  // a -> tiles of kGemmRows rows: element (j, k) at packed[(j / 6 * depth + k) * 6 + j % 6].
  void pack_rows(T* packed, int64_t first, int64_t depth) const {
    int64_t row = 0;
    for (int i = 0; i < parts; ++i) {
      const GradientPart<T>& p = part[i];
      for (int64_t j = 0; j < p.count;) {
        const int64_t run = smaller(p.count - j, kGemmRows - row % kGemmRows);
        pack_run(packed + row / kGemmRows * depth * kGemmRows + row % kGemmRows, p, j, run, first, depth);
        row += run;
        j += run;
      }
    }
  }

  void pack_run(T* to, const GradientPart<T>& p, int64_t j, int64_t run, int64_t first, int64_t depth) const {
    if (!p.source) {
      for (int64_t k = 0; k < depth; ++k) to[k * kGemmRows] = T(1);
      return;
    }
    int64_t step = first / N, n = first % N;
    for (int64_t k = 0; k < depth;) {
      const T* from = p.source + step * p.step_stride + n * p.row_stride + j;
      const int64_t end = smaller(depth, k + N - n);
      for (; k < end; ++k, from += p.row_stride, to += kGemmRows) {
        if (run == kGemmRows) {
          std::memcpy(to, from, kGemmRows * sizeof(T));
        } else {
          for (int64_t q = 0; q < run; ++q) to[q] = from[q];
        }
      }
      n = 0;
      ++step;
    }
  }

  T* out_row(int64_t row) const {
    int i = 0;
    while (row >= part[i].count) row -= part[i++].count;
    return part[i].out + row * part[i].out_row + out_column;
  }

  // This member's columns, over rows begin .. end of dz.
  void run(const Member& member, T* memory, int64_t begin, int64_t end) const {
    constexpr int L = Vec<T>::lanes;
    const int64_t M = rows();
    const Range blocks = part_of(ceil_div(columns, L), member.index, member.count);
    if (M == 0 || blocks.begin == blocks.end) return;
    T* packed_b = memory;
    T* packed_a = memory + kGemmColumns * L * smaller(kDepth, end - begin);
    for_row_tiles({begin, end}, kDepth, [&](int64_t first, int64_t depth) {
      pack_rows(packed_a, first, depth);
      for_column_groups(blocks, kGemmColumns, [&](int64_t block, int64_t count) {
        Tile<T> tile;
        tile.stretches = 1;
        tile.stretch[0] = {packed_a, 1, kGemmRows, packed_b, L, depth * L, depth};
        for (int64_t c = 0; c < count; ++c) {
          const int64_t column = (block + c) * L;
          tile.columns[c] = column;
          tile.lanes[c] = smaller(L, columns - column);
          tile.init[c] = nullptr;
          pack_block(packed_b + c * depth * L, dz + first * dz_row + dz_column + column, depth, dz_row, tile.lanes[c]);
        }
        for (int64_t row = 0; row < M; row += kGemmRows) {
          const int64_t height = smaller(kGemmRows, M - row);
          tile.stretch[0].a = packed_a + row * depth;
          for (int64_t r = 0; r < height; ++r) tile.rows[r] = out_row(row + r);
          run_tile(tile, height, count);
        }
      });
    });
  }
};

// out row(r) (M, N) = init + a (M, K) @ b, with b packed into column blocks of K rows; rows of a lie a_row apart.
template <typename T, typename RowOf>
void packed_product(Range rows, int64_t K, const T* a, int64_t a_row, const T* packed_b, int64_t N, const T* bias,
                    bool accumulate, RowOf row_of) {
  constexpr int L = Vec<T>::lanes;
  for_column_groups({0, ceil_div(N, L)}, kGemmColumns, [&](int64_t block, int64_t count) {
    Tile<T> tile;
    tile.stretches = 1;
    tile.stretch[0] = {nullptr, a_row, 1, packed_b + block * K * L, L, K * L, K};
    for (int64_t c = 0; c < count; ++c) {
      tile.columns[c] = (block + c) * L;
      tile.lanes[c] = smaller(L, N - tile.columns[c]);
      tile.init[c] = accumulate ? nullptr : bias ? bias + tile.columns[c] : kZeros<T>;
      tile.init_row[c] = 0;
    }
    for_row_tiles(rows, kTileRows[count], [&](int64_t row, int64_t height) {
      tile.stretch[0].a = a + row * a_row;
      for (int64_t r = 0; r < height; ++r) tile.rows[r] = row_of(row + r);
      run_tile(tile, height, count);
    });
  });
}

// b (K, N), or its transpose (N, K), into column blocks; this member's share of them.
template <typename T>
void pack_matrix(const Member& member, T* packed, const T* b, int64_t K, int64_t N, int64_t b_row, bool transposed) {
  constexpr int L = Vec<T>::lanes;
  const Range blocks = part_of(ceil_div(N, L), member.index, member.count);
  for (int64_t i = blocks.begin; i < blocks.end; ++i) {
    const int64_t lanes = smaller(L, N - i * L);
    if (transposed) {
      pack_block_transposed(packed + i * K * L, b + i * L * b_row, K, b_row, lanes);
    } else {
      pack_block(packed + i * K * L, b + i * L, K, b_row, lanes);
    }
  }
}

template <typename T>
void matmul(const Matmul<T>& m) {
  constexpr int L = Vec<T>::lanes;
  const double flops = 2.0 * static_cast<double>(m.M) * static_cast<double>(m.N) * static_cast<double>(m.K);
  Arena arena;
  if (m.transpose_a) {  // the rows of a and b are what is summed over, as in the gradient of weights
    if (!m.accumulate) {
      for (int64_t i = 0; i < m.M * m.N; ++i) m.out[i] = m.bias ? m.bias[i % m.N] : T(0);
    }
    GradientProduct<T> product;
    product.N = m.K;
    product.dz = m.b;
    product.dz_row = product.columns = m.N;
    product.dz_column = product.out_column = 0;
    product.add({m.a, 0, m.M, m.M, m.out, m.N});
    const int team = static_cast<int>(smaller(team_size(flops), ceil_div(m.N, L)));
    const int64_t size = product.scratch_size(m.K);
    arena.take<T>(team * size);
    arena.allocate();
    T* memory = arena.take<T>(team * size);
    run_members(team, [&](const Member& member) { product.run(member, memory + member.index * size, 0, m.K); });
    return;
  }
  const int64_t packed_size = ceil_div(m.N, L) * L * m.K;
  arena.take<T>(packed_size);
  arena.allocate();
  T* packed = arena.take<T>(packed_size);
  run_members(team_size(flops), [&](const Member& member) {
    pack_matrix(member, packed, m.b, m.K, m.N, m.transpose_b ? m.K : m.N, m.transpose_b);
    member.wait();
    packed_product(part_of(m.M, member.index, member.count), m.K, m.a, m.K, packed, m.N, m.bias, m.accumulate,
                   [&](int64_t row) { return m.out + row * m.N; });
  });
}

}  // namespace recurra::RECURRA_NAMESPACE
