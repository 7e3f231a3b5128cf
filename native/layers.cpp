#include "layers.h"

#include <algorithm>
#include <stdexcept>

#include "rows.h"

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
void RecurrentLayer<T>::pack(T* place, bool for_one_row) {
  SequenceForward<T>& s = settings;
  s.packed = place;
  s.for_one_row = for_one_row;
  s.h = s.c = place;  // of no rows
  run(*this, s);      // of no steps: it only packs
  s.is_packed = true;
}

template <typename T>
void RecurrentLayer<T>::infer(T* to, Given<T> given, int64_t rows, int64_t x_size, T*, States<T> states) const {
  SequenceForward<T> s = settings;
  s.N = rows, s.T_ = x_size / s.D;
  s.x = given.x, s.mask = given.mask;
  s.y = to, s.h = states.after, s.h0 = states.before, s.odd = states.odd;
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
  thinned = layout.take(dropout.input_masks * N * x_size);
  wide_kernel = layout.take(gate_inputs() ? wide_kernel_size() : 0);
}

// thin (N, T, masks * D) = x times each mask, side by side.
template <typename T>
void RecurrentLayer<T>::thin_inputs(T* thin, const T* x) const {
  const int64_t D = settings.D, masks = dropout.input_masks;
  for (int64_t step = 0; step < N * timesteps; ++step, x += D) {
    for (int64_t mask = 0; mask < masks; ++mask, thin += D) {
      const T* factors = dropout.inputs + (mask * N + step / timesteps) * D;
      for (int64_t j = 0; j < D; ++j) thin[j] = x[j] * factors[j];
    }
  }
}

// dx (N, T, D) = the sum over masks of the gradients of what `thin_inputs` made, each times its mask; in place for one.
template <typename T>
void RecurrentLayer<T>::thin_gradient(T* dx, const T* of_thin) const {
  const int64_t D = settings.D, masks = dropout.input_masks;
  for (int64_t step = 0; step < N * timesteps; ++step, dx += D) {
    for (int64_t mask = 0; mask < masks; ++mask, of_thin += D) {
      const T* factors = dropout.inputs + (mask * N + step / timesteps) * D;
      for (int64_t j = 0; j < D; ++j) dx[j] = (mask == 0 ? T(0) : dx[j]) + of_thin[j] * factors[j];
    }
  }
}

template <typename T>
void RecurrentLayer<T>::widen_kernel(T* wide) const {
  const int64_t D = settings.D, H = settings.H, G = gates_of(cell);
  std::fill_n(wide, wide_kernel_size(), T(0));
  for (int64_t gate = 0; gate < G; ++gate) {
    for (int64_t j = 0; j < D; ++j) {
      copy(wide + ((gate * D + j) * G + gate) * H, settings.kernel + (j * G + gate) * H, H);
    }
  }
}

template <typename T>
void RecurrentLayer<T>::add_kernel_gradient(const T* wide, bool fresh) const {
  const int64_t D = settings.D, H = settings.H, G = gates_of(cell);
  for (int64_t gate = 0; gate < G; ++gate) {
    for (int64_t j = 0; j < D; ++j) {
      const T* from = wide + ((gate * D + j) * G + gate) * H;
      T* to = dkernel + (j * G + gate) * H;
      for (int64_t i = 0; i < H; ++i) to[i] = (fresh ? T(0) : to[i]) + from[i];
    }
  }
}

template <typename T>
void RecurrentLayer<T>::forward(T* buffer, Given<T> given) const {
  SequenceForward<T> s = settings;
  s.N = N, s.T_ = timesteps;
  s.x = given.x, s.mask = given.mask;
  s.y = buffer + y, s.h = buffer + h, s.hs = buffer + hs;
  if (cell != Cell::simple_rnn) s.gates = buffer + gates;
  if (cell == Cell::lstm) s.c = buffer + c, s.cs = buffer + cs;
  if (own_h && own_rows != N) throw std::invalid_argument("states must have the rows of the layer's input");
  if ((dropout.input_masks > 0 || dropout.has_state_masks) && dropout.N != N) {
    throw std::invalid_argument("dropout must have the rows of the layer's input");
  }
  s.h0 = own_h, s.c0 = own_c;
  s.dropout = dropout.states;
  if (dropout.input_masks > 0) {
    thin_inputs(buffer + thinned, given.x);
    s.x = buffer + thinned;
  }
  if (gate_inputs()) {
    widen_kernel(buffer + wide_kernel);
    s.kernel = buffer + wide_kernel, s.D = gates_of(cell) * settings.D;
  }
  run(*this, s);
  if (own_h) copy(own_h, s.h, N * s.H);
  if (own_c) copy(own_c, s.c, N * s.H);
}

