// Plans and streams as Python objects. They hold bare pointers into arrays: their owners in Python keep those alive.
#include <nanobind/stl/vector.h>

#include <limits>
#include <numeric>

#include "arrays.h"
#include "bindings.h"
#include "plan.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace recurra {
namespace {

template <typename T>
int64_t row_size(const Input<T>& x) {
  require(x.ndim() >= 1 && x.size() > 0, "x must have rows");
  return x.size() / x.shape(0);
}

template <typename T>
RecurrentLayer<T> recurrent_layer(int cell, Input<T> kernel, Input<T> recurrent, Maybe<const T> bias, Maybe<T> dkernel,
                                  Maybe<T> drecurrent, Maybe<T> dbias, Maybe<T> own_h, Maybe<T> own_c, int activation,
                                  int recurrent_activation, bool reset_after, bool go_backwards,
                                  bool zero_output_for_mask, bool return_sequences, int64_t input_masks,
                                  bool has_state_masks) {
  RecurrentLayer<T> layer{};
  require(cell >= 0 && cell < kCells, "not a cell");
  layer.cell = static_cast<Cell>(cell);
  require(kernel.ndim() == 2 && recurrent.ndim() == 2, "weights must have two axes");
  SequenceForward<T>& s = layer.settings;
  static_cast<Sequence<T>&>(s) = sequence_options<T>(activation, recurrent_activation, reset_after, go_backwards,
                                                     zero_output_for_mask, return_sequences);
  s.D = kernel.shape(0), s.H = recurrent.shape(0);
  const int64_t D = s.D, H = s.H, width = gates_of(layer.cell) * H;
  s.kernel = data(kernel, {D, width}, "kernel must be (D, G*H)");
  s.recurrent = data(recurrent, {H, width}, "recurrent_kernel must be (H, G*H)");
  s.bias = bias_data(bias, layer.cell, s.reset_after, H);
  layer.dkernel = data(dkernel, {D, width}, "dkernel must be (D, G*H)");
  layer.drecurrent = data(drecurrent, {H, width}, "drecurrent_kernel must be (H, G*H)");
  layer.dbias = bias_data(dbias, layer.cell, s.reset_after, H);
  layer.own_rows = own_h ? own_h->shape(0) : 0;
  layer.own_h = data(own_h, {layer.own_rows, H}, "h must be (N, H)");
  layer.own_c = data(own_c, {layer.own_rows, H}, "c must be (N, H)");
  require(!own_h || (layer.cell == Cell::lstm) == bool(own_c), "an LSTM has h and c, others h alone");
  require(input_masks == 0 || input_masks == 1 || input_masks == gates_of(layer.cell),
          "masks of inputs must be none, one, or one for each gate");
  layer.dropout.input_masks = input_masks, layer.dropout.has_state_masks = has_state_masks;
  return layer;
}

template <typename T>
void set_dropout(Plan<T>& plan, int64_t index, int64_t N, Maybe<const T> inputs, Maybe<const T> states) {
  RecurrentLayer<T>& layer = plan.recurrent(index);
  Dropout<T>& dropout = layer.dropout;
  const int64_t D = layer.settings.D, H = layer.settings.H, masks = dropout.input_masks;
  require((masks > 0) == bool(inputs) && dropout.has_state_masks == bool(states), "not what the layer drops");
  dropout.inputs = data(inputs, {masks, N, D}, "inputs must be (masks, N, D)");
  dropout.states = data(states, {gates_of(layer.cell), N, H}, "states must be (G, N, H)");
  dropout.N = N;
}

template <typename T>
void add_bidirectional(Plan<T>& plan, const RecurrentLayer<T>& ahead, const RecurrentLayer<T>& back, int merge) {
  const SequenceForward<T>&a = ahead.settings, &b = back.settings;
  require(merge >= 0 && merge < kMerges, "not a way to merge");
  require(a.D == b.D && a.return_sequences == b.return_sequences, "both directions must have one input and output");
  require(merge == 0 || a.H == b.H, "both directions must have the same units");
  BidirectionalLayer<T> layer{};
  layer.ahead = ahead, layer.back = back, layer.merge = static_cast<Merge>(merge);
  plan.add(layer);
}

template <typename T>
void add_dense(Plan<T>& plan, int64_t features, int64_t units, Maybe<const T> kernel, Maybe<const T> bias,
               Maybe<T> dkernel, Maybe<T> dbias, int function, bool softmax) {
  require(function >= 0 && function < kDifferentiableFunctions, "not a function with a gradient");
  require(features > 0 && units > 0 && (kernel || features == units), "features and units must be positive");
  DenseLayer<T> layer{};
  layer.D = features, layer.units = units;
  layer.function = static_cast<Function>(function), layer.softmax = softmax;
  layer.kernel = data(kernel, {features, units}, "kernel must be (features, units)");
  layer.bias = data(bias, {units}, "bias must be (units)");
  layer.dkernel = data(dkernel, {features, units}, "dkernel must be (features, units)");
  layer.dbias = data(dbias, {units}, "dbias must be (units)");
  plan.add(layer);
}

template <typename T>
void add_embedding(Plan<T>& plan, Input<T> table, Maybe<T> dtable, bool mask_zero) {
  require(table.ndim() == 2, "table must be (rows, units)");
  EmbeddingLayer<T> layer{};
  layer.rows = table.shape(0), layer.units = table.shape(1), layer.mask_zero = mask_zero;
  layer.table = table.data();
  layer.dtable = data(dtable, {layer.rows, layer.units}, "dtable must be (rows, units)");
  plan.add(layer);
}

template <typename T>
void add_masking(Plan<T>& plan, int64_t features, double value) {
  require(features > 0, "features must be positive");
  MaskingLayer<T> layer{};
  layer.D = features, layer.value = static_cast<T>(value);
  plan.add(layer);
}

// What both kinds of normalization share.
template <typename T>
void set_normalization(AnyNormalization<T>& layer, int64_t features, double epsilon, const Maybe<const T>& gamma,
                       const Maybe<const T>& beta, const Maybe<T>& dgamma, const Maybe<T>& dbeta) {
  require(features > 0, "features must be positive");
  layer.settings.columns = features, layer.settings.epsilon = epsilon;
  layer.settings.gamma = data(gamma, {features}, "gamma must be (features)");
  layer.settings.beta = data(beta, {features}, "beta must be (features)");
  layer.dgamma = data(dgamma, {features}, "dgamma must be (features)");
  layer.dbeta = data(dbeta, {features}, "dbeta must be (features)");
}

template <typename T>
void add_normalization(Plan<T>& plan, int64_t features, double epsilon, Maybe<const T> gamma, Maybe<const T> beta,
                       Maybe<T> dgamma, Maybe<T> dbeta) {
  NormalizationLayer<T> layer{};
  set_normalization<T>(layer, features, epsilon, gamma, beta, dgamma, dbeta);
  plan.add(layer);
}

template <typename T>
void add_batch_normalization(Plan<T>& plan, int64_t features, double epsilon, double momentum, bool of_batch,
                             Maybe<const T> gamma, Maybe<const T> beta, Array<T> mean, Array<T> variance,
                             Maybe<T> dgamma, Maybe<T> dbeta) {
  BatchNormalizationLayer<T> layer{};
  set_normalization<T>(layer, features, epsilon, gamma, beta, dgamma, dbeta);
  layer.momentum = momentum, layer.of_batch = of_batch;
  layer.mean = data(mean, {features}, "mean must be (features)");
  layer.variance = data(variance, {features}, "variance must be (features)");
  plan.add(layer);
}

template <typename T>
void add_convolution(Plan<T>& plan, Input<T> kernel, Maybe<const T> bias, Maybe<T> dkernel, Maybe<T> dbias,
                     int64_t features, int64_t stride, int64_t dilation, int padding, int function) {
  require(kernel.ndim() == 3, "kernel must be (size, features of a group, F)");
  require(function >= 0 && function < kDifferentiableFunctions, "not a function with a gradient");
  require(stride > 0 && dilation > 0 && padding >= 0 && padding < kPaddings, "not a way to convolve");
  ConvolutionLayer<T> layer{};
  Convolution<T>& s = layer.settings;
  s.size = kernel.shape(0), s.D = features, s.F = kernel.shape(2);
  require(s.size > 0 && kernel.shape(1) > 0 && features % kernel.shape(1) == 0, "features must fit the kernel");
  s.groups = features / kernel.shape(1), s.stride = stride, s.dilation = dilation;
  s.kernel = kernel.data(), s.bias = data(bias, {s.F}, "bias must be (F)");
  layer.dkernel = data(dkernel, {s.size, kernel.shape(1), s.F}, "dkernel must have the shape of kernel");
  layer.dbias = data(dbias, {s.F}, "dbias must be (F)");
  layer.padding = static_cast<Padding>(padding), layer.function = static_cast<Function>(function);
  plan.add(layer);
}

template <typename T>
void add_pooling(Plan<T>& plan, int kind, int64_t features, int64_t size, int64_t stride, int padding) {
  require(kind >= 0 && kind < kPoolKinds, "not a way to pool");
  require(features > 0 && size >= 0 && stride > 0, "sizes must be positive");
  require(padding >= 0 && static_cast<Padding>(padding) < Padding::causal, "not a padding of pooling");
  PoolingLayer<T> layer{};
  layer.kind = static_cast<PoolKind>(kind), layer.D = features, layer.size = size, layer.stride = stride;
  layer.padding = static_cast<Padding>(padding);
  plan.add(layer);
}

template <typename T>
void add_repeat(Plan<T>& plan, int64_t n, int64_t features) {
  require(n > 0 && features >= 0, "n must be positive");
  RepeatLayer<T> layer{};
  layer.n = n, layer.D = features;
  plan.add(layer);
}

template <typename T>
void add_scaling(Plan<T>& plan, int64_t features, Input<T> shift, Maybe<const T> factor, Maybe<const T> variance,
                 double epsilon, bool back) {
  require(features > 0 && bool(factor) != bool(variance), "features must have factors or variances");
  ScalingLayer<T> layer{};
  layer.D = features, layer.epsilon = static_cast<T>(epsilon), layer.back = back;
  layer.shift = data(shift, {features}, "shift must be (features)");
  layer.factor = data(factor, {features}, "factor must be (features)");
  layer.variance = data(variance, {features}, "variance must be (features)");
  plan.add(layer);
}

// States that layers keep are copied under Python's lock: threads that call at once see those before a call or after
// it.
template <typename T>
void infer(const Plan<T>& plan, Array<T> y, Input<T> x) {
  thread_local Scratch memory;
  const int64_t size = row_size(x), N = x.shape(0);
  require(y.size() == N * plan.output_size(size), "y must have the size of the result");
  const int64_t needed = plan.memory_size(N, size), kept = plan.keeps_states() ? N * plan.state_size() : 0;
  T* place = static_cast<T*>(memory.get(static_cast<size_t>(needed + 2 * kept) * sizeof(T)));
  States<T> states;
  if (kept > 0) {
    states.before = place + needed, states.after = states.before + kept, states.kept = true;
    plan.load_states(states.before, N);
  }
  compute(plan.flops(N, size), [&] { plan.infer(y.data(), x.data(), N, size, place, states); });
  if (kept == 0) return;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();  // Ctrl-C leaves the states before the call
  plan.store_states(states.after, N);
}

template <typename T>
void forward(Plan<T>& plan, Array<T> y, Input<T> x) {
  const int64_t size = row_size(x), N = x.shape(0);
  require(y.size() == N * plan.output_size(size), "y must have the size of the result");
  compute(plan.flops(N, size), [&] { plan.forward(y.data(), x.data(), N, size); });
}

template <typename T>
void backward(Plan<T>& plan, Input<T> dy) {
  require(dy.size() == plan.result_size(), "dy must have the size of the result");
  compute(2 * plan.last_flops(), [&] { plan.backward(dy.data()); });
}

// A plan that is stepped: its states take turns in two places, and nothing is checked, packed or allocated at a step.
template <typename T>
class Stepper {
 public:
  Stepper(Plan<T>& plan, Array<T> y, Input<T> x, Array<T> states, Array<T> memory)
      : plan_(plan), y_(y.data()), x_(x.data()), memory_(memory.data()), N_(x.shape(0)), size_(row_size(x)) {
    const int64_t size = N_ * plan_.state_size();
    data(states, {2, size}, "states must be (2, all of them)");
    require(y.size() == N_ * plan_.output_size(size_), "y must have the size of the result");
    require(memory.size() >= plan_.memory_size(N_, size_), "memory must have the plan's memory_size");
    states_[0] = states.data();
    states_[1] = states.data() + size;
    flops_ = plan_.flops(N_, size_);
    plan.pack(N_);
  }

