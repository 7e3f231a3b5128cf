// What the recurrent kernels share: who owns what, packed weights, masks, and the backward loop's products.
#pragma once

#include "gemm-inl.h"
#include "kernels.h"
#include "math-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// Activations by name at run time; the pair that nearly everyone uses at compile time.
struct NamedActivations {
  Function activation, recurrent_activation;
};
struct TanhSigmoid {
  static constexpr Function activation = Function::tanh, recurrent_activation = Function::sigmoid;
};

template <typename V>
RECURRA_INLINE V hard_sigmoid(V x) {
  using T = ElementOf<V>;
  return min(V::set(T(1)), max(V::set(T(0)), fma(x, V::set(T(1) / T(6)), V::set(T(0.5)))));
}

constexpr double kSeluAlpha = 1.6732632423543772, kSeluScale = 1.0507009873554805;

template <typename V>
RECURRA_INLINE V elu(V x, ElementOf<V> alpha = 1) {
  const V zero = V::set(ElementOf<V>(0));
  return select(less(zero, x), x, V::set(alpha) * expm1_nonpositive(min(zero, x)));
}

template <typename V>
RECURRA_INLINE V activate(Function f, V x) {
  switch (f) {
    case Function::tanh:
      return tanh(x);
    case Function::sigmoid:
      return sigmoid(x);
    case Function::hard_sigmoid:
      return hard_sigmoid(x);
    case Function::relu:
      return max(V::set(ElementOf<V>(0)), x);
    case Function::elu:
      return elu(x);
    case Function::selu:
      return V::set(ElementOf<V>(kSeluScale)) * elu(x, ElementOf<V>(kSeluAlpha));
    default:
      return x;
  }
}

// dx of the same from dy and the output y.
template <typename V>
RECURRA_INLINE V activation_gradient(Function f, V dy, V y) {
  using T = ElementOf<V>;
  const V zero = V::set(T(0)), one = V::set(T(1));
  switch (f) {
    case Function::tanh:
      return dy * fma(zero - y, y, one);
    case Function::sigmoid:
      return dy * (y * (one - y));
    case Function::hard_sigmoid:
      return select(less(zero, y), select(less(y, one), dy * V::set(T(1) / T(6)), zero), zero);
    case Function::relu:
      return select(less(zero, y), dy, zero);
    case Function::elu:
      return select(less(zero, y), dy, dy * (y + one));
    case Function::selu:
      return select(less(zero, y), V::set(T(kSeluScale)) * dy, dy * (y + V::set(T(kSeluScale * kSeluAlpha))));
    default:
      return dy;
  }
}

// How threads share a sequence: rows of the batch, each part running all steps by itself; or blocks of units, where all
// members of a team meet after each step. The second where rows are too few to fill tiles, or where a member's share of
// the weights fits its L2 cache and the whole does not.
struct Split {
  int count;
  bool by_units;

  Range rows(const Member& member, int64_t N) const { return by_units ? Range{0, N} : part_of(N, member); }
  Range blocks(const Member& member, int64_t blocks) const {
    if (!by_units) return {0, blocks};
    const Range pairs = part_of(ceil_div(blocks, 2), member);  // some tiles are of two
    return {2 * pairs.begin, smaller(2 * pairs.end, blocks)};
  }
  template <typename F>
  void run(F function) const {
    if (by_units) {
      run_members(count, function);
    } else {
      run_parts(count, [&](const Part& part) { function(Member{part}); });
    }
  }
  void meet(const Member& member) const {
    if (by_units) member.wait();
  }
};

constexpr int64_t kFlopsOfGate = 50;   // how many flops of a product take as long as an activation, or as its gradient
constexpr int64_t kCache = 768 << 10;  // bytes that stay in most L2 caches beside the rest
constexpr int64_t kDistant = 4 << 20;  // bytes that leave them for memory, or an L3 that others use too

