/** Reading encoded commands (commands.ts): never past their end, and every word is checked. */
#pragma once
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "session.h"

namespace tokenfuse::cuda {

class Session::Words {
 public:
  Words(const double* words, size_t length) : words_(words), length_(length) {}

  bool atEnd() const { return next_ >= length_; }
  void beginCommand() {
    command_++;
    kind_ = "command";
  }
  void name(const char* kind) { kind_ = kind; }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::invalid_argument("CUDA, command " + std::to_string(command_) + " (" + kind_ + "): " + what);
  }

  double number(const char* what) {
    if (next_ >= length_) fail(std::string(what) + ": expected a word, got the end of the commands");
    return words_[next_++];
  }

  int64_t whole(const char* what, double least, double most) {
    const double value = number(what);
    if (!(value >= least && value <= most) || value != std::floor(value)) {
      fail(std::string(what) + ": expected a whole number in [" + shown(least) + ", " + shown(most) + "], got " +
           shown(value));
    }
    return static_cast<int64_t>(value);
  }

  Address address(const char* what) { return static_cast<Address>(whole(what, 0, kExact)); }
  size_t size(const char* what) { return static_cast<size_t>(whole(what, 0, kExact)); }
  /** The bits of an int32 or a uint32. */
  uint32_t word(const char* what) { return static_cast<uint32_t>(whole(what, -2147483648.0, 4294967295.0)); }

  /** Whole numbers up to here are exact in float64. */
  static constexpr double kExact = 9007199254740992.0;

 private:
  static std::string shown(double value) {
    if (value == std::floor(value) && std::fabs(value) <= kExact) return std::to_string(static_cast<int64_t>(value));
    return std::to_string(value);
  }

  const double* words_;
  size_t length_;
  size_t next_ = 0;
  int command_ = -1;
  const char* kind_ = "command";
};

}  // namespace tokenfuse::cuda
