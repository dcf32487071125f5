/** libcuda.so.1 without a card: the functions of the driver that the engine, and its tests, call. */
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "kernels.h"
#include "memory.h"
#include "stream.h"

using namespace emulated;

#define EXPORT extern "C" __attribute__((visibility("default")))
/** Calls of other threads wait; every call fails once the card is lost. */
#define ENTER(...)                                     \
  const std::lock_guard<std::recursive_mutex> lock(mutex); \
  if (const int error = check(__VA_ARGS__)) return error

namespace {

using Address = unsigned long long;

std::recursive_mutex mutex;
bool isInitialized = false;
/** The one card's one context; its address is all that matters. */
int context = 0;
thread_local void* currentContext = nullptr;
/** The pool keeps what was freed, until it is trimmed. */
int pool = 0;
std::size_t reserved = 0;
std::size_t reservedPeak = 0;
unsigned long long releaseThreshold = 0;
std::map<void*, std::size_t> pinned;

struct Event {
  explicit Event(unsigned flags) : flags(flags) {}
  unsigned flags;
  bool isRecorded = false;
  bool isDone = false;
  Stream* stream = nullptr;
  std::chrono::steady_clock::time_point time;
};

constexpr unsigned WITHOUT_TIMING = 2;

int check(bool needsContext = true) {
  if (!isInitialized) return NOT_INITIALIZED;
  if (needsContext && currentContext == nullptr) return INVALID_CONTEXT;
  return stickyError();
}

Stream& streamOf(void* handle) { return handle == nullptr ? defaultStream() : *static_cast<Stream*>(handle); }

void* pointer(Address address) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)); }

/** After every piece of work that may have written to device memory. */
int afterWork(const char* name, const Outcome& outcome) {
  if (const int error = keep(outcome)) return error;
  const std::string overrun = findOverrun();
  if (overrun.empty()) return SUCCESS;
  return keep({Fault::illegalAddress, std::string(name) + ": " + overrun});
}

int outside(const char* name, Address address, std::size_t bytes) {
  char text[256];
  std::snprintf(text, sizeof(text), "%s: %zu bytes from address %#llx are not in one allocation", name, bytes, address);
  return keep({Fault::illegalAddress, text + describeNear(pointer(address))});
}

bool isPinned(const void* memory) {
  const auto after = pinned.upper_bound(const_cast<void*>(memory));
  if (after == pinned.begin()) return false;
  const auto& [start, bytes] = *std::prev(after);
  return memory < static_cast<const char*>(start) + bytes;
}

/**
 * Copies, where `toDevice` and `fromDevice` say which sides must be in device memory. What is not pinned has been read when the call
 * returns, or written, as on a card.
 */
int copyLater(const char* name, void* to, bool toDevice, const void* from, bool fromDevice, std::size_t bytes, void* stream) {
  if (!fromDevice && !isPinned(from) && streamOf(stream).capture == nullptr) {
    const int error = drain(streamOf(stream));
    if (error != SUCCESS) return error;
    log("copy %s %zu", name, bytes);
    if (!isDeviceMemory(to, bytes)) return outside(name, reinterpret_cast<Address>(to), bytes);
    std::memcpy(to, from, bytes);
    return SUCCESS;
  }
  const int error = enqueue(streamOf(stream), [=] {
    log("copy %s %zu", name, bytes);
    const auto toAddress = reinterpret_cast<Address>(to), fromAddress = reinterpret_cast<Address>(from);
    if (toDevice && !isDeviceMemory(to, bytes)) return outside(name, toAddress, bytes);
    if (fromDevice && !isDeviceMemory(from, bytes)) return outside(name, fromAddress, bytes);
    std::memmove(to, from, bytes);
    return SUCCESS;
  });
  const bool waits = error == SUCCESS && !toDevice && !isPinned(to) && streamOf(stream).capture == nullptr;
  return waits ? drain(streamOf(stream)) : error;
}

