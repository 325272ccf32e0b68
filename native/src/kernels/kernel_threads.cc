// That kernels run on all of libtorch's threads cannot be seen from their results: it is asked for
// here.
#include <ATen/Parallel.h>

#include <atomic>
#include <cstdint>

#include "library.h"

namespace sae_eval {

int64_t kernelThreads() {
  std::atomic<int64_t> parts = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) { ++parts; });
  return parts;
}

}  // namespace sae_eval
