// The k largest values of each row. Values above a running threshold are collected; when there are
// too many, the threshold rises to the k-th of them. Most of a wide row is only compared with the
// threshold.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <tuple>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define COMPRESSING
#endif

#include "every_cpu.h"
#include "fresh.h"
#include "library.h"

namespace sae_eval {

namespace {

constexpr int64_t valuesPerBlock = 64;

// Candidates for the k largest values of a row, in the order of the row.
struct Candidates {
  explicit Candidates(int64_t size) : values(size), indices(size), keys(size), capacity(size) {}
  std::vector<float> values;
  std::vector<int32_t> indices;
  std::vector<int32_t> keys;
  int64_t capacity;
  int64_t size = 0;
};

// Integer with the same order as the values; NaN is above all.
FOR_EVERY_CPU void makeKeys(const float* values, int64_t count, int32_t* keys) {
  for (int64_t i = 0; i < count; ++i) {
    int32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    const int32_t ordered = bits ^ ((bits >> 31) & 0x7fffffff);
    keys[i] = values[i] != values[i] ? std::numeric_limits<int32_t>::max() : ordered;
  }
}

// The k-th largest key, found bit by bit: one vector instruction counts sixteen keys, whereas
// sorting does not vectorize.
FOR_EVERY_CPU int32_t kthLargest(const int32_t* keys, int64_t count, int32_t k) {
  int64_t low = std::numeric_limits<int32_t>::min();
  int64_t high = std::numeric_limits<int32_t>::max();
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    const auto limit = static_cast<int32_t>(middle);
    int32_t atLeast = 0;
    for (int64_t i = 0; i < count; ++i) atLeast += keys[i] >= limit;
    if (atLeast >= k)
      low = middle;
    else
      high = middle - 1;
  }
  return static_cast<int32_t>(low);
}

// Reduces the candidates to k; of equal values, the first ones stay. Returns the smallest remaining
// key.
float reduce(Candidates& all, int64_t k) {
  makeKeys(all.values.data(), all.size, all.keys.data());
  const int32_t limit = kthLargest(all.keys.data(), all.size, static_cast<int32_t>(k));
  int64_t equal = k;
  for (int64_t i = 0; i < all.size; ++i) equal -= all.keys[i] > limit;
  float smallest = 0;
  int64_t kept = 0;
  for (int64_t i = 0; i < all.size; ++i) {
    if (all.keys[i] < limit || (all.keys[i] == limit && equal-- <= 0)) continue;
    if (all.keys[i] == limit) smallest = all.values[i];
    all.values[kept] = all.values[i];
    all.indices[kept++] = all.indices[i];
  }
  all.size = k;
  return smallest;
}

// Collects values above the threshold from position `from` on until the candidates are full.
// Returns the position at which it stopped.
int64_t collectAnywhere(const float* row, int64_t from, int64_t count, float threshold,
                        float* values, int32_t* indices, int64_t capacity, int64_t* size) {
  int64_t found = *size;
  int64_t i = from;
  for (; i + valuesPerBlock <= count && found + valuesPerBlock <= capacity; i += valuesPerBlock) {
    int32_t above = 0;
    for (int64_t j = i; j < i + valuesPerBlock; ++j) above |= !(row[j] <= threshold);
    if (above == 0) continue;
    for (int64_t j = i; j < i + valuesPerBlock; ++j) {
      values[found] = row[j];
      indices[found] = static_cast<int32_t>(j);
      found += !(row[j] <= threshold);
    }
  }
  if (found + valuesPerBlock <= capacity) {
    for (; i < count; ++i) {
      values[found] = row[i];
      indices[found] = static_cast<int32_t>(i);
      found += !(row[i] <= threshold);
    }
  }
  *size = found;
  return i;
}

#ifdef COMPRESSING
// AVX-512 version of the function above: compares sixteen values at once and compresses those above
// the threshold with one instruction.
__attribute__((target("avx512f"))) int64_t collectCompressing(const float* row, int64_t from,
                                                              int64_t count, float threshold,
                                                              float* values, int32_t* indices,
                                                              int64_t capacity, int64_t* size) {
  const __m512 limit = _mm512_set1_ps(threshold);
  const __m512i positions = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  int64_t found = *size;
  int64_t i = from;
  // Whole vectors are stored although only their first values count: the buffer needs room for one
  // more vector at its end.
  for (; i + valuesPerBlock <= count && found + 2 * valuesPerBlock <= capacity;
       i += valuesPerBlock) {
    __mmask16 masks[valuesPerBlock / 16];
    uint32_t any = 0;
    for (int64_t v = 0; v < valuesPerBlock / 16; ++v)
      any |= masks[v] = _mm512_cmp_ps_mask(_mm512_loadu_ps(row + i + 16 * v), limit, _CMP_NLE_UQ);
    if (any == 0) continue;
    for (int64_t v = 0; v < valuesPerBlock / 16; ++v) {
      if (masks[v] == 0) continue;
      const int64_t at = i + 16 * v;
      _mm512_storeu_ps(values + found,
                       _mm512_maskz_compress_ps(masks[v], _mm512_loadu_ps(row + at)));
      _mm512_storeu_si512(
          indices + found,
          _mm512_maskz_compress_epi32(
              masks[v], _mm512_add_epi32(positions, _mm512_set1_epi32(static_cast<int32_t>(at)))));
      found += __builtin_popcount(masks[v]);
    }
  }
  *size = found;
  if (i + valuesPerBlock <= count) return i;
  return collectAnywhere(row, i, count, threshold, values, indices, capacity, size);
}

const auto collect = __builtin_cpu_supports("avx512f") ? &collectCompressing : &collectAnywhere;
#else
const auto collect = &collectAnywhere;
#endif

}  // namespace

