// Operators of our own, reached through the dispatcher as `sae_eval::…`.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>

namespace sae_eval {

// Registers the operators once in a process, however many JavaScript threads load the addon.
void registerOperators();

// Adds logits [n, V] of the vocabulary's range from `from` on, clean and spliced, to each row's running sums [n, 7] float64:
// maximum and Σ exp of either, the sum that KL(clean ‖ spliced) needs, and the logits of the next tokens [n].
at::Tensor& compareLogitsCpu(at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced, const at::Tensor& labels, int64_t from);
at::Tensor& compareLogitsComposite(at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced, const at::Tensor& labels, int64_t from);

}  // namespace sae_eval
