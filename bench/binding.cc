// Time of the calls of binding.mjs in C++, on the same libtorch: {"name": seconds per call, …} on
// standard output. Arguments: threads, then NAME=CALLS for each measurement.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

static double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// Five batches after one that warms up; the median batch's seconds per call.
static double measure(const std::function<void()>& call, long calls) {
  std::vector<double> times;
  for (int batch = 0; batch < 6; ++batch) {
    const auto start = std::chrono::steady_clock::now();
    for (long i = 0; i < calls; ++i) call();
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (batch > 0) times.push_back(passed.count() / static_cast<double>(calls));
  }
  return median(times);
}

int main(int argc, char** argv) {
  const c10::InferenceMode inference;
  at::set_num_threads(std::atoi(argv[1]));
  at::manual_seed(0);
  const at::Tensor a = at::randn({4}), b = at::randn({4}), x = at::randn({16, 16}),
                   y = at::randn({16, 16});
  const at::Tensor m = at::randn({2048, 2048}), n = at::randn({2048, 2048}),
                   p = m.to(at::kBFloat16), q = n.to(at::kBFloat16);
  const std::map<std::string, std::function<void()>> measurements{
      {"add", [&] { at::add(a, b); }},
      {"chain",
       [&] {
         at::Tensor z = x;
         for (int i = 0; i < 25; ++i) z = at::sub(at::relu(at::mul(at::add(z, y), 0.5)), y);
       }},
      {"matmul", [&] { at::matmul(m, n); }},
      {"matmulBf16", [&] { at::matmul(p, q); }},
  };
  std::printf("{");
  for (int i = 2; i < argc; ++i) {
    const char* equals = std::strchr(argv[i], '=');
    const std::string name(argv[i], static_cast<size_t>(equals - argv[i]));
    std::printf("%s\"%s\": %.9g", i > 2 ? ", " : "", name.c_str(),
                measure(measurements.at(name), std::atol(equals + 1)));
  }
  std::printf("}\n");
}
