// libtorch multiplies float32 matrices with MKL, which uses at most AVX2 on CPUs that are not
// Intel's. oneDNN, which is part of libtorch too, uses what the CPU has: with AVX-512, its products
// take half the time (AMD EPYC Zen 5, bench.mjs, section `peak`).
#include <ATen/Context.h>

#include "library.h"

namespace sae_eval {

bool onednnIsWider() {
#if defined(__x86_64__) && defined(__GNUC__)
  return at::hasMKL() && at::hasMKLDNN() && at::globalContext().userEnabledMkldnn() &&
         __builtin_cpu_supports("avx512f") && !__builtin_cpu_is("intel");
#else
  return false;
#endif
}

}  // namespace sae_eval
