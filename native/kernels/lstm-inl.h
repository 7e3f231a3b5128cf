// LSTM. Gates lie in the order i f g o:
//   i, f, g, o = split(x @ kernel + h @ recurrent + bias, 4);  c = s(f) * c + s(i) * a(g);  h = s(o) * a(c)
#pragma once

#include "sequence_backward-inl.h"
#include "sequence_forward-inl.h"

namespace recurra::RECURRA_NAMESPACE {

template <typename T, typename Activations>
struct LstmForward {
  static constexpr int kGates = 4;
  static constexpr int L = Vec<T>::lanes;
  const SequenceForward<T>& s;
  Activations f;
  GateWeights<T> kernel, recurrent;
  InputSums<T> inputs{s, kernel};
  DroppedStates<T> dropped{s, kGates};
  SumsInPlace<T> in_place{s};

  LstmForward(const SequenceForward<T>& sequence, Activations activations)
      : s(sequence),
        f(activations),
        kernel{s.kernel, s.D, s.H, 4, 0, 4, reads_in_place(s), in_pairs(s)},
        recurrent{s.recurrent, s.H, s.H, 4, 0, 4, reads_in_place(s), in_pairs(s)} {}

  void take(Arena& arena) {
    kernel.packed = arena.take<T>(kernel.size());
    recurrent.packed = arena.take<T>(recurrent.size());
  }
  void pack(const Part& part) const {
    kernel.pack(part);
    if (!is_always_at_rest(s)) recurrent.pack(part);
  }

  const T* input_bias() const { return s.bias; }

  // A tile is a few rows of the gates of one block of units, or one row of two. Its sums stay in L1 until the gate math
  // has read them: rows of the gate buffer lie whole powers of two apart and would drive each other out of the cache.
  void step(const Member&, const Split&, const ForwardBuffers<T>& buffers, int64_t step, Range rows,
            Range blocks) const {
    const T* x = s.x + time_of<T>(s, step) * s.D;
    const T* h_prev = buffers.h(step);
    dropped.compute(h_prev, rows);
    alignas(64) T sums[kGroupRows * 4 * L];
    for (int64_t gate = 0; in_place.used() && gate < 4; ++gate) {
      in_place.add(gate, rows, blocks, x, s.T_ * s.D, kernel, gate, s.bias ? s.bias + gate * s.H : nullptr, false);
      if (!is_at_rest(s, step)) in_place.add(gate, rows, blocks, h_prev, s.H, recurrent, gate, nullptr, true);
    }
    kernel.for_blocks(blocks, goes_back(s, step), [&]<int Count>(int64_t u) {
      constexpr int kColumns = 4 * Count;
      Tile<T> tile;
      tile.stretch[0] = kernel.stretch(u, nullptr, s.T_ * s.D);
      Stretch<T>& state = tile.stretch[inputs.used() ? 0 : 1] = recurrent.stretch(u, nullptr, s.H);
      tile.stretches = (inputs.used() ? 1 : 2) - (dropped.used() || is_at_rest(s, step));
      for (int c = 0; c < kColumns; ++c) {
        const int64_t gate = c % 4, block = u + c / 4;
        tile.columns[c] = c * L;
        tile.lanes[c] = kernel.lanes(block);
        tile.init[c] = s.bias ? s.bias + gate * s.H + block * L : kZeros<T>;
        tile.init_row[c] = 0;
      }
      for_row_groups(rows, [&](Range some) {
        buffers.fetch(s, step, some, u * L);
        for_row_tiles(in_place.left(some), kTileRows[kColumns], [&](int64_t n, int64_t height) {
          tile.stretch[0].a = x + n * s.T_ * s.D;
          state.a = h_prev + n * s.H;
          for (int64_t r = 0; r < height; ++r) tile.rows[r] = sums + (n - some.begin + r) * 4 * L;
          if (inputs.used()) begin_with(tile, inputs.at(step, u), kColumns);
          run_columns<T, kColumns>(tile, height);
          if (dropped.used() && !is_at_rest(s, step)) {
            dropped.template run<kColumns>(tile, state, kGates, n, height);
          }
        });
        for (int i = 0; i < Count; ++i) {
          const T* z = in_place.used() ? in_place.at(u, some.begin) : sums + i * 4 * L;
          for_rows_in_lockstep<T>(some, s.mask != nullptr, kernel.lanes(u + i),
                                  [&]<typename V>(int64_t n, int64_t lanes) {
                                    if (is_masked<T>(s, n, step)) {
                                      carry(buffers, step, n, (u + i) * L, lanes);
                                    } else {
                                      pointwise<V>(buffers, z + (n - some.begin) * 4 * L, step, n, (u + i) * L, lanes);
                                    }
                                  });
        }
      });
    });
  }

  const T* c_from(const ForwardBuffers<T>& buffers, int64_t step) const {
    return buffers.keep ? s.cs + step * buffers.size : s.c;
  }
  T* c_to(const ForwardBuffers<T>& buffers, int64_t step) const {
    return buffers.keep ? s.cs + (step + 1) * buffers.size : s.c;
  }