int copyNow(const char* name, void* to, bool toDevice, const void* from, bool fromDevice, std::size_t bytes) {
  if (isAnyCapturing()) return CAPTURE_UNSUPPORTED;
  const int error = copyLater(name, to, toDevice, from, fromDevice, bytes, nullptr);
  return error != SUCCESS ? error : drainAll();
}

template <class T>
int fillLater(Address address, T value, std::size_t count, void* stream) {
  return enqueue(streamOf(stream), [=] {
    log("fill %zu", count * sizeof(T));
    if (!isDeviceMemory(pointer(address), count * sizeof(T))) return outside("fill", address, count * sizeof(T));
    std::fill_n(static_cast<T*>(pointer(address)), count, value);
    return SUCCESS;
  });
}

int allocate(Address* address, std::size_t bytes) {
  if (address == nullptr || bytes == 0) return INVALID_VALUE;
  void* memory = allocateMemory(bytes);
  if (memory == nullptr) {
    log("allocate %zu failed", bytes);
    return OUT_OF_MEMORY;
  }
  log("allocate %zu", bytes);
  *address = reinterpret_cast<std::uintptr_t>(memory);
  reserved = std::max(reserved, usedMemory());
  reservedPeak = std::max(reservedPeak, reserved);
  return SUCCESS;
}

int release(Address address) {
  const std::string overrun = findOverrun();
  if (!overrun.empty()) return keep({Fault::illegalAddress, "free: " + overrun});
  log("free");
  return freeMemory(pointer(address)) ? SUCCESS : INVALID_VALUE;
}

/** A kernel's launch with its arguments' bytes, which the caller may change once it is asked for. */
struct Launch {
  Function function;
  LaunchSize size;
  std::vector<std::vector<std::uint64_t>> values;

  int run() {
    if (const int error = countLaunch()) return error;
    const Kernel& kernel = *function.kernel;
    log("launch %s grid %u %u %u block %u %u %u shared %u", kernel.name, size.grid.x, size.grid.y, size.grid.z, size.block.x,
        size.block.y, size.block.z, size.sharedBytes);
    std::vector<void*> arguments;
    for (auto& value : values) arguments.push_back(value.data());
    return afterWork(kernel.name, runKernel(*function.module, kernel, size, arguments.data()));
  }
};

struct ErrorText {
  int code;
  const char* name;
  const char* text;
};
const ErrorText ERRORS[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the capture was not initiated in this stream"},
};

const ErrorText* findError(int code) {
  for (const ErrorText& error : ERRORS) {
    if (error.code == code) return &error;
  }
  return nullptr;
}

}  // namespace

// ---- for libcublasLt ----

/** Runs work on a copy of `bytes` of `data`, now or in a graph, as a kernel of this name. */
EXPORT int emulatedEnqueue(void* stream, const char* name, void (*work)(void*), const void* data, std::size_t bytes) {
  ENTER();
  const auto* start = static_cast<const char*>(data);
  const std::vector<char> copy(start, start + bytes);
  return enqueue(streamOf(stream), [=, line = std::string(name)]() mutable {
    if (const int error = countLaunch()) return error;
    log("%s", line.c_str());
    return afterWork(line.c_str(), runGuarded(line.c_str(), work, const_cast<char*>(copy.data())));
  });
}

/** For nvrtc.cc, which has no log of its own. */
EXPORT void emulatedLog(const char* line) { log("%s", line); }

// ---- errors ----

EXPORT int cuGetErrorName(int code, const char** name) {
  const ErrorText* error = findError(code);
  *name = error == nullptr ? nullptr : error->name;
  return error == nullptr ? INVALID_VALUE : SUCCESS;
}

/** With what the emulator knows beyond the code. */
EXPORT int cuGetErrorString(int code, const char** text) {
  static thread_local std::string kept;
  const ErrorText* error = findError(code);
  *text = nullptr;
  if (error == nullptr) return INVALID_VALUE;
  const bool isFault = code >= ILLEGAL_ADDRESS && code <= LAUNCH_FAILED;
  kept = isFault && !faultMessage().empty() ? std::string(error->text) + " (" + faultMessage() + ")" : error->text;
  *text = kept.c_str();
  return SUCCESS;
}

