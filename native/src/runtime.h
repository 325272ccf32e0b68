// Threads, devices, seeds and versions.
#pragma once
#include <napi.h>

namespace sae_eval {

void exportRuntime(Napi::Env env, Napi::Object exports);

}  // namespace sae_eval
