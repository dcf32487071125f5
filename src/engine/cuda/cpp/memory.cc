/** Device memory: one pool that keeps what it has; memory that a recorded graph uses stays until the graph is freed. */
#include <algorithm>
#include <cmath>

#include "session.h"

namespace tokenfuse::cuda {
namespace {

constexpr size_t kAlignment = 256;

std::string megabytes(size_t bytes) {
  const double amount = static_cast<double>(bytes) / 1e6;
  return std::to_string(static_cast<long>(std::ceil(amount))) + " MB";
}

}  // namespace

Address Session::allocateRaw(size_t bytes) {
  const DriverApi& cu = libraries_.driver;
  // Not on the stream that is recorded: the graph would take the memory anew whenever it runs.
  const Stream stream = capturing_ ? aside_ : stream_;
  Address address = 0;
  Result result = cu.memAlloc(&address, bytes, stream);
  if (result == kOutOfMemory) {
    if (!capturing_) check(cu.streamSynchronize(stream_), "memory");
    check(cu.streamSynchronize(aside_), "memory");
    check(cu.poolTrim(pool_, 0), "memory");
    result = cu.memAlloc(&address, bytes, stream);
  }
  if (result == kOutOfMemory) {
    size_t free = 0, total = card_.memory;
    cu.memInfo(&free, &total);
    throw CudaError("CUDA_OUT_OF_MEMORY", "CUDA: expected " + megabytes(bytes) + " more on " + card_.name + ", got " +
                                              megabytes(free) + " free of " + megabytes(total) + " (" +
                                              megabytes(used_) +
                                              " in use by tensors); use a smaller batch, shorter sequences or a smaller model");
  }
  check(result, "memory of " + std::to_string(bytes) + " bytes");
  if (capturing_) check(cu.streamSynchronize(aside_), "memory");
  return address;
}

Address Session::allocate(size_t bytes, bool lasting) {
  requireOpen();
  const size_t size = (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  if (capturing_ && !lasting) {
    const auto fitting = reusable_.lower_bound(size);
    if (fitting != reusable_.end() && fitting->first <= size + size / 4) {
      const Address address = fitting->second;
      reusable_.erase(fitting);
      blocks_.at(address).freed = false;
      return address;
    }
  }
  const Address address = allocateRaw(size);
  Block& block = blocks_[address] = {size, false, 0};
  used_ += size;
  peak_ = std::max(peak_, used_);
  if (capturing_) {
    hold(address, block);
    (lasting ? lasting_ : taken_).insert(address);
  }
  return address;
}

void Session::hold(Address address, Block& block) {
  block.holders++;
  recording_.held.push_back(address);
}

/** Of memory that a recorded command uses. */
void Session::keep(Address address) {
  if (!keepsAll_) return;
  auto block = blocks_.upper_bound(address);
  if (block == blocks_.begin()) return;
  --block;
  const Address start = block->first;
  if (address - start > block->second.bytes || taken_.count(start) != 0 || lasting_.count(start) != 0) return;
  if (touched_.insert(start).second) hold(start, block->second);
}

void Session::free(Address address) {
  if (!open_) throw CudaError("", "CUDA: expected an open card; call open first");
  const auto found = blocks_.find(address);
  if (found == blocks_.end() || found->second.freed) {
    throw std::invalid_argument("CUDA, free: expected the address of an allocation, got " + std::to_string(address));
  }
  Block& block = found->second;
  block.freed = true;
  // Its memory went with the device; tensors are given up all the same.
  if (lost_) {
    used_ -= block.bytes;
    blocks_.erase(found);
    return;
  }
  useContext();
  if (capturing_) {
    if (taken_.count(address) != 0) {
      reusable_.emplace(block.bytes, address);
    } else if (lasting_.count(address) == 0 && touched_.insert(address).second) {
      // What is recorded may read it; it is not written by anything that comes later in the graph.
      hold(address, block);
    }
    return;
  }
  if (block.holders == 0) release(found);
}

void Session::release(std::map<Address, Block>::iterator block) {
  const Address address = block->first;
  used_ -= block->second.bytes;
  blocks_.erase(block);
  check(libraries_.driver.memFree(address, stream_), "free");
}

void Session::dropHolds(const std::vector<Address>& held) {
  for (const Address address : held) {
    const auto block = blocks_.find(address);
    if (block == blocks_.end()) continue;
    block->second.holders--;
    if (block->second.freed && block->second.holders == 0) release(block);
  }
}

bool Session::covers(Address address, size_t bytes) const {
  auto after = blocks_.upper_bound(address);
  if (after == blocks_.begin()) return false;
  const auto& [start, block] = *--after;
  const size_t offset = address - start;
  return !block.freed && offset <= block.bytes && bytes <= block.bytes - offset;
}

void Session::requireRange(Address address, size_t bytes, const char* what) const {
  if (bytes == 0 || covers(address, bytes)) return;
  throw std::invalid_argument(std::string("CUDA, ") + what + ": expected " + std::to_string(bytes) +
                              " bytes of allocated memory at " + std::to_string(address) + ", got fewer");
}

DeviceMemory Session::memory() {
  requireOpen();
  DeviceMemory memory;
  memory.used = used_;
  memory.peak = peak_;
  uint64_t reserved = 0;
  check(libraries_.driver.poolGet(pool_, kReservedNow, &reserved), "memory pool");
  memory.reserved = reserved;
  check(libraries_.driver.memInfo(&memory.free, &memory.total), "memory");
  return memory;
}

void Session::resetPeak() { peak_ = used_; }

}  // namespace tokenfuse::cuda