// `flops` of one row at one step, and `flops_besides` outside of the steps. `by_rows`: not by units.
RECURRA_INLINE Split split_sequence(int64_t N, int64_t steps, int64_t blocks, double flops, double flops_besides,
                                    int64_t weight_bytes, bool by_rows) {
  constexpr double kFlopsPerMeeting = 1e5;  // a barrier costs as much as 2e4 to 5e4 of them
  constexpr int64_t kUsesOfWeight = 64;     // below, another core fetches its share no faster than this one computes it
  const double rows = static_cast<double>(N), flops_per_step = rows * flops;
  int count = team_size(rows * static_cast<double>(steps) * (flops + flops_besides));
  const bool enough_rows = N >= 4 * count, in_cache = weight_bytes <= cache_bytes() / 4 * 3;
  const bool by_units = !by_rows && blocks >= 2 * count && (!enough_rows || !in_cache);
  if (by_units && flops_per_step < kFlopsPerMeeting * count) count = 1;
  if (by_units && weight_bytes <= kCache && N * steps < kUsesOfWeight) count = 1;
  if (!by_units && count > N) count = static_cast<int>(larger(N, 1));
  return {count, by_units && count > 1};
}

// Whether a sequence is too short to pay for packing.
template <typename T>
RECURRA_INLINE bool reads_in_place(const SequenceForward<T>& s) {
  return s.T_ <= 2 && !s.packed && !s.dropout;
}

// Whether one row is all there is, for which a tile has two blocks of units.
template <typename T>
RECURRA_INLINE bool in_pairs(const SequenceForward<T>& s) {
  return s.packed ? s.for_one_row : s.N == 1 && !reads_in_place(s);
}

// Gate weights (K, gates * H) as the tiles of a forward pass read them, from one end to the other: (K, gates, L) for
// each block of units, or `in_pairs` (K, 2, gates, L) for two of them and what is left. `direct`: only a ragged last
// block is packed and the others are read in place.
template <typename T>
struct GateWeights {
  static constexpr int L = Vec<T>::lanes;
  const T* source;
  int64_t K, H;
  int gates, first_gate, row;  // of `row` gates in a row of the source, `gates` from first_gate on
  bool direct, in_pairs;
  T* packed = nullptr;

  int64_t blocks() const { return ceil_div(H, L); }
  int64_t size() const { return gates * (direct ? 1 : blocks()) * K * L; }
  bool ragged(int64_t u) const { return (u + 1) * L > H; }
  int64_t lanes(int64_t u) const { return smaller(L, H - u * L); }

  // How many blocks the tile has that begins with block u, and where its weights are.
  int64_t together(int64_t u) const { return in_pairs && u + 1 < blocks() ? 2 : 1; }
  T* at(int64_t u) const { return packed + (direct ? 0 : u * gates * K * L); }

  void pack(const Part& part) const {
    if (direct) {
      const int64_t u = blocks() - 1;
      for (int64_t g = 0; part.index == 0 && ragged(u) && g < gates; ++g) pack_block_of(u, g);
      return;
    }
    const Range own = part_of(gates * blocks(), part);
    for (int64_t i = own.begin; i < own.end; ++i) {
      pack_block_of(i % blocks(), i / blocks());  // neighbours share cache lines of the source
    }
  }
  void pack_block_of(int64_t u, int64_t gate) const {
    const int64_t first = in_pairs ? u / 2 * 2 : u;
    pack_block(at(first) + ((u - first) * gates + gate) * L, together(first) * gates * L,
               source + (first_gate + gate) * H + u * L, K, row * H, lanes(u));
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
    if (!direct || ragged(u)) return {a, a_row, 1, at(u), together(u) * gates * L, gates == 1 ? K * L : L, K};
    return {a, a_row, 1, source + first_gate * H + u * L, row * H, gates == 1 ? L : H, K};
  }