  void step() {
    compute(flops_,
            [&] { plan_.infer(y_, x_, N_, size_, memory_, {states_[turn_], states_[1 - turn_], false, turn_ == 1}); });
    turn_ = 1 - turn_;
  }
  int turn() const { return turn_; }

 private:
  const Plan<T>& plan_;
  T* y_;
  const T* x_;
  T* memory_;
  T* states_[2];
  int64_t N_, size_;
  double flops_;
  int turn_ = 0;
};

// A plan that is trained: weights, gradients and what the optimizer keeps are the same arrays at each step.
template <typename T>
class Trainer {
 public:
  Trainer(Plan<T>& plan, LossOf<T> loss, Array<T> g) : plan_(plan), loss_(std::move(loss)) {
    settings_.grads = g.data(), settings_.size = g.size();
    settings_.fresh = plan.writes_all(g.data(), g.size());
  }

  // Makes steps end with this update, and count it.
  void set_update(const UpdateOf<T>& update, Array<int64_t> iterations, double weight_decay, double clipvalue,
                  double clipnorm, double global_clipnorm, double squares, std::vector<int64_t> sizes) {
    Formula<T> formula = update.at(0, 1);
    require(shared(formula).g == settings_.grads && shared(formula).size == settings_.size,
            "the update must be by the gradients of the step");
    require(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) == settings_.size,
            "sizes must be those of the parts of g");
    update_ = &update;
    iterations_ = data(iterations, {}, "iterations must be one number");
    decay_ = static_cast<T>(weight_decay);
    if (clipvalue > 0) limit_ = static_cast<T>(clipvalue);
    optimizer_.clip = {clipnorm, global_clipnorm, std::move(sizes)};
    optimizer_.squares = squares;
  }

