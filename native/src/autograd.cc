#include "autograd.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
// torch/torch.h would add 16 seconds of compiling for these two functions.
#include <torch/csrc/autograd/autograd.h>

#include <optional>
#include <string>
#include <vector>

#include "errors.h"
#include "tensor.h"

namespace sae_eval {

namespace {

// Inference mode is a property of the thread that computes; it lasts until switched off.
thread_local std::optional<c10::InferenceMode> inferenceGuard;

Napi::Value setInferenceMode(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "setInferenceMode", [&]() -> Napi::Value {
    const bool before = c10::InferenceMode::is_enabled();
    inferenceGuard.reset();
    if (info[0].ToBoolean()) inferenceGuard.emplace(true);
    return Napi::Boolean::New(info.Env(), before);
  });
}

Napi::Value setGradEnabled(const Napi::CallbackInfo& info) {
  const bool before = at::GradMode::is_enabled();
  at::GradMode::set_enabled(info[0].ToBoolean());
  return Napi::Boolean::New(info.Env(), before);
}

Napi::Value isGradEnabled(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), at::GradMode::is_enabled());
}

std::vector<at::Tensor> tensors(Napi::Env env, const Napi::Value& value, const char* what) {
  if (!value.IsArray())
    throw CodedError("torch-argument", std::string(what) + ": expected an array of Tensors");
  const auto array = value.As<Napi::Array>();
  std::vector<at::Tensor> result;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    if (item.IsNull() || item.IsUndefined())
      result.emplace_back();
    else if (TensorWrap::isTensor(env, item))
      result.push_back(TensorWrap::unwrap(env, item));
    else
      throw CodedError("torch-argument", std::string(what) + ": expected an array of Tensors");
  }
  return result;
}

// (outputs, gradients of outputs, inputs, retainGraph, createGraph)
Napi::Value backward(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "backward", [&]() -> Napi::Value {
    const auto outputs = tensors(info.Env(), info[0], "backward");
    const auto gradients = tensors(info.Env(), info[1], "backward: gradient");
    const auto inputs = tensors(info.Env(), info[2], "backward: inputs");
    torch::autograd::backward(outputs, gradients, info[3].ToBoolean().Value(), info[4].ToBoolean(),
                              inputs);
    Instance::of(info.Env()).warnings.tell(info.Env());
    return info.Env().Undefined();
  });
}

// (outputs, inputs, gradients of outputs, retainGraph, createGraph, allowUnused)
Napi::Value gradientsOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, "grad", [&]() -> Napi::Value {
    const auto outputs = tensors(env, info[0], "grad: outputs");
    const auto inputs = tensors(env, info[1], "grad: inputs");
    const auto gradients = tensors(env, info[2], "grad: gradients");
    const auto found =
        torch::autograd::grad(outputs, inputs, gradients, info[3].ToBoolean().Value(),
                              info[4].ToBoolean(), info[5].ToBoolean());
    Napi::Array result = Napi::Array::New(env, found.size());
    for (size_t i = 0; i < found.size(); ++i) {
      result.Set(static_cast<uint32_t>(i),
                 found[i].defined() ? Napi::Value(TensorWrap::wrap(env, found[i])) : env.Null());
    }
    return result;
  });
}

}  // namespace

void exportAutograd(Napi::Env env, Napi::Object exports) {
  exports.Set("setInferenceMode", Napi::Function::New(env, setInferenceMode, "setInferenceMode"));
  exports.Set("setGradEnabled", Napi::Function::New(env, setGradEnabled, "setGradEnabled"));
  exports.Set("isGradEnabled", Napi::Function::New(env, isGradEnabled, "isGradEnabled"));
  exports.Set("backward", Napi::Function::New(env, backward, "backward"));
  exports.Set("grad", Napi::Function::New(env, gradientsOf, "grad"));
}

}  // namespace sae_eval
