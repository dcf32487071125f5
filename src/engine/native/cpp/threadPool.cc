#include "threadPool.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace tokenfuse {
namespace {

/** A worker looks this often for new work before it sleeps: about 50 µs, longer than the gap between two kernels. */
constexpr int kLooksBeforeSleep = 3000;
constexpr size_t kAlignment = 64;

struct Scratch {
  float* memory = nullptr;
  size_t bytes = 0;

  void reserve(size_t floats) {
    const size_t wanted = (floats * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
    if (wanted <= bytes) return;
    release();
    void* fresh = nullptr;
    if (posix_memalign(&fresh, kAlignment, wanted) != 0) {
      throw std::runtime_error("scratch memory: expected " + std::to_string(wanted) + " bytes, got none");
    }
    memory = static_cast<float*>(fresh);
    bytes = wanted;
  }

  void release() {
    std::free(memory);
    memory = nullptr;
    bytes = 0;
  }
};

struct Pool {
  std::mutex kernels;
  std::mutex sleep;
  std::condition_variable wake;
  std::atomic<int> sleeping{0};
  std::atomic<int> threads{1};
  int workers = 0;
  /** Number of the job that may be joined; 0 when there is none. */
  std::atomic<uint64_t> open{0};
  std::atomic<int> active{0};
  std::atomic<long> next{0};
  uint64_t jobs = 0;
  long tasks = 0;
  void (*task)(void*, long, int) = nullptr;
  void* context = nullptr;
  std::vector<Scratch> own;
  Scratch shared;

  void work(int thread) {
    for (;;) {
      const long index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= tasks) return;
      task(context, index, thread);
    }
  }

  bool wanted(int worker, uint64_t done) const {
    const uint64_t job = open.load();
    return job != 0 && job != done && worker < threads.load(std::memory_order_relaxed);
  }

  [[noreturn]] void live(int worker) {
    uint64_t done = 0;
    for (;;) {
      int looks = 0;
      while (!wanted(worker, done) && looks++ < kLooksBeforeSleep) pauseProcessor();
      if (!wanted(worker, done)) {
        std::unique_lock<std::mutex> lock(sleep);
        sleeping.fetch_add(1);
        wake.wait(lock, [&] { return wanted(worker, done); });
        sleeping.fetch_sub(1);
      }
      // Counted before the second look: the caller closes the job first and then waits for the count, so a worker
      // either sees it closed or is waited for.
      active.fetch_add(1);
      const uint64_t job = open.load();
      if (job != 0) {
        work(worker);
        done = job;
      }
      active.fetch_sub(1);
    }
  }
};

/** Never destroyed: workers may outlive the static objects of a process that ends. */
Pool& pool() {
  static Pool* const instance = new Pool();
  return *instance;
}

}  // namespace

void pauseProcessor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int threadCount() { return pool().threads.load(); }

void setThreadCount(int threads) {
  Pool& p = pool();
  try {
    while (p.workers < threads - 1) {
      std::thread([&p, worker = p.workers + 1] { p.live(worker); }).detach();
      p.workers++;
    }
  } catch (const std::system_error& error) {
    throw std::runtime_error(std::string("worker threads: expected them to start, got '") + error.what() + "'");
  }
  p.threads.store(threads);
}

void yieldProcessor() { std::this_thread::yield(); }

void runTasks(long tasks, void (*task)(void*, long, int), void* context) {
  Pool& p = pool();
  if (tasks <= 0) return;
  if (tasks == 1 || p.threads.load() == 1) {
    for (long index = 0; index < tasks; index++) task(context, index, 0);
    return;
  }
  p.tasks = tasks;
  p.task = task;
  p.context = context;
  p.next.store(0);
  p.open.store(++p.jobs);
  if (p.sleeping.load() > 0) {
    std::lock_guard<std::mutex> lock(p.sleep);
    p.wake.notify_all();
  }
  p.work(0);
  p.open.store(0);
  for (int looks = 0; p.active.load() != 0; looks++) {
    if (looks < kLooksBeforeSleep) pauseProcessor();
    else std::this_thread::yield();
  }
}

void reserveScratch(size_t floatsPerThread, size_t floatsShared) {
  Pool& p = pool();
  const size_t threads = static_cast<size_t>(p.threads.load());
  if (p.own.size() < threads) p.own.resize(threads);
  for (size_t i = 0; i < threads; i++) p.own[i].reserve(floatsPerThread);
  p.shared.reserve(floatsShared);
}

float* threadScratch(int thread) { return pool().own[static_cast<size_t>(thread)].memory; }

float* sharedScratch() { return pool().shared.memory; }

size_t scratchBytes() {
  size_t sum = pool().shared.bytes;
  for (const Scratch& each : pool().own) sum += each.bytes;
  return sum;
}

void trimScratch(size_t bytes) {
  Pool& p = pool();
  if (p.shared.bytes > bytes) p.shared.release();
  for (Scratch& each : p.own) {
    if (each.bytes > bytes) each.release();
  }
}

KernelLock::KernelLock() { pool().kernels.lock(); }
KernelLock::~KernelLock() { pool().kernels.unlock(); }

int physicalCores() {
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 1;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list";
    std::string siblings = std::to_string(cpu);
    if (FILE* file = std::fopen(path.c_str(), "r")) {
      char line[256];
      if (std::fgets(line, sizeof(line), file) != nullptr) siblings = line;
      std::fclose(file);
    }
    cores.insert(siblings);
  }
  return cores.empty() ? 1 : static_cast<int>(cores.size());
#elif defined(__APPLE__)
  int cores = 1;
  size_t size = sizeof(cores);
  if (sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) != 0) return 1;
  return cores;
#else
  return 1;
#endif
}

}  // namespace tokenfuse
