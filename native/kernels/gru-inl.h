// GRU. Gates lie in the order z r h:
//   z, r = s(x @ kernel_zr + h @ recurrent_zr + bias_zr)
//   hh = a(x @ kernel_h + bias_h + r * (h @ recurrent_h + recurrent_bias_h))      reset_after
//   hh = a(x @ kernel_h + bias_h + (r * h) @ recurrent_h)                         not reset_after
//   h = z * h + (1 - z) * hh
// The gate buffer has four blocks: z, r, hh, and hu = h @ recurrent_h + bias (reset_after) or rh = r * h (not).
#pragma once

#include "sequence_backward-inl.h"
#include "sequence_forward-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// Sums of one block of units: of z, r, hh and hu. x adds to the first three; the state to z, r and hu, or where it is
// reset before the candidate's product, to z and r.
template <bool ResetAfter>
struct GruSums {
  static constexpr bool kRepeats = false;
  static constexpr bool has(int stretch, int vector) {
    const int sum = vector % 4;
    return stretch == 0 ? sum < 3 : sum < 2 || (ResetAfter && sum == 3);
  }
};

template <typename T, typename Activations>
struct GruForward {
  static constexpr int kGates = 3;
  static constexpr int L = Vec<T>::lanes;
  const SequenceForward<T>& s;
  Activations f;
  GateWeights<T> kernel, recurrent;  // recurrent: all three gates with reset_after, else z and r
  GateWeights<T> candidate;          // recurrent_h, not reset_after
  T* bias = nullptr;                 // (4H): sums of both biases of z and r, then hh's, then hu's
  InputSums<T> inputs{s, kernel};
  DroppedStates<T> dropped{s, kGates};
  SumsInPlace<T> in_place{s};

  GruForward(const SequenceForward<T>& sequence, Activations activations)
      : s(sequence),
        f(activations),
        kernel{s.kernel, s.D, s.H, 3, 0, 3, reads_in_place(s), in_pairs(s)},
        recurrent{s.recurrent, s.H, s.H, s.reset_after ? 3 : 2, 0, 3, reads_in_place(s), in_pairs(s)},
        candidate{s.recurrent, s.reset_after ? 0 : s.H, s.H, 1, 2, 3, reads_in_place(s), false} {}

  void take(Arena& arena) {
    kernel.packed = arena.take<T>(kernel.size());
    recurrent.packed = arena.take<T>(recurrent.size());
    candidate.packed = arena.take<T>(candidate.size());
    bias = arena.take<T>(4 * s.H);
  }
  void pack(const Part& part) const {
    kernel.pack(part);
    if (part.index == 0) add_biases();
    if (is_always_at_rest(s)) return;
    recurrent.pack(part);
    candidate.pack(part);
  }
  const T* input_bias() const { return bias; }
  void add_biases() const {
    const int64_t H = s.H;
    const bool two = s.bias && s.reset_after;
    copy_or_zero(bias, s.bias, 3 * H);
    copy_or_zero(bias + 3 * H, two ? s.bias + 5 * H : nullptr, H);
    for (int64_t i = 0; two && i < 2 * H; ++i) bias[i] = bias[i] + s.bias[3 * H + i];
  }

