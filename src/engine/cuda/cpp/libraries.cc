/** Finding and loading the three libraries. */
#include <dirent.h>
#include <dlfcn.h>

#include <cstring>
#include <functional>

#include "session.h"

namespace tokenfuse::cuda {
namespace {

/** The file that a function of a library comes from. */
std::string fileOf(void* function, const std::string& asked) {
  Dl_info info;
  if (dladdr(function, &info) != 0 && info.dli_fname != nullptr && info.dli_fname[0] != '\0') return info.dli_fname;
  return asked;
}

std::string whyNot(const std::string& file) {
  const char* said = dlerror();
  std::string why = said == nullptr ? "cannot be loaded" : said;
  // The loader's messages begin with the file's name.
  if (why.compare(0, file.size() + 2, file + ": ") == 0) why.erase(0, file.size() + 2);
  for (char& each : why) {
    if (each == '\n') each = ' ';
  }
  return why;
}

/** Takes a library's functions; the first that it lacks, or an empty string. */
template <class F>
void take(void* library, const char* symbol, F& function, std::string& lacks) {
  function = reinterpret_cast<F>(dlsym(library, symbol));
  if (function == nullptr && lacks.empty()) lacks = symbol;
}

/** NVRTC asks the loader for its built-ins by name: they are there once those beside it are loaded. */
void loadBuiltins(const std::string& file) {
  const size_t slash = file.rfind('/');
  if (slash == std::string::npos) return;
  const std::string folder = file.substr(0, slash);
  DIR* listing = opendir(folder.c_str());
  if (listing == nullptr) return;
  constexpr char prefix[] = "libnvrtc-builtins.so.";
  while (const dirent* entry = readdir(listing)) {
    if (std::strncmp(entry->d_name, prefix, sizeof(prefix) - 1) != 0) continue;
    dlopen((folder + "/" + entry->d_name).c_str(), RTLD_NOW | RTLD_LOCAL);
    dlerror();
  }
  closedir(listing);
}

/** Loads the first file that `use` takes: it returns why not, or an empty string. Whether one was taken. */
bool loadFirst(const char* library, const std::vector<std::string>& files, std::vector<Tried>& tried,
               const std::function<std::string(void*, const std::string&)>& use) {
  for (const std::string& file : files) {
    dlerror();
    void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    const std::string why = handle == nullptr ? whyNot(file) : use(handle, file);
    if (why.empty()) return true;
    tried.push_back({library, file, why});
    // What was opened stays open: closing these libraries is known to end badly.
  }
  return false;
}

std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

}  // namespace

void Libraries::load(const Places& places) {
  std::vector<Tried> tried;
  std::string missing;
  const auto lacking = [&](const char* name) { missing += (missing.empty() ? "" : " and ") + std::string(name); };

  if (driverFile.empty() &&
      !loadFirst("driver", places.driver, tried, [this](void* library, const std::string& file) {
        DriverApi api;
        std::string lacks;
#define TAKE(name, symbol, arguments) take(library, symbol, api.name, lacks);
        TOKENFUSE_DRIVER(TAKE)
        std::string optional;
#define TAKE_OPTIONAL(name, symbol, arguments) take(library, symbol, api.name, optional);
        TOKENFUSE_DRIVER_OPTIONAL(TAKE_OPTIONAL)
        if (!lacks.empty()) return "has no " + lacks + ": a driver for CUDA 11.4 or later is needed";
        if (api.driverVersion(&driverVersion) != 0) return std::string("does not tell its version");
        driver = api;
        driverFile = fileOf(reinterpret_cast<void*>(api.init), file);
        return std::string();
      })) {
    lacking("libcuda.so.1");
  }
  // A library of a later major version than the driver's does not run on it.
  const auto tooNew = [this](int major) -> std::string {
    if (driverVersion == 0 || major <= driverVersion / 1000) return "";
    return "is for CUDA " + std::to_string(major) + ", the driver for " + version(driverVersion);
  };
  if (nvrtcFile.empty() && !loadFirst("nvrtc", places.nvrtc, tried, [&](void* library, const std::string& file) {
        NvrtcApi api;
        std::string lacks;
        TOKENFUSE_NVRTC(TAKE)
        if (!lacks.empty()) return "has no " + lacks;
        if (api.version(&nvrtcMajor, &nvrtcMinor) != 0) return std::string("does not tell its version");
        const std::string late = tooNew(nvrtcMajor);
        if (!late.empty()) return late;
        nvrtc = api;
        nvrtcFile = fileOf(reinterpret_cast<void*>(api.compile), file);
        loadBuiltins(nvrtcFile);
        return std::string();
      })) {
    lacking("libnvrtc.so.13 or .12");
  }
  if (cublasLtFile.empty() && !loadFirst("cublasLt", places.cublasLt, tried, [&](void* library, const std::string& file) {
        CublasLtApi api;
        std::string lacks;
        TOKENFUSE_CUBLASLT(TAKE)
        take(library, "cublasLtGetVersion", api.version, lacks);
        take(library, "cublasLtGetCudartVersion", api.runtimeVersion, lacks);
        if (!lacks.empty()) return "has no " + lacks;
        const std::string late = tooNew(static_cast<int>(api.runtimeVersion() / 1000));
        if (!late.empty()) return late;
        cublasLt = api;
        cublasLtFile = fileOf(reinterpret_cast<void*>(api.matmul), file);
        return std::string();
      })) {
    lacking("libcublasLt.so.13 or .12");
  }
#undef TAKE
#undef TAKE_OPTIONAL
  if (missing.empty()) return;
  std::string message = "CUDA: no " + missing;
  for (const Tried& each : tried) message += "; " + each.file + ": " + each.why;
  throw CudaError("CUDA_LIBRARY", message, std::move(tried));
}

}  // namespace tokenfuse::cuda
