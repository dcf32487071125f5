#include "fibers.h"

#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include <pthread.h>
#include <sys/mman.h>

#include "contextSwitch.h"
#include "memory.h"
#include "warp.h"

namespace emulated {
namespace {

constexpr std::size_t STACK_BYTES = 128 << 10;
/** Stacks start at different places of a page, or they would all want the same lines of the cache. */
constexpr std::size_t STACK_COLOURS = 12;
/** Written behind the dynamic shared memory, and into all of it before a block starts: NaN as float32 and as bf16. */
constexpr int UNWRITTEN = 0xff;

const char* const MEETINGS[] = {"__syncwarp",  "a shuffle",      "a vote",      "__match_any_sync", "mmaBf16",
                                "mmaTf32",     "loadMatrices",   "loadMatricesTransposed", "__syncthreads"};

struct Copy {
  void* to;
  const void* from;
  bool valid;
};

struct Fiber : Thread {
  void* context = nullptr;
  char* stack = nullptr;
  Word warp = 0;
  bool isRunning = false;
  bool isWaiting = false;
  /** While it waits: for whom, and with what. */
  Meeting meeting = Meeting::syncWarp;
  Word mask = 0;
  void* operands = nullptr;
  std::vector<Copy> copies;
  /** How many of `copies` were there at each commit. */
  std::vector<std::size_t> commits;
};

struct Warp {
  Word live = 0, arrived = 0;
};

/** One kernel runs at a time; the driver sees to that. */
struct Scheduler {
  Machine machine;
  const Module* module = nullptr;
  const Kernel* kernel = nullptr;
  LaunchSize size;
  void* const* arguments = nullptr;

  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Warp> warps;
  std::deque<Fiber*> ready;
  std::vector<char*> freeStacks;
  Word threads = 0, started = 0, ended = 0, waitingForBlock = 0;
  std::vector<Word> order;

