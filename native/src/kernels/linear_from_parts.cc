// x Wᵀ + b of float32 numbers on a CPU whose matrix unit multiplies bfloat16 (AMX): each number is
// the sum of two bfloat16 parts, a = a₁ + a₂ + ε with |ε| ≤ 2⁻¹⁷ |a|, and x Wᵀ ≈ x₁W₁ᵀ + x₂W₁ᵀ +
// x₁W₂ᵀ, accumulated in float32 (Henry, Tang and Heinecke 2019, arXiv:1904.06376). The parts of W
// are computed for a block of rows at a time, in cache, and not kept.
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "every_cpu.h"
#include "fresh.h"
#include "library.h"

// Declared by MKL; missing if libtorch was built without it.
extern "C" __attribute__((weak)) void cblas_gemm_bf16bf16f32(int layout, int transA, int transB,
                                                             int m, int n, int k, float alpha,
                                                             const uint16_t* a, int lda,
                                                             const uint16_t* b, int ldb, float beta,
                                                             float* c, int ldc);

namespace sae_eval {

namespace {

constexpr int rowMajor = 101, asItIs = 111, transposed = 112;

// Size of a block of W, in numbers.
constexpr int64_t blockNumbers = int64_t{1} << 23;
constexpr int64_t perTask = int64_t{1} << 14;

// Whether all second parts are zero.
FOR_EVERY_CPU bool split(const float* from, int64_t count, uint16_t* first, uint16_t* second) {
  constexpr int64_t chunk = 256;
  float wide[chunk], rest[chunk];
  uint32_t any = 0;
  for (int64_t i = 0; i < count; i += chunk) {
    const int64_t n = std::min(chunk, count - i);
    narrow(from + i, n, first + i);
    widen(first + i, n, wide);
    for (int64_t j = 0; j < n; ++j) rest[j] = from[i + j] - wide[j];
    narrow(rest, n, second + i);
    for (int64_t j = 0; j < n; ++j) any |= second[i + j] & 0x7fff;
  }
  return any == 0;
}

struct Parts {
  explicit Parts(int64_t count)
      : first(fresh({count}, at::kBFloat16)), second(fresh({count}, at::kBFloat16)) {}

  // Whether every number equals its first part.
  bool fill(const float* from, int64_t count) {
    std::atomic<bool> exact = true;
    at::parallel_for(0, count, perTask, [&](int64_t begin, int64_t end) {
      if (!split(from + begin, end - begin, firstData() + begin, secondData() + begin))
        exact = false;
    });
    return exact;
  }

  uint16_t* firstData() {
    return reinterpret_cast<uint16_t*>(first.mutable_data_ptr<at::BFloat16>());
  }
  uint16_t* secondData() {
    return reinterpret_cast<uint16_t*>(second.mutable_data_ptr<at::BFloat16>());
  }

  at::Tensor first, second;
};

}  // namespace

bool canMultiplyParts() {
#if defined(__x86_64__) && defined(__GNUC__)
  return cblas_gemm_bf16bf16f32 != nullptr && __builtin_cpu_supports("amx-bf16");
#else
  return false;
#endif
}

at::Tensor linearFromPartsCpu(const at::Tensor& input, const at::Tensor& weight,
                              const std::optional<at::Tensor>& bias) {
  TORCH_CHECK(input.dim() == 2 && weight.dim() == 2 && input.size(1) == weight.size(1),
              "linear_from_parts: expected x [n, k] and W [m, k], found ", input.sizes(), " and ",
              weight.sizes());
  const int64_t n = input.size(0), k = input.size(1), m = weight.size(0);
  constexpr int64_t most = std::numeric_limits<int>::max();
  if (!canMultiplyParts() || input.scalar_type() != at::kFloat ||
      weight.scalar_type() != at::kFloat || !weight.is_contiguous() || n * k * m == 0 ||
      std::max({n, k, m}) > most)
    return linearFromPartsComposite(input, weight, bias);
  const at::Tensor x = input.contiguous();
  at::Tensor result = fresh({n, m}, x.scalar_type());
  Parts ofX(n * k);
  const bool exact = ofX.fill(x.const_data_ptr<float>(), n * k);
  const int64_t blockRows = std::clamp<int64_t>(blockNumbers / k, 1, m);
  Parts ofW(blockRows * k);
  for (int64_t from = 0; from < m; from += blockRows) {
    const int64_t rows = std::min(blockRows, m - from);
    ofW.fill(weight.const_data_ptr<float>() + from * k, rows * k);
    const auto add = [&](const uint16_t* a, const uint16_t* b, float beta) {
      cblas_gemm_bf16bf16f32(rowMajor, asItIs, transposed, static_cast<int>(n),
                             static_cast<int>(rows), static_cast<int>(k), 1.0f, a,
                             static_cast<int>(k), b, static_cast<int>(k), beta,
                             result.mutable_data_ptr<float>() + from, static_cast<int>(m));
    };
    // Small products first: less is lost to rounding.
    add(ofX.firstData(), ofW.secondData(), 0.0f);
    if (!exact) add(ofX.secondData(), ofW.firstData(), 1.0f);
    add(ofX.firstData(), ofW.firstData(), 1.0f);
  }
  if (bias.has_value()) result.add_(*bias);
  return result;
}

}  // namespace sae_eval
