// An addon that calls the CUDA runtime as libtorch does, through the library's own symbols:
// synchronize() waits once for the default stream and once for the device. Without a device both
// calls give an error, and are calls all the same.
#include <node_api.h>
#include <stddef.h>

int cudaStreamSynchronize(void* stream);
int cudaDeviceSynchronize(void);

static napi_value synchronize(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  cudaStreamSynchronize(NULL);
  cudaDeviceSynchronize();
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "synchronize", NAPI_AUTO_LENGTH, synchronize, NULL, &function);
  napi_set_named_property(env, exports, "synchronize", function);
  return exports;
}
