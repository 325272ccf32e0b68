#include "runtime.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/version.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "convert.h"
#include "cpu_memory.h"
#include "dtype.h"
#include "errors.h"
#include "generator.h"
#include "instance.h"
#include "tensor.h"
#include "typed_array.h"

namespace sae_eval {

namespace {

Napi::Value setNumThreads(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "setNumThreads", [&]() -> Napi::Value {
    // libgomp ends the process if the system refuses a thread.
    constexpr double most = 1024;
    const double count = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
    if (!(count >= 1 && count <= most && count == static_cast<int>(count))) {
      throw CodedError("torch-argument",
                       "setNumThreads: expected a whole number from 1 to 1024, found " +
                           describe(info.Env(), info[0]));
    }
    at::set_num_threads(static_cast<int>(count));
    return info.Env().Undefined();
  });
}

Napi::Value numThreads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), at::get_num_threads());
}

Napi::Value manualSeed(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "manualSeed", [&]() -> Napi::Value {
    at::manual_seed(seedFrom(info.Env(), info[0], "manualSeed"));
    return info.Env().Undefined();
  });
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

// Returns freed memory to the system, so that a long-lived process is small between jobs.
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
    if (!(bytes >= 0 && bytes < 9e15))
      throw CodedError("torch-argument", "setMemoryCache: expected a number of bytes from 0");
    setMemoryCache(static_cast<size_t>(bytes));
    return info.Env().Undefined();
  });
}

Napi::Value versions(const Napi::CallbackInfo& info) {
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("libtorch", TORCH_VERSION);
  result.Set("cpu", at::get_cpu_capability());
  // hasCUDA() is false without a device.
  result.Set("cudaBuild", at::detail::getCUDAHooks().hasCUDART());
  return result;
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  const Instance& instance = Instance::of(info.Env());
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("handles", static_cast<double>(instance.live.size()));
  Napi::Object devices = Napi::Object::New(info.Env());
  int64_t bytes = instance.cpuBytes;
  if (instance.cpuBytes != 0) devices.Set("cpu", static_cast<double>(instance.cpuBytes));
  for (const auto& [device, held] : instance.otherBytes) {
    if (held != 0) devices.Set(device, static_cast<double>(held));
    bytes += held;
  }
  result.Set("bytes", static_cast<double>(bytes));
  result.Set("devices", devices);
  result.Set("collected", static_cast<double>(instance.collected));
  return result;
}

Napi::Value isTensor(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), TensorWrap::isTensor(info.Env(), info[0]));
}

Napi::Value setErrorClass(const Napi::CallbackInfo& info) {
  Instance::of(info.Env()).errorClass = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

}  // namespace

void exportRuntime(Napi::Env env, Napi::Object exports) {
  const auto method = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  method("setNumThreads", setNumThreads);
  method("numThreads", numThreads);
  method("manualSeed", manualSeed);
  method("synchronize", synchronize);
  method("trimMemory", trimMemory);
  method("setMemoryCache", setMemoryCacheBytes);
  method("versions", versions);
  method("memory", memory);
  method("fromBuffer", fromBuffer);
  method("isTensor", isTensor);
  method("setErrorClass", setErrorClass);
  method("setWarningListener", setWarningListener);
}

}  // namespace sae_eval
