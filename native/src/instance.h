// State of one loaded instance of the addon, one per JavaScript thread.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/util/intrusive_ptr.h>
#include <napi.h>

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "typed_array.h"
#include "warnings.h"

namespace sae_eval {

// The tensor behind a JavaScript Tensor; dispose() drops it. The object shares the slot until it is
// released or collected, together with the scopes it was made in.
struct Slot : c10::intrusive_ptr_target {
  explicit Slot(at::Tensor given) : tensor(std::move(given)) {}

  at::Tensor tensor;
  napi_ref object = nullptr;      // weak
  const void* storage = nullptr;  // its entry in Instance::storages
  bool kept = false;              // scopes leave it alone
};
using SlotPtr = c10::intrusive_ptr<Slot>;

// The slots of the tensors made while a scope was the innermost one.
struct Scope {
  std::vector<SlotPtr> made;
  int64_t within = 0;  // the asynchronous scope it was opened in, 0 for none
  bool open = true;
};

struct Instance {
  Instance() { c10::WarningUtils::set_warning_handler(&warnings); }
  ~Instance() {
    if (c10::WarningUtils::get_warning_handler() == &warnings)
      c10::WarningUtils::set_warning_handler(nullptr);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  static Instance& of(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

  Napi::FunctionReference tensorClass;
  Napi::FunctionReference errorClass;
  Napi::FunctionReference mappedFileClass;
  Napi::FunctionReference warningListener;
  Warnings warnings;

  // Slots of all Tensors that are not disposed of. A pointer that an object wraps is a slot only if
  // it is in this set.
  std::unordered_set<const void*> live;
  // True while wrap() makes a Tensor: programs cannot construct one.
  bool constructing = false;

  SharedBuffers sharedBuffers;

  // Synchronous scopes, innermost last.
  std::vector<std::shared_ptr<Scope>> scopes;
  // Asynchronous scopes by number: several are open at once, and JavaScript knows the one it runs
  // in.
  std::unordered_map<int64_t, std::shared_ptr<Scope>> asyncScopes;
  int64_t lastAsyncScope = 0;
  Napi::FunctionReference currentAsyncScope;
  // Set while results arrive that belong to another scope.
  std::shared_ptr<Scope>* scopeOverride = nullptr;

  // The scope that a new tensor belongs to, or null.
  std::shared_ptr<Scope> innermostScope(Napi::Env env);

  // Storages under the handles of this thread, each counted once while one of its handles lives.
  struct Counted {
    c10::weak_intrusive_ptr<c10::StorageImpl> storage;  // keeps its address from being reused
    c10::Device device;
    int64_t bytes;
    int64_t handles;
  };
  std::unordered_map<const void*, Counted> storages;
  int64_t cpuBytes = 0;
  std::map<std::string, int64_t> otherBytes;  // by device
  int64_t collected = 0;        // handles freed by the garbage collector, not by dispose or a scope
  int64_t unreportedBytes = 0;  // counted, not yet told to V8
  // Number of synchronous scopes that are open or being closed. The garbage collector cannot free
  // what they hold: if V8 were told of that memory, it would collect in vain on cores that compute.
  int64_t silencingScopes = 0;

  void countBytes(Napi::BasicEnv env, const c10::Device& device, int64_t change);
  void tellBytes(Napi::BasicEnv env);
  void countStorage(Napi::BasicEnv env, Slot& slot);
  // Empties a slot, once, and takes it off its object.
  void release(Napi::Env env, Slot& slot);
  // The part of release() that a finalizer may do.
  void empty(Napi::BasicEnv env, Slot& slot);
};

// While it lives, new tensors belong to the given scope, or to none if that is null or closed.
class ScopeOverride {
 public:
  ScopeOverride(Instance& instance, std::shared_ptr<Scope> scope)
      : instance_(instance), scope_(std::move(scope)) {
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
