// Normalization of rows in one pass over memory: a row stays in cache between its sums and its
// scaling.
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <cstdint>
#include <tuple>
#include <vector>

#include "bfloat16_rows.h"
#include "every_cpu.h"
#include "fresh.h"
#include "library.h"

namespace sae_eval {

namespace {

// Sum of a row: float32 within a block, float64 over the blocks.
constexpr int64_t summedBlock = 1024;

FOR_EVERY_CPU double sumOf(const float* row, int64_t count) {
  double total = 0;
  for (int64_t from = 0; from < count; from += summedBlock) {
    const int64_t to = from + summedBlock < count ? from + summedBlock : count;
    float part = 0;
    for (int64_t i = from; i < to; ++i) part += row[i];
    total += part;
  }
  return total;
}

FOR_EVERY_CPU double squaresOf(const float* row, int64_t count) {
  double total = 0;
  for (int64_t from = 0; from < count; from += summedBlock) {
    const int64_t to = from + summedBlock < count ? from + summedBlock : count;
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

FOR_EVERY_CPU void scaleRow(const float* row, float scale, const float* weight, int64_t count,
                            float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = row[i] * scale * weight[i];
}

// Half precision as in Llama: rounded before and after the weight is applied.
FOR_EVERY_CPU void scaleHalfRow(float* row, float scale, const float* weight, int64_t count,
                                uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) row[i] *= scale;
  narrow(row, count, out);
  widen(out, count, row);
  for (int64_t i = 0; i < count; ++i) row[i] *= weight[i];
  narrow(row, count, out);
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> standardizeCpu(const at::Tensor& input) {
  TORCH_CHECK(input.dim() == 2 && input.size(1) > 1,
              "standardize: expected rows [n, d] of at least two numbers, found ", input.sizes());
  if (input.scalar_type() != at::kFloat) return standardizeComposite(input);
  const at::Tensor h = input.contiguous();
  const int64_t n = h.size(0), d = h.size(1);
  at::Tensor x = fresh(h.sizes(), h.scalar_type());
  at::Tensor means = fresh({n, 1}, h.scalar_type());
  at::Tensor deviations = fresh({n, 1}, h.scalar_type());
  const float* from = h.const_data_ptr<float>();
  float* to = x.mutable_data_ptr<float>();
  float* meanOf = means.mutable_data_ptr<float>();
  float* deviationOf = deviations.mutable_data_ptr<float>();
  at::parallel_for(0, n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto mean = static_cast<float>(sumOf(from + i * d, d) / static_cast<double>(d));
      subtract(from + i * d, mean, d, to + i * d);
      const auto deviation =
          static_cast<float>(std::sqrt(squaresOf(to + i * d, d) / static_cast<double>(d - 1)));
      divide(to + i * d, deviation + 1e-6f, d);
      meanOf[i] = mean;
      deviationOf[i] = deviation;
    }
  });
  return {x, means, deviations};
}

namespace {

at::Tensor rmsNormHalf(const at::Tensor& input, const at::Tensor& weight, double eps) {
  const int64_t d = input.size(-1);
  const at::Tensor x = input.contiguous();
  const at::Tensor w = weight.to(at::kFloat).contiguous();
  at::Tensor result = fresh(x.sizes(), x.scalar_type());
  const auto* from = reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>());
  const float* scale = w.const_data_ptr<float>();
  auto* to = reinterpret_cast<uint16_t*>(result.mutable_data_ptr<at::BFloat16>());
  at::parallel_for(0, d == 0 ? 0 : x.numel() / d, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> row(d);
    for (int64_t i = begin; i < end; ++i) {
      widenRow(from + i * d, d, row.data());
      const double mean = squaresOf(row.data(), d) / static_cast<double>(d);
      scaleHalfRow(row.data(), static_cast<float>(1.0 / std::sqrt(mean + eps)), scale, d,
                   to + i * d);
    }
  });
  return result;
}

}  // namespace

at::Tensor rmsNormCpu(const at::Tensor& input, const at::Tensor& weight, double eps) {
  TORCH_CHECK(input.dim() > 0 && weight.dim() == 1 && weight.size(0) == input.size(-1),
              "rms_norm: expected a weight as long as the rows of ", input.sizes(), ", found ",
              weight.sizes());
  if (input.scalar_type() == at::kBFloat16 && weight.scalar_type() == at::kBFloat16)
    return rmsNormHalf(input, weight, eps);
  if (input.scalar_type() != at::kFloat || weight.scalar_type() != at::kFloat)
    return rmsNormComposite(input, weight, eps);
  const int64_t d = input.size(-1);
  const at::Tensor x = input.contiguous();
  const at::Tensor w = weight.contiguous();
  at::Tensor result = fresh(x.sizes(), x.scalar_type());
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
