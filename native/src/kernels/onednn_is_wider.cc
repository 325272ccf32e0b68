// libtorch multiplies float32 matrices with MKL, which on CPUs of other makers than Intel stays
// with AVX2 whatever they have. oneDNN, which libtorch brings too, asks what the CPU can do: with
// AVX-512 its products take half the time there.
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
