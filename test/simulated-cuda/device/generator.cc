#include "generator.h"

#include <ATen/CPUGeneratorImpl.h>

#include <vector>

#include "memory.h"

namespace simulated {

namespace {

struct GeneratorImpl final : c10::GeneratorImpl {
  explicit GeneratorImpl(c10::DeviceIndex index)
      : c10::GeneratorImpl(c10::Device(at::kCUDA, index),
                           c10::DispatchKeySet(c10::DispatchKey::CUDA)),
        host(at::detail::createCPUGenerator()) {}
  void set_current_seed(uint64_t seed) override { host.set_current_seed(seed); }
  void set_offset(uint64_t offset) override { host.set_offset(offset); }
  uint64_t get_offset() const override { return host.get_offset(); }
  uint64_t current_seed() const override { return host.current_seed(); }
  uint64_t seed() override { return host.unsafeGetGeneratorImpl()->seed(); }
  void set_state(const c10::TensorImpl& state) override {
    host.unsafeGetGeneratorImpl()->set_state(state);
  }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    return host.unsafeGetGeneratorImpl()->get_state();
  }
  GeneratorImpl* clone_impl() const override {
    auto* copy = new GeneratorImpl(device().index());
    copy->host = host.clone();
    return copy;
  }
  at::Generator host;
};

}  // namespace

at::Generator makeGenerator(c10::DeviceIndex device) {
  return at::make_generator<GeneratorImpl>(device < 0 ? currentDevice() : device);
}

const at::Generator& defaultGenerator(c10::DeviceIndex device) {
  static auto* const generators = [] {
    auto* made = new std::vector<at::Generator>();
    for (c10::DeviceIndex i = 0; i < deviceCount(); ++i) made->push_back(makeGenerator(i));
    return made;
  }();
  return generators->at(device < 0 ? currentDevice() : device);
}

at::Generator hostGeneratorOf(const at::Generator& generator) {
  return static_cast<GeneratorImpl*>(generator.unsafeGetGeneratorImpl())->host;
}

}  // namespace simulated
