/**
 * libnvrtc.so.13 without a card: "compiles" CUDA C++ with the system's C++ compiler. The cubin is a shared library whose
 * functions `emulatedModule…` tell the driver what kernels it has.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "machine.h"

extern char** environ;

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

// nvrtcResult
constexpr int SUCCESS = 0, INVALID_INPUT = 3, INVALID_PROGRAM = 4, INVALID_OPTION = 5, COMPILATION = 6, INTERNAL = 11;

struct Program {
  std::string source, name, log, cubin;
};

struct KernelName {
  std::string name;
  /** An expression; empty where the source gives none. */
  std::string mostThreads;
};

/** Of the checks the compiler can build in, those that need nothing but the functions at the end of emulated.h. */
const char* const CHECKS[] = {"-fsanitize=alignment,bounds,integer-divide-by-zero", "-fno-sanitize-recover=all"};

const char* const FLAGS[] = {"-std=c++17",       "-O1",           "-fPIC", "-w", "-fvisibility=hidden", "-fno-strict-aliasing",
                             "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fno-exceptions", "-fno-rtti",
                             "-DTOKENFUSE_EMULATED"};

std::string ownFolder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&ownFolder), &info) == 0) return ".";
  const std::string path = info.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/** Another text where one word follows another, with nothing but space between them. */
void replacePair(std::string& source, const std::string& first, const std::string& second, const std::string& replacement) {
  for (std::size_t at = source.find(second); at != std::string::npos; at = source.find(second, at + 1)) {
    const std::size_t last = at == 0 ? std::string::npos : source.find_last_not_of(" \t", at - 1);
    if (last == std::string::npos || last + 1 < first.size()) continue;
    const std::size_t start = last + 1 - first.size();
    if (source.compare(start, first.size(), first) != 0) continue;
    source.replace(start, at + second.size() - start, replacement);
    at = start;
  }
}

/** What macros alone cannot make C++ of. */
std::string adapted(std::string source) {
  // Dynamic shared memory is defined in the table: it is `extern` and no more.
  replacePair(source, "extern", "__shared__", "extern");
  // Or every part would compile all kernels, and their names would get out.
  replacePair(source, "extern \"C\"", "__global__", "static __global__");
  return source;
}

/** Starts the compiler; what it says on stderr goes to a file. 0 where it cannot be started. */
pid_t startCompiler(const std::vector<std::string>& arguments, const std::string& logPath) {
  const char* own = std::getenv("CXX");
  std::vector<std::string> words = {own != nullptr && *own != 0 ? own : TOKENFUSE_EMULATED_COMPILER};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, logPath.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  pid_t child = 0;
  const int error = posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    std::ofstream(logPath, std::ios::app) << words[0] << ": " << std::strerror(error) << "\n";
    return 0;
  }
  return child;
}

bool isDoneWell(pid_t child) {
  if (child == 0) return false;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool runCompiler(const std::vector<std::string>& arguments, const std::string& logPath) {
  return isDoneWell(startCompiler(arguments, logPath));
}

/** The kernels of a source that went through the preprocessor with EMULATED_SCAN. */
std::vector<KernelName> findKernels(const std::string& text) {
  std::vector<KernelName> kernels;
  const std::string mark = "EMULATED_KERNEL", bounds = "EMULATED_BOUNDS";
  const auto skip = [&](std::size_t at) { return text.find_first_not_of(" \t\r\n", at); };
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
    at += mark.size();
    KernelName kernel;
    for (std::size_t next = skip(at); next != std::string::npos; next = skip(next)) {
      std::size_t end = next;
      while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) end++;
      const std::string word = text.substr(next, end - next);
      if (word == bounds) {
        const std::size_t open = skip(end);
        int depth = 0;
        std::size_t close = open, comma = std::string::npos;
        for (; close < text.size(); close++) {
          if (text[close] == '(') depth++;
          if (text[close] == ')' && --depth == 0) break;
          if (text[close] == ',' && depth == 1 && comma == std::string::npos) comma = close;
        }
        const std::size_t last = comma == std::string::npos ? close : comma;
        kernel.mostThreads = text.substr(open + 1, last - open - 1);
        next = close + 1;
      } else if (!word.empty() && text[skip(end)] == '(') {
        kernel.name = word;
        break;
      } else if (word.empty()) {
        break;
      } else {
        next = end;
      }
    }
    if (!kernel.name.empty()) kernels.push_back(kernel);
  }
  return kernels;
}

