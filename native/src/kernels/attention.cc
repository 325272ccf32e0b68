// Causal self-attention of right-padded batches: grouped queries, rotary positions and sliding windows in one operator,
// whatever the lengths of the sequences, with no mask in memory. Blocks of queries meet blocks of keys under a running
// maximum (Dao et al. 2022, arXiv:2205.14135), so scores of a whole sequence never exist.
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "every_cpu.h"
#include "library.h"

namespace sae_eval {

namespace {

constexpr int64_t queryBlock = 16;
constexpr int64_t keyBlock = 64;     // four vectors: with four rows, sixteen accumulators
constexpr int64_t rowGroup = 4;

constexpr int64_t roundUp(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

// Keys [from, to) that a query of a sequence of `length` real tokens sees. A padded query out of every window sees the
// first key: any finite state will do there.
struct Range {
  int64_t from, to;
};
Range keysOf(int64_t query, int64_t length, int64_t window) {
  const int64_t to = std::min(query + 1, length);
  const int64_t from = window > 0 ? std::max<int64_t>(0, query - window + 1) : 0;
  return from < to ? Range{from, to} : Range{0, 1};
}

// scores[r][j] = Σ_d q[r][d] kT[d][j] for four queries and one block of keys.
PART_OF_KERNEL void scoreRows(const float* q, int64_t dim, const float* kT, int64_t keyStride, float* scores) {
  Vector sum[rowGroup][4] = {};
  for (int64_t d = 0; d < dim; ++d) {
    const float* key = kT + d * keyStride;
    const Vector k0 = *reinterpret_cast<const Vector*>(key);
    const Vector k1 = *reinterpret_cast<const Vector*>(key + vectorSize);
    const Vector k2 = *reinterpret_cast<const Vector*>(key + 2 * vectorSize);
    const Vector k3 = *reinterpret_cast<const Vector*>(key + 3 * vectorSize);
    for (int64_t r = 0; r < rowGroup; ++r) {
      const float value = q[r * dim + d];
      sum[r][0] += value * k0;
      sum[r][1] += value * k1;
      sum[r][2] += value * k2;
      sum[r][3] += value * k3;
    }
  }
  for (int64_t r = 0; r < rowGroup; ++r)
    for (int64_t v = 0; v < 4; ++v) *reinterpret_cast<Vector*>(scores + r * keyBlock + v * vectorSize) = sum[r][v];
}

// out[r][0…16·width) += Σ_j p[r][j] v[j][…] for four queries.
template <int width>
PART_OF_KERNEL void addValues(const float* p, const float* values, int64_t valueStride, int64_t from, int64_t to, float* out, int64_t outStride) {
  Vector sum[rowGroup][width];
  for (int64_t r = 0; r < rowGroup; ++r)
    for (int w = 0; w < width; ++w) sum[r][w] = *reinterpret_cast<const Vector*>(out + r * outStride + w * vectorSize);
  for (int64_t j = from; j < to; ++j) {
    Vector value[width];
    for (int w = 0; w < width; ++w) value[w] = *reinterpret_cast<const Vector*>(values + j * valueStride + w * vectorSize);
    for (int64_t r = 0; r < rowGroup; ++r)
      for (int w = 0; w < width; ++w) sum[r][w] += p[r * keyBlock + j] * value[w];
  }
  for (int64_t r = 0; r < rowGroup; ++r)
    for (int w = 0; w < width; ++w) *reinterpret_cast<Vector*>(out + r * outStride + w * vectorSize) = sum[r][w];
}

// Of one block of scores.
PART_OF_KERNEL float largestOf(const float* row) {
  Vector high = *reinterpret_cast<const Vector*>(row);
  for (int64_t v = 1; v < keyBlock / vectorSize; ++v) {
    const Vector next = *reinterpret_cast<const Vector*>(row + v * vectorSize);
    high = next > high ? next : high;
  }
  float largest = high[0];
  for (int64_t i = 1; i < vectorSize; ++i) largest = high[i] > largest ? high[i] : largest;
  return largest;
}

// One head of one sequence, all in float32: `dim` is the head's width rounded up to a vector, `keyStride` the number of keys
// rounded up to a block, with zeros there.
struct Head {
  const float* q;       // [queries rounded up, dim], rotated and scaled
  const float* kT;      // [dim, keyStride], rotated
  const float* v;       // [keyStride, dim]
  int64_t queries, dim, keyStride, length, window;
  float* out;           // [queries rounded up, dim]
};

FOR_EVERY_CPU void attendHead(const Head& head) {
  const int64_t dim = head.dim;
  alignas(64) float scores[queryBlock * keyBlock];
  float highest[queryBlock];
  float total[queryBlock];
  Range keys[queryBlock];
  for (int64_t first = 0; first < head.queries; first += queryBlock) {
    const int64_t count = std::min(queryBlock, head.queries - first);
    int64_t from = std::numeric_limits<int64_t>::max(), to = 0;
    for (int64_t r = 0; r < queryBlock; ++r) {
      keys[r] = keysOf(std::min(first + r, head.queries - 1), head.length, head.window);
      from = std::min(from, keys[r].from);
      to = std::max(to, keys[r].to);
      highest[r] = -std::numeric_limits<float>::infinity();
      total[r] = 0;
    }
    float* out = head.out + first * dim;
    std::fill_n(out, queryBlock * dim, 0.0f);
    const float* q = head.q + first * dim;
    for (int64_t key = from / keyBlock * keyBlock; key < to; key += keyBlock) {
      for (int64_t r = 0; r < queryBlock; r += rowGroup) scoreRows(q + r * dim, dim, head.kT + key, head.keyStride, scores + r * keyBlock);
      for (int64_t r = 0; r < count; ++r) {
        float* row = scores + r * keyBlock;
        const int64_t begin = std::clamp<int64_t>(keys[r].from - key, 0, keyBlock);
        const int64_t end = std::clamp<int64_t>(keys[r].to - key, 0, keyBlock);
        if (begin >= end) {
          std::fill_n(row, keyBlock, 0.0f);
          continue;
        }
        std::fill_n(row, begin, -std::numeric_limits<float>::infinity());
        std::fill(row + end, row + keyBlock, -std::numeric_limits<float>::infinity());
        const float high = std::max(highest[r], largestOf(row));
        float sum = 0;
        for (int64_t j = 0; j < keyBlock; ++j) row[j] = expNegative(std::min(row[j] - high, 0.0f));
        std::fill_n(row, begin, 0.0f);
        std::fill(row + end, row + keyBlock, 0.0f);
        for (int64_t j = 0; j < keyBlock; ++j) sum += row[j];
        const float kept = highest[r] == high ? 1.0f : std::exp(highest[r] - high);
        if (kept != 1.0f) {
          total[r] *= kept;
          for (int64_t d = 0; d < dim; ++d) out[r * dim + d] *= kept;
        }
        total[r] += sum;
        highest[r] = high;
      }
      const int64_t last = std::min(keyBlock, to - key);
      const float* values = head.v + key * dim;
      for (int64_t r = 0; r < queryBlock; r += rowGroup) {
        int64_t d = 0;
        for (; d + 4 * vectorSize <= dim; d += 4 * vectorSize) addValues<4>(scores + r * keyBlock, values + d, dim, 0, last, out + r * dim + d, dim);
        for (; d + 2 * vectorSize <= dim; d += 2 * vectorSize) addValues<2>(scores + r * keyBlock, values + d, dim, 0, last, out + r * dim + d, dim);
        for (; d < dim; d += vectorSize) addValues<1>(scores + r * keyBlock, values + d, dim, 0, last, out + r * dim + d, dim);
      }
    }
    for (int64_t r = 0; r < count; ++r) {
      const float scale = 1.0f / total[r];
      for (int64_t d = 0; d < dim; ++d) out[r * dim + d] *= scale;
    }
  }
}

FOR_EVERY_CPU void widenRow(const uint16_t* bfloat16, int64_t count, float* out) { widen(bfloat16, count, out); }
FOR_EVERY_CPU void narrowRow(const float* row, int64_t count, uint16_t* bfloat16) { narrow(row, count, bfloat16); }

void readRow(const float* row, int64_t count, float* out) { std::copy_n(row, count, out); }
void readRow(const double* row, int64_t count, float* out) { std::copy_n(row, count, out); }
void readRow(const c10::BFloat16* row, int64_t count, float* out) { widenRow(reinterpret_cast<const uint16_t*>(row), count, out); }
void readRow(const c10::Half* row, int64_t count, float* out) { std::copy_n(row, count, out); }

void writeRow(const float* row, int64_t count, float* out) { std::copy_n(row, count, out); }
void writeRow(const float* row, int64_t count, double* out) { std::copy_n(row, count, out); }
void writeRow(const float* row, int64_t count, c10::BFloat16* out) { narrowRow(row, count, reinterpret_cast<uint16_t*>(out)); }
void writeRow(const float* row, int64_t count, c10::Half* out) { std::copy_n(row, count, out); }

// Rotates one head's first 2 · half numbers by a position's cosines and sines.
FOR_EVERY_CPU void rotateRow(float* row, const float* cosine, const float* sine, int64_t half) {
  for (int64_t d = 0; d < half; ++d) {
    const float x = row[d], y = row[d + half];
    row[d] = x * cosine[d] - y * sine[d];
    row[d + half] = y * cosine[d + half] + x * sine[d + half];
  }
}

FOR_EVERY_CPU void scaleRow(float* row, int64_t count, float scale) {
  for (int64_t d = 0; d < count; ++d) row[d] *= scale;
}

// Columns of some rows of keys, `count` ≤ vectorSize: whole cache lines are written.
FOR_EVERY_CPU void transposeRows(const float* rows, int64_t dim, int64_t count, float* kT, int64_t keyStride) {
  for (int64_t d = 0; d < dim; ++d)
    for (int64_t t = 0; t < count; ++t) kT[d * keyStride + t] = rows[t * dim + d];
}

}  // namespace

at::Tensor attendCpu(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, at::IntArrayRef lengths, const std::optional<at::Tensor>& cosines,
                     const std::optional<at::Tensor>& sines, double scale, int64_t window) {
  TORCH_CHECK(query.dim() == 4 && key.dim() == 4 && key.sizes() == value.sizes(), "attend: expected q [rows, T, H, hd], k and v [rows, T, H_kv, hd], found ", query.sizes(), ", ", key.sizes(), ", ", value.sizes());
  const int64_t rows = query.size(0), T = query.size(1), heads = query.size(2), headDim = query.size(3), groups = key.size(2);
  const auto batch = static_cast<int64_t>(lengths.size());
  TORCH_CHECK(key.size(0) == rows && key.size(1) == T && key.size(3) == headDim && groups > 0 && heads % groups == 0, "attend: q ", query.sizes(), " does not go with k ", key.sizes());
  TORCH_CHECK(batch > 0 && rows % batch == 0, "attend: expected a multiple of ", batch, " sequences, found ", rows);
  for (const int64_t length : lengths) TORCH_CHECK(length >= 1 && length <= T, "attend: length ", length, " is not in 1…", T);
  TORCH_CHECK(query.scalar_type() == key.scalar_type() && query.scalar_type() == value.scalar_type(), "attend: expected q, k and v of one dtype");
  TORCH_CHECK(cosines.has_value() == sines.has_value(), "attend: cosines and sines go together");
  int64_t rotated = 0;
  at::Tensor cosine, sine;
  if (cosines.has_value()) {
    rotated = cosines->size(-1);
    TORCH_CHECK(cosines->dim() == 2 && cosines->size(0) == T && cosines->sizes() == sines->sizes() && rotated <= headDim && rotated % 2 == 0, "attend: expected cosines and sines [", T, ", at most ", headDim, "], found ", cosines->sizes());
    cosine = cosines->to(at::kFloat).contiguous();
    sine = sines->to(at::kFloat).contiguous();
  }
  const auto inner = [](const at::Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); };
  const at::Tensor q = inner(query), k = inner(key), v = inner(value);
  at::Tensor result = at::empty({rows, T, heads * headDim}, q.options());
  const int64_t dim = roundUp(headDim, vectorSize);
  const int64_t perGroup = heads / groups;

  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, q.scalar_type(), "attend", [&] {
    const float* cosineData = rotated > 0 ? cosine.const_data_ptr<float>() : nullptr;
    const float* sineData = rotated > 0 ? sine.const_data_ptr<float>() : nullptr;
    const auto loadRotated = [&](const scalar_t* row, int64_t t, float* out) {
      readRow(row, headDim, out);
      if (rotated > 0) rotateRow(out, cosineData + t * rotated, sineData + t * rotated, rotated / 2);
    };
    scalar_t* resultData = result.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, rows * groups, 1, [&](int64_t begin, int64_t end) {
      const int64_t queryRows = roundUp(T, queryBlock);
      std::vector<float> qRows(queryRows * dim), kT(dim * roundUp(T, keyBlock)), vRows(roundUp(T, keyBlock) * dim), out(queryRows * dim), lines(vectorSize * dim);
      for (int64_t job = begin; job < end; ++job) {
        const int64_t row = job / groups, group = job % groups;
        const int64_t length = lengths[row % batch];
        const int64_t keyStride = roundUp(length, keyBlock);
        std::fill(kT.begin(), kT.begin() + dim * keyStride, 0.0f);
        std::fill(vRows.begin() + length * dim, vRows.begin() + keyStride * dim, 0.0f);
        for (int64_t first = 0; first < length; first += vectorSize) {
          const int64_t count = std::min(vectorSize, length - first);
          for (int64_t t = 0; t < count; ++t) loadRotated(k.const_data_ptr<scalar_t>() + row * k.stride(0) + (first + t) * k.stride(1) + group * k.stride(2), first + t, lines.data() + t * headDim);
          transposeRows(lines.data(), headDim, count, kT.data() + first, keyStride);
          for (int64_t t = first; t < first + count; ++t) readRow(v.const_data_ptr<scalar_t>() + row * v.stride(0) + t * v.stride(1) + group * v.stride(2), headDim, vRows.data() + t * dim);
        }
        for (int64_t h = group * perGroup; h < (group + 1) * perGroup; ++h) {
          for (int64_t t = 0; t < T; ++t) {
            loadRotated(q.const_data_ptr<scalar_t>() + row * q.stride(0) + t * q.stride(1) + h * q.stride(2), t, qRows.data() + t * dim);
            scaleRow(qRows.data() + t * dim, headDim, static_cast<float>(scale));
          }
          attendHead({qRows.data(), kT.data(), vRows.data(), T, dim, keyStride, length, window, out.data()});
          for (int64_t t = 0; t < T; ++t) writeRow(out.data() + t * dim, headDim, resultData + ((row * T + t) * heads + h) * headDim);
        }
      }
    });
  });
  return result;
}

}  // namespace sae_eval
