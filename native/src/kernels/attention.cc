// Causal self-attention of right-padded or unpadded batches: grouped queries, rotary positions and
// sliding windows in one operator, for sequences of any lengths, with no mask in memory. Blocks of
// queries meet blocks of keys under a running maximum (Dao et al. 2022, arXiv:2205.14135), so the
// scores of a whole sequence never exist.
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "bfloat16_rows.h"
#include "every_cpu.h"
#include "fresh.h"
#include "library.h"

namespace sae_eval {

namespace {

constexpr int64_t keyBlock = 96;  // keys under one maximum: sixteen tiles
constexpr int64_t keyTile = 6;    // with two vectors of queries: twelve accumulators
constexpr int64_t rowTile = 4;
constexpr int64_t widest = 16;  // numbers in the widest vector: rows are padded to a multiple of it
constexpr int64_t mostQueries = 2 * widest;
constexpr float lowest = std::numeric_limits<float>::lowest();

constexpr int64_t roundUp(int64_t value, int64_t to) {
  return (value + to - 1) / to * to;
}

// Keys [from, to) that a query of a sequence of `length` real tokens sees. A padded query beyond
// every window sees the first key: its result is not used, but must be finite.
struct Range {
  int64_t from, to;
};
Range keysOf(int64_t query, int64_t length, int64_t window) {
  const int64_t to = std::min(query + 1, length);
  const int64_t from = window > 0 ? std::max<int64_t>(0, query - window + 1) : 0;
  return from < to ? Range{from, to} : Range{0, 1};
}

// One head of one sequence, all in float32. `dim` is the head's dimension rounded up to the widest
// vector; zeros fill the last tile of keys.
struct Head {
  const float* q;  // [queries rounded up, dim], rotated and scaled
  const float* k;  // [length rounded up, dim], rotated
  const float* v;  // [length rounded up, dim]
  int64_t queries, dim, length, window;
  float* turned;  // room for a block of queries, [dim, mostQueries]
  float* out;     // [queries rounded up, dim]
};

// Blocks of queries meet blocks of keys. Scores of the queries of a block lie side by side, so that
// one vector instruction serves the softmaxes of up to sixteen queries.
struct AttendHead {
  // scores[j][r] = Σ_d k[j][d] qT[d][r] of `keyTile` keys.
  template <int64_t width>
  PART_OF_KERNEL static void scoreKeys(const float* k, int64_t dim, const float* qT,
                                       float* scores) {
    Vector<width> sum[keyTile][2] = {};
    for (int64_t d = 0; d < dim; ++d) {
      const Vector<width> q0 = load<width>(qT + d * 2 * width),
                          q1 = load<width>(qT + d * 2 * width + width);
#pragma GCC unroll 6
      for (int64_t j = 0; j < keyTile; ++j) {
        const float value = k[j * dim + d];
        sum[j][0] += value * q0;
        sum[j][1] += value * q1;
      }
    }
    for (int64_t j = 0; j < keyTile; ++j) {
      store(scores + j * 2 * width, sum[j][0]);
      store(scores + j * 2 * width + width, sum[j][1]);
    }
  }

  // out[r][0…width·vectors) = kept[r] out[r] + Σ_j p[j][r] v[j] of `rowTile` queries.
  template <int64_t width, int64_t vectors>
  PART_OF_KERNEL static void addValues(const float* p, const float* v, int64_t dim, int64_t keys,
                                       const float* kept, float* out) {
    Vector<width> sum[rowTile][vectors];
    for (int64_t r = 0; r < rowTile; ++r)
      for (int64_t w = 0; w < vectors; ++w)
        sum[r][w] = kept[r] * load<width>(out + r * dim + w * width);
    for (int64_t j = 0; j < keys; ++j) {
      Vector<width> value[vectors];
#pragma GCC unroll 4
      for (int64_t w = 0; w < vectors; ++w) value[w] = load<width>(v + j * dim + w * width);
#pragma GCC unroll 4
      for (int64_t r = 0; r < rowTile; ++r) {
        const float weight = p[j * 2 * width + r];
#pragma GCC unroll 4
        for (int64_t w = 0; w < vectors; ++w) sum[r][w] += weight * value[w];
      }
    }
    for (int64_t r = 0; r < rowTile; ++r)
      for (int64_t w = 0; w < vectors; ++w) store(out + r * dim + w * width, sum[r][w]);
  }

