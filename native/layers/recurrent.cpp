#include "recurrent.h"

#include <algorithm>

#include "../rows.h"
#include "products.h"

namespace recurra {

// Recurrent -----------------------------------------------------------------------------------------------------------

template <typename T>
int64_t RecurrentLayer<T>::output_size(int64_t x_size) const {
  const int64_t steps = parts_of(x_size, settings.D);
  return settings.return_sequences ? steps * settings.H : settings.H;
}

template <typename T>
void RecurrentLayer<T>::list_states(std::vector<KeptState<T>>& kept) const {
  kept.push_back({own_h, own_rows, settings.H});
  if (cell == Cell::lstm) kept.push_back({own_c, own_rows, settings.H});
}

template <typename T>
double RecurrentLayer<T>::flops(int64_t x_size) const {
  return product_flops(x_size / settings.D, settings.D + settings.H, gates_of(cell) * settings.H);
}

namespace {

template <typename T>
void run(const RecurrentLayer<T>& layer, const SequenceForward<T>& s) {
  const KernelsOf<T>& table = kernels().of<T>();
  const auto kernel = layer.cell == Cell::lstm  ? table.lstm_forward
                      : layer.cell == Cell::gru ? table.gru_forward
                                                : table.simple_rnn_forward;
  kernel(s);
}

}  // namespace

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
  if (states.kept && !own_h) states.before = nullptr;
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

// Calls f(mask, place in (N, T, D), place in (N, T, masks * D), factors) for the features of all timesteps.
template <typename T>
template <typename F>
void RecurrentLayer<T>::for_masks(F f) const {
  const int64_t D = settings.D, masks = dropout.input_masks;
  for (int64_t step = 0; step < N * timesteps; ++step) {
    for (int64_t mask = 0; mask < masks; ++mask) {
      f(mask, step * D, (step * masks + mask) * D, dropout.inputs + (mask * N + step / timesteps) * D);
    }
  }
}

// thin (N, T, masks * D) = x times each mask, side by side.
template <typename T>
void RecurrentLayer<T>::thin_inputs(T* thin, const T* x) const {
  for_masks([=, this](int64_t, int64_t at, int64_t thin_at, const T* factors) {
    for (int64_t j = 0; j < settings.D; ++j) thin[thin_at + j] = x[at + j] * factors[j];
  });
}

// dx (N, T, D) = the sum over masks of the gradients of what `thin_inputs` made, each times its mask; in place for one.
template <typename T>
void RecurrentLayer<T>::thin_gradient(T* dx, const T* of_thin) const {
  for_masks([=, this](int64_t mask, int64_t at, int64_t thin_at, const T* factors) {
    for (int64_t j = 0; j < settings.D; ++j) {
      dx[at + j] = (mask == 0 ? T(0) : dx[at + j]) + of_thin[thin_at + j] * factors[j];
    }
  });
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
  static_cast<Sequence<T>&>(s) = settings;
  s.N = N, s.T_ = timesteps;
  s.dx = dx, s.dh = scratch, s.dc = scratch + states;
  s.fresh = fresh, s.at_rest = !own_h, s.dkernel = dkernel, s.drecurrent = drecurrent, s.dbias = dbias;
  s.gates = buffer + gates, s.dy = dy, s.hs = buffer + hs, s.cs = buffer + cs;
  s.x = given.x, s.mask = given.mask;
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

namespace {

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

}  // namespace

template <typename T>
int64_t BidirectionalLayer<T>::output_size(int64_t x_size) const {
  return ahead.output_size(x_size) + (merge == Merge::concat ? back.output_size(x_size) : 0);
}

template <typename T>
void BidirectionalLayer<T>::list_states(std::vector<KeptState<T>>& kept) const {
  ahead.list_states(kept);
  back.list_states(kept);
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

template struct RecurrentLayer<float>;
template struct RecurrentLayer<double>;
template struct BidirectionalLayer<float>;
template struct BidirectionalLayer<double>;

}  // namespace recurra
