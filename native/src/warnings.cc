#include "warnings.h"

#include <utility>

#include "errors.h"
#include "instance.h"

namespace sae_eval {

void Warnings::process(const c10::Warning& warning) {
  constexpr size_t most = 16;  // an operator may warn for each element
  if (texts_.size() < most) texts_.push_back(warning.msg());
}

void Warnings::tell(Napi::Env env) {
  if (texts_.empty()) return;
  const Instance& instance = Instance::of(env);
  for (const std::string& text : std::exchange(texts_, {}))
    if (!instance.warningListener.IsEmpty())
      instance.warningListener.Call({Napi::String::New(env, text)});
}

Napi::Value setWarningListener(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "setWarningListener", [&]() -> Napi::Value {
    Instance::of(info.Env()).warningListener = Napi::Persistent(info[0].As<Napi::Function>());
    return info.Env().Undefined();
  });
}

}  // namespace sae_eval
