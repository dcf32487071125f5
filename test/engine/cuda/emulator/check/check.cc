/**
 * Calls the emulated libraries as the addon does: `check <folder of the libraries> <source> <case>`. Prints what came, a number a
 * word, or "error <code> <message>". The compiled source is kept beside it, in <source>.cubin.
 */
#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Address = unsigned long long;

void* driver = nullptr;
void* nvrtc = nullptr;
void* cublasLt = nullptr;
void* stream = nullptr;
void* kernels = nullptr;

[[noreturn]] void stop(const std::string& what) {
  std::printf("error %s\n", what.c_str());
  std::exit(0);
}

/** Calls a function of a library by its name. */
template <class... Arguments>
int call(void* library, const char* name, Arguments... arguments) {
  auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(library, name));
  if (function == nullptr) stop(std::string("no function ") + name);
  return function(arguments...);
}

template <class... Arguments>
void must(const char* name, Arguments... arguments) {
  const int code = call(driver, name, arguments...);
  if (code == 0) return;
  const char* text = nullptr;
  call(driver, "cuGetErrorString", code, &text);
  stop(std::to_string(code) + " " + name + ": " + (text == nullptr ? "?" : text));
}

template <class... Arguments>
void mustProduct(const char* name, Arguments... arguments) {
  const int code = call(cublasLt, name, arguments...);
  if (code != 0) stop(std::to_string(code) + " " + name);
}

Address allocate(std::size_t bytes) {
  Address address = 0;
  must("cuMemAllocAsync", &address, bytes, stream);
  return address;
}

template <class T>
Address upload(const std::vector<T>& numbers) {
  const Address address = allocate(numbers.size() * sizeof(T));
  must("cuMemcpyHtoDAsync_v2", address, static_cast<const void*>(numbers.data()), numbers.size() * sizeof(T), stream);
  return address;
}

template <class T>
std::vector<T> download(Address address, std::size_t count) {
  std::vector<T> numbers(count);
  must("cuMemcpyDtoHAsync_v2", static_cast<void*>(numbers.data()), address, count * sizeof(T), stream);
  must("cuStreamSynchronize", stream);
  return numbers;
}

template <class T>
void print(const std::vector<T>& numbers) {
  for (const T& number : numbers) std::printf("%.10g ", static_cast<double>(number));
  std::printf("\n");
}

/** The same numbers at every run, of a few bits so that sums are exact in any order. */
std::vector<float> someNumbers(int count, int seed) {
  std::vector<float> numbers;
  for (int i = 0; i < count; i++) numbers.push_back(static_cast<float>((i * 37 + seed * 11) % 17 - 8) / 4);
  return numbers;
}

std::uint16_t toBf16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return static_cast<std::uint16_t>(bits >> 16);
}

std::vector<std::uint16_t> toBf16(const std::vector<float>& numbers) {
  std::vector<std::uint16_t> result;
  for (float x : numbers) result.push_back(toBf16(x));
  return result;
}

void launch(const char* name, std::initializer_list<unsigned> size, unsigned sharedBytes, std::vector<void*> arguments) {
  void* function = nullptr;
  must("cuModuleGetFunction", &function, kernels, name);
  if (sharedBytes > 48 << 10) must("cuFuncSetAttribute", function, 8, static_cast<int>(sharedBytes));
  const unsigned* s = size.begin();
  must("cuLaunchKernel", function, s[0], s[1], 1u, s[2], s[3], 1u, sharedBytes, stream, arguments.data(),
       static_cast<void**>(nullptr));
}

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string compile(const std::string& sourceFile) {
  const std::string text = readFile(sourceFile);
  void* program = nullptr;
  call(nvrtc, "nvrtcCreateProgram", &program, text.c_str(), "check.cu", 0, static_cast<const char* const*>(nullptr),
       static_cast<const char* const*>(nullptr));
  const char* const options[] = {"--gpu-architecture=sm_90", "--std=c++17"};
  const int compiled = call(nvrtc, "nvrtcCompileProgram", program, 2, static_cast<const char* const*>(options));
  std::size_t bytes = 0;
  if (compiled != 0) {
    call(nvrtc, "nvrtcGetProgramLogSize", program, &bytes);
    std::string log(bytes, ' ');
    call(nvrtc, "nvrtcGetProgramLog", program, log.data());
    stop(std::to_string(compiled) + " " + log.c_str());
  }
  call(nvrtc, "nvrtcGetCUBINSize", program, &bytes);
  std::string cubin(bytes, ' ');
  call(nvrtc, "nvrtcGetCUBIN", program, cubin.data());
  call(nvrtc, "nvrtcDestroyProgram", &program);
  return cubin;
}

