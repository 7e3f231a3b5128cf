#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

// Where the system may hold a caller up while its workers run; native/tests/pool_check.cpp does so.
#ifndef RECURRA_HELD_UP
#define RECURRA_HELD_UP()
#endif

namespace recurra {

namespace {

constexpr double kFlopsPerThread = 1e6;  // about 20 us: below, waking another thread costs more than it saves
constexpr size_t kScratchKept = size_t(64) << 20;
constexpr size_t kHugePage = size_t(2) << 20;
constexpr auto kSpin = std::chrono::microseconds(50);  // before a worker without work sleeps

inline void pause_briefly() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && !defined(_MSC_VER)
  asm volatile("yield");
#endif
}

std::align_val_t alignment(size_t bytes) { return std::align_val_t(bytes >= kHugePage ? kHugePage : 64); }

// Spins until `ready()`; gives the processor away now and then, because there may be more threads than processors.
template <typename Ready>
void spin_until(Ready ready) {
  for (int i = 1; !ready(); ++i) {
    pause_briefly();
    if (i % 512 == 0) std::this_thread::yield();
  }
}

}  // namespace

class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}

  void wait() {
    const unsigned phase = phase_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == count_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
    } else {
      spin_until([&] { return phase_.load(std::memory_order_acquire) != phase; });
    }
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> phase_{0};
  const int count_;
};

void Member::wait() const {
  if (count > 1) barrier->wait();
}

namespace {

// Workers wait for a new ticket and claim the part that has their number. One job at a time. A pool lives as long as
// the process.
class Pool {
 public:
  ~Pool() = delete;

  // Parts that the caller may claim as well.
  void run_parts(int count, TeamFunction function, void* context) {
    const std::unique_lock<std::mutex> lease(busy_, std::try_to_lock);
    if (!lease.owns_lock()) {
      for (int i = 0; i < count; ++i) function(context, Member{{i, count}});
      return;
    }
    grow(count - 1);
    const uint64_t ticket = publish(count, function, context, nullptr);
    finish(0);
    for (int i = 1; i < count; ++i) {
      if (claim(i, ticket)) finish(i);
    }
    wait_for_others();
  }

  void run_team(int count, TeamFunction function, void* context) {
    const std::unique_lock<std::mutex> lease(busy_, std::try_to_lock);
    if (lease.owns_lock()) grow(count - 1);
    count = lease.owns_lock() ? std::min(count, static_cast<int>(workers_.size()) + 1) : 1;
    if (count == 1) {
      function(context, Member{{0, 1}});
      return;
    }
    Barrier barrier(count);
    publish(count, function, context, &barrier);
    finish(0);
    wait_for_others();
  }

 private:
  static constexpr int kCountBits = 16;  // of a ticket; the others count jobs

  void grow(int wanted) {
    try {
      while (static_cast<int>(workers_.size()) < wanted) {
        const int index = static_cast<int>(workers_.size()) + 1;
        workers_.emplace_back([this, index, seen = ticket_.load()] { work(index, seen); });
      }
    } catch (const std::system_error&) {
      // The system allows no more threads: go on with those that there are.
    }
  }

  uint64_t publish(int count, TeamFunction function, void* context, Barrier* barrier) {
    function_ = function;
    context_ = context;
    count_ = count;
    barrier_ = barrier;
    unfinished_.store(count, std::memory_order_relaxed);
    const uint64_t job = (ticket_.load(std::memory_order_relaxed) >> kCountBits) + 1;
    const uint64_t ticket = job << kCountBits | static_cast<uint64_t>(count);
    ticket_.store(ticket, std::memory_order_seq_cst);
    RECURRA_HELD_UP();
    wake();
    return ticket;
  }

  void wake() {
    if (sleeping_.load(std::memory_order_seq_cst) == 0) return;
    {
      const std::lock_guard<std::mutex> lock(sleep_);
      sleeping_.store(0, std::memory_order_relaxed);
    }
    wake_.notify_all();
  }

  // Whether part `index` of this job is the calling thread's. A worker that comes late to a job which is done finds its
  // part claimed, and so never looks at the function of the next one under the number of this one.
  bool claim(int index, uint64_t ticket) {
    uint64_t last = claimed_[index].load(std::memory_order_acquire);
    return last < ticket && claimed_[index].compare_exchange_strong(last, ticket, std::memory_order_acq_rel);
  }

  void finish(int index) {
    function_(context_, Member{{index, count_}, barrier_});
    unfinished_.fetch_sub(1, std::memory_order_acq_rel);
  }

  void wait_for_others() {
    spin_until([&] { return unfinished_.load(std::memory_order_acquire) == 0; });
  }

  void work(int index, uint64_t ticket) {
    const FlushDenormals flush;
    for (;;) {
      ticket = next_after(ticket);
      const int count = static_cast<int>(ticket & ((1 << kCountBits) - 1));
      if (index < count && claim(index, ticket)) finish(index);
    }
  }

