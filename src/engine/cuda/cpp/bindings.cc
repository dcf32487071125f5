/** The functions of the CUDA engine as JavaScript sees them: arguments are checked here, errors get their codes. */
#include "bindings.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "session.h"

namespace tokenfuse::cuda {
namespace {

[[noreturn]] void fail(const std::string& name, const std::string& expected) {
  throw std::invalid_argument("CUDA, " + name + ": expected " + expected + ", got something else");
}

napi_value text(napi_env env, const std::string& value) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value.data(), value.size(), &result);
  return result;
}

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

napi_value object(napi_env env) {
  napi_value result = nullptr;
  napi_create_object(env, &result);
  return result;
}

/** An Error with its code; `tried` lists the files that could not be loaded. */
napi_value errorOf(napi_env env, const CudaError& error) {
  napi_value result = nullptr;
  napi_create_error(env, error.code[0] == '\0' ? nullptr : text(env, error.code), text(env, error.what()), &result);
  if (error.tried.empty()) return result;
  napi_value list = nullptr;
  napi_create_array_with_length(env, error.tried.size(), &list);
  for (size_t i = 0; i < error.tried.size(); i++) {
    napi_value each = object(env);
    set(env, each, "library", text(env, error.tried[i].library));
    set(env, each, "file", text(env, error.tried[i].file));
    set(env, each, "why", text(env, error.tried[i].why));
    napi_set_element(env, list, static_cast<uint32_t>(i), each);
  }
  set(env, result, "tried", list);
  return result;
}

/** Bytes of a typed array or a DataView. */
struct View {
  void* data = nullptr;
  size_t bytes = 0;
};

bool viewOf(napi_env env, napi_value value, View& view) {
  bool is = false;
  napi_typedarray_type type;
  if (napi_is_typedarray(env, value, &is) == napi_ok && is) {
    size_t length = 0;
    if (napi_get_typedarray_info(env, value, &type, &length, &view.data, nullptr, nullptr) != napi_ok) return false;
    const size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    if (static_cast<size_t>(type) >= sizeof(widths) / sizeof(*widths)) return false;
    view.bytes = length * widths[type];
  } else if (napi_is_dataview(env, value, &is) == napi_ok && is) {
    if (napi_get_dataview_info(env, value, &view.bytes, &view.data, nullptr, nullptr) != napi_ok) return false;
  } else {
    return false;
  }
  if (view.data == nullptr) view.bytes = 0;
  return true;
}

/** A call's arguments. Everything is read before the lock is taken, since reading a list may run JavaScript. */
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env(env) { napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr); }

  napi_value value(size_t i) const {
    if (i < count_ && i < kMost) return values_[i];
    napi_value nothing = nullptr;
    napi_get_undefined(env, &nothing);
    return nothing;
  }

  /** A whole number in [0, 2⁵³]. */
  double whole(size_t i, const char* name) const {
    double number = 0;
    if (napi_get_value_double(env, value(i), &number) != napi_ok) fail(name, "a number");
    if (!(number >= 0 && number <= 9007199254740992.0) || number != std::floor(number)) {
      throw std::invalid_argument(std::string("CUDA, ") + name + ": expected a whole number of at least 0, got " +
                                  std::to_string(number));
    }
    return number;
  }

  int id(size_t i, const char* name) const {
    const double number = whole(i, name);
    return number > 2147483647.0 ? -1 : static_cast<int>(number);
  }

  /** false where there is none. */
  bool flag(size_t i) const {
    bool result = false;
    return napi_get_value_bool(env, value(i), &result) == napi_ok && result;
  }

  View view(size_t i, const char* name) const {
    View result;
    if (!viewOf(env, value(i), result)) fail(name, "a typed array");
    return result;
  }

  std::string string(napi_value from, const std::string& name) const {
    size_t length = 0;
    if (napi_get_value_string_utf8(env, from, nullptr, 0, &length) != napi_ok) fail(name, "text");
    std::string result(length + 1, '\0');
    napi_get_value_string_utf8(env, from, result.data(), result.size(), &length);
    result.resize(length);
    return result;
  }

  std::vector<std::string> strings(napi_value list, const std::string& name) const {
    bool isArray = false;
    uint32_t length = 0;
    if (napi_is_array(env, list, &isArray) != napi_ok || !isArray) fail(name, "a list of texts");
    napi_get_array_length(env, list, &length);
    std::vector<std::string> result;
    for (uint32_t i = 0; i < length; i++) {
      napi_value each = nullptr;
      if (napi_get_element(env, list, i, &each) != napi_ok) fail(name, "a list of texts");
      result.push_back(string(each, name));
    }
    return result;
  }

  napi_value property(napi_value of, const char* name) const {
    napi_valuetype type = napi_undefined;
    napi_typeof(env, of, &type);
    napi_value result = nullptr;
    if (type != napi_object || napi_get_named_property(env, of, name, &result) != napi_ok) fail("places", "an object");
    return result;
  }

  napi_env env;

 private:
  static constexpr size_t kMost = 4;
  napi_value values_[kMost] = {};
  size_t count_ = kMost;
};

