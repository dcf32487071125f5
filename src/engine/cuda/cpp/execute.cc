/** Encoded commands: launches of kernels, fills and copies. The layout is described in commands.ts. */
#include <cstring>

#include "words.h"

namespace tokenfuse::cuda {
namespace {

constexpr size_t kMostArguments = 128;
/** The driver takes 4 KiB of arguments, or 32 KiB less 4 where it is newer. */
constexpr size_t kArgumentBytes = 32764;
constexpr double kLargestGrid = 2147483647.0;
constexpr double kLargestInt = 2147483647.0;

/** The arguments of one launch, one behind the other. */
class Arena {
 public:
  void begin(size_t count) {
    used_ = 0;
    count_ = 0;
    expected_ = count;
  }
  /** Room for the next argument; null when there is none. */
  void* take(size_t bytes) {
    used_ = (used_ + 7) / 8 * 8;
    if (count_ >= expected_ || used_ + bytes > kArgumentBytes) return nullptr;
    void* const place = bytes_ + used_;
    pointers_[count_] = place;
    sizes_[count_++] = bytes;
    used_ += bytes;
    return place;
  }
  void** pointers() { return pointers_; }
  size_t bytesOf(size_t i) const { return sizes_[i]; }

 private:
  alignas(16) unsigned char bytes_[kArgumentBytes + 16];
  void* pointers_[kMostArguments];
  size_t sizes_[kMostArguments];
  size_t used_ = 0, count_ = 0, expected_ = 0;
};

}  // namespace

void Session::execute(const double* encoded, size_t length) {
  requireOpen();
  Words words(encoded, length);
  while (!words.atEnd()) {
    words.beginCommand();
    switch (words.whole("opcode", 1, 4)) {
      case 1: launch(words); break;
      case 2: product(words); break;
      case 3: fill(words); break;
      default: copy(words); break;
    }
  }
}

void Session::launch(Words& words) {
  // Under the lock, so that one does for all threads.
  static Arena arena;
  words.name("launch");
  if (kernels_.empty()) words.fail("expected kernels to be loaded first");
  const int id = static_cast<int>(words.whole("kernel", 0, static_cast<double>(kernels_.size() - 1)));
  const Kernel& kernel = kernels_[static_cast<size_t>(id)];
  const char* const name = kernel.name.c_str();
  words.name(name);
  const auto x = static_cast<unsigned>(words.whole("grid x", 1, kLargestGrid));
  const auto y = static_cast<unsigned>(words.whole("grid y", 1, 65535));
  const auto z = static_cast<unsigned>(words.whole("grid z", 1, 65535));
  const auto threads = static_cast<unsigned>(words.whole("threads", 1, kernel.maxThreads));
  const auto shared = static_cast<unsigned>(
      words.whole("bytes of shared memory", 0, static_cast<double>(kernel.maxDynamicShared)));
  const auto count = static_cast<size_t>(words.whole("number of arguments", 0, kMostArguments));
  if (kernel.knowsParameters && count != kernel.parameterBytes.size()) {
    words.fail("expected " + std::to_string(kernel.parameterBytes.size()) + " arguments, got " + std::to_string(count));
  }
  arena.begin(count);
  const auto place = [&](size_t i, size_t bytes) {
    if (kernel.knowsParameters && kernel.parameterBytes[i] != bytes) {
      words.fail("argument " + std::to_string(i) + ": expected " + std::to_string(kernel.parameterBytes[i]) +
                 " bytes, got " + std::to_string(bytes));
    }
    void* const to = arena.take(bytes);
    if (to == nullptr) words.fail("argument " + std::to_string(i) + ": expected fewer bytes of arguments in all");
    return static_cast<unsigned char*>(to);
  };
  for (size_t i = 0; i < count; i++) {
    switch (words.whole("type of an argument", 0, 5)) {
      case 0: {
        const Address value = words.address("address");
        // Also the end of an allocation, where nothing is read.
        if (value != 0 && !covers(value, 0)) {
          words.fail("argument " + std::to_string(i) + ": expected an address of allocated memory, got " +
                     std::to_string(value));
        }
        keep(value);
        std::memcpy(place(i, 8), &value, 8);
        break;
      }
      case 1: {
        const uint32_t value = words.word("int");
        std::memcpy(place(i, 4), &value, 4);
        break;
      }
      case 2: {
        const float value = static_cast<float>(words.number("float"));
        std::memcpy(place(i, 4), &value, 4);
        break;
      }
      case 3: {
        const int64_t value = words.whole("long", -Words::kExact, Words::kExact);
        std::memcpy(place(i, 8), &value, 8);
        break;
      }
      case 4: {
        const auto ints = static_cast<size_t>(words.whole("ints of a struct", 1, kArgumentBytes / 4));
        unsigned char* const to = place(i, 4 * ints);
        for (size_t j = 0; j < ints; j++) {
          const uint32_t value = words.word("int of a struct");
          std::memcpy(to + 4 * j, &value, 4);
        }
        break;
      }
      default: {
        const auto addresses = static_cast<size_t>(words.whole("addresses of a struct", 1, kArgumentBytes / 8));
        unsigned char* const to = place(i, 8 * addresses);
        for (size_t j = 0; j < addresses; j++) {
          const Address value = words.address("address of a struct");
          keep(value);
          std::memcpy(to + 8 * j, &value, 8);
        }
      }
    }
  }
  last_ = id;
  const Result result = libraries_.driver.launch(kernel.function, x, y, z, threads, 1, 1, shared, stream_,
                                                 arena.pointers(), nullptr);
  if (result != 0) {
    check(result, "kernel " + kernel.name + ", grid " + std::to_string(x) + " × " + std::to_string(y) + " × " +
                      std::to_string(z) + ", " + std::to_string(threads) + " threads, " + std::to_string(shared) +
                      " bytes of shared memory");
  }
}

void Session::fill(Words& words) {
  words.name("fill");
  const Address to = words.address("address");
  const size_t bytes = words.size("bytes");
  const auto value = static_cast<unsigned char>(words.whole("value", 0, 255));
  if (bytes == 0) return;
  if (!covers(to, bytes)) words.fail("expected " + std::to_string(bytes) + " bytes of allocated memory, got fewer");
  keep(to);
  last_ = -3;
  const DriverApi& cu = libraries_.driver;
  const Result result = to % 4 == 0 && bytes % 4 == 0 ? cu.fillWords(to, value * 0x01010101u, bytes / 4, stream_)
                                                      : cu.fillBytes(to, value, bytes, stream_);
  if (result != 0) check(result, "fill of " + std::to_string(bytes) + " bytes");
}

void Session::copy(Words& words) {
  words.name("copy");
  const Address to = words.address("to");
  const Address from = words.address("from");
  const size_t bytes = words.size("bytes");
  if (bytes == 0) return;
  if (!covers(to, bytes)) words.fail("to: expected " + std::to_string(bytes) + " bytes of allocated memory, got fewer");
  if (!covers(from, bytes)) {
    words.fail("from: expected " + std::to_string(bytes) + " bytes of allocated memory, got fewer");
  }
  for (const Address address : {to, from}) keep(address);
  last_ = -4;
  const Result result = libraries_.driver.copyOnDevice(to, from, bytes, stream_);
  if (result != 0) check(result, "copy of " + std::to_string(bytes) + " bytes");
}

}  // namespace tokenfuse::cuda
