#include "tensor.h"

#include <utility>

#include "convert.h"
#include "dtype.h"
#include "errors.h"
#include "typed_array.h"

namespace sae_eval {

namespace {

Napi::Array toArray(Napi::Env env, at::IntArrayRef values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i)
    array.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(values[i])));
  return array;
}

const at::Tensor& self(const Napi::CallbackInfo& info) {
  return TensorWrap::unwrap(info.Env(), info.This());
}

// Runs `body` on the receiver's tensor and holds it meanwhile: `body` may run getters of the
// program, which may dispose of it.
template <class Body>
Napi::Value onSelf(const Napi::CallbackInfo& info, const char* what, Body&& body) {
  return guarded(info.Env(), what, [&]() -> Napi::Value {
    const at::Tensor tensor = self(info);
    return body(info.Env(), tensor);
  });
}

Napi::Value shape(const Napi::CallbackInfo& info) {
  return onSelf(info, "shape", [](Napi::Env env, const at::Tensor& tensor) {
    return toArray(env, tensor.sizes());
  });
}

Napi::Value strides(const Napi::CallbackInfo& info) {
  return onSelf(info, "strides", [](Napi::Env env, const at::Tensor& tensor) {
    return toArray(env, tensor.strides());
  });
}

Napi::Value dtype(const Napi::CallbackInfo& info) {
  return onSelf(info, "dtype", [](Napi::Env env, const at::Tensor& tensor) {
    return Napi::String::New(env, dtypeName(tensor.scalar_type()));
  });
}

Napi::Value device(const Napi::CallbackInfo& info) {
  return onSelf(info, "device", [](Napi::Env env, const at::Tensor& tensor) {
    return Napi::String::New(env, tensor.device().str());
  });
}

Napi::Value layout(const Napi::CallbackInfo& info) {
  return onSelf(info, "layout", [](Napi::Env env, const at::Tensor& tensor) {
    return Napi::String::New(env, layoutName(tensor.layout()));
  });
}

Napi::Value numel(const Napi::CallbackInfo& info) {
  return onSelf(info, "numel", [](Napi::Env env, const at::Tensor& tensor) {
    return Napi::Number::New(env, static_cast<double>(tensor.numel()));
  });
}

Napi::Value disposed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), TensorWrap::find(info.Env(), info.This()) == nullptr);
}

Napi::Value requiresGrad(const Napi::CallbackInfo& info) {
  return onSelf(info, "requiresGrad", [](Napi::Env env, const at::Tensor& tensor) {
    return Napi::Boolean::New(env, tensor.requires_grad());
  });
}

void setRequiresGrad(const Napi::CallbackInfo& info) {
  guarded(info.Env(), "requiresGrad", [&] { self(info).set_requires_grad(info[0].ToBoolean()); });
}

Napi::Value grad(const Napi::CallbackInfo& info) {
  return onSelf(info, "grad", [](Napi::Env env, const at::Tensor& tensor) {
    const at::Tensor& gradient = tensor.grad();
    return gradient.defined() ? Napi::Value(TensorWrap::wrap(env, gradient)) : env.Null();
  });
}

void setGrad(const Napi::CallbackInfo& info) {
  guarded(info.Env(), "grad", [&] {
    const Napi::Value value = info[0];
    const at::Tensor& tensor = self(info);
    const bool none = value.IsNull() || value.IsUndefined();
    if (!none && !TensorWrap::isTensor(info.Env(), value))
      throw CodedError("torch-argument",
                       "grad: expected a Tensor or null, found " + describe(info.Env(), value));
    const at::Tensor gradient = none ? at::Tensor() : TensorWrap::unwrap(info.Env(), value);
    if (!none &&
        (gradient.sizes() != tensor.sizes() || gradient.scalar_type() != tensor.scalar_type() ||
         gradient.device() != tensor.device())) {
      throw CodedError("torch-argument",
                       "grad: expected a Tensor of the same shape, dtype and device, found " +
                           describe(info.Env(), value));
    }
    tensor.mutable_grad() = gradient;
  });
}

