#include "plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace recurra {

namespace {

int64_t parts_of(int64_t x_size, int64_t D) {
  if (D == 0 || x_size % D != 0) throw std::invalid_argument("a layer does not fit the size of its input");
  return x_size / D;
}

double product_flops(int64_t rows, int64_t K, int64_t columns) {
  constexpr int64_t kFunctions = 20;  // what an element costs after the product
  return 2.0 * static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(K + kFunctions);
}

template <typename T>
void copy(T* to, const T* from, int64_t count) {
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
}

// f(layer) for whichever kind it is.
template <typename Layer, typename F>
auto with(Layer& layer, F f) {
  return std::visit(f, layer);
}

}  // namespace

// Recurrent -----------------------------------------------------------------------------------------------------------

template <typename T>
int64_t RecurrentLayer<T>::output_size(int64_t x_size) const {
  const int64_t steps = parts_of(x_size, settings.D);
  return settings.return_sequences ? steps * settings.H : settings.H;
}

template <typename T>
double RecurrentLayer<T>::flops(int64_t x_size) const {
  return product_flops(x_size / settings.D, settings.D + settings.H, gates_of(cell) * settings.H);
}

template <typename T>
void run(const RecurrentLayer<T>& layer, const SequenceForward<T>& s) {
  const KernelsOf<T>& table = kernels().of<T>();
  const auto kernel = layer.cell == Cell::lstm  ? table.lstm_forward
                      : layer.cell == Cell::gru ? table.gru_forward
                                                : table.simple_rnn_forward;
  kernel(s);
}

template <typename T>
void RecurrentLayer<T>::infer(T* to, const T* x, int64_t rows, int64_t x_size, T*, States<T> states) const {
  SequenceForward<T> s = settings;
  s.N = rows, s.T_ = x_size / s.D;
  s.x = x, s.y = to, s.h = states.after, s.h0 = states.before, s.odd = states.odd;
  const States<T> cells = states.behind(rows * s.H);
  if (cell == Cell::lstm) s.c = cells.after, s.c0 = cells.before;
  run(*this, s);
}

template <typename T>
void RecurrentLayer<T>::lay_out(Layout<T>& layout, int64_t batch, int64_t x_size) {
  N = batch, timesteps = x_size / settings.D;
  const int64_t states = N * settings.H;
  const bool is_lstm = cell == Cell::lstm;
  y = layout.take(N * output_size(x_size));
  h = layout.take(states);
  c = layout.take(is_lstm ? states : 0);
  gates = layout.take(cell == Cell::simple_rnn ? 0 : timesteps * 4 * states);
  hs = layout.take((timesteps + 1) * states);
  cs = layout.take(is_lstm ? (timesteps + 1) * states : 0);
}

template <typename T>
void RecurrentLayer<T>::forward(T* buffer, const T* x) const {
  SequenceForward<T> s = settings;
  s.N = N, s.T_ = timesteps;
  s.x = x, s.y = buffer + y, s.h = buffer + h, s.hs = buffer + hs;
  if (cell != Cell::simple_rnn) s.gates = buffer + gates;
  if (cell == Cell::lstm) s.c = buffer + c, s.cs = buffer + cs;
  run(*this, s);
}

template <typename T>
void RecurrentLayer<T>::backward(T* buffer, T* scratch, const T* x, const T* dy, T* dx, bool fresh) const {
  const int64_t states = N * settings.H;
  std::fill_n(scratch, 2 * states, T(0));
  SequenceBackward<T> s{};
  s.N = N, s.T_ = timesteps, s.D = settings.D, s.H = settings.H;
  s.activation = settings.activation, s.recurrent_activation = settings.recurrent_activation;
  s.reset_after = settings.reset_after, s.go_backwards = settings.go_backwards;
  s.zero_output_for_mask = settings.zero_output_for_mask, s.return_sequences = settings.return_sequences;
  s.dx = dx, s.dh = scratch, s.dc = scratch + states;
  s.fresh = fresh, s.at_rest = true, s.dkernel = dkernel, s.drecurrent = drecurrent, s.dbias = dbias;
  s.gates = buffer + gates, s.dy = dy, s.hs = buffer + hs, s.cs = buffer + cs;
  s.x = x, s.kernel = settings.kernel, s.recurrent = settings.recurrent;
  const KernelsOf<T>& table = kernels().of<T>();
  const auto kernel = cell == Cell::lstm  ? table.lstm_backward
                      : cell == Cell::gru ? table.gru_backward
                                          : table.simple_rnn_backward;
  kernel(s);
}

