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
  void Finalize(Napi::BasicEnv env) override;

 private:
  Napi::Value schema(const Napi::CallbackInfo& info);
  Napi::Value methods(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value runAsync(const Napi::CallbackInfo& info);
  Napi::Value parameters(const Napi::CallbackInfo& info);
  Napi::Value buffers(const Napi::CallbackInfo& info);
  Napi::Value to(const Napi::CallbackInfo& info);
  Napi::Value train(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value disposed(const Napi::CallbackInfo& info);

  const std::shared_ptr<torch::jit::Module>& module() const;
  // Tells V8 what the parameters and buffers take now.
  void report(Napi::BasicEnv env);

  std::shared_ptr<torch::jit::Module>
      module_;  // shared with calls under way; null once disposed of
  int64_t reportedBytes_ = 0;
};

}  // namespace sae_eval
