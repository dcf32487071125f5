#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>

#include "machine.h"

namespace emulated {
namespace {

constexpr std::size_t ALIGNMENT = 256;
/** Bytes before an allocation that are looked at; behind it, those up to the next multiple of the alignment. */
constexpr std::size_t GUARD_BEFORE = 64;
/** Larger allocations are left as the system gives them, which is zeros: a test may ask for more than the host has. */
constexpr std::size_t LARGEST_FILLED = std::size_t(1) << 30;
constexpr unsigned char UNWRITTEN = 0xff;
constexpr std::size_t DEFAULT_TOTAL = std::size_t(80) << 30;
/** Freed regions keep their addresses until so many others were freed. */
constexpr std::size_t KEPT_REGIONS = 1024;

struct Allocation {
  unsigned char* region;
  std::size_t regionBytes;
  std::size_t bytes;
};

struct Region {
  unsigned char* start;
  std::size_t bytes;
  std::uintptr_t address;
  std::size_t size;
};

std::map<std::uintptr_t, Allocation> allocations;
std::deque<Region> freed;
std::size_t used = 0;
std::size_t peak = 0;

std::size_t roundUp(std::size_t bytes, std::size_t multiple) { return (bytes + multiple - 1) / multiple * multiple; }

bool isUnwritten(const unsigned char* from, const unsigned char* to) {
  return std::all_of(from, to, [](unsigned char byte) { return byte == UNWRITTEN; });
}

const std::pair<const std::uintptr_t, Allocation>* allocationAt(std::uintptr_t address) {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin()) return nullptr;
  return &*std::prev(after);
}

/** Empty where the bytes around it are as they were. */
std::string overrunOf(std::uintptr_t start, const Allocation& allocation) {
  const auto* from = reinterpret_cast<const unsigned char*>(start);
  const auto* end = from + allocation.bytes;
  const auto* slackEnd = from + roundUp(allocation.bytes, ALIGNMENT);
  if (!isUnwritten(end, slackEnd)) {
    const auto* first = std::find_if(end, slackEnd, [](unsigned char byte) { return byte != UNWRITTEN; });
    return "byte " + std::to_string(first - from) + " of an allocation of " + std::to_string(allocation.bytes) + " bytes was written";
  }
  const auto* before = std::max<const unsigned char*>(from - GUARD_BEFORE, allocation.region + PAGE);
  if (!isUnwritten(before, from)) return "bytes before an allocation of " + std::to_string(allocation.bytes) + " bytes were written";
  return "";
}

}  // namespace

std::size_t totalMemory() {
  const char* asked = std::getenv("TOKENFUSE_EMULATED_MEMORY");
  return asked == nullptr || *asked == 0 ? DEFAULT_TOTAL : std::strtoull(asked, nullptr, 10);
}

std::size_t usedMemory() { return used; }
std::size_t peakMemory() { return peak; }
void resetPeakMemory() { peak = used; }

void* allocateMemory(std::size_t bytes) {
  const std::size_t room = roundUp(std::max<std::size_t>(bytes, 1), ALIGNMENT);
  if (used + room > totalMemory()) return nullptr;
  const std::size_t pages = roundUp(room + GUARD_BEFORE, PAGE);
  const std::size_t regionBytes = pages + 2 * PAGE;
  void* mapped = mmap(nullptr, regionBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* region = static_cast<unsigned char*>(mapped);
  if (mprotect(region + PAGE, pages, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapped, regionBytes);
    return nullptr;
  }
  unsigned char* start = region + PAGE + pages - room;
  if (room <= LARGEST_FILLED) {
    std::memset(start - GUARD_BEFORE, UNWRITTEN, room + GUARD_BEFORE);
  } else {
    std::memset(start - GUARD_BEFORE, UNWRITTEN, GUARD_BEFORE);
    std::memset(start + bytes, UNWRITTEN, room - bytes);
  }
  allocations[reinterpret_cast<std::uintptr_t>(start)] = {region, regionBytes, bytes};
  used += room;
  peak = std::max(peak, used);
  return start;
}

bool freeMemory(void* address) {
  const auto found = allocations.find(reinterpret_cast<std::uintptr_t>(address));
  if (found == allocations.end()) return false;
  const Allocation allocation = found->second;
  freed.push_back({allocation.region, allocation.regionBytes, found->first, allocation.bytes});
  allocations.erase(found);
  used -= roundUp(std::max<std::size_t>(allocation.bytes, 1), ALIGNMENT);
  // Mapped anew, so that its pages go back and any use is a fault.
  mmap(allocation.region, allocation.regionBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (freed.size() > KEPT_REGIONS) {
    munmap(freed.front().start, freed.front().bytes);
    freed.pop_front();
  }
  return true;
}

bool isDeviceMemory(const void* address, std::size_t bytes) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  const auto* found = allocationAt(at);
  return found != nullptr && at + bytes <= found->first + found->second.bytes;
}

std::string findOverrun() {
  for (const auto& [start, allocation] : allocations) {
    std::string found = overrunOf(start, allocation);
    if (!found.empty()) return found;
  }
  return "";
}

std::string describeNear(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (const Region& region : freed) {
    if (at >= region.address && at < region.address + region.size) {
      return ", it lies in an allocation of " + std::to_string(region.size) + " bytes that was freed";
    }
  }
  for (const auto& [start, allocation] : allocations) {
    const auto region = reinterpret_cast<std::uintptr_t>(allocation.region);
    if (at < region || at >= region + allocation.regionBytes) continue;
    const std::string what = " an allocation of " + std::to_string(allocation.bytes) + " bytes";
    if (at < start) return ", " + std::to_string(start - at) + " bytes before" + what;
    return ", byte " + std::to_string(at - start) + " of" + what;
  }
  return "";
}

}  // namespace emulated
