// Operators of our own, reached through the dispatcher as `sae_eval::…`.
#pragma once
#include <ATen/ATen.h>

#include <tuple>

namespace sae_eval {

// Registers the operators once in a process, however many JavaScript threads load the addon.
void registerOperators();

// Row by row, of logits [n, V] and the next tokens [n]: KL(clean ‖ spliced) and both cross-entropies, [n] each, float32.
std::tuple<at::Tensor, at::Tensor, at::Tensor> compareLogitsCpu(const at::Tensor& clean, const at::Tensor& spliced, const at::Tensor& labels);
std::tuple<at::Tensor, at::Tensor, at::Tensor> compareLogitsComposite(const at::Tensor& clean, const at::Tensor& spliced, const at::Tensor& labels);

}  // namespace sae_eval