  // With one gate: f(first, count) for groups of blocks that can share a tile of so many rows. A ragged block that is
  // packed alone cannot share one with blocks that are read in place.
  template <typename F>
  void for_groups(Range own, int64_t rows, bool from_last, F f) const {
    const bool alone = direct && own.end > own.begin && ragged(own.end - 1);
    for_column_groups({own.begin, own.end - alone}, rows, from_last, f);
    if (alone) f(own.end - 1, 1);
  }
};

// Time and masks of a sequence, forward or backward: step counts in the order computed.
template <typename T, typename S>
RECURRA_INLINE int64_t time_of(const S& s, int64_t step) {
  return s.go_backwards ? s.T_ - 1 - step : step;
}

template <typename T, typename S>
RECURRA_INLINE bool is_masked(const S& s, int64_t n, int64_t step) {
  return s.mask && !s.mask[n * s.T_ + time_of<T>(s, step)];
}

// Whether the state before a step is all zeros, so that its product with the recurrent weights need not be taken.
template <typename T>
RECURRA_INLINE bool is_at_rest(const SequenceForward<T>& s, int64_t step) {
  return step == 0 && !s.h0;
}
template <typename T>
RECURRA_INLINE bool is_at_rest(const SequenceBackward<T>& s, int64_t step) {
  return step == 0 && s.at_rest;
}

// Whether a step goes through the weights from the last to the first: see for_column_groups.
template <typename T>
RECURRA_INLINE bool goes_back(const SequenceForward<T>& s, int64_t step) {
  return (step + s.odd) % 2 != 0;
}

// x @ kernel + bias of some steps to come of a single row: (kSteps, blocks * gates * L). The tiles of a step would read
// all of the kernel for that row; tiles whose rows are steps read it once for kSteps. With more rows it does not pay.
template <typename T>
struct InputSums {
  static constexpr int L = Vec<T>::lanes;
  static constexpr int64_t kSteps = 12;
  const SequenceForward<T>& s;
  const GateWeights<T>& kernel;
  T* sums = nullptr;

  bool used() const { return s.N == 1 && s.T_ > 2 && s.D >= 4 && !kernel.direct; }
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

  // Adds their products to the sums of a tile, one of its vectors after the other; vector c belongs to gate c % count.
  // `state`: the stretch that all of them share without dropout; `init` as in Tile.
  RECURRA_APART void run(const Tile<T>& tile, const Stretch<T>& state, const T* const* init, int64_t count, int64_t n,
                         int64_t height, int64_t columns) const {
    for (int64_t c = 0; c < columns; ++c) {
      Tile<T> one;
      one.stretches = 1;
      one.stretch[0] = state;
      one.stretch[0].a = of(c % count) + n * s.H;
      one.stretch[0].b += c * state.b_vector;
      one.columns[0] = tile.columns[c];
      one.lanes[0] = tile.lanes[c];
      one.init[0] = init[c];
      one.init_row[0] = 0;
      for (int64_t r = 0; r < height; ++r) one.rows[r] = tile.rows[r];
      run_columns<T, 1>(one, height);
    }
  }
};

// Calls f<V>(unit, lanes) along the units of blocks, several vectors in lockstep where they are whole. What belongs to
// one row lies end to end, so that the CPU sees few streams and fetches ahead.
template <typename T, typename F>
RECURRA_INLINE void for_units_in_lockstep(Range blocks, int64_t H, F f) {
  constexpr int L = Vec<T>::lanes, count = Lockstep<Many<T>>::count;
  int64_t u = blocks.begin;
  for (; u + count <= blocks.end && (u + count) * L <= H; u += count) f.template operator()<Many<T>>(u * L, L);
  for (; u + 2 <= blocks.end && (u + 2) * L <= H; u += 2) f.template operator()<Two<Vec<T>>>(u * L, L);
  for (; u < blocks.end; ++u) f.template operator()<Vec<T>>(u * L, smaller(L, H - u * L));
}

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

template <typename T>
RECURRA_INLINE void copy_or_zero(T* to, const T* from, int64_t count) {
  if (count == 0) return;  // nothing may lie at a null
  if (from) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
  } else {
    std::memset(to, 0, static_cast<size_t>(count) * sizeof(T));
  }
}

