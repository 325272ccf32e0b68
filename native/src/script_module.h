// The JavaScript ScriptModule: a TorchScript program from a file. Such a file is code that runs.
#pragma once
#include <napi.h>

#include <memory>

namespace torch::jit {
struct Module;
}

namespace sae_eval {

class ScriptModuleWrap : public Napi::ObjectWrap<ScriptModuleWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit ScriptModuleWrap(const Napi::CallbackInfo& info);
  ~ScriptModuleWrap() override;

 private:
  Napi::Value schema(const Napi::CallbackInfo& info);
  Napi::Value methods(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value runAsync(const Napi::CallbackInfo& info);
  Napi::Value parameters(const Napi::CallbackInfo& info);
  Napi::Value buffers(const Napi::CallbackInfo& info);
  Napi::Value to(const Napi::CallbackInfo& info);
  Napi::Value train(const Napi::CallbackInfo& info);

  std::shared_ptr<torch::jit::Module> module_;  // shared with calls under way
};

}  // namespace sae_eval