template <typename T>
void RecurrentLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  const int64_t width = gates_of(cell) * settings.H, bias = settings.reset_after && cell == Cell::gru ? 2 : 1;
  if (dkernel) pieces.push_back({dkernel, settings.D * width});
  if (drecurrent) pieces.push_back({drecurrent, settings.H * width});
  if (dbias) pieces.push_back({dbias, bias * width});
}

// Bidirectional -------------------------------------------------------------------------------------------------------

// Calls f(row of the result, row of the layer ahead, row of the layer back) for all rows of units.
template <typename T, typename F>
void for_pairs(const BidirectionalLayer<T>& layer, int64_t N, int64_t steps, F f) {
  const int64_t rows = layer.ahead.settings.return_sequences ? steps : 1;
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t t = 0; t < rows; ++t) f(n * rows + t, n * rows + t, n * rows + rows - 1 - t);
  }
}

template <typename T>
void merge_outputs(const BidirectionalLayer<T>& layer, T* y, const T* ahead, const T* back, int64_t N, int64_t steps) {
  const int64_t H = layer.ahead.settings.H, H_back = layer.back.settings.H;
  for_pairs(layer, N, steps, [&](int64_t row, int64_t row_ahead, int64_t row_back) {
    const T *a = ahead + row_ahead * H, *b = back + row_back * H_back;
    if (layer.merge == Merge::concat) {
      copy(y + row * (H + H_back), a, H);
      copy(y + row * (H + H_back) + H, b, H_back);
      return;
    }
    T* to = y + row * H;
    for (int64_t j = 0; j < H; ++j) {
      to[j] = layer.merge == Merge::multiply ? a[j] * b[j] : a[j] + b[j];
      if (layer.merge == Merge::average) to[j] = to[j] / 2;
    }
  });
}

template <typename T>
void split_gradient(const BidirectionalLayer<T>& layer, T* dahead, T* dback, const T* dy, const T* ahead,
                    const T* back) {
  const int64_t H = layer.ahead.settings.H, H_back = layer.back.settings.H;
  for_pairs(layer, layer.ahead.N, layer.ahead.timesteps, [&](int64_t row, int64_t row_ahead, int64_t row_back) {
    T *da = dahead + row_ahead * H, *db = dback + row_back * H_back;
    if (layer.merge == Merge::concat) {
      copy(da, dy + row * (H + H_back), H);
      copy(db, dy + row * (H + H_back) + H, H_back);
      return;
    }
    const T *d = dy + row * H, *a = ahead + row_ahead * H, *b = back + row_back * H;
    for (int64_t j = 0; j < H; ++j) {
      const T both = layer.merge == Merge::average ? d[j] / 2 : d[j];
      da[j] = layer.merge == Merge::multiply ? d[j] * b[j] : both;
      db[j] = layer.merge == Merge::multiply ? d[j] * a[j] : both;
    }
  });
}

template <typename T>
int64_t BidirectionalLayer<T>::output_size(int64_t x_size) const {
  return ahead.output_size(x_size) + (merge == Merge::concat ? back.output_size(x_size) : 0);
}

template <typename T>
int64_t BidirectionalLayer<T>::infer_scratch(int64_t N, int64_t x_size) const {
  return N * (ahead.output_size(x_size) + back.output_size(x_size));
}

template <typename T>
int64_t BidirectionalLayer<T>::backward_scratch(int64_t N, int64_t x_size) const {
  const int64_t states = std::max(ahead.backward_scratch(N, x_size), back.backward_scratch(N, x_size));
  return infer_scratch(N, x_size) + N * x_size + states;
}

template <typename T>
void BidirectionalLayer<T>::infer(T* to, const T* x, int64_t N, int64_t x_size, T* scratch, States<T> states) const {
  T* scratch_back = scratch + N * ahead.output_size(x_size);
  ahead.infer(scratch, x, N, x_size, nullptr, states);
  back.infer(scratch_back, x, N, x_size, nullptr, states.behind(N * ahead.state_size()));
  merge_outputs(*this, to, scratch, scratch_back, N, x_size / ahead.settings.D);
}

template <typename T>
void BidirectionalLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  x_elements = N * x_size;
  y = layout.take(N * output_size(x_size));
  ahead.lay_out(layout, N, x_size);
  back.lay_out(layout, N, x_size);
}

template <typename T>
void BidirectionalLayer<T>::forward(T* buffer, const T* x) const {
  ahead.forward(buffer, x);
  back.forward(buffer, x);
  merge_outputs(*this, buffer + y, ahead.output(buffer), back.output(buffer), ahead.N, ahead.timesteps);
}

template <typename T>
void BidirectionalLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  ahead.list_gradients(pieces);
  back.list_gradients(pieces);
}

