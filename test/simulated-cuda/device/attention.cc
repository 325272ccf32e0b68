// Attention. The general operator chooses a kernel by libtorch's rules for a GPU of today; the
// operators of variable lengths refuse what their CUDA kernels refuse. All compute on the CPU.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "counts.h"
#include "loss.h"
#include "operators.h"
#include "twins.h"

namespace simulated {

namespace {

using OptionalTensor = std::optional<at::Tensor>;

bool isGiven(const OptionalTensor& tensor) {
  return tensor.has_value() && tensor->defined();
}

void countAttention(const std::string& kernel, const std::string& shape) {
  withCounts([&](Counts& counts) {
    ++counts.attention[kernel];
    static std::set<std::string> shapes;
    if (counts.attention.count("shapes") == 0) shapes.clear();
    shapes.insert(shape);
    counts.attention["shapes"] = static_cast<int64_t>(shapes.size());
  });
}

const char* kernelFor(const at::Tensor& q, const at::Tensor& k, bool masked, bool causal) {
  const bool half = at::isReducedFloatingType(q.scalar_type());
  const int64_t headDim = q.size(3);
  if (half && !masked && headDim <= 256 && (!causal || q.size(2) == k.size(2))) return "flash";
  const bool grouped = q.size(1) != k.size(1);
  if (!grouped && headDim % (half ? 8 : 4) == 0 && q.stride(3) == 1) return "efficient";
  return "math";
}

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const OptionalTensor& mask, double dropout, bool causal,
                  std::optional<double> scale, bool grouped) {
  const char* const name = "aten::scaled_dot_product_attention";
  const Running running(name);
  checkPresent(q.device());
  const bool masked = isGiven(mask);
  TORCH_CHECK(q.device() == k.device() && q.device() == v.device() &&
                  (!masked || mask->device() == q.device()),
              "Expected all tensors to be on the same device (scaled_dot_product_attention)");
  countOperator(name);
  countAttention(kernelFor(q, k, masked, causal),
                 c10::str(q.sizes(), q.strides(), k.sizes(), causal, masked, q.scalar_type()));
  Twins twins;
  const at::Tensor result = at::scaled_dot_product_attention(
      twins.of(q), twins.of(k), twins.of(v), masked ? std::optional(twins.of(*mask)) : std::nullopt,
      dropout, causal, scale, grouped);
  return Twins::onDevice(result, q.device());
}

// Rows [from, to) of a packed tensor as [1, heads, rows, head_dim] of float32.
at::Tensor segment(const at::Tensor& packed, int64_t from, int64_t to) {
  return packed.narrow(0, from, to - from).to(at::kFloat).transpose(0, 1).unsqueeze(0);
}

struct Lengths {
  const at::Tensor& queries;  // [segments + 1] int32
  const at::Tensor& keys;
};

struct Rule {
  bool causal;   // the last query sees the last key
  int64_t left;  // keys before its own that a query sees; negative: all
  double scale;
  double withoutKeys;  // what a query that sees no key gives
};

// Attention of packed segments: q [rows, H, hd], k and v [rows, H_kv, hd] → [rows, H, hd].
at::Tensor attendSegments(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const Lengths& lengths, const Rule& rule) {
  at::Tensor result = at::full(q.sizes(), std::numeric_limits<double>::quiet_NaN(), q.options());
  const auto queries = lengths.queries.accessor<int32_t, 1>();
  const auto keys = lengths.keys.accessor<int32_t, 1>();
  for (int64_t i = 0; i + 1 < queries.size(0); ++i) {
    const int64_t from = queries[i], to = queries[i + 1];
    if (from == to) continue;
    at::Tensor rows = result.narrow(0, from, to - from);
    if (keys[i] == keys[i + 1]) {
      rows.fill_(rule.withoutKeys);
      continue;
    }
    const int64_t Q = to - from, K = keys[i + 1] - keys[i];
    const at::Tensor distance = at::arange(Q).unsqueeze(1) + (K - Q) - at::arange(K).unsqueeze(0);
    at::Tensor seen = at::ones({Q, K}, at::kBool);
    if (rule.causal) seen = seen.logical_and(distance >= 0);
    if (rule.left >= 0) seen = seen.logical_and(distance <= rule.left);
    const at::Tensor attended = at::scaled_dot_product_attention(
        segment(q, from, to), segment(k, keys[i], keys[i + 1]), segment(v, keys[i], keys[i + 1]),
        seen, 0.0, false, rule.scale, q.size(1) != k.size(1));
    rows.copy_(attended.squeeze(0).transpose(0, 1));
  }
  return result;
}

double scaleOf(std::optional<double> scale, const at::Tensor& q) {
  return scale.value_or(1 / std::sqrt(static_cast<double>(q.size(-1))));
}

void checkPacked(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                 const OptionalTensor& queries, const OptionalTensor& keys) {
  TORCH_CHECK(isGiven(queries) && isGiven(keys), "simulated device: lengths are expected");
  for (const at::Tensor& each : {*queries, *keys})
    TORCH_CHECK(each.device() == q.device() && each.scalar_type() == at::kInt && each.dim() == 1 &&
                    each.is_contiguous(),
                "cumulative lengths must be contiguous int32 on the device of the query");
  TORCH_CHECK(queries->size(0) == keys->size(0), "expected as many segments of keys as of queries");
  for (const at::Tensor& each : {k, v})
    TORCH_CHECK(each.device() == q.device() && each.scalar_type() == q.scalar_type(),
                "expected query, key and value of one device and dtype");
  for (const at::Tensor& each : {q, k, v})
    TORCH_CHECK(each.stride(-1) == 1, "Input tensor must have contiguous last dimension");
}

using Flash = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

Flash flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
            const OptionalTensor& queries, const OptionalTensor& keys, c10::SymInt longestQuery,
            c10::SymInt longestKey, double dropout, bool causal, bool, std::optional<double> scale,
            std::optional<c10::SymInt> left, std::optional<c10::SymInt> right,
            const OptionalTensor&, const OptionalTensor&, const OptionalTensor&,
            std::optional<int64_t>) {
  const char* const name = "aten::_flash_attention_forward";
  const Running running(name);
  checkPresent(q.device());
  TORCH_CHECK(at::isReducedFloatingType(q.scalar_type()),
              "FlashAttention only support fp16 and bf16 data type");
  TORCH_CHECK(q.size(-1) <= 256 && q.size(-1) % 8 == 0,
              "FlashAttention forward only supports head dimensions of at most 256 that are "
              "multiples of 8");
  TORCH_CHECK(q.size(1) % k.size(1) == 0,
              "Number of heads in key/value must divide number of heads in query");
  checkPacked(q, k, v, queries, keys);
  countOperator(name);
  countAttention("flash", c10::str(q.sizes(), k.sizes(), causal, q.scalar_type()));
  Twins twins;
  const at::Tensor result =
      attendSegments(twins.of(q), twins.of(k), twins.of(v), {twins.of(*queries), twins.of(*keys)},
                     {causal, left ? left->expect_int() : -1, scaleOf(scale, q), 0.0});
  const at::Tensor none = at::empty({0}, at::kFloat);
  const at::Tensor empty = Twins::onDevice(none, q.device());
  return {Twins::onDevice(result, q.device()), empty, empty, empty, empty};
}

