// CPU tensors over the bytes of tensors of a simulated device.
#pragma once
#include <ATen/ATen.h>

#include <unordered_map>
#include <utility>
#include <vector>

namespace simulated {

// The twins of the arguments of one operator. Tensors of one storage get twins of one storage.
class Twins {
 public:
  // A CPU tensor over the same bytes; a tensor that is on no device is its own twin.
  at::Tensor of(const at::Tensor& tensor, bool written = false);

  // The result of an operator as a tensor of the device: an argument, a view of one, or a copy.
  at::Tensor back(const at::Tensor& result, c10::Device device);

  // Gives `out` arguments the size that the operator gave their twins.
  void settle();

  // A copy on the device of a CPU tensor.
  static at::Tensor onDevice(const at::Tensor& result, c10::Device device);

 private:
  static void resizeLike(at::Tensor& original, const at::Tensor& twin);

  std::vector<std::pair<at::Tensor, at::Tensor>> pairs_;
  std::unordered_map<const c10::StorageImpl*, c10::intrusive_ptr<c10::StorageImpl>> storages_;
};

}  // namespace simulated
