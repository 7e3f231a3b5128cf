// The loop of every cell forward: packed weights, the sums of inputs, dropout of the state, outputs.
#pragma once

#include "sequence-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// Whether the steps and rows are too few to pay for packing.
template <typename T>
RECURRA_INLINE bool reads_in_place(const SequenceForward<T>& s) {
  return s.T_ <= 2 && s.N <= kFewRows && !s.packed && !s.dropout;
}

// Whether one row is all there is, for which a tile has two blocks of units.
template <typename T>
RECURRA_INLINE bool in_pairs(const SequenceForward<T>& s) {
  return s.packed ? s.for_one_row : s.N == 1 && !reads_in_place(s);
}

// Gate weights (K, gates * H) as the tiles of a forward pass read them, from one end to the other: (K, gates, L) for
// each block of units, or `in_pairs` (K, 2, gates, L) for two of them and what is left. `in_place`: not at all, see
// SumsInPlace.
template <typename T>
struct GateWeights {
  static constexpr int L = Vec<T>::lanes;
  const T* source;
  int64_t K, H;
  int gates, first_gate, row;  // of `row` gates in a row of the source, `gates` from first_gate on
  bool in_place, in_pairs;
  T* packed = nullptr;

  int64_t blocks() const { return ceil_div(H, L); }
  int64_t size() const { return in_place ? 0 : gates * blocks() * K * L; }
  int64_t lanes(int64_t u) const { return smaller(L, H - u * L); }

  // How many blocks the tile has that begins with block u, and where its weights are.
  int64_t together(int64_t u) const { return in_pairs && u + 1 < blocks() ? 2 : 1; }
  T* at(int64_t u) const { return packed + u * gates * K * L; }

  void pack(const Part& part) const {
    if (in_place) return;
    for_packed_rows(part_of(K, part), [&](Range some) {
      for (int64_t g = 0; g < gates; ++g) {
        for (int64_t u = 0; u < blocks(); ++u) pack_block_of(u, g, some);
      }
    });
  }
  void pack_block_of(int64_t u, int64_t gate, Range some) const {
    const int64_t first = in_pairs ? u / 2 * 2 : u, packed_row = together(first) * gates * L;
    pack_block(at(first) + ((u - first) * gates + gate) * L + some.begin * packed_row, packed_row,
               source + (first_gate + gate) * H + u * L + some.begin * row * H, some.end - some.begin, row * H,
               lanes(u));
  }

  // Calls f<count>(u) for tiles of blocks u to u + count: two where the gates of one are too few to keep the CPU busy
  // with a single row. `from_last` as of for_column_groups.
  template <typename F>
  void for_blocks(Range own, bool from_last, F f) const {
    Range left = own;
    if (in_pairs) {
      left.begin += (own.end - own.begin) / 2 * 2;
      for (int64_t u = own.begin; u < left.begin; u += 2) {
        f.template operator()<2>(from_last ? own.begin + left.begin - 2 - u : u);
      }
    }
    for (int64_t u = left.begin; u < left.end; ++u) {
      f.template operator()<1>(from_last ? left.begin + left.end - 1 - u : u);
    }
  }

  // The stretch of a tile whose vectors are the gates of block u, and of the blocks after it.
  Stretch<T> stretch(int64_t u, const T* a, int64_t a_row) const {
    return {a, a_row, 1, at(u), together(u) * gates * L, gates == 1 ? K * L : L, K};
  }
};

// Whether the state before a step is all zeros, so that its product with the recurrent weights need not be taken.
template <typename T>
RECURRA_INLINE bool is_at_rest(const SequenceForward<T>& s, int64_t step) {
  return step == 0 && !s.h0;
}

// Whether no step has a state to multiply, so that the recurrent weights need not be packed.
template <typename T>
RECURRA_INLINE bool is_always_at_rest(const SequenceForward<T>& s) {
  return s.T_ == 1 && is_at_rest(s, 0) && !s.packed;
}

// Whether a step goes through the weights from the last to the first: see for_column_groups.
template <typename T>
RECURRA_INLINE bool goes_back(const SequenceForward<T>& s, int64_t step) {
  return (step + s.odd) % 2 != 0;
}