Napi::Value dispose(const Napi::CallbackInfo& info) {
  if (Slot* slot = TensorWrap::find(info.Env(), info.This()))
    Instance::of(info.Env()).release(info.Env(), *slot);
  return info.Env().Undefined();
}

Napi::Value item(const Napi::CallbackInfo& info) {
  return onSelf(info, "item", [](Napi::Env env, const at::Tensor& tensor) {
    return scalarToJs(env, tensor.item());
  });
}

Napi::Value toTypedArray(const Napi::CallbackInfo& info) {
  return onSelf(info, "toTypedArray", [&](Napi::Env env, const at::Tensor& tensor) {
    const bool raw = info[0].IsObject() && info[0].As<Napi::Object>().Get("raw").ToBoolean();
    return copyToTypedArray(env, tensor, raw);
  });
}

Napi::Value asTypedArray(const Napi::CallbackInfo& info) {
  return onSelf(info, "asTypedArray", [](Napi::Env env, const at::Tensor& tensor) {
    return viewAsTypedArray(env, tensor);
  });
}

// Only wrap() may construct a Tensor; it fills the object.
napi_value construct(napi_env env, napi_callback_info info) {
  if (!Instance::of(env).constructing) {
    napi_throw_type_error(
        env, nullptr,
        "Tensor cannot be constructed directly; use tensor(), zeros(), fromTypedArray() …");
    return nullptr;
  }
  napi_value object = nullptr;
  return napi_get_cb_info(env, info, nullptr, nullptr, &object, nullptr) == napi_ok ? object
                                                                                    : nullptr;
}

void finalize(napi_env env, void* data, void*) {
  const auto slot = SlotPtr::reclaim(static_cast<Slot*>(data));
  Instance* instance = Napi::BasicEnv(env).GetInstanceData<Instance>();
  if (instance != nullptr && slot->tensor.defined()) {
    ++instance->collected;
    instance->empty(env, *slot);
  }
  napi_delete_reference(env, std::exchange(slot->object, nullptr));
}

}  // namespace

void Instance::countBytes(Napi::BasicEnv env, const c10::Device& device, int64_t change) {
  if (device.is_cpu())
    cpuBytes += change;
  else
    otherBytes[device.str()] += change;
  unreportedBytes += change;
  if (silencingScopes == 0) tellBytes(env);
}

void Instance::tellBytes(Napi::BasicEnv env) {
  constexpr int64_t worthTelling = 1 << 16;
  if (unreportedBytes > -worthTelling && unreportedBytes < worthTelling) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, std::exchange(unreportedBytes, 0));
}

// Memory of mapped files and typed arrays is not counted.
void Instance::countStorage(Napi::BasicEnv env, Slot& slot) {
  if (!slot.tensor.has_storage() || slot.tensor.is_meta() ||
      slot.tensor.storage().allocator() == nullptr)
    return;
  c10::StorageImpl* storage = slot.tensor.storage().unsafeGetStorageImpl();
  slot.storage = storage;
  const auto known = storages.find(storage);
  if (known != storages.end()) {
    ++known->second.handles;
    return;
  }
  const auto bytes = static_cast<int64_t>(storage->nbytes());
  storages.emplace(
      storage,
      Counted{c10::weak_intrusive_ptr<c10::StorageImpl>(slot.tensor.storage().getWeakStorageImpl()),
              storage->device(), bytes, 1});
  countBytes(env, storage->device(), bytes);
}

void Instance::empty(Napi::BasicEnv env, Slot& slot) {
  live.erase(&slot);
  slot.tensor.reset();
  const auto counted = storages.find(std::exchange(slot.storage, nullptr));
  if (counted == storages.end() || --counted->second.handles > 0) return;
  countBytes(env, counted->second.device, -counted->second.bytes);
  storages.erase(counted);
}