template <typename T>
void RecurrentLayer<T>::backward(T* buffer, T* scratch, Given<T> given, const T* dy, T* dx, bool fresh) const {
  const int64_t states = N * settings.H, G = gates_of(cell);
  T* wide_dx = scratch + 2 * states;
  T* wide_dkernel = wide_dx + N * timesteps * G * settings.D;
  std::fill_n(scratch, 2 * states, T(0));
  SequenceBackward<T> s{};
  s.N = N, s.T_ = timesteps, s.D = settings.D, s.H = settings.H;
  s.activation = settings.activation, s.recurrent_activation = settings.recurrent_activation;
  s.reset_after = settings.reset_after, s.go_backwards = settings.go_backwards;
  s.zero_output_for_mask = settings.zero_output_for_mask, s.return_sequences = settings.return_sequences;
  s.dx = dx, s.dh = scratch, s.dc = scratch + states;
  s.fresh = fresh, s.at_rest = !own_h, s.dkernel = dkernel, s.drecurrent = drecurrent, s.dbias = dbias;
  s.gates = buffer + gates, s.dy = dy, s.hs = buffer + hs, s.cs = buffer + cs;
  s.x = given.x, s.mask = given.mask, s.kernel = settings.kernel, s.recurrent = settings.recurrent;
  s.dropout = dropout.states;
  if (dropout.input_masks > 0) s.x = buffer + thinned;
  if (gate_inputs()) {
    s.kernel = buffer + wide_kernel, s.D = G * settings.D;
    if (dx) s.dx = wide_dx;
    if (dkernel) {
      s.dkernel = wide_dkernel;
      if (!fresh) std::fill_n(wide_dkernel, wide_kernel_size(), T(0));
    }
  }
  const KernelsOf<T>& table = kernels().of<T>();
  const auto kernel = cell == Cell::lstm  ? table.lstm_backward
                      : cell == Cell::gru ? table.gru_backward
                                          : table.simple_rnn_backward;
  kernel(s);
  if (gate_inputs() && dkernel) add_kernel_gradient(wide_dkernel, fresh);
  if (dropout.input_masks > 0 && dx) thin_gradient(dx, s.dx);
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
void BidirectionalLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T* scratch,
                                  States<T> states) const {
  T* scratch_back = scratch + N * ahead.output_size(x_size);
  ahead.infer(scratch, given, N, x_size, nullptr, states);
  back.infer(scratch_back, given, N, x_size, nullptr, states.behind(N * ahead.state_size()));
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
void BidirectionalLayer<T>::forward(T* buffer, Given<T> given) const {
  ahead.forward(buffer, given);
  back.forward(buffer, given);
  merge_outputs(*this, buffer + y, ahead.output(buffer), back.output(buffer), ahead.N, ahead.timesteps);
}

template <typename T>
void BidirectionalLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  ahead.list_gradients(pieces);
  back.list_gradients(pieces);
}

template <typename T>
void BidirectionalLayer<T>::backward(T* buffer, T* scratch, Given<T> given, const T* dy, T* dx, bool fresh) const {
  const int64_t x_size = ahead.timesteps * ahead.settings.D;
  T* dahead = scratch;
  T* dback = dahead + ahead.N * ahead.output_size(x_size);
  T* dx_back = dback + ahead.N * back.output_size(x_size);
  T* states = dx_back + x_elements;
  split_gradient(*this, dahead, dback, dy, ahead.output(buffer), back.output(buffer));
  ahead.backward(buffer, states, given, dahead, dx, fresh);
  back.backward(buffer, states, given, dback, dx ? dx_back : nullptr, fresh);
  for (int64_t i = 0; dx && i < x_elements; ++i) dx[i] = dx[i] + dx_back[i];
}