// Weights read where they lie, for a few steps of a few rows. Their sums (blocks, N, count, L) are of all units, and
// gate math finds those of a block as it finds them in a tile. (Tiles that read them block by block, in columns, took
// up to ten times as long where rows are a power of two long: lines of a column drive each other out of the caches.)
template <typename T>
struct SumsInPlace {
  static constexpr int L = Vec<T>::lanes;
  const SequenceForward<T>& s;
  int64_t count = 4;  // of a unit
  T* sums = nullptr;

  bool used() const { return reads_in_place(s); }
  void take(Arena& arena) { sums = arena.take<T>(used() ? ceil_div(s.H, L) * s.N * count * L : 0); }
  T* at(int64_t u, int64_t n) const { return sums + (u * s.N + n) * count * L; }
  // Those of some rows whose sums tiles have to take.
  Range left(Range some) const { return used() ? Range{0, 0} : some; }

  // One of the sums = init or += a (N, K) @ the columns of one gate; no product where all of a is zeros.
  void add(int64_t sum, Range rows, Range blocks, const T* a, int64_t a_row, const GateWeights<T>& weights,
           int64_t gate, const T* init, bool accumulate, bool zeros = false) const {
    const T* b = weights.source + (weights.first_gate + gate) * s.H;
    product_of_few_rows<T>(
        rows, blocks, {a, a_row, 1, b, weights.row * s.H, L, zeros ? 0 : weights.K}, s.H, init, accumulate,
        [&](int64_t n) { return at(0, n) + sum * L; }, s.N * count * L);
  }
};

// x @ kernel + bias of some steps to come of a single row: (kSteps, blocks * gates * L). The tiles of a step would read
// all of the kernel for that row; tiles whose rows are steps read it once for kSteps. With more rows it does not pay.
template <typename T>
struct InputSums {
  static constexpr int L = Vec<T>::lanes;
  static constexpr int64_t kSteps = 12;
  const SequenceForward<T>& s;
  const GateWeights<T>& kernel;
  T* sums = nullptr;

  bool used() const { return s.N == 1 && s.T_ > 2 && s.D >= 4; }
  int64_t row() const { return kernel.blocks() * kernel.gates * L; }
  void take(Arena& arena) { sums = arena.take<T>(used() ? kSteps * row() : 0); }

  // Of one step, the gates of block u.
  const T* at(int64_t step, int64_t u) const { return sums + step % kSteps * row() + u * kernel.gates * L; }

  // Before step `begin`: what a member needs of it and those after it.
  void compute(const T* bias, int64_t begin, Range blocks) const {
    if (!used() || begin % kSteps != 0) return;
    const int64_t gates = kernel.gates, steps = smaller(kSteps, s.T_ - begin);
    int64_t together;
    for (int64_t u = blocks.begin; u < blocks.end; u += together) {
      together = gates == 1 ? blocks.end - u : kernel.together(u);
      const Stretch<T> stretch = kernel.stretch(u, nullptr, s.go_backwards ? -s.D : s.D);
      for_column_groups({0, together * gates}, steps, false, [&](int64_t first, int64_t count) {
        Tile<T> tile;
        tile.stretches = 1;
        tile.stretch[0] = stretch;
        tile.stretch[0].b += first * stretch.b_vector;
        for (int64_t c = 0; c < count; ++c) {
          const int64_t gate = (first + c) % gates, block = u + (first + c) / gates;
          tile.columns[c] = (u * gates + first + c) * L;
          tile.lanes[c] = kernel.lanes(block);
          tile.init[c] = bias ? bias + gate * s.H + block * L : kZeros<T>;
          tile.init_row[c] = 0;
        }
        for_row_tiles({0, steps}, kTileRows[count], [&](int64_t step, int64_t height) {
          tile.stretch[0].a = s.x + time_of<T>(s, begin + step) * s.D;
          for (int64_t r = 0; r < height; ++r) tile.rows[r] = sums + (step + r) * row();
          run_tile(tile, height, count);
        });
      });
    }
  }
};

