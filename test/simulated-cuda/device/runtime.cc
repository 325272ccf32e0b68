#include "runtime.h"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <atomic>
#include <utility>

#include "counts.h"
#include "generator.h"
#include "memory.h"

namespace simulated {

namespace {

std::atomic<bool> initialized{false};  // by the first tensor on a device, as libtorch does it

struct Allocator final : c10::DeviceAllocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* address = bytes == 0 ? nullptr : takeMemory(currentDevice(), bytes);
    return {address, address, &giveMemoryBack, c10::Device(at::kCUDA, currentDevice())};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &giveMemoryBack; }
  void copy_data(void*, const void*, size_t) const override {
    TORCH_CHECK(false, "simulated device: copy_data");
  }
  bool initialized() override { return simulated::initialized; }
  void emptyCache(c10::MempoolId_t) override {
    withCounts([](Counts& counts) { ++counts.byOperator["emptyCache"]; });
  }
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex index) override {
    TORCH_CHECK(simulated::initialized, "Invalid device argument ", static_cast<int>(index),
                ": did you call init?");
    const Usage usage = usageOf(index);
    c10::CachingDeviceAllocator::DeviceStats stats;
    for (auto* stat : {&stats.allocated_bytes, &stats.reserved_bytes}) {
      (*stat)[0].current = static_cast<int64_t>(usage.used);
      (*stat)[0].peak = static_cast<int64_t>(usage.peak);
    }
    return stats;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex index) override { resetPeak(index); }
  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex index) override {
    const Usage usage = usageOf(index);
    return {usage.limit - std::min(usage.limit, usage.used), usage.limit};
  }
};

Allocator& allocator() {
  static auto* const only = new Allocator();
  return *only;
}

struct Guard final : c10::impl::DeviceGuardImplInterface {
  Guard() = default;
  explicit Guard(c10::DeviceType) {}
  c10::DeviceType type() const override { return at::kCUDA; }
  c10::Device exchangeDevice(c10::Device device) const override {
    const c10::Device before = getDevice();
    setDevice(device);
    return before;
  }
  c10::Device getDevice() const override { return {at::kCUDA, currentDevice()}; }
  void setDevice(c10::Device device) const override {
    checkDevice(device);
    uncheckedSetDevice(device);
  }
  void uncheckedSetDevice(c10::Device device) const noexcept override {
    if (device.has_index()) setCurrentDevice(device.index());
  }
  c10::Stream getStream(c10::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return simulated::deviceCount(); }
  void synchronizeDevice(c10::DeviceIndex) const override { countWait("synchronize"); }
};

}  // namespace

void registerAllocator() {
  c10::SetAllocator(at::kCUDA, &allocator(), 10);
}

}  // namespace simulated

namespace at {

struct CUDAHooks final : CUDAHooksInterface {
  explicit CUDAHooks(CUDAHooksArgs) {}
  void init() const override { simulated::initialized = true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasCUDA() const override { return true; }
  bool hasCUDART() const override { return true; }
  DeviceIndex deviceCount() const override { return simulated::deviceCount(); }
  int getNumGPUs() const override { return deviceCount(); }
  DeviceIndex current_device() const override { return simulated::currentDevice(); }
  DeviceIndex getCurrentDevice() const override { return simulated::currentDevice(); }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  const Generator& getDefaultGenerator(DeviceIndex index) const override {
    return simulated::defaultGenerator(index);
  }
  Generator getNewGenerator(DeviceIndex index) const override {
    return simulated::makeGenerator(index);
  }
  Allocator* getCUDADeviceAllocator() const override { return &simulated::allocator(); }
  Allocator* getPinnedMemoryAllocator() const override { return c10::GetAllocator(kCPU); }
  Device getDeviceFromPtr(void* data) const override {
    const int device = simulated::deviceOf(data);
    TORCH_CHECK(device >= 0, "not on a simulated device");
    return {kCUDA, static_cast<DeviceIndex>(device)};
  }
  void deviceSynchronize(DeviceIndex) const override { simulated::countWait("synchronize"); }
};
REGISTER_CUDA_HOOKS(CUDAHooks)

}  // namespace at

C10_REGISTER_GUARD_IMPL(CUDA, simulated::Guard)