// The loop of every cell. `Cell` packs its weights and computes step by step what a member owns:
//   take(arena), pack(part), inputs, input_bias(), step(member, split, buffers, step, rows, blocks)
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

// How far apart vectors lie that go in lockstep along the units of a row: in states, gates, outputs.
template <typename T>
struct AlongUnits {
  static constexpr int64_t state = Vec<T>::lanes, gates = state, output = state;
  int64_t dz;
};
// Likewise along the rows of a block of units.
struct AlongRows {
  int64_t state, gates, output, dz;
};

// The gradient of one step's output; zeros where there is none.
//
// Masked steps repeat the output before them: `repeated` (N, H) hands on what they got.
template <typename V, typename T, typename Along>
RECURRA_INLINE V output_gradient(const SequenceBackward<T>& s, T* repeated, int64_t n, int64_t step, int64_t unit,
                                 int64_t lanes, const Along& along, bool masked) {
  V d = V::set(T(0));
  if (s.dy && s.return_sequences) d = load_rows<V>(s.dy + (n * s.T_ + step) * s.H + unit, along.output, lanes);
  if (s.dy && !s.return_sequences && step == s.T_ - 1) d = load_rows<V>(s.dy + n * s.H + unit, along.output, lanes);
  if (!s.mask) return d;
  T* kept = repeated + n * s.H + unit;
  d = d + load_rows<V>(kept, along.state, lanes);
  store_rows(masked && !s.zero_output_for_mask ? d : V::set(T(0)), kept, along.state, lanes);
  return d;
}

// Of the states before each step.
template <typename T>
GradientPart<T> state_part(const SequenceBackward<T>& s, const T* states, int64_t row_stride, int64_t out_row) {
  return {states, s.N * row_stride, row_stride, s.H, s.drecurrent, out_row, s.at_rest};
}

// Of the same as a gate sees them.
template <typename T>
GradientPart<T> seen_state_part(const SequenceBackward<T>& s, int64_t gate, int64_t out_row) {
  GradientPart<T> part = state_part(s, s.hs, s.H, out_row);
  if (s.dropout) part.factors = s.dropout + gate * s.N * s.H;
  return part;
}

template <typename T>
GradientPart<T> input_part(const SequenceBackward<T>& s, T* out, int64_t out_row) {
  const int64_t row_stride = s.T_ * s.D;
  return {s.x + time_of<T>(s, 0) * s.D, s.go_backwards ? -s.D : s.D, row_stride, s.D, out, out_row};
}

template <typename T>
GradientPart<T> ones_part(T* out) {
  return {nullptr, 0, 0, 1, out, 0};
}

// Slots `first` to `first + count` of dz, for columns of the weights from slot `first_out` on.
template <typename T>
GradientProduct<T> gradient_product(const SequenceBackward<T>& s, int64_t first, int64_t count, int64_t first_out) {
  GradientProduct<T> product;
  product.width = s.H;
  product.first = first;
  product.count = count;
  product.first_out = first_out;
  return product;
}

// Two halves where there are rows enough, and room in the cache for sums of each.
template <typename T>
RowOrder row_order(const SequenceBackward<T>& s, int64_t gates) {
  const int64_t sums = (s.D + s.H + 1) * gates * s.H * static_cast<int64_t>(sizeof(T));
  const bool halves = s.N >= 16 && sums <= kCache / 2;
  return {s.N, halves ? s.N / 2 : s.N, smaller(larger(1, GradientProduct<T>::kDepth / larger(s.N, 1)), s.T_)};
}

// Gradients of the gates before their activations, of the steps since `begin`: in slots of H, each of them in column
// blocks of `depth` rows, as the products over rows read them. The products with transposed weights can read those too,
// L columns at a stretch. Where layers are large, or their last block is ragged, they find them in rows as well: to
// leap from block to block then takes longer than to write them twice.
template <typename T>
struct GateGradients {
  static constexpr int L = Vec<T>::lanes;
  static constexpr int64_t kMostUnits = 64;  // that are read from the blocks alone
  RowOrder order;
  int64_t H, slots, depth;
  bool all_rows;  // not just those of the last two steps
  T *blocks = nullptr, *rows = nullptr;
  int64_t begin = 0;

