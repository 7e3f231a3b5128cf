// The ten golden runs over the kernel table alone: every kind of layer in float and in double, forward and backward
// over five shapes, then fifty training steps. tests/golden/runs.py does the same through recurra's layers;
// tests/golden/bits.txt keeps the hashes that both must give.
#pragma once

#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <vector>

#include "dispatch.h"

namespace golden {

using recurra::Function;

template <typename T>
using Values = std::vector<T>;

// Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014): splitmix64.
struct Random {
  uint64_t state = 1;

  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

  // In [-size, size): 24 bits, scaled in double and rounded to T.
  template <typename T>
  Values<T> array(int64_t length, double size) {
    Values<T> values(length);
    for (T& value : values) value = T((double(next() >> 40) / (1 << 23) - 1) * size);
    return values;
  }

  // Three of four count.
  std::vector<unsigned char> mask(int64_t length) {
    std::vector<unsigned char> steps(length);
    for (auto& step : steps) step = next() % 4 != 0;
    return steps;
  }
};

// CRC-32 over the bytes of arrays, as zlib has it.
struct Hash {
  uint32_t value = 0;

  template <typename T>
  void add(const Values<T>& array) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(array.data());
    uint32_t rest = ~value;
    for (size_t i = 0; i < array.size() * sizeof(T); ++i) {
      rest ^= bytes[i];
      for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ (rest & 1 ? 0xedb88320u : 0);
    }
    value = ~rest;
  }

  template <typename T>
  void add(std::initializer_list<const Values<T>*> arrays) {
    for (const auto* array : arrays) add(*array);
  }
};

template <typename T>
void print(const char* what, const char* part, const Hash& hash) {
  std::printf("%s %s%s %08x\n", what, sizeof(T) == 4 ? "float32" : "float64", part, static_cast<unsigned>(hash.value));
}

enum class Cell { simple_rnn, lstm, gru, gru_reset_before };

// Letters: N batch, L timesteps, D features, H units, G gates, as in kernels.h.
template <typename T>
struct Batch {
  int64_t N, L;
  const T* x;        // (N, L, D)
  const bool* mask;  // (N, L) or null
  bool sequences;    // whether all timesteps are the output, or the last
};

// A recurrent layer of one direction, with the results of its last run.
template <typename T>
struct Direction {
  Cell cell;
  int64_t D, H;
  bool go_backwards, zero_output_for_mask;
  Values<T> kernel, recurrent, bias, dkernel, drecurrent, dbias;
  Values<T> h0, c0, dh, dc;  // initial states or empty; gradients of the final states, then of the initial ones
  Values<T> y, h, c, gates, hs, cs, dx;

  bool has_c() const { return cell == Cell::lstm; }
  int64_t G() const { return cell == Cell::simple_rnn ? 1 : cell == Cell::lstm ? 4 : 3; }

  void draw_weights(Random& random) {
    kernel = random.array<T>(D * G() * H, 1);
    recurrent = random.array<T>(H * G() * H, 1 / std::sqrt(double(H)));
    bias = random.array<T>((cell == Cell::gru ? 2 : 1) * G() * H, 1);
    zero_gradients();
  }
  void zero_gradients() {
    dkernel.assign(kernel.size(), 0);
    drecurrent.assign(recurrent.size(), 0);
    dbias.assign(bias.size(), 0);
  }

  // What forward and backward runs have in common.
  template <typename Run>
  void describe(Run& s, const Batch<T>& batch) const {
    s.N = batch.N, s.T_ = batch.L, s.D = D, s.H = H;
    s.activation = Function::tanh, s.recurrent_activation = Function::sigmoid;
    s.reset_after = cell == Cell::gru;
    s.go_backwards = go_backwards, s.zero_output_for_mask = zero_output_for_mask, s.return_sequences = batch.sequences;
    s.x = batch.x, s.kernel = kernel.data(), s.recurrent = recurrent.data(), s.mask = batch.mask;
  }

  void forward(const Batch<T>& batch) {
    const int64_t size = batch.N * H;
    y.assign(batch.sequences ? batch.L * size : size, 0);
    h.assign(size, 0), c.assign(size, 0), gates.assign(batch.L * 4 * size, 0);
    hs.assign((batch.L + 1) * size, 0), cs.assign((batch.L + 1) * size, 0);
    recurra::SequenceForward<T> s{};
    describe(s, batch);
    s.y = y.data(), s.h = h.data(), s.c = c.data(), s.gates = gates.data(), s.hs = hs.data(), s.cs = cs.data();
    s.bias = bias.data(), s.h0 = h0.empty() ? nullptr : h0.data(), s.c0 = c0.empty() ? nullptr : c0.data();
    const auto& table = recurra::kernels().of<T>();
    const auto run = cell == Cell::simple_rnn ? table.simple_rnn_forward
                     : cell == Cell::lstm     ? table.lstm_forward
                                              : table.gru_forward;
    run(s);
  }

