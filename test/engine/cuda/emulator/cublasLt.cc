/** libcublasLt.so.13 without a card: products of float32 and bf16 matrices, column after column, with sums in float32. */
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

// cublasStatus_t
constexpr int SUCCESS = 0, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15;
// cudaDataType_t
constexpr int REAL_32F = 0, REAL_16BF = 14;
// cublasComputeType_t
constexpr int COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, COMPUTE_32F_FAST_16BF = 75, COMPUTE_32F_FAST_TF32 = 77;

constexpr std::size_t VERSION = 131000;
constexpr std::size_t CUDART_VERSION = 13000;

/** As large as cublasLtMatrixLayoutOpaque_t; so are the two below. */
struct Layout {
  int type;
  int order;
  std::uint64_t rows, columns;
  std::int64_t ld;
  int batchCount;
  std::int64_t batchStride;
  std::uint64_t rest[8];
};
static_assert(sizeof(Layout) == 14 * 8, "the opaque structure's size");

struct Operation {
  int computeType, scaleType;
  int pointerMode;
  int transposeA, transposeB;
  int epilogue;
  std::uint64_t rest[29];
};
static_assert(sizeof(Operation) == 32 * 8, "the opaque structure's size");

struct Preference {
  std::uint64_t workspaceBytes;
  std::uint32_t alignments[4];
  std::uint64_t rest[9];
};
static_assert(sizeof(Preference) == 12 * 8, "the opaque structure's size");

struct Algorithm {
  std::uint64_t data[8];
};

struct HeuristicResult {
  Algorithm algorithm;
  std::size_t workspaceBytes;
  int state;
  float waves;
  int reserved[4];
};

/** An algorithm that did not come from the heuristic is refused. */
constexpr std::uint64_t ALGORITHM_MARK = 0x746f6b656e667573ull;

struct Matrix {
  void* start;
  int type;
  bool isTransposed;
  std::int64_t ld, batchStride;
};

struct Product {
  Matrix a, b, c, d;
  std::int64_t m, n, k;
  int batch;
  bool isTf32, isBf16;
  float alpha, beta;
};

// ---- numbers ----

