// All of ATen through the dispatcher: an operator is looked up by name, its arguments are converted
// by its schema.
#pragma once
#include <napi.h>

namespace sae_eval {

// `operator(name)`: a function that calls the operator, choosing the overload that fits its
// arguments.
Napi::Value makeOperator(const Napi::CallbackInfo& info);

// `method(name)`: the same as a method, whose first argument is what it is called on.
Napi::Value makeMethod(const Napi::CallbackInfo& info);

// `operatorSchemas()`: every schema the dispatcher knows, as strings.
Napi::Value operatorSchemas(const Napi::CallbackInfo& info);

}  // namespace sae_eval