// ---- card and context ----

EXPORT int cuInit(unsigned flags) {
  if (flags != 0) return INVALID_VALUE;
  isInitialized = true;
  return SUCCESS;
}

EXPORT int cuDriverGetVersion(int* version) {
  *version = 13000;
  return SUCCESS;
}

EXPORT int cuDeviceGetCount(int* count) {
  ENTER(false);
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  *count = visible != nullptr && (*visible == 0 || *visible == '-') ? 0 : 1;
  return SUCCESS;
}

EXPORT int cuDeviceGet(int* device, int ordinal) {
  ENTER(false);
  if (ordinal != 0) return INVALID_DEVICE;
  *device = 0;
  return SUCCESS;
}

EXPORT int cuDeviceGetName(char* name, int length, int device) {
  ENTER(false);
  if (device != 0) return INVALID_DEVICE;
  std::snprintf(name, static_cast<std::size_t>(length), "Emulated card");
  return SUCCESS;
}

EXPORT int cuDeviceTotalMem_v2(std::size_t* bytes, int device) {
  ENTER(false);
  if (device != 0) return INVALID_DEVICE;
  *bytes = totalMemory();
  return SUCCESS;
}

EXPORT int cuDeviceGetAttribute(int* value, int attribute, int device) {
  ENTER(false);
  if (device != 0) return INVALID_DEVICE;
  // CUdevice_attribute, as on the H100; others are 0.
  static const std::map<int, int> values = {
      {1, 1024},       {2, 1024},   {3, 1024},       {4, 64},         {5, 2147483647}, {6, 65535},
      {7, 65535},      {8, 49152},  {10, 32},        {12, 65536},     {13, 1980000},   {16, 132},
      {31, 1},         {38, 50 << 20}, {39, 2048},   {41, 1},         {75, 9},         {76, 0},
      {81, 233472},    {97, SHARED_MEMORY}, {111, 1024}, {115, 1},
  };
  const auto found = values.find(attribute);
  *value = found == values.end() ? 0 : found->second;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRetain(void** handle, int device) {
  ENTER(false);
  if (device != 0) return INVALID_DEVICE;
  *handle = &context;
  return SUCCESS;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
EXPORT int cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return SUCCESS; }
/** The only way on after a fault. */
EXPORT int cuDevicePrimaryCtxReset_v2(int) {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  clearStickyError();
  return SUCCESS;
}
EXPORT int cuCtxSetCurrent(void* handle) {
  ENTER(false);
  if (handle != nullptr && handle != &context) return INVALID_CONTEXT;
  currentContext = handle;
  return SUCCESS;
}
EXPORT int cuCtxGetCurrent(void** handle) {
  *handle = currentContext;
  return isInitialized ? SUCCESS : NOT_INITIALIZED;
}
EXPORT int cuCtxPushCurrent_v2(void* handle) { return cuCtxSetCurrent(handle); }
EXPORT int cuCtxPopCurrent_v2(void** handle) {
  if (handle != nullptr) *handle = currentContext;
  currentContext = nullptr;
  return SUCCESS;
}
EXPORT int cuCtxSynchronize() {
  ENTER();
  if (isAnyCapturing()) return CAPTURE_UNSUPPORTED;
  return drainAll();
}

// ---- memory ----

EXPORT int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  ENTER();
  *total = totalMemory();
  *free = *total - std::min(*total, std::max(reserved, usedMemory()));
  return SUCCESS;
}

