// The part of NVML, the management library, that tells the free memory of a device.
#include "driver.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { success = 0, notFound = 6 };

static SimulatedMachine machine;

EXPORT void simulatedManagement(const SimulatedMachine* given) {
  machine = *given;
}

EXPORT int nvmlInit_v2(void) {
  return success;
}
EXPORT int nvmlShutdown(void) {
  return success;
}

EXPORT int nvmlDeviceGetHandleByUUID(const char* uuid, void** handle) {
  const size_t length = strlen(uuid);
  if (length < 2) return notFound;
  const int device = (int)strtol(uuid + length - 2, NULL, 16);
  if (device >= machine.deviceCount()) return notFound;
  *handle = (void*)(intptr_t)(device + 1);
  return success;
}

typedef struct {
  unsigned long long total, free, used;
} Memory;

EXPORT int nvmlDeviceGetMemoryInfo(void* handle, Memory* memory) {
  const SimulatedMemory found = machine.memoryOf((int)(intptr_t)handle - 1);
  memory->total = found.total;
  memory->free = found.free;
  memory->used = found.total - found.free;
  return success;
}
