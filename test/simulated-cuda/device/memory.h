// Memory of the simulated devices. Each device has one file in memory that is mapped twice: tensors
// carry addresses of a mapping without access rights, so that code of the host that reads or writes
// them ends the process; operators compute through the second mapping.
#pragma once
#include <c10/core/Device.h>

#include <cstddef>
#include <cstdint>

namespace simulated {

// Makes the devices; once in a process.
void makeDevices();

c10::DeviceIndex deviceCount();

// The device that calls without an index mean.
c10::DeviceIndex currentDevice();
void setCurrentDevice(c10::DeviceIndex device);

// Throws `invalid device ordinal`, as the runtime does.
void checkDevice(c10::Device device);

struct Usage {
  size_t used, peak, limit;
};
Usage usageOf(c10::DeviceIndex device);
void resetPeak(c10::DeviceIndex device);

// Bytes that tensors of a device may take from now on.
void limitMemory(c10::DeviceIndex device, size_t bytes);

// Address on a device: no access is allowed. Fresh memory is NaN. Throws OutOfMemoryError.
void* takeMemory(c10::DeviceIndex device, size_t bytes);
void giveMemoryBack(void* address);

// The same bytes, for operators; null for an address that is on no device.
void* windowOf(const void* address);

// The device of an address, or -1.
int deviceOf(const void* address);

}  // namespace simulated