void Instance::release(Napi::Env env, Slot& slot) {
  if (!slot.tensor.defined()) return;
  empty(env, slot);
  const Napi::HandleScope handles(env);
  napi_value object = nullptr;
  if (napi_get_reference_value(env, slot.object, &object) != napi_ok || object == nullptr)
    return;  // collected: its finalizer comes
  void* data = nullptr;
  if (napi_remove_wrap(env, object, &data) != napi_ok) return;  // the thread is being ended
  napi_delete_reference(env, std::exchange(slot.object, nullptr));
  SlotPtr::reclaim(static_cast<Slot*>(data));  // the object's share
}

Napi::Function TensorWrap::define(Napi::Env env) {
  napi_value constructor = nullptr;
  if (napi_define_class(env, "Tensor", NAPI_AUTO_LENGTH, construct, nullptr, 0, nullptr,
                        &constructor) != napi_ok)
    throw Napi::Error::New(env);
  const Napi::Function tensorClass(env, constructor);
  Napi::Object prototype = tensorClass.Get("prototype").As<Napi::Object>();
  using Property = Napi::PropertyDescriptor;
  const auto method = [&](const char* name, Napi::Value (*body)(const Napi::CallbackInfo&)) {
    return Property::Value(
        name, Napi::Function::New(env, body, name),
        static_cast<napi_property_attributes>(napi_writable | napi_configurable));
  };
  prototype.DefineProperties({
      Property::Accessor<shape>("shape"),
      Property::Accessor<strides>("strides"),
      Property::Accessor<dtype>("dtype"),
      Property::Accessor<device>("device"),
      Property::Accessor<layout>("layout"),
      Property::Accessor<numel>("numel"),
      Property::Accessor<disposed>("disposed"),
      Property::Accessor<requiresGrad, setRequiresGrad>("requiresGrad"),
      Property::Accessor<grad, setGrad>("grad"),
      method("dispose", dispose),
      method("toTypedArray", toTypedArray),
      method("asTypedArray", asTypedArray),
      method("item", item),
  });
  return tensorClass;
}

Napi::Object TensorWrap::wrap(Napi::Env env, at::Tensor tensor) {
  Instance& instance = Instance::of(env);
  instance.constructing = true;
  napi_value object = nullptr;
  const napi_status made =
      napi_new_instance(env, instance.tensorClass.Value(), 0, nullptr, &object);
  instance.constructing = false;
  if (made != napi_ok) throw Napi::Error::New(env);

  auto slot = c10::make_intrusive<Slot>(std::move(tensor));
  SlotPtr share = slot;
  if (napi_wrap(env, object, share.get(), finalize, nullptr, &slot->object) != napi_ok)
    throw Napi::Error::New(env);
  (void)share.release();  // the object's
  instance.live.insert(slot.get());
  instance.countStorage(env, *slot);
  if (const auto scope = instance.innermostScope(env)) scope->made.push_back(std::move(slot));
  return {env, object};
}

Slot* TensorWrap::find(Napi::Env env, const Napi::Value& value) {
  void* data = nullptr;
  if (napi_unwrap(env, value, &data) != napi_ok) return nullptr;
  return Instance::of(env).live.count(data) != 0 ? static_cast<Slot*>(data) : nullptr;
}

bool TensorWrap::isTensor(Napi::Env env, const Napi::Value& value) {
  if (!value.IsObject()) return false;
  if (find(env, value) != nullptr) return true;
  bool instance = false;
  return napi_instanceof(env, value, Instance::of(env).tensorClass.Value(), &instance) == napi_ok &&
         instance;
}

const at::Tensor& TensorWrap::unwrap(Napi::Env env, const Napi::Value& value) {
  if (const Slot* slot = find(env, value)) return slot->tensor;
  if (!isTensor(env, value))
    throw CodedError("torch-argument", "expected a Tensor, found " + describe(env, value));
  throw CodedError("tensor-disposed",
                   "the tensor was disposed: keep it out of the scope that freed it, or clone it "
                   "(a Proxy over a Tensor is none either)");
}

}  // namespace sae_eval
