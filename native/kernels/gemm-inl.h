// Matrix products. Every element of a result is one chain of FMAs over k in ascending order, begun with what stands in
// the tile's `init`; a vector holds different columns of one row. So neither the tile's size nor the vector's width nor
// the split among threads changes a bit.
#pragma once

#include <type_traits>

#include "kernels.h"
#include "lockstep-inl.h"
#include "pack-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// Rows of a tile for so many vectors of columns, by what the registers hold: R * C sums, C of b and one of a, or one
// of b and R of a.
#if defined(RECURRA_SIMD_AVX512) || defined(RECURRA_SIMD_NEON)
constexpr int kRegisters = 32;
constexpr int kTileRows[] = {0, 8, 8, 8, 6, 0, 1, 0, 1};
constexpr int kGemmColumns = 4;
#else
constexpr int kRegisters = 16;
constexpr int kTileRows[] = {0, 8, 6, 4, 3, 0, 1, 0, 1};
constexpr int kGemmColumns = 2;
#endif
#if defined(RECURRA_SIMD_AVX512)
constexpr bool kCheapMasks = true;  // to move a few lanes takes no longer than to move all
#else
constexpr bool kCheapMasks = false;
#endif
constexpr int kMaxRows = 8;
constexpr int kMaxColumns = 8;
constexpr int kGemmRows = kTileRows[kGemmColumns];

