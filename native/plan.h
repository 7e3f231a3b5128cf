// A line of layers bound to their weights, so that one call runs them all.
//
// A value between two layers is N rows of some length: (timesteps, features), (features) or any other shape, end to
// end. A layer knows its features, so the length says the timesteps. Reshaping costs nothing and needs no layer here.
//
// Every kind of layer has the same functions. x_size and y_size are elements per row of the batch.
//   output_size(x_size)            y_size; throws std::invalid_argument where the input does not fit
//   state_size()                   of its states per row, h before c
//   flops(x_size)                  per row, about
//   list_gradients(pieces)         where those of its weights are that are trained
//   has_gradients()                whether there are any
//   infer_scratch, backward_scratch(N, x_size)   elements of memory that those calls need
//   infer(y, x, N, x_size, scratch, before, after)     states (N, H) end to end; null before: zeros
//   lay_out(layout, N, x_size)     takes places in the plan's buffer for what stays until backward
//   output(buffer)                 where forward writes
//   forward(buffer, x)
//   backward(buffer, scratch, x, dy, dx, fresh)    dy is overwritten; null dx: not wanted; fresh: what stands in the
//                                                  gradients of weights counts as zero
#pragma once

#include <cstdint>
#include <variant>
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

// The states of layers end to end, before a call and after it; null before: zeros. `odd`: of calls that go on where the
// one before ended, every second one.
template <typename T>
struct States {
  const T* before = nullptr;
  T* after = nullptr;
  bool odd = false;

  States behind(int64_t size) const { return {before ? before + size : nullptr, after + size, odd}; }
};

// `settings` holds what does not change from call to call: sizes, options and weights.
template <typename T>
struct RecurrentLayer {
  Cell cell;
  SequenceForward<T> settings;
  T *dkernel, *drecurrent, *dbias;  // or null

  int64_t output_size(int64_t x_size) const;
  int64_t state_size() const { return (cell == Cell::lstm ? 2 : 1) * settings.H; }
  double flops(int64_t x_size) const;
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dkernel || drecurrent || dbias; }
  int64_t infer_scratch(int64_t, int64_t) const { return 0; }
  int64_t backward_scratch(int64_t N, int64_t) const { return 2 * N * settings.H; }
  void infer(T* y, const T* x, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, const T* x) const;
  void backward(T* buffer, T* scratch, const T* x, const T* dy, T* dx, bool fresh) const;

  // Of the last lay_out.
  int64_t N, timesteps;
  int64_t y, h, c, gates, hs, cs;
};

// Two recurrent layers on the same input, the second backwards; sequences of the second are turned round.
template <typename T>
struct BidirectionalLayer {
  RecurrentLayer<T> ahead, back;
  Merge merge;

  int64_t output_size(int64_t x_size) const;
  int64_t state_size() const { return ahead.state_size() + back.state_size(); }
  double flops(int64_t x_size) const { return ahead.flops(x_size) + back.flops(x_size); }
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return ahead.has_gradients() || back.has_gradients(); }
  int64_t infer_scratch(int64_t N, int64_t x_size) const;
  int64_t backward_scratch(int64_t N, int64_t x_size) const;
  void infer(T* y, const T* x, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, const T* x) const;
  void backward(T* buffer, T* scratch, const T* x, const T* dy, T* dx, bool fresh) const;

  int64_t y, x_elements;
};

// y = function(x @ kernel + bias). Without a kernel the function alone; `softmax` takes the place of the function.
template <typename T>
struct DenseLayer {
  int64_t D, units;
  Function function;
  bool softmax;
  const T *kernel, *bias;
  T *dkernel, *dbias;  // or null

  int64_t output_size(int64_t x_size) const;
  int64_t state_size() const { return 0; }
  double flops(int64_t x_size) const;
  void list_gradients(std::vector<Piece<T>>& pieces) const;
  bool has_gradients() const { return dkernel || dbias; }
  int64_t infer_scratch(int64_t, int64_t) const { return 0; }
  int64_t backward_scratch(int64_t N, int64_t x_size) const { return N * (x_size / D); }
  void infer(T* y, const T* x, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, const T* x) const;
  void backward(T* buffer, T* scratch, const T* x, T* dy, T* dx, bool fresh) const;

