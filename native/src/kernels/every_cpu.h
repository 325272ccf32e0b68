// What the kernels' loops are written with, so that they vectorise on every CPU.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

// The compiler makes one version of a function for each instruction set and picks one when the addon is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EVERY_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_CPU
#endif
// A helper of such a function must be part of it, or it would be compiled for the oldest CPU.
#define PART_OF_KERNEL __attribute__((always_inline)) inline

namespace sae_eval {

// exp(x) for x ≤ 0 by 2^n · polynomial; relative error below 2e-7; 1.6e-38 below −87.
PART_OF_KERNEL float expNegative(float x) {
  const float clamped = std::max(x, -87.0f);
  const float scaled = clamped * 1.44269504088896341f;
  const float n = static_cast<float>(static_cast<int32_t>(scaled - 0.5f));
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

}  // namespace sae_eval
