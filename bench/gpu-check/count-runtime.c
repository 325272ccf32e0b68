// Counts a process's calls of the CUDA runtime: loaded before it by LD_PRELOAD. At every
// cudaDeviceSynchronize and at the end a line of JSON with the calls since the last goes to the
// file $COUNT_RUNTIME. cuBLAS has a runtime of its own and the addon launches its own kernels by
// the driver: those are not among them.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { toDevice = 1, toHost = 2, onDevice = 3, kinds = 5 };

static atomic_long launches, waits, fills, copies[kinds];

// The runtime's own function. The addon loads the runtime without showing it to other libraries, so
// that it is not simply the next one.
static void* runtimeFunction(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  const char* libraries[] = {"libcudart.so.13", "libcudart.so.12"};
  for (size_t i = 0; found == NULL && i < sizeof libraries / sizeof *libraries; ++i) {
    void* library = dlopen(libraries[i], RTLD_NOW | RTLD_NOLOAD);
    if (library != NULL) found = dlsym(library, name);
  }
  if (found == NULL) {
    fprintf(stderr, "count-runtime: the CUDA runtime has no %s\n", name);
    abort();
  }
  return found;
}

static void tell(void) {
  const char* path = getenv("COUNT_RUNTIME");
  FILE* file = path == NULL ? NULL : fopen(path, "a");
  if (file == NULL) return;
  fprintf(file,
          "{\"launches\":%ld,\"waits\":%ld,\"fills\":%ld,\"copiesToDevice\":%ld,"
          "\"copiesToHost\":%ld,\"copiesOnDevice\":%ld}\n",
          atomic_exchange(&launches, 0), atomic_exchange(&waits, 0), atomic_exchange(&fills, 0),
          atomic_exchange(&copies[toDevice], 0), atomic_exchange(&copies[toHost], 0),
          atomic_exchange(&copies[onDevice], 0));
  fclose(file);
}

__attribute__((destructor)) static void end(void) {
  tell();
}

typedef struct {
  unsigned x, y, z;
} Dim3;

int cudaLaunchKernel(const void* kernel, Dim3 grid, Dim3 block, void** arguments, size_t bytes,
                     void* stream) {
  static int (*real)(const void*, Dim3, Dim3, void**, size_t, void*);
  if (real == NULL) real = runtimeFunction("cudaLaunchKernel");
  ++launches;
  return real(kernel, grid, block, arguments, bytes, stream);
}

// Kernels that are launched by <<<…>>> since CUDA 13.
int __cudaLaunchKernel(void* kernel, Dim3 grid, Dim3 block, void** arguments, size_t bytes,
                       void* stream) {
  static int (*real)(void*, Dim3, Dim3, void**, size_t, void*);
  if (real == NULL) real = runtimeFunction("__cudaLaunchKernel");
  ++launches;
  return real(kernel, grid, block, arguments, bytes, stream);
}

int cudaLaunchKernelExC(const void* config, const void* kernel, void** arguments) {
  static int (*real)(const void*, const void*, void**);
  if (real == NULL) real = runtimeFunction("cudaLaunchKernelExC");
  ++launches;
  return real(config, kernel, arguments);
}

static void countCopy(int kind) {
  if (kind > 0 && kind < kinds) ++copies[kind];
}

int cudaMemcpyAsync(void* to, const void* from, size_t bytes, int kind, void* stream) {
  static int (*real)(void*, const void*, size_t, int, void*);
  if (real == NULL) real = runtimeFunction("cudaMemcpyAsync");
  countCopy(kind);
  return real(to, from, bytes, kind, stream);
}

int cudaMemcpy(void* to, const void* from, size_t bytes, int kind) {
  static int (*real)(void*, const void*, size_t, int);
  if (real == NULL) real = runtimeFunction("cudaMemcpy");
  countCopy(kind);
  ++waits;
  return real(to, from, bytes, kind);
}

int cudaMemsetAsync(void* to, int value, size_t bytes, void* stream) {
  static int (*real)(void*, int, size_t, void*);
  if (real == NULL) real = runtimeFunction("cudaMemsetAsync");
  ++fills;
  return real(to, value, bytes, stream);
}

int cudaStreamSynchronize(void* stream) {
  static int (*real)(void*);
  if (real == NULL) real = runtimeFunction("cudaStreamSynchronize");
  ++waits;
  return real(stream);
}

int cudaEventSynchronize(void* event) {
  static int (*real)(void*);
  if (real == NULL) real = runtimeFunction("cudaEventSynchronize");
  ++waits;
  return real(event);
}

int cudaDeviceSynchronize(void) {
  static int (*real)(void);
  if (real == NULL) real = runtimeFunction("cudaDeviceSynchronize");
  ++waits;
  tell();
  return real();
}
