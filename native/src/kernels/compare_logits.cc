// KL divergence and cross-entropies between clean logits and those of several lanes, over one range
// of the vocabulary at a time. A row's sums are carried from range to range under a running
// maximum, so that the logits of a whole vocabulary never exist. ATen needs a dozen passes over
// memory; this kernel needs one, and computes the exponentials of the clean logits once for all
// lanes.
//
//   KL(p ‖ q) = Σ p (a − b) − lse(a) + lse(b),   p = softmax(a), q = softmax(b)
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "every_cpu.h"
#include "library.h"

namespace sae_eval {

namespace {

// Elements summed in float32 before the partial sum goes to float64.
constexpr int64_t logitsPerBlock = 2048;

struct LargestOf {
  template <int64_t width>
  PART_OF_KERNEL static float run(const float* values, int64_t count) {
    float largest = values[0];
    int64_t i = 0;
    if (count >= 2 * width) {
      // Two independent maxima: the CPU computes them at the same time.
      Vector<width> high[2] = {load<width>(values), load<width>(values + width)};
      for (i = 2 * width; i + 2 * width <= count; i += 2 * width)
        for (int64_t v = 0; v < 2; ++v)
          high[v] = larger(high[v], load<width>(values + i + v * width));
      largest = largestOfVector<width>(larger(high[0], high[1]));
    }
    for (; i < count; ++i) largest = std::max(largest, values[i]);
    return largest;
  }
};

// exp(a − high) of a block, and their sum.
struct Exponentials {
  template <int64_t width>
  PART_OF_KERNEL static float run(const float* a, int64_t count, float high, float* out) {
    Vector<width> sums[2] = {};
    int64_t i = 0;
    for (; i + 2 * width <= count; i += 2 * width)
      for (int64_t v = 0; v < 2; ++v) {
        const Vector<width> e = expNegative<width>(load<width>(a + i + v * width) - high);
        store(out + i + v * width, e);
        sums[v] += e;
      }
    float total = sumOfVector<width>(sums[0] + sums[1]);
    for (; i < count; ++i) total += out[i] = expNegative(a[i] - high);
    return total;
  }
};

// Σ exp(b − high) of a block, and Σ ea (a − b).
struct CompareBlock {
  template <int64_t width>
  PART_OF_KERNEL static std::pair<float, float> run(const float* a, const float* ea, const float* b,
                                                    int64_t count, float high) {
    Vector<width> sums[2] = {}, differences[2] = {};
    int64_t i = 0;
    for (; i + 2 * width <= count; i += 2 * width)
      for (int64_t v = 0; v < 2; ++v) {
        const Vector<width> value = load<width>(b + i + v * width);
        sums[v] += expNegative<width>(value - high);
        differences[v] +=
            load<width>(ea + i + v * width) * (load<width>(a + i + v * width) - value);
      }
    float total = sumOfVector<width>(sums[0] + sums[1]),
          difference = sumOfVector<width>(differences[0] + differences[1]);
    for (; i < count; ++i) {
      total += expNegative(b[i] - high);
      difference += ea[i] * (a[i] - b[i]);
    }
    return {total, difference};
  }
};

// Running sums of a row, in float64: the columns of `sums`.
struct RowSums {
  double maxA, sumA;  // sumA = Σ exp(a − maxA)
  double maxB, sumB;
  double difference;      // Σ exp(a − maxA) (a − b)
  double labelA, labelB;  // the logits of the next token
};
static_assert(sizeof(RowSums) == 7 * sizeof(double));

FOR_EVERY_CPU void widenBlock(const uint16_t* bfloat16, int64_t count, float* to) {
  widen(bfloat16, count, to);
}

// `count` numbers as float32: in place, or converted into `buffer`.
inline const float* asFloat(const float* values, int64_t, float*) {
  return values;
}
inline const float* asFloat(const c10::BFloat16* values, int64_t count, float* buffer) {
  widenBlock(reinterpret_cast<const uint16_t*>(values), count, buffer);
  return buffer;
}
inline const float* asFloat(const c10::Half* values, int64_t count, float* buffer) {
  for (int64_t i = 0; i < count; ++i) buffer[i] = static_cast<float>(values[i]);
  return buffer;
}

// Adds one row of the clean logits and the same row of every lane. Lanes lie `stride` logits and
// `sumStride` rows of sums apart. Sums of the clean row are computed once, for the first lane, and
// copied to the others.
template <typename T>
void addRange(RowSums* rows, int64_t sumStride, const T* a, const T* b, int64_t stride,
              int64_t lanes, int64_t V) {
  alignas(64) float bufferA[logitsPerBlock];
  alignas(64) float bufferB[logitsPerBlock];
  alignas(64) float exponentialsA[logitsPerBlock];
  for (int64_t from = 0; from < V; from += logitsPerBlock) {
    const int64_t count = std::min(logitsPerBlock, V - from);
    const float* pa = asFloat(a + from, count, bufferA);
    const double highA = std::max<double>(rows->maxA, onWidestVectors<LargestOf>(pa, count));
    const double scaleA = std::exp(rows->maxA - highA);  // 0 in a row's first block
    const double sumA =
        rows->sumA * scaleA +
        onWidestVectors<Exponentials>(pa, count, static_cast<float>(highA), exponentialsA);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      RowSums& row = rows[lane * sumStride];
      const float* pb = asFloat(b + lane * stride + from, count, bufferB);
      const double highB = std::max<double>(row.maxB, onWidestVectors<LargestOf>(pb, count));
      const auto [sumB, sumDifference] = onWidestVectors<CompareBlock>(
          pa, static_cast<const float*>(exponentialsA), pb, count, static_cast<float>(highB));
      row.difference = row.difference * scaleA + sumDifference;
      row.sumB = row.sumB * std::exp(row.maxB - highB) + sumB;
      row.maxB = highB;
      row.maxA = highA;
      row.sumA = sumA;
    }
  }
}

}  // namespace

