// Recurrent layers, one and two of them on one input.
#pragma once

#include "layer.h"

namespace recurra {

// Names of these in Python order: see ops/plan.py.
enum class Cell { simple_rnn, lstm, gru };
constexpr int kCells = 3;

inline int64_t gates_of(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }

// What dropout multiplies in training: set before each forward run, and kept until backward.
template <typename T>
struct Dropout {
  int64_t input_masks = 0;  // how many there are of the input: none, one, or one for each gate
  bool has_state_masks = false;
  int64_t N = 0;
  const T* inputs = nullptr;  // (input_masks, N, D), the same at each timestep; or null
  const T* states = nullptr;  // (G, N, H) or null
};

// `settings` holds what does not change from call to call: sizes, options and weights.
template <typename T>
struct RecurrentLayer : AnyLayer<T> {
  Cell cell;
  SequenceForward<T> settings;
  T *dkernel, *drecurrent, *dbias;  // or null
  T *own_h, *own_c;                 // of a stateful layer: where each run goes on from and leaves off; or null
  int64_t own_rows;                 // theirs
  Dropout<T> dropout;

  int64_t output_size(int64_t x_size) const;
  int64_t state_size() const { return (cell == Cell::lstm ? 2 : 1) * settings.H; }
  void list_states(std::vector<KeptState<T>>& kept) const;
  double flops(int64_t x_size) const;
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  // Packs the weights to a place of `weights_size` elements, once for all calls of `infer` to come.
  int64_t weights_size() const { return packed_size(settings.D, settings.H, gates_of(cell)); }
  void pack(T* place, bool for_one_row);
  bool has_gradients() const { return dkernel || drecurrent || dbias; }
  bool passes_mask() const { return settings.return_sequences; }
  int64_t backward_scratch(int64_t N, int64_t x_size) const {
    return 2 * N * settings.H + (gate_inputs() ? N * x_size * gates_of(cell) + wide_kernel_size() : 0);
  }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, const T* dy, T* dx, bool fresh) const;

  // Of the last lay_out.
  int64_t N, timesteps;
  int64_t y, h, c, gates, hs, cs, thinned, wide_kernel;

 private:
  // Whether each gate has an input of its own. They lie side by side then, (N, T, G*D), and their kernels in the
  // diagonal of one of zeros, (G*D, G*H).
  bool gate_inputs() const { return dropout.input_masks > 1; }
  int64_t wide_kernel_size() const { return gates_of(cell) * settings.D * gates_of(cell) * settings.H; }
  void widen_kernel(T* wide) const;
  void add_kernel_gradient(const T* wide, bool fresh) const;
  template <typename F>
  void for_masks(F f) const;
  void thin_inputs(T* thin, const T* x) const;
  void thin_gradient(T* dx, const T* of_thin) const;
};

// Names of these in Python order: see ops/plan.py.
enum class Merge { concat, sum, multiply, average };
constexpr int kMerges = 4;

// Two recurrent layers on the same input, the second backwards; sequences of the second are turned round.
template <typename T>
struct BidirectionalLayer : AnyLayer<T> {
  RecurrentLayer<T> ahead, back;
  Merge merge;

  int64_t output_size(int64_t x_size) const;
  int64_t state_size() const { return ahead.state_size() + back.state_size(); }
  void list_states(std::vector<KeptState<T>>& kept) const;
  double flops(int64_t x_size) const { return ahead.flops(x_size) + back.flops(x_size); }
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return ahead.has_gradients() || back.has_gradients(); }
  bool passes_mask() const { return ahead.passes_mask(); }
  int64_t infer_scratch(int64_t N, int64_t x_size) const;
  int64_t backward_scratch(int64_t N, int64_t x_size) const;
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, const T* dy, T* dx, bool fresh) const;

  int64_t y, x_elements;
};

}  // namespace recurra
