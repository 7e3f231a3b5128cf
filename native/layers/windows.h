// Windows along time.
#pragma once

#include <algorithm>

#include "layer.h"

namespace recurra {

// Names of these in Python order: see ops/plan.py. Pooling knows the first two.
enum class Padding { valid, same, causal };
constexpr int kPaddings = 3;

// Zeros before and after so many steps, for windows of `span`, `stride` apart; and how many windows there are then.
struct Windows {
  int64_t before, after, count;
};
inline Windows windows_of(Padding padding, int64_t timesteps, int64_t span, int64_t stride) {
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

}  // namespace recurra
