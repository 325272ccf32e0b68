// Tensors for the results of kernels. The headers of ATen's operators take seconds to compile.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/EmptyTensor.h>

namespace sae_eval {

// A contiguous tensor on the CPU, whose numbers are not set.
inline at::Tensor fresh(at::IntArrayRef sizes, at::ScalarType dtype) {
  return at::Tensor(at::detail::empty_cpu(sizes, dtype));
}

}  // namespace sae_eval
