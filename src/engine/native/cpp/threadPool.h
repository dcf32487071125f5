/**
 * Worker threads that share the tasks of one kernel at a time.
 *
 * Tasks are handed out as threads come free; every kernel cuts its work so that no number depends on which thread
 * computes it, so results are the same for every thread count.
 */
#pragma once
#include <cstddef>

namespace tokenfuse {

/** Threads that work on a kernel, the calling one among them. */
int threadCount();

/** Sets the number of threads, at least 1; throws std::runtime_error when they cannot be started. */
void setThreadCount(int threads);

/** Processor cores this process may run on, hardware threads of one core counted once. */
int physicalCores();

/** Runs task(context, 0 … tasks − 1, thread), thread in [0, threadCount()); returns when all have ended. */
void runTasks(long tasks, void (*task)(void* context, long index, int thread), void* context);

/** A waiting thread's pause between two looks, and its letting other threads run. */
void pauseProcessor();
void yieldProcessor();

/**
 * Makes room of that many floats for every thread and in common, 64-byte aligned, kept for the next kernel.
 * Throws std::runtime_error when there is none.
 */
void reserveScratch(size_t floatsPerThread, size_t floatsShared);
float* threadScratch(int thread);
float* sharedScratch();

/** Bytes that scratch memory takes at present. */
size_t scratchBytes();

/** Gives scratch memory back that is larger than `bytes`, which one huge kernel may have left. */
void trimScratch(size_t bytes);

/** One kernel at a time: JavaScript may run on several threads (worker_threads). */
class KernelLock {
 public:
  KernelLock();
  ~KernelLock();
  KernelLock(const KernelLock&) = delete;
  KernelLock& operator=(const KernelLock&) = delete;
};

}  // namespace tokenfuse
