// All of ATen through the dispatcher: operators are looked up by name, arguments converted by
// schema.
#pragma once
#include <napi.h>

namespace sae_eval {

// `operator(name)`: a function that calls the operator, choosing the overload that fits its
// arguments.
Napi::Value makeOperator(const Napi::CallbackInfo& info);

// `method(name)`: the operator as a method, with the receiver as its first argument.
Napi::Value makeMethod(const Napi::CallbackInfo& info);

// `operatorSchemas()`: every schema the dispatcher knows, as strings.
Napi::Value operatorSchemas(const Napi::CallbackInfo& info);

}  // namespace sae_eval
