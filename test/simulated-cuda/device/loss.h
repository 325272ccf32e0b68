// Loss of a simulated device: from then on every operator of it fails in this process.
#pragma once
#include <c10/core/Device.h>

namespace simulated {

// The device fails at its next operator, and at all after it.
void loseDevice(c10::DeviceIndex device);

// Throws CUDA's error 700 if the device is lost. A device is lost too if the file exists that
// SIMULATED_CUDA_LOSS names: a test loses the device of another process so.
void checkPresent(c10::Device device);

}  // namespace simulated
