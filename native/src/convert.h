// JavaScript values ⇄ IValues, by the types of an operator's schema.
#pragma once
#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>
#include <napi.h>

#include <optional>
#include <string>

namespace sae_eval {

// The value converted to the argument's type, or nothing if it does not fit. Throws only
// `tensor-disposed`.
std::optional<c10::IValue> fromJs(Napi::Env env, const Napi::Value& value,
                                  const c10::Argument& argument);

// A result as a JavaScript value: tensors wrapped, lists and tuples as arrays, integers beyond 2^53
// as bigint.
Napi::Value toJs(Napi::Env env, const c10::IValue& value, const c10::TypePtr& type);

// Phrase for the type of an argument: "a whole number", "an array of Tensors or nulls".
std::string expectedFor(const c10::Argument& argument);

// Whether a value is a complex number as JavaScript writes it: `{ re, im }`.
bool isComplex(const Napi::Value& value);

bool isMap(Napi::Env env, const Napi::Value& value);

Napi::Value scalarToJs(Napi::Env env, const at::Scalar& scalar);

// Phrase for a value: "a Tensor of shape [2, 3]", "the string 'abc'".
std::string describe(Napi::Env env, const Napi::Value& value);

}  // namespace sae_eval
