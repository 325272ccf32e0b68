// Vectors, attributes and elementary functions with which kernels vectorize on every CPU.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

// The compiler makes one version of a function for each instruction set and picks one when the
// addon is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EVERY_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_CPU
#endif
// A function that such a function calls must be inlined, or it would be compiled for the oldest
// CPU.
#define PART_OF_KERNEL __attribute__((always_inline)) inline

namespace sae_eval {

// Vectors of `width` numbers, as wide as the CPU's own: wider ones would live in memory, not in
// registers. A kernel written with them is a struct with `template <int64_t width> static …
// run(…)`, marked PART_OF_KERNEL and called by onWidestVectors<Kernel>(…). Declare loop-carried
// vectors as arrays, even of length 1; GCC 12 otherwise spills them.
template <int64_t width>
struct Vectors {
  typedef float Float __attribute__((vector_size(width * sizeof(float))));
  typedef int32_t Int __attribute__((vector_size(width * sizeof(int32_t))));
};
template <int64_t width>
using Vector = typename Vectors<width>::Float;
template <int64_t width>
using IntVector = typename Vectors<width>::Int;

template <int64_t width>
PART_OF_KERNEL Vector<width> load(const float* from) {
  Vector<width> values;
  std::memcpy(&values, from, sizeof values);
  return values;
}
template <typename V>
PART_OF_KERNEL void store(float* to, V values) {
  std::memcpy(to, &values, sizeof values);
}

template <typename Kernel, typename... Arguments>
auto onAnyCpu(Arguments... arguments) {
  return Kernel::template run<4>(arguments...);
}

#if defined(__x86_64__) && defined(__GNUC__)
template <typename Kernel, typename... Arguments>
__attribute__((target("avx2,fma,f16c,bmi,bmi2"))) auto onAvx2(Arguments... arguments) {
  return Kernel::template run<8>(arguments...);
}
template <typename Kernel, typename... Arguments>
__attribute__((
    target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,fma,f16c,bmi,bmi2,prefer-vector-width="
           "512"))) auto
onAvx512(Arguments... arguments) {
  return Kernel::template run<16>(arguments...);
}

inline const bool hasAvx512 =
    __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
    __builtin_cpu_supports("avx512cd");
inline const bool hasAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                            __builtin_cpu_supports("bmi2");

template <typename Kernel, typename... Arguments>
auto onWidestVectors(Arguments... arguments) {
  if (hasAvx512) return onAvx512<Kernel>(arguments...);
  if (hasAvx2) return onAvx2<Kernel>(arguments...);
  return onAnyCpu<Kernel>(arguments...);
}
#else
template <typename Kernel, typename... Arguments>
auto onWidestVectors(Arguments... arguments) {
  return onAnyCpu<Kernel>(arguments...);
}
#endif

template <int64_t width>
PART_OF_KERNEL float sumOfVector(Vector<width> values) {
  float each[width];  // numbers of `values` itself, asked for one by one, would keep it out of the
                      // registers
  store(each, values);
  // In halves: additions one after the other would wait for each other.
  for (int64_t half = width / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i) each[i] += each[i + half];
  return each[0];
}

template <typename V>
PART_OF_KERNEL V larger(V a, V b) {
  return b > a ? b : a;
}

template <int64_t width>
PART_OF_KERNEL float largestOfVector(Vector<width> values) {
  float each[width];
  store(each, values);
  for (int64_t half = width / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i)
      each[i] = each[i + half] > each[i] ? each[i + half] : each[i];
  return each[0];
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

// expNegative of each number of a vector; NaN stays NaN.
template <int64_t width>
PART_OF_KERNEL Vector<width> expNegative(Vector<width> x) {
  using V = Vector<width>;
  using I = IntVector<width>;
  const V clamped = x < -87.0f ? V{} - 87.0f : x;
  const I whole = __builtin_convertvector(clamped * 1.44269504088896341f - 0.5f, I);
  const V n = __builtin_convertvector(whole, V);
  const V r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const I bits = (whole + 127) << 23;
  V power;
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
