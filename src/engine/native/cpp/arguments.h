/** Reading and checking the arguments of a call from JavaScript: numbers and typed arrays, nothing else. */
#pragma once
#include <node_api.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tokenfuse {

/** An array of Float32Arrays; what they are is checked when they are asked for. */
class ArrayList {
 public:
  ArrayList(napi_env env, const char* name, std::vector<napi_value> arrays);
  size_t size() const { return arrays_.size(); }
  /** Numbers in array `i`. */
  long length(size_t i) const;
  /** Array `i`, of at least `count` numbers. */
  float* floats(size_t i, long count) const;

 private:
  napi_env env_;
  const char* name_;
  std::vector<napi_value> arrays_;
};

/** A call's arguments, taken one after the other; whatever is wrong with one is a std::invalid_argument. */
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info);

  /**
   * Reads the entries of all lists. That may run JavaScript, which may call a kernel: it comes before the lock, and before
   * any array's memory is looked at.
   */
  void readLists();

  /** A whole number in [0, 2⁴⁰]: a size, a count or a flag. */
  long size(const char* name);
  /** A size, at most `limit`. */
  long size(const char* name, long limit);
  float number(const char* name);
  /** A boolean. */
  bool flag(const char* name);
  /** Text of at most 15 characters; "" where there is none. */
  std::string text();

  /** A Float32Array of at least `count` numbers. */
  float* floats(const char* name, long count);
  /** The same, or null where the argument is undefined. */
  float* floatsOrNone(const char* name, long count);
  int32_t* ints(const char* name, long count);
  /** A Float32Array or Int32Array: four bytes each, to be moved. */
  float* words(const char* name, long count);
  /** Any typed array of at least that many bytes. */
  uint8_t* bytes(const char* name, long count);
  /** An array of Float32Arrays, as `readLists` has found it. */
  ArrayList arrays(const char* name);
  /** The same, of that many. */
  ArrayList arrays(const char* name, size_t count);
  /** The ArrayBuffer's memory, and how many bytes it has. */
  void* buffer(const char* name, long* bytes);

  /** Ends the reading: more arguments than were taken are an error too. */
  void end() const;

 private:
  napi_value take(const char* name);

  static constexpr size_t kMost = 32;
  napi_env env_;
  napi_value values_[kMost];
  size_t count_ = kMost;
  size_t next_ = 0;
  /** Entries of the arguments that are lists, by the argument's place. */
  std::vector<std::pair<size_t, std::vector<napi_value>>> lists_;
};

/** a · b · …, or an error when it is past what memory holds. */
long product(std::initializer_list<long> sizes);

}  // namespace tokenfuse
