// Random numbers of the simulated devices: those of a CPU generator, not of a GPU.
#pragma once
#include <ATen/core/Generator.h>
#include <c10/core/Device.h>

namespace simulated {

at::Generator makeGenerator(c10::DeviceIndex device);
const at::Generator& defaultGenerator(c10::DeviceIndex device);

// The CPU generator that gives a device's numbers.
at::Generator hostGeneratorOf(const at::Generator& generator);

}  // namespace simulated