  void backward(const Batch<T>& batch, const T* dy, bool need_dx) {
    dx.assign(need_dx ? batch.N * batch.L * D : 0, 0);
    dh.resize(batch.N * H), dc.resize(batch.N * H);
    recurra::SequenceBackward<T> s{};
    describe(s, batch);
    s.dx = need_dx ? dx.data() : nullptr, s.dh = dh.data(), s.dc = dc.data(), s.dy = dy;
    s.dkernel = dkernel.data(), s.drecurrent = drecurrent.data(), s.dbias = dbias.data();
    s.gates = gates.data(), s.hs = hs.data(), s.cs = cs.data();
    const auto& table = recurra::kernels().of<T>();
    const auto run = cell == Cell::simple_rnn ? table.simple_rnn_backward
                     : cell == Cell::lstm     ? table.lstm_backward
                                              : table.gru_backward;
    run(s);
  }
};

// One direction, or two whose outputs lie side by side: Bidirectional with merge_mode="concat".
template <typename T>
struct Layer {
  std::vector<Direction<T>> directions;
  Values<T> y, dx;

  Layer(Cell cell, bool bidirectional, int64_t D, int64_t H, bool go_backwards, bool sequences, Random& random) {
    for (int i = 0; i <= bidirectional; ++i) {
      Direction<T> direction{};
      direction.cell = cell, direction.D = D, direction.H = H;
      direction.go_backwards = i == 1 || go_backwards;
      direction.zero_output_for_mask = bidirectional && sequences;
      direction.draw_weights(random);
      directions.push_back(direction);
    }
  }
  int64_t width() const { return static_cast<int64_t>(directions.size()) * directions[0].H; }

  // f(element of the merged output, element of direction d's own): the second one's sequence is turned round.
  template <typename F>
  void for_output(const Batch<T>& batch, F f) const {
    const int64_t H = directions[0].H, steps = batch.sequences ? batch.L : 1;
    for (int64_t d = 0; d < static_cast<int64_t>(directions.size()); ++d)
      for (int64_t n = 0; n < batch.N; ++n)
        for (int64_t t = 0; t < steps; ++t)
          for (int64_t u = 0; u < H; ++u)
            f(((n * steps + t) * width() + d * H + u), d, (n * steps + (d ? steps - 1 - t : t)) * H + u);
  }

  void forward(const Batch<T>& batch) {
    for (auto& direction : directions) direction.forward(batch);
    y.assign(directions[0].y.size() * directions.size(), 0);
    for_output(batch, [&](int64_t whole, int64_t d, int64_t own) { y[whole] = directions[d].y[own]; });
  }

  void backward(const Batch<T>& batch, const Values<T>& dy, bool need_dx) {
    Values<T> parts[2];
    for (size_t d = 0; d < directions.size(); ++d) parts[d].resize(directions[d].y.size());
    for_output(batch, [&](int64_t whole, int64_t d, int64_t own) { parts[d][own] = dy[whole]; });
    for (size_t d = 0; d < directions.size(); ++d) directions[d].backward(batch, parts[d].data(), need_dx);
    dx = directions[0].dx;
    if (directions.size() == 2)
      for (size_t i = 0; i < dx.size(); ++i) dx[i] = dx[i] + directions[1].dx[i];
  }
};

struct Shape {
  int64_t N, L, D, H;
  bool masked, go_backwards;
};

template <typename T>
void check_passes(const char* name, Cell cell, bool bidirectional, Random& random) {
  Hash forward, backward;
  for (const Shape& shape : {Shape{1, 3, 1, 1, false, false},
                             {5, 7, 3, 17, true, false},
                             {33, 4, 9, 64, false, true},
                             {70, 5, 2, 37, true, true},
                             {6, 4, 1, 300, false, false}}) {
    const int64_t N = shape.N, L = shape.L, H = shape.H;
    Layer<T> layer(cell, bidirectional, shape.D, H, shape.go_backwards && !bidirectional, true, random);
    const auto x = random.array<T>(N * L * shape.D, 2), dy = random.array<T>(N * L * layer.width(), 1);
    for (auto& direction : layer.directions) {
      direction.h0 = random.array<T>(N * H, 1), direction.dh = random.array<T>(N * H, 1);
      if (direction.has_c()) direction.c0 = random.array<T>(N * H, 1), direction.dc = random.array<T>(N * H, 1);
    }
    const auto mask = random.mask(shape.masked ? N * L : 0);
    const Batch<T> batch{N, L, x.data(), shape.masked ? reinterpret_cast<const bool*>(mask.data()) : nullptr, true};

    layer.forward(batch);
    forward.add(layer.y);
    for (const auto& direction : layer.directions) {
      forward.add(direction.h);
      if (direction.has_c()) forward.add(direction.c);
    }
    layer.backward(batch, dy, true);
    backward.add(layer.dx);
    for (const auto& direction : layer.directions) {
      backward.add(direction.dh);
      if (direction.has_c()) backward.add(direction.dc);
    }
    for (const auto& direction : layer.directions)
      backward.add({&direction.dkernel, &direction.drecurrent, &direction.dbias});
  }
  print<T>(name, " forward", forward);
  print<T>(name, " backward", backward);
}

