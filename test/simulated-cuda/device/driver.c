// The part of the CUDA driver that describes devices: a library under the driver's own name, which
// is loaded before anybody looks for it.
#include "driver.h"

#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { success = 0, invalidDevice = 101 };

static SimulatedMachine machine;

EXPORT void simulatedDriver(const SimulatedMachine* given) {
  machine = *given;
}

EXPORT int cuInit(unsigned flags) {
  (void)flags;
  return success;
}

EXPORT int cuDeviceGet(int* device, int ordinal) {
  if (ordinal < 0 || ordinal >= machine.deviceCount()) return invalidDevice;
  *device = ordinal;
  return success;
}

EXPORT int cuDeviceGetName(char* name, int length, int device) {
  (void)device;
  snprintf(name, (size_t)length, "Simulated GPU");
  return success;
}

EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  *bytes = machine.memoryOf(device).total;
  return success;
}

EXPORT int cuDeviceGetUuid(unsigned char* uuid, int device) {
  memset(uuid, 0, 16);
  uuid[15] = (unsigned char)device;
  return success;
}