  void step(const Member& member, const Split& split, const ForwardBuffers<T>& buffers, int64_t step, Range rows,
            Range blocks) const {
    T* gates = buffers.gates + step * buffers.gates_step;
    const T* x = s.x + time_of<T>(s, step) * s.D;
    const T* h_prev = buffers.h(step);
    dropped.compute(h_prev, rows);
    alignas(64) T sums[kGroupRows * 4 * L];  // in L1 until the gate math has read them: see LstmForward
    if (in_place.used()) add_in_place(step, x, h_prev, rows, blocks);
    kernel.for_blocks(blocks, goes_back(s, step), [&]<int Count>(int64_t u) {
      constexpr int kColumns = 4 * Count;
      Tile<T> tile;
      tile.stretch[0] = kernel.stretch(u, nullptr, s.T_ * s.D);
      tile.stretch[1] = recurrent.stretch(u, nullptr, s.H);
      tile.stretches = dropped.used() || is_at_rest(s, step) ? 1 : 2;
      for (int c = 0; c < kColumns; ++c) {
        const int64_t sum = c % 4, block = u + c / 4;
        tile.columns[c] = c * L;
        tile.lanes[c] = kernel.lanes(block);
        tile.init[c] = bias + sum * s.H + block * L;
        tile.init_row[c] = 0;
      }
      if (inputs.used()) {  // they begin with the bias, and have three sums to a block
        tile.stretch[0].K = 0;
        for (int c = 0; c < kColumns; ++c) {
          if (c % 4 < 3) tile.init[c] = inputs.at(step, u) + (c / 4 * 3 + c % 4) * L;
        }
      }
      for_row_groups(rows, [&](Range some) {
        buffers.fetch(s, step, some, u * L);
        for_row_tiles(in_place.left(some), kTileRows[kColumns], [&](int64_t n, int64_t height) {
          tile.stretch[0].a = x + n * s.T_ * s.D;
          tile.stretch[1].a = h_prev + n * s.H;
          for (int64_t r = 0; r < height; ++r) tile.rows[r] = sums + (n - some.begin + r) * 4 * L;
          if (s.reset_after) {
            run_sums<kColumns, GruSums<true>>(tile, step, n, height);
          } else {
            run_sums<kColumns, GruSums<false>>(tile, step, n, height);
          }
        });
        for (int i = 0; i < Count; ++i) {
          const T* of_block = in_place.used() ? in_place.at(u, some.begin) : sums + i * 4 * L;
          const int64_t block = u + i;
          for_rows_in_lockstep<T>(some, s.mask != nullptr, kernel.lanes(block),
                                  [&]<typename V>(int64_t n, int64_t lanes) {
                                    const T* z = of_block + (n - some.begin) * 4 * L;
                                    if (!s.reset_after) {
                                      reset<V>(buffers, gates, z, step, n, block, lanes);
                                    } else if (is_masked<T>(s, n, step)) {
                                      carry(buffers, step, n, block, lanes);
                                    } else {
                                      finish<V>(buffers, gates, z, step, n, block, lanes);
                                    }
                                  });
        }
      });
    });
    if (s.reset_after) return;
    split.meet(member);  // the candidate's product needs r * h of all units
    if (in_place.used() && !is_at_rest(s, step)) {
      product_of_few_rows<T>(rows, blocks, {gates + 3 * s.H, 4 * s.H, 1, s.recurrent + 2 * s.H, 3 * s.H, L, s.H}, s.H,
                             nullptr, true, [&](int64_t n) { return gates + n * 4 * s.H + 2 * s.H; });
    }
    for_column_groups(blocks, rows.end - rows.begin, goes_back(s, step), [&](int64_t u, int64_t count) {
      Tile<T> tile;
      tile.stretches = is_at_rest(s, step) ? 0 : 1;
      tile.stretch[0] = candidate.stretch(u, nullptr, 4 * s.H);
      for (int64_t c = 0; c < count; ++c) {
        tile.columns[c] = 2 * s.H + (u + c) * L;
        tile.lanes[c] = kernel.lanes(u + c);
        tile.init[c] = nullptr;
      }
      for_row_groups(rows, [&](Range some) {
        for_row_tiles(in_place.left(some), kTileRows[count], [&](int64_t n, int64_t height) {
          tile.stretch[0].a = gates + n * 4 * s.H + 3 * s.H;
          for (int64_t r = 0; r < height; ++r) tile.rows[r] = gates + (n + r) * 4 * s.H;
          run_tile(tile, height, count);
        });
        for (int64_t c = 0; c < count; ++c) {
          for_rows_in_lockstep<T>(some, s.mask != nullptr, tile.lanes[c], [&]<typename V>(int64_t n, int64_t lanes) {
            if (is_masked<T>(s, n, step)) {
              carry(buffers, step, n, u + c, lanes);
            } else {
              finish_reset<V>(buffers, gates, step, n, u + c, lanes);
            }
          });
        }
      });
    });
  }

