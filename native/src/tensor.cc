#include "tensor.h"

#include <utility>

#include "convert.h"
#include "dtype.h"
#include "errors.h"
#include "typed_array.h"

namespace sae_eval {

namespace {

// Marks objects of this class, so that a foreign object is never taken for a Tensor.
constexpr napi_type_tag tensorTag{0x5ae0e7a1c0de4d11ULL, 0x9b1f2a7c3e5d6f80ULL};

Napi::Array toArray(Napi::Env env, at::IntArrayRef values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) array.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(values[i])));
  return array;
}

}  // namespace

void Instance::countBytes(const at::Tensor& tensor, int64_t change) {
  if (tensor.is_cpu()) cpuBytes += change;
  else otherBytes[tensor.device().str()] += change;
}

void Instance::release(Napi::Env env, Slot& slot) {
  if (!slot.tensor.defined()) return;
  if (slot.reportedBytes > 0) countBytes(slot.tensor, -slot.reportedBytes);
  slot.tensor.reset();
  --liveHandles;
  if (slot.reportedBytes > 0) Napi::MemoryManagement::AdjustExternalMemory(env, -slot.reportedBytes);
  slot.reportedBytes = 0;
}

Napi::Function TensorWrap::define(Napi::Env env) {
  return DefineClass(env, "Tensor",
                     {
                         InstanceAccessor<&TensorWrap::shape>("shape"),
                         InstanceAccessor<&TensorWrap::strides>("strides"),
                         InstanceAccessor<&TensorWrap::dtype>("dtype"),
                         InstanceAccessor<&TensorWrap::device>("device"),
                         InstanceAccessor<&TensorWrap::layout>("layout"),
                         InstanceAccessor<&TensorWrap::numel>("numel"),
                         InstanceAccessor<&TensorWrap::disposed>("disposed"),
                         InstanceAccessor<&TensorWrap::requiresGrad, &TensorWrap::setRequiresGrad>("requiresGrad"),
                         InstanceAccessor<&TensorWrap::grad, &TensorWrap::setGrad>("grad"),
                         InstanceMethod<&TensorWrap::dispose>("dispose", napi_default_method),
                         InstanceMethod<&TensorWrap::toTypedArray>("toTypedArray", napi_default_method),
                         InstanceMethod<&TensorWrap::asTypedArray>("asTypedArray", napi_default_method),
                         InstanceMethod<&TensorWrap::item>("item", napi_default_method),
                     });
}

Napi::Object TensorWrap::wrap(Napi::Env env, at::Tensor tensor) {
  Instance& instance = Instance::of(env);
  instance.incoming = std::move(tensor);
  return instance.tensorClass.Value().New({});
}

TensorWrap::TensorWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TensorWrap>(info) {
  Napi::Env env = info.Env();
  Instance& instance = Instance::of(env);
  if (!instance.incoming.defined()) {
    throw Napi::TypeError::New(env, "Tensor cannot be constructed directly; use tensor(), zeros(), fromTypedArray() …");
  }
  slot_ = std::make_shared<Slot>();
  slot_->tensor = std::exchange(instance.incoming, at::Tensor());
  info.This().As<Napi::Object>().TypeTag(&tensorTag);

  ++instance.liveHandles;
  // Only the first handle on a fresh storage reports it; views share what is already counted.
  if (slot_->tensor.has_storage() && slot_->tensor.storage().use_count() == 1 && slot_->tensor.storage().allocator() != nullptr) {
    slot_->reportedBytes = static_cast<int64_t>(slot_->tensor.storage().nbytes());
    instance.countBytes(slot_->tensor, slot_->reportedBytes);
    Napi::MemoryManagement::AdjustExternalMemory(env, slot_->reportedBytes);
  }
  if (const auto scope = instance.innermostScope(env)) scope->made.push_back(slot_);
}

void TensorWrap::Finalize(Napi::BasicEnv basicEnv) {
  if (!slot_ || !slot_->tensor.defined()) return;
  Instance* instance = basicEnv.GetInstanceData<Instance>();
  if (instance == nullptr) return;
  ++instance->collected;
  instance->release(Napi::Env(basicEnv), *slot_);
}

