#include "cuda.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <mutex>
#include <string>

#include "cuda_driver.h"
#include "errors.h"
#include "generator.h"

namespace sae_eval {

namespace {

int deviceCount() {
  if (!at::globalContext().hasCUDA()) return 0;
  return at::detail::getCUDAHooks().deviceCount();
}

c10::DeviceIndex deviceFrom(const Napi::Value& value, const char* what) {
  const double index = value.ToNumber().DoubleValue();
  const int count = deviceCount();
  if (index >= 0 && index < count && index == static_cast<int>(index))
    return static_cast<c10::DeviceIndex>(index);
  const std::string found =
      count == 0 ? "no CUDA device" : std::to_string(count) + " CUDA devices, counted from 0";
  throw CodedError("device-unavailable", std::string("cuda.") + what + ": this machine has " +
                                             found + "; it was asked for number " +
                                             value.ToString().Utf8Value());
}

Napi::Value cudaDeviceCount(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.deviceCount",
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), deviceCount()); });
}

Napi::Value cudaDeviceName(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.deviceName", [&]() -> Napi::Value {
    const auto device = deviceFrom(info[0], "deviceName");
    return Napi::String::New(info.Env(), driverDevice(device).name);
  });
}

// Describes a device without making a context on it, which would take its memory.
Napi::Value cudaDescribe(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.describe", [&]() -> Napi::Value {
    const auto [name, totalBytes, freeBytes] = driverDevice(deviceFrom(info[0], "describe"));
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("name", name);
    result.Set("totalBytes", static_cast<double>(totalBytes));
    result.Set("freeBytes", freeBytes ? Napi::Value(Napi::Number::New(
                                            info.Env(), static_cast<double>(*freeBytes)))
                                      : info.Env().Null());
    return result;
  });
}

Napi::Value cudaSetDevice(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.setDevice", [&]() -> Napi::Value {
    const auto device = deviceFrom(info[0], "setDevice");
    c10::impl::getDeviceGuardImpl(at::kCUDA)->setDevice(c10::Device(at::kCUDA, device));
    return info.Env().Undefined();
  });
}

Napi::Value cudaMemory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.memory", [&]() -> Napi::Value {
    const auto device = deviceFrom(info[0], "memory");
    // Before the first tensor libtorch's allocator does not know its devices.
    at::globalContext().lazyInitDevice(at::kCUDA);
    auto* allocator = at::getDeviceAllocator(at::kCUDA);
    const auto [free, total] = allocator->getMemoryInfo(device);
    const auto stats = allocator->getDeviceStats(device);
    const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("freeBytes", static_cast<double>(free));
    result.Set("totalBytes", static_cast<double>(total));
    result.Set("allocatedBytes", static_cast<double>(stats.allocated_bytes[all].current));
    result.Set("peakBytes", static_cast<double>(stats.allocated_bytes[all].peak));
    result.Set("reservedBytes", static_cast<double>(stats.reserved_bytes[all].current));
    return result;
  });
}

Napi::Value cudaResetPeak(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.resetPeak", [&]() -> Napi::Value {
    const auto device = deviceFrom(info[0], "resetPeak");
    at::globalContext().lazyInitDevice(at::kCUDA);
    at::getDeviceAllocator(at::kCUDA)->resetPeakStats(device);
    return info.Env().Undefined();
  });
}

Napi::Value cudaEmptyCache(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.emptyCache", [&]() -> Napi::Value {
    if (deviceCount() > 0) at::getDeviceAllocator(at::kCUDA)->emptyCache();
    return info.Env().Undefined();
  });
}

// (seed, device)
Napi::Value cudaManualSeed(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.manualSeed", [&]() -> Napi::Value {
    const uint64_t seed = seedFrom(info.Env(), info[0], "cuda.manualSeed");
    const auto generator = at::globalContext().defaultGenerator(
        c10::Device(at::kCUDA, deviceFrom(info[1], "manualSeed")));
    auto owned = generator;
    const std::scoped_lock lock(owned.mutex());
    owned.set_current_seed(seed);
    return info.Env().Undefined();
  });
}

void allowTf32(bool allowed) {
  at::globalContext().setAllowTF32CuBLAS(allowed);
  at::globalContext().setAllowTF32CuDNN(allowed);
}

Napi::Value setAllowTf32(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.setAllowTf32", [&]() -> Napi::Value {
    allowTf32(info[0].ToBoolean());
    return info.Env().Undefined();
  });
}

Napi::Value isTf32Allowed(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.allowsTf32", [&]() -> Napi::Value {
    return Napi::Boolean::New(
        info.Env(), at::globalContext().allowTF32CuBLAS() || at::globalContext().allowTF32CuDNN());
  });
}

// Defaults of libtorch that change numbers or their cost, set for the whole process.
void choosePrecision() {
  at::Context& context = at::globalContext();
  // TF32, which libtorch allows in convolutions, has 10 bits of mantissa: too few for float32.
  allowTf32(false);
  // Products of half precision may add up parts in half precision; on the CPU they never do.
  context.setAllowFP16ReductionCuBLAS(/*allow_reduced_precision=*/false, /*allow_splitk=*/true);
  context.setAllowBF16ReductionCuBLAS(/*allow_reduced_precision=*/false, /*allow_splitk=*/true);
  // cuDNN's attention builds a plan for every new shape, which takes longer than the attention.
  context.setSDPUseCuDNN(false);
}

}  // namespace

void exportCuda(Napi::Env env, Napi::Object exports) {
  static std::once_flag once;
  std::call_once(once, choosePrecision);
  exports.Set("cudaDeviceCount", Napi::Function::New(env, cudaDeviceCount, "cudaDeviceCount"));
  exports.Set("cudaDeviceName", Napi::Function::New(env, cudaDeviceName, "cudaDeviceName"));
  exports.Set("cudaDescribe", Napi::Function::New(env, cudaDescribe, "cudaDescribe"));
  exports.Set("cudaSetDevice", Napi::Function::New(env, cudaSetDevice, "cudaSetDevice"));
  exports.Set("cudaResetPeak", Napi::Function::New(env, cudaResetPeak, "cudaResetPeak"));
  exports.Set("cudaMemory", Napi::Function::New(env, cudaMemory, "cudaMemory"));
  exports.Set("cudaEmptyCache", Napi::Function::New(env, cudaEmptyCache, "cudaEmptyCache"));
  exports.Set("cudaManualSeed", Napi::Function::New(env, cudaManualSeed, "cudaManualSeed"));
  exports.Set("setAllowTf32", Napi::Function::New(env, setAllowTf32, "setAllowTf32"));
  exports.Set("isTf32Allowed", Napi::Function::New(env, isTf32Allowed, "isTf32Allowed"));
}

}  // namespace sae_eval
