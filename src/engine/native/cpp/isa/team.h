/** Threads that go through the phases of one kernel together, for kernels of many short phases. */
#pragma once
#include <atomic>

#include "product.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** A waiting thread looks this often (some 10 µs) before it lets others run: past that, a task's thread is off its processor. */
constexpr int kLooksBeforeYield = 200;

/** What the threads of a kernel have in common. */
struct Team {
  /** The phase under way, times 2³², plus its next task. */
  alignas(64) std::atomic<uint64_t> ticket{0};
  /** Tasks of that phase that have ended. */
  alignas(64) std::atomic<long> ended{0};
};

/**
 * One thread's way through the phases. Every thread calls `share` for every phase, in the same order. A phase is over
 * when its tasks are, so it reads what the ones before it wrote; a thread that was off its processor holds nobody up and
 * passes over what was done without it.
 */
class Member {
 public:
  explicit Member(Team& team) : team_(team) {}

  /** Runs f(0 … tasks − 1), each once, on whichever thread is free. */
  template <class F>
  void share(long tasks, const F& f) {
    const uint64_t mine = phase_++ << 32;
    const uint64_t over = mine + (uint64_t{1} << 32);
    const uint64_t last = mine + static_cast<uint64_t>(tasks);
    uint64_t seen = team_.ticket.load(std::memory_order_acquire);
    if (tasks == 0) {
      if (seen == mine) team_.ticket.compare_exchange_strong(seen, over);
      return;
    }
    for (int looks = 0; seen < over;) {
      if (seen >= last) {
        if (looks++ < kLooksBeforeYield) pauseProcessor();
        else yieldProcessor();
        seen = team_.ticket.load(std::memory_order_acquire);
      } else if (team_.ticket.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire)) {
        f(static_cast<long>(seen - mine));
        if (team_.ended.fetch_add(1, std::memory_order_acq_rel) + 1 == tasks) {
          team_.ended.store(0, std::memory_order_relaxed);
          team_.ticket.store(over, std::memory_order_release);
        }
        seen = team_.ticket.load(std::memory_order_acquire);
      }
    }
  }

 private:
  Team& team_;
  uint64_t phase_ = 0;
};

/** Runs f(member, thread) on every thread at once. */
template <class F>
INLINE void together(const F& f) {
  Team team;
  parallel(threadCount(), [&](long, int thread) {
    Member member(team);
    f(member, thread);
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
