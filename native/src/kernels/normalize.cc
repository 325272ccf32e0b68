// Normalisations of rows in one pass over memory: the row stays in cache between its sums and its scaling.
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <cstdint>
#include <tuple>

#include "every_cpu.h"
#include "library.h"

namespace sae_eval {

namespace {

// Sums of a row in float32 as ATen makes them: partial sums that go to float64 a block at a time.
constexpr int64_t block = 1024;

FOR_EVERY_CPU double sumOf(const float* row, int64_t count) {
  double total = 0;
  for (int64_t from = 0; from < count; from += block) {
    const int64_t to = from + block < count ? from + block : count;
    float part = 0;
    for (int64_t i = from; i < to; ++i) part += row[i];
    total += part;
  }
  return total;
}

FOR_EVERY_CPU double squaresOf(const float* row, int64_t count) {
  double total = 0;
  for (int64_t from = 0; from < count; from += block) {
    const int64_t to = from + block < count ? from + block : count;
    float part = 0;
    for (int64_t i = from; i < to; ++i) part += row[i] * row[i];
    total += part;
  }
  return total;
}

FOR_EVERY_CPU void subtract(const float* row, float mean, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = row[i] - mean;
}

FOR_EVERY_CPU void divide(float* row, float divisor, int64_t count) {
  for (int64_t i = 0; i < count; ++i) row[i] /= divisor;
}

FOR_EVERY_CPU void scaleRow(const float* row, float scale, const float* weight, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = row[i] * scale * weight[i];
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> standardizeComposite(const at::Tensor& h) {
  const at::Tensor mean = h.mean(-1, true);
  const at::Tensor centred = h - mean;
  const at::Tensor deviation = centred.norm(2, {-1}, true) / std::sqrt(static_cast<double>(h.size(-1) - 1));
  return {centred / (deviation + 1e-6), mean, deviation};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> standardizeCpu(const at::Tensor& input) {
  TORCH_CHECK(input.dim() == 2 && input.size(1) > 1, "standardize: expected rows [n, d] of at least two numbers, found ", input.sizes());
  if (input.scalar_type() != at::kFloat) return standardizeComposite(input);
  const at::Tensor h = input.contiguous();
  const int64_t n = h.size(0), d = h.size(1);
  at::Tensor x = at::empty_like(h);
  at::Tensor means = at::empty({n, 1}, h.options());
  at::Tensor deviations = at::empty({n, 1}, h.options());
  const float* from = h.const_data_ptr<float>();
  float* to = x.mutable_data_ptr<float>();
  float* meanOf = means.mutable_data_ptr<float>();
  float* deviationOf = deviations.mutable_data_ptr<float>();
  at::parallel_for(0, n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto mean = static_cast<float>(sumOf(from + i * d, d) / static_cast<double>(d));
      subtract(from + i * d, mean, d, to + i * d);
      const auto deviation = static_cast<float>(std::sqrt(squaresOf(to + i * d, d) / static_cast<double>(d - 1)));
      divide(to + i * d, deviation + 1e-6f, d);
      meanOf[i] = mean;
      deviationOf[i] = deviation;
    }
  });
  return {x, means, deviations};
}

at::Tensor rmsNormComposite(const at::Tensor& x, const at::Tensor& weight, double eps) { return x * (x.square().mean(-1, true) + eps).rsqrt() * weight; }

at::Tensor rmsNormCpu(const at::Tensor& input, const at::Tensor& weight, double eps) {
  const int64_t d = input.size(-1);
  if (input.scalar_type() != at::kFloat || weight.scalar_type() != at::kFloat) return rmsNormComposite(input, weight, eps);
  TORCH_CHECK(weight.dim() == 1 && weight.size(0) == d, "rms_norm: expected a weight of ", d, " numbers, found ", weight.sizes());
  const at::Tensor x = input.contiguous();
  const at::Tensor w = weight.contiguous();
  at::Tensor result = at::empty_like(x);
  const float* from = x.const_data_ptr<float>();
  const float* scale = w.const_data_ptr<float>();
  float* to = result.mutable_data_ptr<float>();
  at::parallel_for(0, d == 0 ? 0 : x.numel() / d, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double mean = squaresOf(from + i * d, d) / static_cast<double>(d);
      scaleRow(from + i * d, static_cast<float>(1.0 / std::sqrt(mean + eps)), scale, d, to + i * d);
    }
  });
  return result;
}

}  // namespace sae_eval
