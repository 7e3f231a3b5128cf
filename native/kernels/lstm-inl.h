// LSTM. Gates lie in the order i f g o:
//   i, f, g, o = split(x @ kernel + h @ recurrent + bias, 4);  c = s(f) * c + s(i) * a(g);  h = s(o) * a(c)
#pragma once

#include "sequence-inl.h"

namespace recurra::RECURRA_NAMESPACE {

template <typename T, typename Activations>
struct LstmForward {
  static constexpr int kGates = 4;
  static constexpr int L = Vec<T>::lanes;
  const SequenceForward<T>& s;
  Activations f;
  GateWeights<T> kernel, recurrent;

  LstmForward(const SequenceForward<T>& sequence, Activations activations)
      : s(sequence),
        f(activations),
        kernel{s.kernel, s.D, s.H, 4, 0, 4, s.T_ <= 2},
        recurrent{s.recurrent, s.H, s.H, 4, 0, 4, s.T_ <= 2} {}

  void take(Arena& arena) {
    kernel.packed = arena.take<T>(kernel.size());
    recurrent.packed = arena.take<T>(recurrent.size());
  }
  void pack(const Member& member) const {
    kernel.pack(member);
    recurrent.pack(member);
  }

  // A tile is a few rows of all four gates of one block of units: what the gate math needs.
  void step(const Member&, const Split&, const ForwardBuffers<T>& buffers, int64_t step, Range rows,
            Range blocks) const {
    const T* x = s.x + time_of<T>(s, step) * s.D;
    const T* h_prev = buffers.h(step);
    T* gates = buffers.gates + step * buffers.gates_step;
    for (int64_t u = blocks.begin; u < blocks.end; ++u) {
      Tile<T> tile;
      tile.stretches = 2;
      tile.stretch[0] = kernel.stretch(u, nullptr, s.T_ * s.D);
      tile.stretch[1] = recurrent.stretch(u, nullptr, s.H);
      for (int64_t g = 0; g < 4; ++g) {
        tile.columns[g] = g * s.H + u * L;
        tile.lanes[g] = kernel.lanes(u);
        tile.init[g] = s.bias ? s.bias + tile.columns[g] : kZeros<T>;
        tile.init_row[g] = 0;
      }
      for_row_tiles(rows, kTileRows[4], [&](int64_t n, int64_t height) {
        tile.stretch[0].a = x + n * s.T_ * s.D;
        tile.stretch[1].a = h_prev + n * s.H;
        for (int64_t r = 0; r < height; ++r) tile.rows[r] = gates + (n + r) * 4 * s.H;
        run_tile(tile, height, 4);
        pointwise(buffers, gates, step, {n, n + height}, u * L, kernel.lanes(u));
      });
    }
  }

  void pointwise(const ForwardBuffers<T>& buffers, T* gates, int64_t step, Range rows, int64_t unit,
                 int64_t lanes) const {
    using V = Vec<T>;
    const T* c_from = buffers.keep ? s.cs + step * buffers.size : s.c;
    T* c_to = buffers.keep ? s.cs + (step + 1) * buffers.size : s.c;
    for (int64_t n = rows.begin; n < rows.end; ++n) {
      const int64_t at = n * s.H + unit;
      T* z = gates + n * 4 * s.H + unit;
      const bool masked = is_masked<T>(s, n, step);
      V c = load_lanes(c_from + at, lanes), h;
      if (masked) {
        h = load_lanes(buffers.h(step) + at, lanes);
      } else {
        const V input = activate(f.recurrent_activation, load_lanes(z, lanes));
        const V forget = activate(f.recurrent_activation, load_lanes(z + s.H, lanes));
        const V candidate = activate(f.activation, load_lanes(z + 2 * s.H, lanes));
        const V output = activate(f.recurrent_activation, load_lanes(z + 3 * s.H, lanes));
        c = fma(forget, c, input * candidate);
        h = output * activate(f.activation, c);
        if (buffers.keep) {
          store_lanes(input, z, lanes);
          store_lanes(forget, z + s.H, lanes);
          store_lanes(candidate, z + 2 * s.H, lanes);
          store_lanes(output, z + 3 * s.H, lanes);
        }
      }
      store_lanes(c, c_to + at, lanes);
      store_lanes(h, buffers.h(step + 1) + at, lanes);
      put_output(s, n, step, unit, lanes, h, masked);
    }
  }
};

template <typename T, typename Activations>
void lstm_forward_with(const SequenceForward<T>& s, Activations activations) {
  LstmForward<T, Activations> cell(s, activations);
  copy_or_zero(s.hs ? s.cs : s.c, s.c0, s.N * s.H);
  run_forward(s, cell, 4);
  if (s.hs) copy_or_zero(s.c, s.cs + s.T_ * s.N * s.H, s.N * s.H);
}

template <typename T>
void lstm_forward(const SequenceForward<T>& s) {
  if (s.activation == Function::tanh && s.recurrent_activation == Function::sigmoid) {
    lstm_forward_with(s, TanhSigmoid{});
  } else {
    lstm_forward_with(s, NamedActivations{s.activation, s.recurrent_activation});
  }
}

template <typename T, typename Activations>
struct LstmBackward {
  static constexpr int kGates = 4;
  static constexpr int L = Vec<T>::lanes;
  const SequenceBackward<T>& s;
  Activations f;
  TransposedWeights<T> recurrent;
  T* repeated = nullptr;

