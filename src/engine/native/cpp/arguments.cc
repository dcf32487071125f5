#include "arguments.h"

#include <utility>

namespace tokenfuse {
namespace {
constexpr double kLargest = 1099511627776.0;  // 2⁴⁰
/** Far more than any model has tensors. */
constexpr uint32_t kMostArrays = 1u << 20;

[[noreturn]] void fail(const char* name, const std::string& expected, const std::string& got) {
  throw std::invalid_argument(std::string("native kernel, ") + name + ": expected " + expected + ", got " + got);
}

/** Which typed arrays are taken; `any` counts bytes, the others numbers. */
enum class Kind { floats, integers, words, any };

struct View {
  void* data = nullptr;
  size_t length = 0;
};

View viewOf(napi_env env, napi_value value, const char* name, Kind kind) {
  napi_typedarray_type type;
  View view;
  // Of anything but a typed array this fails and says so.
  if (napi_get_typedarray_info(env, value, &type, &view.length, &view.data, nullptr, nullptr) != napi_ok) {
    fail(name, "a typed array", "something else");
  }
  // An array without numbers is not one that is not there, and copying nothing wants an address too.
  static float nothing = 0;
  if (view.data == nullptr) view.data = &nothing;
  if (kind == Kind::any) {
    const size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    view.length *= static_cast<size_t>(type) < sizeof(widths) / sizeof(*widths) ? widths[type] : 1;
    return view;
  }
  const bool allowed = (type == napi_float32_array && kind != Kind::integers) ||
                       (type == napi_int32_array && kind != Kind::floats);
  if (!allowed) {
    const char* wanted[] = {"a Float32Array", "an Int32Array", "a Float32Array or Int32Array"};
    fail(name, wanted[static_cast<int>(kind)], "typed array of another kind");
  }
  return view;
}

void* arrayOf(napi_env env, napi_value value, const char* name, long count, Kind kind) {
  const View view = viewOf(env, value, name, kind);
  if (view.length < static_cast<size_t>(count)) {
    fail(name, "at least " + std::to_string(count) + (kind == Kind::any ? " bytes" : " numbers"),
         std::to_string(view.length));
  }
  return view.data;
}

}  // namespace

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr);
  if (count_ > kMost) fail("arguments", "at most " + std::to_string(kMost), std::to_string(count_));
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

float* Arguments::floats(const char* name, long count) {
  return static_cast<float*>(arrayOf(env_, take(name), name, count, Kind::floats));
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
  return static_cast<int32_t*>(arrayOf(env_, take(name), name, count, Kind::integers));
}

float* Arguments::words(const char* name, long count) {
  return static_cast<float*>(arrayOf(env_, take(name), name, count, Kind::words));
}

uint8_t* Arguments::bytes(const char* name, long count) {
  return static_cast<uint8_t*>(arrayOf(env_, take(name), name, count, Kind::any));
}

void Arguments::readLists() {
  for (size_t place = 0; place < count_; place++) {
    bool isList = false;
    uint32_t count = 0;
    if (napi_is_array(env_, values_[place], &isList) != napi_ok || !isList) continue;
    if (napi_get_array_length(env_, values_[place], &count) != napi_ok || count > kMostArrays) {
      fail("list", "at most " + std::to_string(kMostArrays) + " arrays", std::to_string(count));
    }
    std::vector<napi_value> entries(count);
    for (uint32_t i = 0; i < count; i++) {
      if (napi_get_element(env_, values_[place], i, &entries[i]) != napi_ok) {
        fail("list", "an array of arrays", "one that cannot be read");
      }
    }
    lists_.emplace_back(place, std::move(entries));
  }
}

ArrayList Arguments::arrays(const char* name) {
  take(name);
  for (auto& [place, entries] : lists_) {
    if (place == next_ - 1) return ArrayList(env_, name, std::move(entries));
  }
  fail(name, "an array of arrays", "something else");
}

ArrayList Arguments::arrays(const char* name, size_t count) {
  ArrayList list = arrays(name);
  if (list.size() != count) fail(name, std::to_string(count) + " arrays", std::to_string(list.size()));
  return list;
}

ArrayList::ArrayList(napi_env env, const char* name, std::vector<napi_value> arrays)
    : env_(env), name_(name), arrays_(std::move(arrays)) {}

long ArrayList::length(size_t i) const {
  return static_cast<long>(viewOf(env_, arrays_[i], name_, Kind::floats).length);
}

float* ArrayList::floats(size_t i, long count) const {
  return static_cast<float*>(arrayOf(env_, arrays_[i], name_, count, Kind::floats));
}

void* Arguments::buffer(const char* name, long* bytes) {
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_arraybuffer_info(env_, take(name), &data, &length) != napi_ok) {
    fail(name, "an ArrayBuffer", "something else");
  }
  *bytes = static_cast<long>(length);
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
