#include "stream.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace emulated {
namespace {

int sticky = SUCCESS;
std::string message;
std::vector<Stream*> streams;
/** Launches since TOKENFUSE_EMULATED_LOSS got the value it has. */
long long launches = 0;
std::string loss;

bool isSet(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != 0;
}

void readLoss() {
  const char* asked = std::getenv("TOKENFUSE_EMULATED_LOSS");
  const std::string value = asked == nullptr ? "" : asked;
  if (value == loss) return;
  loss = value;
  launches = 0;
}

bool isLost() { return !loss.empty() && launches >= std::max(1ll, std::atoll(loss.c_str())); }

int lose() {
  message = "the card was lost: TOKENFUSE_EMULATED_LOSS asked for it";
  return ILLEGAL_ADDRESS;
}

}  // namespace

int countLaunch() {
  readLoss();
  launches++;
  return isLost() ? lose() : SUCCESS;
}

int stickyError() {
  readLoss();
  return isLost() ? lose() : sticky;
}

void clearStickyError() {
  sticky = SUCCESS;
  message.clear();
}

int keep(const Outcome& outcome) {
  if (outcome.fault == Fault::none) return SUCCESS;
  message = outcome.message;
  sticky = outcome.fault == Fault::illegalAddress ? ILLEGAL_ADDRESS
           : outcome.fault == Fault::misaligned   ? MISALIGNED_ADDRESS
                                                  : LAUNCH_FAILED;
  log("fault %s", message.c_str());
  return sticky;
}

const std::string& faultMessage() { return message; }

void log(const char* format, ...) {
  if (!isSet("TOKENFUSE_EMULATED_LOG")) return;
  std::FILE* file = std::fopen(std::getenv("TOKENFUSE_EMULATED_LOG"), "a");
  if (file == nullptr) return;
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(file, format, arguments);
  va_end(arguments);
  std::fputc('\n', file);
  std::fclose(file);
}

int enqueue(Stream& stream, Work work) {
  if (stream.capture != nullptr) {
    if (stream.isInvalid) return CAPTURE_INVALIDATED;
    stream.capture->work.push_back(std::move(work));
    return SUCCESS;
  }
  if (isSet("TOKENFUSE_EMULATED_LATE")) {
    stream.waiting.push_back(std::move(work));
    return SUCCESS;
  }
  const int error = drain(stream);
  return error != SUCCESS ? error : work();
}

int drain(Stream& stream) {
  std::vector<Work> work;
  work.swap(stream.waiting);
  for (const Work& each : work) {
    const int error = each();
    if (error != SUCCESS) return error;
  }
  return SUCCESS;
}

int drainAll() {
  int error = drain(defaultStream());
  for (Stream* stream : streams) {
    if (error == SUCCESS) error = drain(*stream);
  }
  return error;
}

bool refuseCapture(Stream& stream) {
  if (stream.capture == nullptr) return false;
  stream.isInvalid = true;
  return true;
}

bool isAnyCapturing() {
  return std::any_of(streams.begin(), streams.end(), [](const Stream* stream) { return stream->capture != nullptr; });
}

Stream& defaultStream() {
  static Stream stream;
  return stream;
}

void addStream(Stream* stream) { streams.push_back(stream); }
void removeStream(Stream* stream) { streams.erase(std::remove(streams.begin(), streams.end(), stream), streams.end()); }

}  // namespace emulated
