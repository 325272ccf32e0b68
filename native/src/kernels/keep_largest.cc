// The k largest of each row: the values above a running threshold are collected, and whenever there are too many the
// threshold is raised to the k-th of them. Most of a wide row is only compared with the threshold.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

#include "every_cpu.h"
#include "library.h"

namespace sae_eval {

namespace {

constexpr int64_t block = 16;

struct Candidate {
  float value;
  int64_t index;
};

// NaN counts as the largest, as in torch.topk; of equal values the first ones are kept.
bool before(const Candidate& a, const Candidate& b) {
  if (std::isnan(a.value) || std::isnan(b.value)) return std::isnan(a.value) != std::isnan(b.value) ? std::isnan(a.value) : a.index < b.index;
  return a.value != b.value ? a.value > b.value : a.index < b.index;
}

// Whether any of the values is above the threshold, or NaN.
PART_OF_KERNEL bool anyAbove(const float* values, int64_t count, float threshold) {
  int32_t found = 0;
  for (int64_t i = 0; i < count; ++i) found |= !(values[i] <= threshold);
  return found != 0;
}

// Values of a row above the threshold from `from` on, until the candidates are full; returns where it stopped.
FOR_EVERY_CPU int64_t collect(const float* row, int64_t from, int64_t count, float threshold, Candidate* candidates, int64_t capacity, int64_t* size) {
  int64_t found = *size;
  int64_t i = from;
  for (; i + block <= count && found + block <= capacity; i += block) {
    if (!anyAbove(row + i, block, threshold)) continue;
    for (int64_t j = i; j < i + block; ++j) {
      candidates[found] = {row[j], j};
      found += !(row[j] <= threshold);
    }
  }
  if (found + block <= capacity) {
    for (; i < count; ++i) {
      candidates[found] = {row[i], i};
      found += !(row[i] <= threshold);
    }
  }
  *size = found;
  return i;
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> keepLargestComposite(const at::Tensor& a, int64_t k) { return a.topk(k, -1, true, false); }

std::tuple<at::Tensor, at::Tensor> keepLargestCpu(const at::Tensor& input, int64_t k) {
  TORCH_CHECK(input.dim() == 2, "keep_largest: expected rows [n, m], found ", input.sizes());
  TORCH_CHECK(k >= 1 && k <= input.size(1), "keep_largest: expected k in 1…", input.size(1), ", found ", k);
  if (input.scalar_type() != at::kFloat) return keepLargestComposite(input, k);
  const at::Tensor a = input.contiguous();
  const int64_t n = a.size(0), m = a.size(1);
  at::Tensor values = at::empty({n, k}, a.options());
  at::Tensor indices = at::empty({n, k}, a.options().dtype(at::kLong));
  const float* rows = a.const_data_ptr<float>();
  float* valueOut = values.mutable_data_ptr<float>();
  int64_t* indexOut = indices.mutable_data_ptr<int64_t>();
  at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
    std::vector<Candidate> candidates(4 * k + 8 * block);
    const auto capacity = static_cast<int64_t>(candidates.size());
    for (int64_t row = begin; row < end; ++row) {
      float threshold = -std::numeric_limits<float>::infinity();
      int64_t size = 0;
      int64_t at = 0;
      // What is below everything is a candidate only where there are too few others.
      while ((at = collect(rows + row * m, at, m, threshold, candidates.data(), capacity, &size)) < m) {
        std::nth_element(candidates.begin(), candidates.begin() + (k - 1), candidates.begin() + size, before);
        size = k;
        threshold = std::isnan(candidates[k - 1].value) ? std::numeric_limits<float>::infinity() : candidates[k - 1].value;
      }
      if (size < k) {  // −∞ is above no threshold
        for (int64_t i = 0; i < m && size < k; ++i) {
          if (rows[row * m + i] == -std::numeric_limits<float>::infinity()) candidates[size++] = {rows[row * m + i], i};
        }
      }
      std::nth_element(candidates.begin(), candidates.begin() + (k - 1), candidates.begin() + size, before);
      // In the order of the row: a decoder then reads its rows forwards.
      std::sort(candidates.begin(), candidates.begin() + k, [](const Candidate& x, const Candidate& y) { return x.index < y.index; });
      for (int64_t i = 0; i < k; ++i) {
        valueOut[row * k + i] = candidates[i].value;
        indexOut[row * k + i] = candidates[i].index;
      }
    }
  });
  return {values, indices};
}

}  // namespace sae_eval
