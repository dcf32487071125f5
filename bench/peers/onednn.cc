// oneDNN as a side of the comparison of products. A request is a line of numbers,
//   batch m n depth transposeA transposeB minSeconds
// and the answer {"seconds": …}, the mean over repetitions until minSeconds have passed, once at least. Batched products
// go through the matmul primitive, plain ones through it or dnnl_sgemm, whichever is faster. Nothing is allocated while time
// is taken. Compiles with versions 2 and 3.
#include <dnnl.hpp>
#include <sched.h>

#include <chrono>
#include <cstdlib>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Shape {
  long batch, m, n, depth;
  bool transposeA, transposeB;
};

std::vector<float> normalNumbers(long count) {
  static std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(count);
  for (float& number : numbers) number = normal(generator);
  return numbers;
}

double measure(const std::function<void()>& product, double minSeconds) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  long count = 0;
  double seconds;
  do {
    product();
    count++;
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  } while (seconds < minSeconds);
  return seconds / count;
}

dnnl::matmul::primitive_desc describeProduct(const Shape& s, dnnl::engine& engine) {
  using dnnl::memory;
  auto describe = [&](long rows, long columns, bool transposed) {
    return memory::desc({s.batch, rows, columns}, memory::data_type::f32,
                        transposed ? memory::format_tag::acb : memory::format_tag::abc);
  };
  auto a = describe(s.m, s.depth, s.transposeA);
  auto b = describe(s.depth, s.n, s.transposeB);
  auto c = describe(s.m, s.n, false);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine, a, b, c);
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), engine);
#endif
}

// One product into buffers that are made here and used again.
std::function<void()> prepare(const Shape& s, dnnl::engine& engine, dnnl::stream& stream) {
  auto a = std::make_shared<std::vector<float>>(normalNumbers(s.batch * s.m * s.depth));
  auto b = std::make_shared<std::vector<float>>(normalNumbers(s.batch * s.depth * s.n));
  auto c = std::make_shared<std::vector<float>>(s.batch * s.m * s.n);
  auto description = describeProduct(s, engine);
  dnnl::matmul product(description);
  std::unordered_map<int, dnnl::memory> arguments = {
      {DNNL_ARG_SRC, dnnl::memory(description.src_desc(), engine, a->data())},
      {DNNL_ARG_WEIGHTS, dnnl::memory(description.weights_desc(), engine, b->data())},
      {DNNL_ARG_DST, dnnl::memory(description.dst_desc(), engine, c->data())},
  };
  std::function<void()> matmul = [=, &stream]() mutable {
    product.execute(stream, arguments);
    stream.wait();
    (void)a, (void)b, (void)c;  // kept as long as the product
  };
  if (s.batch > 1) return matmul;
  std::function<void()> sgemm = [=] {
    dnnl_sgemm(s.transposeA ? 'T' : 'N', s.transposeB ? 'T' : 'N', s.m, s.n, s.depth, 1.0f, a->data(),
               s.transposeA ? s.m : s.depth, b->data(), s.transposeB ? s.depth : s.n, 0.0f, c->data(), s.n);
  };
  matmul(), sgemm();
  constexpr double kTrialSeconds = 0.05;
  return measure(matmul, kTrialSeconds) < measure(sgemm, kTrialSeconds) ? matmul : sgemm;
}

// Runtimes other than OpenMP take as many threads as the process may use cores.
void limitCores(int count) {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof(allowed), &allowed);
  for (int core = 0, kept = 0; core < CPU_SETSIZE; core++) {
    if (CPU_ISSET(core, &allowed) && kept++ >= count) CPU_CLR(core, &allowed);
  }
  sched_setaffinity(0, sizeof(allowed), &allowed);
}

}  // namespace

int main() {
  limitCores(std::atoi(std::getenv("OMP_NUM_THREADS")));
  const dnnl_version_t* version = dnnl_version();
  std::printf("{\"versions\": {\"oneDNN\": \"%d.%d.%d\"}}\n", version->major, version->minor, version->patch);
  std::fflush(stdout);
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  std::map<std::string, std::function<void()>> prepared;
  for (std::string line; std::getline(std::cin, line);) {
    Shape s;
    double minSeconds;
    std::istringstream words(line);
    words >> s.batch >> s.m >> s.n >> s.depth >> s.transposeA >> s.transposeB;
    const std::string key = line.substr(0, words.tellg());
    words >> minSeconds;
    auto found = prepared.find(key);
    if (found == prepared.end()) found = prepared.emplace(key, prepare(s, engine, stream)).first;
    std::printf("{\"seconds\": %.9f}\n", measure(found->second, minSeconds));
    std::fflush(stdout);
  }
}
