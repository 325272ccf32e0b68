#include "scopes.h"

#include <unordered_set>
#include <utility>

#include "errors.h"
#include "instance.h"
#include "tensor.h"

namespace sae_eval {

namespace {

int64_t currentAsyncScope(Napi::Env env, Instance& instance) {
  return instance.asyncScopes.empty()
             ? 0
             : instance.currentAsyncScope.Value().Call({}).ToNumber().Int64Value();
}

// Frees the tensors of a scope that was taken off the instance's lists, except those given, which
// pass to the enclosing scope.
void close(Napi::Env env, Instance& instance, Scope& scope, const Napi::Array& keep) {
  scope.open = false;
  std::unordered_set<const Slot*> kept;
  for (uint32_t i = 0; i < keep.Length(); ++i) kept.insert(TensorWrap::find(env, keep.Get(i)));
  const auto around = kept.empty() ? nullptr : instance.innermostScope(env);
  for (auto& slot : std::exchange(scope.made, {})) {
    if (slot->kept) continue;
    if (kept.count(slot.get()) == 0) {
      instance.release(env, *slot);
    } else if (around) {
      around->made.push_back(std::move(slot));
    }
  }
}

// Passes all tensors of a scope that was taken off the instance's lists to the enclosing scope.
void pass(Napi::Env env, Instance& instance, Scope& scope) {
  scope.open = false;
  const auto around = instance.innermostScope(env);
  if (!around) return;
  for (auto& slot : std::exchange(scope.made, {}))
    if (slot->tensor.defined() && !slot->kept) around->made.push_back(std::move(slot));
}

Napi::Value openScope(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "scope", [&]() -> Napi::Value {
    Instance& instance = Instance::of(info.Env());
    auto scope = std::make_shared<Scope>();
    scope->within = currentAsyncScope(info.Env(), instance);
    instance.scopes.push_back(std::move(scope));
    ++instance.silencingScopes;
    return info.Env().Undefined();
  });
}

Napi::Value closeScope(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "scope", [&]() -> Napi::Value {
    Instance& instance = Instance::of(info.Env());
    if (instance.scopes.empty()) throw CodedError("torch-argument", "scope: none is open");
    const auto scope = std::move(instance.scopes.back());
    instance.scopes.pop_back();
    struct Closing {
      Napi::Env env;
      Instance& instance;
      ~Closing() {
        if (--instance.silencingScopes == 0) instance.tellBytes(env);
      }
    } const closing{info.Env(), instance};
    if (info[0].IsNull()) {
      pass(info.Env(), instance, *scope);
    } else {
      close(info.Env(), instance, *scope, info[0].As<Napi::Array>());
    }
    return info.Env().Undefined();
  });
}

Napi::Value openAsyncScope(const Napi::CallbackInfo& info) {
  Instance& instance = Instance::of(info.Env());
  const int64_t number = ++instance.lastAsyncScope;
  instance.asyncScopes.emplace(number, std::make_shared<Scope>());
  return Napi::Number::New(info.Env(), static_cast<double>(number));
}

Napi::Value closeAsyncScope(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "asyncScope", [&]() -> Napi::Value {
    Instance& instance = Instance::of(info.Env());
    auto found = instance.asyncScopes.extract(info[0].ToNumber().Int64Value());
    if (found.empty()) throw CodedError("torch-argument", "asyncScope: it is not open");
    close(info.Env(), instance, *found.mapped(), info[1].As<Napi::Array>());
    return info.Env().Undefined();
  });
}

// Sets the function that returns the number of the current asynchronous scope, 0 for none.
Napi::Value setCurrentAsyncScope(const Napi::CallbackInfo& info) {
  Instance::of(info.Env()).currentAsyncScope = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

// Takes a tensor out of its scopes: from then on, only dispose() or the garbage collector frees it.
Napi::Value keep(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "keep", [&]() -> Napi::Value {
    if (!TensorWrap::isTensor(info.Env(), info[0]))
      throw CodedError("torch-argument", "keep: expected a Tensor");
    if (Slot* slot = TensorWrap::find(info.Env(), info[0])) slot->kept = true;
    return info[0];
  });
}

}  // namespace

std::shared_ptr<Scope> Instance::innermostScope(Napi::Env env) {
  if (scopeOverride != nullptr) return *scopeOverride;
  const auto synchronous = scopes.empty() ? nullptr : scopes.back();
  if (asyncScopes.empty()) return synchronous;
  const int64_t current = sae_eval::currentAsyncScope(env, *this);
  if (synchronous && synchronous->within == current) return synchronous;
  const auto found = asyncScopes.find(current);
  return found == asyncScopes.end() ? synchronous : found->second;
}

void exportScopes(Napi::Env env, Napi::Object exports) {
  exports.Set("openScope", Napi::Function::New(env, openScope, "openScope"));
  exports.Set("closeScope", Napi::Function::New(env, closeScope, "closeScope"));
  exports.Set("openAsyncScope", Napi::Function::New(env, openAsyncScope, "openAsyncScope"));
  exports.Set("closeAsyncScope", Napi::Function::New(env, closeAsyncScope, "closeAsyncScope"));
  exports.Set("setCurrentAsyncScope",
              Napi::Function::New(env, setCurrentAsyncScope, "setCurrentAsyncScope"));
  exports.Set("keep", Napi::Function::New(env, keep, "keep"));
}

}  // namespace sae_eval
