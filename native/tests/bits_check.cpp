// Prints the hashes of tests/golden/bits.txt, without Python: of the golden runs, then of every kernel that is not in
// them. run_bits_check.sh compares them over targets and thread counts. Numbers come from a generator of its own, so
// that every machine sees the same.
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

#include "dispatch.h"
#include "golden_runs.h"
#include "parallel.h"

namespace {

using golden::Hash;
using golden::Random;
using recurra::Function;

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
    golden::print<T>(names[i], "", hash);
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
  golden::print<T>("matmul", "", products);

  Hash rows;
  const auto scores = random.array<T>(31 * 19, 8), dy = random.array<T>(31 * 19, 1);
  for (bool logarithm : {false, true}) {
    std::vector<T> y(scores.size()), dx(scores.size());
    table.softmax(y.data(), scores.data(), 31, 19, logarithm);
    table.softmax_gradient(dx.data(), dy.data(), y.data(), 31, 19, logarithm);
    rows.add(y);
    rows.add(dx);
  }
  golden::print<T>("softmax", "", rows);

  Hash updates;
  auto w = random.array<T>(100003, 1), m = random.array<T>(100003, 1), v = random.array<T>(100003, 1);
  const auto g = random.array<T>(100003, 1);
  for (T& value : v) value = std::abs(value);
  for (int step = 0; step < 3; ++step)
    table.adam(
        {{100003, w.data(), g.data(), T(0.01)}, m.data(), v.data(), nullptr, T(0.01), T(0.1), T(0.001), T(1e-7)});
  updates.add({&w, &m, &v});
  updates.add(std::vector<double>{table.sum_of_squares(g.data(), 100003)});
  golden::print<T>("adam_and_sum_of_squares", "", updates);

  Hash losses;
  std::vector<T> dloss(g.size());
  recurra::Loss<T> loss{};
  loss.delta = 0.7, loss.epsilon = 1e-7, loss.label_smoothing = 0.1;
  const auto add_loss = [&](Hash& hash, recurra::LossKind kind) {
    loss.kind = kind;
    loss.total = static_cast<double>(loss.rows());
    hash.add(std::vector<double>{table.loss(loss)});
    hash.add({&dloss});
  };
  loss.size = 100003, loss.columns = 1, loss.dy = dloss.data(), loss.y = g.data(), loss.target = w.data();
  for (const auto kind : {recurra::LossKind::squared, recurra::LossKind::absolute, recurra::LossKind::huber}) {
    add_loss(losses, kind);
  }
  golden::print<T>("losses", "", losses);

  Hash of_rows;
  const std::vector<T> quantiles{T(0.1), T(0.5), T(0.9)};
  std::vector<T> labels;
  for (int i = 0; i < 3003; ++i) labels.push_back(static_cast<T>(i % 33));
  loss.quantiles = quantiles.data();
  loss.size = 99099;
  loss.columns = 3;
  add_loss(of_rows, recurra::LossKind::pinball);
  loss.columns = 33;
  std::vector<T> probabilities(g.size());
  table.softmax(probabilities.data(), g.data(), 3003, 33, false);
  for (const bool from_logits : {false, true}) {
    loss.from_logits = from_logits;
    loss.y = from_logits ? g.data() : probabilities.data();
    loss.target = probabilities.data();
    add_loss(of_rows, recurra::LossKind::binary_crossentropy);
    add_loss(of_rows, recurra::LossKind::categorical_crossentropy);
    loss.target = labels.data();
    add_loss(of_rows, recurra::LossKind::sparse_categorical_crossentropy);
  }
  golden::print<T>("crossentropies_and_pinball", "", of_rows);

  Hash weighted;
  loss.weights = w.data();
  loss.target = probabilities.data();
  for (const auto kind : {recurra::LossKind::squared, recurra::LossKind::categorical_crossentropy}) {
    add_loss(weighted, kind);
  }
  golden::print<T>("weighted_losses", "", weighted);