  void* mainContext = nullptr;
  Fiber* current = nullptr;
  Outcome outcome;
  sigjmp_buf escape;
  pthread_t owner;
  bool isGuarded = false;
  const char* work = "";
};

Scheduler scheduler;

std::string place() {
  if (scheduler.current == nullptr) return scheduler.work;
  const Index& b = scheduler.machine.blockIdx;
  const Index& t = scheduler.current->threadIdx;
  char text[256];
  std::snprintf(text, sizeof(text), "kernel %s, block (%u, %u, %u), thread (%u, %u, %u)", scheduler.kernel->name, b.x, b.y, b.z,
                t.x, t.y, t.z);
  return text;
}

[[noreturn]] void leave(Fault fault, const std::string& what) {
  scheduler.outcome = {fault, place() + ": " + what};
  siglongjmp(scheduler.escape, 1);
}

// ---- stacks and turns ----

char* takeStack() {
  if (!scheduler.freeStacks.empty()) {
    char* stack = scheduler.freeStacks.back();
    scheduler.freeStacks.pop_back();
    return stack;
  }
  void* stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) {
    std::fprintf(stderr, "emulated card: no memory for the stack of a thread\n");
    std::abort();
  }
  mprotect(stack, PAGE, PROT_NONE);
  return static_cast<char*>(stack);
}

void runFiber();

/** The next that can run: one that was woken, or else one that has not started. */
Fiber* nextFiber() {
  if (!scheduler.ready.empty()) {
    Fiber* fiber = scheduler.ready.front();
    scheduler.ready.pop_front();
    return fiber;
  }
  if (scheduler.started == scheduler.threads) return nullptr;
  Fiber* fiber = scheduler.fibers[scheduler.order[scheduler.started++]].get();
  fiber->stack = takeStack();
  const std::size_t colour = (reinterpret_cast<std::uintptr_t>(fiber->stack) / STACK_BYTES) % STACK_COLOURS;
  fiber->context = newContext(fiber->stack + STACK_BYTES - colour * 320, runFiber);
  return fiber;
}

/** Gives the turn to another; returns when it is this fiber's again. */
void giveTurn() {
  Fiber* self = scheduler.current;
  Fiber* next = nextFiber();
  if (next == self) return;
  scheduler.current = next;
  scheduler.machine.thread = next;
  emulatedSwitch(&self->context, next == nullptr ? scheduler.mainContext : next->context);
}

void wake(Fiber* fiber) {
  fiber->isWaiting = false;
  scheduler.ready.push_back(fiber);
}

bool isSharedMemory(const void* p, int bytes) {
  const Module& module = *scheduler.module;
  const auto* from = static_cast<const unsigned char*>(p);
  const auto* to = from + bytes;
  const bool isDynamic = from >= module.dynamicShared && to <= module.dynamicShared + scheduler.size.sharedBytes;
  return isDynamic || (from >= module.staticShared && to <= module.staticSharedEnd);
}

// ---- meetings ----

/** Whether all lanes of the mask that still run are there; then what they met for is done, and they are woken but `self`. */
void tryWarp(Word warpIndex, Word mask, const Fiber* self) {
  Warp& warp = scheduler.warps[warpIndex];
  const Word wanted = mask & warp.live;
  if ((warp.arrived & wanted) != wanted || wanted == 0) return;
  void* operands[LANES] = {};
  Fiber* lanes[LANES] = {};
  Fiber* first = nullptr;
  for (int lane = 0; lane < LANES; lane++) {
    if (!(wanted >> lane & 1)) continue;
    Fiber* fiber = scheduler.fibers[warpIndex * LANES + lane].get();
    lanes[lane] = fiber;
    operands[lane] = fiber->operands;
    if (first == nullptr) first = fiber;
    if (fiber->meeting != first->meeting || fiber->mask != first->mask) {
      leave(Fault::failed, std::string("lanes of one warp wait at ") + MEETINGS[static_cast<int>(first->meeting)] + " and at " +
                               MEETINGS[static_cast<int>(fiber->meeting)] + ", or with different masks");
    }
  }
  const bool needsAll = first->meeting >= Meeting::mmaBf16;
  if (needsAll && wanted != ~0u) {
    leave(Fault::failed, std::string(MEETINGS[static_cast<int>(first->meeting)]) + " needs all 32 lanes, some have ended");
  }
  if (!meetLanes(first->meeting, operands, wanted, isSharedMemory)) {
    leave(Fault::misaligned, std::string(MEETINGS[static_cast<int>(first->meeting)]) +
                                 " takes rows of 16 bytes in shared memory, aligned to 16 bytes");
  }
  warp.arrived &= ~wanted;
  for (Fiber* fiber : lanes) {
    if (fiber != nullptr && fiber != self) wake(fiber);
  }
}

void meetWarp(Meeting meeting, Word mask, void* operands) {
  Fiber* self = scheduler.current;
  Warp& warp = scheduler.warps[self->warp];
  const Word own = 1u << self->lane;
  if ((mask & own) == 0) leave(Fault::failed, "the mask of a warp function does not have the lane that calls it");
  self->meeting = meeting;
  self->mask = mask;
  self->operands = operands;
  warp.arrived |= own;
  tryWarp(self->warp, mask, self);
  if ((warp.arrived & own) == 0) return;
  self->isWaiting = true;
  giveTurn();
}

void tryBlock(const Fiber* self) {
  const Word live = scheduler.threads - scheduler.ended;
  if (scheduler.waitingForBlock < live || live == 0) return;
  int count = 0;
  for (const auto& fiber : scheduler.fibers) {
    if (fiber->isRunning && static_cast<Vote*>(fiber->operands)->predicate) count++;
  }
  scheduler.waitingForBlock = 0;
  for (const Word thread : scheduler.order) {
    Fiber* fiber = scheduler.fibers[thread].get();
    if (!fiber->isRunning) continue;
    static_cast<Vote*>(fiber->operands)->count = count;
    if (fiber != self) wake(fiber);
  }
}

void meetBlock(Vote* vote) {
  Fiber* self = scheduler.current;
  self->meeting = Meeting::syncBlock;
  self->operands = vote;
  scheduler.waitingForBlock++;
  tryBlock(self);
  if (scheduler.waitingForBlock == 0) return;
  self->isWaiting = true;
  giveTurn();
}

// ---- asynchronous copies ----

/** As late as is allowed; until then the place is undefined. */
void copyLater(void* shared, const void* global, bool valid) {
  const auto at = reinterpret_cast<std::uintptr_t>(shared) | (valid ? reinterpret_cast<std::uintptr_t>(global) : 0);
  if (at % 16 != 0) leave(Fault::misaligned, "copyAsync16 takes addresses aligned to 16 bytes");
  if (!isSharedMemory(shared, 16)) leave(Fault::illegalAddress, "copyAsync16 copies to shared memory, not elsewhere");
  std::memset(shared, UNWRITTEN, 16);
  scheduler.current->copies.push_back({shared, global, valid});
}

void commitCopies() { scheduler.current->commits.push_back(scheduler.current->copies.size()); }

void waitCopies(int pending) {
  Fiber& self = *scheduler.current;
  if (self.commits.size() <= static_cast<std::size_t>(pending)) return;
  const std::size_t groups = self.commits.size() - pending;
  const std::size_t count = self.commits[groups - 1];
  for (std::size_t i = 0; i < count; i++) {
    const Copy& copy = self.copies[i];
    if (copy.valid) {
      std::memcpy(copy.to, copy.from, 16);
    } else {
      std::memset(copy.to, 0, 16);
    }
  }
  self.copies.erase(self.copies.begin(), self.copies.begin() + static_cast<std::ptrdiff_t>(count));
  self.commits.erase(self.commits.begin(), self.commits.begin() + static_cast<std::ptrdiff_t>(groups));
  for (std::size_t& commit : self.commits) commit -= count;
}

[[noreturn]] void fail(const char* what, const char* file, int line, long long number) {
  char text[512];
  const bool isMisaligned = std::strncmp(what, "misaligned", 10) == 0;
  std::snprintf(text, sizeof(text), isMisaligned ? "%s %#llx, line %d of %s" : "%s: %lld, line %d of %s", what, number, line,
                file == nullptr ? "the source" : file);
  leave(isMisaligned ? Fault::misaligned : Fault::illegalAddress, text);
}

// ---- a thread, a block, a launch ----

void runFiber() {
  for (;;) {
    scheduler.kernel->run(scheduler.arguments);
    Fiber* self = scheduler.current;
    Warp& warp = scheduler.warps[self->warp];
    self->isRunning = false;
    warp.live &= ~(1u << self->lane);
    scheduler.ended++;
    // Others may have waited for this one alone.
    if (warp.arrived != 0) {
      const Word lanes = warp.arrived;
      for (int lane = 0; lane < LANES; lane++) {
        if (!(lanes & warp.arrived & 1u << lane)) continue;
        tryWarp(self->warp, scheduler.fibers[self->warp * LANES + lane]->mask, nullptr);
      }
    }
    if (scheduler.waitingForBlock != 0) tryBlock(nullptr);
    // Still on this stack until the switch is done; the next fiber to start may take it only after that. So the one that starts
    // is run here, in the same loop.
    if (scheduler.ready.empty() && scheduler.started < scheduler.threads) {
      Fiber* next = scheduler.fibers[scheduler.order[scheduler.started++]].get();
      next->stack = self->stack;
      self->stack = nullptr;
      scheduler.current = next;
      scheduler.machine.thread = next;
      continue;
    }
    scheduler.freeStacks.push_back(self->stack);
    self->stack = nullptr;
    if (scheduler.ready.empty()) {
      scheduler.current = nullptr;
      emulatedSwitch(&self->context, scheduler.mainContext);
    }
    Fiber* next = scheduler.ready.front();
    scheduler.ready.pop_front();
    scheduler.current = next;
    scheduler.machine.thread = next;
    emulatedSwitch(&self->context, next->context);
  }
}

/** In which order threads start: as they are numbered, 'reverse', or by a seed. Results must not depend on it. */
void chooseOrder() {
  scheduler.order.resize(scheduler.threads);
  for (Word i = 0; i < scheduler.threads; i++) scheduler.order[i] = i;
  const char* asked = std::getenv("TOKENFUSE_EMULATED_ORDER");
  if (asked == nullptr || *asked == 0) return;
  if (std::strcmp(asked, "reverse") == 0) {
    for (Word i = 0; i < scheduler.threads; i++) scheduler.order[i] = scheduler.threads - 1 - i;
    return;
  }
  std::uint64_t state = std::strtoull(asked, nullptr, 10) * 2654435769u + 12345;
  for (Word i = scheduler.threads; i > 1; i--) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    std::swap(scheduler.order[i - 1], scheduler.order[(state >> 33) % i]);
  }
}

