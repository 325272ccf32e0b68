// The CUDA driver and NVRTC, found at run time: the addon is built without CUDA's headers.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace sae_eval {

struct DriverDevice {
  std::string name;
  size_t totalBytes;
  std::optional<size_t> freeBytes;  // as NVML tells it
};

// Describes a device by the driver and NVML, without making a context on it. Throws
// `device-unavailable`.
DriverDevice driverDevice(int index);

// Kernels of one source, compiled for a device by NVRTC and loaded into its context.
class DeviceProgram {
 public:
  // Null if NVRTC or the driver is not there, or if it cannot compile the source for the device.
  // The device must be the current one.
  static std::shared_ptr<DeviceProgram> load(const char* source, int device);

  // Launches `kernel` on the default stream with blocks (x, y) of `threads` threads. Throws
  // CUDA's error if the launch fails.
  void launch(const char* kernel, unsigned x, unsigned y, unsigned threads, void** arguments);

 private:
  struct Library;
  DeviceProgram(std::shared_ptr<Library> library, void* module);

  std::shared_ptr<Library> library_;
  void* module_;
};

}  // namespace sae_eval
