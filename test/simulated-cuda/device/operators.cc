// Operators run on the CPU, over the bytes of the device. What CUDA refuses is refused: tensors of
// two devices, and operators without a kernel for CUDA.
#include "operators.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/EmptyTensor.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "counts.h"
#include "generator.h"
#include "loss.h"
#include "memory.h"
#include "twins.h"

namespace simulated {

namespace {

using c10::IValue;
using torch::jit::Stack;

// Operators of which the host waits for the size of the result, or for the result itself.
bool makesHostWait(const std::string& name) {
  static const std::set<std::string> names{
      "aten::nonzero",       "aten::masked_select",        "aten::_unique2",
      "aten::unique_dim",    "aten::unique_consecutive",   "aten::equal",
      "aten::bincount",      "aten::repeat_interleave",    "aten::_local_scalar_dense",
      "aten::nonzero_numpy", "aten::_linalg_check_errors", "aten::histc"};
  return names.count(name) != 0;
}

// Operators that launch nothing.
bool isView(const std::string& name) {
  static const std::set<std::string> names{"aten::view",           "aten::as_strided",
                                           "aten::_reshape_alias", "aten::unfold",
                                           "aten::view_as_real",   "aten::view_as_complex"};
  return names.count(name) != 0;
}

// Operators that bring indices of the host to the device.
bool takesIndices(const std::string& name) {
  static const std::set<std::string> names{"aten::index", "aten::index_put", "aten::index_put_",
                                           "aten::_index_put_impl_"};
  return names.count(name) != 0;
}

template <typename Body>
void forEachTensor(const IValue& value, const Body& body) {
  if (value.isTensor()) {
    body(value.toTensor());
  } else if (value.isList()) {
    for (const IValue& item : value.toListRef())
      if (item.isTensor()) body(item.toTensor());
  }
}

// The arguments of a call, on top of the stack.
class Call {
 public:
  Call(const c10::OperatorHandle& op, Stack* stack)
      : schema_(op.schema()),
        name_(schema_.name()),
        stack_(stack),
        first_(stack->size() - schema_.arguments().size()) {}

  const std::string& name() const { return name_; }
  size_t size() const { return schema_.arguments().size(); }
  IValue& operator[](size_t i) const { return (*stack_)[first_ + i]; }
  bool writes(size_t i) const {
    const auto* alias = schema_.arguments()[i].alias_info();
    return alias != nullptr && alias->isWrite();
  }
  bool takesGenerator(size_t i) const {
    return schema_.arguments()[i].type()->str().find("Generator") != std::string::npos;
  }
  std::string fullName() const {
    return name_ + (schema_.overload_name().empty() ? "" : "." + schema_.overload_name());
  }

  // The device of the call, from its tensors or its argument `device`.
  c10::Device device() const {
    std::optional<c10::Device> device;
    for (size_t i = 0; i < size(); ++i) {
      forEachTensor((*this)[i], [&](const at::Tensor& tensor) {
        if (!tensor.defined() || !tensor.is_cuda()) return;
        TORCH_CHECK(!device || *device == tensor.device(),
                    "Expected all tensors to be on the same device, but found at least two "
                    "devices, ",
                    *device, " and ", tensor.device(), "! (", name_, ")");
        device = tensor.device();
      });
    }
    for (size_t i = 0; i < size(); ++i) {
      const IValue& value = (*this)[i];
      if (!value.isDevice() || !value.toDevice().is_cuda()) continue;
      device =
          value.toDevice().has_index() ? value.toDevice() : c10::Device(at::kCUDA, currentDevice());
    }
    TORCH_CHECK(device.has_value(), "simulated device: ", name_, " without a device");
    return *device;
  }

 private:
  const c10::FunctionSchema& schema_;
  const std::string& name_;
  Stack* stack_;
  size_t first_;
};

// Refuses tensors of the host, but those that CUDA takes: numbers, and indices.
void checkHostTensor(const at::Tensor& tensor, const Call& call, c10::Device device) {
  if (!tensor.defined() || tensor.is_cuda()) return;
  const std::string& name = call.name();
  if (takesIndices(name)) {
    withCounts([](Counts& counts) { ++counts.copiesToDevice; });
    countWait(name + " with indices of the host");
    return;
  }
  if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) return;  // it goes with the launch
  TORCH_CHECK(tensor.dim() == 0,
              "Expected all tensors to be on the same device, but found at least two devices, ",
              device, " and cpu! (", name, ")");
  withCounts([&](Counts& counts) {
    ++counts.hostScalars;
    ++counts.hostScalarsByOperator[name];
  });
}

void countCall(const Call& call) {
  const std::string& name = call.name();
  if (makesHostWait(name)) countWait(name);
  if (takesIndices(name))
    forEachTensor(call[1], [&](const at::Tensor& tensor) {
      if (tensor.defined() &&
          (tensor.scalar_type() == at::kBool || tensor.scalar_type() == at::kByte))
        countWait(name + " with a mask");
    });
  if (!isView(name)) countOperator(call.fullName());
}

void compute(const c10::OperatorHandle& op, Stack* stack) {
  const Call call(op, stack);
  const std::string& name = call.name();
  // Operators of other libraries would need a kernel of their own; oneDNN has none for CUDA.
  TORCH_CHECK_NOT_IMPLEMENTED(
      name.rfind("aten::", 0) == 0 && name.find("mkldnn") == std::string::npos, "Could not run '",
      name, "' with arguments from the 'CUDA' backend.");
  const Running running(name.c_str());
  const c10::Device device = call.device();
  checkPresent(device);
  for (size_t i = 0; i < call.size(); ++i)
    forEachTensor(call[i],
                  [&](const at::Tensor& tensor) { checkHostTensor(tensor, call, device); });
  countCall(call);

  Twins twins;
  for (size_t i = 0; i < call.size(); ++i) {
    IValue& value = call[i];
    const bool written = call.writes(i);
    if (value.isDevice()) {
      value = c10::Device(at::kCPU);
    } else if (value.isGenerator()) {
      TORCH_CHECK(value.toGenerator().device().is_cuda(),
                  "Expected a 'cuda' device type for generator but found '",
                  value.toGenerator().device(), "'");
      value = hostGeneratorOf(value.toGenerator());
    } else if (value.isNone() && call.takesGenerator(i)) {
      value = hostGeneratorOf(defaultGenerator(device.index()));
    } else if (value.isTensor()) {
      value = twins.of(value.toTensor(), written);
    } else if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& tensor : value.toTensorVector())
        list.push_back(twins.of(tensor, written));
      value = list;
    } else if (value.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> list;
      for (const auto& tensor : value.toOptionalTensorVector())
        list.push_back(tensor ? std::optional(twins.of(*tensor, written)) : std::nullopt);
      value = list;
    }
  }
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  twins.settle();
  for (size_t i = stack->size() - op.schema().returns().size(); i < stack->size(); ++i) {
    IValue& value = (*stack)[i];
    if (value.isTensor()) {
      value = twins.back(value.toTensor(), device);
    } else if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& tensor : value.toTensorVector())
        list.push_back(twins.back(tensor, device));
      value = list;
    }
  }
}

