// Operators of our own, reached through the dispatcher as `sae_eval::…`.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>

namespace sae_eval {

// Registers the operators once in a process, however many JavaScript threads load the addon.
void registerOperators();

// Adds logits of the vocabulary from token `from` on, clean [n, V] and of lanes [lanes, n, V], to
// running sums [lanes, n, 7] float64: maximum and Σ exp of clean and of the lane, the sum that
// KL(clean ‖ lane) needs, and both logits of the next token, `labels` [n]. All lanes of a call must
// have seen the same clean logits before.
at::Tensor& compareLogitsCpu(at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced,
                             const at::Tensor& labels, int64_t from);
at::Tensor& compareLogitsComposite(at::Tensor& sums, const at::Tensor& clean,
                                   const at::Tensor& spliced, const at::Tensor& labels,
                                   int64_t from);
// One launch, by a program that is compiled when a device first needs it; the composite where that
// cannot be done.
at::Tensor& compareLogitsCuda(at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced,
                              const at::Tensor& labels, int64_t from);
// The text of that program on the CPU: to check it.
at::Tensor& compareLogitsByParts(at::Tensor& sums, const at::Tensor& clean,
                                 const at::Tensor& spliced, const at::Tensor& labels, int64_t from);
// Throws if the arguments do not fit together.
void checkComparison(const at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced,
                     const at::Tensor& labels);

// Causal attention of q [n·B, T, H, hd] on k and v [n·B, T, H_kv, hd] → [n·B, T, H·hd], for n
// copies of B sequences of the given real lengths, padded on the right. Real queries see the real
// positions up to their own, padded queries all real positions; a `window` above 0 limits how far
// back. q and k are rotated by cosines and sines [T, ≤ hd] if these are given. `unpadded`: the
// sequences of a copy lie in one row one after the other, [n, T, …], and fill it; row t of the
// cosines and sines is then that of the row's position t.
at::Tensor attendCpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     at::IntArrayRef lengths, const std::optional<at::Tensor>& cosines,
                     const std::optional<at::Tensor>& sines, double scale, int64_t window,
                     bool unpadded);

// (h − mean) / (std + 1e-6) of rows [n, d], with the mean and the unbiased std [n, 1].
std::tuple<at::Tensor, at::Tensor, at::Tensor> standardizeCpu(const at::Tensor& h);
std::tuple<at::Tensor, at::Tensor, at::Tensor> standardizeComposite(const at::Tensor& h);

// x / sqrt(mean(x²) + eps) · weight over the last dimension.
at::Tensor rmsNormCpu(const at::Tensor& x, const at::Tensor& weight, double eps);
at::Tensor rmsNormComposite(const at::Tensor& x, const at::Tensor& weight, double eps);

// Whether oneDNN multiplies float32 matrices with wider vectors than MKL on this CPU.
bool onednnIsWider();

// The k largest values of each row of a [n, m] and their columns, in no promised order: [n, k]
// each.
std::tuple<at::Tensor, at::Tensor> keepLargestCpu(const at::Tensor& a, int64_t k);
std::tuple<at::Tensor, at::Tensor> keepLargestComposite(const at::Tensor& a, int64_t k);

// Σ x², Σ (y − x)², Σ y² and Σ x y of each row of x and y [n, d]: [4, n] float64.
at::Tensor rowProductsCpu(const at::Tensor& x, const at::Tensor& y);
at::Tensor rowProductsComposite(const at::Tensor& x, const at::Tensor& y);

// Sums of columns [n] float64 over bootstrap resamples of n draws: [resamples, columns]. `state`:
// four words of the generator (xorshift128). The bits do not depend on CPU or threads.
at::Tensor resampledSums(at::TensorList columns, at::IntArrayRef state, int64_t resamples);

// x Wᵀ + b of float32 numbers, x [n, k], W [m, k] → [n, m]: from bfloat16 products with a relative
// error of about 2⁻¹⁷ if the CPU has a matrix unit for them, else one float32 product.
bool canMultiplyParts();
at::Tensor linearFromPartsCpu(const at::Tensor& x, const at::Tensor& weight,
                              const std::optional<at::Tensor>& bias);
at::Tensor linearFromPartsComposite(const at::Tensor& x, const at::Tensor& weight,
                                    const std::optional<at::Tensor>& bias);

}  // namespace sae_eval
