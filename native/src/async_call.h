// Work on another thread, with a promise of its result.
#pragma once
#include <napi.h>

#include <functional>
#include <string>

namespace sae_eval {

// Runs `compute` on a thread of libuv's pool, with the gradient mode, inference mode and number of
// threads of the calling thread. Then runs `finish` on the calling thread; its result resolves the
// promise. An exception in `compute` rejects the promise. Both functions are destroyed on the
// calling thread. Tensors made by `finish` belong to the scope that is open now, if it is still
// open then.
Napi::Value startAsync(Napi::Env env, const std::string& what, std::function<void()> compute,
                       std::function<Napi::Value(Napi::Env)> finish);

}  // namespace sae_eval
