// A line of layers bound to their weights, so that one call runs them all.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "layers/convolution.h"
#include "layers/dense.h"
#include "layers/embedding.h"
#include "layers/factors.h"
#include "layers/masking.h"
#include "layers/normalization.h"
#include "layers/pooling.h"
#include "layers/recurrent.h"
#include "layers/repeat.h"
#include "layers/scaling.h"
#include "update.h"

namespace recurra {

// To which length gradients are shortened, before they update the weights: those of each variable, of so many elements,
// or all together; 0: not at all.
struct Clip {
  double norm = 0, global_norm = 0;
  std::vector<int64_t> sizes;
};

// What an optimizer does with the gradients.
template <typename T>
struct Optimizer {
  Formula<T> formula;  // over all weights
  Clip clip;
  double squares;  // what an Embedding adds to the averages of squares, see add_squares; 0: nothing
};

// One training step: what it reads and changes besides the plan's layers.
template <typename T>
struct TrainStep {
  int64_t N, x_size;
  T* y;                           // the result, or null
  const T* x;                     // (N, x_size)
  Loss<T> loss;                   // with its target
  T* grads;                       // of all weights, end to end
  int64_t size;                   // theirs
  bool fresh;                     // whether the plan writes all of them (see writes_all): they need not be zeroed
  const Optimizer<T>* optimizer;  // or null: gradients are all that is wanted
};

template <typename T>
class Plan {
 public:
  using Layer = std::variant<RecurrentLayer<T>, BidirectionalLayer<T>, DenseLayer<T>, FactorsLayer<T>,
                             EmbeddingLayer<T>, MaskingLayer<T>, RepeatLayer<T>, NormalizationLayer<T>,
                             BatchNormalizationLayer<T>, ConvolutionLayer<T>, PoolingLayer<T>, ScalingLayer<T>>;

  void add(const Layer& layer) {
    layers_.push_back(layer);
    std::visit([this](const auto& l) { l.list_states(states_); }, layer);
  }
  // For the next forward run, of the layer with factors that was added as number `index` of them. They must stay where
  // they are until backward.
  void set_factors(int64_t index, const T* factors, int64_t size);
  // The recurrent layer that was added as number `index` of them; each of two directions counts.
  RecurrentLayer<T>& recurrent(int64_t index);

  int64_t output_size(int64_t x_size) const;
  int64_t state_size() const;
  double flops(int64_t N, int64_t x_size) const;
  // Elements of memory that `infer` needs beside its arguments.
  int64_t memory_size(int64_t N, int64_t x_size) const;

  // The states that stateful layers keep from run to run, copied to where `infer` begins at and from where it ends: N
  // rows of states of all layers, end to end.
  bool keeps_states() const;
  void load_states(T* to, int64_t N) const;
  void store_states(const T* from, int64_t N) const;

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
  // Forward, loss, backward and, where there is an optimizer, update. Returns the loss.
  double train(const TrainStep<T>& s);

  // Of the last forward run: elements of its result, and its cost.
  int64_t result_size() const { return N_ * output_size(x_size_); }
  double last_flops() const { return flops(N_, x_size_); }

 private:
  void lay_out(int64_t N, int64_t x_size);
  void add_squares(const TrainStep<T>& s);
  void update_weights(const TrainStep<T>& s);
  T* result_gradient() const { return buffer_ + gradient_[0]; }
  void backward(bool fresh);  // from `result_gradient`, which is overwritten

  std::vector<Layer> layers_;
  std::vector<KeptState<T>> states_;  // of all layers
  Scratch packed_;                    // weights, where `pack` was called
  Scratch memory_;                    // what is kept, gradients between layers, scratch:
  T* buffer_ = nullptr;               // 64-byte aligned, as all places in it are
  int64_t N_ = 0, x_size_ = 0;
  const T* x_ = nullptr;              // of the last forward run, null after its backward run
  std::vector<const bool*> masks_;    // of what each layer was given, in that run
  std::vector<int64_t> mask_places_;  // of those that layers make
  std::vector<int32_t> slots_;        // of add_squares
  int64_t gradient_[2] = {};  // gradients between layers take turns: that of layer i lies in place (last - i) % 2
  int64_t scratch_ = 0;
};

}  // namespace recurra