[[noreturn]] void reportDeadlock() {
  Word waiting[std::size(MEETINGS)] = {};
  Word total = 0;
  Fiber* some = nullptr;
  for (const auto& fiber : scheduler.fibers) {
    if (!fiber->isRunning) continue;
    waiting[static_cast<int>(fiber->meeting)]++;
    total++;
    if (some == nullptr || fiber->meeting != Meeting::syncBlock) some = fiber.get();
  }
  std::string text = "deadlock, not all threads come: ";
  for (std::size_t i = 0; i < std::size(MEETINGS); i++) {
    if (waiting[i] != 0) text += std::to_string(waiting[i]) + " wait at " + MEETINGS[i] + ", ";
  }
  text += std::to_string(scheduler.threads - total) + " have ended";
  scheduler.current = some;
  leave(Fault::failed, text);
}

void runBlock() {
  const Module& module = *scheduler.module;
  if (module.staticShared != module.staticSharedEnd) {
    std::memset(module.staticShared, UNWRITTEN, static_cast<std::size_t>(module.staticSharedEnd - module.staticShared));
  }
  if (module.dynamicShared != nullptr) {
    const std::size_t bytes = (scheduler.size.sharedBytes + PAGE - 1) / PAGE * PAGE;
    std::memset(module.dynamicShared, UNWRITTEN, bytes);
  }
  scheduler.started = scheduler.ended = scheduler.waitingForBlock = 0;
  const Word warps = (scheduler.threads + LANES - 1) / LANES;
  scheduler.warps.assign(warps, Warp());
  for (Word i = 0; i < scheduler.threads; i++) {
    Fiber& fiber = *scheduler.fibers[i];
    fiber.isRunning = true;
    fiber.copies.clear();
    fiber.commits.clear();
    scheduler.warps[fiber.warp].live |= 1u << fiber.lane;
  }
  Fiber* first = nextFiber();
  scheduler.current = first;
  scheduler.machine.thread = first;
  emulatedSwitch(&scheduler.mainContext, first->context);
  if (scheduler.ended != scheduler.threads) reportDeadlock();
  if (module.dynamicShared != nullptr) {
    const std::size_t bytes = (scheduler.size.sharedBytes + PAGE - 1) / PAGE * PAGE;
    for (std::size_t i = scheduler.size.sharedBytes; i < bytes; i++) {
      if (module.dynamicShared[i] == UNWRITTEN) continue;
      scheduler.current = nullptr;
      leave(Fault::illegalAddress, "byte " + std::to_string(i) + " of shared memory was written, the launch asked for " +
                                       std::to_string(scheduler.size.sharedBytes));
    }
  }
}