  bool has_labels() const { return loss_.has_labels(); }
  bool takes(Input<T> target, int64_t columns) const { return loss_.fits(target, columns); }

  double step(Maybe<T> y, Input<T> x, Input<T> target, Maybe<const T> weights, double total, int64_t columns,
              double learning_rate) {
    TrainStep<T> s = settings_;
    s.x_size = row_size(x), s.N = x.shape(0);
    const int64_t results = s.N * plan_.output_size(s.x_size);
    require(!y || y->size() == results, "y must have the size of the result");
    s.loss = loss_.of(results, columns, target, weights, total);
    s.y = y ? y->data() : nullptr, s.x = x.data();
    if (update_) {
      optimizer_.formula = update_->at(learning_rate, *iterations_ + 1);
      shared(optimizer_.formula).decay = decay_, shared(optimizer_.formula).limit = limit_;
      s.optimizer = &optimizer_;
    }
    double mean = 0;
    const double update_flops = 10.0 * static_cast<double>(s.size);
    compute(3 * plan_.flops(s.N, s.x_size) + update_flops, [&] { mean = plan_.train(s); });
    if (update_) *iterations_ += 1;
    return mean;
  }

 private:
  Plan<T>& plan_;
  LossOf<T> loss_;
  TrainStep<T> settings_{};  // what is the same at each step
  const UpdateOf<T>* update_ = nullptr;
  int64_t* iterations_ = nullptr;
  T decay_ = 0, limit_ = std::numeric_limits<T>::infinity();
  Optimizer<T> optimizer_{};
};

