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

// Sixteen numbers at a time, whatever width the CPU's own vectors have.
constexpr int64_t vectorSize = 16;
typedef float Vector __attribute__((vector_size(vectorSize * sizeof(float)), aligned(4)));
typedef int32_t IntVector __attribute__((vector_size(vectorSize * sizeof(int32_t)), aligned(4)));

PART_OF_KERNEL Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
PART_OF_KERNEL void store(float* to, Vector values) { *reinterpret_cast<Vector*>(to) = values; }

PART_OF_KERNEL float sumOfVector(Vector values) {
  float total = values[0];
  for (int64_t i = 1; i < vectorSize; ++i) total += values[i];
  return total;
}

PART_OF_KERNEL float largestOfVector(Vector values) {
  float largest = values[0];
  for (int64_t i = 1; i < vectorSize; ++i) largest = values[i] > largest ? values[i] : largest;
  return largest;
}

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

// The same of sixteen.
PART_OF_KERNEL Vector expNegative(Vector x) {
  const Vector clamped = x > -87.0f ? x : Vector{} - 87.0f;
  const Vector n = __builtin_convertvector(__builtin_convertvector(clamped * 1.44269504088896341f - 0.5f, IntVector), Vector);
  const Vector r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IntVector bits = (__builtin_convertvector(n, IntVector) + 127) << 23;
  Vector power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

// bfloat16 is the upper half of a float32.
PART_OF_KERNEL void widen(const uint16_t* bfloat16, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = static_cast<uint32_t>(bfloat16[i]) << 16;
    std::memcpy(to + i, &bits, sizeof bits);
  }
}

// The nearest bfloat16, ties to even; NaN stays NaN.
PART_OF_KERNEL void narrow(const float* from, int64_t count, uint16_t* bfloat16) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, from + i, sizeof bits);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    bfloat16[i] = static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);
  }
}

}  // namespace sae_eval
