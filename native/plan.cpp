#include "plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "rows.h"

namespace recurra {

namespace {

// f(layer) for whichever kind it is.
template <typename Layer, typename F>
auto with(Layer& layer, F f) {
  return std::visit(f, layer);
}

// Elements that so many truth values take the place of.
template <typename T>
int64_t places_of(int64_t values) {
  return (values + static_cast<int64_t>(sizeof(T)) - 1) / static_cast<int64_t>(sizeof(T));
}

// The mask of a layer's output; `place`: for one that it makes.
template <typename T, typename Layer>
const bool* mask_after(const Layer& layer, T* place, Given<T> given, int64_t N, int64_t x_size) {
  if (layer.mask_steps(x_size) == 0) return layer.passes_mask() ? given.mask : nullptr;
  bool* mask = reinterpret_cast<bool*>(place);
  layer.make_mask(mask, given.x, N, x_size);
  return mask;
}

}  // namespace

template <typename T>
void Plan<T>::set_factors(int64_t index, const T* factors, int64_t size) {
  for (Layer& layer : layers_) {
    auto* found = std::get_if<FactorsLayer<T>>(&layer);
    if (!found || index-- > 0) continue;
    found->factors = factors, found->size = size;
    return;
  }
  throw std::invalid_argument("no such layer with factors");
}

template <typename T>
RecurrentLayer<T>& Plan<T>::recurrent(int64_t index) {
  std::vector<RecurrentLayer<T>*> found;
  for (Layer& layer : layers_) {
    if (auto* one = std::get_if<RecurrentLayer<T>>(&layer)) found.push_back(one);
    if (auto* both = std::get_if<BidirectionalLayer<T>>(&layer)) {
      found.push_back(&both->ahead);
      found.push_back(&both->back);
    }
  }
  return *found.at(static_cast<size_t>(index));
}

template <typename T>
int64_t Plan<T>::output_size(int64_t x_size) const {
  for (const Layer& layer : layers_) x_size = with(layer, [=](const auto& l) { return l.output_size(x_size); });
  return x_size;
}

template <typename T>
int64_t Plan<T>::state_size() const {
  int64_t size = 0;
  for (const Layer& layer : layers_) size += with(layer, [](const auto& l) { return l.state_size(); });
  return size;
}

template <typename T>
double Plan<T>::flops(int64_t N, int64_t x_size) const {
  double total = 0;
  for (const Layer& layer : layers_) {
    with(layer, [&](const auto& l) {
      total += l.flops(x_size);
      x_size = l.output_size(x_size);
    });
  }
  return total * static_cast<double>(N);
}

namespace {

// The values between layers take turns in two places; a layer's scratch, a mask and final states lie behind them.
struct InferenceSizes {
  int64_t value = 0, scratch = 0, mask = 0;
};

template <typename T, typename Layers>
InferenceSizes inference_sizes(const Layers& layers, int64_t N, int64_t x_size) {
  InferenceSizes sizes;
  for (const auto& layer : layers) {
    with(layer, [&](const auto& l) {
      sizes.mask = std::max(sizes.mask, places_of<T>(N * l.mask_steps(x_size)));
      sizes.scratch = std::max(sizes.scratch, l.infer_scratch(N, x_size));
      sizes.value = std::max(sizes.value, N * (x_size = l.output_size(x_size)));
    });
  }
  return sizes;
}

}  // namespace

template <typename T>
int64_t Plan<T>::memory_size(int64_t N, int64_t x_size) const {
  const InferenceSizes sizes = inference_sizes<T>(layers_, N, x_size);
  return 2 * sizes.value + sizes.scratch + sizes.mask + N * state_size();
}

template <typename T>
bool Plan<T>::keeps_states() const {
  return std::any_of(states_.begin(), states_.end(), [](const auto& state) { return state.place; });
}

template <typename T>
void Plan<T>::load_states(T* to, int64_t N) const {
  for (const KeptState<T>& state : states_) {
    if (state.place && state.rows != N) throw std::invalid_argument("states must have the rows of the layer's input");
    if (state.place) copy(to, state.place, N * state.units);
    to += N * state.units;
  }
}

template <typename T>
void Plan<T>::store_states(const T* from, int64_t N) const {
  for (const KeptState<T>& state : states_) {
    if (state.place) copy(state.place, from, N * state.units);
    from += N * state.units;
  }
}

template <typename T>
void Plan<T>::infer(T* y, const T* x, int64_t N, int64_t x_size, T* memory, States<T> states) const {
  if (layers_.empty()) copy(y, x, N * x_size);
  const InferenceSizes sizes = inference_sizes<T>(layers_, N, x_size);
  T *scratch = memory + 2 * sizes.value, *own_mask = scratch + sizes.scratch;
  if (!states.after) states.after = own_mask + sizes.mask;
  const bool* mask = nullptr;
  for (size_t i = 0; i < layers_.size(); ++i) {
    T* to = i + 1 == layers_.size() ? y : memory + (i % 2) * sizes.value;
    with(layers_[i], [&](const auto& layer) {
      layer.infer(to, {x, mask}, N, x_size, scratch, states);
      mask = mask_after<T>(layer, own_mask, {x, mask}, N, x_size);
      states = states.behind(N * layer.state_size());
      x_size = layer.output_size(x_size);
    });
    x = to;
  }
}

template <typename T>
void Plan<T>::pack(int64_t N) {
  std::vector<RecurrentLayer<T>*> recurrent;
  for (Layer& layer : layers_) {
    if (auto* found = std::get_if<RecurrentLayer<T>>(&layer)) recurrent.push_back(found);
  }
  Layout<T> layout;
  for (const auto* layer : recurrent) layout.take(layer->weights_size());
  T* place = static_cast<T*>(packed_.get(static_cast<size_t>(layout.size) * sizeof(T)));
  layout = {};
  for (auto* layer : recurrent) layer->pack(place + layout.take(layer->weights_size()), N == 1);
}

// Where everything stands for N rows of x_size: known again at the next batch of that size.
template <typename T>
void Plan<T>::lay_out(int64_t N, int64_t x_size) {
  if (N == N_ && x_size == x_size_) return;
  N_ = x_size_ = 0;  // until all is in place: an allocation may fail
  Layout<T> layout;
  int64_t gradients[2] = {}, scratch = 0, size = x_size;
  masks_.resize(layers_.size());
  mask_places_.resize(layers_.size());
  for (size_t i = 0; i < layers_.size(); ++i) {
    with(layers_[i], [&](auto& layer) {
      layer.lay_out(layout, N, size);
      mask_places_[i] = layout.take(places_of<T>(N * layer.mask_steps(size)));
      scratch = std::max(scratch, layer.backward_scratch(N, size));
      size = layer.output_size(size);
    });
    int64_t& place = gradients[(layers_.size() - 1 - i) % 2];
    place = std::max(place, N * size);
  }
  gradients[0] = std::max(gradients[0], N * size);  // that of the result, even without layers
  for (int i = 0; i < 2; ++i) gradient_[i] = layout.take(gradients[i]);
  scratch_ = layout.take(scratch);
  buffer_ = static_cast<T*>(memory_.get(static_cast<size_t>(layout.size) * sizeof(T)));
  N_ = N, x_size_ = x_size;
}

template <typename T>
const T* Plan<T>::forward(T* y, const T* x, int64_t N, int64_t x_size) {
  x_ = nullptr;
  lay_out(N, x_size);
  x_ = x;
  T* buffer = buffer_;
  const bool* mask = nullptr;
  for (size_t i = 0; i < layers_.size(); ++i) {
    with(layers_[i], [&](const auto& layer) {
      masks_[i] = mask;
      layer.forward(buffer, {x, mask});
      mask = mask_after<T>(layer, buffer + mask_places_[i], {x, mask}, N, x_size);
      x_size = layer.output_size(x_size);
      x = layer.output(buffer);
    });
  }
  if (y) copy(y, x, result_size());
  return x;
}

template <typename T>
void Plan<T>::backward(const T* dy) {
  if (!x_) throw std::logic_error("backward needs a forward run of its own");
  copy(result_gradient(), dy, result_size());
  backward(false);
}

template <typename T>
void Plan<T>::backward(bool fresh) {
  T* buffer = buffer_;
  const auto trained = [](const Layer& layer) { return with(layer, [](const auto& l) { return l.has_gradients(); }); };
  const auto first = static_cast<size_t>(std::find_if(layers_.begin(), layers_.end(), trained) - layers_.begin());
  T *given = result_gradient(), *next = buffer + gradient_[1];
  for (size_t i = layers_.size(); i-- > first;) {
    const T* x = i == 0 ? x_ : with(layers_[i - 1], [=](const auto& l) -> const T* { return l.output(buffer); });
    T* dx = i == first ? nullptr : next;
    with(layers_[i],
         [=, this](const auto& layer) { layer.backward(buffer, buffer + scratch_, {x, masks_[i]}, given, dx, fresh); });
    std::swap(given, next);
  }
  x_ = nullptr;
}

template <typename T>
bool Plan<T>::writes_all(const T* grads, int64_t size) const {
  std::vector<Piece<T>> pieces;
  for (const Layer& layer : layers_) with(layer, [&](const auto& l) { l.list_gradients(pieces); });
  std::sort(pieces.begin(), pieces.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  const T* end = grads;
  for (const Piece<T>& piece : pieces) {
    if (piece.begin != end) return false;  // a gap, or a layer that stands in the line twice
    end += piece.size;
  }
  return end == grads + size;
}

namespace {

// As `clip_by_norm` and `clip_by_global_norm` in optimizers/arithmetic.py.
template <typename T>
void shorten(const Clip& clip, T* grads, Update<T>& update) {
  const auto norm_of = [](const T* g, int64_t size) { return std::sqrt(kernels().of<T>().sum_of_squares(g, size)); };
  if (clip.global_norm > 0) {
    const double norm = norm_of(grads, update.size);
    update.factor = static_cast<T>(std::isfinite(norm) ? clip.global_norm / std::max(norm, clip.global_norm)
                                                       : std::numeric_limits<double>::quiet_NaN());
  }
  if (clip.norm <= 0) return;
  const T limit = static_cast<T>(clip.norm);
  for (const int64_t size : clip.sizes) {
    const T longest = static_cast<T>(std::max(norm_of(grads, size), clip.norm));
    for (int64_t i = 0; i < size; ++i) grads[i] = grads[i] * limit / longest;
    grads += size;
  }
}

}  // namespace

// An Embedding is the first layer of a plan: what its backward run was given is what the last swap left behind.
template <typename T>
void Plan<T>::add_squares(const TrainStep<T>& s) {
  const auto* layer = layers_.empty() ? nullptr : std::get_if<EmbeddingLayer<T>>(&layers_[0]);
  T* averages = squares_of(s.optimizer->formula);
  if (s.optimizer->squares == 0 || !averages || !layer || !layer->dtable) return;
  slots_.resize(static_cast<size_t>(layer->rows));
  T* v = averages + (layer->dtable - s.grads);
  const T* dy = buffer_ + gradient_[(layers_.size() - 1) % 2];
  layer->add_squares(v, buffer_ + scratch_, slots_, s.x, dy, static_cast<T>(s.optimizer->squares));
}

template <typename T>
void Plan<T>::update_weights(const TrainStep<T>& s) {
  const int team = last_team();  // where the weights stay with one core, they should not travel for the update alone
  add_squares(s);
  Formula<T> formula = s.optimizer->formula;
  Update<T>& common = shared(formula);
  shorten(s.optimizer->clip, s.grads, common);
  common.most_threads = team;
  update(formula);
}

template <typename T>
double Plan<T>::train(const TrainStep<T>& s) {
  Loss<T> of_result = s.loss;
  of_result.y = forward(s.y, s.x, s.N, s.x_size);
  of_result.dy = result_gradient();
  const double loss = kernels().of<T>().loss(of_result);
  if (!s.fresh) std::fill_n(s.grads, s.size, T(0));
  backward(s.fresh);
  if (s.optimizer) update_weights(s);
  return loss;
}

template class Plan<float>;
template class Plan<double>;

}  // namespace recurra
