#include "runtime.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/grad_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/version.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <optional>

#include "cpu_memory.h"
#include "dtype.h"
#include "errors.h"
#include "instance.h"
#include "tensor.h"
#include "typed_array.h"

namespace sae_eval {

namespace {

// Inference mode is a property of the thread that computes; it lasts until switched off.
thread_local std::optional<c10::InferenceMode> inferenceGuard;

Napi::Value setInferenceMode(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "setInferenceMode", [&]() -> Napi::Value {
    inferenceGuard.reset();
    if (info[0].ToBoolean()) inferenceGuard.emplace(true);
    return info.Env().Undefined();
  });
}

Napi::Value setGradEnabled(const Napi::CallbackInfo& info) {
  const bool before = at::GradMode::is_enabled();
  at::GradMode::set_enabled(info[0].ToBoolean());
  return Napi::Boolean::New(info.Env(), before);
}

Napi::Value setNumThreads(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "setNumThreads", [&]() -> Napi::Value {
    at::set_num_threads(info[0].ToNumber().Int32Value());
    return info.Env().Undefined();
  });
}

Napi::Value numThreads(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), at::get_num_threads()); }

Napi::Value manualSeed(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "manualSeed", [&]() -> Napi::Value {
    at::manual_seed(static_cast<uint64_t>(info[0].ToNumber().Int64Value()));
    return info.Env().Undefined();
  });
}

int deviceCount() {
  if (!at::globalContext().hasCUDA()) return 0;
  return at::detail::getCUDAHooks().deviceCount();
}

Napi::Value cudaDeviceCount(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.deviceCount", [&]() -> Napi::Value { return Napi::Number::New(info.Env(), deviceCount()); });
}

Napi::Value synchronize(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "synchronize", [&]() -> Napi::Value {
    const std::string name = info[0].ToString().Utf8Value();
    const auto device = deviceFromName(name);
    if (!device) throw CodedError("torch-argument", "synchronize: '" + name + "' is not a device");
    if (!device->is_cpu()) {
      const auto* guard = c10::impl::getDeviceGuardImpl(device->type());
      guard->synchronizeDevice(device->has_index() ? device->index() : guard->getDevice().index());
    }
    return info.Env().Undefined();
  });
}

// Gives freed memory back to the system: between jobs a long-lived process should hold what it uses.
Napi::Value trimMemory(const Napi::CallbackInfo& info) {
  emptyMemoryCache();
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
  return info.Env().Undefined();
}

Napi::Value setMemoryCacheBytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "setMemoryCache", [&]() -> Napi::Value {
    const double bytes = info[0].ToNumber().DoubleValue();
    if (!(bytes >= 0 && bytes < 9e15)) throw CodedError("torch-argument", "setMemoryCache: expected a number of bytes from 0");
    setMemoryCache(static_cast<size_t>(bytes));
    return info.Env().Undefined();
  });
}

Napi::Value versions(const Napi::CallbackInfo& info) {
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("libtorch", TORCH_VERSION);
  result.Set("cpu", at::get_cpu_capability());
  result.Set("cudaBuild", at::globalContext().hasCUDA());
  return result;
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  const Instance& instance = Instance::of(info.Env());
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("handles", static_cast<double>(instance.liveHandles));
  result.Set("bytes", static_cast<double>(instance.liveBytes));
  result.Set("collected", static_cast<double>(instance.collected));
  return result;
}

Napi::Value openScope(const Napi::CallbackInfo& info) {
  Instance::of(info.Env()).scopes.emplace_back();
  return info.Env().Undefined();
}

// Frees what the innermost scope made, except the tensors given; those pass to the scope around it.
Napi::Value closeScope(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Instance& instance = Instance::of(env);
  return guarded(env, "scope", [&]() -> Napi::Value {
    if (instance.scopes.empty()) throw CodedError("torch-argument", "scope: none is open");
    auto made = std::move(instance.scopes.back());
    instance.scopes.pop_back();
    std::vector<const Slot*> kept;
    const Napi::Array keep = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < keep.Length(); ++i) kept.push_back(TensorWrap::slotOf(keep.Get(i)).get());
    for (auto& slot : made) {
      if (slot->kept) continue;
      if (std::find(kept.begin(), kept.end(), slot.get()) == kept.end()) {
        instance.release(env, *slot);
      } else if (!instance.scopes.empty()) {
        instance.scopes.back().push_back(std::move(slot));
      }
    }
    return env.Undefined();
  });
}

// Takes a tensor out of the scopes it was made in; only dispose() or the garbage collector frees it from here on.
Napi::Value keep(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "keep", [&]() -> Napi::Value {
    if (!TensorWrap::isTensor(info.Env(), info[0])) throw CodedError("torch-argument", "keep: expected a Tensor");
    TensorWrap::slotOf(info[0])->kept = true;
    return info[0];
  });
}

Napi::Value isTensor(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), TensorWrap::isTensor(info.Env(), info[0])); }

Napi::Value setErrorClass(const Napi::CallbackInfo& info) {
  Instance::of(info.Env()).errorClass = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

}  // namespace

void exportRuntime(Napi::Env env, Napi::Object exports) {
  const auto method = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  method("setInferenceMode", setInferenceMode);
  method("setGradEnabled", setGradEnabled);
  method("setNumThreads", setNumThreads);
  method("numThreads", numThreads);
  method("manualSeed", manualSeed);
  method("cudaDeviceCount", cudaDeviceCount);
  method("synchronize", synchronize);
  method("trimMemory", trimMemory);
  method("setMemoryCache", setMemoryCacheBytes);
  method("versions", versions);
  method("memory", memory);
  method("fromBuffer", fromBuffer);
  method("openScope", openScope);
  method("closeScope", closeScope);
  method("keep", keep);
  method("isTensor", isTensor);
  method("setErrorClass", setErrorClass);
}

}  // namespace sae_eval
