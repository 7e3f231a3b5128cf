// Ends if no worker of the pool sleeps through a job. Each caller is held up right after it published one, as by a busy
// system, until its workers have done their parts and gone to sleep again; they are woken late, and sleep once more.
#include <chrono>
#include <cstdio>
#include <thread>

inline void rest() { std::this_thread::sleep_for(std::chrono::microseconds(300)); }
#define RECURRA_HELD_UP() rest()
#include "../parallel.cpp"

int main() {
  constexpr int jobs = 300, members = 3;
  std::atomic<int> done{0};
  recurra::set_num_threads(members);
  for (int i = 0; i < jobs; ++i) {
    recurra::run_team(
        members, [](void* count, const recurra::Member&) { ++*static_cast<std::atomic<int>*>(count); }, &done);
    rest();
  }
  std::printf("%d\n", done.load());
  std::fflush(stdout);
  std::_Exit(0);  // the workers never end
}