// sums (columns) += those of values (rows, columns), as a product with ones.
template <typename T>
void add_column_sums(T* sums, const T* values, int64_t rows, int64_t columns, T* ones, bool fresh) {
  std::fill_n(ones, rows, T(1));
  Matmul<T> s{};
  s.M = 1, s.N = columns, s.K = rows;
  s.accumulate = !fresh;
  s.out = sums, s.a = ones, s.b = values;
  kernels().of<T>().matmul(s);
}

// Whether y alone tells the gradient, so that what the function was given need not be kept.
bool has_gradient_by_output(Function function) {
  return function == Function::exponential || static_cast<int>(function) < kSequenceFunctions;
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
void DenseLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  run(*this, to, to, given.x, N * (x_size / D));
}

template <typename T>
void DenseLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  rows = N * (x_size / D);
  y = layout.take(rows * units);
  product = kernel && !softmax && !has_gradient_by_output(function) ? layout.take(rows * units) : y;
}

template <typename T>
void DenseLayer<T>::forward(T* buffer, Given<T> given) const {
  run(*this, buffer + y, buffer + product, given.x, rows);
}

template <typename T>
void DenseLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dkernel) pieces.push_back({dkernel, D * units});
  if (dbias) pieces.push_back({dbias, units});
}

template <typename T>
void DenseLayer<T>::backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const {
  const KernelsOf<T>& table = kernels().of<T>();
  if (softmax) {
    table.softmax_gradient(dy, dy, buffer + y, rows, units, false);
  } else if (function != Function::linear) {
    table.map_gradient(function, dy, dy, kernel ? buffer + product : given.x, buffer + y, rows * units);
  }
  if (!kernel) {
    if (dx) copy(dx, dy, rows * units);
    return;
  }
  if (dkernel) {
    Matmul<T> s{};
    s.M = D, s.N = units, s.K = rows;
    s.transpose_a = true, s.accumulate = !fresh;
    s.out = dkernel, s.a = given.x, s.b = dy;
    table.matmul(s);
  }
  if (dbias) add_column_sums(dbias, dy, rows, units, scratch, fresh);
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
void FactorsLayer<T>::infer(T*, Given<T>, int64_t, int64_t, T*, States<T>) const {
  throw std::logic_error("factors are for training");
}

template <typename T>
void FactorsLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  elements = N * x_size;
  y = layout.take(elements);
}

template <typename T>
void FactorsLayer<T>::forward(T* buffer, Given<T> given) const {
  if (size != elements) throw std::invalid_argument("factors must have the size of the layer's input");
  multiply(buffer + y, given.x, factors, elements);
}

template <typename T>
void FactorsLayer<T>::backward(T*, T*, Given<T>, T* dy, T* dx, bool) const {
  if (dx) multiply(dx, dy, factors, elements);
}

// Embedding -----------------------------------------------------------------------------------------------------------

template <typename T>
void take_rows(T* y, const EmbeddingLayer<T>& layer, const T* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    copy(y + i * layer.units, layer.table + static_cast<int64_t>(x[i]) * layer.units, layer.units);
  }
}

template <typename T>
void EmbeddingLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dtable) pieces.push_back({dtable, rows * units});
}

template <typename T>
void EmbeddingLayer<T>::make_mask(bool* mask, const T* x, int64_t N, int64_t x_size) const {
  for (int64_t i = 0; i < N * x_size; ++i) mask[i] = x[i] != 0;
}

template <typename T>
void EmbeddingLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  take_rows(to, *this, given.x, N * x_size);
}

template <typename T>
void EmbeddingLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  count = N * x_size;
  y = layout.take(count * units);
}

template <typename T>
void EmbeddingLayer<T>::forward(T* buffer, Given<T> given) const {
  take_rows(buffer + y, *this, given.x, count);
}