template <typename T>
void define(nb::module_& m, const char* plan_name, const char* stepper_name, const char* trainer_name,
            const char* layer_name, const char* loss_name, const char* update_name) {
  nb::class_<RecurrentLayer<T>>(m, layer_name).def_prop_ro("return_sequences", [](const RecurrentLayer<T>& layer) {
    return layer.settings.return_sequences;
  });
  nb::class_<LossOf<T>>(m, loss_name)
      .def(nb::init<int, double, bool, double, double, Maybe<const T>>(), "kind"_a, "delta"_a, "from_logits"_a,
           "label_smoothing"_a, "epsilon"_a, "quantiles"_a.none());
  nb::class_<UpdateOf<T>>(m, update_name)
      .def(
          "__call__",
          [](const UpdateOf<T>& update_of, double learning_rate, int64_t step) {
            Formula<T> formula = update_of.at(learning_rate, step);
            compute(10.0 * static_cast<double>(shared(formula).size), [&] { update(formula); });
          },
          "learning_rate"_a, "step"_a);
  m.def("adam", &UpdateOf<T>::adam, nb::keep_alive<0, 1>(), nb::keep_alive<0, 2>(), nb::keep_alive<0, 3>(),
        nb::keep_alive<0, 4>(), nb::keep_alive<0, 5>(), "w"_a, "g"_a, "m"_a, "v"_a, "vhat"_a.none(), "beta_1"_a,
        "beta_2"_a, "epsilon"_a);
  m.def("rmsprop", &UpdateOf<T>::rmsprop, nb::keep_alive<0, 1>(), nb::keep_alive<0, 2>(), nb::keep_alive<0, 3>(),
        nb::keep_alive<0, 4>(), nb::keep_alive<0, 5>(), "w"_a, "g"_a, "v"_a, "m"_a.none(), "average"_a.none(), "rho"_a,
        "momentum"_a, "epsilon"_a);
  m.def("sgd", &UpdateOf<T>::sgd, nb::keep_alive<0, 1>(), nb::keep_alive<0, 2>(), nb::keep_alive<0, 3>(), "w"_a, "g"_a,
        "m"_a.none(), "momentum"_a, "nesterov"_a);
  m.def("recurrent_layer", &recurrent_layer<T>, "cell"_a, "kernel"_a, "recurrent_kernel"_a, "bias"_a.none(),
        "dkernel"_a.none(), "drecurrent_kernel"_a.none(), "dbias"_a.none(), "own_h"_a.none(), "own_c"_a.none(),
        "activation"_a, "recurrent_activation"_a, "reset_after"_a, "go_backwards"_a, "zero_output_for_mask"_a,
        "return_sequences"_a, "input_masks"_a, "has_state_masks"_a);
  nb::class_<Plan<T>>(m, plan_name)
      .def(nb::init<>())
      .def(
          "add_recurrent", [](Plan<T>& plan, const RecurrentLayer<T>& layer) { plan.add(layer); }, "layer"_a)
      .def("add_bidirectional", &add_bidirectional<T>, "forward"_a, "backward"_a, "merge"_a)
      .def("add_dense", &add_dense<T>, "features"_a, "units"_a, "kernel"_a.none(), "bias"_a.none(), "dkernel"_a.none(),
           "dbias"_a.none(), "function"_a, "softmax"_a)
      .def("add_embedding", &add_embedding<T>, "table"_a, "dtable"_a.none(), "mask_zero"_a)
      .def("add_masking", &add_masking<T>, "features"_a, "value"_a)
      .def("add_normalization", &add_normalization<T>, "features"_a, "epsilon"_a, "gamma"_a.none(), "beta"_a.none(),
           "dgamma"_a.none(), "dbeta"_a.none())
      .def("add_batch_normalization", &add_batch_normalization<T>, "features"_a, "epsilon"_a, "momentum"_a,
           "of_batch"_a, "gamma"_a.none(), "beta"_a.none(), "mean"_a, "variance"_a, "dgamma"_a.none(), "dbeta"_a.none())
      .def("add_convolution", &add_convolution<T>, "kernel"_a, "bias"_a.none(), "dkernel"_a.none(), "dbias"_a.none(),
           "features"_a, "stride"_a, "dilation"_a, "padding"_a, "function"_a)
      .def("add_pooling", &add_pooling<T>, "kind"_a, "features"_a, "size"_a, "stride"_a, "padding"_a)
      .def("add_repeat", &add_repeat<T>, "n"_a, "features"_a)
      .def("add_scaling", &add_scaling<T>, "features"_a, "shift"_a, "factor"_a.none(), "variance"_a.none(), "epsilon"_a,
           "back"_a)
      .def("add_factors", [](Plan<T>& plan) { plan.add(FactorsLayer<T>{}); })
      .def(
          "set_factors",
          [](Plan<T>& plan, int64_t index, Input<T> factors) {
            plan.set_factors(index, factors.data(), factors.size());
          },
          "index"_a, "factors"_a)
      .def("set_dropout", &set_dropout<T>, "index"_a, "rows"_a, "inputs"_a.none(), "states"_a.none())
      .def("infer", &infer<T>, "y"_a, "x"_a)
      .def("forward", &forward<T>, "y"_a, "x"_a)
      .def("backward", &backward<T>, "dy"_a)
      .def(
          "flops", [](const Plan<T>& plan, int64_t x_size) { return plan.flops(1, x_size); }, "x_size"_a)
      .def("state_size", [](const Plan<T>& plan) { return plan.state_size(); })
      .def(
          "memory_size", [](const Plan<T>& plan, int64_t N, int64_t x_size) { return plan.memory_size(N, x_size); },
          "rows"_a, "x_size"_a);
  nb::class_<Stepper<T>>(m, stepper_name)
      .def(nb::init<Plan<T>&, Array<T>, Input<T>, Array<T>, Array<T>>(), nb::keep_alive<1, 2>(), "plan"_a, "y"_a, "x"_a,
           "states"_a, "memory"_a)
      .def("__call__", &Stepper<T>::step)
      .def_prop_ro("turn", &Stepper<T>::turn);
  nb::class_<Trainer<T>>(m, trainer_name)
      .def(nb::init<Plan<T>&, LossOf<T>, Array<T>>(), nb::keep_alive<1, 2>(), nb::keep_alive<1, 4>(), "plan"_a,
           "loss"_a, "g"_a)
      .def("set_update", &Trainer<T>::set_update, nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(), "update"_a,
           "iterations"_a, "weight_decay"_a, "clipvalue"_a, "clipnorm"_a, "global_clipnorm"_a, "squares"_a, "sizes"_a)
      .def_prop_ro("has_labels", &Trainer<T>::has_labels)
      .def("takes", &Trainer<T>::takes, "target"_a, "columns"_a)
      .def("__call__", &Trainer<T>::step, "y"_a.none(), "x"_a, "target"_a, "weights"_a.none(), "total"_a, "columns"_a,
           "learning_rate"_a);
}

}  // namespace

void define_plans(nb::module_& m) {
  define<float>(m, "PlanFloat32", "StepperFloat32", "TrainerFloat32", "RecurrentLayerFloat32", "LossFloat32",
                "UpdateFloat32");
  define<double>(m, "PlanFloat64", "StepperFloat64", "TrainerFloat64", "RecurrentLayerFloat64", "LossFloat64",
                 "UpdateFloat64");
}

}  // namespace recurra
