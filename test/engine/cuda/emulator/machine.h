/**
 * What a library of compiled kernels and the emulated driver know of each other. A kernel's thread is a fiber; where threads of a
 * warp or a block meet, each leaves the address of its operands (they lie on its own stack), and the last one computes for all.
 */
#pragma once

namespace emulated {

using Word = unsigned int;

/** Changes whenever a library that was compiled before no longer fits. */
constexpr int INTERFACE_VERSION = 2;

/** The most shared memory a block may ask for, as on the H100. */
constexpr int SHARED_MEMORY = 232448;
constexpr int PAGE = 4096;
/** Pages for all of it, and at least one more that nothing may touch. */
constexpr int SHARED_ROOM = (SHARED_MEMORY / PAGE + 2) * PAGE;

struct Index {
  Word x, y, z;
};

/** Where threads meet: all functions that need the others of a warp or block. */
enum class Meeting : int {
  syncWarp,
  shuffle,
  vote,
  match,
  mmaBf16,
  mmaTf32,
  loadMatrices,
  loadMatricesTransposed,
  syncBlock,
};

struct Shuffle {
  unsigned long long value;
  /** The lane whose value is asked for; outside 0 to 31: one's own. */
  int source;
  unsigned long long result;
};

/** Bits of the lanes, or threads, whose predicate holds, and their number. */
struct Vote {
  bool predicate;
  Word lanes;
  int count;
};

struct Match {
  unsigned long long value;
  Word lanes;
};

struct Mma {
  float* d;
  const Word* a;
  Word b[2];
};

struct MatrixLoad {
  Word* r;
  const void* row;
};

/** What a kernel sees of the thread that runs. */
struct Thread {
  Index threadIdx;
  Word lane;
};

struct Machine {
  Thread* thread;
  Index blockIdx, blockDim, gridDim;
  /** Waits for the lanes of `mask` that still run; then `operands` hold the results. */
  void (*meetWarp)(Meeting meeting, Word mask, void* operands);
  void (*meetBlock)(Vote* vote);
  void (*copyLater)(void* shared, const void* global, bool valid);
  void (*commitCopies)();
  void (*waitCopies)(int pending);
  /** Ends the launch with an error; does not return. */
  void (*fail)(const char* what, const char* file, int line, long long number);
};

struct Kernel {
  const char* name;
  void (*run)(void* const* arguments);
  /** Bytes of each argument, and of their alignment; both end with 0. */
  const unsigned long long* sizes;
  const unsigned long long* alignments;
  /** Of __launch_bounds__, 0 for none. */
  int mostThreads;
};

/** A library of kernels is compiled in parts, at the same time; each has a function, `emulatedModule0` and so on, that returns this. */
constexpr int PARTS = 2;

struct Module {
  int version;
  Machine** machine;
  const Kernel* kernels;
  int kernelCount;
  /** Dynamic shared memory: SHARED_ROOM bytes from a page's start. Null where no kernel has any. */
  unsigned char* dynamicShared;
  unsigned char* staticShared;
  unsigned char* staticSharedEnd;
};

}  // namespace emulated
