// CUDA devices, through libtorch's own interfaces: no CUDA header is needed.
#pragma once
#include <napi.h>

namespace sae_eval {

void exportCuda(Napi::Env env, Napi::Object exports);

}  // namespace sae_eval