napi_value open(const Call& call, Session& session) {
  const napi_value given = call.value(0);
  Places places;
  places.driver = call.strings(call.property(given, "driver"), "places of the driver");
  places.nvrtc = call.strings(call.property(given, "nvrtc"), "places of NVRTC");
  places.cublasLt = call.strings(call.property(given, "cublasLt"), "places of cublasLt");
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.open(places);
  const napi_env env = call.env;
  const Card& card = session.card();
  const Libraries& libraries = session.libraries();
  napi_value facts = object(env);
  set(env, facts, "card", text(env, card.name));
  set(env, facts, "capability", number(env, card.capability));
  set(env, facts, "multiprocessors", number(env, card.multiprocessors));
  set(env, facts, "memory", number(env, static_cast<double>(card.memory)));
  set(env, facts, "sharedMemory", number(env, static_cast<double>(card.sharedMemory)));
  set(env, facts, "driverVersion", number(env, libraries.driverVersion));
  set(env, facts, "nvrtcVersion",
      text(env, std::to_string(libraries.nvrtcMajor) + "." + std::to_string(libraries.nvrtcMinor)));
  set(env, facts, "cublasLtVersion", number(env, static_cast<double>(libraries.cublasLt.version())));
  napi_value files = object(env);
  set(env, files, "driver", text(env, libraries.driverFile));
  set(env, files, "nvrtc", text(env, libraries.nvrtcFile));
  set(env, files, "cublasLt", text(env, libraries.cublasLtFile));
  set(env, facts, "libraries", files);
  return facts;
}

napi_value compile(const Call& call, Session& session) {
  const std::string source = call.string(call.value(0), "source");
  const std::string name = call.string(call.value(1), "name");
  const std::vector<std::string> options = call.strings(call.value(2), "options");
  std::vector<char> cubin;
  {
    const std::lock_guard<std::mutex> lock(session.mutex);
    cubin = session.compile(source, name, options);
  }
  void* data = nullptr;
  napi_value buffer = nullptr, array = nullptr;
  napi_create_arraybuffer(call.env, cubin.size(), &data, &buffer);
  if (data != nullptr) std::memcpy(data, cubin.data(), cubin.size());
  napi_create_typedarray(call.env, napi_uint8_array, cubin.size(), buffer, 0, &array);
  return array;
}

napi_value loadKernels(const Call& call, Session& session) {
  const std::vector<std::string> names = call.strings(call.value(1), "names");
  const View cubin = call.view(0, "cubin");
  if (cubin.bytes < 64) throw std::invalid_argument("CUDA, cubin: expected at least 64 bytes, got fewer");
  std::vector<int> ids;
  {
    const std::lock_guard<std::mutex> lock(session.mutex);
    ids = session.loadKernels(cubin.data, cubin.bytes, names);
  }
  napi_value list = nullptr;
  napi_create_array_with_length(call.env, ids.size(), &list);
  for (size_t i = 0; i < ids.size(); i++) napi_set_element(call.env, list, static_cast<uint32_t>(i), number(call.env, ids[i]));
  return list;
}

