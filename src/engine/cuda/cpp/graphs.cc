/** Commands that are recorded once and run as one, and marks for timing. */
#include <algorithm>

#include "session.h"

namespace tokenfuse::cuda {
namespace {

template <class T>
typename std::map<int, T>::iterator find(std::map<int, T>& all, int id, const char* what) {
  const auto found = all.find(id);
  if (found != all.end()) return found;
  throw std::invalid_argument(std::string("CUDA, ") + what + ": expected the id of a " + what + ", got " +
                              std::to_string(id));
}

}  // namespace

void Session::beginCapture(bool keepAll) {
  requireOpen();
  requireNoCapture("beginCapture");
  // What was freed is free for good then, so that memory can be taken aside.
  check(libraries_.driver.streamSynchronize(stream_), "beginCapture");
  // Relaxed: this thread also takes memory, and libraries load kernels at their first use; none of it is recorded.
  check(libraries_.driver.beginCapture(stream_, kCaptureRelaxed), "beginCapture");
  capturing_ = true;
  keepsAll_ = keepAll;
}

int Session::endCapture() {
  if (!capturing_) throw CudaError("", "CUDA: expected beginCapture before endCapture");
  const DriverApi& cu = libraries_.driver;
  Recorded recorded = std::move(recording_);
  recording_ = {};
  reusable_.clear();
  for (auto* each : {&taken_, &lasting_, &touched_}) each->clear();
  capturing_ = keepsAll_ = false;
  if (lost_) throw CudaError("CUDA_LOST", lostMessage_);
  useContext();
  Graph graph = nullptr;
  Result result = cu.endCapture(stream_, &graph);
  if (result == 0 && graph != nullptr) result = cu.graphInstantiate(&recorded.exec, graph, 0);
  if (graph != nullptr) cu.graphDestroy(graph);
  if (result != 0 || recorded.exec == nullptr) {
    dropHolds(recorded.held);
    check(result, "recording of commands");
    throw CudaError("", "CUDA: recording of commands: nothing was recorded");
  }
  graphs_.emplace(nextGraph_, std::move(recorded));
  return nextGraph_++;
}

void Session::launchGraph(int id) {
  requireOpen();
  requireNoCapture("launchGraph");
  const auto graph = find(graphs_, id, "graph");
  last_ = -5;
  check(libraries_.driver.graphLaunch(graph->second.exec, stream_), "launch of a recorded graph");
}

void Session::freeGraph(int id) {
  const auto graph = find(graphs_, id, "graph");
  Recorded recorded = std::move(graph->second);
  graphs_.erase(graph);
  if (lost_) return;
  requireOpen();
  requireNoCapture("freeGraph");
  check(libraries_.driver.graphExecDestroy(recorded.exec), "free of a recorded graph");
  dropHolds(recorded.held);
}

int Session::mark() {
  requireOpen();
  requireNoCapture("mark");
  Event event = nullptr;
  check(libraries_.driver.eventCreate(&event, kTimedEvent), "mark");
  marks_.emplace(nextMark_, event);
  check(libraries_.driver.eventRecord(event, stream_), "mark");
  return nextMark_++;
}

double Session::elapsed(int from, int to) {
  requireOpen();
  requireNoCapture("elapsed");
  const Event first = find(marks_, from, "mark")->second;
  const Event second = find(marks_, to, "mark")->second;
  check(libraries_.driver.eventSynchronize(first), "mark");
  check(libraries_.driver.eventSynchronize(second), "mark");
  float milliseconds = 0;
  check(libraries_.driver.eventElapsed(&milliseconds, first, second), "time between marks");
  return milliseconds;
}

void Session::freeMark(int id) {
  const auto mark = find(marks_, id, "mark");
  const Event event = mark->second;
  marks_.erase(mark);
  if (lost_) return;
  requireOpen();
  check(libraries_.driver.eventDestroy(event), "mark");
}

}  // namespace tokenfuse::cuda