void open(const std::string& folder, const std::string& sourceFile) {
  driver = dlopen((folder + "/libcuda.so.1").c_str(), RTLD_NOW | RTLD_LOCAL);
  nvrtc = dlopen((folder + "/libnvrtc.so.13").c_str(), RTLD_NOW | RTLD_LOCAL);
  cublasLt = dlopen((folder + "/libcublasLt.so.13").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr || nvrtc == nullptr || cublasLt == nullptr) stop(dlerror());
  int device = 0;
  void* context = nullptr;
  must("cuInit", 0u);
  must("cuDeviceGet", &device, 0);
  must("cuDevicePrimaryCtxRetain", &context, device);
  must("cuCtxSetCurrent", context);
  must("cuStreamCreate", &stream, 1u);
  std::string cubin = readFile(sourceFile + ".cubin");
  if (cubin.empty()) {
    cubin = compile(sourceFile);
    std::ofstream(sourceFile + ".cubin", std::ios::binary) << cubin;
  }
  must("cuModuleLoadData", &kernels, static_cast<const void*>(cubin.data()));
}

// ---- products ----

/** D = alpha op(A) op(B) + beta D, all [rows, columns] column after column. */
void multiply(const Address (&at)[3], int operandType, int resultType, int compute, bool transposeA, bool transposeB,
              std::uint64_t m, std::uint64_t n, std::uint64_t k, const std::int64_t (&ld)[3], int batch,
              const std::int64_t (&strides)[3], float alpha, float beta) {
  void *handle = nullptr, *operation = nullptr, *preference = nullptr, *layouts[3];
  mustProduct("cublasLtCreate", &handle);
  mustProduct("cublasLtMatmulDescCreate", &operation, compute, 0);
  const int transposes[] = {transposeA, transposeB};
  const std::uint64_t sizes[3][2] = {{transposeA ? k : m, transposeA ? m : k}, {transposeB ? n : k, transposeB ? k : n}, {m, n}};
  for (int i = 0; i < 2; i++) {
    mustProduct("cublasLtMatmulDescSetAttribute", operation, 3 + i, static_cast<const void*>(&transposes[i]), sizeof(int));
  }
  for (int i = 0; i < 3; i++) {
    mustProduct("cublasLtMatrixLayoutCreate", &layouts[i], i == 2 ? resultType : operandType, sizes[i][0], sizes[i][1], ld[i]);
    mustProduct("cublasLtMatrixLayoutSetAttribute", layouts[i], 5, static_cast<const void*>(&batch), sizeof(int));
    mustProduct("cublasLtMatrixLayoutSetAttribute", layouts[i], 6, static_cast<const void*>(&strides[i]), sizeof(std::int64_t));
  }
  mustProduct("cublasLtMatmulPreferenceCreate", &preference);
  for (int attribute = 5; attribute <= 8; attribute++) {
    const std::uint32_t bytes = 4;
    mustProduct("cublasLtMatmulPreferenceSetAttribute", preference, attribute, static_cast<const void*>(&bytes), sizeof(bytes));
  }
  struct {
    std::uint64_t algorithm[8];
    std::size_t workspace;
    int state;
    float waves;
    int reserved[4];
  } result;
  int found = 0;
  mustProduct("cublasLtMatmulAlgoGetHeuristic", handle, operation, layouts[0], layouts[1], layouts[2], layouts[2], preference, 1,
              &result, &found);
  mustProduct("cublasLtMatmul", handle, operation, static_cast<const void*>(&alpha), reinterpret_cast<void*>(at[0]), layouts[0],
              reinterpret_cast<void*>(at[1]), layouts[1], static_cast<const void*>(&beta), reinterpret_cast<void*>(at[2]),
              layouts[2], reinterpret_cast<void*>(at[2]), layouts[2], static_cast<const void*>(result.algorithm),
              static_cast<void*>(nullptr), std::size_t(0), stream);
}

