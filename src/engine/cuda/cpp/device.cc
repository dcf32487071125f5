/** Opening the card, and what its errors mean. */
#include <algorithm>

#include "session.h"

namespace tokenfuse::cuda {
namespace {

/** After these nothing more can be done with the context. */
bool isFatal(Result result) {
  static constexpr Result fatal[] = {kDeinitialized, 46,  214, 220, 226, 700, 702, 709, 710,
                                     714,            715, 716, 717, 718, 719, 721, 999};
  return std::find(std::begin(fatal), std::end(fatal), result) != std::end(fatal);
}

const char* nameOfLt(Result status) {
  switch (status) {
    case 1: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case 3: return "CUBLAS_STATUS_ALLOC_FAILED";
    case 7: return "CUBLAS_STATUS_INVALID_VALUE";
    case 8: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case 11: return "CUBLAS_STATUS_MAPPING_ERROR";
    case 13: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case 14: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case 15: return "CUBLAS_STATUS_NOT_SUPPORTED";
    case 16: return "CUBLAS_STATUS_LICENSE_ERROR";
    default: return "unknown status";
  }
}

/** Scratch memory for products; small cards have half of it. */
constexpr size_t kWorkspace = size_t{64} << 20;
constexpr size_t kSmallCard = size_t{8} << 30;

}  // namespace

Session& Session::get() {
  static Session* const session = new Session;
  return *session;
}

std::string Session::describe(Result result) const {
  const char* name = nullptr;
  const char* text = nullptr;
  libraries_.driver.getErrorName(result, &name);
  libraries_.driver.getErrorString(result, &text);
  std::string said = name == nullptr ? "CUDA error " + std::to_string(result) : name;
  if (text != nullptr) said += std::string(", ") + text;
  return said;
}

std::string Session::lastCommand() const {
  switch (last_) {
    case -1: return "none";
    case -2: return "a product of matrices";
    case -3: return "a fill";
    case -4: return "a copy";
    case -5: return "a recorded graph";
    default: return "kernel " + kernels_[static_cast<size_t>(last_)].name;
  }
}

void Session::check(Result result, const std::string& what) {
  if (result == 0) return;
  if (open_ && isFatal(result)) {
    lost_ = true;
    lostMessage_ = "CUDA: " + card_.name + " no longer answers (" + describe(result) + "); the last command was " +
                   lastCommand() + "; training goes on from the last checkpoint with --resume";
    throw CudaError("CUDA_LOST", lostMessage_);
  }
  throw CudaError(result == kOutOfMemory ? "CUDA_OUT_OF_MEMORY" : "", "CUDA: " + what + ": " + describe(result));
}

void Session::checkLt(Result status, const std::string& what) {
  if (status == 0) return;
  // A lost device shows itself to the driver too.
  if (!capturing_) check(libraries_.driver.streamSynchronize(stream_), what);
  throw CudaError(status == 3 ? "CUDA_OUT_OF_MEMORY" : "", "CUDA: " + what + ": " + nameOfLt(status));
}

void Session::requireOpen() {
  if (!open_) throw CudaError("", "CUDA: expected an open card; call open first");
  if (lost_) throw CudaError("CUDA_LOST", lostMessage_);
  useContext();
}

void Session::requireNoCapture(const char* what) {
  if (capturing_) throw CudaError("CUDA_CAPTURE", std::string("CUDA: expected no ") + what + " while commands are recorded");
}

void Session::useContext() {
  static thread_local bool current = false;
  if (current) return;
  check(libraries_.driver.setContext(context_), "context");
  current = true;
}

void Session::open(const Places& places) {
  if (open_) {
    requireOpen();
    return;
  }
  libraries_.load(places);
  const DriverApi& cu = libraries_.driver;
  check(cu.init(0), "driver");
  int count = 0;
  check(cu.deviceCount(&count), "cards");
  if (count == 0) throw CudaError("", "CUDA: no card (nvidia-smi and CUDA_VISIBLE_DEVICES tell more)");
  Device device = 0;
  check(cu.deviceGet(&device, 0), "card 0");
  char name[256] = "";
  check(cu.deviceName(name, sizeof(name) - 1, device), "name of the card");
  card_.name = name;
  check(cu.deviceMemory(&card_.memory, device), "memory of the card");
  const auto attribute = [&](int which) {
    int value = 0;
    check(cu.deviceAttribute(&value, which, device), "attribute " + std::to_string(which) + " of the card");
    return value;
  };
  card_.capability = 10 * attribute(kCapabilityMajor) + attribute(kCapabilityMinor);
  card_.multiprocessors = attribute(kMultiprocessors);
  card_.sharedMemory = static_cast<size_t>(attribute(kSharedMemoryOptIn));
  if (attribute(kMemoryPoolsSupported) == 0) {
    throw CudaError("", "CUDA: " + card_.name + " has no memory pools (a virtual card without unified memory?)");
  }
  check(cu.retainContext(&context_, device), "context");
  check(cu.setContext(context_), "context");
  if (stream_ == nullptr) check(cu.streamCreate(&stream_, kNonBlocking), "stream");
  if (aside_ == nullptr) check(cu.streamCreate(&aside_, kNonBlocking), "stream");
  check(cu.defaultPool(&pool_, device), "memory pool");
  uint64_t keepAll = ~uint64_t{0};
  check(cu.poolSet(pool_, kReleaseThreshold, &keepAll), "memory pool");
  const Result created = libraries_.cublasLt.create(&lt_);
  if (created != 0) throw CudaError("", std::string("CUDA: cublasLtCreate: ") + nameOfLt(created));
  workspaceBytes_ = card_.memory < kSmallCard ? kWorkspace / 2 : kWorkspace;
  if (workspace_ == 0) workspace_ = allocateRaw(workspaceBytes_);
  used_ = peak_ = 0;
  open_ = true;
}

void Session::synchronize() {
  requireOpen();
  requireNoCapture("synchronize");
  check(libraries_.driver.streamSynchronize(stream_), "synchronize");
}

}  // namespace tokenfuse::cuda