  GateGradients since(int64_t step) const {
    GateGradients later = *this;
    later.begin = step;
    return later;
  }
  bool in_rows() const { return H > kMostUnits || H % L != 0; }
  int64_t row() const { return slots * H; }
  int64_t blocks_size() const { return slots * ceil_div(H, L) * L * depth; }
  int64_t rows_size() const { return in_rows() ? row() * (all_rows ? order.rows() : 2 * order.N) : 0; }

  // By turns in two places: a member may write one step while another still reads the step before it.
  T* row_at(int64_t step, int64_t n) const {
    return rows + (all_rows ? order.at(step - begin, n) : (step & 1) * order.N + n) * row();
  }

  // One row, by value: the compiler then keeps it in registers over the stores. Or the first of several that go in
  // lockstep, of layers that need no rows.
  struct Row {
    T *blocks, *row;
    int64_t H, depth;

    template <typename V, typename Along>
    RECURRA_INLINE void put(V value, int64_t slot, int64_t unit, int64_t lanes, const Along& along) const {
      store_rows(value, blocks + (slot * ceil_div(H, L) * L + unit) * depth, along.dz, L);
      if (row) store_rows(value, row + slot * H + unit, L, lanes);
    }
  };
  RECURRA_INLINE Row at(int64_t step, int64_t n) const {
    return {blocks + order.at(step - begin, n) * L, in_rows() ? row_at(step, n) : nullptr, H, depth};
  }

  // These slots of one row and those after it in its half of the batch, to be multiplied by b.
  Stretch<T> stretch(int64_t step, int64_t n, Range of_slots, const T* b, int64_t b_vector) const {
    const int64_t first = of_slots.begin * H, count = (of_slots.end - of_slots.begin) * H;
    if (in_rows()) return {row_at(step, n) + first, row(), 1, b, L, b_vector, count};
    const T* a = blocks + first * depth + order.at(step - begin, n) * L;
    return {a, L, 1, b, L, b_vector, L, count / L, depth * L};
  }
};

// Whether what forward kept has left the caches that are near when backward comes to read it. A SimpleRNN keeps but one
// stream, which the CPU follows by itself; there the test alone would cost 3 %.
template <int Gates, typename T>
RECURRA_INLINE bool is_distant(const SequenceBackward<T>& s) {
  if constexpr (Gates == 1) return false;
  const int64_t kept = 1 + 4 + (s.cs ? 1 : 0);
  return kept * s.T_ * s.N * s.H * static_cast<int64_t>(sizeof(T)) > kDistant;
}

// Asks for the cache lines of one row that backward will read a step later: steps go from last to first, rows within
// one from first to last, and the CPU does not foresee that. Inline, because GCC drops calls of what only prefetches.
template <typename T>
RECURRA_INLINE void fetch_ahead(const SequenceBackward<T>& s, int64_t step, int64_t n, Range blocks) {
  constexpr int64_t L = Vec<T>::lanes, line = 64 / sizeof(T);
  if (step == 0) return;
  const int64_t row = (step - 1) * s.N + n;
  for (int64_t unit = blocks.begin * L; unit < smaller(blocks.end * L, s.H); unit += line) {
    RECURRA_PREFETCH(s.hs + row * s.H + unit);
    if (s.cs) RECURRA_PREFETCH(s.cs + row * s.H + unit);
    for (int64_t gate = 0; gate < 4; ++gate) RECURRA_PREFETCH(s.gates + (4 * row + gate) * s.H + unit);
    if (s.dy && s.return_sequences) RECURRA_PREFETCH(s.dy + (n * s.T_ + step - 1) * s.H + unit);
  }
}