// base^exponent, a product of squares: the same bits everywhere, which libm's pow does not promise.
inline double power(double base, int exponent) {
  double result = 1;
  for (; exponent; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}

// One array of weights under Adam with Keras's defaults and a learning rate of 0.01.
template <typename T>
struct Adam {
  Values<T> m, v;

  void update(Values<T>& w, const Values<T>& g, int step) {
    m.resize(w.size()), v.resize(w.size());
    const T root = std::sqrt(T(1) - T(power(double(0.999f), step)));
    const T alpha = T(0.01f) * root / (T(1) - T(power(double(0.9f), step)));
    recurra::kernels().of<T>().adam({{static_cast<int64_t>(w.size()), w.data(), g.data(), T(0)},
                                     m.data(),
                                     v.data(),
                                     nullptr,
                                     alpha,
                                     T(1 - 0.9),
                                     T(1 - 0.999),
                                     T(1e-7)});
  }
};

// Fifty steps of the layer's last output, Dense(1), mean squared error and Adam: ten times over 36 rows by eight, so
// that the last batch of each round is smaller. Batches are powers of two: dividing by them is exact in any order.
template <typename T>
void check_training(const char* name, Cell cell, bool bidirectional, Random& random) {
  constexpr int64_t rows = 36, L = 5, D = 3, H = 33;
  const auto& table = recurra::kernels().of<T>();
  Layer<T> layer(cell, bidirectional, D, H, false, false, random);
  const int64_t width = layer.width();
  auto kernel = random.array<T>(width, 0.25), bias = random.array<T>(1, 0.25);
  const auto x = random.array<T>(rows * L * D, 2), target = random.array<T>(rows, 1);
  std::vector<Values<T>*> weights, gradients;
  Values<T> dkernel(width), dbias(1);
  for (auto& direction : layer.directions) {
    for (auto* w : {&direction.kernel, &direction.recurrent, &direction.bias}) weights.push_back(w);
    for (auto* g : {&direction.dkernel, &direction.drecurrent, &direction.dbias}) gradients.push_back(g);
  }
  for (auto* w : {&kernel, &bias}) weights.push_back(w);
  for (auto* g : {&dkernel, &dbias}) gradients.push_back(g);

  const auto predict = [&](const Batch<T>& batch) {
    layer.forward(batch);
    Values<T> prediction(batch.N);
    table.matmul(
        {batch.N, 1, width, false, false, false, prediction.data(), layer.y.data(), kernel.data(), bias.data()});
    return prediction;
  };
  std::vector<Adam<T>> optimizer(weights.size());
  int step = 0;
  for (int round = 0; round < 10; ++round) {
    for (int64_t first = 0; first < rows; first += 8) {
      const int64_t N = rows - first < 8 ? rows - first : 8;
      const Batch<T> batch{N, L, x.data() + first * L * D, nullptr, false};
      auto dz = predict(batch);
      for (int64_t n = 0; n < N; ++n) dz[n] = 2 * (dz[n] - target[first + n]) / T(N);
      for (auto& direction : layer.directions) direction.zero_gradients(), direction.dh.clear(), direction.dc.clear();
      dkernel.assign(width, 0), dbias.assign(1, 0);
      const Values<T> ones(N, T(1));
      Values<T> dy(N * width);
      table.matmul({width, 1, N, true, false, true, dkernel.data(), layer.y.data(), dz.data(), nullptr});
      table.matmul({1, 1, N, false, false, true, dbias.data(), ones.data(), dz.data(), nullptr});
      table.matmul({N, width, 1, false, true, false, dy.data(), dz.data(), kernel.data(), nullptr});
      layer.backward(batch, dy, false);
      ++step;
      for (size_t i = 0; i < weights.size(); ++i) optimizer[i].update(*weights[i], *gradients[i], step);
    }
  }
  Hash hash;
  for (const auto* w : weights) hash.add(*w);
  hash.add(predict({rows, L, x.data(), nullptr, false}));
  print<T>(name, " training", hash);
}

template <typename T>
void run(const char* name, Cell cell, bool bidirectional = false) {
  Random random;
  check_passes<T>(name, cell, bidirectional, random);
  check_training<T>(name, cell, bidirectional, random);
}

template <typename T>
void run_all() {
  run<T>("simple_rnn", Cell::simple_rnn);
  run<T>("lstm", Cell::lstm);
  run<T>("gru", Cell::gru);
  run<T>("gru_reset_before", Cell::gru_reset_before);
  run<T>("bidirectional_lstm", Cell::lstm, true);
}

}  // namespace golden