napi_value allocate(const Call& call, Session& session) {
  const double bytes = call.whole(0, "bytes");
  const bool lasting = call.flag(1);
  const std::lock_guard<std::mutex> lock(session.mutex);
  return number(call.env, static_cast<double>(session.allocate(static_cast<size_t>(bytes), lasting)));
}

napi_value free(const Call& call, Session& session) {
  const double address = call.whole(0, "address");
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.free(static_cast<Address>(address));
  return nullptr;
}

napi_value memory(const Call& call, Session& session) {
  DeviceMemory memory;
  {
    const std::lock_guard<std::mutex> lock(session.mutex);
    memory = session.memory();
  }
  napi_value result = object(call.env);
  set(call.env, result, "used", number(call.env, static_cast<double>(memory.used)));
  set(call.env, result, "peak", number(call.env, static_cast<double>(memory.peak)));
  set(call.env, result, "reserved", number(call.env, static_cast<double>(memory.reserved)));
  set(call.env, result, "free", number(call.env, static_cast<double>(memory.free)));
  set(call.env, result, "total", number(call.env, static_cast<double>(memory.total)));
  return result;
}

napi_value resetPeak(const Call&, Session& session) {
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.resetPeak();
  return nullptr;
}

napi_value upload(const Call& call, Session& session) {
  const double address = call.whole(0, "address");
  const View source = call.view(1, "source");
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.upload(static_cast<Address>(address), source.data, source.bytes);
  return nullptr;
}

napi_value download(const Call& call, Session& session) {
  const double address = call.whole(0, "address");
  const View target = call.view(1, "target");
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.download(target.data, static_cast<Address>(address), target.bytes);
  return nullptr;
}

/** A download that a promise stands for. */
struct Later {
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  napi_ref target = nullptr;
  Download download;
  Result result = 0;
};

void waitLater(napi_env, void* data) {
  Later& later = *static_cast<Later*>(data);
  later.result = Session::get().waitFor(later.download);
}

void endLater(napi_env env, napi_status status, void* data) {
  Later* const later = static_cast<Later*>(data);
  Session& session = Session::get();
  napi_value error = nullptr;
  const auto reject = [&](const CudaError& what) { error = errorOf(env, what); };
  if (status != napi_ok) {
    reject(CudaError("", "CUDA: the download was cancelled"));
  } else {
    try {
      if (later->result != 0) {
        const std::lock_guard<std::mutex> lock(session.mutex);
        session.check(later->result, "download");
      }
      napi_value target = nullptr;
      View view;
      napi_get_reference_value(env, later->target, &target);
      if (target == nullptr || !viewOf(env, target, view) || view.bytes != later->download.bytes) {
        throw CudaError("", "CUDA, download: expected the array to stay as it was, got another length");
      }
      if (view.bytes > 0) std::memcpy(view.data, later->download.pinned, view.bytes);
    } catch (const CudaError& what) {
      reject(what);
    }
  }
  // When cancelled the copy may still be under way: its memory is given up.
  if (status == napi_ok) {
    const std::lock_guard<std::mutex> lock(session.mutex);
    session.endDownload(later->download);
  }
  if (error != nullptr) {
    napi_reject_deferred(env, later->deferred, error);
  } else {
    napi_value nothing = nullptr;
    napi_get_undefined(env, &nothing);
    napi_resolve_deferred(env, later->deferred, nothing);
  }
  napi_delete_reference(env, later->target);
  napi_delete_async_work(env, later->work);
  delete later;
}