using Efficient =
    std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, c10::SymInt, c10::SymInt>;

Efficient efficient(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const OptionalTensor& bias, const OptionalTensor& queries,
                    const OptionalTensor& keys, std::optional<c10::SymInt> longestQuery,
                    std::optional<c10::SymInt> longestKey, double dropout, int64_t maskType, bool,
                    std::optional<double> scale, const OptionalTensor&,
                    std::optional<int64_t> window) {
  const char* const name = "aten::_efficient_attention_forward";
  const Running running(name);
  checkPresent(q.device());
  TORCH_CHECK(!isGiven(bias), "simulated device: attention with a bias");
  TORCH_CHECK(q.dim() == 4 && q.size(0) == 1, "cu_seqlen only supports batch_size=1");
  TORCH_CHECK(q.size(2) == k.size(2) && q.size(2) == v.size(2),
              "expected as many heads of keys and values as of queries");
  TORCH_CHECK(q.scalar_type() != at::kDouble, "efficient attention has no kernel for float64");
  TORCH_CHECK(q.size(3) % (q.scalar_type() == at::kFloat ? 4 : 8) == 0,
              "query is not correctly aligned");
  TORCH_CHECK(longestQuery.has_value() && longestKey.has_value(),
              "expected the longest query and key");
  TORCH_CHECK(!window.has_value() || maskType != 0, "a window needs a causal mask");
  checkPacked(q, k, v, queries, keys);
  countOperator(name);
  countAttention("efficient", c10::str(q.sizes(), k.sizes(), maskType, q.scalar_type()));
  Twins twins;
  // Memory of rows without keys is not written.
  const at::Tensor result =
      attendSegments(twins.of(q).squeeze(0), twins.of(k).squeeze(0), twins.of(v).squeeze(0),
                     {twins.of(*queries), twins.of(*keys)},
                     {maskType != 0, window ? *window - 1 : -1, scaleOf(scale, q),
                      std::numeric_limits<double>::quiet_NaN()});
  const at::Tensor empty = Twins::onDevice(at::empty({0}, at::kFloat), q.device());
  return {Twins::onDevice(result.unsqueeze(0), q.device()),
          empty,
          empty,
          empty,
          *longestQuery,
          *longestKey};
}

}  // namespace

void registerAttention() {
  static torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::CUDA, __FILE__,
                             __LINE__);
  aten.impl("scaled_dot_product_attention", &attend);
  aten.impl("_flash_attention_forward", &flash);
  aten.impl("_efficient_attention_forward", &efficient);
}

}  // namespace simulated