/** The largest difference from a plain product, over all transposes, shapes that are no multiples of tiles, and batches. */
void checkProducts() {
  double worst = 0;
  const std::int64_t m = 37, n = 21, k = 29, ldExtra = 3;
  const int batch = 2;
  for (int kind = 0; kind < 4; kind++) {
    for (int transposes = 0; transposes < 4; transposes++) {
      const bool transposeA = transposes & 1, transposeB = transposes & 2;
      const bool isBf16 = kind >= 2, isBf16Result = kind == 3;
      const int compute = kind == 1 ? 77 : 68;
      const std::int64_t ld[3] = {(transposeA ? k : m) + ldExtra, (transposeB ? n : k) + ldExtra, m + ldExtra};
      const std::int64_t strides[3] = {ld[0] * (transposeA ? m : k), ld[1] * (transposeB ? k : n), ld[2] * n};
      const std::vector<float> a = someNumbers(static_cast<int>(strides[0] * batch), 1),
                               b = someNumbers(static_cast<int>(strides[1] * batch), 2),
                               c = someNumbers(static_cast<int>(strides[2] * batch), 3);
      const Address at[3] = {isBf16 ? upload(toBf16(a)) : upload(a), isBf16 ? upload(toBf16(b)) : upload(b),
                             isBf16Result ? upload(toBf16(c)) : upload(c)};
      multiply(at, isBf16 ? 14 : 0, isBf16Result ? 14 : 0, compute, transposeA, transposeB, m, n, k, ld, batch, strides, 0.5f, 2);
      std::vector<float> d;
      if (isBf16Result) {
        for (std::uint16_t bits : download<std::uint16_t>(at[2], c.size())) {
          const std::uint32_t wide = std::uint32_t(bits) << 16;
          float x;
          std::memcpy(&x, &wide, 4);
          d.push_back(x);
        }
      } else {
        d = download<float>(at[2], c.size());
      }
      for (int which = 0; which < batch; which++) {
        for (std::int64_t column = 0; column < n; column++) {
          for (std::int64_t row = 0; row < m; row++) {
            double sum = 0;
            for (std::int64_t p = 0; p < k; p++) {
              sum += static_cast<double>(a[which * strides[0] + (transposeA ? p + row * ld[0] : row + p * ld[0])]) *
                     b[which * strides[1] + (transposeB ? column + p * ld[1] : p + column * ld[1])];
            }
            const std::int64_t index = which * strides[2] + row + column * ld[2];
            const double expected = 0.5 * sum + 2.0 * c[index];
            const double scale = isBf16Result ? std::fmax(1.0, std::fabs(expected)) * 256 : 1;
            worst = std::fmax(worst, std::fabs(d[index] - expected) / scale);
          }
        }
      }
      // What lies between columns stays as it was.
      if (d[m] != c[m]) stop("a number between columns was written");
    }
  }
  std::printf("%.9g\n", worst);
}

/** Of two square products, in milliseconds. */
void timeProducts() {
  const std::int64_t size = 512;
  const Address at[3] = {upload(someNumbers(size * size, 1)), upload(someNumbers(size * size, 2)), allocate(size * size * 4)};
  multiply(at, 0, 0, 68, false, false, size, size, size, {size, size, size}, 1, {0, 0, 0}, 1, 0);
  print(download<float>(at[2], 2));
}

/** D = A B of one kernel beside a plain product: the largest difference. */
void checkMma(const char* kernel, int k, bool isBf16Operands) {
  const std::vector<float> a = someNumbers(16 * k, 1), b = someNumbers(k * 8, 2);
  Address at[3] = {allocate(16 * 8 * 4), isBf16Operands ? upload(toBf16(a)) : upload(a),
                   isBf16Operands ? upload(toBf16(b)) : upload(b)};
  launch(kernel, {1, 1, 32, 1}, 16 * 16 * 2 + 16 * 8 * 2, {&at[0], &at[1], &at[2]});
  const std::vector<float> d = download<float>(at[0], 16 * 8);
  double worst = 0;
  for (int row = 0; row < 16; row++) {
    for (int column = 0; column < 8; column++) {
      double sum = 0;
      for (int p = 0; p < k; p++) sum += static_cast<double>(a[row * k + p]) * b[p * 8 + column];
      worst = std::fmax(worst, std::fabs(sum - d[row * 8 + column]));
    }
  }
  std::printf("%.9g\n", worst);
}

