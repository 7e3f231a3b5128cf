// The thread pool, scratch memory and the floating point mode of kernels.
//
// A kernel asks for a team; every member runs the same function with its number, and members meet at barriers. What a
// member computes depends on shapes and on the team's size; the bits never do, because every element has one owner and
// one order of operations.
#pragma once

#include <cstddef>
#include <cstdint>

namespace recurra {

constexpr int kMaxThreads = 256;

class Barrier;

struct Member {
  int index;
  int count;
  Barrier* barrier;

  void wait() const;  // until all members are here
};

using TeamFunction = void (*)(void* context, const Member& member);

// Runs `function` on up to `count` threads, the caller among them, and returns when all are done. Runs it on the caller
// alone where another thread's team holds the pool.
void run_team(int count, TeamFunction function, void* context);

// How many threads the last team had that the calling thread ran.
int last_team();

// How many threads work of about `flops` floating point operations is worth, at most so many.
int team_size(double flops, int most = kMaxThreads);

// Bytes of a core's second-level cache; 1 MB where the system does not say. It may decide who computes what, never in
// which order.
int64_t cache_bytes();

void set_num_threads(int count);
int get_num_threads();

// Memory that grows and is kept for reuse, 64-byte aligned; what `get` returned is valid until its next call.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* get(size_t bytes);

 private:
  void release();

  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

// The calling thread's memory for kernels.
void* scratch(size_t bytes);

// Denormals count as zero while an object of this class lives, on its thread.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t saved_;
};

}  // namespace recurra