std::tuple<at::Tensor, at::Tensor> keepLargestCpu(const at::Tensor& input, int64_t k) {
  TORCH_CHECK(input.dim() == 2, "keep_largest: expected rows [n, m], found ", input.sizes());
  TORCH_CHECK(input.size(1) <= std::numeric_limits<int32_t>::max(), "keep_largest: rows of ",
              input.size(1), " numbers are too wide");
  TORCH_CHECK(k >= 1 && k <= input.size(1), "keep_largest: expected k in 1…", input.size(1),
              ", found ", k);
  if (input.scalar_type() != at::kFloat) return keepLargestComposite(input, k);
  const at::Tensor a = input.contiguous();
  const int64_t n = a.size(0), m = a.size(1);
  at::Tensor values = fresh({n, k}, a.scalar_type());
  at::Tensor indices = fresh({n, k}, at::kLong);
  const float* rows = a.const_data_ptr<float>();
  float* valueOut = values.mutable_data_ptr<float>();
  int64_t* indexOut = indices.mutable_data_ptr<int64_t>();
  at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
    Candidates candidates(4 * k + 6 * valuesPerBlock);
    for (int64_t row = begin; row < end; ++row) {
      const float* from = rows + row * m;
      const int64_t first = std::min(m, candidates.capacity - 2 * valuesPerBlock);  // at least k
      std::copy_n(from, first, candidates.values.begin());
      std::iota(candidates.indices.begin(), candidates.indices.begin() + first, 0);
      candidates.size = first;
      int64_t at = first;
      while (true) {
        const float smallest = reduce(candidates, k);
        if (at == m) break;
        const float threshold =
            std::isnan(smallest) ? std::numeric_limits<float>::infinity() : smallest;
        at = collect(from, at, m, threshold, candidates.values.data(), candidates.indices.data(),
                     candidates.capacity, &candidates.size);
      }
      std::copy_n(candidates.values.begin(), k, valueOut + row * k);
      std::copy_n(candidates.indices.begin(), k, indexOut + row * k);
    }
  });
  return {values, indices};
}

}  // namespace sae_eval