  // x adds to the sums of z, r and hh, the state to those of z, r and, reset after its product, hu.
  void add_in_place(int64_t step, const T* x, const T* h_prev, Range rows, Range blocks) const {
    const bool rest = is_at_rest(s, step);
    for (int64_t gate = 0; gate < 3; ++gate) {
      in_place.add(gate, rows, blocks, x, s.T_ * s.D, kernel, gate, bias + gate * s.H, false);
      if (gate < 2 && !rest) in_place.add(gate, rows, blocks, h_prev, s.H, recurrent, gate, nullptr, true);
    }
    if (s.reset_after) in_place.add(3, rows, blocks, h_prev, s.H, recurrent, 2, bias + 3 * s.H, false, rest);
  }

  template <int Columns, typename Sums>
  RECURRA_INLINE void run_sums(const Tile<T>& tile, int64_t step, int64_t n, int64_t height) const {
    run_columns<T, Columns, Sums>(tile, height);
    if (dropped.used() && !is_at_rest(s, step)) {
      dropped.template run<Columns, Sums>(tile, tile.stretch[1], recurrent.gates, n, height);
    }
  }

  // reset_after: the gates, the candidate, the new h and the output from the sums.
  template <typename V>
  RECURRA_INLINE void finish(const ForwardBuffers<T>& buffers, T* gates, const T* sums, int64_t step, int64_t n,
                             int64_t u, int64_t lanes) const {
    const int64_t row = 4 * L;
    // The reset gate first: the candidate waits for it, and has the update gate to fill the time (2 % of a step).
    const V reset = activate(f.recurrent_activation, load_rows<V>(sums + L, row, lanes));
    const V update = activate(f.recurrent_activation, load_rows<V>(sums, row, lanes));
    const V hu = load_rows<V>(sums + 3 * L, row, lanes);
    const V candidate = activate(f.activation, fma(reset, hu, load_rows<V>(sums + 2 * L, row, lanes)));
    if (buffers.keep) {
      const int64_t H = s.H;
      T* z = gates + n * 4 * H + u * L;
      store_rows(update, z, 4 * H, lanes);
      store_rows(reset, z + H, 4 * H, lanes);
      store_rows(candidate, z + 2 * H, 4 * H, lanes);
      store_rows(hu, z + 3 * H, 4 * H, lanes);
    }
    put_state(buffers, step, n, u, lanes, update, candidate);
  }

  // Not reset_after: z and r, r * h, and what the candidate's sum begins with, into the gate buffer.
  template <typename V>
  RECURRA_INLINE void reset(const ForwardBuffers<T>& buffers, T* gates, const T* sums, int64_t step, int64_t n,
                            int64_t u, int64_t lanes) const {
    const int64_t H = s.H, row = 4 * L;
    const V reset = activate(f.recurrent_activation, load_rows<V>(sums + L, row, lanes));
    T* z = gates + n * 4 * H + u * L;
    store_rows(activate(f.recurrent_activation, load_rows<V>(sums, row, lanes)), z, 4 * H, lanes);
    store_rows(reset, z + H, 4 * H, lanes);
    store_rows(load_rows<V>(sums + 2 * L, row, lanes), z + 2 * H, 4 * H, lanes);
    const T* h = dropped.used() ? dropped.of(2) : buffers.h(step);
    store_rows(reset * load_rows<V>(h + n * H + u * L, H, lanes), z + 3 * H, 4 * H, lanes);
  }

  // Not reset_after, behind the candidate's product.
  template <typename V>
  RECURRA_INLINE void finish_reset(const ForwardBuffers<T>& buffers, T* gates, int64_t step, int64_t n, int64_t u,
                                   int64_t lanes) const {
    const int64_t row = 4 * s.H;
    T* z = gates + n * row + u * L;
    const V candidate = activate(f.activation, load_rows<V>(z + 2 * s.H, row, lanes));
    store_rows(candidate, z + 2 * s.H, row, lanes);
    put_state(buffers, step, n, u, lanes, load_rows<V>(z, row, lanes), candidate);
  }