  // sums (rows, 4, L): of the gates of these units.
  template <typename V>
  RECURRA_INLINE void pointwise(const ForwardBuffers<T>& buffers, const T* sums, int64_t step, int64_t n, int64_t unit,
                                int64_t lanes) const {
    const int64_t H = s.H, at = n * H + unit;
    const V input = activate(f.recurrent_activation, load_rows<V>(sums, 4 * L, lanes));
    const V forget = activate(f.recurrent_activation, load_rows<V>(sums + L, 4 * L, lanes));
    const V candidate = activate(f.activation, load_rows<V>(sums + 2 * L, 4 * L, lanes));
    const V output = activate(f.recurrent_activation, load_rows<V>(sums + 3 * L, 4 * L, lanes));
    const V c = fma(forget, load_rows<V>(c_from(buffers, step) + at, H, lanes), input * candidate);
    const V h = output * activate(f.activation, c);
    if (buffers.keep) {
      T* z = s.gates + (step * s.N + n) * 4 * H + unit;
      store_rows(input, z, 4 * H, lanes);
      store_rows(forget, z + H, 4 * H, lanes);
      store_rows(candidate, z + 2 * H, 4 * H, lanes);
      store_rows(output, z + 3 * H, 4 * H, lanes);
    }
    store_rows(c, c_to(buffers, step) + at, H, lanes);
    store_rows(h, buffers.h(step + 1) + at, H, lanes);
    put_output(s, n, step, unit, lanes, output_row(s), h, false);
  }

  // A masked step.
  void carry(const ForwardBuffers<T>& buffers, int64_t step, int64_t n, int64_t unit, int64_t lanes) const {
    const int64_t at = n * s.H + unit;
    store_lanes(load_lanes(c_from(buffers, step) + at, lanes), c_to(buffers, step) + at, lanes);
    const Vec<T> h = load_lanes(buffers.h(step) + at, lanes);
    store_lanes(h, buffers.h(step + 1) + at, lanes);
    put_output(s, n, step, unit, lanes, output_row(s), h, true);
  }
};

template <typename T>
void lstm_forward(const SequenceForward<T>& s) {
  with_activations(s, [&](auto activations) {
    LstmForward<T, decltype(activations)> cell(s, activations);
    copy_or_zero(s.hs ? s.cs : s.c, s.c0, s.N * s.H);
    run_forward(s, cell, 4);
    if (s.hs) copy_or_zero(s.c, s.cs + s.T_ * s.N * s.H, s.N * s.H);
  });
}

template <typename T, typename Activations>
struct LstmBackward {
  static constexpr int kGates = 4;
  static constexpr int L = Vec<T>::lanes;
  const SequenceBackward<T>& s;
  Activations f;
  StateGradient<T> state{s, kGates, kGates};

  LstmBackward(const SequenceBackward<T>& sequence, Activations activations) : s(sequence), f(activations) {}

  void take(Arena& arena) { state.take(arena); }
  void pack(const Part& part) const { state.pack(part); }

  int products(GradientProduct<T>* list) const {
    int count = 0;
    for (int gate = 0; state.dropped() && gate < 4; ++gate) {
      list[count] = gradient_product(s, gate, 1, gate);
      list[count++].add(seen_state_part(s, gate, 4 * s.H));
    }
    list[count] = gradient_product(s, 0, 4, 0);
    if (!state.dropped()) list[count].add(state_part(s, s.hs, s.H, 4 * s.H));
    list[count].add(input_part(s, s.dkernel, 4 * s.H));
    list[count++].add(ones_part(s.dbias));
    return count;
  }

  void step(const Member& member, const Split& split, const GateGradients<T>& dz, int64_t step, Range rows,
            Range blocks) const {
    for_gate_gradients<kGates>(s, dz, step, rows, blocks,
                               [&](const auto& dz_row, int64_t n, int64_t unit, int64_t lanes, const auto& along,
                                   auto doutput) { pointwise(dz_row, step, n, unit, lanes, along, doutput); });
    if (is_at_rest(s, step)) return;
    split.meet(member);
    state.add(!s.mask, rows, blocks, dz, step, {0, 4});
  }

  // dh, dc: of this step's states in, of those before it out (dh without the recurrent product).
  template <typename V, typename Along>
  RECURRA_INLINE void pointwise(const typename GateGradients<T>::Row& dz_row, int64_t step, int64_t n, int64_t unit,
                                int64_t lanes, const Along& along, V doutput) const {
    const int64_t H = s.H, size = s.N * H, at = n * H + unit;
    const T* z = s.gates + (step * s.N + n) * 4 * H + unit;
    const auto of_state = [&](const T* states) { return load_rows<V>(states + at, along.state, lanes); };
    const auto of_gate = [&](int64_t gate) { return load_rows<V>(z + gate * H, along.gates, lanes); };
    const auto put = [&](int64_t gate, V gradient) { dz_row.put(gradient, gate, unit, lanes, along); };
    const V ac = activate(f.activation, of_state(s.cs + (step + 1) * size));
    const V dh = of_state(s.dh) + doutput, output = of_gate(3);
    put(3, activation_gradient(f.recurrent_activation, dh * ac, output));
    const V dc = of_state(s.dc) + activation_gradient(f.activation, dh * output, ac);
    const V input = of_gate(0), candidate = of_gate(2);
    put(0, activation_gradient(f.recurrent_activation, dc * candidate, input));
    put(2, activation_gradient(f.activation, dc * input, candidate));
    const V forget = of_gate(1), c_prev = of_state(s.cs + step * size);
    put(1, activation_gradient(f.recurrent_activation, dc * c_prev, forget));
    store_rows(dc * forget, s.dc + at, along.state, lanes);
    if (s.mask) store_rows(V::set(T(0)), s.dh + at, along.state, lanes);  // a masked row's stays: the product is added
  }
};

template <typename T>
void lstm_backward(const SequenceBackward<T>& s) {
  with_activations(s, [&](auto activations) {
    LstmBackward<T, decltype(activations)> cell(s, activations);
    run_backward(s, cell, 4);
  });
}

}  // namespace recurra::RECURRA_NAMESPACE
