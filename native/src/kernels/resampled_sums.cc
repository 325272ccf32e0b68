// Sums of columns over bootstrap resamples, with bits that depend neither on the CPU nor on the
// number of threads: the sum of a column over a resample is ((0 + c₀v₀) + c₁v₁) + …, in the order
// of the rows, each product and each sum rounded to float64. The definition in TypeScript is
// src/evaluation/result/resampled-sums.ts. This file is compiled without fused multiply-add and
// without other orders of sums: vectors hold several columns, never several rows of one.
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "every_cpu.h"
#include "fresh.h"
#include "library.h"

namespace sae_eval {

namespace {

// xorshift128 (Marsaglia, 2003), "Xorshift RNGs".
using State = std::array<uint32_t, 4>;

inline uint32_t nextWord(State& s) {
  const uint32_t t = s[0] ^ (s[0] << 11);
  s = {s[1], s[2], s[3], s[3] ^ (s[3] >> 19) ^ t ^ (t >> 8)};
  return s[3];
}

// A step is linear in the bits of the state: images of the 128 states of one bit.
using Step = std::array<State, 128>;

State image(const Step& step, const State& state) {
  State moved{};
  for (int bit = 0; bit < 128; ++bit)
    if (state[bit / 32] >> (bit % 32) & 1)
      for (int word = 0; word < 4; ++word) moved[word] ^= step[bit][word];
  return moved;
}

// The state after so many words, by squaring.
State jump(State state, uint64_t words) {
  Step step;
  for (int bit = 0; bit < 128; ++bit) {
    step[bit] = State{};
    step[bit][bit / 32] = uint32_t{1} << (bit % 32);
    nextWord(step[bit]);
  }
  for (; words != 0; words >>= 1) {
    if (words & 1) state = image(step, state);
    Step twice;
    for (int bit = 0; bit < 128; ++bit) twice[bit] = image(step, step[bit]);
    step = twice;
  }
  return state;
}

// Resamples that a thread computes together: each row of the columns is read once for all.
constexpr int64_t group = 32;
// Rows whose counts are taken at once, so that they stay in the nearest cache.
constexpr int64_t blockRows = 128;

struct Problem {
  const double* panels;  // [panels, n, lanes]: the columns, padded with zeros
  int64_t n, columns;
  const uint32_t* counts;  // [group, n]
  double* sums;            // [panels, group, lanes]
};

struct AddProducts {
  // Columns of a panel: one vector of float64.
  static constexpr int64_t lanesOf(int64_t width) { return width / 2; }

  template <int64_t width>
  static PART_OF_KERNEL int run(const Problem& p) {
    constexpr int64_t lanes = lanesOf(width);
    typedef double Doubles __attribute__((vector_size(lanes * sizeof(double))));
    constexpr int64_t together = std::max<int64_t>(8, width);  // accumulators in registers
    const int64_t panels = (p.columns + lanes - 1) / lanes;
    alignas(64) double counts[group / together][blockRows][together];
    for (int64_t from = 0; from < p.n; from += blockRows) {
      const int64_t rows = std::min(blockRows, p.n - from);
      for (int64_t r = 0; r < group; ++r)
        for (int64_t i = 0; i < rows; ++i)
          counts[r / together][i][r % together] = p.counts[r * p.n + from + i];
      for (int64_t panel = 0; panel < panels; ++panel) {
        const double* values = p.panels + (panel * p.n + from) * lanes;
        for (int64_t part = 0; part < group / together; ++part) {
          double* at = p.sums + (panel * group + part * together) * lanes;
          Doubles sums[together];
          std::memcpy(sums, at, sizeof sums);
          for (int64_t i = 0; i < rows; ++i) {
            Doubles value[1];
            std::memcpy(value, values + i * lanes, sizeof value);
            for (int64_t r = 0; r < together; ++r) sums[r] += value[0] * counts[part][i][r];
          }
          std::memcpy(at, sums, sizeof sums);
        }
      }
    }
    return 0;
  }
};

struct Lanes {
  template <int64_t width>
  static int64_t run() {
    return AddProducts::lanesOf(width);
  }
};

}  // namespace

at::Tensor resampledSums(at::TensorList columns, at::IntArrayRef state, int64_t resamples) {
  const auto count = static_cast<int64_t>(columns.size());
  TORCH_CHECK(count > 0 && state.size() == 4 && resamples >= 0,
              "resampled_sums: expected columns, a state of four words and a number of resamples");
  const int64_t n = columns[0].numel();
  for (const at::Tensor& column : columns)
    TORCH_CHECK(column.dim() == 1 && column.size(0) == n && column.is_contiguous() &&
                    column.scalar_type() == at::kDouble && column.is_cpu(),
                "resampled_sums: expected columns of ", n, " float64 numbers on the CPU");
  at::Tensor result = fresh({resamples, count}, at::kDouble).zero_();
  if (n == 0) return result;

  static const int64_t lanes = onWidestVectors<Lanes>();
  const int64_t panels = (count + lanes - 1) / lanes;
  at::Tensor packed = fresh({panels, n, lanes}, at::kDouble).zero_();
  double* const numbers = packed.mutable_data_ptr<double>();
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const double* from = columns[c].const_data_ptr<double>();
      double* to = numbers + c / lanes * n * lanes + c % lanes;
      for (int64_t i = 0; i < n; ++i) to[i * lanes] = from[i];
    }
  });

  const double scale = static_cast<double>(n) / 4294967296.0;
  double* const out = result.mutable_data_ptr<double>();
  at::parallel_for(0, (resamples + group - 1) / group, 1, [&](int64_t begin, int64_t end) {
    State words;
    for (int i = 0; i < 4; ++i) words[i] = static_cast<uint32_t>(state[i]);
    words = jump(words, static_cast<uint64_t>(begin * group) * static_cast<uint64_t>(n));
    std::vector<uint32_t> counts(group * n);
    std::vector<double> sums(panels * group * lanes);
    for (int64_t from = begin * group; from < std::min(end * group, resamples); from += group) {
      const int64_t rows = std::min(group, resamples - from);
      std::fill(counts.begin(), counts.end(), 0);
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t r = 0; r < rows; ++r) {
        uint32_t* const drawn = counts.data() + r * n;
        for (int64_t draw = 0; draw < n; ++draw)
          drawn[static_cast<int64_t>(nextWord(words) * scale)] += 1;
      }
      onWidestVectors<AddProducts>(Problem{numbers, n, count, counts.data(), sums.data()});
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < count; ++c) {
          const double sum = sums[(c / lanes * group + r) * lanes + c % lanes];
          // The sign and the payload of NaN depend on the CPU.
          out[(from + r) * count + c] = sum != sum ? std::numeric_limits<double>::quiet_NaN() : sum;
        }
    }
  });
  return result;
}

}  // namespace sae_eval
