// Runs one case once, for tests/costs/costs.py to count its instructions under valgrind:
//   instructions CASE N T D H     forward and backward of a layer; `forward-CASE` as predict runs it, nothing kept
//   instructions adam SIZE
// Prints how many vectors it must multiply and add, or with adam update, at the very least.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "dispatch.h"

// What valgrind counts: a function with a name of its own.
extern "C" __attribute__((noinline)) void measured(const std::function<void()>& work) { work(); }

namespace {

using recurra::Function;
using Floats = std::vector<float>;

Floats floats(int64_t length, float size) {
  Floats values(length);
  uint32_t state = 1;
  for (float& value : values) value = size * (float((state = state * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1);
  return values;
}

// What forward and backward have in common. The first layer of a model, the one with D = 1 here, needs no dx.
template <typename S>
S sequence(int64_t N, int64_t T, int64_t D, int64_t H, bool reset_after) {
  S s{};
  s.N = N, s.T_ = T, s.D = D, s.H = H;
  s.activation = Function::tanh, s.recurrent_activation = Function::sigmoid;
  s.reset_after = reset_after, s.return_sequences = true;
  return s;
}

double run_layer(std::string layer, int64_t N, int64_t T, int64_t D, int64_t H) {
  const auto& table = recurra::kernels().of_float;
  const bool training = layer.rfind("forward-", 0) != 0;
  if (!training) layer = layer.substr(8);
  const bool is_gru = layer.rfind("gru", 0) == 0, is_lstm = layer == "lstm";
  const int64_t G = is_gru ? 3 : is_lstm ? 4 : 1;
  const auto x = floats(N * T * D, 1), kernel = floats(D * G * H, 1), bias = floats((is_gru ? 2 : 1) * G * H, 1);
  const auto recurrent = floats(H * G * H, 1 / std::sqrt(float(H))), dy = floats(N * T * H, 1);
  Floats y(N * T * H), h(N * H), c(N * H), gates(T * N * 4 * H), hs((T + 1) * N * H), cs((T + 1) * N * H);
  Floats dx(N * T * D), dh(N * H), dc(N * H), dkernel(kernel.size()), drecurrent(recurrent.size()), dbias(bias.size());

  auto forward = sequence<recurra::SequenceForward<float>>(N, T, D, H, layer == "gru");
  forward.y = y.data(), forward.h = h.data(), forward.c = is_lstm ? c.data() : nullptr;
  forward.x = x.data(), forward.kernel = kernel.data(), forward.recurrent = recurrent.data();
  forward.bias = bias.data();
  if (training) {
    forward.gates = G == 1 ? nullptr : gates.data(), forward.hs = hs.data(), forward.cs = is_lstm ? cs.data() : nullptr;
  }
  auto backward = sequence<recurra::SequenceBackward<float>>(N, T, D, H, layer == "gru");
  backward.dx = D == 1 ? nullptr : dx.data(), backward.dh = dh.data(), backward.dc = is_lstm ? dc.data() : nullptr;
  backward.at_rest = true, backward.dkernel = dkernel.data(), backward.drecurrent = drecurrent.data(),
  backward.dbias = dbias.data();
  backward.gates = gates.data(), backward.dy = dy.data(), backward.hs = hs.data(), backward.cs = cs.data();
  backward.x = x.data(), backward.kernel = kernel.data(), backward.recurrent = recurrent.data();

  const auto run_forward = is_gru ? table.gru_forward : is_lstm ? table.lstm_forward : table.simple_rnn_forward;
  const auto run_backward = is_gru ? table.gru_backward : is_lstm ? table.lstm_backward : table.simple_rnn_backward;
  measured([&] {
    run_forward(forward);
    if (training) run_backward(backward);
  });
  // Products with D: forward, dkernel, dx; products with H: forward, dh, drecurrent.
  const int64_t depth = training ? 3 * H + (D == 1 ? 2 : 3) * D : H + D;
  return double(N * T * G * H * depth) / recurra::kernels().float32_lanes;
}

double run_adam(int64_t size) {
  Floats w = floats(size, 1), m = floats(size, 1), v(size, 1.0f);
  const Floats g = floats(size, 1);
  measured([&] {
    recurra::kernels().of_float.adam(
        {{size, w.data(), g.data(), 0.01f}, m.data(), v.data(), nullptr, 0.01f, 0.1f, 0.001f, 1e-7f});
  });
  return double(size) / recurra::kernels().float32_lanes;
}

}  // namespace

int main(int count, char** words) {
  const auto number = [&](int i) { return std::strtoll(words[i], nullptr, 10); };
  if (count == 3 && std::string(words[1]) == "adam") {
    std::printf("%.17g\n", run_adam(number(2)));
  } else if (count == 6) {
    std::printf("%.17g\n", run_layer(words[1], number(2), number(3), number(4), number(5)));
  } else {
    std::fprintf(stderr, "usage: instructions CASE N T D H | instructions adam SIZE\n");
    return 2;
  }
  return 0;
}
