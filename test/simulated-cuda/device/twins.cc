#include "twins.h"

#include <ATen/EmptyTensor.h>

#include "memory.h"

namespace simulated {

at::Tensor Twins::of(const at::Tensor& tensor, bool written) {
  if (!tensor.defined() || !tensor.is_cuda()) return tensor;
  if (tensor.layout() != at::kStrided)
    TORCH_CHECK_NOT_IMPLEMENTED(false, "simulated device: only dense tensors");
  for (const auto& [original, twin] : pairs_)
    if (original.is_same(tensor)) return twin;
  at::Tensor twin;
  if (written && tensor.numel() == 0) {
    // An `out` that the operator resizes.
    twin = at::empty(tensor.sizes(), tensor.options().device(at::kCPU));
  } else {
    auto& storage = storages_[tensor.storage().unsafeGetStorageImpl()];
    if (!storage) {
      const void* address = tensor.storage().data();
      void* window = address == nullptr ? nullptr : windowOf(address);
      storage = c10::make_intrusive<c10::StorageImpl>(
          c10::StorageImpl::use_byte_size_t(), tensor.storage().nbytes(),
          c10::DataPtr(window, c10::Device(at::kCPU)), nullptr, false);
    }
    twin = at::detail::make_tensor<c10::TensorImpl>(
        c10::Storage(storage), c10::DispatchKeySet(c10::DispatchKey::CPU), tensor.dtype());
    twin.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(),
                                                      tensor.storage_offset());
    twin._set_conj(tensor.is_conj());
    twin._set_neg(tensor.is_neg());
  }
  pairs_.emplace_back(tensor, twin);
  return twin;
}

at::Tensor Twins::back(const at::Tensor& result, c10::Device device) {
  if (!result.defined() || !result.is_cpu()) return result;
  for (auto& [original, twin] : pairs_) {
    if (!twin.is_same(result)) continue;
    resizeLike(original, twin);
    return original;
  }
  const auto* storage = result.storage().unsafeGetStorageImpl();
  for (const auto& [original, twin] : pairs_) {
    if (twin.storage().unsafeGetStorageImpl() != storage || !original.has_storage() ||
        twin.numel() == 0)
      continue;
    at::Tensor view = at::detail::make_tensor<c10::TensorImpl>(
        c10::Storage(original.storage()), c10::DispatchKeySet(c10::DispatchKey::CUDA),
        result.dtype());
    view.unsafeGetTensorImpl()->set_sizes_and_strides(result.sizes(), result.strides(),
                                                      result.storage_offset());
    return view;
  }
  return onDevice(result, device);
}

void Twins::settle() {
  for (auto& [original, twin] : pairs_) resizeLike(original, twin);
}

at::Tensor Twins::onDevice(const at::Tensor& result, c10::Device device) {
  const c10::DeviceGuard guard(device);
  const at::Tensor dense = result.is_non_overlapping_and_dense() ? result : result.contiguous();
  at::Tensor made = at::detail::empty_strided_generic(
      dense.sizes(), dense.strides(), c10::GetAllocator(at::kCUDA),
      c10::DispatchKeySet(c10::DispatchKey::CUDA), dense.scalar_type());
  Twins twins;
  if (made.numel() > 0) twins.of(made, true).copy_(dense);
  return made;
}

void Twins::resizeLike(at::Tensor& original, const at::Tensor& twin) {
  if (original.sizes() == twin.sizes() || original.numel() != 0) return;
  original.unsafeGetTensorImpl()->set_storage_keep_dtype(
      onDevice(twin, original.device()).storage());
  original.unsafeGetTensorImpl()->set_sizes_and_strides(twin.sizes(), twin.strides());
}

}  // namespace simulated
