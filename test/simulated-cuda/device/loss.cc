#include "loss.h"

#include <c10/util/Exception.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace simulated {

namespace {

std::atomic<uint64_t> lost{0};  // a bit for each device

constexpr int illegalAddress = 700;

bool isThere(const char* file, c10::DeviceIndex device) {
  const std::string own = std::string(file) + "." + std::to_string(device);
  return access(file, F_OK) == 0 || access(own.c_str(), F_OK) == 0;
}

}  // namespace

void loseDevice(c10::DeviceIndex device) {
  lost |= uint64_t{1} << device;
}

void checkPresent(c10::Device device) {
  static const char* const file = std::getenv("SIMULATED_CUDA_LOSS");
  if (file != nullptr && isThere(file, device.index())) loseDevice(device.index());
  if ((lost >> device.index() & 1) == 0) return;
  throw c10::AcceleratorError({__func__, __FILE__, static_cast<uint32_t>(__LINE__)}, illegalAddress,
                              "CUDA error: an illegal memory access was encountered (simulated)");
}

}  // namespace simulated