  int64_t rows, y, product;  // the product has a place of its own where backward needs it
};

// y = x * factors, which are set before each forward run: what dropout draws. For training alone.
template <typename T>
struct FactorsLayer {
  const T* factors = nullptr;
  int64_t size = 0;  // of factors

  int64_t output_size(int64_t x_size) const { return x_size; }
  int64_t state_size() const { return 0; }
  double flops(int64_t x_size) const { return static_cast<double>(x_size); }
  void list_gradients(std::vector<Piece<T>>&) const {}
  bool has_gradients() const { return false; }
  int64_t infer_scratch(int64_t, int64_t) const { return 0; }
  int64_t backward_scratch(int64_t, int64_t) const { return 0; }
  void infer(T* y, const T* x, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, const T* x) const;
  void backward(T* buffer, T* scratch, const T* x, T* dy, T* dx, bool fresh) const;

  int64_t elements, y;
};

// To which length gradients are shortened, before they update the weights: those of each variable, of so many elements,
// or all together; 0: not at all.
struct Clip {
  double norm = 0, global_norm = 0;
  std::vector<int64_t> sizes;
};

// One training step: what it reads and changes besides the plan's layers.
template <typename T>
struct TrainStep {
  int64_t N, x_size;
  T* y;            // the result, or null
  const T* x;      // (N, x_size)
  Loss<T> loss;    // with its target
  T* grads;        // of all weights, end to end
  bool fresh;      // whether the plan writes all of them (see writes_all): they need not be zeroed
  Adam<T> update;  // of all weights by these gradients
  Clip clip;
};

template <typename T>
class Plan {
 public:
  using Layer = std::variant<RecurrentLayer<T>, BidirectionalLayer<T>, DenseLayer<T>, FactorsLayer<T>>;

  void add(const Layer& layer) { layers_.push_back(layer); }
  // For the next forward run, of the layer with factors that was added as number `index` of them. They must stay where
  // they are until backward.
  void set_factors(int64_t index, const T* factors, int64_t size);

  int64_t output_size(int64_t x_size) const;
  int64_t state_size() const;
  double flops(int64_t N, int64_t x_size) const;
  // Elements of memory that `infer` needs beside its arguments.
  int64_t memory_size(int64_t N, int64_t x_size) const;

  // y = the layers on x (N, x_size). Any thread may call it at any time, with memory of its own. No states after: they
  // are not wanted.
  void infer(T* y, const T* x, int64_t N, int64_t x_size, T* memory, States<T> states) const;

  // Packs the weights once for all calls of `infer` to come, of N rows each: they must not change any more.
  void pack(int64_t N);

  // The same, keeping what `backward` needs; x must stay where it is until then. Training is for one thread. y may be
  // null; the result is there as well where the returned pointer says, until the next run.
  const T* forward(T* y, const T* x, int64_t N, int64_t x_size);
  // Adds the gradients of all weights to theirs, from dy of the shape of y. Once after each `forward`.
  void backward(const T* dy);
  // Whether the gradients of the layers are just these, each once.
  bool writes_all(const T* grads, int64_t size) const;
  // Forward, loss, backward and update. Returns the loss.
  double train(const TrainStep<T>& s);

  // Of the last forward run: elements of its result, and its cost.
  int64_t result_size() const { return N_ * output_size(x_size_); }
  double last_flops() const { return flops(N_, x_size_); }

 private:
  void lay_out(int64_t N, int64_t x_size);
  T* result_gradient() const { return buffer_ + gradient_[0]; }
  void backward(bool fresh);  // from `result_gradient`, which is overwritten

  std::vector<Layer> layers_;
  Scratch packed_;       // weights, where `pack` was called
  Scratch memory_;       // what is kept, gradients between layers, scratch:
  T* buffer_ = nullptr;  // 64-byte aligned, as all places in it are
  int64_t N_ = 0, x_size_ = 0;
  const T* x_ = nullptr;      // of the last forward run, null after its backward run
  int64_t gradient_[2] = {};  // gradients between layers take turns: that of layer i lies in place (last - i) % 2
  int64_t scratch_ = 0;
};

}  // namespace recurra