  template <typename V>
  RECURRA_INLINE void put_state(const ForwardBuffers<T>& buffers, int64_t step, int64_t n, int64_t u, int64_t lanes,
                                V update, V candidate) const {
    const int64_t H = s.H, at = n * H + u * L;
    const V h_prev = load_rows<V>(buffers.h(step) + at, H, lanes);
    const V h = fma(update, h_prev, (V::set(T(1)) - update) * candidate);
    store_rows(h, buffers.h(step + 1) + at, H, lanes);
    put_output(s, n, step, u * L, lanes, output_row(s), h, false);
  }

  // A masked step.
  void carry(const ForwardBuffers<T>& buffers, int64_t step, int64_t n, int64_t u, int64_t lanes) const {
    const int64_t at = n * s.H + u * L;
    const Vec<T> h = load_lanes(buffers.h(step) + at, lanes);
    store_lanes(h, buffers.h(step + 1) + at, lanes);
    put_output(s, n, step, u * L, lanes, output_row(s), h, true);
  }
};

template <typename T>
void gru_forward(const SequenceForward<T>& s) {
  with_activations(s, [&](auto activations) {
    GruForward<T, decltype(activations)> cell(s, activations);
    run_forward(s, cell, 4, !s.reset_after);
  });
}

// Slots of dz: those of z, r and the candidate, and with reset_after the candidate's on the side of the state.
template <typename T, typename Activations>
struct GruBackward {
  static constexpr int kGates = 3;
  static constexpr int L = Vec<T>::lanes;
  const SequenceBackward<T>& s;
  Activations f;
  StateGradient<T> state{s, s.reset_after ? 3 : 2, kGates};
  TransposedWeights<T> candidate;  // not reset_after
  T* drh = nullptr;                // (N, H) gradient of r * h, not reset_after

  GruBackward(const SequenceBackward<T>& sequence, Activations activations)
      : s(sequence), f(activations), candidate{s.recurrent, s.H, 3 * s.H, 2 * s.H, s.reset_after ? 0 : s.H} {}

  void take(Arena& arena) {
    candidate.packed = arena.take<T>(candidate.size());
    state.take(arena);
    drh = arena.take<T>(s.reset_after ? 0 : s.N * s.H);
  }
  void pack(const Part& part) const {
    state.pack(part);
    if (!s.reset_after) candidate.pack(part);
  }

  // Gates z and r have the same gradient on both sides of the sum; the candidate's sides differ.
  int products(GradientProduct<T>* list) const {
    const int64_t H = s.H, row = 3 * H;
    if (state.dropped()) return products_of_dropped(list);
    const GradientPart<T> h = state_part(s, s.hs, H, row);
    T* recurrent_bias = s.dbias && s.reset_after ? s.dbias + row : nullptr;
    list[0] = gradient_product(s, 0, 2, 0);
    list[0].add(h);
    list[0].add(ones_part(recurrent_bias));
    list[0].add(input_part(s, s.dkernel, row));
    list[0].add(ones_part(s.dbias));
    list[1] = gradient_product(s, 2, 1, 2);
    if (!s.reset_after) list[1].add(state_part(s, s.gates + 3 * H, 4 * H, row));
    list[1].add(input_part(s, s.dkernel, row));
    list[1].add(ones_part(s.dbias));
    if (!s.reset_after) return 2;
    list[2] = gradient_product(s, 3, 1, 2);
    list[2].shares = true;
    list[2].add(h);
    list[2].add(ones_part(recurrent_bias));
    return 3;
  }

  // With dropout of the state each gate has seen another one.
  int products_of_dropped(GradientProduct<T>* list) const {
    const int64_t H = s.H, row = 3 * H;
    for (int gate = 0; gate < 3; ++gate) {
      list[gate] = gradient_product(s, gate == 2 && s.reset_after ? 3 : gate, 1, gate);
      const bool of_reset = gate == 2 && !s.reset_after;
      list[gate].add(of_reset ? state_part(s, s.gates + 3 * H, 4 * H, row) : seen_state_part(s, gate, row));
      if (s.dbias && s.reset_after) list[gate].add(ones_part(s.dbias + row));
    }
    list[3] = gradient_product(s, 0, 3, 0);
    list[3].add(input_part(s, s.dkernel, row));
    list[3].add(ones_part(s.dbias));
    return 4;
  }