EXPORT int cuMemAlloc_v2(Address* address, std::size_t bytes) {
  ENTER();
  return allocate(address, bytes);
}
EXPORT int cuMemAllocAsync(Address* address, std::size_t bytes, void* stream) {
  ENTER();
  if (refuseCapture(streamOf(stream))) return CAPTURE_UNSUPPORTED;
  return allocate(address, bytes);
}
EXPORT int cuMemAllocFromPoolAsync(Address* address, std::size_t bytes, void*, void* stream) {
  return cuMemAllocAsync(address, bytes, stream);
}
EXPORT int cuMemFree_v2(Address address) {
  ENTER();
  if (address == 0) return SUCCESS;
  const int error = drainAll();
  return error != SUCCESS ? error : release(address);
}
EXPORT int cuMemFreeAsync(Address address, void* stream) {
  ENTER();
  if (refuseCapture(streamOf(stream))) return CAPTURE_UNSUPPORTED;
  return enqueue(streamOf(stream), [=] { return release(address); });
}

EXPORT int cuDeviceGetDefaultMemPool(void** handle, int) {
  ENTER(false);
  *handle = &pool;
  return SUCCESS;
}
EXPORT int cuDeviceGetMemPool(void** handle, int device) { return cuDeviceGetDefaultMemPool(handle, device); }
EXPORT int cuDeviceSetMemPool(int, void*) { return SUCCESS; }
EXPORT int cuMemPoolCreate(void** handle, const void*) { return cuDeviceGetDefaultMemPool(handle, 0); }
EXPORT int cuMemPoolDestroy(void*) { return SUCCESS; }

// CUmemPool_attribute
constexpr int RELEASE_THRESHOLD = 4, RESERVED_NOW = 5, RESERVED_HIGH = 6, USED_NOW = 7, USED_HIGH = 8;

EXPORT int cuMemPoolSetAttribute(void*, int attribute, void* value) {
  ENTER(false);
  if (attribute == RELEASE_THRESHOLD) std::memcpy(&releaseThreshold, value, sizeof(releaseThreshold));
  if (attribute == USED_HIGH) resetPeakMemory();
  if (attribute == RESERVED_HIGH) reservedPeak = reserved;
  return attribute >= 1 && attribute <= USED_HIGH ? SUCCESS : INVALID_VALUE;
}
EXPORT int cuMemPoolGetAttribute(void*, int attribute, void* value) {
  ENTER(false);
  if (attribute < RELEASE_THRESHOLD) {
    const int enabled = 1;
    std::memcpy(value, &enabled, sizeof(enabled));
    return attribute >= 1 ? SUCCESS : INVALID_VALUE;
  }
  const unsigned long long values[] = {releaseThreshold, reserved, reservedPeak, usedMemory(), peakMemory()};
  if (attribute > USED_HIGH) return INVALID_VALUE;
  std::memcpy(value, &values[attribute - RELEASE_THRESHOLD], sizeof(values[0]));
  return SUCCESS;
}
EXPORT int cuMemPoolTrimTo(void*, std::size_t bytes) {
  ENTER(false);
  reserved = std::min(reserved, std::max(bytes, usedMemory()));
  return SUCCESS;
}

EXPORT int cuMemHostAlloc(void** memory, std::size_t bytes, unsigned) {
  ENTER();
  if (bytes == 0) return INVALID_VALUE;
  *memory = std::aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
  if (*memory == nullptr) return OUT_OF_MEMORY;
  std::memset(*memory, 0xff, bytes);
  pinned[*memory] = bytes;
  return SUCCESS;
}
EXPORT int cuMemAllocHost_v2(void** memory, std::size_t bytes) { return cuMemHostAlloc(memory, bytes, 0); }
EXPORT int cuMemFreeHost(void* memory) {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  if (pinned.erase(memory) == 0) return INVALID_VALUE;
  // What waits may use it, as on a card.
  drainAll();
  std::free(memory);
  return SUCCESS;
}
EXPORT int cuMemHostRegister_v2(void*, std::size_t, unsigned) { return SUCCESS; }
EXPORT int cuMemHostUnregister(void*) { return SUCCESS; }