template <typename T>
void BidirectionalLayer<T>::backward(T* buffer, T* scratch, const T* x, const T* dy, T* dx, bool fresh) const {
  const int64_t x_size = ahead.timesteps * ahead.settings.D;
  T* dahead = scratch;
  T* dback = dahead + ahead.N * ahead.output_size(x_size);
  T* dx_back = dback + ahead.N * back.output_size(x_size);
  T* states = dx_back + x_elements;
  split_gradient(*this, dahead, dback, dy, ahead.output(buffer), back.output(buffer));
  ahead.backward(buffer, states, x, dahead, dx, fresh);
  back.backward(buffer, states, x, dback, dx ? dx_back : nullptr, fresh);
  for (int64_t i = 0; dx && i < x_elements; ++i) dx[i] = dx[i] + dx_back[i];
}

// Dense ---------------------------------------------------------------------------------------------------------------

template <typename T>
int64_t DenseLayer<T>::output_size(int64_t x_size) const {
  return parts_of(x_size, D) * units;
}

template <typename T>
double DenseLayer<T>::flops(int64_t x_size) const {
  return product_flops(x_size / D, kernel ? D : 0, units);
}

template <typename T>
void run(const DenseLayer<T>& layer, T* y, T* product, const T* x, int64_t rows) {
  const KernelsOf<T>& table = kernels().of<T>();
  const T* z = x;
  if (layer.kernel) {
    Matmul<T> s{};
    s.M = rows, s.N = layer.units, s.K = layer.D;
    s.out = product, s.a = x, s.b = layer.kernel, s.bias = layer.bias;
    table.matmul(s);
    z = product;
  }
  if (layer.softmax) {
    table.softmax(y, z, rows, layer.units, false);
  } else if (layer.function != Function::linear || z != y) {
    table.map(layer.function, y, z, rows * layer.units);
  }
}

template <typename T>
void DenseLayer<T>::infer(T* to, const T* x, int64_t N, int64_t x_size, T*, States<T>) const {
  run(*this, to, to, x, N * (x_size / D));
}

template <typename T>
void DenseLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  rows = N * (x_size / D);
  y = layout.take(rows * units);
  const bool by_output =
      softmax || function == Function::exponential || static_cast<int>(function) < kSequenceFunctions;
  product = kernel && !by_output ? layout.take(rows * units) : y;
}

template <typename T>
void DenseLayer<T>::forward(T* buffer, const T* x) const {
  run(*this, buffer + y, buffer + product, x, rows);
}

template <typename T>
void DenseLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dkernel) pieces.push_back({dkernel, D * units});
  if (dbias) pieces.push_back({dbias, units});
}

template <typename T>
void DenseLayer<T>::backward(T* buffer, T* scratch, const T* x, T* dy, T* dx, bool fresh) const {
  const KernelsOf<T>& table = kernels().of<T>();
  if (softmax) {
    table.softmax_gradient(dy, dy, buffer + y, rows, units, false);
  } else if (function != Function::linear) {
    table.map_gradient(function, dy, dy, kernel ? buffer + product : x, buffer + y, rows * units);
  }
  if (!kernel) {
    if (dx) copy(dx, dy, rows * units);
    return;
  }
  Matmul<T> s{};
  s.b = dy, s.N = units, s.K = rows;
  s.accumulate = !fresh;
  if (dkernel) {
    s.M = D, s.out = dkernel, s.a = x, s.transpose_a = true;
    table.matmul(s);
  }
  if (dbias) {
    std::fill_n(scratch, rows, T(1));
    s.M = 1, s.out = dbias, s.a = scratch, s.transpose_a = false;
    table.matmul(s);
  }
  if (dx) {
    Matmul<T> t{};
    t.M = rows, t.N = D, t.K = units;
    t.transpose_b = true;
    t.out = dx, t.a = dy, t.b = kernel;
    table.matmul(t);
  }
}

// Factors -------------------------------------------------------------------------------------------------------------

template <typename T>
void multiply(T* y, const T* x, const T* factors, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = x[i] * factors[i];
}

template <typename T>
void FactorsLayer<T>::infer(T*, const T*, int64_t, int64_t, T*, States<T>) const {
  throw std::logic_error("factors are for training");
}

template <typename T>
void FactorsLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  elements = N * x_size;
  y = layout.take(elements);
}

template <typename T>
void FactorsLayer<T>::forward(T* buffer, const T* x) const {
  if (size != elements) throw std::invalid_argument("factors must have the size of the layer's input");
  multiply(buffer + y, x, factors, elements);
}

