// The layers of a plan, bound to their weights.
//
// A value between two layers is N rows of some length: (timesteps, features), (features) or any other shape, end to
// end. A layer knows its features, so the length says the timesteps. Reshaping costs nothing and needs no layer here.
//
// Every kind of layer has the same functions, those of `AnyLayer` where they need none of their own. x_size and y_size
// are elements per row of the batch.
//   output_size(x_size)            y_size; throws std::invalid_argument where the input does not fit
//   state_size()                   of its states per row, h before c
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
//   the
//                                                      gradients of weights counts as zero
#pragma once

#include <cstdint>
#include <vector>

#include "dispatch.h"
#include "parallel.h"

namespace recurra {

enum class Cell { simple_rnn, lstm, gru };
enum class Merge { concat, sum, multiply, average };

inline int64_t gates_of(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }

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

// What a layer is given: x, and which of its timesteps count (N, T), null: all.
template <typename T>
struct Given {
  const T* x;
  const bool* mask;
};

// The states of layers end to end, before a call and after it; null before: zeros. `odd`: of calls that go on where the
// one before ended, every second one.
template <typename T>
struct States {
  const T* before = nullptr;
  T* after = nullptr;
  bool odd = false;

  States behind(int64_t size) const { return {before ? before + size : nullptr, after + size, odd}; }
};

template <typename T>
struct AnyLayer {
  int64_t state_size() const { return 0; }
  void list_gradients(std::vector<Piece<T>>&) const {}
  bool has_gradients() const { return false; }
  int64_t mask_steps(int64_t) const { return 0; }
  void make_mask(bool*, const T*, int64_t, int64_t) const {}
  bool passes_mask() const { return true; }
  int64_t infer_scratch(int64_t, int64_t) const { return 0; }
  int64_t backward_scratch(int64_t, int64_t) const { return 0; }
};

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
  T *own_h, *own_c;                 // of a stateful layer: where training goes on from and leaves off; or null
  int64_t own_rows;                 // theirs
  Dropout<T> dropout;

  int64_t output_size(int64_t x_size) const;
  int64_t state_size() const { return (cell == Cell::lstm ? 2 : 1) * settings.H; }
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
  void thin_inputs(T* thin, const T* x) const;
  void thin_gradient(T* dx, const T* of_thin) const;
};

// Two recurrent layers on the same input, the second backwards; sequences of the second are turned round.
template <typename T>
struct BidirectionalLayer : AnyLayer<T> {
  RecurrentLayer<T> ahead, back;
  Merge merge;

  int64_t output_size(int64_t x_size) const;
  int64_t state_size() const { return ahead.state_size() + back.state_size(); }
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

// y = function(x @ kernel + bias). Without a kernel the function alone; `softmax` takes the place of the function.
template <typename T>
struct DenseLayer : AnyLayer<T> {
  int64_t D, units;
  Function function;
  bool softmax;
  const T *kernel, *bias;
  T *dkernel, *dbias;  // or null

  int64_t output_size(int64_t x_size) const;
  double flops(int64_t x_size) const;
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dkernel || dbias; }
  int64_t backward_scratch(int64_t N, int64_t x_size) const { return N * (x_size / D); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t rows, y, product;  // the product has a place of its own where backward needs it
};

// y = x * factors, which are set before each forward run: what dropout draws. For training alone.
template <typename T>
struct FactorsLayer : AnyLayer<T> {
  const T* factors = nullptr;
  int64_t size = 0;  // of factors

  int64_t output_size(int64_t x_size) const { return x_size; }
  double flops(int64_t x_size) const { return static_cast<double>(x_size); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t elements, y;
};

// Rows of a table (rows, units) by their numbers, which are whole, from 0 on and below `rows`. With `mask_zero` the
// timesteps of number 0 do not count. Numbers have no gradient.
template <typename T>
struct EmbeddingLayer : AnyLayer<T> {
  int64_t rows, units;
  bool mask_zero;
  const T* table;
  T* dtable;  // or null

