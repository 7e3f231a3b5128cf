// What the two files of bindings share: the options of a recurrent layer, and the definition of plans.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "arrays.h"
#include "plan.h"

namespace recurra {

// A sequence of which nothing but the layer's options is set.
template <typename T>
Sequence<T> sequence_options(int activation, int recurrent_activation, bool reset_after, bool go_backwards,
                             bool zero_output_for_mask, bool return_sequences) {
  for (const int number : {activation, recurrent_activation}) {
    require(number >= 0 && number < kSequenceFunctions, "not an activation of the sequence kernels");
  }
  Sequence<T> s{};
  s.activation = static_cast<Function>(activation);
  s.recurrent_activation = static_cast<Function>(recurrent_activation);
  s.reset_after = reset_after, s.go_backwards = go_backwards;
  s.zero_output_for_mask = zero_output_for_mask, s.return_sequences = return_sequences;
  return s;
}

template <typename T>
T* bias_data(const Maybe<T>& bias, Cell cell, bool reset_after, int64_t H) {
  if (cell == Cell::gru && reset_after) return data(bias, {2, 3 * H}, "bias must be (2, 3H)");
  return data(bias, {gates_of(cell) * H}, "bias must be (G*H)");
}

// A loss with its options, for any arrays.
template <typename T>
class LossOf {
 public:
  LossOf(int kind, double delta, bool from_logits, double label_smoothing, double epsilon, Maybe<const T> quantiles) {
    require(kind >= 0 && kind < kLossKinds, "not a loss");
    if (quantiles) quantiles_.assign(quantiles->data(), quantiles->data() + quantiles->size());
    settings_.kind = static_cast<LossKind>(kind);
    require(settings_.kind != LossKind::pinball || !quantiles_.empty(), "the pinball loss needs quantiles");
    settings_.delta = delta, settings_.from_logits = from_logits;
    settings_.label_smoothing = label_smoothing, settings_.epsilon = epsilon;
  }

  // For y of this size; `columns`: length of its last axis. Weights are divided by `total`; 0: by the number of rows.
  Loss<T> of(int64_t size, int64_t columns, const Input<T>& target, const Maybe<const T>& weights, double total) const {
    Loss<T> loss = settings_;
    loss.quantiles = quantiles_.data();
    loss.size = size;
    loss.columns = quantiles_.empty() ? columns : static_cast<int64_t>(quantiles_.size());
    require(size > 0 && loss.columns > 0 && size % loss.columns == 0, "y must have whole rows");
    require(target.size() == loss.targets(), "target must have the size of y, or one for each row");
    require(fits(target, columns), "labels must be whole, from 0 on and below the number of classes");
    loss.target = target.data();
    require(!weights || weights->size() == loss.rows(), "weights must be one for each row");
    loss.weights = weights ? weights->data() : nullptr;
    loss.total = total > 0 ? total : static_cast<double>(loss.rows());
    return loss;
  }

  bool has_labels() const { return settings_.has_labels(); }
  // Whether targets that should be labels are those of so many classes.
  bool fits(const Input<T>& target, int64_t classes) const {
    const auto is_label = [=](T t) { return t >= 0 && t < static_cast<T>(classes) && t == std::floor(t); };
    return !has_labels() || std::all_of(target.data(), target.data() + target.size(), is_label);
  }

 private:
  Loss<T> settings_{};
  std::vector<T> quantiles_;
};

// lr * sqrt(1 - beta_2^step) / (1 - beta_1^step) in T; the powers by squares, of bases that went through float as in
// Keras: the last bit of std::pow differs between systems.
template <typename T>
T adam_alpha(double learning_rate, int64_t step, double beta_1, double beta_2) {
  const auto rest = [step](double beta) {
    double power = 1, base = static_cast<float>(beta);
    for (int64_t left = step; left > 0; left >>= 1, base *= base) {
      if (left & 1) power *= base;
    }
    return T(1) - static_cast<T>(power);
  };
  return static_cast<T>(learning_rate) * std::sqrt(rest(beta_2)) / rest(beta_1);
}

// An optimizer's formula over arrays that are the same at each step.
template <typename T>
class UpdateOf {
 public:
  UpdateOf(Formula<T> formula, const Array<T>& w, const Input<T>& g) : formula_(formula) {
    Update<T>& s = shared(formula_);
    s.size = w.size(), s.w = w.data(), s.g = g.data();
    require(g.size() == s.size, "w and g must have one size");
  }

  static UpdateOf adam(Array<T> w, Input<T> g, Array<T> m, Array<T> v, Maybe<T> vhat, double beta_1, double beta_2,
                       double epsilon) {
    Adam<T> s{};
    s.m = slot(w, m), s.v = slot(w, v), s.vhat = slot(w, vhat);
    s.rate_1 = static_cast<T>(1 - beta_1), s.rate_2 = static_cast<T>(1 - beta_2);
    s.epsilon = static_cast<T>(epsilon);
    UpdateOf update(s, w, g);
    update.beta_1_ = beta_1, update.beta_2_ = beta_2;
    return update;
  }

  static UpdateOf rmsprop(Array<T> w, Input<T> g, Array<T> v, Maybe<T> m, Maybe<T> average, double rho, double momentum,
                          double epsilon) {
    RMSprop<T> s{};
    s.v = slot(w, v), s.m = slot(w, m), s.average = slot(w, average);
    s.rho = static_cast<T>(rho), s.rate = static_cast<T>(1 - rho);
    s.momentum = static_cast<T>(momentum), s.epsilon = static_cast<T>(epsilon);
    return {s, w, g};
  }

  static UpdateOf sgd(Array<T> w, Input<T> g, Maybe<T> m, double momentum, bool nesterov) {
    SGD<T> s{};
    s.m = slot(w, m), s.momentum = static_cast<T>(momentum), s.nesterov = nesterov;
    return {s, w, g};
  }

  // At step 1, 2, 3, ...
  Formula<T> at(double learning_rate, int64_t step) const {
    Formula<T> formula = formula_;
    shared(formula).learning_rate = static_cast<T>(learning_rate);
    if (auto* s = std::get_if<Adam<T>>(&formula)) s->alpha = adam_alpha<T>(learning_rate, step, beta_1_, beta_2_);
    return formula;
  }

 private:
  static T* slot(const Array<T>& w, const Maybe<T>& values) {
    require(!values || values->size() == w.size(), "w and what is kept for it must have one size");
    return values ? values->data() : nullptr;
  }

  Formula<T> formula_;
  double beta_1_ = 0, beta_2_ = 0;  // of Adam
};

void define_plans(nanobind::module_& m);

}  // namespace recurra