  Hash convolutions;
  const auto signal = random.array<T>(3 * 300 * 12, 1), filters = random.array<T>(5 * 12 * 36, 1);
  for (const auto& [stride, dilation, groups] : {std::array<int64_t, 3>{1, 1, 1}, {2, 1, 3}, {1, 3, 2}}) {
    recurra::Convolution<T> s{};
    s.N = 3, s.timesteps = 300, s.D = 12, s.F = 36;
    s.size = 5, s.stride = stride, s.dilation = dilation, s.groups = groups;
    s.steps = (300 - 4 * dilation - 1) / stride + 1;
    std::vector<T> y(static_cast<size_t>(s.N * s.steps * s.F));
    std::vector<T> dkernel(static_cast<size_t>(s.size * s.D / groups * s.F));
    s.y = y.data(), s.x = signal.data(), s.kernel = filters.data(), s.bias = filters.data();
    table.convolve(s);
    table.convolve_gradient(s, dkernel.data(), y.data());
    convolutions.add({&y, &dkernel});
  }
  golden::print<T>("convolutions", "", convolutions);

  Hash normalized;
  std::vector<T> standardized(signal.size()), output(signal.size()), inverse(300), gradient(signal.size());
  std::vector<T> dgamma(36), dbeta(36);
  const recurra::Normalization<T> settings{
      300, 36, 1e-3, filters.data(), filters.data() + 36, inverse.data(), standardized.data()};
  table.normalize(settings, output.data(), signal.data());
  table.normalize_gradient(settings, gradient.data(), dgamma.data(), dbeta.data(), output.data());
  normalized.add({&output, &standardized, &inverse, &gradient, &dgamma, &dbeta});
  golden::print<T>("normalization", "", normalized);

  Hash others;
  const recurra::Update<T> changed{100003, w.data(), g.data(), T(0.01), T(0.7), T(0.5), T(0.1)};
  std::vector<T> average(w.size());
  for (const bool centered : {false, true}) {
    recurra::RMSprop<T> s{changed, v.data(), nullptr, nullptr, T(0.9), T(0.1), T(0.3), T(1e-7)};
    if (centered) s.m = m.data(), s.average = average.data();
    table.rmsprop(s);
    others.add({&w, &m, &v, &average});
  }
  for (const bool nesterov : {false, true}) {
    table.sgd({changed, m.data(), T(0.9), nesterov});
    others.add({&w, &m});
  }
  golden::print<T>("rmsprop_and_sgd", "", others);

  Hash columns;
  std::vector<T> moments[] = {std::vector<T>(36, T(0.1)), std::vector<T>(36, T(0.9))};
  for (const bool of_batch : {false, true}) {
    table.normalize_columns(settings, output.data(), moments[0].data(), moments[1].data(), signal.data(), of_batch);
    table.normalize_columns_gradient(settings, gradient.data(), dgamma.data(), dbeta.data(), output.data(), of_batch);
    columns.add({&output, &standardized, &inverse, &gradient, &dgamma, &dbeta, &moments[0], &moments[1]});
  }
  golden::print<T>("normalization_of_columns", "", columns);

  Hash pooled;
  for (const auto kind : {recurra::PoolKind::mean, recurra::PoolKind::first_max, recurra::PoolKind::shared_max}) {
    const recurra::Pooling<T> s{kind, 3, 300, 12, 100, 5, 3, 1};
    std::vector<T> y(3 * 100 * 12), dx(signal.size());
    table.pool(s, y.data(), signal.data());
    table.pool_gradient(s, dx.data(), y.data(), signal.data(), y.data());
    pooled.add({&y, &dx});
  }
  golden::print<T>("pooling", "", pooled);
}

template <typename T>
void check() {
  check_functions<T>();
  check_the_rest<T>();
}

}  // namespace

// With --target it only says on standard error which target it would run.
int main(int count, char**) {
  try {
    const auto& kernels = recurra::kernels();
    std::fprintf(stderr, "target %s, %d threads%s\n", kernels.name, recurra::get_num_threads(),
                 kernels.hardware_fma ? "" : ", rounds fma twice");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  if (count > 1) return 0;
  const recurra::FlushDenormals flush;
  golden::run_all<float>();
  golden::run_all<double>();
  check<float>();
  check<double>();
  return 0;
}