napi_value downloadLater(const Call& call, Session& session) {
  const napi_env env = call.env;
  const double address = call.whole(0, "address");
  const View target = call.view(1, "target");
  napi_value promise = nullptr;
  auto later = std::make_unique<Later>();
  {
    const std::lock_guard<std::mutex> lock(session.mutex);
    later->download = session.beginDownload(static_cast<Address>(address), target.bytes);
  }
  const bool made = napi_create_reference(env, call.value(1), 1, &later->target) == napi_ok &&
                    napi_create_async_work(env, nullptr, text(env, "tokenfuse:download"), waitLater, endLater, later.get(),
                                           &later->work) == napi_ok &&
                    napi_create_promise(env, &later->deferred, &promise) == napi_ok &&
                    napi_queue_async_work(env, later->work) == napi_ok;
  if (!made) throw CudaError("", "CUDA, download: Node.js has no room for it");
  static_cast<void>(later.release());
  return promise;
}

napi_value synchronize(const Call&, Session& session) {
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.synchronize();
  return nullptr;
}

napi_value execute(const Call& call, Session& session) {
  napi_typedarray_type type;
  size_t count = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(call.env, call.value(0), &type, &count, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array) {
    fail("words", "a Float64Array");
  }
  const double length = call.whole(1, "length");
  if (length > static_cast<double>(data == nullptr ? 0 : count)) {
    throw std::invalid_argument("CUDA, length: expected at most " + std::to_string(count) + ", got " +
                                std::to_string(static_cast<long>(length)));
  }
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.execute(static_cast<const double*>(data), static_cast<size_t>(length));
  return nullptr;
}

napi_value beginCapture(const Call& call, Session& session) {
  const bool keepAll = call.flag(0);
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.beginCapture(keepAll);
  return nullptr;
}

napi_value endCapture(const Call& call, Session& session) {
  const std::lock_guard<std::mutex> lock(session.mutex);
  return number(call.env, session.endCapture());
}

napi_value launchGraph(const Call& call, Session& session) {
  const int id = call.id(0, "graph");
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.launchGraph(id);
  return nullptr;
}

napi_value freeGraph(const Call& call, Session& session) {
  const int id = call.id(0, "graph");
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.freeGraph(id);
  return nullptr;
}

napi_value mark(const Call& call, Session& session) {
  const std::lock_guard<std::mutex> lock(session.mutex);
  return number(call.env, session.mark());
}

napi_value elapsed(const Call& call, Session& session) {
  const int from = call.id(0, "mark"), to = call.id(1, "mark");
  const std::lock_guard<std::mutex> lock(session.mutex);
  return number(call.env, session.elapsed(from, to));
}

napi_value freeMark(const Call& call, Session& session) {
  const int id = call.id(0, "mark");
  const std::lock_guard<std::mutex> lock(session.mutex);
  session.freeMark(id);
  return nullptr;
}

using Binding = napi_value (*)(const Call&, Session&);

/** Runs a function; what it throws becomes what JavaScript catches. */
template <Binding binding>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return binding(Call(env, info), Session::get());
  } catch (const std::invalid_argument& error) {
    napi_throw_type_error(env, nullptr, error.what());
  } catch (const CudaError& error) {
    napi_throw(env, errorOf(env, error));
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

}  // namespace

napi_value createExports(napi_env env) {
  napi_value exports = object(env);
  const auto define = [&](const char* name, napi_callback callback) {
    napi_value function = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    set(env, exports, name, function);
  };
  define("open", guarded<open>);
  define("compile", guarded<compile>);
  define("loadKernels", guarded<loadKernels>);
  define("allocate", guarded<allocate>);
  define("free", guarded<free>);
  define("memory", guarded<memory>);
  define("resetPeak", guarded<resetPeak>);
  define("upload", guarded<upload>);
  define("download", guarded<download>);
  define("downloadLater", guarded<downloadLater>);
  define("synchronize", guarded<synchronize>);
  define("execute", guarded<execute>);
  define("beginCapture", guarded<beginCapture>);
  define("endCapture", guarded<endCapture>);
  define("launchGraph", guarded<launchGraph>);
  define("freeGraph", guarded<freeGraph>);
  define("mark", guarded<mark>);
  define("elapsed", guarded<elapsed>);
  define("freeMark", guarded<freeMark>);
  return exports;
}

}  // namespace tokenfuse::cuda