/** What follows the source: the table of its kernels. Inside the same nameless namespace, so that nothing gets out but one function. */
std::string tableOf(const std::vector<KernelName>& kernels, int part, bool hasDynamicShared) {
  std::ostringstream text;
  text << "\n#line 1 \"kernels of the emulator\"\n";
  if (hasDynamicShared) text << "unsigned char sharedBytes[emulated::SHARED_ROOM] __attribute__((aligned(4096)));\n";
  text << "static const emulated::Kernel emulatedKernels[] = {\n";
  std::size_t count = 0;
  // Dealt out in turn: neighbours take about as long to compile. What a part does not name is not compiled in it.
  for (std::size_t i = static_cast<std::size_t>(part); i < kernels.size(); i += emulated::PARTS, count++) {
    const KernelName& kernel = kernels[i];
    const std::string call = "emulated::Call<" + kernel.name + ">";
    text << "{\"" << kernel.name << "\", " << call << "::run, " << call << "::sizes, " << call << "::alignments, "
         << (kernel.mostThreads.empty() ? "0" : kernel.mostThreads) << "},\n";
  }
  text << "{nullptr, nullptr, nullptr, nullptr, 0}};\n}\n"
       << "extern \"C\" __attribute__((weak, visibility(\"hidden\"))) unsigned char __start_tokenfuse_shared[];\n"
       << "extern \"C\" __attribute__((weak, visibility(\"hidden\"))) unsigned char __stop_tokenfuse_shared[];\n"
       << "extern \"C\" __attribute__((visibility(\"default\"))) const emulated::Module* emulatedModule" << part << "() {\n"
       << "  static const emulated::Module module = {emulated::INTERFACE_VERSION, &emulated::machine, emulatedKernels, "
       << count << ", " << (hasDynamicShared ? "sharedBytes" : "nullptr")
       << ", __start_tokenfuse_shared, __stop_tokenfuse_shared};\n  return &module;\n}\n";
  return text.str();
}

void tell(const std::string& line) {
  void* driver = dlopen((ownFolder() + "/libcuda.so.1").c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (driver == nullptr) return;
  if (auto* log = reinterpret_cast<void (*)(const char*)>(dlsym(driver, "emulatedLog"))) log(line.c_str());
  dlclose(driver);
}

int compileIn(const std::string& folder, Program& program, const std::vector<std::string>& options) {
  const std::string include = ownFolder() + "/emulated.h";
  const std::string source = folder + "/source.cc", scanned = folder + "/scanned.cc";
  const std::string library = folder + "/kernels.so", logPath = folder + "/log";
  const std::string text = adapted(program.source);
  const std::string opened = "namespace {\n#line 1 \"" + program.name + "\"\n" + text;
  std::vector<std::string> flags(std::begin(FLAGS), std::end(FLAGS));
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    flags.insert(flags.end(), {"-mavx2", "-mfma", "-mbmi", "-mbmi2", "-mlzcnt", "-mpopcnt"});
  }
#endif
  flags.insert(flags.end(), options.begin(), options.end());
  flags.insert(flags.end(), {"-include", include});
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), flags.begin(), flags.end());
    return more;
  };
  std::ofstream(source) << opened << "\n}\n";
  bool isDone = runCompiler(with({"-DEMULATED_SCAN", "-E", "-P", source, "-o", scanned}), logPath);
  if (isDone) {
    const std::vector<KernelName> kernels = findKernels(readFile(scanned));
    const bool hasDynamicShared = text.find("sharedBytes[]") != std::string::npos;
    std::vector<std::string> checked(std::begin(CHECKS), std::end(CHECKS));
    if (std::getenv("TOKENFUSE_EMULATED_UNCHECKED") != nullptr) checked.clear();
    std::vector<std::string> linked = {"-shared", "-o", library};
    std::vector<pid_t> children;
    for (int part = 0; part < emulated::PARTS; part++) {
      const std::string name = folder + "/part" + std::to_string(part);
      std::ofstream(name + ".cc") << opened << tableOf(kernels, part, hasDynamicShared);
      std::vector<std::string> arguments = with(checked);
      arguments.insert(arguments.end(), {"-c", name + ".cc", "-o", name + ".o"});
      // One log is enough: both parts hold the whole source.
      children.push_back(startCompiler(arguments, part == 0 ? logPath : name + ".log"));
      linked.push_back(name + ".o");
    }
    for (const pid_t child : children) isDone = isDoneWell(child) && isDone;
    linked.insert(linked.end(), {"-lm", "-Wl,-z,defs"});
    isDone = isDone && runCompiler(linked, logPath);
  }
  program.log = readFile(logPath);
  if (!isDone) return COMPILATION;
  program.cubin = readFile(library);
  tell("compile " + program.name + " " + std::to_string(program.source.size()));
  return program.cubin.empty() ? INTERNAL : SUCCESS;
}

}  // namespace

