/** Work for the card: run at once, or when somebody waits for it, or recorded in a graph; and the log of what ran. */
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fibers.h"

namespace emulated {

// CUresult
constexpr int SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
              INVALID_IMAGE = 200, INVALID_CONTEXT = 201, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600,
              ILLEGAL_ADDRESS = 700, LAUNCH_OUT_OF_RESOURCES = 701, MISALIGNED_ADDRESS = 716, LAUNCH_FAILED = 719,
              NOT_SUPPORTED = 801, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, CAPTURE_UNMATCHED = 903;

using Work = std::function<int()>;

struct Graph {
  std::vector<Work> work;
};

struct Stream {
  std::vector<Work> waiting;
  std::unique_ptr<Graph> capture;
  bool isInvalid = false;
};

/** Runs work, or records it where the stream is being captured. */
int enqueue(Stream& stream, Work work);
/** Runs what waits (TOKENFUSE_EMULATED_LATE). */
int drain(Stream& stream);
int drainAll();
/** What may not happen while a stream is captured; makes the capture invalid. */
bool refuseCapture(Stream& stream);
bool isAnyCapturing();

/** Counts launches for TOKENFUSE_EMULATED_LOSS; an error where the card is lost now. */
int countLaunch();
/** The error that every call returns from now on; 0 for none. */
int stickyError();
void clearStickyError();
/** Keeps the outcome's error for later calls; returns its code. */
int keep(const Outcome& outcome);
/** What went wrong last, for people; empty for nothing. */
const std::string& faultMessage();

/** A line to TOKENFUSE_EMULATED_LOG. */
void log(const char* format, ...) __attribute__((format(printf, 1, 2)));

/** What the NULL stream is. */
Stream& defaultStream();
void addStream(Stream* stream);
void removeStream(Stream* stream);

}  // namespace emulated
