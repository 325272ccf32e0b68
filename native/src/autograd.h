// Gradients by libtorch's autograd engine.
#pragma once
#include <napi.h>

namespace sae_eval {

void exportAutograd(Napi::Env env, Napi::Object exports);

}  // namespace sae_eval
