// What one loaded instance of the addon (one per JavaScript thread) keeps.
#pragma once
#include <ATen/ATen.h>
#include <napi.h>

#include <memory>
#include <vector>

#include "typed_array.h"

namespace sae_eval {

// What a JavaScript Tensor owns: dropping the slot's tensor is what dispose() means. Shared with the scopes it was made in.
struct Slot {
  at::Tensor tensor;
  int64_t reportedBytes = 0;
  bool kept = false;  // scopes leave it alone
};

struct Instance {
  static Instance& of(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

  Napi::FunctionReference tensorClass;
  Napi::FunctionReference errorClass;
  Napi::FunctionReference mappedFileClass;

  // On its way into the Tensor that is being constructed; an External argument would cost a fifth of a small call.
  at::Tensor incoming;

  SharedBuffers sharedBuffers;

  // Innermost scope last; each holds the slots of the tensors made while it was open.
  std::vector<std::vector<std::shared_ptr<Slot>>> scopes;

  int64_t liveHandles = 0;
  int64_t liveBytes = 0;
  int64_t collected = 0;  // handles freed by the garbage collector, not by dispose or a scope

  // Empties a slot, once.
  void release(Napi::Env env, Slot& slot);
};

}  // namespace sae_eval