  void step(const Member& member, const Split& split, const GateGradients<T>& dz, int64_t step, Range rows,
            Range blocks) const {
    const int64_t H = s.H;
    for_gate_gradients<kGates>(s, dz, step, rows, blocks,
                               [&](const auto& dz_row, int64_t n, int64_t unit, int64_t lanes, const auto& along,
                                   auto doutput) { pointwise(dz_row, step, n, unit, lanes, along, doutput); });
    if (s.reset_after) {
      if (is_at_rest(s, step)) return;
      split.meet(member);
      state.add(false, rows, blocks, dz, step, {0, 2}, {3, 4});
      return;
    }
    split.meet(member);
    add_state_gradient(true, drh, rows, blocks, dz, step, candidate, {2, 3});
    for (int64_t n = rows.begin; n < rows.end; ++n) {
      for (int64_t u = blocks.begin; u < blocks.end; ++u) reset(dz, step, n, u * L, smaller(L, H - u * L));
    }
    if (is_at_rest(s, step)) return;
    split.meet(member);
    state.add(false, rows, blocks, dz, step, {0, 2});
  }

  int64_t slots() const { return s.reset_after ? 4 : 3; }

  // dh becomes dh * z, what goes to the state before past the candidate.
  template <typename V, typename Along>
  RECURRA_INLINE void pointwise(const typename GateGradients<T>::Row& dz_row, int64_t step, int64_t n, int64_t unit,
                                int64_t lanes, const Along& along, V doutput) const {
    const int64_t H = s.H, at = n * H + unit;
    const T* z = s.gates + (step * s.N + n) * 4 * H + unit;
    const auto of_gate = [&](int64_t gate) { return load_rows<V>(z + gate * H, along.gates, lanes); };
    const auto put = [&](int64_t slot, V gradient) { dz_row.put(gradient, slot, unit, lanes, along); };
    const V update = of_gate(0), candidate = of_gate(2);
    const V h = load_rows<V>(s.hs + step * s.N * H + at, along.state, lanes);
    const V dh = load_rows<V>(s.dh + at, along.state, lanes) + doutput;
    const V dcandidate = activation_gradient(f.activation, dh * (V::set(T(1)) - update), candidate);
    put(0, activation_gradient(f.recurrent_activation, dh * (h - candidate), update));
    put(2, dcandidate);
    store_rows(dh * update, s.dh + at, along.state, lanes);
    if (s.reset_after) {
      const V reset = of_gate(1), hu = of_gate(3);
      put(1, activation_gradient(f.recurrent_activation, dcandidate * hu, reset));
      put(3, dcandidate * reset);
    }
  }

  // Not reset_after: from the gradient of r * h, those of r and h. A masked row has none.
  RECURRA_INLINE void reset(const GateGradients<T>& dz, int64_t step, int64_t n, int64_t unit, int64_t lanes) const {
    if (is_masked<T>(s, n, step)) return;
    const int64_t at = n * s.H + unit;
    const Vec<T> reset = load_lanes(s.gates + (step * s.N + n) * 4 * s.H + s.H + unit, lanes);
    const Vec<T> d = load_lanes(drh + at, lanes), dh = load_lanes(s.dh + at, lanes);
    Vec<T> h = load_lanes(s.hs + step * s.N * s.H + at, lanes), through = reset;
    if (state.dropped()) {
      const Vec<T> factors = load_lanes(s.dropout + 2 * s.N * s.H + at, lanes);
      h = h * factors, through = reset * factors;
    }
    store_lanes(fma(d, through, dh), s.dh + at, lanes);
    dz.at(step, n).put(activation_gradient(f.recurrent_activation, d * h, reset), 1, unit, lanes,
                       AlongUnits<T>{dz.depth * L});
  }
};

template <typename T>
void gru_backward(const SequenceBackward<T>& s) {
  with_activations(s, [&](auto activations) {
    GruBackward<T, decltype(activations)> cell(s, activations);
    run_backward(s, cell, cell.slots());
  });
}

}  // namespace recurra::RECURRA_NAMESPACE
