// All that a target offers: a table of plain functions for float and one for double.
//
// Letters: N batch, T timesteps, D input features, H units. Arrays are C-contiguous; outputs come first.
#pragma once

#include <cstdint>
#include <limits>

#include "../parallel.h"

namespace recurra {

// Names of these in Python order: see ops/native.py. The first seven are what the sequence kernels know.
enum class Function : int {
  linear,
  tanh,
  sigmoid,
  hard_sigmoid,
  relu,
  elu,
  selu,
  softplus,
  softsign,
  silu,
  exponential,
  gelu,
  log,
  erf,
  expm1_nonpositive,
};
constexpr int kSequenceFunctions = 7;
constexpr int kDifferentiableFunctions = 12;
constexpr int kFunctions = 15;

// Names of these in Python order: see ops/native.py. Formulas: losses/.
enum class LossKind : int {
  squared,
  absolute,
  huber,
  pinball,
  binary_crossentropy,
  categorical_crossentropy,
  sparse_categorical_crossentropy,
};
constexpr int kLossKinds = 7;

// The sum over rows of value * weight, divided by `total`. A row's value is one for all its classes, else the mean over
// its elements.
template <typename T>
struct Loss {
  LossKind kind;
  double delta;  // of Huber's function
  bool from_logits;
  double label_smoothing, epsilon;  // of crossentropies
  const T* quantiles;               // of the pinball loss, for the elements of a row in turn
  int64_t size, columns;            // of y, and of a row of it: classes, quantiles
  T* dy;                            // or null
  const T* y;
  const T* target;   // of y's shape, but one for each row where there are quantiles or labels
  const T* weights;  // of rows, or null: ones
  double total;      // rows() for a mean

  bool has_labels() const { return kind == LossKind::sparse_categorical_crossentropy; }
  int64_t rows() const { return size / columns; }
  int64_t targets() const { return has_labels() || kind == LossKind::pinball ? rows() : size; }
};

// A recurrent layer and the sequences that it runs over; a backward run is given those of the forward one.
template <typename T>
struct Sequence {
  int64_t N, T_, D, H;
  Function activation, recurrent_activation;
  bool reset_after, go_backwards, zero_output_for_mask, return_sequences;
  const T* x;          // (N, T, D)
  const T* kernel;     // (D, G*H)
  const T* recurrent;  // (H, G*H)
  const bool* mask;    // (N, T) or null
  const T* dropout;    // (G, N, H): gate g sees h * dropout[g]; or null
};

// One recurrent layer over a whole sequence, forward.
//
// Gate blocks of `gates` hold the activated gates, and in GRU's fourth block what its backward pass needs besides:
// LSTM i f g o; GRU z r hh and (reset_after) h @ U_h + b or (not) r * h; SimpleRNN has none, h is enough.
template <typename T>
struct SequenceForward : Sequence<T> {
  T* y;              // (N, T, H) or (N, H)
  T* h;              // (N, H) final state
  T* c;              // (N, H) final cell state, LSTM only
  T* gates;          // (T, N, 4H) kept for backward, or null
  T* hs;             // (T + 1, N, H) states in the order computed, initial ones first; or null
  T* cs;             // (T + 1, N, H) likewise, LSTM only; or null
  const T* bias;     // (G*H), GRU with reset_after (2, 3H); or null
  const T* h0;       // (N, H) or null
  const T* c0;       // (N, H) or null
  bool odd;          // whether an odd number of steps went before, in calls that followed each other
  T* packed;         // memory for the weights as the kernel reads them, of packed_size(D, H, G); or null
  bool is_packed;    // they stand there since a call before
  bool for_one_row;  // with `packed`: whether they stand there as a pass over one row reads them
};

// Elements for packed weights on any target: units rounded up to the widest vector, and GRU's sums of biases.
constexpr int64_t packed_size(int64_t D, int64_t H, int64_t G) {
  constexpr int64_t kWidest = 16;
  return (D + H + 4) * G * ((H + kWidest - 1) / kWidest * kWidest) + 4 * kWidest;
}

// Its gradients.
template <typename T>
struct SequenceBackward : Sequence<T> {
  T* dx;         // (N, T, D) or null
  T* dh;         // (N, H) in: gradient of the final state; out: of the initial one
  T* dc;         // (N, H) likewise, LSTM only
  bool fresh;    // whether what stands in the gradients of weights counts as zero: they are written, not added to
  bool at_rest;  // whether the initial states were zeros whose gradient nobody asks for: dh and dc hold anything after
  T* dkernel;    // or null, as the next two
  T* drecurrent;
  T* dbias;
  const T* dy;     // shape of y, or null
  const T* gates;  // null for SimpleRNN
  const T* hs;
  const T* cs;
};

// out (M, N) = a (M, K) @ b (K, N) + bias (N) or + out; a and b may be stored transposed.
template <typename T>
struct Matmul {
  int64_t M, N, K;
  bool transpose_a, transpose_b, accumulate;
  T* out;
  const T* a;
  const T* b;
  const T* bias;  // or null
  int most_threads = kMaxThreads;
};

// y[n, t] = sum over j of x[n, t * stride + j * dilation] @ kernel[j] + bias, in each group by itself: features and
// filters are cut into as many parts as there are groups.
template <typename T>
struct Convolution {
  int64_t N, timesteps, D, steps, F;
  int64_t size, stride, dilation, groups;
  T* y;             // (N, steps, F)
  const T* x;       // (N, timesteps, D)
  const T* kernel;  // (size, D / groups, F)
  const T* bias;    // (F) or null

