// Prints one hash of the results of each kernel, without Python: to compare targets, thread counts and machines.
// run_bits_check.sh does so. Numbers come from a generator of its own, so that every machine sees the same.
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <vector>

#include "dispatch.h"
#include "parallel.h"

namespace {

using recurra::Function;

// Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014): splitmix64.
struct Random {
  uint64_t state = 1;

  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

  // In [-size, size), 24 bits: exact in float and in double.
  template <typename T>
  std::vector<T> array(int64_t length, double size) {
    std::vector<T> values(length);
    for (T& value : values) value = T((double(next() >> 40) / (1 << 23) - 1) * size);
    return values;
  }
};

// FNV-1a over the bytes of arrays.
struct Hash {
  uint64_t value = 0xcbf29ce484222325ull;

  template <typename T>
  void add(const std::vector<T>& array) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(array.data());
    for (size_t i = 0; i < array.size() * sizeof(T); ++i) value = (value ^ bytes[i]) * 0x100000001b3ull;
  }
};

template <typename T>
const char* name_of() {
  return sizeof(T) == 4 ? "float32" : "float64";
}

template <typename T>
void print(const char* what, const Hash& hash) {
  std::printf("%-22s %s %016llx\n", what, name_of<T>(), static_cast<unsigned long long>(hash.value));
}

enum class Layer { simple_rnn, lstm, gru, gru_reset_before };

// Forward and backward over sizes that are no multiples of a register, with initial states, half of them with a mask.
template <typename T>
void check_layer(const char* what, Layer layer) {
  const auto& table = recurra::kernels().of<T>();
  const bool is_gru = layer == Layer::gru || layer == Layer::gru_reset_before;
  const int64_t G = layer == Layer::simple_rnn ? 1 : is_gru ? 3 : 4;
  Hash hash;
  Random random;
  int round = 0;
  for (auto [N, L, D, H] : {std::array<int64_t, 4>{1, 3, 1, 1}, {5, 7, 3, 17}, {33, 4, 9, 64}, {70, 5, 2, 37}}) {
    const double size = 1 / std::sqrt(double(H));
    const auto x = random.array<T>(N * L * D, 2), kernel = random.array<T>(D * G * H, 1);
    const auto recurrent = random.array<T>(H * G * H, size), bias = random.array<T>((is_gru ? 2 : 1) * G * H, 1);
    const auto h0 = random.array<T>(N * H, 1), c0 = random.array<T>(N * H, 1), dy = random.array<T>(N * L * H, 1);
    std::vector<unsigned char> mask(N * L);
    for (auto& step : mask) step = random.next() % 4 != 0;
    const bool* masked = round++ % 2 ? reinterpret_cast<const bool*>(mask.data()) : nullptr;
    std::vector<T> y(N * L * H), h(N * H), c(N * H), gates(L * N * 4 * H), hs((L + 1) * N * H), cs((L + 1) * N * H);
    const recurra::SequenceForward<T> forward{N,
                                              L,
                                              D,
                                              H,
                                              Function::tanh,
                                              Function::sigmoid,
                                              layer == Layer::gru,
                                              round % 3 == 0,
                                              false,
                                              true,
                                              y.data(),
                                              h.data(),
                                              c.data(),
                                              gates.data(),
                                              hs.data(),
                                              cs.data(),
                                              x.data(),
                                              kernel.data(),
                                              recurrent.data(),
                                              bias.data(),
                                              h0.data(),
                                              c0.data(),
                                              masked};
    std::vector<T> dx(N * L * D), dh(N * H), dc(N * H), dkernel(D * G * H), drecurrent(H * G * H), dbias(bias.size());
    const recurra::SequenceBackward<T> backward{N,
                                                L,
                                                D,
                                                H,
                                                Function::tanh,
                                                Function::sigmoid,
                                                layer == Layer::gru,
                                                round % 3 == 0,
                                                false,
                                                true,
                                                dx.data(),
                                                dh.data(),
                                                dc.data(),
                                                dkernel.data(),
                                                drecurrent.data(),
                                                dbias.data(),
                                                gates.data(),
                                                dy.data(),
                                                hs.data(),
                                                cs.data(),
                                                x.data(),
                                                kernel.data(),
                                                recurrent.data(),
                                                masked};
    const auto run_forward = is_gru                       ? table.gru_forward
                             : layer == Layer::simple_rnn ? table.simple_rnn_forward
                                                          : table.lstm_forward;
    const auto run_backward = is_gru                       ? table.gru_backward
                              : layer == Layer::simple_rnn ? table.simple_rnn_backward
                                                           : table.lstm_backward;
    run_forward(forward);
    for (const auto* array : {&y, &h, &hs}) hash.add(*array);
    run_backward(backward);
    for (const auto* array : {&dx, &dh, &dkernel, &drecurrent, &dbias}) hash.add(*array);
    if (layer == Layer::lstm)
      for (const auto* array : {&c, &cs, &dc}) hash.add(*array);
  }
  print<T>(what, hash);
}