bool TensorWrap::isTensor(Napi::Env env, const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&tensorTag);
}

std::shared_ptr<Slot> TensorWrap::slotOf(const Napi::Value& value) { return Unwrap(value.As<Napi::Object>())->slot_; }

const at::Tensor& TensorWrap::unwrap(const Napi::Value& value) { return Unwrap(value.As<Napi::Object>())->tensor(); }

const at::Tensor& TensorWrap::tensor() const {
  if (!slot_->tensor.defined()) throw CodedError("tensor-disposed", "the tensor was disposed: keep it out of the scope that freed it, or clone it");
  return slot_->tensor;
}

Napi::Value TensorWrap::shape(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "shape", [&]() -> Napi::Value { return toArray(info.Env(), tensor().sizes()); });
}

Napi::Value TensorWrap::strides(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "strides", [&]() -> Napi::Value { return toArray(info.Env(), tensor().strides()); });
}

Napi::Value TensorWrap::dtype(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "dtype", [&]() -> Napi::Value { return Napi::String::New(info.Env(), dtypeName(tensor().scalar_type())); });
}

Napi::Value TensorWrap::device(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "device", [&]() -> Napi::Value { return Napi::String::New(info.Env(), tensor().device().str()); });
}

Napi::Value TensorWrap::layout(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "layout", [&]() -> Napi::Value { return Napi::String::New(info.Env(), layoutName(tensor().layout())); });
}

Napi::Value TensorWrap::numel(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "numel", [&]() -> Napi::Value { return Napi::Number::New(info.Env(), static_cast<double>(tensor().numel())); });
}

Napi::Value TensorWrap::disposed(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), !slot_->tensor.defined()); }

Napi::Value TensorWrap::requiresGrad(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "requiresGrad", [&]() -> Napi::Value { return Napi::Boolean::New(info.Env(), tensor().requires_grad()); });
}

void TensorWrap::setRequiresGrad(const Napi::CallbackInfo& info, const Napi::Value& value) {
  guarded(info.Env(), "requiresGrad", [&] { tensor().set_requires_grad(value.ToBoolean()); });
}

Napi::Value TensorWrap::grad(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "grad", [&]() -> Napi::Value {
    const at::Tensor& gradient = tensor().grad();
    return gradient.defined() ? Napi::Value(wrap(info.Env(), gradient)) : info.Env().Null();
  });
}

void TensorWrap::setGrad(const Napi::CallbackInfo& info, const Napi::Value& value) {
  guarded(info.Env(), "grad", [&] {
    const bool none = value.IsNull() || value.IsUndefined();
    if (!none && !isTensor(info.Env(), value)) throw CodedError("torch-argument", "grad: expected a Tensor or null, found " + describe(info.Env(), value));
    const at::Tensor gradient = none ? at::Tensor() : unwrap(value);
    if (!none && (gradient.sizes() != tensor().sizes() || gradient.scalar_type() != tensor().scalar_type() || gradient.device() != tensor().device())) {
      throw CodedError("torch-argument", "grad: expected a Tensor of the same shape, dtype and device, found " + describe(info.Env(), value));
    }
    tensor().mutable_grad() = gradient;
  });
}

Napi::Value TensorWrap::dispose(const Napi::CallbackInfo& info) {
  Instance::of(info.Env()).release(info.Env(), *slot_);
  return info.Env().Undefined();
}

Napi::Value TensorWrap::item(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "item", [&]() -> Napi::Value { return scalarToJs(info.Env(), tensor().item()); });
}

Napi::Value TensorWrap::toTypedArray(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "toTypedArray", [&]() -> Napi::Value {
    const bool raw = info[0].IsObject() && info[0].As<Napi::Object>().Get("raw").ToBoolean();
    return copyToTypedArray(info.Env(), tensor(), raw);
  });
}

Napi::Value TensorWrap::asTypedArray(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "asTypedArray", [&]() -> Napi::Value { return viewAsTypedArray(info.Env(), tensor()); });
}

}  // namespace sae_eval