float asFloat(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

std::uint32_t asBits(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

std::uint16_t toBf16(float x) {
  if (x != x) return 0x7fff;
  const std::uint32_t bits = asBits(x);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float toTf32(float x) {
  const std::uint32_t bits = asBits(x);
  return (bits & 0x7f800000u) == 0x7f800000u ? x : asFloat((bits + 0x1000u) & ~0x1fffu);
}

float readNumber(const Matrix& matrix, std::int64_t index) {
  if (matrix.type == REAL_16BF) return asFloat(std::uint32_t(static_cast<const std::uint16_t*>(matrix.start)[index]) << 16);
  return static_cast<const float*>(matrix.start)[index];
}

void writeNumber(const Matrix& matrix, std::int64_t index, float x) {
  if (matrix.type == REAL_16BF) {
    static_cast<std::uint16_t*>(matrix.start)[index] = toBf16(x);
  } else {
    static_cast<float*>(matrix.start)[index] = x;
  }
}

// ---- the product ----

constexpr int TILE_ROWS = 16, TILE_COLUMNS = 4;
typedef float Vector __attribute__((vector_size(TILE_ROWS * sizeof(float))));

float rounded(const Product& product, float x) {
  if (product.isTf32) return toTf32(x);
  return product.isBf16 ? asFloat(std::uint32_t(toBf16(x)) << 16) : x;
}

/** Tiles of `width` rows of a matrix [rows, k]; in a tile, k after k. Zeros beyond the last row. */
std::vector<float> pack(const Product& product, const Matrix& matrix, bool isTransposed, std::int64_t rows, int width,
                        std::int64_t offset) {
  const std::int64_t tiles = (rows + width - 1) / width, k = product.k;
  std::vector<float> packed(static_cast<std::size_t>(tiles * width * k) + TILE_ROWS);
  for (std::int64_t row = 0; row < rows; row++) {
    float* to = packed.data() + row / width * width * k + row % width;
    for (std::int64_t p = 0; p < k; p++) {
      const std::int64_t index = isTransposed ? p + row * matrix.ld : row + p * matrix.ld;
      to[p * width] = rounded(product, readNumber(matrix, offset + index));
    }
  }
  return packed;
}

void multiplyOne(const Product& product, int batch) {
  const std::int64_t m = product.m, n = product.n, k = product.k;
  const std::vector<float> a = pack(product, product.a, product.a.isTransposed, m, TILE_ROWS, batch * product.a.batchStride);
  // op(B) is [k, n]: its columns are the rows of its transpose.
  const std::vector<float> b = pack(product, product.b, !product.b.isTransposed, n, TILE_COLUMNS, batch * product.b.batchStride);
  for (std::int64_t column = 0; column < n; column += TILE_COLUMNS) {
    for (std::int64_t row = 0; row < m; row += TILE_ROWS) {
      const float* ap = a.data() + row * k;
      const float* bp = b.data() + column * k;
      Vector sums[TILE_COLUMNS] = {};
      for (std::int64_t p = 0; p < k; p++) {
        Vector x;
        std::memcpy(&x, ap + p * TILE_ROWS, sizeof(x));
        for (int j = 0; j < TILE_COLUMNS; j++) sums[j] += x * bp[p * TILE_COLUMNS + j];
      }
      for (std::int64_t j = 0; j < std::min<std::int64_t>(TILE_COLUMNS, n - column); j++) {
        for (std::int64_t i = 0; i < std::min<std::int64_t>(TILE_ROWS, m - row); i++) {
          float value = product.alpha * sums[j][i];
          // C may hold anything where beta is 0.
          if (product.beta != 0) {
            value += product.beta * readNumber(product.c, batch * product.c.batchStride + row + i + (column + j) * product.c.ld);
          }
          writeNumber(product.d, batch * product.d.batchStride + row + i + (column + j) * product.d.ld, value);
        }
      }
    }
  }
}

void multiply(void* data) {
  const auto& product = *static_cast<const Product*>(data);
  for (int batch = 0; batch < product.batch; batch++) multiplyOne(product, batch);
}

// ---- checks ----

bool isNumber(const Layout& layout) { return layout.type == REAL_32F || layout.type == REAL_16BF; }

/** What the library would say to these matrices. */
int examine(const Operation& operation, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
  if (operation.scaleType != REAL_32F || operation.pointerMode != 0 || operation.epilogue != 1) return NOT_SUPPORTED;
  if (operation.transposeA > 1 || operation.transposeB > 1) return NOT_SUPPORTED;
  for (const Layout* layout : {&a, &b, &c, &d}) {
    if (!isNumber(*layout) || layout->order != 0) return NOT_SUPPORTED;
    if (layout->rows == 0 || layout->columns == 0 || layout->batchCount < 1) return INVALID_VALUE;
    if (layout->ld < static_cast<std::int64_t>(layout->rows)) return INVALID_VALUE;
    if (layout->batchCount != d.batchCount) return INVALID_VALUE;
  }
  const int compute = operation.computeType;
  const bool isFast = compute == COMPUTE_32F_FAST_TF32 || compute == COMPUTE_32F_FAST_16BF;
  if (!isFast && compute != COMPUTE_32F && compute != COMPUTE_32F_PEDANTIC) return NOT_SUPPORTED;
  if (a.type != b.type || c.type != d.type) return NOT_SUPPORTED;
  if (a.type == REAL_32F && d.type != REAL_32F) return NOT_SUPPORTED;
  if (isFast && a.type != REAL_32F) return NOT_SUPPORTED;
  const std::uint64_t m = operation.transposeA ? a.columns : a.rows, k = operation.transposeA ? a.rows : a.columns;
  const std::uint64_t n = operation.transposeB ? b.rows : b.columns, otherK = operation.transposeB ? b.columns : b.rows;
  if (k != otherK || d.rows != m || d.columns != n || c.rows != m || c.columns != n) return INVALID_VALUE;
  return SUCCESS;
}

using Enqueue = int (*)(void*, const char*, void (*)(void*), const void*, std::size_t);

/** The driver beside this library: products stand in its streams, graphs and log. */
Enqueue findEnqueue() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&findEnqueue), &info) == 0) return nullptr;
  const std::string path = info.dli_fname;
  void* driver = dlopen((path.substr(0, path.rfind('/') + 1) + "libcuda.so.1").c_str(), RTLD_NOW);
  return driver == nullptr ? nullptr : reinterpret_cast<Enqueue>(dlsym(driver, "emulatedEnqueue"));
}