// Calls f(row, n, unit, lanes, along, doutput) for what a member owns of a step, doutput the gradient of the output; a
// masked row gets zeros. Lockstep goes along units: what belongs to one row lies end to end, and along rows there are
// more streams of memory than the CPU follows. Only where units are too few it goes along rows.
template <int Gates, typename T, typename F>
RECURRA_INLINE void for_gate_gradients(const SequenceBackward<T>& s, T* repeated, const GateGradients<T>& dz,
                                       int64_t step, Range rows, Range blocks, F f) {
  constexpr int L = Vec<T>::lanes, count = Lockstep<Many<T>>::count;
  const AlongUnits<T> along_units{dz.depth * L};
  const AlongRows along_rows{s.H, 4 * s.H, s.return_sequences ? s.T_ * s.H : s.H, L};
  const bool few_units = blocks.end - blocks.begin <= count && !dz.in_rows() && !s.mask;
  const bool distant = is_distant<Gates>(s);
  int64_t n = rows.begin;
  while (n < rows.end) {
    const int64_t end_of_half = n < dz.order.first ? smaller(rows.end, dz.order.first) : rows.end;
    const auto row = dz.at(step, n);
    if (few_units && n + count <= end_of_half) {
      for (int64_t i = 0; distant && i < count; ++i) fetch_ahead(s, step, n + i, blocks);
      for (int64_t u = blocks.begin; u < blocks.end; ++u) {
        using V = Many<T>;
        f(row, n, u * L, L, along_rows, output_gradient<V>(s, repeated, n, step, u * L, L, along_rows, false));
      }
      n += count;
      continue;
    }
    if (distant) fetch_ahead(s, step, n, blocks);
    const bool masked = is_masked<T>(s, n, step);
    for_units_in_lockstep<T>(blocks, s.H, [&]<typename V>(int64_t unit, int64_t lanes) {
      const V doutput = output_gradient<V>(s, repeated, n, step, unit, lanes, along_units, masked);
      if (masked) {
        for (int64_t slot = 0; slot < dz.slots; ++slot) row.put(V::set(T(0)), slot, unit, lanes, along_units);
      } else {
        f(row, n, unit, lanes, along_units, doutput);
      }
    });
    ++n;
  }
}

// Transposed weights, packed for dh += dz @ recurrent^T and dx = dz @ kernel^T: (K, columns).
template <typename T>
struct TransposedWeights {
  const T* source;
  int64_t columns;   // of the product
  int64_t row;       // length of a row of the source
  int64_t first, K;  // which columns of the source are summed over
  T* packed = nullptr;

  int64_t size() const { return ceil_div(columns, Vec<T>::lanes) * Vec<T>::lanes * K; }
  void pack(const Part& part) const { pack_matrix(part, packed, source + first, K, columns, row, true); }
};

// dh (rows, own blocks of units) = or += dz @ recurrent^T, where dz is one or two ranges of slots.
template <typename T>
void add_state_gradient(bool fresh, T* dh, Range rows, Range blocks, const GateGradients<T>& dz, int64_t step,
                        const TransposedWeights<T>& weights, Range slots, Range more = {0, 0}) {
  constexpr int L = Vec<T>::lanes;
  const int64_t K = weights.K, H = dz.H, first = dz.order.first;
  for_column_groups(blocks, rows.end - rows.begin, step % 2 != 0, [&](int64_t block, int64_t count) {
    Tile<T> tile;
    tile.stretches = more.end > more.begin ? 2 : 1;
    const T* b = weights.packed + block * K * L;
    for (int64_t c = 0; c < count; ++c) {
      tile.columns[c] = (block + c) * L;
      tile.lanes[c] = smaller(L, H - tile.columns[c]);
      tile.init[c] = fresh ? kZeros<T> : nullptr;
      tile.init_row[c] = 0;
    }
    const auto tiles = [&](Range some) {  // of one half of the batch: they lie end to end
      for_row_tiles(some, kTileRows[count], [&](int64_t n, int64_t height) {
        tile.stretch[0] = dz.stretch(step, n, slots, b, K * L);
        tile.stretch[1] = dz.stretch(step, n, more, b + (slots.end - slots.begin) * H * L, K * L);
        for (int64_t r = 0; r < height; ++r) tile.rows[r] = dh + (n + r) * H;
        run_tile(tile, height, count);
      });
    };
    if (rows.begin < first) tiles({rows.begin, smaller(rows.end, first)});
    if (rows.end > first) tiles({larger(rows.begin, first), rows.end});
  });
}

