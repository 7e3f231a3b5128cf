// What recurrent kernels share forward and backward: who owns what, time and masks, lockstep along units.
#pragma once

#include "activation-inl.h"
#include "gemm-inl.h"

namespace recurra::RECURRA_NAMESPACE {

// How threads share a sequence: rows of the batch, each part running all steps by itself; or blocks of units, where all
// members of a team meet after each step. The second where rows are too few to fill tiles, or where a member's share of
// the weights fits its L2 cache and the whole does not.
struct Split {
  int count;
  bool by_units;

  Range rows(const Member& member, int64_t N) const { return by_units ? Range{0, N} : part_of(N, member); }
  Range blocks(const Member& member, int64_t blocks) const {
    if (!by_units) return {0, blocks};
    const Range pairs = part_of(ceil_div(blocks, 2), member);  // some tiles are of two
    return {2 * pairs.begin, smaller(2 * pairs.end, blocks)};
  }
  template <typename F>
  void run(F function) const {
    if (by_units) {
      run_members(count, function);
    } else {
      run_parts(count, [&](const Part& part) { function(Member{part}); });
    }
  }
  void meet(const Member& member) const {
    if (by_units) member.wait();
  }
};

constexpr int64_t kFlopsOfGate = 50;   // how many flops of a product take as long as an activation, or as its gradient
constexpr int64_t kCache = 768 << 10;  // bytes that stay in most L2 caches beside the rest
constexpr int64_t kDistant = 4 << 20;  // bytes that leave them for memory, or an L3 that others use too

// `flops` of one row at one step, and `flops_besides` outside of the steps. `by_rows`: not by units.
RECURRA_INLINE Split split_sequence(int64_t N, int64_t steps, int64_t blocks, double flops, double flops_besides,
                                    int64_t weight_bytes, bool by_rows) {
  constexpr double kFlopsPerMeeting = 1e5;  // a barrier costs as much as 2e4 to 5e4 of them
  constexpr int64_t kUsesOfWeight = 64;     // below, another core fetches its share no faster than this one computes it
  const double rows = static_cast<double>(N), flops_per_step = rows * flops;
  int count = team_size(rows * static_cast<double>(steps) * (flops + flops_besides));
  const bool enough_rows = N >= 4 * count, in_cache = weight_bytes <= cache_bytes() / 4 * 3;
  const bool by_units = !by_rows && blocks >= 2 * count && (!enough_rows || !in_cache);
  if (by_units && flops_per_step < kFlopsPerMeeting * count) count = 1;
  if (by_units && weight_bytes <= kCache && N * steps < kUsesOfWeight) count = 1;
  if (!by_units && count > N) count = static_cast<int>(larger(N, 1));
  return {count, by_units && count > 1};
}

// Time and masks: step counts in the order computed.
template <typename T>
RECURRA_INLINE int64_t time_of(const Sequence<T>& s, int64_t step) {
  return s.go_backwards ? s.T_ - 1 - step : step;
}

template <typename T>
RECURRA_INLINE bool is_masked(const Sequence<T>& s, int64_t n, int64_t step) {
  return s.mask && !s.mask[n * s.T_ + time_of<T>(s, step)];
}

// Calls f<V>(unit, lanes) along the units of blocks, several vectors in lockstep where they are whole. What belongs to
// one row lies end to end, so that the CPU sees few streams and fetches ahead.
template <typename T, typename F>
RECURRA_INLINE void for_units_in_lockstep(Range blocks, int64_t H, F f) {
  constexpr int L = Vec<T>::lanes, count = Lockstep<Many<T>>::count;
  int64_t u = blocks.begin;
  for (; u + count <= blocks.end && (u + count) * L <= H; u += count) f.template operator()<Many<T>>(u * L, L);
  for (; u + 2 <= blocks.end && (u + 2) * L <= H; u += 2) f.template operator()<Two<Vec<T>>>(u * L, L);
  for (; u < blocks.end; ++u) f.template operator()<Vec<T>>(u * L, smaller(L, H - u * L));
}

}  // namespace recurra::RECURRA_NAMESPACE
