// The operators of library.h by ATen's own: for devices and dtypes without a kernel of ours.
#include <ATen/ops/linear.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <tuple>

#include "library.h"

namespace sae_eval {

at::Tensor& compareLogitsComposite(at::Tensor& sums, const at::Tensor& clean,
                                   const at::Tensor& spliced, const at::Tensor& labels,
                                   int64_t from) {
  checkComparison(sums, clean, spliced, labels);
  const at::Tensor a = clean.to(at::promoteTypes(clean.scalar_type(), at::kFloat));  // [n, V]
  const auto columns = sums.unbind(-1);
  const auto [maxA, sumA, maxB, sumB, difference, labelA, labelB] =
      std::tie(columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], columns[6]);
  const at::Tensor b = spliced.to(a.scalar_type());  // [lanes, n, V]
  const at::Tensor highA = at::maximum(maxA, a.amax(-1).to(at::kDouble));
  const at::Tensor highB = at::maximum(maxB, b.amax(-1).to(at::kDouble));
  const at::Tensor ea = (a - highA.select(0, 0).to(a.scalar_type()).unsqueeze(-1)).exp();
  const at::Tensor eb = (b - highB.to(a.scalar_type()).unsqueeze(-1)).exp();
  const at::Tensor scaleA = (maxA - highA).exp();
  const at::Tensor scaleB = (maxB - highB).exp();
  sumA.mul_(scaleA).add_(ea.sum(-1));
  difference.mul_(scaleA).add_((ea * (a - b)).sum(-1));
  sumB.mul_(scaleB).add_(eb.sum(-1));
  maxA.copy_(highA);
  maxB.copy_(highB);
  const at::Tensor here = (labels >= from).logical_and(labels < from + a.size(1));
  const at::Tensor index = (labels - from).clamp(0, a.size(1) - 1).unsqueeze(-1);  // [n, 1]
  labelA.copy_(at::where(here, a.gather(-1, index).squeeze(-1).to(at::kDouble), labelA));
  labelB.copy_(at::where(
      here, b.gather(-1, index.expand({b.size(0), -1, -1})).squeeze(-1).to(at::kDouble), labelB));
  return sums;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> standardizeComposite(const at::Tensor& h) {
  const at::Tensor mean = h.mean(-1, true);
  const at::Tensor centred = h - mean;
  const at::Tensor deviation =
      centred.norm(2, {-1}, true) / std::sqrt(static_cast<double>(h.size(-1) - 1));
  return {centred / (deviation + 1e-6), mean, deviation};
}

at::Tensor rmsNormComposite(const at::Tensor& x, const at::Tensor& weight, double eps) {
  // ATen has one kernel for CUDA. It rounds once: in half precision the quotient is rounded before
  // the weight is applied, so that the weight is applied apart.
  if (x.is_cuda() && x.scalar_type() == weight.scalar_type()) {
    const int64_t d[] = {x.size(-1)};
    return x.scalar_type() == at::kFloat ? at::rms_norm(x, d, weight, eps)
                                         : at::rms_norm(x, d, std::nullopt, eps) * weight;
  }
  const at::Tensor wide = x.to(at::promoteTypes(x.scalar_type(), at::kFloat));
  return (wide * (wide.square().mean(-1, true) + eps).rsqrt()).to(weight.scalar_type()) * weight;
}

std::tuple<at::Tensor, at::Tensor> keepLargestComposite(const at::Tensor& a, int64_t k) {
  return a.topk(k, -1, true, false);
}

at::Tensor rowProductsComposite(const at::Tensor& x, const at::Tensor& y) {
  const auto total = [](const at::Tensor& rows) { return rows.sum({-1}, false, at::kDouble); };
  const at::Tensor error = y - x;
  return at::stack({total(x * x), total(error * error), total(y * y), total(x * y)});
}

at::Tensor linearFromPartsComposite(const at::Tensor& x, const at::Tensor& weight,
                                    const std::optional<at::Tensor>& bias) {
  return at::linear(x, weight, bias);
}

}  // namespace sae_eval