// h * dropout of one step, (G, N, H): what the gates see where dropout thins out the state. A member owns whole rows.
template <typename T>
struct DroppedStates {
  static constexpr int L = Vec<T>::lanes;
  const SequenceForward<T>& s;
  int64_t gates;
  T* states = nullptr;

  bool used() const { return s.dropout != nullptr; }
  void take(Arena& arena) { states = arena.take<T>(used() ? gates * s.N * s.H : 0); }
  const T* of(int64_t gate) const { return states + gate * s.N * s.H; }

  // Before a step, of the rows that a member owns.
  void compute(const T* h, Range rows) const {
    if (used()) multiply(h, rows);
  }
  RECURRA_APART void multiply(const T* h, Range rows) const {
    for (int64_t gate = 0; gate < gates; ++gate) {
      for (int64_t i = rows.begin * s.H; i < rows.end * s.H; i += L) {
        const int64_t lanes = smaller(L, rows.end * s.H - i), at = gate * s.N * s.H + i;
        store_lanes(load_lanes(h + i, lanes) * load_lanes(s.dropout + at, lanes), states + at, lanes);
      }
    }
  }

  // Adds their products to the sums of a tile, one of its vectors after the other, `count` gates to a block of units.
  // `state`: the stretch that all of them share without dropout, the second of the tile.
  template <int Columns, typename Vectors = AllVectors>
  RECURRA_APART void run(const Tile<T>& tile, const Stretch<T>& state, int64_t count, int64_t n, int64_t height) const {
    for (int c = 0; c < Columns; ++c) {
      if (!Vectors::has(1, c)) continue;
      const int64_t vector = vectors_before<Vectors, 1>(c);
      Tile<T> one;
      one.stretches = 1;
      one.stretch[0] = state;
      one.stretch[0].a = of(vector % count) + n * s.H;
      one.stretch[0].b += vector * state.b_vector;
      one.columns[0] = tile.columns[c];
      one.lanes[0] = tile.lanes[c];
      one.init[0] = nullptr;
      for (int64_t r = 0; r < height; ++r) one.rows[r] = tile.rows[r];
      run_columns<T, 1>(one, height);
    }
  }
};

// Calls f(rows) for the groups of rows whose tiles are computed before the gate math goes over them. The size is one
// that tiles and lockstep divide.
constexpr int kGroupRows = 12;
template <typename F>
RECURRA_INLINE void for_row_groups(Range rows, F f) {
  for (int64_t n = rows.begin; n < rows.end; n += kGroupRows) f(Range{n, smaller(n + kGroupRows, rows.end)});
}

// Calls f<V>(n, lanes) for rows n, n + 1, ... of a range, several in lockstep where no mask can part them. Whole
// vectors are the compiler's to know: it then leaves out a test for each load and store.
template <typename T, typename F>
RECURRA_INLINE void for_rows_in_lockstep(Range rows, bool masked, int64_t lanes, F f) {
  constexpr int L = Vec<T>::lanes, count = Lockstep<Many<T>>::count;
  int64_t n = rows.begin;
  if (lanes == L && !masked) {
    for (; n + count <= rows.end; n += count) f.template operator()<Many<T>>(n, L);
    for (; n + 2 <= rows.end; n += 2) f.template operator()<Two<Vec<T>>>(n, L);
  }
  for (; n < rows.end; ++n) f.template operator()<Vec<T>>(n, lanes);
}

// How far the outputs of one step lie apart from row to row.
template <typename T>
RECURRA_INLINE int64_t output_row(const SequenceForward<T>& s) {
  return s.return_sequences ? s.T_ * s.H : s.H;
}

// Writes the output of one step, h, from row n and `unit` on, its vectors `stride` apart; at a masked step the output
// before it, or zero.
template <typename V, typename T>
RECURRA_INLINE void put_output(const SequenceForward<T>& s, int64_t n, int64_t step, int64_t unit, int64_t lanes,
                               int64_t stride, V h, bool masked) {
  const V zero = V::set(T(0));
  if (s.return_sequences) {
    T* y = s.y + (n * s.T_ + step) * s.H + unit;
    if (masked) h = s.zero_output_for_mask || step == 0 ? zero : load_rows<V>(y - s.H, stride, lanes);
    store_rows(h, y, stride, lanes);
  } else if (s.mask ? !masked || s.zero_output_for_mask : step == s.T_ - 1) {
    store_rows(masked ? zero : h, s.y + n * s.H + unit, stride, lanes);
  }
}