EXPORT int cuMemcpyHtoDAsync_v2(Address to, const void* from, std::size_t bytes, void* stream) {
  ENTER();
  return copyLater("HtoD", pointer(to), true, from, false, bytes, stream);
}
EXPORT int cuMemcpyDtoHAsync_v2(void* to, Address from, std::size_t bytes, void* stream) {
  ENTER();
  return copyLater("DtoH", to, false, pointer(from), true, bytes, stream);
}
EXPORT int cuMemcpyDtoDAsync_v2(Address to, Address from, std::size_t bytes, void* stream) {
  ENTER();
  return copyLater("DtoD", pointer(to), true, pointer(from), true, bytes, stream);
}
EXPORT int cuMemcpyHtoD_v2(Address to, const void* from, std::size_t bytes) {
  ENTER();
  return copyNow("HtoD", pointer(to), true, from, false, bytes);
}
EXPORT int cuMemcpyDtoH_v2(void* to, Address from, std::size_t bytes) {
  ENTER();
  return copyNow("DtoH", to, false, pointer(from), true, bytes);
}
EXPORT int cuMemcpyDtoD_v2(Address to, Address from, std::size_t bytes) {
  ENTER();
  return copyNow("DtoD", pointer(to), true, pointer(from), true, bytes);
}
EXPORT int cuMemsetD8Async(Address address, unsigned char value, std::size_t count, void* stream) {
  ENTER();
  return fillLater(address, value, count, stream);
}
EXPORT int cuMemsetD16Async(Address address, unsigned short value, std::size_t count, void* stream) {
  ENTER();
  return address % 2 != 0 ? INVALID_VALUE : fillLater(address, value, count, stream);
}
EXPORT int cuMemsetD32Async(Address address, unsigned value, std::size_t count, void* stream) {
  ENTER();
  return address % 4 != 0 ? INVALID_VALUE : fillLater(address, value, count, stream);
}
EXPORT int cuMemsetD8_v2(Address address, unsigned char value, std::size_t count) {
  return cuMemsetD8Async(address, value, count, nullptr);
}
EXPORT int cuMemsetD32_v2(Address address, unsigned value, std::size_t count) {
  return cuMemsetD32Async(address, value, count, nullptr);
}

// ---- modules and launches ----

EXPORT int cuModuleLoadData(void** handle, const void* image) {
  ENTER();
  std::string reason;
  auto module = loadModule(image, reason);
  if (module == nullptr) {
    std::fprintf(stderr, "emulated card: a module cannot be loaded: %s\n", reason.c_str());
    return INVALID_IMAGE;
  }
  *handle = module.release();
  return SUCCESS;
}
EXPORT int cuModuleLoadDataEx(void** handle, const void* image, unsigned, int*, void**) {
  return cuModuleLoadData(handle, image);
}
/** The library stays: a graph may still name its kernels. */
EXPORT int cuModuleUnload(void*) { return SUCCESS; }

EXPORT int cuModuleGetFunction(void** handle, void* module, const char* name) {
  ENTER();
  *handle = findFunction(*static_cast<LoadedModule*>(module), name);
  return *handle == nullptr ? NOT_FOUND : SUCCESS;
}

// CUfunction_attribute
constexpr int MOST_THREADS = 0, REGISTERS = 4, PTX_VERSION = 5, BINARY_VERSION = 6, DYNAMIC_SHARED = 8;