template <typename T>
void check_functions() {
  static const char* names[recurra::kFunctions] = {
      "linear",      "tanh", "sigmoid",  "hard_sigmoid", "relu",
      "elu",         "selu", "softplus", "softsign",     "silu",
      "exponential", "gelu", "log",      "erf",          "expm1_nonpositive"};
  const auto& table = recurra::kernels().of<T>();
  for (int i = 0; i < recurra::kFunctions; ++i) {
    Random random;
    Hash hash;
    for (double size : {1.0, 20.0}) {
      auto x = random.array<T>(5003, size);
      const auto function = static_cast<Function>(i);
      if (function == Function::log || function == Function::expm1_nonpositive)
        for (T& value : x) value = function == Function::log ? std::abs(value) : -std::abs(value);
      std::vector<T> y(x.size()), dx(x.size());
      table.map(function, y.data(), x.data(), x.size());
      hash.add(y);
      if (i >= recurra::kDifferentiableFunctions) continue;
      const auto dy = random.array<T>(x.size(), 1);
      table.map_gradient(function, dx.data(), dy.data(), x.data(), y.data(), x.size());
      hash.add(dx);
    }
    print<T>(names[i], hash);
  }
}

template <typename T>
void check_the_rest() {
  const auto& table = recurra::kernels().of<T>();
  Random random;
  Hash products;
  for (auto [M, N, K] : {std::array<int64_t, 3>{1, 1, 1}, {7, 5, 3}, {70, 37, 129}, {130, 300, 17}}) {
    const auto a = random.array<T>(M * K, 1), b = random.array<T>(K * N, 1), bias = random.array<T>(N, 1);
    for (int variant = 0; variant < 8; ++variant) {
      std::vector<T> out(M * N, T(0.5));
      const bool accumulate = variant & 4;
      table.matmul({M, N, K, (variant & 1) != 0, (variant & 2) != 0, accumulate, out.data(), a.data(), b.data(),
                    accumulate ? nullptr : bias.data()});
      products.add(out);
    }
  }
  print<T>("matmul", products);

  Hash rows;
  const auto scores = random.array<T>(31 * 19, 8), dy = random.array<T>(31 * 19, 1);
  for (bool logarithm : {false, true}) {
    std::vector<T> y(scores.size()), dx(scores.size());
    table.softmax(y.data(), scores.data(), 31, 19, logarithm);
    table.softmax_gradient(dx.data(), dy.data(), y.data(), 31, 19, logarithm);
    rows.add(y);
    rows.add(dx);
  }
  print<T>("softmax", rows);

  Hash updates;
  auto w = random.array<T>(100003, 1), m = random.array<T>(100003, 1), v = random.array<T>(100003, 1);
  const auto g = random.array<T>(100003, 1);
  for (T& value : v) value = std::abs(value);
  for (int step = 0; step < 3; ++step)
    table.adam({100003, w.data(), m.data(), v.data(), nullptr, g.data(), T(0.01), T(0.1), T(0.001), T(1e-7)});
  for (const auto* array : {&w, &m, &v}) updates.add(*array);
  updates.add(std::vector<double>{table.sum_of_squares(g.data(), 100003)});
  print<T>("adam, sum of squares", updates);
}

template <typename T>
void check() {
  check_layer<T>("simple_rnn", Layer::simple_rnn);
  check_layer<T>("lstm", Layer::lstm);
  check_layer<T>("gru", Layer::gru);
  check_layer<T>("gru, reset before", Layer::gru_reset_before);
  check_functions<T>();
  check_the_rest<T>();
}

}  // namespace

int main() {
  try {
    std::fprintf(stderr, "target %s, %d threads\n", recurra::kernels().name, recurra::get_num_threads());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  check<float>();
  check<double>();
  return 0;
}