  // State of a block of queries between blocks of keys.
  template <int64_t width>
  struct Softmax {
    Vector<width> highest[2], total[2];
    IntVector<width> from[2], to[2];  // the keys each query sees
  };

  // All ones for the queries that see a key, else zeros. Signs are shifted and not compared: GCC 12
  // compares vectors of sixteen number by number, which took half of the kernel's time.
  template <int64_t width>
  PART_OF_KERNEL static IntVector<width> seen(const Softmax<width>& softmax, int64_t key,
                                              int64_t half) {
    const IntVector<width> place = IntVector<width>{} + static_cast<int32_t>(key);
    return ((place - softmax.to[half]) & (softmax.from[half] - 1 - place)) >> 31;
  }

  // Numbers of `value` for which the mask is all ones, else those of `other`.
  template <int64_t width>
  PART_OF_KERNEL static Vector<width> select(IntVector<width> mask, Vector<width> value,
                                             Vector<width> other) {
    IntVector<width> chosen, rest;
    std::memcpy(&chosen, &value, sizeof chosen);
    std::memcpy(&rest, &other, sizeof rest);
    chosen = (chosen & mask) | (rest & ~mask);
    std::memcpy(&value, &chosen, sizeof chosen);
    return value;
  }

  // Turns scores of keys [first, first + keys) into exp(score − highest), with zeros for keys that
  // a query does not see. `kept` receives the factor by which earlier sums shrink.
  template <int64_t width>
  PART_OF_KERNEL static void exponentiate(Softmax<width>& softmax, float* scores, int64_t first,
                                          int64_t keys, bool masked, float* kept) {
    Vector<width> high[2] = {softmax.highest[0], softmax.highest[1]};
    if (masked) {
      for (int64_t j = 0; j < keys; ++j)
        for (int64_t half = 0; half < 2; ++half) {
          const Vector<width> score = load<width>(scores + (2 * j + half) * width);
          const IntVector<width> mask = seen<width>(softmax, first + j, half);
          high[half] = larger(high[half], select<width>(mask, score, Vector<width>{} + lowest));
        }
    } else {
      for (int64_t j = 0; j < keys; ++j)
        for (int64_t half = 0; half < 2; ++half)
          high[half] = larger(high[half], load<width>(scores + (2 * j + half) * width));
    }
    Vector<width> sum[2] = {};
    for (int64_t j = 0; j < keys; ++j)
      for (int64_t half = 0; half < 2; ++half) {
        float* score = scores + (2 * j + half) * width;
        Vector<width> weight = expNegative<width>(load<width>(score) - high[half]);
        if (masked)
          weight = select<width>(seen<width>(softmax, first + j, half), weight, Vector<width>{});
        store(score, weight);
        sum[half] += weight;
      }
    for (int64_t half = 0; half < 2; ++half) {
      const Vector<width> shrunk = expNegative<width>(softmax.highest[half] - high[half]);
      store(kept + half * width, shrunk);
      softmax.total[half] = softmax.total[half] * shrunk + sum[half];
      softmax.highest[half] = high[half];
    }
  }