template <typename T>
void FactorsLayer<T>::backward(T*, T*, const T*, T* dy, T* dx, bool) const {
  if (dx) multiply(dx, dy, factors, elements);
}

// Plan ----------------------------------------------------------------------------------------------------------------

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

// The values between layers take turns in two places; a layer's scratch and final states lie behind them.
struct InferenceSizes {
  int64_t value = 0, scratch = 0;
};

template <typename Layers>
InferenceSizes inference_sizes(const Layers& layers, int64_t N, int64_t x_size) {
  InferenceSizes sizes;
  for (const auto& layer : layers) {
    with(layer, [&](const auto& l) {
      sizes.scratch = std::max(sizes.scratch, l.infer_scratch(N, x_size));
      sizes.value = std::max(sizes.value, N * (x_size = l.output_size(x_size)));
    });
  }
  return sizes;
}

template <typename T>
int64_t Plan<T>::memory_size(int64_t N, int64_t x_size) const {
  const InferenceSizes sizes = inference_sizes(layers_, N, x_size);
  return 2 * sizes.value + sizes.scratch + N * state_size();
}

template <typename T>
void Plan<T>::infer(T* y, const T* x, int64_t N, int64_t x_size, T* memory, States<T> states) const {
  if (layers_.empty()) copy(y, x, N * x_size);
  const InferenceSizes sizes = inference_sizes(layers_, N, x_size);
  T* scratch = memory + 2 * sizes.value;
  if (!states.after) states.after = scratch + sizes.scratch;
  for (size_t i = 0; i < layers_.size(); ++i) {
    T* to = i + 1 == layers_.size() ? y : memory + (i % 2) * sizes.value;
    with(layers_[i], [&](const auto& layer) {
      layer.infer(to, x, N, x_size, scratch, states);
      states = states.behind(N * layer.state_size());
      x_size = layer.output_size(x_size);
    });
    x = to;
  }
}

template <typename T>
void Plan<T>::pack(int64_t N) {
  const auto size_of = [](const SequenceForward<T>& s, Cell cell) { return packed_size(s.D, s.H, gates_of(cell)); };
  std::vector<RecurrentLayer<T>*> recurrent;
  for (Layer& layer : layers_) {
    if (auto* found = std::get_if<RecurrentLayer<T>>(&layer)) recurrent.push_back(found);
  }
  Layout<T> layout;
  for (const auto* layer : recurrent) layout.take(size_of(layer->settings, layer->cell));
  T* place = static_cast<T*>(packed_.get(static_cast<size_t>(layout.size) * sizeof(T)));
  layout = {};
  for (auto* layer : recurrent) {
    SequenceForward<T>& s = layer->settings;
    s.packed = place + layout.take(size_of(s, layer->cell));
    s.for_one_row = N == 1;
    s.h = s.c = s.packed;  // of no rows
    run(*layer, s);        // of no steps: it only packs
    s.is_packed = true;
  }
}

// Where everything stands for N rows of x_size: known again at the next batch of that size.
template <typename T>
void Plan<T>::lay_out(int64_t N, int64_t x_size) {
  if (N == N_ && x_size == x_size_) return;
  N_ = x_size_ = 0;  // until all is in place: an allocation may fail
  Layout<T> layout;
  int64_t gradients[2] = {}, scratch = 0, size = x_size;
  for (size_t i = 0; i < layers_.size(); ++i) {
    with(layers_[i], [&](auto& layer) {
      layer.lay_out(layout, N, size);
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
  for (const Layer& layer : layers_) {
    with(layer, [&](const auto& l) {
      l.forward(buffer, x);
      x = l.output(buffer);
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
    with(layers_[i], [=, this](const auto& layer) { layer.backward(buffer, buffer + scratch_, x, given, dx, fresh); });
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

// As `clip_by_norm` and `clip_by_global_norm` in optimizers/arithmetic.py.
template <typename T>
void shorten(const Clip& clip, T* grads, Adam<T>& update) {
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

template <typename T>
double Plan<T>::train(const TrainStep<T>& s) {
  const KernelsOf<T>& table = kernels().of<T>();
  Loss<T> of_result = s.loss;
  of_result.y = forward(s.y, s.x, s.N, s.x_size);
  of_result.dy = result_gradient();
  const double loss = table.loss(of_result);
  if (!s.fresh) std::fill_n(s.grads, s.update.size, T(0));
  backward(s.fresh);
  Adam<T> update = s.update;
  shorten(s.clip, s.grads, update);
  update.most_threads = last_team();  // where the weights stay with one core, they should not travel for this alone
  table.adam(update);
  return loss;
}

template class Plan<float>;
template class Plan<double>;

}  // namespace recurra