  double flops() const { return 2.0 * static_cast<double>(N * steps) * static_cast<double>(size * D / groups * F); }
};

// Names of these in Python order: see ops/native.py. Largest of a window: its gradient goes to the first, or to all
// alike.
enum class PoolKind : int { mean, first_max, shared_max };
constexpr int kPoolKinds = 3;

// Windows of `size` steps, `stride` apart; the first begins `before` steps ahead of x, and what is beyond x counts for
// none.
template <typename T>
struct Pooling {
  PoolKind kind;
  int64_t N, timesteps, D, steps;  // steps: windows
  int64_t size, stride, before;
};

// Of each row, for layer normalization, or of each column, for batch normalization. `inverse` and `standardized` are
// kept for the gradient, or null.
template <typename T>
struct Normalization {
  int64_t rows, columns;
  double epsilon;
  const T *gamma, *beta;  // (columns) or null
  T* inverse;             // (rows) or (columns): 1 / sqrt(variance + epsilon)
  T* standardized;        // (rows, columns)
};

// What all optimizers share: gradients are scaled and cut, and weights decay, before the formula sees them.
template <typename T>
struct Update {
  int64_t size;
  T* w;
  const T* g;
  T learning_rate;
  T factor = 1;                                  // of gradients
  T limit = std::numeric_limits<T>::infinity();  // to which they are cut after that
  T decay = 0;                                   // w -= w * decay * learning_rate
  int most_threads = kMaxThreads;
};

// Formulas: ops/reference/optimizers.py. Rates are 1 - beta, rounded once: 1 - float(0.999) is off by 1e-5.
template <typename T>
struct Adam : Update<T> {
  T *m, *v, *vhat;  // vhat or null
  T alpha, rate_1, rate_2, epsilon;
};

template <typename T>
struct RMSprop : Update<T> {
  T *v, *m, *average;  // m and average or null
  T rho, rate, momentum, epsilon;
};

template <typename T>
struct SGD : Update<T> {
  T* m;  // or null
  T momentum;
  bool nesterov;
};

template <typename T>
struct KernelsOf {
  void (*simple_rnn_forward)(const SequenceForward<T>&);
  void (*simple_rnn_backward)(const SequenceBackward<T>&);
  void (*lstm_forward)(const SequenceForward<T>&);
  void (*lstm_backward)(const SequenceBackward<T>&);
  void (*gru_forward)(const SequenceForward<T>&);
  void (*gru_backward)(const SequenceBackward<T>&);
  void (*matmul)(const Matmul<T>&);
  void (*convolve)(const Convolution<T>&);
  void (*convolve_gradient)(const Convolution<T>&, T* dkernel, const T* dy);  // adds to dkernel
  void (*pool)(const Pooling<T>&, T* y, const T* x);
  void (*pool_gradient)(const Pooling<T>&, T* dx, const T* dy, const T* x, const T* y);
  void (*map)(Function, T* y, const T* x, int64_t size);
  void (*map_gradient)(Function, T* dx, const T* dy, const T* x, const T* y, int64_t size);
  void (*softmax)(T* y, const T* x, int64_t rows, int64_t columns, bool logarithm);
  void (*softmax_gradient)(T* dx, const T* dy, const T* y, int64_t rows, int64_t columns, bool logarithm);
  void (*normalize)(const Normalization<T>&, T* y, const T* x);
  void (*normalize_gradient)(const Normalization<T>&, T* dx, T* dgamma, T* dbeta, const T* dy);  // any may be null
  // `of_batch`: mean and variance (columns) are those of x, and are written; else they are read.
  void (*normalize_columns)(const Normalization<T>&, T* y, T* mean, T* variance, const T* x, bool of_batch);
  void (*normalize_columns_gradient)(const Normalization<T>&, T* dx, T* dgamma, T* dbeta, const T* dy, bool of_batch);
  void (*adam)(const Adam<T>&);
  void (*rmsprop)(const RMSprop<T>&);
  void (*sgd)(const SGD<T>&);
  double (*sum_of_squares)(const T* x, int64_t size);
  double (*loss)(const Loss<T>&);
};

struct Kernels {
  const char* name;
  int float32_lanes;
  bool hardware_fma;
  KernelsOf<float> of_float;
  KernelsOf<double> of_double;

  template <typename T>
  const KernelsOf<T>& of() const {
    if constexpr (sizeof(T) == sizeof(float))
      return of_float;
    else
      return of_double;
  }
};

}  // namespace recurra