EXPORT int cuFuncGetAttribute(int* value, int attribute, void* handle) {
  ENTER();
  const auto& function = *static_cast<Function*>(handle);
  *value = 0;
  if (attribute == MOST_THREADS) *value = function.kernel->mostThreads == 0 ? 1024 : function.kernel->mostThreads;
  if (attribute == REGISTERS) *value = 32;
  if (attribute == PTX_VERSION || attribute == BINARY_VERSION) *value = 90;
  if (attribute == DYNAMIC_SHARED) *value = function.mostSharedBytes;
  return SUCCESS;
}
EXPORT int cuFuncSetAttribute(void* handle, int attribute, int value) {
  ENTER();
  if (attribute == DYNAMIC_SHARED) {
    if (value < 0 || value > SHARED_MEMORY) return INVALID_VALUE;
    static_cast<Function*>(handle)->mostSharedBytes = value;
  }
  return SUCCESS;
}
EXPORT int cuFuncSetCacheConfig(void*, int) { return SUCCESS; }
EXPORT int cuFuncGetParamInfo(void* handle, std::size_t index, std::size_t* offset, std::size_t* bytes) {
  ENTER();
  const Kernel& kernel = *static_cast<Function*>(handle)->kernel;
  if (index >= static_cast<std::size_t>(countParameters(kernel))) return INVALID_VALUE;
  std::size_t at = 0;
  for (std::size_t i = 0;; i++) {
    at = (at + kernel.alignments[i] - 1) / kernel.alignments[i] * kernel.alignments[i];
    if (i == index) break;
    at += kernel.sizes[i];
  }
  *offset = at;
  if (bytes != nullptr) *bytes = kernel.sizes[index];
  return SUCCESS;
}
EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void*, int threads, std::size_t sharedBytes) {
  ENTER();
  const int byThreads = 2048 / std::max(threads, 1);
  *blocks = sharedBytes == 0 ? byThreads : std::min<int>(byThreads, static_cast<int>(233472 / (sharedBytes + 1024)));
  return SUCCESS;
}

