// The loop of every cell backward: gradients of the gates, and the products that take them to states and weights.
#pragma once

#include "sequence-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// Whether nobody asks for the gradient of the state before a step: it was all zeros.
template <typename T>
RECURRA_INLINE bool is_at_rest(const SequenceBackward<T>& s, int64_t step) {
  return step == 0 && s.at_rest;
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
// L columns at a stretch. Where the last block is ragged they find them in rows as well; of large layers also where L
// columns are but a part of a cache line: to leap from block to block then takes longer than to write them twice.
template <typename T>
struct GateGradients {
  static constexpr int L = Vec<T>::lanes;
  static constexpr bool kWholeLines = L * sizeof(T) >= 64;
  static constexpr int64_t kMostUnits = 64;  // that are read from the blocks alone if not
  RowOrder order;
  int64_t H, slots, depth;
  bool all_rows;  // not just those of the last two steps
  T *blocks = nullptr, *rows = nullptr;
  T* repeated = nullptr;  // with a mask: see output_gradient
  int64_t begin = 0;

  GateGradients since(int64_t step) const {
    GateGradients later = *this;
    later.begin = step;
    return later;
  }
  bool in_rows() const { return H % L != 0 || (H > kMostUnits && !kWholeLines); }
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
RECURRA_INLINE void for_gate_gradients(const SequenceBackward<T>& s, const GateGradients<T>& dz, int64_t step,
                                       Range rows, Range blocks, F f) {
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
        f(row, n, u * L, L, along_rows, output_gradient<V>(s, dz.repeated, n, step, u * L, L, along_rows, false));
      }
      n += count;
      continue;
    }
    if (distant) fetch_ahead(s, step, n, blocks);
    const bool masked = is_masked<T>(s, n, step);
    for_units_in_lockstep<T>(blocks, s.H, [&]<typename V>(int64_t unit, int64_t lanes) {
      const V doutput = output_gradient<V>(s, dz.repeated, n, step, unit, lanes, along_units, masked);
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
    dz.repeated = arena.take<T>(s.mask ? s.N * s.H : 0);
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
  if (s.mask) copy_or_zero<T>(dz.repeated, nullptr, s.N * s.H);
  // Where each of two parts has its half of the rows, neither reads what the other writes before the end.
  const bool apart = split.count == 2 && !split.by_units && order.halves() == 2;
  run_parts(split.count, [&](const Part& part) {
    cell.pack(part);
    if (s.dx) kernel.pack(part);
    for (int i = 0; i < product_count; ++i) products[i].pack_ones(part);
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
      product_of_blocks<T>(rows, blocks_of<T>(s.D), stretch, s.D, nullptr, false, [&](int64_t row) {
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
