// Questions of the simulated driver to the simulated devices.
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  size_t total, free;
} SimulatedMemory;

typedef struct {
  int (*deviceCount)(void);
  SimulatedMemory (*memoryOf)(int device);
} SimulatedMachine;

#ifdef __cplusplus
}
#endif
