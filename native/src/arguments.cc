#include "arguments.h"

namespace tokenfuse {
namespace {
constexpr double kLargest = 1099511627776.0;  // 2⁴⁰
}

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr);
  if (count_ > kMost) fail("arguments", "at most " + std::to_string(kMost), std::to_string(count_));
}

void Arguments::fail(const char* name, const std::string& expected, const std::string& got) const {
  throw std::invalid_argument(std::string("native kernel, ") + name + ": expected " + expected + ", got " + got);
}

napi_value Arguments::take(const char* name) {
  if (next_ >= count_) fail(name, "an argument", "none");
  return values_[next_++];
}

void Arguments::end() const {
  if (next_ != count_) fail("arguments", std::to_string(next_), std::to_string(count_));
}

long Arguments::size(const char* name) { return size(name, static_cast<long>(kLargest)); }

long Arguments::size(const char* name, long limit) {
  double value = 0;
  if (napi_get_value_double(env_, take(name), &value) != napi_ok) fail(name, "a number", "something else");
  if (!(value >= 0) || value > static_cast<double>(limit) || value != static_cast<double>(static_cast<long>(value))) {
    fail(name, "a whole number in [0, " + std::to_string(limit) + "]", std::to_string(value));
  }
  return static_cast<long>(value);
}

bool Arguments::flag(const char* name) {
  bool value = false;
  if (napi_get_value_bool(env_, take(name), &value) != napi_ok) fail(name, "a boolean", "something else");
  return value;
}

float Arguments::number(const char* name) {
  double value = 0;
  if (napi_get_value_double(env_, take(name), &value) != napi_ok) fail(name, "a number", "something else");
  return static_cast<float>(value);
}

std::string Arguments::text() {
  char characters[16] = "";
  size_t length = 0;
  if (next_ < count_) napi_get_value_string_utf8(env_, values_[next_++], characters, sizeof(characters), &length);
  return std::string(characters, length);
}

uint8_t* Arguments::array(const char* name, long count, bool floats, bool integers, bool others) {
  const napi_value value = take(name);
  bool isArray = false;
  if (napi_is_typedarray(env_, value, &isArray) != napi_ok || !isArray) fail(name, "a typed array", "something else");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env_, value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    fail(name, "a typed array", "one that cannot be read");
  }
  const bool allowed = type == napi_float32_array ? floats : type == napi_int32_array ? integers : others;
  if (!allowed) {
    fail(name, floats && integers ? "a Float32Array or Int32Array" : floats ? "a Float32Array" : "an Int32Array",
         "typed array of another kind");
  }
  size_t width = 1;
  if (others) {
    const size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    width = static_cast<size_t>(type) < sizeof(widths) / sizeof(*widths) ? widths[type] : 1;
  }
  if (length * width < static_cast<size_t>(count)) {
    fail(name, "at least " + std::to_string(count) + (others ? " bytes" : " numbers"), std::to_string(length * width));
  }
  return static_cast<uint8_t*>(data);
}

float* Arguments::floats(const char* name, long count) {
  return reinterpret_cast<float*>(array(name, count, true, false, false));
}

float* Arguments::floatsOrNone(const char* name, long count) {
  napi_valuetype type = napi_undefined;
  if (next_ < count_) napi_typeof(env_, values_[next_], &type);
  if (next_ < count_ && type == napi_undefined) {
    next_++;
    return nullptr;
  }
  return floats(name, count);
}

int32_t* Arguments::ints(const char* name, long count) {
  return reinterpret_cast<int32_t*>(array(name, count, false, true, false));
}

float* Arguments::words(const char* name, long count) {
  return reinterpret_cast<float*>(array(name, count, true, true, false));
}

uint8_t* Arguments::bytes(const char* name, long count) { return array(name, count, true, true, true); }

void* Arguments::buffer(const char* name) {
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_arraybuffer_info(env_, take(name), &data, &length) != napi_ok) {
    fail(name, "an ArrayBuffer", "something else");
  }
  return data;
}

long product(std::initializer_list<long> sizes) {
  long result = 1;
  for (const long size : sizes) {
    if (__builtin_mul_overflow(result, size, &result) || result > static_cast<long>(kLargest)) {
      throw std::invalid_argument("native kernel: expected sizes that fit in memory, got a product past 2^40");
    }
  }
  return result;
}

}  // namespace tokenfuse