template <typename T>
void EmbeddingLayer<T>::backward(T*, T*, Given<T> given, T* dy, T*, bool fresh) const {
  if (fresh) std::fill_n(dtable, rows * units, T(0));
  add_rows(dtable, dy, given.x, count, units);
}

template <typename T>
void EmbeddingLayer<T>::add_squares(T* v, T* scratch, std::vector<int32_t>& slots, const T* x, const T* dy,
                                    T factor) const {
  int32_t used = 0;
  for (int64_t i = 0; i < count; ++i) {
    int32_t& slot = slots[static_cast<size_t>(x[i])];
    if (slot == 0) std::fill_n(scratch + used * units, units, T(0)), slot = ++used;
    T* squares = scratch + (slot - 1) * units;
    for (int64_t j = 0; j < units; ++j) squares[j] += dy[i * units + j] * dy[i * units + j];
  }
  for (int64_t i = 0; i < count; ++i) {
    int32_t& slot = slots[static_cast<size_t>(x[i])];
    if (slot == 0) continue;
    const T *squares = scratch + (slot - 1) * units, *g = dtable + static_cast<int64_t>(x[i]) * units;
    T* to = v + static_cast<int64_t>(x[i]) * units;
    for (int64_t j = 0; j < units; ++j) to[j] += (squares[j] - g[j] * g[j]) * factor;
    slot = 0;
  }
}

// Masking -------------------------------------------------------------------------------------------------------------

// Calls f(step, whether it counts) for all timesteps of all rows.
template <typename T, typename F>
void for_steps(const MaskingLayer<T>& layer, const T* x, int64_t steps, F f) {
  for (int64_t step = 0; step < steps; ++step) {
    const T* features = x + step * layer.D;
    f(step, std::any_of(features, features + layer.D, [&](T feature) { return feature != layer.value; }));
  }
}

// to = from, with zeros at the timesteps of x that do not count.
template <typename T>
void copy_steps(const MaskingLayer<T>& layer, T* to, const T* from, const T* x, int64_t steps) {
  for_steps(layer, x, steps, [&](int64_t step, bool counts) {
    if (counts) {
      copy(to + step * layer.D, from + step * layer.D, layer.D);
    } else {
      std::fill_n(to + step * layer.D, layer.D, T(0));
    }
  });
}

template <typename T>
void MaskingLayer<T>::make_mask(bool* mask, const T* x, int64_t N, int64_t x_size) const {
  for_steps(*this, x, N * (x_size / D), [&](int64_t step, bool counts) { mask[step] = counts; });
}

template <typename T>
void MaskingLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  copy_steps(*this, to, given.x, given.x, N * parts_of(x_size, D));
}

template <typename T>
void MaskingLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  steps = N * parts_of(x_size, D);
  y = layout.take(steps * D);
}

template <typename T>
void MaskingLayer<T>::forward(T* buffer, Given<T> given) const {
  copy_steps(*this, buffer + y, given.x, given.x, steps);
}

template <typename T>
void MaskingLayer<T>::backward(T*, T*, Given<T> given, T* dy, T* dx, bool) const {
  if (dx) copy_steps(*this, dx, dy, given.x, steps);
}

// Normalization -------------------------------------------------------------------------------------------------------

template <typename T>
void NormalizationLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dgamma) pieces.push_back({dgamma, settings.columns});
  if (dbeta) pieces.push_back({dbeta, settings.columns});
}

template <typename T>
void NormalizationLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  Normalization<T> s = settings;
  s.rows = N * parts_of(x_size, s.columns);
  kernels().of<T>().normalize(s, to, given.x);
}

template <typename T>
void NormalizationLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  rows = N * parts_of(x_size, settings.columns);
  y = layout.take(N * x_size);
  standardized = layout.take(N * x_size);
  inverse = layout.take(rows);
}

template <typename T>
void NormalizationLayer<T>::forward(T* buffer, Given<T> given) const {
  Normalization<T> s = settings;
  s.rows = rows, s.standardized = buffer + standardized, s.inverse = buffer + inverse;
  kernels().of<T>().normalize(s, buffer + y, given.x);
}