// One stretch of k: a (rows, K) with element (r, k) at a[r * a_row + k * a_k]; b (K, vectors) with vector c of row k at
// b[k * b_k + c * b_vector]. `repeats` of them, where b goes on and a begins a_repeat further each time.
template <typename T>
struct Stretch {
  const T* a;
  int64_t a_row, a_k;
  const T* b;
  int64_t b_k, b_vector;
  int64_t K;
  int64_t repeats = 1, a_repeat = 0;
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

// Has the chains of these vectors of one row begin with what lies end to end at `sums`.
template <typename T>
RECURRA_INLINE void begin_with(Tile<T>& tile, const T* sums, int64_t columns) {
  for (int64_t c = 0; c < columns; ++c) tile.init[c] = sums + c * Vec<T>::lanes;
}

// Which of a tile's vectors a stretch adds to, and whether it may repeat, where a cell does not say otherwise.
struct AllVectors {
  static constexpr bool kRepeats = true;
  static constexpr bool has(int /*stretch*/, int /*vector*/) { return true; }
};

// How many of the vectors before `vector` a stretch adds to: where that vector's column of b lies.
template <typename Vectors, int Which>
constexpr int vectors_before(int vector) {
  int count = 0;
  for (int c = 0; c < vector; ++c) count += Vectors::has(Which, c);
  return count;
}

// Adds the products of a stretch to the sums of a tile.
template <typename Vectors, int Which, typename T, int R, int C>
RECURRA_INLINE void add_stretch(Vec<T> (&sum)[R][C], const Stretch<T>& s) {
  using V = Vec<T>;
  const T* start = s.a;
  const T* b = s.b;
  const int64_t a_row = s.a_row, a_k = s.a_k, b_k = s.b_k, b_vector = s.b_vector;
  for (int64_t repeat = Vectors::kRepeats ? s.repeats : 1; repeat > 0; --repeat, start += s.a_repeat) {
    const T* a = start;
    for (int64_t k = s.K; k > 0; --k) {
      if constexpr (R * C + vectors_before<Vectors, Which>(C) + 1 <= kRegisters) {
        V bk[C];
        RECURRA_UNROLL for (int c = 0; c < C; ++c) {
          if (Vectors::has(Which, c)) bk[c] = V::load(b + vectors_before<Vectors, Which>(c) * b_vector);
        }
        if constexpr (R == 2) {  // GCC would load each twice, as operands of two instructions
          RECURRA_UNROLL for (int c = 0; c < C; ++c) {
            if (Vectors::has(Which, c)) keep(bk[c]);
          }
        }
        RECURRA_UNROLL for (int r = 0; r < R; ++r) {
          const V ak = V::set(a[r * a_row]);
          RECURRA_UNROLL for (int c = 0; c < C; ++c) {
            if (Vectors::has(Which, c)) sum[r][c] = fma(ak, bk[c], sum[r][c]);
          }
        }
      } else {
        V ak[R];
        RECURRA_UNROLL for (int r = 0; r < R; ++r) ak[r] = V::set(a[r * a_row]);
        RECURRA_UNROLL for (int c = 0; c < C; ++c) {
          if (!Vectors::has(Which, c)) continue;
          const V bk = V::load(b + vectors_before<Vectors, Which>(c) * b_vector);
          RECURRA_UNROLL for (int r = 0; r < R; ++r) sum[r][c] = fma(ak[r], bk, sum[r][c]);
        }
      }
      a += a_k;
      b += b_k;
    }
  }
}

// Whole: no vector has lanes to leave out, which saves a test for each of the loads and stores.
template <typename T, int R, int C, bool Whole, typename Vectors>
void tile_kernel(const Tile<T>& tile) {
  using V = Vec<T>;
  V sum[R][C];
  RECURRA_UNROLL for (int c = 0; c < C; ++c) {
    const T* init = tile.init[c];
    const int64_t init_row = tile.init_row[c], lanes = Whole ? V::lanes : tile.lanes[c];
    RECURRA_UNROLL for (int r = 0; r < R; ++r) {
      const T* from = init ? init + r * init_row : tile.rows[r] + tile.columns[c];
      sum[r][c] = Whole ? V::load(from) : load_lanes(from, lanes);
    }
  }
  if constexpr (std::is_same_v<Vectors, AllVectors>) {  // one loop's code for both
    for (int i = 0; i < tile.stretches; ++i) add_stretch<Vectors, 0>(sum, tile.stretch[i]);
  } else {
    if (tile.stretches > 0) add_stretch<Vectors, 0>(sum, tile.stretch[0]);
    if (tile.stretches > 1) add_stretch<Vectors, 1>(sum, tile.stretch[1]);
  }
  RECURRA_UNROLL for (int c = 0; c < C; ++c) {
    const int64_t column = tile.columns[c], lanes = Whole ? V::lanes : tile.lanes[c];
    RECURRA_UNROLL for (int r = 0; r < R; ++r) {
      if constexpr (Whole) {
        sum[r][c].store(tile.rows[r] + column);
      } else {
        store_lanes(sum[r][c], tile.rows[r] + column, lanes);
      }
    }
  }
}

template <typename T, int R, int C, bool Whole, typename Vectors>
RECURRA_INLINE void run_at_most(const Tile<T>& tile) {
  constexpr int rows = R > kTileRows[C] ? kTileRows[C] : R;
  tile_kernel<T, rows, C, Whole, Vectors>(tile);
}

template <typename T, int C, bool Whole, typename Vectors>
RECURRA_INLINE void run_rows(const Tile<T>& tile, int64_t rows) {
  switch (rows) {
    case 1:
      return run_at_most<T, 1, C, Whole, Vectors>(tile);
    case 2:
      return run_at_most<T, 2, C, Whole, Vectors>(tile);
    case 3:
      return run_at_most<T, 3, C, Whole, Vectors>(tile);
    case 4:
      return run_at_most<T, 4, C, Whole, Vectors>(tile);
    case 5:
      return run_at_most<T, 5, C, Whole, Vectors>(tile);
    case 6:
      return run_at_most<T, 6, C, Whole, Vectors>(tile);
    case 7:
      return run_at_most<T, 7, C, Whole, Vectors>(tile);
    default:
      return run_at_most<T, 8, C, Whole, Vectors>(tile);
  }
}

template <typename T, int C, typename Vectors = AllVectors>
RECURRA_INLINE void run_columns(const Tile<T>& tile, int64_t rows) {
  bool whole = true;
  for (int c = 0; c < C; ++c) whole = whole && tile.lanes[c] == Vec<T>::lanes;
  if (whole) {
    run_rows<T, C, true, Vectors>(tile, rows);
  } else {
    run_rows<T, C, false, Vectors>(tile, rows);
  }
}

// rows <= kTileRows[columns].
template <typename T>
void run_tile(const Tile<T>& tile, int64_t rows, int64_t columns) {
  switch (columns) {
    case 1:
      return run_columns<T, 1>(tile, rows);
    case 2:
      return run_columns<T, 2>(tile, rows);
    case 3:
      return run_columns<T, 3>(tile, rows);
    case 4:
      return run_columns<T, 4>(tile, rows);
    case 6:
      return run_columns<T, 6>(tile, rows);
    default:
      return run_columns<T, 8>(tile, rows);
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

// Vectors of columns for tiles of so many rows. An FMA takes 4 cycles and two begin in each: it takes eight sums side
// by side to keep a core busy.
RECURRA_INLINE int64_t columns_for(int64_t rows) { return rows == 1 ? kMaxColumns : rows <= 3 ? 4 : kGemmColumns; }

// Calls f(first, columns) for groups of consecutive column blocks, as tiles of so many rows take them; or `from_last`
// to the first. Who goes through the same weights step after step goes to and fro: what a step has read last is then
// still in the cache, while always from the first on, weights a little larger than the cache are never there.
template <typename F>
RECURRA_INLINE void for_column_groups(Range blocks, int64_t rows, bool from_last, F f) {
  for (int64_t first = blocks.begin, columns; first < blocks.end; first += columns) {
    const int64_t left = blocks.end - first, most = columns_for(rows);
    columns = left >= most ? most : smaller(left, 4);
    f(from_last ? blocks.begin + left - columns : first, columns);
  }
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
  bool at_rest = false;        // all rows of step 0 are zeros
  const T* factors = nullptr;  // (N, count) that the rows are multiplied by, the same at each step; or null
};

// The order in which rows (step, n) are summed: those of the first half of the batch, step after step, then those of
// the second. Each half has sums of its own, so that two threads which run half of the batch each keep to what they
// wrote. `steps` of N rows lie end to end; `first` of the N are the first half, all of them where halves would not pay.
struct RowOrder {
  int64_t N, first, steps;

  int64_t rows() const { return steps * N; }
  int64_t at(int64_t step, int64_t n) const {
    return n < first ? step * first + n : steps * first + step * (N - first) + n - first;
  }
  // Of so many steps, the rows of half 0 or 1.
  int64_t rows_of(int half, int64_t some_steps) const { return some_steps * (half == 0 ? first : N - first); }
  int64_t first_of(int half) const { return half * steps * first; }
  int halves() const { return first == N ? 1 : 2; }
};

// out = or += a^T @ dz over rows (step, n) in that order: the gradient of weights and biases.
//
// dz lies in column blocks of `depth` rows each, as the tile kernel reads them. Of a, tiles of kGemmRows columns of one
// part are read where they lie, if the tiles of dz are so few that packing would not pay; `pack` brings what else there
// is, so many rows at once, into such tiles of R = kGemmRows: element (j, k) at packed[(j / R * depth + k) * R + j %
// R].
template <typename T>
struct GradientProduct {
  static constexpr int kParts = 5;
  static constexpr int64_t kDepth = 256;  // rows at once: a block of dz of 256 * 64 floats and of a stay in L2
  GradientPart<T> part[kParts];
  int parts = 0;
  RowOrder order;
  int64_t depth = 0;  // rows that dz and packed have room for
  const T* dz = nullptr;
  T* packed = nullptr;
  T* second = nullptr;              // (rows(), count * width): sums of the second half
  bool shares = false;              // packed is another product's, whose first rows are all of this one's
  bool in_place = false;            // whether a is read where it lies
  int64_t width;                    // columns of one slot, whose last block may be ragged
  int64_t first, count, first_out;  // slots of dz, and where the first of them goes in `out`

  void add(GradientPart<T> p) {
    if (p.out && p.count) part[parts++] = p;
  }
  int64_t rows() const {
    int64_t total = 0;
    for (int i = 0; i < parts; ++i) total += part[i].count;
    return total;
  }
  // Rows of the result whose part of a is read where it lies, before those that are packed.
  int64_t whole_rows(const GradientPart<T>& p) const {
    return in_place && p.source && !p.factors ? p.count / kGemmRows * kGemmRows : 0;
  }
  int64_t packed_rows() const {
    int64_t total = 0;
    for (int i = 0; i < parts; ++i) total += part[i].count - whole_rows(part[i]);
    return total;
  }
  // How many packed rows from the first on are at rest.
  int64_t resting_rows() const { return parts > 0 && part[0].at_rest ? part[0].count - whole_rows(part[0]) : 0; }
  // The row of the result that is packed row `row`.
  int64_t packed_row(int64_t row) const {
    int64_t before = 0;
    for (int i = 0;; before += part[i++].count) {
      const int64_t whole = whole_rows(part[i]), left = part[i].count - whole;
      if (row < left) return before + whole + row;
      row -= left;
    }
  }
  int64_t packed_size() const { return shares ? 0 : depth * ceil_div(packed_rows(), kGemmRows) * kGemmRows; }
  int64_t second_size() const { return order.halves() == 2 ? rows() * count * width : 0; }

  // Takes memory for `packed`, and for the blocks of dz of one slot.
  T* allocate(Arena& arena) {
    T* own_dz = nullptr;
    const auto take = [&] {
      own_dz = arena.take<T>(ceil_div(width, Vec<T>::lanes) * Vec<T>::lanes * depth);
      packed = arena.take<T>(packed_size());
    };
    take();
    arena.allocate();
    take();
    dz = own_dz;
    return own_dz;
  }
  // Packs so many rows of a matrix into those blocks; this part's share.
  void pack_dz(const Part& part, T* own_dz, const T* from, int64_t some_rows, int64_t from_row) const {
    constexpr int L = Vec<T>::lanes;
    const Range own = part_of(ceil_div(width, L), part);
    for (int64_t u = own.begin; u < own.end; ++u) {
      pack_block(own_dz + u * depth * L, L, from + u * L, some_rows, from_row, smaller(L, width - u * L));
    }
  }

  // Calls f(to, part, j, run) for rows j to j + run of each part that lie in one packed tile, from `to` on.
  template <typename F>
  void for_packed_runs(F f) const {
    int64_t row = 0;
    for (int i = 0; i < parts && !shares; ++i) {
      for (int64_t j = whole_rows(part[i]), run; j < part[i].count; j += run, row += run) {
        run = smaller(part[i].count - j, kGemmRows - row % kGemmRows);
        f(packed + row / kGemmRows * depth * kGemmRows + row % kGemmRows, part[i], j, run);
      }
    }
  }

  // Packs the rows of ones, which stay; this part's share.
  void pack_ones(const Part& part) const {
    const Range own = part_of(depth, part);
    for_packed_runs([&](T* to, const GradientPart<T>& p, int64_t, int64_t) {
      if (p.source) return;
      for (int64_t k = own.begin; k < own.end; ++k) to[k * kGemmRows] = T(1);
    });
  }

  // Packs rows `own` of each of these steps; `start` is the step whose rows come first.
  void pack(int64_t start, Range steps, Range own) const {
    for_packed_runs([&](T* to, const GradientPart<T>& p, int64_t j, int64_t run) {
      if (!p.source) return;
      pack_run(to, p, j, run, start, steps, {own.begin, smaller(own.end, order.first)});
      pack_run(to, p, j, run, start, steps, {larger(own.begin, order.first), own.end});
    });
  }

  // Rows of one half.
  void pack_run(T* packed_run, const GradientPart<T>& p, int64_t j, int64_t run, int64_t start, Range steps,
                Range own) const {
    for (int64_t step = steps.begin; step < steps.end && own.begin < own.end; ++step) {
      T* to = packed_run + order.at(step - start, own.begin) * kGemmRows;
      const T* from = p.source + step * p.step_stride + own.begin * p.row_stride + j;
      for (int64_t n = own.begin; n < own.end; ++n, from += p.row_stride, to += kGemmRows) {
        if (p.factors) {
          for (int64_t q = 0; q < run; ++q) to[q] = from[q] * p.factors[n * p.count + j + q];
        } else if (run == 1) {
          *to = *from;
        } else if (kCheapMasks) {
          Vec<T>::load_part(from, run).store_part(to, run);
        } else if (run == kGemmRows) {
          std::memcpy(to, from, kGemmRows * sizeof(T));
        } else {
          for (int64_t q = 0; q < run; ++q) to[q] = from[q];
        }
      }
    }
  }

  // Where a row of the result is summed.
  T* sums_row(int half, int64_t row) const {
    if (half == 1) return second + row * count * width;
    int i = 0;
    while (row >= part[i].count) row -= part[i++].count;
    return part[i].out + row * part[i].out_row + first_out * width;
  }

  // This part's share, over so many steps from step `begin` on. `start`: the first of them, so that what stands in
  // `second` counts as zero; `fresh`: that in `out` too.
  void run(const Part& part, int64_t begin, int64_t steps, bool start, bool fresh) const {
    const int64_t blocks = count * ceil_div(width, Vec<T>::lanes);
    const Range own = part_of(order.halves() * blocks, part);
    if (own.begin < blocks) run_half(0, {own.begin, smaller(own.end, blocks)}, begin, steps, start && fresh);
    if (own.end > blocks) run_half(1, {larger(own.begin, blocks) - blocks, own.end - blocks}, begin, steps, start);
  }

  void run_half(int half, Range own, int64_t first_step, int64_t steps, bool fresh) const {
    constexpr int L = Vec<T>::lanes;
    const int64_t blocks = ceil_div(width, L), begin = order.first_of(half);
    for_row_tiles({begin, begin + order.rows_of(half, steps)}, kDepth, [&](int64_t k, int64_t K) {
      for_column_groups(own, kGemmRows, false, [&](int64_t block, int64_t columns) {
        Tile<T> tile;
        tile.stretches = 1;
        for (int64_t c = 0; c < columns; ++c) {
          const int64_t slot = (block + c) / blocks, column = (block + c) % blocks * L;
          tile.columns[c] = slot * width + column;
          tile.lanes[c] = smaller(L, width - column);
          tile.init[c] = fresh && k == begin ? kZeros<T> : nullptr;
          tile.init_row[c] = 0;
        }
        const T* b = dz + ((first * blocks + block) * depth + k) * L;
        // Of several steps all rows are here at once, of one perhaps not.
        const int64_t rows_of_step = steps > 1 ? order.rows_of(half, 1) : K;
        int64_t row = 0;
        for (int i = 0; i < parts; row += part[i++].count) {
          const GradientPart<T>& p = part[i];
          const int64_t zeros = first_step == 0 && p.at_rest ? 1 : 0;  // steps
          const T* b_of_steps = b + zeros * rows_of_step * L;
          for (int64_t j = 0; j < whole_rows(p); j += kGemmRows) {
            const int64_t from = (first_step + zeros) * p.step_stride + (half * order.first + k - begin) * p.row_stride;
            tile.stretch[0] = {
                p.source + from + j, 1, p.row_stride, b_of_steps, L, depth * L, rows_of_step, steps - zeros,
                p.step_stride};
            for (int64_t r = 0; r < kGemmRows; ++r) tile.rows[r] = sums_row(half, row + j + r);
            run_tile(tile, kGemmRows, columns);
          }
        }
        const int64_t others = packed_rows(), resting = first_step == 0 ? resting_rows() : 0;
        for (int64_t i = 0; i < others; i += kGemmRows) {
          const int64_t height = smaller(kGemmRows, others - i);
          const int64_t zeros = i + height <= resting ? smaller(rows_of_step, K) : 0;  // rows of dz
          const T* a = packed + i * depth + (k + zeros) * kGemmRows;
          tile.stretch[0] = {a, 1, kGemmRows, b + zeros * L, L, depth * L, K - zeros};
          for (int64_t r = 0; r < height; ++r) tile.rows[r] = sums_row(half, packed_row(i + r));
          run_tile(tile, height, columns);
        }
      });
    });
  }

  // Adds the sums of the second half; this part's share.
  void join(const Part& part) const {
    const Range own = part_of(rows(), part);
    for (int64_t row = own.begin; row < own.end; ++row) {
      T* out = sums_row(0, row);
      const T* sums = second + row * count * width;
      for (int64_t at = 0; at < count * width; at += Vec<T>::lanes) {
        const int64_t lanes = smaller(Vec<T>::lanes, count * width - at);
        store_lanes(load_lanes(out + at, lanes) + load_lanes(sums + at, lanes), out + at, lanes);
      }
    }
  }
};

// The column blocks of so many columns, all of them.
template <typename T>
RECURRA_INLINE Range blocks_of(int64_t columns) {
  return {0, ceil_div(columns, Vec<T>::lanes)};
}

// These rows and column blocks of out (M, N) = init + a (M, K) @ b, where row r of out is row_of(r), and its column
// blocks lie `apart`; `stretch` is of row 0 and column block 0.
template <typename T, typename RowOf>
void product_of_blocks(Range rows, Range blocks, const Stretch<T>& stretch, int64_t N, const T* bias, bool accumulate,
                       RowOf row_of, int64_t apart = Vec<T>::lanes) {
  constexpr int L = Vec<T>::lanes;
  for_column_groups(blocks, rows.end - rows.begin, false, [&](int64_t block, int64_t count) {
    Tile<T> tile;
    tile.stretches = 1;
    tile.stretch[0] = stretch;
    tile.stretch[0].b += block * stretch.b_vector;
    for (int64_t c = 0; c < count; ++c) {
      const int64_t column = (block + c) * L;
      tile.columns[c] = (block + c) * apart;
      tile.lanes[c] = smaller(L, N - column);
      tile.init[c] = accumulate ? nullptr : bias ? bias + column : kZeros<T>;
      tile.init_row[c] = 0;
    }
    for_row_tiles(rows, kTileRows[count], [&](int64_t row, int64_t height) {
      tile.stretch[0].a = stretch.a + row * stretch.a_row;
      for (int64_t r = 0; r < height; ++r) tile.rows[r] = row_of(row + r);
      run_tile(tile, height, count);
    });
  });
}

// b (K, N), or its transpose (N, K), into column blocks; this part's share.
template <typename T>
void pack_matrix(const Part& part, T* packed, const T* b, int64_t K, int64_t N, int64_t b_row, bool transposed) {
  constexpr int L = Vec<T>::lanes;
  const Range blocks = blocks_of<T>(N);
  if (transposed) {
    const Range own = part_of(blocks.end, part);
    for (int64_t i = own.begin; i < own.end; ++i) {
      pack_block_transposed(packed + i * K * L, b + i * L * b_row, K, b_row, smaller(L, N - i * L));
    }
    return;
  }
  for_packed_rows(part_of(K, part), [&](Range some) {
    for (int64_t i = 0; i < blocks.end; ++i) {
      pack_block(packed + (i * K + some.begin) * L, L, b + some.begin * b_row + i * L, some.end - some.begin, b_row,
                 smaller(L, N - i * L));
    }
  });
}

template <typename T>
void transposed_product(const Matmul<T>& m, int team) {
  GradientProduct<T> product;
  product.depth = smaller(m.K, GradientProduct<T>::kDepth);
  product.order = {1, 1, product.depth};  // a row is a step
  product.width = m.N;
  product.first = product.first_out = 0;
  product.count = 1;
  product.add({m.a, m.M, 0, m.M, m.out, m.N});
  Arena arena;
  T* dz = product.allocate(arena);
  const bool fresh = !m.accumulate && !m.bias && m.K > 0;
  if (!m.accumulate && !fresh) {
    for (int64_t i = 0; i < m.M * m.N; ++i) m.out[i] = m.bias ? m.bias[i % m.N] : T(0);
  }
  for (int64_t k = 0; k < m.K; k += product.depth) {
    const int64_t rows = smaller(product.depth, m.K - k);
    run_parts(team, [&](const Part& part) {
      const Range steps = part_of(rows, part);
      product.pack_dz(part, dz, m.b + k * m.N, rows, m.N);
      product.pack(k, {k + steps.begin, k + steps.end}, {0, 1});
    });
    run_parts(team, [&](const Part& part) { product.run(part, k, rows, k == 0, fresh); });
  }
}

// The same for a few rows, with b read where it lies, row-major: packing it would take longer than the product. A few
// rows of b at a time are read over all columns, from their beginnings to their ends.
constexpr int64_t kFewRows = 32;

template <typename T, typename RowOf>
void product_of_few_rows(Range rows, Range blocks, const Stretch<T>& stretch, int64_t N, const T* bias, bool accumulate,
                         RowOf row_of, int64_t apart = Vec<T>::lanes) {
  constexpr int L = Vec<T>::lanes;
  constexpr int64_t kDepth = 128;
  const int64_t whole = N / L;
  T last[kDepth * L];  // of b, what is less than a vector wide
  Stretch<T> some = stretch;
  for (int64_t k = 0; k == 0 || k < stretch.K; k += kDepth) {
    some.a = stretch.a + k;
    some.K = smaller(kDepth, stretch.K - k);
    const auto run = [&](Range own, const T* b, int64_t b_k, int64_t b_vector) {
      some.b = b, some.b_k = b_k, some.b_vector = b_vector;
      product_of_blocks<T>(rows, own, some, N, bias, accumulate || k > 0, row_of, apart);
    };
    const T* b = stretch.b + k * stretch.b_k;
    run({blocks.begin, smaller(blocks.end, whole)}, b, stretch.b_k, L);
    if (blocks.end > larger(blocks.begin, whole)) {
      pack_block(last, L, b + whole * L, some.K, stretch.b_k, N - whole * L);
      run({whole, blocks.end}, last, L, 0);
    }
  }
}

template <typename T>
void matmul(const Matmul<T>& m) {
  constexpr int L = Vec<T>::lanes;
  const double flops = 2.0 * static_cast<double>(m.M) * static_cast<double>(m.N) * static_cast<double>(m.K);
  const int team = team_size(flops, m.most_threads);
  if (m.transpose_a) {  // the rows of a and b are what is summed over, as in the gradient of weights
    transposed_product(m, team);
    return;
  }
  const Range blocks = blocks_of<T>(m.N);
  if (m.M <= kFewRows && !m.transpose_b && m.K > 0) {
    run_parts(team, [&](const Part& part) {
      product_of_few_rows<T>({0, m.M}, part_of(blocks.end, part), {m.a, m.K, 1, m.b, m.N, L, m.K}, m.N, m.bias,
                             m.accumulate, [&](int64_t row) { return m.out + row * m.N; });
    });
    return;
  }
  Arena arena;
  const int64_t packed_size = blocks.end * L * m.K;
  arena.take<T>(packed_size);
  arena.allocate();
  T* packed = arena.take<T>(packed_size);
  run_parts(team, [&](const Part& part) {
    pack_matrix(part, packed, m.b, m.K, m.N, m.transpose_b ? m.K : m.N, m.transpose_b);
  });
  run_parts(team, [&](const Part& part) {
    product_of_blocks<T>(part_of(m.M, part), blocks, {m.a, m.K, 1, packed, L, m.K * L, m.K}, m.N, m.bias, m.accumulate,
                         [&](int64_t row) { return m.out + row * m.N; });
  });
}

}  // namespace recurra::RECURRA_NAMESPACE
