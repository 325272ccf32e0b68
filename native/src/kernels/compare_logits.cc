// KL divergence and cross-entropies of two blocks of logits, a range of the vocabulary at a time: a row's sums are carried
// from range to range under a running maximum, so that logits of a whole vocabulary never exist. ATen needs a dozen passes
// over memory for it; this needs one for the maxima and one for the sums, while the range is in cache.
//
//   KL(p ‖ q) = Σ p (a − b) − lse(a) + lse(b),   p = softmax(a), q = softmax(b)
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "every_cpu.h"
#include "library.h"

namespace sae_eval {

namespace {

// Elements summed in float32 before the partial sum goes to float64.
constexpr int64_t block = 2048;
// Independent running maxima, so that the loop over them is one vector operation.
constexpr int64_t lanes = 16;

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

// What is carried of a row, in float64: the columns of `sums`.
struct RowSums {
  double maxA, sumA;          // sumA = Σ exp(a − maxA)
  double maxB, sumB;
  double difference;          // Σ exp(a − maxA) (a − b)
  double labelA, labelB;      // the logits of the next token
};
static_assert(sizeof(RowSums) == 7 * sizeof(double));

// `count` numbers as float32: as they are, or converted into `buffer`.
inline const float* asFloat(const float* values, int64_t, float*) { return values; }
template <typename T>
const float* asFloat(const T* values, int64_t count, float* buffer) {
  for (int64_t i = 0; i < count; ++i) buffer[i] = static_cast<float>(values[i]);
  return buffer;
}

template <typename T>
void addRange(RowSums& row, const T* a, const T* b, int64_t V) {
  alignas(64) float bufferA[block];
  alignas(64) float bufferB[block];
  for (int64_t from = 0; from < V; from += block) {
    const int64_t count = std::min(block, V - from);
    const float* pa = asFloat(a + from, count, bufferA);
    const float* pb = asFloat(b + from, count, bufferB);
    float maxA = 0, maxB = 0;
    maxima(pa, pb, count, &maxA, &maxB);
    const double highA = std::max<double>(row.maxA, maxA);
    const double highB = std::max<double>(row.maxB, maxB);
    float sumA = 0, sumB = 0, sumDifference = 0;
    addBlock(pa, pb, count, static_cast<float>(highA), static_cast<float>(highB), &sumA, &sumB, &sumDifference);
    const double scaleA = std::exp(row.maxA - highA);  // 0 in a row's first block
    row.sumA = row.sumA * scaleA + sumA;
    row.difference = row.difference * scaleA + sumDifference;
    row.sumB = row.sumB * std::exp(row.maxB - highB) + sumB;
    row.maxA = highA;
    row.maxB = highB;
  }
}

void check(const at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced, const at::Tensor& labels) {
  TORCH_CHECK(clean.dim() == 2 && clean.sizes() == spliced.sizes() && clean.scalar_type() == spliced.scalar_type(), "compare_logits_: expected two blocks of logits [n, V] of one shape and dtype, found ", clean.sizes(), " ", clean.scalar_type(), " and ", spliced.sizes(), " ", spliced.scalar_type());
  TORCH_CHECK(clean.size(1) > 0, "compare_logits_: expected at least one logit per row");
  TORCH_CHECK(labels.dim() == 1 && labels.size(0) == clean.size(0) && labels.scalar_type() == at::kLong, "compare_logits_: expected labels [", clean.size(0), "] int64, found ", labels.sizes(), " ", labels.scalar_type());
  TORCH_CHECK(sums.dim() == 2 && sums.size(0) == clean.size(0) && sums.size(1) == 7 && sums.scalar_type() == at::kDouble && sums.is_contiguous(), "compare_logits_: expected contiguous sums [", clean.size(0), ", 7] float64, found ", sums.sizes(), " ", sums.scalar_type());
}

}  // namespace

at::Tensor& compareLogitsComposite(at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced, const at::Tensor& labels, int64_t from) {
  check(sums, clean, spliced, labels);
  const at::Tensor a = clean.to(at::promoteTypes(clean.scalar_type(), at::kFloat));
  const at::Tensor b = spliced.to(a.scalar_type());
  const auto columns = sums.unbind(1);
  const auto [maxA, sumA, maxB, sumB, difference, labelA, labelB] = std::tie(columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], columns[6]);
  const at::Tensor highA = at::maximum(maxA, a.amax(-1).to(at::kDouble));
  const at::Tensor highB = at::maximum(maxB, b.amax(-1).to(at::kDouble));
  const at::Tensor ea = (a - highA.to(a.scalar_type()).unsqueeze(-1)).exp();
  const at::Tensor eb = (b - highB.to(a.scalar_type()).unsqueeze(-1)).exp();
  const at::Tensor scaleA = (maxA - highA).exp();
  const at::Tensor scaleB = (maxB - highB).exp();
  sumA.mul_(scaleA).add_(ea.sum(-1));
  difference.mul_(scaleA).add_((ea * (a - b)).sum(-1));
  sumB.mul_(scaleB).add_(eb.sum(-1));
  maxA.copy_(highA);
  maxB.copy_(highB);
  const at::Tensor here = (labels >= from).logical_and(labels < from + a.size(1));
  const at::Tensor index = (labels - from).clamp(0, a.size(1) - 1).unsqueeze(-1);
  labelA.copy_(at::where(here, a.gather(-1, index).squeeze(-1).to(at::kDouble), labelA));
  labelB.copy_(at::where(here, b.gather(-1, index).squeeze(-1).to(at::kDouble), labelB));
  return sums;
}

at::Tensor& compareLogitsCpu(at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced, const at::Tensor& labels, int64_t from) {
  check(sums, clean, spliced, labels);
  if (clean.scalar_type() == at::kDouble) return compareLogitsComposite(sums, clean, spliced, labels, from);
  const int64_t n = clean.size(0);
  const int64_t V = clean.size(1);
  const at::Tensor a = clean.contiguous();
  const at::Tensor b = spliced.contiguous();
  const at::Tensor next = labels.contiguous();
  const int64_t* labelOf = next.const_data_ptr<int64_t>();
  auto* rows = static_cast<RowSums*>(sums.mutable_data_ptr());
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, a.scalar_type(), "compare_logits_", [&] {
    const auto* pa = a.const_data_ptr<scalar_t>();
    const auto* pb = b.const_data_ptr<scalar_t>();
    at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        addRange(rows[i], pa + i * V, pb + i * V, V);
        const int64_t label = labelOf[i] - from;
        if (label < 0 || label >= V) continue;
        rows[i].labelA = static_cast<float>(pa[i * V + label]);
        rows[i].labelB = static_cast<float>(pb[i * V + label]);
      }
    });
  });
  return sums;
}

}  // namespace sae_eval