  template <int64_t width>
  PART_OF_KERNEL static void run(const Head* of) {
    const Head head = *of;
    const int64_t dim = head.dim;
    constexpr int64_t block = 2 * width;
    alignas(64) float scores[keyBlock * block];
    float* qT = head.turned;
    alignas(64) float kept[block];
    for (int64_t first = 0; first < head.queries; first += block) {
      Softmax<width> softmax;
      int64_t from = std::numeric_limits<int64_t>::max(), to = 0;        // keys that any query sees
      int64_t allFrom = 0, allTo = std::numeric_limits<int64_t>::max();  // … that all of them see
      for (int64_t r = 0; r < block; ++r) {
        const Range keys = keysOf(std::min(first + r, head.queries - 1), head.length, head.window);
        from = std::min(from, keys.from);
        to = std::max(to, keys.to);
        allFrom = std::max(allFrom, keys.from);
        allTo = std::min(allTo, keys.to);
        softmax.from[r / width][r % width] = static_cast<int32_t>(keys.from);
        softmax.to[r / width][r % width] = static_cast<int32_t>(keys.to);
      }
      for (int64_t half = 0; half < 2; ++half) {
        softmax.highest[half] = Vector<width>{} + lowest;
        softmax.total[half] = Vector<width>{};
      }
      const float* q = head.q + first * dim;
      for (int64_t d = 0; d < dim; ++d)
        for (int64_t r = 0; r < block; ++r) qT[d * block + r] = q[r * dim + d];
      float* out = head.out + first * dim;
      std::fill_n(out, block * dim, 0.0f);
      for (int64_t key = from; key < to; key += keyBlock) {
        const int64_t keys = std::min(keyBlock, to - key);
        for (int64_t j = 0; j < keys; j += keyTile)
          scoreKeys<width>(head.k + (key + j) * dim, dim, qT, scores + j * block);
        exponentiate<width>(softmax, scores, key, keys, key < allFrom || key + keys > allTo, kept);
        for (int64_t r = 0; r < block; r += rowTile) {
          const float* values = head.v + key * dim;
          int64_t d = 0;
          for (; d + 2 * width <= dim; d += 2 * width)
            addValues<width, 2>(scores + r, values + d, dim, keys, kept + r, out + r * dim + d);
          for (; d < dim; d += width)
            addValues<width, 1>(scores + r, values + d, dim, keys, kept + r, out + r * dim + d);
        }
      }
      for (int64_t half = 0; half < 2; ++half)
        store(kept + half * width, 1.0f / softmax.total[half]);
      for (int64_t r = 0; r < block; ++r)
        for (int64_t d = 0; d < dim; ++d) out[r * dim + d] *= kept[r];
    }
  }
};

void readRow(const float* row, int64_t count, float* out) {
  std::copy_n(row, count, out);
}
void readRow(const double* row, int64_t count, float* out) {
  std::copy_n(row, count, out);
}
void readRow(const c10::BFloat16* row, int64_t count, float* out) {
  widenRow(reinterpret_cast<const uint16_t*>(row), count, out);
}
void readRow(const c10::Half* row, int64_t count, float* out) {
  std::copy_n(row, count, out);
}

void writeRow(const float* row, int64_t count, float* out) {
  std::copy_n(row, count, out);
}
void writeRow(const float* row, int64_t count, double* out) {
  std::copy_n(row, count, out);
}
void writeRow(const float* row, int64_t count, c10::BFloat16* out) {
  narrowRow(row, count, reinterpret_cast<uint16_t*>(out));
}
void writeRow(const float* row, int64_t count, c10::Half* out) {
  std::copy_n(row, count, out);
}

// Rotates the first 2 · half numbers of a head's rows, `dim` apart, by the cosines and sines of
// their positions.
FOR_EVERY_CPU void rotateRows(float* rows, int64_t count, int64_t dim, const float* cosines,
                              const float* sines, int64_t half) {
  for (int64_t t = 0; t < count; ++t) {
    float* row = rows + t * dim;
    const float* cosine = cosines + t * 2 * half;
    const float* sine = sines + t * 2 * half;
    for (int64_t d = 0; d < half; ++d) {
      const float x = row[d], y = row[d + half];
      row[d] = x * cosine[d] - y * sine[d];
      row[d + half] = y * cosine[d + half] + x * sine[d + half];
    }
  }
}

FOR_EVERY_CPU void scaleRows(float* rows, int64_t count, float scale) {
  for (int64_t i = 0; i < count; ++i) rows[i] *= scale;
}

}  // namespace

at::Tensor attendCpu(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     at::IntArrayRef lengths, const std::optional<at::Tensor>& cosines,
                     const std::optional<at::Tensor>& sines, double scale, int64_t window,
                     bool unpadded) {
  TORCH_CHECK(query.dim() == 4 && key.dim() == 4 && key.sizes() == value.sizes(),
              "attend: expected q [rows, T, H, hd], k and v [rows, T, H_kv, hd], found ",
              query.sizes(), ", ", key.sizes(), ", ", value.sizes());
  const int64_t rows = query.size(0), T = query.size(1), heads = query.size(2),
                headDim = query.size(3), groups = key.size(2);
  const auto batch = static_cast<int64_t>(lengths.size());
  TORCH_CHECK(key.size(0) == rows && key.size(1) == T && key.size(3) == headDim && groups > 0 &&
                  heads % groups == 0,
              "attend: q ", query.sizes(), " does not go with k ", key.sizes());
  TORCH_CHECK(batch > 0 && (unpadded || rows % batch == 0), "attend: expected a multiple of ",
              batch, " sequences, found ", rows);
  // Where each sequence begins in its row, if its row is unpadded.
  std::vector<int64_t> starts;
  int64_t filled = 0;
  for (const int64_t length : lengths) {
    TORCH_CHECK(length >= 1 && length <= T, "attend: length ", length, " is not in 1…", T);
    starts.push_back(unpadded ? filled : 0);
    filled += length;
  }
  TORCH_CHECK(!unpadded || filled == T, "attend: lengths of ", filled,
              " tokens do not fill a row of ", T);
  TORCH_CHECK(
      query.scalar_type() == key.scalar_type() && query.scalar_type() == value.scalar_type(),
      "attend: expected q, k and v of one dtype");
  TORCH_CHECK(cosines.has_value() == sines.has_value(), "attend: cosines and sines go together");
  int64_t rotated = 0;
  at::Tensor cosine, sine;
  if (cosines.has_value()) {
    rotated = cosines->size(-1);
    TORCH_CHECK(cosines->dim() == 2 && cosines->size(0) == T &&
                    cosines->sizes() == sines->sizes() && rotated <= headDim && rotated % 2 == 0,
                "attend: expected cosines and sines [", T, ", at most ", headDim, "], found ",
                cosines->sizes());
    cosine = cosines->to(at::kFloat).contiguous();
    sine = sines->to(at::kFloat).contiguous();
  }
  const auto inner = [](const at::Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); };
  const at::Tensor q = inner(query), k = inner(key), v = inner(value);
  at::Tensor result = fresh({rows, T, heads * headDim}, q.scalar_type());
  const int64_t dim = roundUp(headDim, widest);
  const int64_t perGroup = heads / groups;

  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, q.scalar_type(), "attend", [&] {
    const float* cosineData = rotated > 0 ? cosine.const_data_ptr<float>() : nullptr;
    const float* sineData = rotated > 0 ? sine.const_data_ptr<float>() : nullptr;
    const auto read = [&](const scalar_t* first, int64_t stride, int64_t count, float* out) {
      for (int64_t t = 0; t < count; ++t) readRow(first + t * stride, headDim, out + t * dim);
    };
    const auto rotate = [&](float* of, int64_t start, int64_t count) {
      if (rotated > 0)
        rotateRows(of, count, dim, cosineData + start * rotated, sineData + start * rotated,
                   rotated / 2);
    };
    scalar_t* resultData = result.mutable_data_ptr<scalar_t>();
    // Sequences of different lengths take different time: an idle thread takes the next one.
    const int64_t copies = unpadded ? rows : rows / batch;
    const int64_t jobs = copies * batch * groups;
    const int64_t longest = unpadded ? *std::max_element(lengths.begin(), lengths.end()) : T;
    std::atomic<int64_t> next = 0;
    at::parallel_for(0, std::min<int64_t>(jobs, at::get_num_threads()), 1, [&](int64_t, int64_t) {
      const int64_t queryRows = roundUp(longest, mostQueries);
      const int64_t keyRows = roundUp(longest + keyTile, keyTile);
      std::vector<float> qRows(queryRows * dim), kRows(keyRows * dim), vRows(keyRows * dim),
          turned(dim * mostQueries), out(queryRows * dim);
      for (int64_t job = next++; job < jobs; job = next++) {
        const int64_t sequence = job / groups, group = job % groups;
        const int64_t length = lengths[sequence % batch], start = starts[sequence % batch];
        const int64_t row = unpadded ? sequence / batch : sequence;
        const int64_t queries = unpadded ? length : T;
        std::fill_n(kRows.begin() + length * dim, keyTile * dim, 0.0f);
        const auto at = [&](const at::Tensor& x, int64_t head) {
          return x.const_data_ptr<scalar_t>() + row * x.stride(0) + start * x.stride(1) +
                 head * x.stride(2);
        };
        read(at(k, group), k.stride(1), length, kRows.data());
        rotate(kRows.data(), start, length);
        read(at(v, group), v.stride(1), length, vRows.data());
        for (int64_t h = group * perGroup; h < (group + 1) * perGroup; ++h) {
          read(at(q, h), q.stride(1), queries, qRows.data());
          rotate(qRows.data(), start, queries);
          scaleRows(qRows.data(), queries * dim, static_cast<float>(scale));
          const Head head{qRows.data(), kRows.data(), vRows.data(),  queries,   dim,
                          length,       window,       turned.data(), out.data()};
          onWidestVectors<AttendHead>(&head);
          for (int64_t t = 0; t < queries; ++t)
            writeRow(out.data() + t * dim, headDim,
                     resultData + ((row * T + start + t) * heads + h) * headDim);
        }
      }
    });
  });
  return result;
}

}  // namespace sae_eval
