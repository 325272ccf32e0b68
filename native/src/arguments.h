// The arguments of one call from JavaScript, matched with a schema; and its results on their way back.
#pragma once
#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>
#include <napi.h>

#include <string>
#include <vector>

namespace sae_eval {

struct Arguments {
  std::vector<Napi::Value> positional;
  Napi::Object named;  // empty where none were given
};

// The call's values from `first` on; a plain object at the end holds named ones.
Arguments splitArguments(const Napi::CallbackInfo& info, size_t first = 0);

// Keeps the values alive for a call that outlives this one, and gives them back.
Napi::Reference<Napi::Array> holdArguments(Napi::Env env, const Arguments& given);
Arguments heldArguments(const Napi::Reference<Napi::Array>& held);

// Fills `stack` by the schema; where something does not fit, says what and returns false.
bool bindArguments(Napi::Env env, const c10::FunctionSchema& schema, const Arguments& given, std::vector<c10::IValue>& stack, std::string* why);

// What the call returned: one value, or an array of several; arguments that were written to as the same objects.
Napi::Value resultsToJs(Napi::Env env, const c10::FunctionSchema& schema, const Arguments& given, const std::vector<c10::IValue>& stack);

}  // namespace sae_eval
