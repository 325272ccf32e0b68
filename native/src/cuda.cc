#include "cuda.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>

#include <mutex>
#include <string>

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

// Asks the driver: libtorch's own function needs CUDA's headers.
std::string nameOf(int index) {
  const auto close = [](void* library) { dlclose(library); };
  const std::unique_ptr<void, decltype(close)> driver(dlopen("libcuda.so.1", RTLD_NOW), close);
  if (!driver)
    throw CodedError("device-unavailable",
                     "cuda.deviceName: the CUDA driver libcuda.so.1 is not on this machine");
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver.get(), "cuInit"));
  const auto get = reinterpret_cast<int (*)(int*, int)>(dlsym(driver.get(), "cuDeviceGet"));
  const auto name =
      reinterpret_cast<int (*)(char*, int, int)>(dlsym(driver.get(), "cuDeviceGetName"));
  int device = 0;
  char text[256] = "";
  if (!init || !get || !name || init(0) != 0 || get(&device, index) != 0 ||
      name(text, sizeof(text) - 1, device) != 0) {
    throw CodedError("device-unavailable",
                     "cuda.deviceName: the CUDA driver does not tell the name of device " +
                         std::to_string(index));
  }
  return text;
}

Napi::Value cudaDeviceCount(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.deviceCount",
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), deviceCount()); });
}

Napi::Value cudaDeviceName(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.deviceName", [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), nameOf(deviceFrom(info[0], "deviceName")));
  });
}

Napi::Value cudaMemory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "cuda.memory", [&]() -> Napi::Value {
    const auto device = deviceFrom(info[0], "memory");
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

}  // namespace

void exportCuda(Napi::Env env, Napi::Object exports) {
  // By default libtorch allows TF32 in convolutions, whose 10 bits of mantissa are too few for
  // float32.
  static std::once_flag once;
  std::call_once(once, [] { allowTf32(false); });
  exports.Set("cudaDeviceCount", Napi::Function::New(env, cudaDeviceCount, "cudaDeviceCount"));
  exports.Set("cudaDeviceName", Napi::Function::New(env, cudaDeviceName, "cudaDeviceName"));
  exports.Set("cudaMemory", Napi::Function::New(env, cudaMemory, "cudaMemory"));
  exports.Set("cudaEmptyCache", Napi::Function::New(env, cudaEmptyCache, "cudaEmptyCache"));
  exports.Set("cudaManualSeed", Napi::Function::New(env, cudaManualSeed, "cudaManualSeed"));
  exports.Set("setAllowTf32", Napi::Function::New(env, setAllowTf32, "setAllowTf32"));
  exports.Set("isTf32Allowed", Napi::Function::New(env, isTf32Allowed, "isTf32Allowed"));
}

}  // namespace sae_eval
