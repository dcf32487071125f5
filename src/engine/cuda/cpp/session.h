/** The card at work: libraries, memory, transfers, commands and graphs; one for the process, each call under its lock. */
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "api.h"

namespace tokenfuse::cuda {

/** A file that was tried, and why it was not taken. */
struct Tried {
  std::string library;
  std::string file;
  std::string why;
};

/** What JavaScript sees as an Error with a `code`. */
class CudaError : public std::runtime_error {
 public:
  CudaError(const char* code, const std::string& message, std::vector<Tried> tried = {})
      : std::runtime_error(message), code(code), tried(std::move(tried)) {}
  /** Empty for an error of no kind of its own. */
  const char* code;
  std::vector<Tried> tried;
};

/** Files to try, in order. */
struct Places {
  std::vector<std::string> driver, nvrtc, cublasLt;
};

/** The files that were loaded. */
struct Libraries {
  DriverApi driver;
  NvrtcApi nvrtc;
  CublasLtApi cublasLt;
  std::string driverFile, nvrtcFile, cublasLtFile;
  int driverVersion = 0;
  int nvrtcMajor = 0;
  int nvrtcMinor = 0;

  /** Loads what is not loaded yet; what is missing is an error, after all three were tried. */
  void load(const Places& places);
};

/** Of the card. */
struct Card {
  std::string name;
  int capability = 0;
  int multiprocessors = 0;
  size_t memory = 0;
  size_t sharedMemory = 0;
};

struct Kernel {
  std::string name;
  Function function = nullptr;
  int maxThreads = 0;
  long maxDynamicShared = 0;
  /** Bytes of each argument; known where the driver says. */
  bool knowsParameters = false;
  std::vector<size_t> parameterBytes;
};

struct DeviceMemory {
  size_t used = 0, peak = 0, reserved = 0, free = 0, total = 0;
};

/** A copy to the host under way: its pinned memory, and the event after it. */
struct Download {
  void* pinned = nullptr;
  size_t capacity = 0;
  size_t bytes = 0;
  Event event = nullptr;
};

class Session {
 public:
  /** Never destroyed: the driver may be gone before static objects are. */
  static Session& get();

  std::mutex mutex;

  void open(const Places& places);
  bool isOpen() const { return open_; }
  const Card& card() const { return card_; }
  const Libraries& libraries() const { return libraries_; }

  std::vector<char> compile(const std::string& source, const std::string& name, const std::vector<std::string>& options);
  std::vector<int> loadKernels(const void* cubin, size_t bytes, const std::vector<std::string>& names);

  /** `lasting`: what is uploaded there while commands are recorded is read whenever they run; nothing else is ever put there. */
  Address allocate(size_t bytes, bool lasting = false);
  void free(Address address);
  DeviceMemory memory();
  void resetPeak();

  void upload(Address to, const void* from, size_t bytes);
  void download(void* to, Address from, size_t bytes);
  Download beginDownload(Address from, size_t bytes);
  /** Waits, on any thread. */
  Result waitFor(const Download& download);
  void endDownload(const Download& download);
  void synchronize();

  void execute(const double* words, size_t length);

  /** `keepAll`: until the graph is freed, all memory that the commands use stays. */
  void beginCapture(bool keepAll = false);
  int endCapture();
  void launchGraph(int id);
  void freeGraph(int id);

  int mark();
  double elapsed(int from, int to);
  void freeMark(int id);

  /** Throws what a result means; `what` says what was asked for. */
  void check(Result result, const std::string& what);

 private:
  struct Block {
    size_t bytes;
    /** Its owner has freed it. */
    bool freed;
    /** Graphs that read or write it whenever they run. */
    int holders;
  };
  struct Recorded {
    GraphExec exec = nullptr;
    std::vector<Address> held;
  };
  /** A cubin, so that it is not loaded twice. */
  struct Loaded {
    std::vector<char> image;
    size_t bytes;
    Module module;
  };
  struct Staged {
    size_t begin, end;
    Event event;
  };
  /** All that decides how a product is computed. */
  using PlanKey = std::array<int64_t, 19>;
  struct PlanHash {
    size_t operator()(const PlanKey& key) const;
  };
  struct Plan {
    LtOperation operation = nullptr;
    LtLayout first = nullptr, second = nullptr, result = nullptr;
    LtAlgorithm algorithm{};
  };
  class Words;

  void requireOpen();
  void requireNoCapture(const char* what);
  void uploadLasting(Address to, const void* from, size_t bytes);
  void useContext();
  std::string describe(Result result) const;
  std::string lastCommand() const;
  void checkLt(Result result, const std::string& what);

  Address allocateRaw(size_t bytes);
  void release(std::map<Address, Block>::iterator block);
  void hold(Address address, Block& block);
  void keep(Address address);
  void dropHolds(const std::vector<Address>& held);
  void requireRange(Address address, size_t bytes, const char* what) const;
  bool covers(Address address, size_t bytes) const;

  Event newEvent();
  void* hostMemory(size_t bytes);
  char* stage(size_t bytes);

  void launch(Words& words);
  void product(Words& words);
  void fill(Words& words);
  void copy(Words& words);
  const Plan& planFor(const PlanKey& key, const std::string& what);

  bool open_ = false;
  bool lost_ = false;
  std::string lostMessage_;
  Libraries libraries_;
  Card card_;
  Context context_ = nullptr;
  Stream stream_ = nullptr;
  /** For memory that is asked for while commands are recorded. */
  Stream aside_ = nullptr;
  MemoryPool pool_ = nullptr;

  std::map<Address, Block> blocks_;
  size_t used_ = 0;
  size_t peak_ = 0;

  char* staging_ = nullptr;
  size_t stagingNext_ = 0;
  std::deque<Staged> staged_;
  std::vector<Event> events_;
  std::array<char*, 2> landing_{};
  std::vector<std::pair<size_t, void*>> pinned_;
  size_t pinnedBytes_ = 0;

  std::vector<Loaded> modules_;
  std::vector<Kernel> kernels_;
  /** The last command: -1 none, -2 a product, -3 a fill, -4 a copy, -5 a graph, or a kernel. */
  int last_ = -1;

  LtHandle lt_ = nullptr;
  Address workspace_ = 0;
  size_t workspaceBytes_ = 0;
  std::unordered_map<PlanKey, Plan, PlanHash> plans_;

  bool capturing_ = false;
  bool keepsAll_ = false;
  Recorded recording_;
  /** Memory that the commands being recorded use: taken meanwhile for what they write, or for lasting numbers; and of others. */
  std::unordered_set<Address> taken_, lasting_, touched_;
  /** Memory taken and given back while recording: free for what is recorded later. */
  std::multimap<size_t, Address> reusable_;
  std::map<int, Recorded> graphs_;
  int nextGraph_ = 1;
  std::map<int, Event> marks_;
  int nextMark_ = 1;
};

}  // namespace tokenfuse::cuda