  uint64_t next_after(uint64_t seen) {
    uint64_t ticket = seen;
    const auto ready = [&] { return (ticket = ticket_.load(std::memory_order_seq_cst)) != seen; };
    const auto end = std::chrono::steady_clock::now() + kSpin;
    while (!ready()) {
      for (int i = 0; i < 256 && !ready(); ++i) pause_briefly();
      std::this_thread::yield();  // the system may have woken it on the caller's processor
      if (std::chrono::steady_clock::now() < end) continue;
      std::unique_lock<std::mutex> lock(sleep_);
      while (!ready()) {
        // Before each sleep anew: a caller that was held up before `wake` rouses workers who have done that job, and
        // whoever slept on uncounted would never be woken.
        sleeping_.fetch_add(1, std::memory_order_seq_cst);
        if (!ready()) wake_.wait(lock);
      }
    }
    return ticket;
  }

  std::mutex busy_, sleep_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<int> unfinished_{0};
  alignas(64) std::atomic<int> sleeping_{0};  // that nobody has woken yet
  alignas(64) std::atomic<uint64_t> claimed_[kMaxThreads] = {};
  TeamFunction function_ = nullptr;
  void* context_ = nullptr;
  int count_ = 0;
  Barrier* barrier_ = nullptr;
};

int initial_threads() {
  if (const char* text = std::getenv("RECURRA_NUM_THREADS"); text && *text) {
    char* end = nullptr;
    const long count = std::strtol(text, &end, 10);
    if (*end == '\0' && count >= 1 && count <= kMaxThreads) return static_cast<int>(count);
    throw std::invalid_argument("RECURRA_NUM_THREADS expected a number from 1 to 256, got '" + std::string(text) + "'");
  }
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaxThreads);
}

std::atomic<int> num_threads{0};

// Never destroyed by exit handlers: a daemon thread may still compute then, and the system ends the workers anyway.
std::atomic<Pool*> the_pool{nullptr};
std::mutex pool_mutex;

Pool& pool() {
  Pool* current = the_pool.load(std::memory_order_acquire);
  if (current) return *current;
  const std::lock_guard<std::mutex> lock(pool_mutex);
  if (!the_pool.load()) the_pool.store(new Pool, std::memory_order_release);
  return *the_pool.load();
}

#if !defined(_WIN32)
// A child has none of the parent's workers, and the parent's locks in any state: it starts with a new pool.
const bool fork_handler = [] {
  pthread_atfork([] { pool_mutex.lock(); }, [] { pool_mutex.unlock(); },
                 [] {
                   the_pool.store(nullptr);
                   pool_mutex.unlock();
                 });
  return true;
}();
#endif

thread_local int last_team_size = 1;

}  // namespace

int last_team() { return last_team_size; }

void run_parts(int count, TeamFunction function, void* context) {
  last_team_size = count;
  if (count > 1) return pool().run_parts(count, function, context);
  function(context, Member{{0, 1}});
}

void run_team(int count, TeamFunction function, void* context) {
  last_team_size = count;
  if (count > 1) return pool().run_team(count, function, context);
  function(context, Member{{0, 1}});
}

int team_size(double flops, int most) {
  const int limit = std::min(get_num_threads(), most);
  return flops >= kFlopsPerThread * limit ? limit : std::max(1, static_cast<int>(flops / kFlopsPerThread));
}

int64_t cache_bytes() {
  static const int64_t bytes = [] {
#if defined(_SC_LEVEL2_CACHE_SIZE)
    if (const long told = sysconf(_SC_LEVEL2_CACHE_SIZE); told > 0) return static_cast<int64_t>(told);
#endif
    return int64_t(1) << 20;
  }();
  return bytes;
}

void set_num_threads(int count) { num_threads.store(std::clamp(count, 1, kMaxThreads)); }

int get_num_threads() {
  int count = num_threads.load(std::memory_order_relaxed);
  if (count == 0) {
    count = initial_threads();
    num_threads.store(count);
  }
  return count;
}

Scratch::~Scratch() { release(); }

void Scratch::release() {
  if (memory_) ::operator delete(memory_, alignment(bytes_));
  memory_ = nullptr;
  bytes_ = 0;
}

void* Scratch::get(size_t bytes) {
  const bool too_small = bytes_ < bytes;
  const bool too_large = bytes_ > kScratchKept && bytes < kScratchKept / 4;
  if (too_small || too_large) {
    if (bytes >= kHugePage / 2) bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    release();
    memory_ = ::operator new(bytes, alignment(bytes));
    bytes_ = bytes;
#if defined(__linux__)
    // Steps of a sequence lie pages apart: with pages of 4 KB a forward GRU (64, 168, 1, 128) took a quarter longer.
    if (bytes >= kHugePage) madvise(memory_, bytes, MADV_HUGEPAGE);
#endif
  }
  return memory_;
}

void* scratch(size_t bytes) {
  thread_local Scratch own;
  return own.get(bytes);
}

#if defined(__x86_64__) || defined(_M_X64)
FlushDenormals::FlushDenormals() : saved_(_mm_getcsr()) {
  _mm_setcsr(static_cast<unsigned>(saved_) | 0x8040u);  // FTZ, DAZ
}
FlushDenormals::~FlushDenormals() { _mm_setcsr(static_cast<unsigned>(saved_)); }
#elif defined(__aarch64__) && !defined(_MSC_VER)
FlushDenormals::FlushDenormals() {
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  asm volatile("msr fpcr, %0" : : "r"(saved_ | (uint64_t(1) << 24)));  // FZ
}
FlushDenormals::~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }
#else
FlushDenormals::FlushDenormals() : saved_(0) {}
FlushDenormals::~FlushDenormals() {}
#endif

}  // namespace recurra
