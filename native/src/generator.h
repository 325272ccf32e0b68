// The JavaScript Generator: a separate stream of random numbers, for operators that take one.
#pragma once
#include <ATen/core/Generator.h>
#include <napi.h>

namespace sae_eval {

// Reads a seed, a whole number from 0 to 2^64 - 1. `what` is the function's name for the error.
uint64_t seedFrom(Napi::Env env, const Napi::Value& value, const char* what);

class GeneratorWrap : public Napi::ObjectWrap<GeneratorWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  static bool isGenerator(const Napi::Value& value);
  static const at::Generator& unwrap(const Napi::Value& value);

  explicit GeneratorWrap(const Napi::CallbackInfo& info);

 private:
  static Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value manualSeed(const Napi::CallbackInfo& info);
  Napi::Value initialSeed(const Napi::CallbackInfo& info);
  Napi::Value getState(const Napi::CallbackInfo& info);
  Napi::Value setState(const Napi::CallbackInfo& info);

  at::Generator generator_;
};

}  // namespace sae_eval
