/** Phases with a barrier after each, for kernels of many short phases. */
#pragma once
#include <atomic>

#include "product.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** A waiting thread polls this often (some 10 µs) before it yields: past that, a task's thread was probably descheduled. */
constexpr int kPollsBeforeYield = 200;

/** State of the barrier, shared by the threads of a kernel. */
struct PhaseBarrier {
  /** The current phase, times 2³², plus its next task. */
  alignas(64) std::atomic<uint64_t> ticket{0};
  /** Tasks of that phase that are done. */
  alignas(64) std::atomic<long> ended{0};
};

/**
 * One thread's view of the phases. Every thread calls `forEach` for every phase, in the same order. A phase ends when its
 * tasks are done, so the next one reads what it wrote; a descheduled thread blocks nobody and skips what was done without it.
 */
class PhaseThread {
 public:
  explicit PhaseThread(PhaseBarrier& barrier) : barrier_(barrier) {}

  /** Runs f(0 … tasks − 1), each once, on whichever thread is free. */
  template <class F>
  void forEach(long tasks, const F& f) {
    const uint64_t mine = phase_++ << 32;
    const uint64_t over = mine + (uint64_t{1} << 32);
    const uint64_t last = mine + static_cast<uint64_t>(tasks);
    uint64_t seen = barrier_.ticket.load(std::memory_order_acquire);
    if (tasks == 0) {
      if (seen == mine) barrier_.ticket.compare_exchange_strong(seen, over);
      return;
    }
    for (int polls = 0; seen < over;) {
      if (seen >= last) {
        if (polls++ < kPollsBeforeYield) pauseProcessor();
        else yieldProcessor();
        seen = barrier_.ticket.load(std::memory_order_acquire);
      } else if (barrier_.ticket.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire)) {
        f(static_cast<long>(seen - mine));
        if (barrier_.ended.fetch_add(1, std::memory_order_acq_rel) + 1 == tasks) {
          barrier_.ended.store(0, std::memory_order_relaxed);
          barrier_.ticket.store(over, std::memory_order_release);
        }
        seen = barrier_.ticket.load(std::memory_order_acquire);
      }
    }
  }

 private:
  PhaseBarrier& barrier_;
  uint64_t phase_ = 0;
};

/** Runs f(phases, thread) on every thread at once. */
template <class F>
INLINE void runPhases(const F& f) {
  PhaseBarrier barrier;
  parallel(threadCount(), [&](long, int thread) {
    PhaseThread phases(barrier);
    f(phases, thread);
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