/** Touching what lies behind the size that was asked for is a fault: the rest of the room has no pages. */
void openSharedMemory() {
  static const unsigned char* openedFor = nullptr;
  static std::size_t opened = 0;
  unsigned char* room = scheduler.module->dynamicShared;
  if (room == nullptr) return;
  const std::size_t bytes = (scheduler.size.sharedBytes + PAGE - 1) / PAGE * PAGE;
  if (room == openedFor && bytes == opened) return;
  mprotect(room, bytes, PROT_READ | PROT_WRITE);
  mprotect(room + bytes, SHARED_ROOM - bytes, PROT_NONE);
  openedFor = room;
  opened = bytes;
}

void runBlocks() {
  const Index& grid = scheduler.size.grid;
  Index& block = scheduler.machine.blockIdx;
  for (block.z = 0; block.z < grid.z; block.z++) {
    for (block.y = 0; block.y < grid.y; block.y++) {
      for (block.x = 0; block.x < grid.x; block.x++) runBlock();
    }
  }
}

void prepareThreads() {
  const Index& size = scheduler.size.block;
  scheduler.threads = size.x * size.y * size.z;
  while (scheduler.fibers.size() < scheduler.threads) scheduler.fibers.push_back(std::make_unique<Fiber>());
  for (Word z = 0, i = 0; z < size.z; z++) {
    for (Word y = 0; y < size.y; y++) {
      for (Word x = 0; x < size.x; x++, i++) {
        Fiber& fiber = *scheduler.fibers[i];
        fiber.threadIdx = {x, y, z};
        fiber.lane = i % LANES;
        fiber.warp = i / LANES;
      }
    }
  }
  // Those beyond this block's size must not be taken for its threads.
  for (std::size_t i = scheduler.threads; i < scheduler.fibers.size(); i++) scheduler.fibers[i]->isRunning = false;
  chooseOrder();
}

// ---- faults ----

struct sigaction savedActions[3];
const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE};