EXPORT const char* nvrtcGetErrorString(int result) {
  switch (result) {
    case SUCCESS:
      return "NVRTC_SUCCESS";
    case INVALID_INPUT:
      return "NVRTC_ERROR_INVALID_INPUT";
    case INVALID_PROGRAM:
      return "NVRTC_ERROR_INVALID_PROGRAM";
    case INVALID_OPTION:
      return "NVRTC_ERROR_INVALID_OPTION";
    case COMPILATION:
      return "NVRTC_ERROR_COMPILATION";
    default:
      return "NVRTC_ERROR_INTERNAL_ERROR";
  }
}

/** The minor number tells builds of the emulator apart, so that what a cache holds is never of another one, or of the real NVRTC. */
EXPORT int nvrtcVersion(int* major, int* minor) {
  *major = 13;
  *minor = TOKENFUSE_EMULATED_BUILD;
  return SUCCESS;
}

EXPORT int nvrtcGetNumSupportedArchs(int* count) {
  *count = 4;
  return SUCCESS;
}
EXPORT int nvrtcGetSupportedArchs(int* capabilities) {
  const int known[] = {80, 86, 89, 90};
  std::memcpy(capabilities, known, sizeof(known));
  return SUCCESS;
}

EXPORT int nvrtcCreateProgram(Program** program, const char* source, const char* name, int, const char* const*,
                              const char* const*) {
  if (program == nullptr || source == nullptr) return INVALID_INPUT;
  *program = new Program{source, name == nullptr || *name == 0 ? "default_program" : name, "", ""};
  return SUCCESS;
}

EXPORT int nvrtcDestroyProgram(Program** program) {
  if (program == nullptr || *program == nullptr) return INVALID_PROGRAM;
  delete *program;
  *program = nullptr;
  return SUCCESS;
}

EXPORT int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
  if (program == nullptr) return INVALID_PROGRAM;
  std::vector<std::string> defines;
  for (int i = 0; i < count; i++) {
    const std::string option = options[i];
    if (option.rfind("-", 0) != 0) {
      program->log = "nvrtc: error: unrecognized option " + option + " found\n";
      return INVALID_OPTION;
    }
    if (option.rfind("-D", 0) == 0) defines.push_back(option);
    if (option.rfind("--define-macro=", 0) == 0) defines.push_back("-D" + option.substr(15));
  }
  const char* parent = std::getenv("TMPDIR");
  std::string folder = std::string(parent == nullptr || *parent == 0 ? "/tmp" : parent) + "/tokenfuse-nvrtc-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return INTERNAL;
  const int result = compileIn(folder, *program, defines);
  if (std::getenv("TOKENFUSE_EMULATED_KEEP") == nullptr) {
    for (const char* name : {"/source.cc", "/scanned.cc", "/kernels.so", "/log"}) unlink((folder + name).c_str());
    for (int part = 0; part < emulated::PARTS; part++) {
      for (const char* end : {".cc", ".o", ".log"}) unlink((folder + "/part" + std::to_string(part) + end).c_str());
    }
    rmdir(folder.c_str());
  }
  return result;
}

/** With the 0 behind it, as in NVRTC. */
EXPORT int nvrtcGetProgramLogSize(Program* program, std::size_t* bytes) {
  if (program == nullptr) return INVALID_PROGRAM;
  *bytes = program->log.size() + 1;
  return SUCCESS;
}
EXPORT int nvrtcGetProgramLog(Program* program, char* log) {
  if (program == nullptr) return INVALID_PROGRAM;
  std::memcpy(log, program->log.c_str(), program->log.size() + 1);
  return SUCCESS;
}
EXPORT int nvrtcGetCUBINSize(Program* program, std::size_t* bytes) {
  if (program == nullptr) return INVALID_PROGRAM;
  *bytes = program->cubin.size();
  return SUCCESS;
}
EXPORT int nvrtcGetCUBIN(Program* program, char* cubin) {
  if (program == nullptr) return INVALID_PROGRAM;
  std::memcpy(cubin, program->cubin.data(), program->cubin.size());
  return SUCCESS;
}