template <typename T>
void NormalizationLayer<T>::backward(T* buffer, T*, Given<T>, T* dy, T* dx, bool fresh) const {
  Normalization<T> s = settings;
  s.rows = rows, s.standardized = buffer + standardized, s.inverse = buffer + inverse;
  if (fresh && dgamma) std::fill_n(dgamma, s.columns, T(0));
  if (fresh && dbeta) std::fill_n(dbeta, s.columns, T(0));
  kernels().of<T>().normalize_gradient(s, dx, dgamma, dbeta, dy);
}

// Batch normalization -------------------------------------------------------------------------------------------------

template <typename T>
void BatchNormalizationLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dgamma) pieces.push_back({dgamma, settings.columns});
  if (dbeta) pieces.push_back({dbeta, settings.columns});
}

template <typename T>
void BatchNormalizationLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  Normalization<T> s = settings;
  s.rows = N * parts_of(x_size, s.columns);
  kernels().of<T>().normalize_columns(s, to, mean, variance, given.x, false);
}

template <typename T>
void BatchNormalizationLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  rows = N * parts_of(x_size, settings.columns);
  y = layout.take(N * x_size);
  standardized = layout.take(N * x_size);
  inverse = layout.take(settings.columns);
  moments = layout.take(2 * settings.columns);
}

template <typename T>
Normalization<T> BatchNormalizationLayer<T>::placed(T* buffer) const {
  Normalization<T> s = settings;
  s.rows = rows, s.standardized = buffer + standardized, s.inverse = buffer + inverse;
  return s;
}

template <typename T>
void BatchNormalizationLayer<T>::forward(T* buffer, Given<T> given) const {
  T* own[] = {mean, variance};
  T* batch[] = {buffer + moments, buffer + moments + settings.columns};
  T** used = of_batch ? batch : own;
  kernels().of<T>().normalize_columns(placed(buffer), buffer + y, used[0], used[1], given.x, of_batch);
  const T kept = static_cast<T>(momentum), rest = static_cast<T>(1 - momentum);
  for (int i = 0; of_batch && i < 2; ++i) {
    for (int64_t j = 0; j < settings.columns; ++j) own[i][j] = own[i][j] * kept + batch[i][j] * rest;
  }
}

template <typename T>
void BatchNormalizationLayer<T>::backward(T* buffer, T*, Given<T>, T* dy, T* dx, bool fresh) const {
  if (fresh && dgamma) std::fill_n(dgamma, settings.columns, T(0));
  if (fresh && dbeta) std::fill_n(dbeta, settings.columns, T(0));
  kernels().of<T>().normalize_columns_gradient(placed(buffer), dx, dgamma, dbeta, dy, of_batch);
}

// Convolution ---------------------------------------------------------------------------------------------------------

Windows windows_of(Padding padding, int64_t timesteps, int64_t span, int64_t stride) {
  Windows found{};
  if (padding == Padding::same) {
    const int64_t total = std::max(((timesteps + stride - 1) / stride - 1) * stride + span - timesteps, int64_t{0});
    found.before = total / 2, found.after = total - total / 2;
  }
  if (padding == Padding::causal) found.before = span - 1;
  const int64_t reach = timesteps + found.before + found.after - span;
  if (reach < 0) throw std::invalid_argument("a layer has no whole window in its input");
  found.count = reach / stride + 1;
  return found;
}

// to (N, timesteps, D): the rows of x (N, steps, D), `stride` apart, after so many zeros, and zeros around.
template <typename T>
void spread(T* to, int64_t timesteps, int64_t before, int64_t stride, const T* x, int64_t N, int64_t steps, int64_t D) {
  std::fill_n(to, N * timesteps * D, T(0));
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t t = 0; t < steps; ++t) {
      copy(to + (n * timesteps + before + t * stride) * D, x + (n * steps + t) * D, D);
    }
  }
}

template <typename T>
Convolution<T> ConvolutionLayer<T>::placed(int64_t rows, int64_t elements) const {
  Convolution<T> s = settings;
  const int64_t steps = parts_of(elements, s.D);
  const Windows windows = windows_of(padding, steps, span(), s.stride);
  s.N = rows, s.timesteps = steps + windows.before + windows.after, s.steps = windows.count;
  return s;
}

