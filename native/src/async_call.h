// Work off the JavaScript thread, and a promise of its result.
#pragma once
#include <napi.h>

#include <functional>
#include <string>

namespace sae_eval {

// Runs `compute` on a thread of libuv's pool, in the gradient and inference modes and with the
// number of threads of the calling one, then `finish` here, for the value of the promise. What
// `compute` throws rejects it. Both are destroyed on this thread. New tensors of `finish` belong to
// the scope open now, if it still is.
Napi::Value startAsync(Napi::Env env, const std::string& what, std::function<void()> compute,
                       std::function<Napi::Value(Napi::Env)> finish);

}  // namespace sae_eval
