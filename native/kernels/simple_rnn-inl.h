// SimpleRNN: h = activation(x @ kernel + h @ recurrent + bias).
#pragma once

#include "sequence_backward-inl.h"
#include "sequence_forward-inl.h"

namespace recurra::RECURRA_NAMESPACE {

template <typename T>
struct SimpleRnnForward {
  static constexpr int kGates = 1;
  static constexpr int L = Vec<T>::lanes;
  const SequenceForward<T>& s;
  GateWeights<T> kernel, recurrent;
  InputSums<T> inputs{s, kernel};
  DroppedStates<T> dropped{s, kGates};
  SumsInPlace<T> in_place{s, 0};  // the sums stand in h

  explicit SimpleRnnForward(const SequenceForward<T>& sequence)
      : s(sequence),
        kernel{s.kernel, s.D, s.H, 1, 0, 1, reads_in_place(s), false},
        recurrent{s.recurrent, s.H, s.H, 1, 0, 1, reads_in_place(s), false} {}

  void take(Arena& arena) {
    kernel.packed = arena.take<T>(kernel.size());
    recurrent.packed = arena.take<T>(recurrent.size());
  }
  void pack(const Part& part) const {
    kernel.pack(part);
    if (!is_always_at_rest(s)) recurrent.pack(part);
  }

  const T* input_bias() const { return s.bias; }

  void step(const Member&, const Split&, const ForwardBuffers<T>& buffers, int64_t step, Range rows,
            Range blocks) const {
    dropped.compute(buffers.h(step), rows);
    if (in_place.used()) add_in_place(buffers, step, rows, blocks);
    for_column_groups(blocks, rows.end - rows.begin, goes_back(s, step),
                      [&](int64_t u, int64_t count) { tiles(buffers, step, rows, u, count); });
  }

  void add_in_place(const ForwardBuffers<T>& buffers, int64_t step, Range rows, Range blocks) const {
    const auto row_of = [&](int64_t n) { return buffers.h(step + 1) + n * s.H; };
    const T* x = s.x + time_of<T>(s, step) * s.D;
    product_of_few_rows<T>(rows, blocks, {x, s.T_ * s.D, 1, s.kernel, s.H, L, s.D}, s.H, s.bias, false, row_of);
    if (is_at_rest(s, step)) return;
    product_of_few_rows<T>(rows, blocks, {buffers.h(step), s.H, 1, s.recurrent, s.H, L, s.H}, s.H, nullptr, true,
                           row_of);
  }

  // z of `count` blocks from u on goes into the new h, then becomes h.
  void tiles(const ForwardBuffers<T>& buffers, int64_t step, Range rows, int64_t u, int64_t count) const {
    const T* x = s.x + time_of<T>(s, step) * s.D;
    const T* h_prev = dropped.used() ? dropped.of(0) : buffers.h(step);
    T* h = buffers.h(step + 1);
    Tile<T> tile;
    tile.stretch[0] = kernel.stretch(u, nullptr, s.T_ * s.D);
    Stretch<T>& state = tile.stretch[inputs.used() ? 0 : 1] = recurrent.stretch(u, nullptr, s.H);
    tile.stretches = (inputs.used() ? 1 : 2) - is_at_rest(s, step);
    for (int64_t c = 0; c < count; ++c) {
      tile.columns[c] = (u + c) * L;
      tile.lanes[c] = kernel.lanes(u + c);
      tile.init[c] = s.bias ? s.bias + tile.columns[c] : kZeros<T>;
      tile.init_row[c] = 0;
    }
    for_row_groups(rows, [&](Range some) {
      for_row_tiles(in_place.left(some), kTileRows[count], [&](int64_t n, int64_t height) {
        tile.stretch[0].a = x + n * s.T_ * s.D;
        state.a = h_prev + n * s.H;
        for (int64_t r = 0; r < height; ++r) tile.rows[r] = h + (n + r) * s.H;
        if (inputs.used()) begin_with(tile, inputs.at(step, u), count);
        run_tile(tile, height, count);
      });
      if (count >= Lockstep<Many<T>>::count || some.end - some.begin < Lockstep<Many<T>>::count) {
        for (int64_t n = some.begin; n < some.end; ++n) {
          for_units_in_lockstep<T>({u, u + count}, s.H, [&]<typename V>(int64_t unit, int64_t lanes) {
            activate_sums<V>(buffers, step, n, unit, lanes, L, L);
          });
        }
        return;
      }
      for (int64_t c = 0; c < count; ++c) {
        for_rows_in_lockstep<T>(some, s.mask != nullptr, tile.lanes[c], [&]<typename V>(int64_t n, int64_t lanes) {
          activate_sums<V>(buffers, step, n, tile.columns[c], lanes, s.H, output_row(s));
        });
      }
    });
  }

