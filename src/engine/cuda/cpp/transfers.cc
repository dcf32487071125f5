/** Copies between host and device through pinned memory. */
#include <algorithm>
#include <cstring>

#include "session.h"

namespace tokenfuse::cuda {
namespace {

/** Uploads under way are in a ring of this size, in pieces. */
constexpr size_t kRing = size_t{64} << 20;
constexpr size_t kPiece = size_t{16} << 20;
constexpr size_t kMostStaged = 512;
/** Pinned memory that is kept for later downloads. */
constexpr size_t kKeptPinned = size_t{512} << 20;

}  // namespace

Event Session::newEvent() {
  if (!events_.empty()) {
    const Event event = events_.back();
    events_.pop_back();
    return event;
  }
  Event event = nullptr;
  check(libraries_.driver.eventCreate(&event, kNoTiming | kWaitAsleep), "event");
  return event;
}

void* Session::hostMemory(size_t bytes) {
  void* memory = nullptr;
  const Result result = libraries_.driver.hostAlloc(&memory, bytes, 0);
  if (result != 0) check(result, std::to_string(bytes >> 20) + " MiB of pinned host memory");
  return memory;
}

/** A piece of the ring that no copy reads any more. */
char* Session::stage(size_t bytes) {
  if (staging_ == nullptr) staging_ = static_cast<char*>(hostMemory(kRing));
  const size_t size = (bytes + 255) / 256 * 256;
  if (stagingNext_ + size > kRing) stagingNext_ = 0;
  const size_t begin = stagingNext_;
  const size_t end = begin + size;
  stagingNext_ = end;
  size_t done = staged_.size() >= kMostStaged ? 1 : 0;
  for (size_t i = 0; i < staged_.size(); i++) {
    if (staged_[i].begin < end && begin < staged_[i].end) done = i + 1;
  }
  if (done > 0) {
    // In order: when the last of them is done, all are.
    check(libraries_.driver.eventSynchronize(staged_[done - 1].event), "upload");
    for (size_t i = 0; i < done; i++) {
      events_.push_back(staged_.front().event);
      staged_.pop_front();
    }
  }
  return staging_ + begin;
}

void Session::upload(Address to, const void* from, size_t bytes) {
  requireOpen();
  requireRange(to, bytes, "upload");
  if (capturing_) {
    uploadLasting(to, from, bytes);
    return;
  }
  const char* source = static_cast<const char*>(from);
  for (size_t at = 0; at < bytes; at += kPiece) {
    const size_t size = std::min(kPiece, bytes - at);
    char* const piece = stage(size);
    std::memcpy(piece, source + at, size);
    check(libraries_.driver.copyToDevice(to + at, piece, size, stream_), "upload");
    const Event event = newEvent();
    staged_.push_back({static_cast<size_t>(piece - staging_), static_cast<size_t>(piece - staging_) + size, event});
    check(libraries_.driver.eventRecord(event, stream_), "upload");
  }
}

/** While commands are recorded: numbers that no command changes, copied at once and not by the graph. */
void Session::uploadLasting(Address to, const void* from, size_t bytes) {
  if (lasting_.count(to) == 0) requireNoCapture("upload");
  const DriverApi& cu = libraries_.driver;
  check(cu.copyToDevice(to, from, bytes, aside_), "upload");
  check(cu.streamSynchronize(aside_), "upload");
}

void Session::download(void* to, Address from, size_t bytes) {
  requireOpen();
  requireNoCapture("download");
  requireRange(from, bytes, "download");
  char* const target = static_cast<char*>(to);
  const DriverApi& cu = libraries_.driver;
  for (char*& each : landing_) {
    if (each == nullptr) each = static_cast<char*>(hostMemory(kPiece));
  }
  const Event events[] = {newEvent(), newEvent()};
  const auto sizeAt = [&](size_t at) { return std::min(kPiece, bytes - at); };
  // One piece is copied out while the next one comes.
  for (size_t at = 0, piece = 0; at < bytes + kPiece; at += kPiece, piece++) {
    if (at < bytes) {
      check(cu.copyToHost(landing_[piece % 2], from + at, sizeAt(at), stream_), "download");
      check(cu.eventRecord(events[piece % 2], stream_), "download");
    }
    if (piece > 0) {
      const size_t before = at - kPiece;
      check(cu.eventSynchronize(events[(piece - 1) % 2]), "download");
      std::memcpy(target + before, landing_[(piece - 1) % 2], sizeAt(before));
    }
  }
  events_.insert(events_.end(), std::begin(events), std::end(events));
}

Download Session::beginDownload(Address from, size_t bytes) {
  requireOpen();
  requireNoCapture("download");
  requireRange(from, bytes, "download");
  Download download;
  download.bytes = bytes;
  // Sizes are powers of two, so that later downloads fit.
  download.capacity = 4096;
  while (download.capacity < bytes) download.capacity *= 2;
  const auto kept = std::find_if(pinned_.begin(), pinned_.end(),
                                 [&](const auto& each) { return each.first == download.capacity; });
  if (kept != pinned_.end()) {
    download.pinned = kept->second;
    pinnedBytes_ -= kept->first;
    pinned_.erase(kept);
  } else {
    download.pinned = hostMemory(download.capacity);
  }
  download.event = newEvent();
  if (bytes > 0) check(libraries_.driver.copyToHost(download.pinned, from, bytes, stream_), "download");
  check(libraries_.driver.eventRecord(download.event, stream_), "download");
  return download;
}

Result Session::waitFor(const Download& download) {
  const Result result = libraries_.driver.setContext(context_);
  return result != 0 ? result : libraries_.driver.eventSynchronize(download.event);
}

void Session::endDownload(const Download& download) {
  if (lost_) return;
  events_.push_back(download.event);
  if (capturing_ || pinnedBytes_ + download.capacity <= kKeptPinned) {
    pinned_.emplace_back(download.capacity, download.pinned);
    pinnedBytes_ += download.capacity;
  } else {
    useContext();
    libraries_.driver.hostFree(download.pinned);
  }
}

}  // namespace tokenfuse::cuda