  int64_t output_size(int64_t x_size) const { return x_size * units; }
  double flops(int64_t x_size) const { return static_cast<double>(output_size(x_size)); }
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dtable; }
  int64_t mask_steps(int64_t x_size) const { return mask_zero ? x_size : 0; }
  void make_mask(bool* mask, const T* x, int64_t N, int64_t x_size) const;
  int64_t backward_scratch(int64_t N, int64_t x_size) const { return N * output_size(x_size); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;
  // For averages v of squared gradients: adds to each row that was used factor * (its parts, squared and summed, less
  // its gradient's square), as Optimizer._add_sparse_squares does. `slots` (rows): zeros before and after.
  void add_squares(T* v, T* scratch, std::vector<int32_t>& slots, const T* x, const T* dy, T factor) const;

  int64_t count, y;  // numbers of a batch
};

// Timesteps whose features all are `value` do not count, and become zeros.
template <typename T>
struct MaskingLayer : AnyLayer<T> {
  int64_t D;
  T value;

  int64_t output_size(int64_t x_size) const { return x_size; }
  double flops(int64_t x_size) const { return static_cast<double>(x_size); }
  int64_t mask_steps(int64_t x_size) const { return x_size / D; }
  void make_mask(bool* mask, const T* x, int64_t N, int64_t x_size) const;
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t steps, y;  // of all rows
};

// Each step's features brought to mean 0 and variance 1, scaled and moved.
template <typename T>
struct NormalizationLayer : AnyLayer<T> {
  Normalization<T> settings;
  T *dgamma, *dbeta;  // or null

  int64_t output_size(int64_t x_size) const { return x_size; }
  double flops(int64_t x_size) const { return 20.0 * static_cast<double>(x_size); }
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dgamma || dbeta; }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t rows, y, standardized, inverse;
};

// The same for each feature over all rows of the batch in training, with stored moments else.
template <typename T>
struct BatchNormalizationLayer : AnyLayer<T> {
  Normalization<T> settings;
  T *dgamma, *dbeta;  // or null
  T *mean, *variance;
  bool of_batch;    // whether `forward` takes the moments of the batch and moves the stored ones towards them,
  double momentum;  // of which they keep this share

  int64_t output_size(int64_t x_size) const { return x_size; }
  double flops(int64_t x_size) const { return 20.0 * static_cast<double>(x_size); }
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dgamma || dbeta; }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t rows, y, standardized, inverse, moments;

 private:
  Normalization<T> placed(T* buffer) const;
};

enum class Padding { valid, same, causal };

// Zeros before and after so many steps, for windows of `span`, `stride` apart; and how many windows there are then.
struct Windows {
  int64_t before, after, count;
};
Windows windows_of(Padding padding, int64_t timesteps, int64_t span, int64_t stride);

// y = function(convolution of x with the kernel + bias): `settings` holds sizes, stride, dilation, groups and weights.
template <typename T>
struct ConvolutionLayer : AnyLayer<T> {
  Convolution<T> settings;
  Padding padding;
  Function function;
  T *dkernel, *dbias;  // or null

  int64_t output_size(int64_t x_size) const { return placed(1, x_size).steps * settings.F; }
  double flops(int64_t x_size) const { return placed(1, x_size).flops(); }
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dkernel || dbias; }
  int64_t infer_scratch(int64_t N, int64_t x_size) const { return padded_size(placed(N, x_size), x_size); }
  int64_t backward_scratch(int64_t N, int64_t x_size) const;
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t N, x_size, y, product, padded;

 private:
  int64_t span() const { return settings.dilation * (settings.size - 1) + 1; }
  // The convolution of N rows, padded; without x and y.
  Convolution<T> placed(int64_t rows, int64_t elements) const;
  int64_t padded_size(const Convolution<T>& s, int64_t elements) const;
  void run(const Convolution<T>& s, T* y, T* product, T* padded, const T* x, int64_t elements) const;
  void input_gradient(const Convolution<T>& s, T* dx, T* scratch, const T* dz) const;
};

// One value of each feature for windows of time steps, or for all of them together.
template <typename T>
struct PoolingLayer : AnyLayer<T> {
  PoolKind kind;
  int64_t D, size, stride;  // size 0: all steps
  Padding padding;

  int64_t output_size(int64_t x_size) const { return placed(1, x_size).steps * D; }
  double flops(int64_t x_size) const { return 4.0 * static_cast<double>(x_size); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t N, x_size, y;

 private:
  Pooling<T> placed(int64_t rows, int64_t elements) const;
};

// Each row n times over.
template <typename T>
struct RepeatLayer : AnyLayer<T> {
  int64_t n;

  int64_t output_size(int64_t x_size) const { return n * x_size; }
  double flops(int64_t x_size) const { return static_cast<double>(output_size(x_size)); }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t N, features, y;
};

}  // namespace recurra