  // h from the sums that stand in its place. Its vectors lie `stride` apart, those of the output y_stride.
  template <typename V>
  RECURRA_INLINE void activate_sums(const ForwardBuffers<T>& buffers, int64_t step, int64_t n, int64_t unit,
                                    int64_t lanes, int64_t stride, int64_t y_stride) const {
    const int64_t at = n * s.H + unit;
    T* h = buffers.h(step + 1) + at;
    const bool masked = is_masked<T>(s, n, step);
    const V value = masked ? load_rows<V>(buffers.h(step) + at, stride, lanes)
                           : activate(s.activation, load_rows<V>(h, stride, lanes));
    store_rows(value, h, stride, lanes);
    put_output(s, n, step, unit, lanes, y_stride, value, masked);
  }
};

template <typename T>
void simple_rnn_forward(const SequenceForward<T>& s) {
  SimpleRnnForward<T> cell(s);
  run_forward(s, cell, 0);
}

template <typename T>
struct SimpleRnnBackward {
  static constexpr int kGates = 1;
  static constexpr int L = Vec<T>::lanes;
  const SequenceBackward<T>& s;
  StateGradient<T> state{s, kGates, kGates};

  explicit SimpleRnnBackward(const SequenceBackward<T>& sequence) : s(sequence) {}

  void take(Arena& arena) { state.take(arena); }
  void pack(const Part& part) const { state.pack(part); }

  int products(GradientProduct<T>* list) const {
    list[0] = gradient_product(s, 0, 1, 0);
    list[0].add(seen_state_part(s, 0, s.H));
    list[0].add(input_part(s, s.dkernel, s.H));
    list[0].add(ones_part(s.dbias));
    return 1;
  }

  void step(const Member& member, const Split& split, const GateGradients<T>& dz, int64_t step, Range rows,
            Range blocks) const {
    const T* h = s.hs + (step + 1) * s.N * s.H;
    for_gate_gradients<kGates>(
        s, dz, step, rows, blocks,
        [&]<typename V>(const auto& dz_row, int64_t n, int64_t unit, int64_t lanes, const auto& along, V doutput) {
          const int64_t at = n * s.H + unit, apart = along.state;
          const V dh = load_rows<V>(s.dh + at, apart, lanes) + doutput;
          const V dz_of_row = activation_gradient(s.activation, dh, load_rows<V>(h + at, apart, lanes));
          dz_row.put(dz_of_row, 0, unit, lanes, along);
          // A masked row's stays: the product is added.
          if (s.mask) store_rows(V::set(T(0)), s.dh + at, apart, lanes);
        });
    if (is_at_rest(s, step)) return;
    split.meet(member);
    state.add(!s.mask, rows, blocks, dz, step, {0, 1});
  }
};

template <typename T>
void simple_rnn_backward(const SequenceBackward<T>& s) {
  SimpleRnnBackward<T> cell(s);
  run_backward(s, cell, 1);
}

}  // namespace recurra::RECURRA_NAMESPACE