template <typename T>
int64_t ConvolutionLayer<T>::padded_size(const Convolution<T>& s, int64_t elements) const {
  return s.timesteps == elements / s.D ? 0 : s.N * s.timesteps * s.D;
}

template <typename T>
void ConvolutionLayer<T>::run(const Convolution<T>& given, T* to, T* z, T* wide, const T* x, int64_t elements) const {
  Convolution<T> s = given;
  const int64_t steps = elements / s.D;
  s.x = x, s.y = z;
  if (padded_size(s, elements) > 0) {
    spread(wide, s.timesteps, windows_of(padding, steps, span(), s.stride).before, 1, x, s.N, steps, s.D);
    s.x = wide;
  }
  const KernelsOf<T>& table = kernels().of<T>();
  table.convolve(s);
  if (function != Function::linear) table.map(function, to, z, s.N * s.steps * s.F);
}

template <typename T>
void ConvolutionLayer<T>::infer(T* to, Given<T> given, int64_t rows, int64_t elements, T* scratch, States<T>) const {
  run(placed(rows, elements), to, to, scratch, given.x, elements);
}

template <typename T>
void ConvolutionLayer<T>::lay_out(Layout<T>& layout, int64_t rows, int64_t elements) {
  N = rows, x_size = elements;
  const Convolution<T> s = placed(N, x_size);
  const int64_t values = N * s.steps * s.F;
  padded = layout.take(padded_size(s, x_size));
  y = layout.take(values);
  product = has_gradient_by_output(function) ? y : layout.take(values);
}

template <typename T>
void ConvolutionLayer<T>::forward(T* buffer, Given<T> given) const {
  run(placed(N, x_size), buffer + y, buffer + product, buffer + padded, given.x, x_size);
}

template <typename T>
void ConvolutionLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dkernel) pieces.push_back({dkernel, settings.size * settings.D / settings.groups * settings.F});
  if (dbias) pieces.push_back({dbias, settings.F});
}

template <typename T>
int64_t ConvolutionLayer<T>::backward_scratch(int64_t rows, int64_t elements) const {
  const Convolution<T> s = placed(rows, elements);
  const int64_t wide = rows * (elements / s.D + span() - 1) * s.F, turned = s.size * s.F / s.groups * s.D;
  return std::max(rows * s.steps, wide + turned);
}

// Each input was seen by the windows that end after it: a convolution with the kernel turned round.
template <typename T>
void ConvolutionLayer<T>::input_gradient(const Convolution<T>& s, T* dx, T* scratch, const T* dz) const {
  const int64_t steps = x_size / s.D, features = s.D / s.groups, filters = s.F / s.groups;
  Convolution<T> t{};
  t.N = N, t.timesteps = steps + span() - 1, t.D = s.F, t.steps = steps, t.F = s.D;
  t.size = s.size, t.stride = 1, t.dilation = s.dilation, t.groups = s.groups;
  T* turned = scratch + N * t.timesteps * s.F;
  for (int64_t j = 0; j < s.size; ++j) {
    for (int64_t b = 0; b < filters; ++b) {
      for (int64_t d = 0; d < s.D; ++d) {
        const int64_t group = d / features, row = (s.size - 1 - j) * features + d % features;
        turned[(j * filters + b) * s.D + d] = s.kernel[row * s.F + group * filters + b];
      }
    }
  }
  const int64_t before = span() - 1 - windows_of(padding, steps, span(), s.stride).before;
  if (s.steps != t.timesteps) spread(scratch, t.timesteps, before, s.stride, dz, N, s.steps, s.F);
  t.x = s.steps != t.timesteps ? scratch : dz;
  t.y = dx, t.kernel = turned;
  kernels().of<T>().convolve(t);
}