// Buffers of a forward run: the caller's where backward will follow, else scratch: two steps' worth of states, and one
// of gates if the cell reads them again.
template <typename T>
struct ForwardBuffers {
  T *gates, *hs;
  int64_t gates_step, size;  // size = N * H
  bool keep, distant;

  void take(Arena& arena, const SequenceForward<T>& s, int64_t slots, bool rereads_gates) {
    size = s.N * s.H;
    keep = s.hs != nullptr;
    gates_step = keep ? slots * size : 0;
    gates = keep ? s.gates : arena.take<T>(rereads_gates ? slots * size : 0);
    hs = keep ? s.hs : arena.take<T>(2 * size);
    distant = keep && slots * s.T_ * size * static_cast<int64_t>(sizeof(T)) > kCache;
  }
  // Asks for the cache lines that the gate math of these rows will write. Their stores come all at once, and without
  // this would wait for each other where the buffers are larger than the cache.
  RECURRA_INLINE void fetch(const SequenceForward<T>& s, int64_t step, Range rows, int64_t unit) const {
    if (!distant) return;
    for (int64_t n = rows.begin; n < rows.end; ++n) {
      for (int64_t slot = 0; slot < 4; ++slot) {
        RECURRA_PREFETCH_WRITE(gates + step * gates_step + (4 * n + slot) * s.H + unit);
      }
      RECURRA_PREFETCH_WRITE(h(step + 1) + n * s.H + unit);
      if (s.cs) RECURRA_PREFETCH_WRITE(s.cs + (step + 1) * size + n * s.H + unit);
      if (s.return_sequences) RECURRA_PREFETCH_WRITE(s.y + (n * s.T_ + step) * s.H + unit);
    }
  }
  T* h(int64_t step) const { return hs + (keep ? step : step & 1) * size; }
};

// The loop of every cell. `Cell` packs its weights and computes step by step what a member owns:
//   take(arena), pack(part), inputs, dropped, in_place, input_bias(), step(member, split, buffers, step, rows, blocks)
// `slots`: blocks of H in its gate buffer.
template <typename T, typename Cell>
void run_forward(const SequenceForward<T>& s, Cell& cell, int64_t slots, bool rereads_gates = false) {
  const int64_t blocks = ceil_div(s.H, Vec<T>::lanes);
  const int64_t weights = (s.D + s.H) * s.H * Cell::kGates;
  const double flops = static_cast<double>(2 * weights + kFlopsOfGate * s.H * Cell::kGates);
  const Split split = split_sequence(s.N, s.T_, blocks, flops, 0, weights * sizeof(T), s.dropout != nullptr);
  ForwardBuffers<T> buffers;
  Arena arena;
  const auto take = [&] {
    buffers.take(arena, s, slots, rereads_gates);
    Arena kept(s.packed);
    cell.take(s.packed ? kept : arena);
    cell.inputs.take(arena);
    cell.dropped.take(arena);
    cell.in_place.take(arena);
  };
  take();
  arena.allocate();
  take();

  copy_or_zero(buffers.h(0), s.h0, buffers.size);
  if (!s.return_sequences && (s.mask || s.T_ == 0)) copy_or_zero<T>(s.y, nullptr, buffers.size);
  if (!s.is_packed) run_parts(split.count, [&](const Part& part) { cell.pack(part); });
  split.run([&](const Member& member) {
    const Range own_rows = split.rows(member, s.N), own_blocks = split.blocks(member, blocks);
    for (int64_t step = 0; step < s.T_; ++step) {
      cell.inputs.compute(cell.input_bias(), step, own_blocks);
      cell.step(member, split, buffers, step, own_rows, own_blocks);
      split.meet(member);
    }
  });
  copy_or_zero(s.h, buffers.h(s.T_), buffers.size);
}

}  // namespace recurra::RECURRA_NAMESPACE