void onFault(int signal, siginfo_t* info, void* context) {
  if (scheduler.isGuarded && pthread_equal(pthread_self(), scheduler.owner)) {
    char text[256];
    if (signal == SIGFPE) {
      std::snprintf(text, sizeof(text), "integer division by zero");
    } else if (info->si_addr == nullptr && info->si_code > 0 && info->si_code != SEGV_MAPERR) {
      std::snprintf(text, sizeof(text), "misaligned address");
      leave(Fault::misaligned, text);
    } else {
      const char* address = static_cast<const char*>(info->si_addr);
      const unsigned char* room = scheduler.module == nullptr ? nullptr : scheduler.module->dynamicShared;
      const auto* at = reinterpret_cast<const unsigned char*>(address);
      const Fiber* fiber = scheduler.current;
      if (room != nullptr && at >= room && at < room + SHARED_ROOM) {
        std::snprintf(text, sizeof(text), "byte %lld of shared memory, the launch asked for %u",
                      static_cast<long long>(at - room), scheduler.size.sharedBytes);
      } else if (fiber != nullptr && fiber->stack != nullptr && address >= fiber->stack && address < fiber->stack + PAGE) {
        std::snprintf(text, sizeof(text), "more local memory than the emulator has");
      } else {
        std::snprintf(text, sizeof(text), "address %p is not in device memory%s", info->si_addr, describeNear(address).c_str());
      }
    }
    leave(signal == SIGFPE ? Fault::failed : Fault::illegalAddress, text);
  }
  // Somebody else's: as if this handler were not there.
  for (int i = 0; i < 3; i++) {
    if (SIGNALS[i] != signal) continue;
    const struct sigaction& saved = savedActions[i];
    if (saved.sa_flags & SA_SIGINFO) {
      saved.sa_sigaction(signal, info, context);
    } else if (saved.sa_handler != SIG_DFL && saved.sa_handler != SIG_IGN) {
      saved.sa_handler(signal);
    } else {
      sigaction(signal, &saved, nullptr);
    }
  }
}

/** A fault must be told on a stack that is not the one that overflowed. */
void giveSignalStack(stack_t& saved) {
  static thread_local char* own = nullptr;
  constexpr std::size_t bytes = 64 << 10;
  if (own == nullptr) own = new char[bytes];
  stack_t wanted = {};
  wanted.ss_sp = own;
  wanted.ss_size = bytes;
  sigaltstack(&wanted, &saved);
}

template <class Work>
Outcome guarded(Work work) {
  stack_t savedStack = {};
  giveSignalStack(savedStack);
  struct sigaction action = {};
  action.sa_sigaction = onFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int i = 0; i < 3; i++) sigaction(SIGNALS[i], &action, &savedActions[i]);
  scheduler.outcome = Outcome();
  scheduler.current = nullptr;
  scheduler.owner = pthread_self();
  if (sigsetjmp(scheduler.escape, 1) == 0) {
    scheduler.isGuarded = true;
    work();
  }
  scheduler.isGuarded = false;
  for (int i = 0; i < 3; i++) sigaction(SIGNALS[i], &savedActions[i], nullptr);
  sigaltstack(&savedStack, nullptr);
  return scheduler.outcome;
}

/** After an error some fibers stand where they were; their stacks serve again. */
void abandonFibers() {
  scheduler.ready.clear();
  for (auto& fiber : scheduler.fibers) {
    if (fiber->stack != nullptr) scheduler.freeStacks.push_back(fiber->stack);
    fiber->stack = nullptr;
    fiber->isRunning = fiber->isWaiting = false;
  }
}

}  // namespace

Outcome runKernel(const Module& module, const Kernel& kernel, const LaunchSize& size, void* const* arguments) {
  scheduler.machine = {nullptr, {0, 0, 0}, size.block, size.grid, meetWarp, meetBlock, copyLater, commitCopies, waitCopies, fail};
  scheduler.module = &module;
  scheduler.kernel = &kernel;
  scheduler.work = kernel.name;
  scheduler.size = size;
  scheduler.arguments = arguments;
  *module.machine = &scheduler.machine;
  prepareThreads();
  openSharedMemory();
  const Outcome outcome = guarded(runBlocks);
  if (outcome.fault != Fault::none) abandonFibers();
  scheduler.module = nullptr;
  return outcome;
}

Outcome runGuarded(const char* name, void (*work)(void*), void* data) {
  scheduler.module = nullptr;
  scheduler.work = name;
  return guarded([&] { work(data); });
}

}  // namespace emulated