template <class T>
int setNumber(T& to, const void* from, std::size_t bytes) {
  if (bytes != sizeof(T)) return INVALID_VALUE;
  std::memcpy(&to, from, bytes);
  return SUCCESS;
}

int handle = 0;

}  // namespace

EXPORT std::size_t cublasLtGetVersion() { return VERSION; }
EXPORT std::size_t cublasLtGetCudartVersion() { return CUDART_VERSION; }

EXPORT const char* cublasLtGetStatusName(int status) {
  switch (status) {
    case SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
  }
}
EXPORT const char* cublasLtGetStatusString(int status) { return cublasLtGetStatusName(status); }

EXPORT int cublasLtCreate(void** created) {
  *created = &handle;
  return SUCCESS;
}
EXPORT int cublasLtDestroy(void*) { return SUCCESS; }

EXPORT int cublasLtMatmulDescCreate(Operation** operation, int computeType, int scaleType) {
  *operation = new Operation{computeType, scaleType, 0, 0, 0, 1, {}};
  return SUCCESS;
}
EXPORT int cublasLtMatmulDescDestroy(Operation* operation) {
  delete operation;
  return SUCCESS;
}
EXPORT int cublasLtMatmulDescSetAttribute(Operation* operation, int attribute, const void* from, std::size_t bytes) {
  switch (attribute) {
    case 0:
      return setNumber(operation->computeType, from, bytes);
    case 1:
      return setNumber(operation->scaleType, from, bytes);
    case 2:
      return setNumber(operation->pointerMode, from, bytes);
    case 3:
      return setNumber(operation->transposeA, from, bytes);
    case 4:
      return setNumber(operation->transposeB, from, bytes);
    case 7:
      return setNumber(operation->epilogue, from, bytes);
    default:
      return NOT_SUPPORTED;
  }
}

EXPORT int cublasLtMatrixLayoutCreate(Layout** layout, int type, std::uint64_t rows, std::uint64_t columns, std::int64_t ld) {
  *layout = new Layout{type, 0, rows, columns, ld, 1, 0, {}};
  return SUCCESS;
}
EXPORT int cublasLtMatrixLayoutDestroy(Layout* layout) {
  delete layout;
  return SUCCESS;
}
EXPORT int cublasLtMatrixLayoutSetAttribute(Layout* layout, int attribute, const void* from, std::size_t bytes) {
  switch (attribute) {
    case 0:
      return setNumber(layout->type, from, bytes);
    case 1:
      return setNumber(layout->order, from, bytes);
    case 2:
      return setNumber(layout->rows, from, bytes);
    case 3:
      return setNumber(layout->columns, from, bytes);
    case 4:
      return setNumber(layout->ld, from, bytes);
    case 5:
      return setNumber(layout->batchCount, from, bytes);
    case 6:
      return setNumber(layout->batchStride, from, bytes);
    default:
      return NOT_SUPPORTED;
  }
}