void runCase(const std::string& name) {
  if (name == "indices") {
    Address out = allocate(6 * 8 * 4);
    int width = 6;
    float scale = 2;
    long long offset = 5;
    launch("check_indices", {2, 4, 3, 2}, 0, {&out, &width, &scale, &offset});
    print(download<int>(out, 48));
  } else if (name == "mmaBf16") {
    checkMma("check_mma_bf16", 16, false);
  } else if (name == "mmaTf32") {
    checkMma("check_mma_tf32", 8, false);
  } else if (name == "loadMatrices") {
    checkMma("check_load_matrices", 16, true);
  } else if (name == "missingWait") {
    Address out = allocate(64 * 4), in = upload(someNumbers(4, 1));
    launch("check_missing_wait", {1, 1, 32, 1}, 1024, {&out, &in});
    const std::vector<float> numbers = download<float>(out, 64);
    std::printf("%d %d\n", std::isnan(numbers[0]), std::isnan(numbers[32]));
  } else if (name == "sum") {
    const std::vector<float> numbers = someNumbers(192 * 3, 1);
    Address out = allocate(3 * 2 * 4), in = upload(numbers);
    launch("check_sum", {3, 1, 192, 1}, 0, {&out, &in});
    print(download<float>(out, 6));
    std::vector<float> expected;
    for (int block = 0; block < 3; block++) {
      float sum = 0, largest = -1e30f;
      for (int i = 0; i < 192; i++) sum += numbers[block * 192 + i], largest = std::fmax(largest, numbers[block * 192 + i]);
      expected.insert(expected.end(), {sum, largest});
    }
    print(expected);
  } else if (name == "tooManyThreads") {
    Address out = allocate(1024), in = allocate(4096);
    launch("check_sum", {1, 1, 512, 1}, 0, {&out, &in});
  } else if (name == "shuffles") {
    Address out = allocate(256 * 4);
    launch("check_shuffles", {1, 1, 32, 1}, 0, {&out});
    print(download<int>(out, 256));
  } else if (name == "earlyEnd") {
    Address out = allocate(40 * 4);
    launch("check_early_end", {1, 1, 100, 1}, 0, {&out});
    print(download<int>(out, 40));
  } else if (name == "deadlock") {
    Address out = allocate(64 * 4);
    launch("check_deadlock", {2, 1, 64, 1}, 0, {&out});
  } else if (name == "race" || name == "noRace") {
    Address out = allocate(64 * 4);
    int waits = name == "noRace";
    launch("check_race", {1, 1, 64, 1}, 0, {&out, &waits});
    int unwritten = 0;
    for (float x : download<float>(out, 64)) unwritten += std::isnan(x);
    std::printf("%d\n", unwritten);
  } else if (name == "writeBeyond" || name == "writeFarBeyond" || name == "writeBefore") {
    Address out = allocate(10 * 4);
    int index = name == "writeBeyond" ? 10 : name == "writeBefore" ? -1 : 64;
    launch("check_beyond", {1, 1, 1, 1}, 0, {&out, &index});
  } else if (name == "readBeyond") {
    Address out = allocate(4), in = upload(someNumbers(64, 1));
    int index = 64;
    launch("check_read_beyond", {1, 1, 1, 1}, 0, {&out, &in, &index});
  } else if (name == "readFreed") {
    Address out = allocate(4), in = upload(someNumbers(64, 1));
    int index = 3;
    must("cuMemFreeAsync", in, stream);
    launch("check_read_beyond", {1, 1, 1, 1}, 0, {&out, &in, &index});
  } else if (name == "readUnwritten") {
    Address out = allocate(4), in = allocate(64);
    int index = 3;
    launch("check_read_beyond", {1, 1, 1, 1}, 0, {&out, &in, &index});
    std::printf("%d\n", std::isnan(download<float>(out, 1)[0]));
  } else if (name == "sharedBeyond" || name == "sharedFarBeyond") {
    Address out = allocate(4);
    int index = name == "sharedBeyond" ? 100 : 50000;
    launch("check_shared_beyond", {1, 1, 1, 1}, 400, {&out, &index});
  } else if (name == "staticBeyond") {
    Address out = allocate(4);
    int index = 8;
    launch("check_static_beyond", {1, 1, 1, 1}, 0, {&out, &index});
  } else if (name == "misaligned") {
    Address out = allocate(64);
    int index = 1;
    launch("check_misaligned", {1, 1, 1, 1}, 0, {&out, &index});
  } else if (name == "unwrittenShared") {
    Address out = allocate(8);
    launch("check_unwritten", {3, 1, 1, 1}, 16, {&out});
    const std::vector<float> numbers = download<float>(out, 2);
    std::printf("%d %d\n", std::isnan(numbers[0]), std::isnan(numbers[1]));
  } else if (name == "structs") {
    struct {
      int count;
      float scale;
      int shape[3];
    } numbers = {7, 0.5f, {1, 2, 3}};
    Address places[2] = {allocate(16), allocate(16)};
    launch("check_structs", {1, 1, 4, 1}, 0, {&numbers, &places});
    print(download<float>(places[0], 4));
    print(download<float>(places[1], 4));
    void* function = nullptr;
    must("cuModuleGetFunction", &function, kernels, "check_structs");
    std::size_t offset = 0, bytes = 0;
    must("cuFuncGetParamInfo", function, std::size_t(1), &offset, &bytes);
    std::printf("%zu %zu %d\n", offset, bytes, call(driver, "cuFuncGetParamInfo", function, std::size_t(2), &offset, &bytes));
  } else if (name == "round") {
    std::vector<float> numbers = {1.0f, 1.00390625f, 1.01171875f, -3.1415927f, INFINITY, NAN, 3.4e38f, 1e-40f};
    Address out = allocate(16), in = upload(numbers);
    int count = 8;
    launch("check_round_bf16", {1, 1, 64, 1}, 0, {&out, &in, &count});
    print(download<std::uint16_t>(out, 8));
  } else if (name == "functions") {
    Address out = allocate(14 * 4);
    float x = 0.75f;
    launch("check_functions", {1, 1, 1, 1}, 0, {&out, &x});
    print(download<float>(out, 14));
  } else if (name == "atomics") {
    Address out = allocate(12);
    must("cuMemsetD32Async", out, 0u, std::size_t(3), stream);
    launch("check_atomics", {4, 1, 96, 1}, 0, {&out});
    print(download<int>(out, 3));
  } else if (name == "graph") {
    Address out = allocate(12);
    void *graph = nullptr, *runnable = nullptr;
    must("cuMemsetD32Async", out, 0u, std::size_t(3), stream);
    must("cuStreamBeginCapture_v2", stream, 2);
    launch("check_atomics", {1, 1, 10, 1}, 0, {&out});
    must("cuStreamEndCapture", stream, &graph);
    must("cuGraphInstantiateWithFlags", &runnable, graph, 0ull);
    must("cuGraphDestroy", graph);
    print(download<int>(out, 1));
    for (int i = 0; i < 3; i++) must("cuGraphLaunch", runnable, stream);
    print(download<int>(out, 1));
    must("cuGraphExecDestroy", runnable);
  } else if (name == "memory") {
    std::size_t free = 0, total = 0;
    must("cuMemGetInfo_v2", &free, &total);
    std::printf("%zu %zu\n", free, total);
    allocate(1 << 20);
    allocate(1 << 20);
  } else if (name == "loss") {
    Address out = allocate(12);
    for (int i = 0; i < 5; i++) {
      std::printf("%d ", i);
      launch("check_atomics", {1, 1, 10, 1}, 0, {&out});
    }
  } else if (name == "products") {
    checkProducts();
  } else if (name == "timeProducts") {
    timeProducts();
  } else {
    stop("no case " + name);
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) stop("check <folder> <source> <case>");
  open(words[1], words[2]);
  runCase(words[3]);
  return 0;
}