  LstmBackward(const SequenceBackward<T>& sequence, Activations activations)
      : s(sequence), f(activations), recurrent{s.recurrent, s.H, 4 * s.H, 0, 4 * s.H} {}

  void take(Arena& arena) {
    recurrent.packed = arena.take<T>(recurrent.size());
    repeated = arena.take<T>(s.mask ? s.N * s.H : 0);
  }
  void start() const {
    if (s.mask) copy_or_zero<T>(repeated, nullptr, s.N * s.H);
  }
  void pack(const Member& member) const { recurrent.pack(member); }

  int products(GradientProduct<T>* list) const {
    list[0] = gradient_product(s, 4, 0, 0, 4 * s.H);
    list[0].add({s.hs, s.N * s.H, s.H, s.H, s.drecurrent, 4 * s.H});
    list[0].add(input_part(s, s.dkernel, 4 * s.H));
    list[0].add(ones_part(s.dbias));
    return 1;
  }

  void step(const Member& member, const Split& split, int64_t step, Range rows, Range blocks) const {
    T* gates = s.gates + step * s.N * 4 * s.H;
    for (int64_t n = rows.begin; n < rows.end; ++n) {
      for (int64_t u = blocks.begin; u < blocks.end; ++u) {
        pointwise(gates + n * 4 * s.H + u * L, n, step, u * L, smaller(L, s.H - u * L));
      }
    }
    split.meet(member);
    add_state_gradient(s.dh, s.H, rows, blocks, gates, 4 * s.H, recurrent, 0, 4 * s.H, 0, 0);
  }

  // z: activated gates in, their gradients dz out. dh, dc: of this step's states in, of those before it out (dh without
  // the recurrent product).
  RECURRA_INLINE void pointwise(T* z, int64_t n, int64_t step, int64_t unit, int64_t lanes) const {
    using V = Vec<T>;
    const V zero = V::set(T(0));
    const int64_t H = s.H, at = n * H + unit, size = s.N * H;
    const bool masked = is_masked<T>(s, n, step);
    const V doutput = output_gradient(s, repeated, n, step, unit, lanes, masked);
    if (masked) {
      for (int64_t g = 0; g < 4; ++g) store_lanes(zero, z + g * H, lanes);
      return;
    }
    const V input = load_lanes(z, lanes), forget = load_lanes(z + H, lanes);
    const V candidate = load_lanes(z + 2 * H, lanes), output = load_lanes(z + 3 * H, lanes);
    const V c_prev = load_lanes(s.cs + step * size + at, lanes);
    const V ac = activate(f.activation, load_lanes(s.cs + (step + 1) * size + at, lanes));
    const V dh = load_lanes(s.dh + at, lanes) + doutput;
    const V dc = load_lanes(s.dc + at, lanes) + activation_gradient(f.activation, dh * output, ac);
    store_lanes(activation_gradient(f.recurrent_activation, dc * candidate, input), z, lanes);
    store_lanes(activation_gradient(f.recurrent_activation, dc * c_prev, forget), z + H, lanes);
    store_lanes(activation_gradient(f.activation, dc * input, candidate), z + 2 * H, lanes);
    store_lanes(activation_gradient(f.recurrent_activation, dh * ac, output), z + 3 * H, lanes);
    store_lanes(dc * forget, s.dc + at, lanes);
    store_lanes(zero, s.dh + at, lanes);
  }
};

template <typename T, typename Activations>
void lstm_backward_with(const SequenceBackward<T>& s, Activations activations) {
  LstmBackward<T, Activations> cell(s, activations);
  run_backward(s, cell, 4);
}

template <typename T>
void lstm_backward(const SequenceBackward<T>& s) {
  if (s.activation == Function::tanh && s.recurrent_activation == Function::sigmoid) {
    lstm_backward_with(s, TanhSigmoid{});
  } else {
    lstm_backward_with(s, NamedActivations{s.activation, s.recurrent_activation});
  }
}

}  // namespace recurra::RECURRA_NAMESPACE