EXPORT int cuLaunchKernel(void* handle, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                          unsigned blockZ, unsigned sharedBytes, void* stream, void** arguments, void** extra) {
  ENTER();
  if (handle == nullptr) return INVALID_HANDLE;
  if (extra != nullptr) return NOT_SUPPORTED;
  Launch launch = {*static_cast<Function*>(handle), {{gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes}, {}};
  const Kernel& kernel = *launch.function.kernel;
  const unsigned long long threads = 1ull * blockX * blockY * blockZ;
  if (threads == 0 || threads > 1024 || blockZ > 64 || gridX == 0 || gridY == 0 || gridZ == 0) return INVALID_VALUE;
  if (gridX > 2147483647u || gridY > 65535 || gridZ > 65535) return INVALID_VALUE;
  if (sharedBytes > static_cast<unsigned>(launch.function.mostSharedBytes)) return INVALID_VALUE;
  if (kernel.mostThreads != 0 && threads > static_cast<unsigned>(kernel.mostThreads)) return LAUNCH_OUT_OF_RESOURCES;
  for (int i = 0; i < countParameters(kernel); i++) {
    std::vector<std::uint64_t> value((kernel.sizes[i] + 7) / 8 + 1);
    std::memcpy(value.data(), arguments[i], kernel.sizes[i]);
    launch.values.push_back(std::move(value));
  }
  return enqueue(streamOf(stream), [launch]() mutable { return launch.run(); });
}

EXPORT int cuLaunchHostFunc(void* stream, void (*function)(void*), void* data) {
  ENTER();
  return enqueue(streamOf(stream), [=] {
    function(data);
    return SUCCESS;
  });
}

// ---- streams, events, graphs ----

EXPORT int cuStreamCreate(void** handle, unsigned) {
  ENTER();
  auto* stream = new Stream;
  addStream(stream);
  *handle = stream;
  return SUCCESS;
}
EXPORT int cuStreamCreateWithPriority(void** handle, unsigned flags, int) { return cuStreamCreate(handle, flags); }
EXPORT int cuStreamDestroy_v2(void* handle) {
  ENTER();
  const int error = drain(streamOf(handle));
  removeStream(static_cast<Stream*>(handle));
  delete static_cast<Stream*>(handle);
  return error;
}
EXPORT int cuStreamSynchronize(void* handle) {
  ENTER();
  if (refuseCapture(streamOf(handle))) return CAPTURE_UNSUPPORTED;
  return drain(streamOf(handle));
}
EXPORT int cuStreamQuery(void* handle) { return cuStreamSynchronize(handle); }
EXPORT int cuStreamWaitEvent(void*, void*, unsigned) {
  ENTER();
  return drainAll();
}
EXPORT int cuStreamBeginCapture_v2(void* handle, int) {
  ENTER();
  if (handle == nullptr) return CAPTURE_UNSUPPORTED;
  Stream& stream = streamOf(handle);
  if (stream.capture != nullptr) return INVALID_VALUE;
  const int error = drain(stream);
  stream.capture = std::make_unique<Graph>();
  stream.isInvalid = false;
  return error;
}
EXPORT int cuStreamEndCapture(void* handle, void** graph) {
  ENTER();
  Stream& stream = streamOf(handle);
  *graph = nullptr;
  if (stream.capture == nullptr) return INVALID_VALUE;
  std::unique_ptr<Graph> recorded = std::move(stream.capture);
  if (stream.isInvalid) return CAPTURE_INVALIDATED;
  *graph = recorded.release();
  return SUCCESS;
}
EXPORT int cuStreamIsCapturing(void* handle, int* status) {
  ENTER();
  const Stream& stream = streamOf(handle);
  *status = stream.capture == nullptr ? 0 : stream.isInvalid ? 2 : 1;
  return SUCCESS;
}
EXPORT int cuThreadExchangeStreamCaptureMode(int*) { return SUCCESS; }

EXPORT int cuGraphInstantiateWithFlags(void** handle, void* graph, unsigned long long) {
  ENTER();
  *handle = new Graph(*static_cast<Graph*>(graph));
  return SUCCESS;
}
EXPORT int cuGraphGetNodes(void* graph, void**, std::size_t* count) {
  *count = static_cast<Graph*>(graph)->work.size();
  return SUCCESS;
}
EXPORT int cuGraphUpload(void*, void*) { return SUCCESS; }
EXPORT int cuGraphLaunch(void* handle, void* stream) {
  ENTER();
  const Graph graph = *static_cast<Graph*>(handle);
  return enqueue(streamOf(stream), [graph] {
    log("graph %zu", graph.work.size());
    for (const Work& work : graph.work) {
      if (const int error = work()) return error;
    }
    return SUCCESS;
  });
}
EXPORT int cuGraphExecDestroy(void* handle) {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  delete static_cast<Graph*>(handle);
  return SUCCESS;
}
EXPORT int cuGraphDestroy(void* handle) { return cuGraphExecDestroy(handle); }

EXPORT int cuEventCreate(void** handle, unsigned flags) {
  ENTER();
  *handle = new Event(flags);
  return SUCCESS;
}
EXPORT int cuEventDestroy_v2(void* handle) {
  ENTER();
  // It may still be waited for in a stream.
  const int error = drainAll();
  delete static_cast<Event*>(handle);
  return error;
}
EXPORT int cuEventRecord(void* handle, void* stream) {
  ENTER();
  auto* event = static_cast<Event*>(handle);
  if (streamOf(stream).capture == nullptr) {
    event->isRecorded = true;
    event->isDone = false;
    event->stream = &streamOf(stream);
  }
  return enqueue(streamOf(stream), [=] {
    event->isDone = true;
    event->time = std::chrono::steady_clock::now();
    return SUCCESS;
  });
}
EXPORT int cuEventSynchronize(void* handle) {
  ENTER();
  const auto* event = static_cast<Event*>(handle);
  return event->isRecorded && !event->isDone ? drain(*event->stream) : SUCCESS;
}
EXPORT int cuEventQuery(void* handle) { return cuEventSynchronize(handle); }
EXPORT int cuEventElapsedTime(float* milliseconds, void* from, void* to) {
  ENTER();
  const auto &start = *static_cast<Event*>(from), &end = *static_cast<Event*>(to);
  if ((start.flags | end.flags) & WITHOUT_TIMING || !start.isRecorded || !end.isRecorded) return INVALID_HANDLE;
  if (!start.isDone || !end.isDone) return NOT_READY;
  *milliseconds = std::chrono::duration<float, std::milli>(end.time - start.time).count();
  return SUCCESS;
}
EXPORT int cuEventElapsedTime_v2(float* milliseconds, void* from, void* to) {
  return cuEventElapsedTime(milliseconds, from, to);
}