at::Tensor emptyStrided(c10::IntArrayRef size, c10::IntArrayRef stride,
                        std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                        std::optional<c10::Device> device, std::optional<bool>) {
  at::globalContext().lazyInitDevice(at::kCUDA);
  const c10::DeviceGuard guard(*device);
  return at::detail::empty_strided_generic(size, stride, c10::GetAllocator(at::kCUDA),
                                           c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                           c10::dtype_or_default(dtype));
}

at::Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> dtype,
                 std::optional<at::Layout>, std::optional<c10::Device> device, std::optional<bool>,
                 std::optional<at::MemoryFormat> format) {
  at::globalContext().lazyInitDevice(at::kCUDA);
  const c10::DeviceGuard guard(*device);
  return at::detail::empty_generic(size, c10::GetAllocator(at::kCUDA),
                                   c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                   c10::dtype_or_default(dtype), format);
}

at::Tensor& copy(at::Tensor& self, const at::Tensor& source, bool nonBlocking) {
  const Running running("aten::copy_");
  checkPresent(self.is_cuda() ? self.device() : source.device());
  if (self.is_cuda() && source.is_cuda()) {
    countOperator("aten::copy_");
    if (self.device() != source.device())
      withCounts([](Counts& counts) { ++counts.copiesBetweenDevices; });
  } else {
    const bool up = self.is_cuda();
    const auto bytes = static_cast<int64_t>(self.nbytes());
    withCounts([&](Counts& counts) {
      ++(up ? counts.copiesToDevice : counts.copiesToHost);
      (up ? counts.bytesToDevice : counts.bytesToHost) += bytes;
      if (up && self.scalar_type() != source.scalar_type() && !nonBlocking)
        ++counts.hostConversions;
    });
    // Memory of the host is never pinned here: it is staged, and a copy to the host waits.
    if (!nonBlocking || !up) countWait(up ? "copy to the device" : "copy to the host");
  }
  Twins twins;
  at::Tensor to = twins.of(self);
  to.copy_(twins.of(source));
  return self;
}

at::Scalar item(const at::Tensor& self) {
  checkPresent(self.device());
  countWait("item");
  withCounts([](Counts& counts) { ++counts.copiesToHost; });
  Twins twins;
  return twins.of(self).item();
}

// CUDA's kernel alone widens while it computes.
template <at::Tensor (*softmax)(const at::Tensor&, int64_t, bool)>
at::Tensor widening(const at::Tensor& self, int64_t dim, bool widens) {
  checkPresent(self.device());
  countOperator("aten::_softmax");
  Twins twins;
  const at::Tensor twin = twins.of(self);
  return Twins::onDevice(softmax(widens ? twin.to(at::kFloat) : twin, dim, false), self.device());
}

const at::Tensor& resize(const at::Tensor& self, c10::IntArrayRef size,
                         std::optional<at::MemoryFormat>) {
  if (self.sizes() == size) return self;
  const c10::DeviceGuard guard(self.device());
  at::Tensor grown = at::empty(size, self.options());
  const int64_t kept = std::min(self.numel(), grown.numel());
  if (kept > 0) grown.flatten().narrow(0, 0, kept).copy_(self.flatten().narrow(0, 0, kept));
  auto* impl = self.unsafeGetTensorImpl();
  impl->set_storage_keep_dtype(grown.storage());
  impl->set_sizes_and_strides(grown.sizes(), grown.strides());
  return self;
}

}  // namespace

void registerOperators() {
  static torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::CUDA, __FILE__,
                             __LINE__);
  aten.impl("empty.memory_format", &empty);
  aten.impl("empty_strided", &emptyStrided);
  aten.impl("copy_", &copy);
  aten.impl("_local_scalar_dense", &item);
  aten.impl("resize_", &resize);
  aten.impl("_softmax", &widening<&at::_softmax>);
  aten.impl("_log_softmax", &widening<&at::_log_softmax>);
  static torch::Library all(torch::Library::IMPL, "_", c10::DispatchKey::CUDA, __FILE__, __LINE__);
  all.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>());
}

}  // namespace simulated
