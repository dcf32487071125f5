/** Products of matrices by cuBLASLt. What was found out about one is kept, so that the next of its kind costs one call. */
#include <algorithm>

#include "words.h"

namespace tokenfuse::cuda {
namespace {

/** Places in a plan's key; operands are in the order in which cuBLASLt takes them. */
enum { kFirstType, kResultType, kCompute, kTransFirst, kTransSecond, kRows, kColumns, kInner };
enum { kLdFirst = 8, kLdSecond, kLdResult, kBatch, kStrideFirst, kStrideSecond, kStrideResult, kNoBeta };
enum { kAlignFirst = 16, kAlignSecond, kAlignResult };

int64_t alignmentOf(Address address) {
  const Address lowest = address & (~address + 1);
  return static_cast<int64_t>(std::min<Address>(lowest == 0 ? 256 : lowest, 256));
}

}  // namespace

size_t Session::PlanHash::operator()(const PlanKey& key) const {
  uint64_t hash = 1469598103934665603u;
  for (const int64_t each : key) hash = (hash ^ static_cast<uint64_t>(each)) * 1099511628211u + (hash >> 29);
  return static_cast<size_t>(hash);
}

const Session::Plan& Session::planFor(const PlanKey& key, const std::string& what) {
  const CublasLtApi& lt = libraries_.cublasLt;
  Plan plan;
  LtPreference preference = nullptr;
  const auto giveUp = [&] {
    if (preference != nullptr) lt.preferenceDestroy(preference);
    for (const LtLayout layout : {plan.first, plan.second, plan.result}) {
      if (layout != nullptr) lt.layoutDestroy(layout);
    }
    if (plan.operation != nullptr) lt.operationDestroy(plan.operation);
  };
  try {
    const auto layout = [&](LtLayout* made, int64_t type, int64_t rows, int64_t columns, int64_t ld, int64_t stride) {
      checkLt(lt.layoutCreate(made, static_cast<int>(type), static_cast<uint64_t>(rows),
                              static_cast<uint64_t>(columns), ld),
              what);
      if (key[kBatch] == 1) return;
      const auto batch = static_cast<int32_t>(key[kBatch]);
      checkLt(lt.layoutSet(*made, kBatchCount, &batch, sizeof(batch)), what);
      checkLt(lt.layoutSet(*made, kBatchOffset, &stride, sizeof(stride)), what);
    };
    checkLt(lt.operationCreate(&plan.operation, static_cast<int>(key[kCompute]), kReal32F), what);
    const auto first = static_cast<int32_t>(key[kTransFirst]);
    const auto second = static_cast<int32_t>(key[kTransSecond]);
    checkLt(lt.operationSet(plan.operation, kTransposeFirst, &first, sizeof(first)), what);
    checkLt(lt.operationSet(plan.operation, kTransposeSecond, &second, sizeof(second)), what);
    const int64_t rows = key[kRows], columns = key[kColumns], inner = key[kInner];
    layout(&plan.first, key[kFirstType], first ? inner : rows, first ? rows : inner, key[kLdFirst], key[kStrideFirst]);
    layout(&plan.second, key[kFirstType], second ? columns : inner, second ? inner : columns, key[kLdSecond],
           key[kStrideSecond]);
    layout(&plan.result, key[kResultType], rows, columns, key[kLdResult], key[kStrideResult]);

    checkLt(lt.preferenceCreate(&preference), what);
    const uint64_t workspace = workspaceBytes_;
    checkLt(lt.preferenceSet(preference, kMaxWorkspace, &workspace, sizeof(workspace)), what);
    const std::pair<int, int64_t> alignments[] = {{kAlignmentA, key[kAlignFirst]},
                                                  {kAlignmentB, key[kAlignSecond]},
                                                  {kAlignmentC, key[kAlignResult]},
                                                  {kAlignmentD, key[kAlignResult]}};
    for (const auto& [attribute, alignment] : alignments) {
      const auto bytes = static_cast<uint32_t>(alignment);
      checkLt(lt.preferenceSet(preference, attribute, &bytes, sizeof(bytes)), what);
    }
    LtHeuristic results[4] = {};
    int found = 0;
    const Result status = lt.heuristic(lt_, plan.operation, plan.first, plan.second, plan.result, plan.result,
                                       preference, 4, results, &found);
    if (status == kLtNotSupported) {
      found = 0;
    } else {
      checkLt(status, what);
    }
    LtHeuristic* const end = results + std::clamp(found, 0, 4);
    const LtHeuristic* const best = std::find_if(results, end, [](const LtHeuristic& each) { return each.state == 0; });
    if (best == end) throw CudaError("", "CUDA: " + what + ": cuBLASLt has no algorithm for it");
    plan.algorithm = best->algorithm;
    lt.preferenceDestroy(preference);
    preference = nullptr;
  } catch (...) {
    giveUp();
    throw;
  }
  return plans_.emplace(key, plan).first->second;
}

void Session::product(Words& words) {
  constexpr double kMost = 2147483647.0;
  words.name("product");
  const Address a = words.address("A"), b = words.address("B"), c = words.address("C");
  const bool operandsBf16 = words.whole("type of A and B", 0, 1) == 1;
  const bool resultBf16 = words.whole("type of C", 0, 1) == 1;
  const int64_t compute = words.whole("compute type", 0, 2);
  const bool transposeA = words.whole("transpose A", 0, 1) == 1;
  const bool transposeB = words.whole("transpose B", 0, 1) == 1;
  const int64_t m = words.whole("m", 0, kMost), n = words.whole("n", 0, kMost), k = words.whole("k", 1, kMost);
  const int64_t lda = words.whole("lda", 1, Words::kExact), ldb = words.whole("ldb", 1, Words::kExact);
  const int64_t ldc = words.whole("ldc", 1, Words::kExact);
  const int64_t batch = words.whole("batch", 0, kMost);
  const int64_t strideA = words.whole("stride A", 0, Words::kExact);
  const int64_t strideB = words.whole("stride B", 0, Words::kExact);
  const int64_t strideC = words.whole("stride C", 0, Words::kExact);
  const float alpha = static_cast<float>(words.number("alpha"));
  const float beta = static_cast<float>(words.number("beta"));
  if (m == 0 || n == 0 || batch == 0) return;
  if ((compute == 2) != operandsBf16) {
    words.fail(operandsBf16 ? "expected compute type bf16 for operands in bf16, got another"
                            : "expected operands in bf16 for compute type bf16, got float32");
  }
  if (batch > 1 && strideC == 0) words.fail("stride C: expected more than 0 for a batch, got 0");
  const size_t operandBytes = operandsBf16 ? 2 : 4, resultBytes = resultBf16 ? 2 : 4;
  const auto covered = [&](const char* name, Address address, int64_t rows, int64_t columns, int64_t ld, int64_t stride,
                           size_t bytes) {
    if (ld < columns) {
      words.fail(std::string(name) + ": expected at least " + std::to_string(columns) +
                 " elements from row to row, got " + std::to_string(ld));
    }
    const __int128 elements = static_cast<__int128>(batch - 1) * stride + static_cast<__int128>(rows - 1) * ld + columns;
    const __int128 size = elements * static_cast<__int128>(bytes);
    if (size > static_cast<__int128>(Words::kExact) || !covers(address, static_cast<size_t>(size))) {
      words.fail(std::string(name) + ": expected allocated memory for " + std::to_string(batch) + " × " +
                 std::to_string(rows) + " rows of " + std::to_string(columns) + ", got less");
    }
    if (address % bytes != 0) words.fail(std::string(name) + ": expected an address that is a multiple of its numbers' size");
  };
  covered("A", a, transposeA ? k : m, transposeA ? m : k, lda, strideA, operandBytes);
  covered("B", b, transposeB ? n : k, transposeB ? k : n, ldb, strideB, operandBytes);
  covered("C", c, m, n, ldc, strideC, resultBytes);
  for (const Address address : {a, b, c}) keep(address);

  // Row-major C = A B is column-major Cᵀ = Bᵀ Aᵀ: B comes first, and nothing is moved.
  PlanKey key{};
  key[kFirstType] = operandsBf16 ? kReal16BF : kReal32F;
  key[kResultType] = resultBf16 ? kReal16BF : kReal32F;
  key[kCompute] = compute == 1 ? kCompute32FFastTf32 : kCompute32F;
  key[kTransFirst] = transposeB ? kTransposed : kPlain;
  key[kTransSecond] = transposeA ? kTransposed : kPlain;
  key[kRows] = n;
  key[kColumns] = m;
  key[kInner] = k;
  key[kLdFirst] = ldb;
  key[kLdSecond] = lda;
  key[kLdResult] = ldc;
  key[kBatch] = batch;
  key[kStrideFirst] = batch > 1 ? strideB : 0;
  key[kStrideSecond] = batch > 1 ? strideA : 0;
  key[kStrideResult] = batch > 1 ? strideC : 0;
  key[kNoBeta] = beta == 0 ? 1 : 0;
  key[kAlignFirst] = alignmentOf(b);
  key[kAlignSecond] = alignmentOf(a);
  key[kAlignResult] = alignmentOf(c);

  const auto describe = [&] {
    const char* const computes[] = {"float32", "tf32", "bf16"};
    return "product [" + std::to_string(m) + ", " + std::to_string(k) + "] × [" + std::to_string(k) + ", " +
           std::to_string(n) + "]" + (batch > 1 ? ", batch " + std::to_string(batch) : "") + " in " +
           computes[compute] + (resultBf16 ? " to bf16" : " to float32");
  };
  last_ = -2;
  const auto known = plans_.find(key);
  const Plan& plan = known != plans_.end() ? known->second : planFor(key, describe());
  const auto pointer = [](Address address) { return reinterpret_cast<void*>(static_cast<uintptr_t>(address)); };
  const Result status = libraries_.cublasLt.matmul(
      lt_, plan.operation, &alpha, pointer(b), plan.first, pointer(a), plan.second, &beta, pointer(c), plan.result,
      pointer(c), plan.result, &plan.algorithm, pointer(workspace_), workspaceBytes_, stream_);
  if (status != 0) checkLt(status, describe());
}

}  // namespace tokenfuse::cuda
