// Scopes, which free what was made inside them: see src/torch/scope.ts.
#pragma once
#include <napi.h>

namespace sae_eval {

void exportScopes(Napi::Env env, Napi::Object exports);

}  // namespace sae_eval
