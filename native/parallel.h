// The thread pool, scratch memory and the floating point mode of kernels.
//
// A kernel is cut into parts that do not wait for each other, or it asks for a team, whose members compute at the same
// time and meet at barriers. What a part or member computes depends on shapes and on their number; the bits never do,
// because every element has one owner and one order of operations.
#pragma once

#include <cstddef>
#include <cstdint>

namespace recurra {

constexpr int kMaxThreads = 256;

class Barrier;

struct Part {
  int index, count;
};

struct Member : Part {
  Barrier* barrier = nullptr;

  void wait() const;  // until all members are here
};

using TeamFunction = void (*)(void* context, const Member& member);

// Runs `function` for each of `count` parts and returns when all are done. Each thread has a part of its own; the
// caller also takes those that no other has begun, because it sleeps or computes for somebody else.
void run_parts(int count, TeamFunction function, void* context);

// Runs `function` for each member of a team of up to `count` threads, the caller among them, at the same time. The
// caller alone is the team where another thread holds the pool.
void run_team(int count, TeamFunction function, void* context);

// How many parts or members the last work had that the calling thread shared out.
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