template <typename T>
void ConvolutionLayer<T>::backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const {
  const KernelsOf<T>& table = kernels().of<T>();
  Convolution<T> s = placed(N, x_size);
  const int64_t rows = N * s.steps;
  if (function != Function::linear) {
    table.map_gradient(function, dy, dy, buffer + product, buffer + y, rows * s.F);
  }
  if (dbias) add_column_sums(dbias, dy, rows, s.F, scratch, fresh);
  if (dkernel) {
    if (fresh) std::fill_n(dkernel, s.size * s.D / s.groups * s.F, T(0));
    s.x = padded_size(s, x_size) > 0 ? buffer + padded : given.x;
    table.convolve_gradient(s, dkernel, dy);
  }
  if (dx) input_gradient(s, dx, scratch, dy);
}

// Pooling -------------------------------------------------------------------------------------------------------------

template <typename T>
Pooling<T> PoolingLayer<T>::placed(int64_t rows, int64_t elements) const {
  const int64_t steps = parts_of(elements, D), span = size > 0 ? size : steps;
  const Windows windows = windows_of(padding, steps, span, stride);
  return {kind, rows, steps, D, windows.count, span, stride, windows.before};
}

template <typename T>
void PoolingLayer<T>::infer(T* to, Given<T> given, int64_t rows, int64_t elements, T*, States<T>) const {
  kernels().of<T>().pool(placed(rows, elements), to, given.x);
}

template <typename T>
void PoolingLayer<T>::lay_out(Layout<T>& layout, int64_t rows, int64_t elements) {
  N = rows, x_size = elements;
  y = layout.take(N * output_size(x_size));
}

template <typename T>
void PoolingLayer<T>::forward(T* buffer, Given<T> given) const {
  kernels().of<T>().pool(placed(N, x_size), buffer + y, given.x);
}

template <typename T>
void PoolingLayer<T>::backward(T* buffer, T*, Given<T> given, T* dy, T* dx, bool) const {
  if (dx) kernels().of<T>().pool_gradient(placed(N, x_size), dx, dy, given.x, buffer + y);
}

// Repeat --------------------------------------------------------------------------------------------------------------

template <typename T>
void repeat(T* y, const T* x, int64_t N, int64_t features, int64_t n) {
  for (int64_t i = 0; i < N * n; ++i) copy(y + i * features, x + i / n * features, features);
}

template <typename T>
void RepeatLayer<T>::infer(T* to, Given<T> given, int64_t rows, int64_t x_size, T*, States<T>) const {
  repeat(to, given.x, rows, x_size, n);
}

template <typename T>
void RepeatLayer<T>::lay_out(Layout<T>& layout, int64_t batch, int64_t x_size) {
  N = batch, features = x_size;
  y = layout.take(N * n * features);
}

template <typename T>
void RepeatLayer<T>::forward(T* buffer, Given<T> given) const {
  repeat(buffer + y, given.x, N, features, n);
}

template <typename T>
void RepeatLayer<T>::backward(T*, T*, Given<T>, T* dy, T* dx, bool) const {
  for (int64_t row = 0; dx && row < N; ++row, dx += features, dy += n * features) {
    copy(dx, dy, features);
    for (int64_t t = 1; t < n; ++t) {
      for (int64_t j = 0; j < features; ++j) dx[j] += dy[t * features + j];
    }
  }
}

template struct RecurrentLayer<float>;
template struct RecurrentLayer<double>;
template struct BidirectionalLayer<float>;
template struct BidirectionalLayer<double>;
template struct DenseLayer<float>;
template struct DenseLayer<double>;
template struct FactorsLayer<float>;
template struct FactorsLayer<double>;
template struct EmbeddingLayer<float>;
template struct EmbeddingLayer<double>;
template struct MaskingLayer<float>;
template struct MaskingLayer<double>;
template struct NormalizationLayer<float>;
template struct NormalizationLayer<double>;
template struct BatchNormalizationLayer<float>;
template struct BatchNormalizationLayer<double>;
template struct ConvolutionLayer<float>;
template struct ConvolutionLayer<double>;
template struct PoolingLayer<float>;
template struct PoolingLayer<double>;
template struct RepeatLayer<float>;
template struct RepeatLayer<double>;

}  // namespace recurra