// The gradient of the state before a step through the gates that see it: dz @ recurrent^T, or where dropout thinned the
// state out, the sum over gates of (dz @ recurrent^T) * dropout.
template <typename T>
struct StateGradient {
  static constexpr int L = Vec<T>::lanes;
  const SequenceBackward<T>& s;
  int64_t gates, row_gates;              // those that see it, of those in a row of the weights
  TransposedWeights<T> weights[4] = {};  // of all, or with dropout of each
  T* product = nullptr;                  // (N, H) with dropout

  bool dropped() const { return s.dropout != nullptr; }
  int64_t parts() const { return dropped() ? gates : 1; }
  void take(Arena& arena) {
    const int64_t K = gates / parts() * s.H;
    for (int64_t i = 0; i < parts(); ++i) {
      weights[i] = {s.recurrent, s.H, row_gates * s.H, i * s.H, K};
      weights[i].packed = arena.take<T>(weights[i].size());
    }
    product = arena.take<T>(dropped() ? s.N * s.H : 0);
  }
  void pack(const Part& part) const {
    for (int64_t i = 0; i < parts(); ++i) weights[i].pack(part);
  }
  // dh = or +=; the gates lie in these slots of dz.
  void add(bool fresh, Range rows, Range blocks, const GateGradients<T>& dz, int64_t step, Range slots,
           Range more = {0, 0}) const {
    if (dropped()) {
      add_dropped(fresh, rows, blocks, dz, step, slots, more);
    } else {
      add_state_gradient(fresh, s.dh, rows, blocks, dz, step, weights[0], slots, more);
    }
  }
  RECURRA_APART void add_dropped(bool fresh, Range rows, Range blocks, const GateGradients<T>& dz, int64_t step,
                                 Range slots, Range more) const {
    for (int64_t gate = 0; gate < gates; ++gate) {
      const int64_t behind = slots.begin + gate - slots.end,
                    slot = behind < 0 ? slots.end + behind : more.begin + behind;
      add_state_gradient(true, product, rows, blocks, dz, step, weights[gate], {slot, slot + 1});
      for (int64_t i = rows.begin * s.H; i < rows.end * s.H; i += L) {
        const int64_t lanes = smaller(L, rows.end * s.H - i);
        const Vec<T> factors = load_lanes(s.dropout + gate * s.N * s.H + i, lanes);
        const Vec<T> own = load_lanes(product + i, lanes) * factors;
        store_lanes(fresh && gate == 0 ? own : load_lanes(s.dh + i, lanes) + own, s.dh + i, lanes);
      }
    }
  }
};

