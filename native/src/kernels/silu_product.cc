// silu(gate) · up in one pass over memory; ATen needs two, and writes between them.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

#include "every_cpu.h"
#include "library.h"

namespace sae_eval {

namespace {

constexpr int64_t perTask = 1 << 15;
constexpr int64_t chunk = 512;

// x · sigmoid(x), without a power that overflows. exp(−87), where expNegative stops, times a number
// of any size would not be 0.
template <int64_t lanes>
PART_OF_KERNEL Vector<lanes> silu(Vector<lanes> x) {
  const Vector<lanes> below = x < 0.0f ? x : -x;
  const Vector<lanes> e = below < -87.0f ? Vector<lanes>{} : expNegative<lanes>(below);
  return x * (x < 0.0f ? e : Vector<lanes>{} + 1.0f) / (e + 1.0f);
}

PART_OF_KERNEL float silu(float x) {
  const float below = x < 0.0f ? x : -x;
  const float e = below < -87.0f ? 0.0f : expNegative(below);
  return x * (x < 0.0f ? e : 1.0f) / (e + 1.0f);
}

struct SiluProduct {
  template <int64_t lanes>
  PART_OF_KERNEL static void run(float* gate, const float* up, int64_t count) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
      store(gate + i, silu<lanes>(load<lanes>(gate + i)) * load<lanes>(up + i));
    for (; i < count; ++i) gate[i] = silu(gate[i]) * up[i];
  }
};

struct Silu {
  template <int64_t lanes>
  PART_OF_KERNEL static void run(float* x, int64_t count) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store(x + i, silu<lanes>(load<lanes>(x + i)));
    for (; i < count; ++i) x[i] = silu(x[i]);
  }
};

FOR_EVERY_CPU void widenChunk(const uint16_t* from, int64_t count, float* to) {
  widen(from, count, to);
}

FOR_EVERY_CPU void roundChunk(float* x, int64_t count, uint16_t* rounded) {
  narrow(x, count, rounded);
  widen(rounded, count, x);
}

FOR_EVERY_CPU void multiplyChunk(float* x, const float* by, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; ++i) x[i] *= by[i];
  narrow(x, count, to);
}

// As two operators compute it: rounded between them.
void siluProductHalf(uint16_t* gate, const uint16_t* up, int64_t count) {
  float x[chunk], by[chunk];
  for (int64_t from = 0; from < count; from += chunk) {
    const int64_t n = std::min(chunk, count - from);
    widenChunk(gate + from, n, x);
    onWidestVectors<Silu>(static_cast<float*>(x), n);
    roundChunk(x, n, gate + from);
    widenChunk(up + from, n, by);
    multiplyChunk(x, by, n, gate + from);
  }
}

}  // namespace

at::Tensor& siluProductComposite(at::Tensor& gate, const at::Tensor& up) {
  at::silu_(gate);
  return gate.mul_(up);
}

at::Tensor& siluProductCpu(at::Tensor& gate, const at::Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type(),
              "silu_product_: expected gate and up of one shape and dtype, found ", gate.sizes(),
              " ", gate.scalar_type(), " and ", up.sizes(), " ", up.scalar_type());
  const bool half = gate.scalar_type() == at::kBFloat16;
  if ((!half && gate.scalar_type() != at::kFloat) || !gate.is_contiguous() || !up.is_contiguous())
    return siluProductComposite(gate, up);
  auto* to = gate.mutable_data_ptr();
  const auto* by = up.const_data_ptr();
  at::parallel_for(0, gate.numel(), perTask, [&](int64_t begin, int64_t end) {
    if (half)
      siluProductHalf(static_cast<uint16_t*>(to) + begin, static_cast<const uint16_t*>(by) + begin,
                      end - begin);
    else
      onWidestVectors<SiluProduct>(static_cast<float*>(to) + begin,
                                   static_cast<const float*>(by) + begin, end - begin);
  });
  return gate;
}

}  // namespace sae_eval
