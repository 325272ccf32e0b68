// KL divergence and cross-entropies of two blocks of logits. ATen needs a dozen passes over memory for it; this needs one
// for the maxima and one for the sums, per row, while the row is in cache.
//
//   KL(p ‖ q) = Σ p (a − b) − lse(a) + lse(b),   p = softmax(a), q = softmax(b)
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "library.h"

// The compiler makes one version of a function for each instruction set and picks one when the addon is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EVERY_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_CPU
#endif

namespace sae_eval {

namespace {

// Elements summed in float32 before the partial sum goes to float64.
constexpr int64_t block = 2048;
// Independent running maxima, so that the loop over them is one vector operation.
constexpr int64_t lanes = 16;

struct Sums {
  double a = 0;           // Σ exp(a − max a)
  double b = 0;           // Σ exp(b − max b)
  double difference = 0;  // Σ exp(a − max a) (a − b)
};

// exp(x) for x ≤ 0 by 2^n · polynomial; relative error below 2e-7; 1.6e-38 below −87.
__attribute__((always_inline)) inline float expNegative(float x) {
  const float clamped = std::max(x, -87.0f);
  const float scaled = clamped * 1.44269504088896341f;
  const float n = static_cast<float>(static_cast<int32_t>(scaled - 0.5f));
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

FOR_EVERY_CPU void maxima(const float* a, const float* b, int64_t count, float* maxA, float* maxB) {
  float highA[lanes];
  float highB[lanes];
  std::fill_n(highA, lanes, a[0]);
  std::fill_n(highB, lanes, b[0]);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int64_t j = 0; j < lanes; ++j) {
      highA[j] = a[i + j] > highA[j] ? a[i + j] : highA[j];
      highB[j] = b[i + j] > highB[j] ? b[i + j] : highB[j];
    }
  }
  for (; i < count; ++i) {
    highA[0] = std::max(highA[0], a[i]);
    highB[0] = std::max(highB[0], b[i]);
  }
  *maxA = *std::max_element(highA, highA + lanes);
  *maxB = *std::max_element(highB, highB + lanes);
}

FOR_EVERY_CPU void addBlock(const float* a, const float* b, int64_t count, float maxA, float maxB, float* sumA, float* sumB, float* sumDifference) {
  float totalA = 0;
  float totalB = 0;
  float totalDifference = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float ea = expNegative(a[i] - maxA);
    totalA += ea;
    totalB += expNegative(b[i] - maxB);
    totalDifference += ea * (a[i] - b[i]);
  }
  *sumA = totalA;
  *sumB = totalB;
  *sumDifference = totalDifference;
}

struct RowResult {
  float kl, ceClean, ceSpliced;
};

RowResult compareRow(const float* a, const float* b, int64_t V, int64_t label) {
  float maxA = 0;
  float maxB = 0;
  maxima(a, b, V, &maxA, &maxB);
  Sums sums;
  for (int64_t from = 0; from < V; from += block) {
    float sumA = 0, sumB = 0, sumDifference = 0;
    addBlock(a + from, b + from, std::min(block, V - from), maxA, maxB, &sumA, &sumB, &sumDifference);
    sums.a += sumA;
    sums.b += sumB;
    sums.difference += sumDifference;
  }
  const double lseA = maxA + std::log(sums.a);
  const double lseB = maxB + std::log(sums.b);
  const double kl = sums.difference / sums.a - lseA + lseB;
  return {static_cast<float>(kl), static_cast<float>(lseA - a[label]), static_cast<float>(lseB - b[label])};
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> compareLogitsComposite(const at::Tensor& clean, const at::Tensor& spliced, const at::Tensor& labels) {
  const at::Tensor logP = clean.log_softmax(-1, at::kFloat);
  const at::Tensor logQ = spliced.log_softmax(-1, at::kFloat);
  const at::Tensor index = labels.unsqueeze(-1);
  return {(logP.exp() * (logP - logQ)).sum(-1), -logP.gather(-1, index).squeeze(-1), -logQ.gather(-1, index).squeeze(-1)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> compareLogitsCpu(const at::Tensor& clean, const at::Tensor& spliced, const at::Tensor& labels) {
  TORCH_CHECK(clean.dim() == 2 && clean.sizes() == spliced.sizes(), "compare_logits: expected two blocks of logits [n, V] of one shape, found ", clean.sizes(), " and ", spliced.sizes());
  TORCH_CHECK(labels.dim() == 1 && labels.size(0) == clean.size(0) && labels.scalar_type() == at::kLong, "compare_logits: expected labels [n] int64, found ", labels.sizes());
  const int64_t n = clean.size(0);
  const int64_t V = clean.size(1);
  TORCH_CHECK(V > 0, "compare_logits: expected at least one logit per row");
  const at::Tensor a = clean.to(at::kFloat).contiguous();
  const at::Tensor b = spliced.to(at::kFloat).contiguous();
  const at::Tensor next = labels.contiguous();
  at::Tensor kl = at::empty({n}, a.options());
  at::Tensor ceClean = at::empty({n}, a.options());
  at::Tensor ceSpliced = at::empty({n}, a.options());
  const float* pa = a.const_data_ptr<float>();
  const float* pb = b.const_data_ptr<float>();
  const int64_t* labelOf = next.const_data_ptr<int64_t>();
  float* klOut = kl.mutable_data_ptr<float>();
  float* cleanOut = ceClean.mutable_data_ptr<float>();
  float* splicedOut = ceSpliced.mutable_data_ptr<float>();
  for (int64_t row = 0; row < n; ++row) TORCH_CHECK(labelOf[row] >= 0 && labelOf[row] < V, "compare_logits: label ", labelOf[row], " is not in the vocabulary of ", V);
  at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const RowResult result = compareRow(pa + row * V, pb + row * V, V, labelOf[row]);
      klOut[row] = result.kl;
      cleanOut[row] = result.ceClean;
      splicedOut[row] = result.ceSpliced;
    }
  });
  return {kl, ceClean, ceSpliced};
}

}  // namespace sae_eval
