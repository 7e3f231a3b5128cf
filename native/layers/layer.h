// The layers of a plan, bound to their weights.
//
// A value between two layers is N rows of some length: (timesteps, features), (features) or any other shape, end to
// end. A layer knows its features, so the length says the timesteps. Reshaping costs nothing and needs no layer here.
//
// Every kind of layer has the same functions, those of `AnyLayer` where they need none of their own. x_size and y_size
// are elements per row of the batch.
//   output_size(x_size)            y_size; throws std::invalid_argument where the input does not fit
//   state_size()                   of its states per row, h before c
//   list_states(kept)              which of them it keeps from call to call
//   flops(x_size)                  per row, about
//   list_gradients(pieces)         where those of its weights are that are trained
//   has_gradients()                whether there are any
//   mask_steps(x_size)             timesteps per row of the mask that it makes, 0: none
//   make_mask(mask, x, N, x_size)
//   passes_mask()                  whether the mask of its input, if there is one, is that of its output
//   infer_scratch, backward_scratch(N, x_size)   elements of memory that those calls need
//   infer(y, given, N, x_size, scratch, states)  states (N, H) end to end
//   lay_out(layout, N, x_size)     takes places in the plan's buffer for what stays until backward
//   output(buffer)                 where forward writes
//   forward(buffer, given)
//   backward(buffer, scratch, given, dy, dx, fresh)    dy is overwritten; null dx: not wanted; fresh: what stands in
//                                                      the gradients of weights counts as zero
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "../dispatch.h"
#include "../parallel.h"

namespace recurra {

// Hands out places of one buffer, each at the start of a cache line.
template <typename T>
struct Layout {
  int64_t size = 0;

  int64_t take(int64_t count) {
    constexpr int64_t kLine = 64 / sizeof(T);
    const int64_t at = size;
    size += (count + kLine - 1) / kLine * kLine;
    return at;
  }
};

template <typename T>
struct Piece {
  T* begin;
  int64_t size;
};

// A state (rows, units) that a stateful layer goes on from and leaves off; null: of a layer that begins at zeros.
template <typename T>
struct KeptState {
  T* place;
  int64_t rows, units;
};

// What a layer is given: x, and which of its timesteps count (N, T), null: all.
template <typename T>
struct Given {
  const T* x;
  const bool* mask;
};

// The states of layers end to end, before a call and after it; null before: zeros. `kept`: those before are of layers
// that keep states, others begin at zeros. `odd`: of calls that go on where the one before ended, every second one.
template <typename T>
struct States {
  T* before = nullptr;
  T* after = nullptr;
  bool kept = false, odd = false;

  States behind(int64_t size) const { return {before ? before + size : nullptr, after + size, kept, odd}; }
};

template <typename T>
struct AnyLayer {
  int64_t state_size() const { return 0; }
  void list_states(std::vector<KeptState<T>>&) const {}
  void list_gradients(std::vector<Piece<T>>&) const {}
  bool has_gradients() const { return false; }
  int64_t mask_steps(int64_t) const { return 0; }
  void make_mask(bool*, const T*, int64_t, int64_t) const {}
  bool passes_mask() const { return true; }
  int64_t infer_scratch(int64_t, int64_t) const { return 0; }
  int64_t backward_scratch(int64_t, int64_t) const { return 0; }
};

// How many rows of D values an input of x_size values is.
inline int64_t parts_of(int64_t x_size, int64_t D) {
  if (D == 0 || x_size % D != 0) throw std::invalid_argument("a layer does not fit the size of its input");
  return x_size / D;
}

}  // namespace recurra
