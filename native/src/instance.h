// What one loaded instance of the addon (one per JavaScript thread) keeps.
#pragma once
#include <ATen/ATen.h>
#include <napi.h>

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "typed_array.h"

namespace sae_eval {

// What a JavaScript Tensor owns: dropping the slot's tensor is what dispose() means. Shared with the scopes it was made in.
struct Slot {
  at::Tensor tensor;
  int64_t reportedBytes = 0;
  bool kept = false;  // scopes leave it alone
};

// The slots of the tensors made while a scope was the innermost one.
struct Scope {
  std::vector<std::shared_ptr<Slot>> made;
  int64_t within = 0;  // the asynchronous scope it was opened in, 0 for none
  bool open = true;
};

struct Instance {
  static Instance& of(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

  Napi::FunctionReference tensorClass;
  Napi::FunctionReference errorClass;
  Napi::FunctionReference mappedFileClass;

  // On its way into the Tensor that is being constructed; an External argument would cost a fifth of a small call.
  at::Tensor incoming;

  SharedBuffers sharedBuffers;

  // Synchronous scopes, innermost last.
  std::vector<std::shared_ptr<Scope>> scopes;
  // Asynchronous ones by number: several are open at once, and JavaScript knows in which of them it runs.
  std::unordered_map<int64_t, std::shared_ptr<Scope>> asyncScopes;
  int64_t lastAsyncScope = 0;
  Napi::FunctionReference currentAsyncScope;
  // Set while results arrive that were asked for in another scope.
  std::shared_ptr<Scope>* scopeOverride = nullptr;

  // Where a tensor made now belongs, or null.
  std::shared_ptr<Scope> innermostScope(Napi::Env env);

  int64_t liveHandles = 0;
  int64_t cpuBytes = 0;
  std::map<std::string, int64_t> otherBytes;  // by device
  int64_t collected = 0;  // handles freed by the garbage collector, not by dispose or a scope

  void countBytes(const at::Tensor& tensor, int64_t change);
  // Empties a slot, once.
  void release(Napi::Env env, Slot& slot);
};

// While it lives, new tensors belong to the given scope, or to none where that is null or closed.
class ScopeOverride {
 public:
  ScopeOverride(Instance& instance, std::shared_ptr<Scope> scope) : instance_(instance), scope_(std::move(scope)) {
    if (scope_ && !scope_->open) scope_.reset();
    instance_.scopeOverride = &scope_;
  }
  ~ScopeOverride() { instance_.scopeOverride = nullptr; }
  ScopeOverride(const ScopeOverride&) = delete;
  ScopeOverride& operator=(const ScopeOverride&) = delete;

 private:
  Instance& instance_;
  std::shared_ptr<Scope> scope_;
};

}  // namespace sae_eval
