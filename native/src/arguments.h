// The arguments of one call from JavaScript, matched with a schema, and its results.
#pragma once
#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>
#include <c10/util/SmallVector.h>
#include <napi.h>

#include <optional>
#include <string>
#include <vector>

namespace sae_eval {

// A value as JavaScript gave it. A Tensor is unwrapped once, however many overloads are tried.
struct Given {
  Given(Napi::Env env, Napi::Value given);

  Napi::Value value;
  at::Tensor tensor;  // undefined unless the value is a live Tensor
};

struct Arguments {
  struct Named {
    std::string name;
    Given given;
  };
  c10::SmallVector<Given, 6> positional;
  c10::SmallVector<Named, 4> named;
};

// The call's values from `first` on. A plain object at the end holds named arguments.
Arguments splitArguments(const Napi::CallbackInfo& info, size_t first = 0);

// The values of a method call: the receiver comes first.
Arguments splitMethodArguments(const Napi::CallbackInfo& info);

// Fills `stack` by the schema. Returns false, with a reason, if a value does not fit.
bool bindArguments(Napi::Env env, const c10::FunctionSchema& schema, const Arguments& given,
                   std::vector<c10::IValue>& stack, std::string* why);

// Results that are arguments which the operator wrote to (in-place and out= operators).
class WrittenResults {
 public:
  explicit WrittenResults(const c10::FunctionSchema& schema);
  // The given value for each result; empty if the operator writes to no argument.
  std::vector<Napi::Value> valuesOf(Napi::Env env, const c10::FunctionSchema& schema,
                                    const Arguments& given) const;

 private:
  std::vector<std::optional<size_t>> arguments_;
};

// Result of the call: one value, or an array of several. Arguments that were written to
// (`WrittenResults`) come back as the same objects.
Napi::Value resultsToJs(Napi::Env env, const c10::FunctionSchema& schema,
                        const std::vector<Napi::Value>& written,
                        const std::vector<c10::IValue>& stack);

}  // namespace sae_eval
