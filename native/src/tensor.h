// The JavaScript Tensor: one handle on one at::Tensor. What it wraps is taken off when it is
// disposed of, so that a loop that never returns to the event loop leaves nothing to finalizers.
#pragma once
#include "instance.h"

namespace sae_eval {

struct TensorWrap {
  static Napi::Function define(Napi::Env env);
  // A new JavaScript Tensor that owns `tensor`; it belongs to the innermost open scope.
  static Napi::Object wrap(Napi::Env env, at::Tensor tensor);
  // The slot of a Tensor, or null: of what is none, and of one that was disposed.
  static Slot* find(Napi::Env env, const Napi::Value& value);
  // Whether it is a Tensor, disposed or not.
  static bool isTensor(Napi::Env env, const Napi::Value& value);
  // The tensor behind a JavaScript Tensor; throws `tensor-disposed` after dispose(),
  // `torch-argument` for what is none.
  static const at::Tensor& unwrap(Napi::Env env, const Napi::Value& value);
};

}  // namespace sae_eval
