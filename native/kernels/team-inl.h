// run_parts and run_team for lambdas, and the ranges that parts own.
#pragma once

#include "../parallel.h"
#include "simd.h"

namespace recurra::RECURRA_NAMESPACE {

template <typename F>
void run_parts(int count, F function) {
  recurra::run_parts(count, [](void* context, const Member& part) { (*static_cast<F*>(context))(part); }, &function);
}

template <typename F>
void run_members(int count, F function) {
  run_team(count, [](void* context, const Member& member) { (*static_cast<F*>(context))(member); }, &function);
}

struct Range {
  int64_t begin, end;
};

// This one of nearly equal parts of 0..total.
RECURRA_INLINE Range part_of(int64_t total, const Part& part) {
  return {total * part.index / part.count, total * (part.index + 1) / part.count};
}

RECURRA_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
RECURRA_INLINE int64_t larger(int64_t a, int64_t b) { return a < b ? b : a; }
RECURRA_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Hands out pieces of one scratch block, whose sizes are added up by a first pass over the same calls (it gets nulls);
// or of memory that is there.
class Arena {
 public:
  Arena() = default;
  explicit Arena(void* memory) : base_(static_cast<char*>(memory)) {}

  template <typename T>
  T* take(int64_t count) {
    T* piece = base_ ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    used_ += (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return piece;
  }
  void allocate() {
    base_ = static_cast<char*>(scratch(used_ + 64));
    used_ = 0;
  }

 private:
  char* base_ = nullptr;
  size_t used_ = 0;
};

}  // namespace recurra::RECURRA_NAMESPACE
