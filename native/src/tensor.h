// The JavaScript Tensor: one handle on one at::Tensor.
#pragma once
#include "instance.h"

namespace sae_eval {

class TensorWrap : public Napi::ObjectWrap<TensorWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  // A new JavaScript Tensor that owns `tensor`; it belongs to the innermost open scope.
  static Napi::Object wrap(Napi::Env env, at::Tensor tensor);
  static bool isTensor(Napi::Env env, const Napi::Value& value);
  // The tensor behind a JavaScript Tensor; throws `tensor-disposed` after dispose().
  static const at::Tensor& unwrap(const Napi::Value& value);
  static std::shared_ptr<Slot> slotOf(const Napi::Value& value);

  explicit TensorWrap(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  const at::Tensor& tensor() const;

  Napi::Value shape(const Napi::CallbackInfo& info);
  Napi::Value strides(const Napi::CallbackInfo& info);
  Napi::Value dtype(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value layout(const Napi::CallbackInfo& info);
  Napi::Value numel(const Napi::CallbackInfo& info);
  Napi::Value disposed(const Napi::CallbackInfo& info);
  Napi::Value requiresGrad(const Napi::CallbackInfo& info);
  void setRequiresGrad(const Napi::CallbackInfo& info, const Napi::Value& value);
  Napi::Value grad(const Napi::CallbackInfo& info);
  void setGrad(const Napi::CallbackInfo& info, const Napi::Value& value);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value toTypedArray(const Napi::CallbackInfo& info);
  Napi::Value asTypedArray(const Napi::CallbackInfo& info);
  Napi::Value item(const Napi::CallbackInfo& info);

  std::shared_ptr<Slot> slot_;
};

}  // namespace sae_eval