EXPORT int cublasLtMatmulPreferenceCreate(Preference** preference) {
  *preference = new Preference{0, {256, 256, 256, 256}, {}};
  return SUCCESS;
}
EXPORT int cublasLtMatmulPreferenceDestroy(Preference* preference) {
  delete preference;
  return SUCCESS;
}
EXPORT int cublasLtMatmulPreferenceSetAttribute(Preference* preference, int attribute, const void* from, std::size_t bytes) {
  if (attribute == 1) return setNumber(preference->workspaceBytes, from, bytes);
  if (attribute >= 5 && attribute <= 8) return setNumber(preference->alignments[attribute - 5], from, bytes);
  return SUCCESS;
}

/** The alignments that were promised are kept in the algorithm; the product checks them. */
EXPORT int cublasLtMatmulAlgoGetHeuristic(void*, Operation* operation, Layout* a, Layout* b, Layout* c, Layout* d,
                                          Preference* preference, int most, HeuristicResult* results, int* found) {
  *found = 0;
  if (most < 1) return INVALID_VALUE;
  const int status = examine(*operation, *a, *b, *c, *d);
  if (status != SUCCESS) return status;
  results[0] = {};
  auto& data = results[0].algorithm.data;
  data[0] = ALGORITHM_MARK;
  for (int i = 0; i < 4; i++) data[1 + i] = preference == nullptr ? 256 : preference->alignments[i];
  results[0].state = SUCCESS;
  results[0].waves = 1;
  *found = 1;
  return SUCCESS;
}

EXPORT int cublasLtMatmul(void*, Operation* operation, const float* alpha, void* a, Layout* aLayout, void* b, Layout* bLayout,
                          const float* beta, void* c, Layout* cLayout, void* d, Layout* dLayout, const Algorithm* algorithm,
                          void*, std::size_t, void* stream) {
  static const Enqueue enqueue = findEnqueue();
  if (enqueue == nullptr) return EXECUTION_FAILED;
  const int status = examine(*operation, *aLayout, *bLayout, *cLayout, *dLayout);
  if (status != SUCCESS) return status;
  if (algorithm != nullptr) {
    if (algorithm->data[0] != ALGORITHM_MARK) return INVALID_VALUE;
    const void* const pointers[] = {a, b, c, d};
    for (int i = 0; i < 4; i++) {
      // Of C only where it is read.
      if ((i != 2 || *beta != 0) && reinterpret_cast<std::uintptr_t>(pointers[i]) % algorithm->data[1 + i] != 0) {
        std::fprintf(stderr, "emulated card: matrix %c of a product is not aligned as the heuristic was told\n", "ABCD"[i]);
        return INVALID_VALUE;
      }
    }
  }
  const auto matrix = [](void* start, const Layout& layout, bool isTransposed) {
    return Matrix{start, layout.type, isTransposed, layout.ld, layout.batchStride};
  };
  Product product = {matrix(a, *aLayout, operation->transposeA == 1),
                     matrix(b, *bLayout, operation->transposeB == 1),
                     matrix(c, *cLayout, false),
                     matrix(d, *dLayout, false),
                     static_cast<std::int64_t>(dLayout->rows),
                     static_cast<std::int64_t>(dLayout->columns),
                     static_cast<std::int64_t>(operation->transposeA ? aLayout->rows : aLayout->columns),
                     dLayout->batchCount,
                     operation->computeType == COMPUTE_32F_FAST_TF32,
                     operation->computeType == COMPUTE_32F_FAST_16BF,
                     *alpha,
                     *beta};
  const char* const compute = product.isTf32 ? "tf32" : product.a.type == REAL_16BF || product.isBf16 ? "bf16" : "float32";
  char name[160];
  std::snprintf(name, sizeof(name), "product %s to %s, m %lld n %lld k %lld batch %d transposes %d %d", compute,
                product.d.type == REAL_16BF ? "bf16" : "float32", static_cast<long long>(product.m),
                static_cast<long long>(product.n), static_cast<long long>(product.k), product.batch, operation->transposeA,
                operation->transposeB);
  return enqueue(stream, name, multiply, &product, sizeof(product)) == 0 ? SUCCESS : EXECUTION_FAILED;
}