void checkComparison(const at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced,
                     const at::Tensor& labels) {
  TORCH_CHECK(clean.dim() == 2 && spliced.dim() == 3 && clean.sizes() == spliced.sizes().slice(1) &&
                  clean.scalar_type() == spliced.scalar_type(),
              "compare_logits_: expected logits [n, V] and [lanes, n, V] of one dtype, found ",
              clean.sizes(), " ", clean.scalar_type(), " and ", spliced.sizes(), " ",
              spliced.scalar_type());
  TORCH_CHECK(clean.size(1) > 0, "compare_logits_: expected at least one logit per row");
  TORCH_CHECK(
      labels.dim() == 1 && labels.size(0) == clean.size(0) && labels.scalar_type() == at::kLong,
      "compare_logits_: expected labels [", clean.size(0), "] int64, found ", labels.sizes(), " ",
      labels.scalar_type());
  TORCH_CHECK(sums.dim() == 3 && sums.size(0) == spliced.size(0) && sums.size(1) == clean.size(0) &&
                  sums.size(2) == 7 && sums.scalar_type() == at::kDouble && sums.is_contiguous(),
              "compare_logits_: expected contiguous sums [", spliced.size(0), ", ", clean.size(0),
              ", 7] float64, found ", sums.sizes(), " ", sums.scalar_type());
}

at::Tensor& compareLogitsCpu(at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced,
                             const at::Tensor& labels, int64_t from) {
  checkComparison(sums, clean, spliced, labels);
  if (clean.scalar_type() == at::kDouble)
    return compareLogitsComposite(sums, clean, spliced, labels, from);
  const int64_t lanes = spliced.size(0);
  const int64_t n = clean.size(0);
  const int64_t V = clean.size(1);
  if (lanes == 0) return sums;
  const at::Tensor a = clean.contiguous();
  const at::Tensor b = spliced.contiguous();
  const at::Tensor next = labels.contiguous();
  const int64_t* labelOf = next.const_data_ptr<int64_t>();
  auto* rows = static_cast<RowSums*>(sums.mutable_data_ptr());
  const auto compare = [&](const auto* pa) {
    const auto* pb = b.const_data_ptr<std::decay_t<decltype(*pa)>>();
    at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        addRange(rows + i, n, pa + i * V, pb + i * V, n * V, lanes, V);
        const int64_t label = labelOf[i] - from;
        if (label < 0 || label >= V) continue;
        for (int64_t lane = 0; lane < lanes; ++lane) {
          RowSums& row = rows[lane * n + i];
          row.labelA = static_cast<float>(pa[i * V + label]);
          row.labelB = static_cast<float>(pb[(lane * n + i) * V + label]);
        }
      }
    });
  };
  AT_DISPATCH_SWITCH(
      a.scalar_type(), "compare_logits_",
      AT_DISPATCH_CASE(at::kFloat, [&] { compare(a.const_data_ptr<scalar_t>()); })
          AT_DISPATCH_CASE(at::kBFloat16, [&] { compare(a.const_data_ptr<scalar_t>()); })
              AT_DISPATCH_CASE(at::kHalf, [&] { compare(a.const_data_ptr<scalar_t>()); }));
  return sums;
}

}  // namespace sae_eval