// The loop of every cell. Every so many steps the products over their rows follow, while the gradients of their gates
// are in the cache. `Cell` offers
//   take(arena), pack(part), step(member, split, dz, step, rows, blocks) and products(list) -> count
// `slots`: blocks of H that a row of dz has.
template <typename T, typename Cell>
void run_backward(const SequenceBackward<T>& s, Cell& cell, int64_t slots) {
  constexpr int L = Vec<T>::lanes;
  const int64_t blocks = ceil_div(s.H, L);
  const int64_t weights = s.H * s.H * Cell::kGates;
  const double product = static_cast<double>(2 * weights);
  const double flops = product + static_cast<double>(kFlopsOfGate * s.H * Cell::kGates);
  const Split split = split_sequence(s.N, s.T_, blocks, flops, product, weights * sizeof(T), s.dropout != nullptr);
  const RowOrder order = row_order(s, Cell::kGates);
  // One row more than needed: blocks whole powers of two apart would drive each other out of the cache.
  const int64_t depth = order.rows() + 1;
  GateGradients<T> dz{order, s.H, slots, depth, s.dx != nullptr};
  GradientProduct<T> products[5];
  const int product_count = cell.products(products);
  TransposedWeights<T> kernel{s.kernel, s.D, Cell::kGates * s.H, 0, s.dx ? Cell::kGates * s.H : 0};

  // Packing pays where a tile of it is read many times, and where a step has too few rows to read at one stretch.
  const bool in_place = slots * blocks <= 4 * kGemmColumns && order.first >= 8;

  Arena arena;
  const auto take = [&] {
    cell.take(arena);
    dz.blocks = arena.take<T>(dz.blocks_size());
    dz.rows = arena.take<T>(dz.rows_size());
    for (int i = 0; i < product_count; ++i) {
      GradientProduct<T>& product = products[i];
      product.order = order;
      product.depth = depth;
      product.in_place = in_place;
      product.dz = dz.blocks;
      product.packed = arena.take<T>(product.packed_size());
      product.second = arena.take<T>(product.second_size());
      if (product.shares) product.packed = products[0].packed;
    }
    kernel.packed = arena.take<T>(kernel.size());
  };
  take();
  arena.allocate();
  take();
  cell.start();
  // Where each of two parts has its half of the rows, neither reads what the other writes before the end.
  const bool apart = split.count == 2 && !split.by_units && order.halves() == 2;
  run_parts(split.count, [&](const Part& part) {
    cell.pack(part);
    if (s.dx) kernel.pack(part);
  });
  const auto run_steps = [&](const Member& member, int64_t begin, int64_t end) {
    const GateGradients<T> since = dz.since(begin);
    for (int64_t step = end - 1; step >= begin; --step) {
      cell.step(member, split, since, step, split.rows(member, s.N), split.blocks(member, blocks));
    }
    for (int i = 0; i < product_count; ++i) products[i].pack(begin, {begin, end}, part_of(s.N, member));
  };
  const auto run_products = [&](const Part& part, int64_t begin, int64_t end) {
    const GateGradients<T> since = dz.since(begin);
    for (int i = 0; i < product_count; ++i) products[i].run(part, begin, end - begin, end == s.T_, s.fresh);
    for (int half = 0; s.dx && half < order.halves(); ++half) {
      const int64_t all = order.rows_of(half, end - begin);
      const Range rows = apart ? Range{0, half == part.index ? all : 0} : part_of(all, part);
      const Stretch<T> stretch =
          since.stretch(begin, half * order.first, {0, Cell::kGates}, kernel.packed, kernel.K * L);
      packed_product<T>(rows, stretch, s.D, nullptr, false, [&](int64_t row) {
        const int64_t of_step = order.rows_of(half, 1), n = half * order.first + row % of_step;
        return s.dx + (n * s.T_ + time_of<T>(s, begin + row / of_step)) * s.D;
      });
    }
  };
  const auto for_stretches = [&](auto run) {
    for (int64_t end = s.T_; end > 0; end -= order.steps) run(larger(0, end - order.steps), end);
  };
  if (apart) {
    run_parts(split.count, [&](const Part& part) {
      for_stretches([&](int64_t begin, int64_t end) {
        run_steps(Member{part}, begin, end);
        run_products(part, begin, end);
      });
    });
  } else {
    for_stretches([&](int64_t begin, int64_t end) {
      split.run([&](const Member& member) { run_steps(member, begin, end); });
      run_parts(split.count, [&](const Part& part) { run_products(part, begin, end); });
    });
  }
  if (order.halves() == 1 || s.T_ == 0) return;
  run_parts(split.count, [&](const Part& part) {
    for (int i = 0; i < product_count; ++i) products[i].join(part);
  });
}

}  // namespace recurra::RECURRA_NAMESPACE
