// The arguments of one call from JavaScript, matched with a schema; and its results on their way
// back.
#pragma once
#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>
#include <c10/util/SmallVector.h>
#include <napi.h>

#include <optional>
#include <string>
#include <vector>

namespace sae_eval {

// A value as it was given. The tensor of a Tensor is taken out once, however many overloads are
// tried.
struct Given {
  Given(Napi::Env env, Napi::Value given);

  Napi::Value value;
  at::Tensor tensor;  // undefined for all but live Tensors
};

struct Arguments {
  struct Named {
    std::string name;
    Given given;
  };
  c10::SmallVector<Given, 6> positional;
  c10::SmallVector<Named, 4> named;
};

// The call's values from `first` on; a plain object at the end holds named ones.
Arguments splitArguments(const Napi::CallbackInfo& info, size_t first = 0);

// The same for a method: what it is called on comes first.
Arguments splitMethodArguments(const Napi::CallbackInfo& info);

// Fills `stack` by the schema; where something does not fit, says what and returns false.
bool bindArguments(Napi::Env env, const c10::FunctionSchema& schema, const Arguments& given,
                   std::vector<c10::IValue>& stack, std::string* why);

// Which results are an argument that was written to (in-place and out= operators), and which
// argument that is.
class WrittenResults {
 public:
  explicit WrittenResults(const c10::FunctionSchema& schema);
  // For each of them the value that was given; empty where nothing is written to.
  std::vector<Napi::Value> valuesOf(Napi::Env env, const c10::FunctionSchema& schema,
                                    const Arguments& given) const;

 private:
  std::vector<std::optional<size_t>> arguments_;
};

// What the call returned: one value, or an array of several; arguments that were written to (of
// `WrittenResults`) as the same objects.
Napi::Value resultsToJs(Napi::Env env, const c10::FunctionSchema& schema,
                        const std::vector<Napi::Value>& written,
                        const std::vector<c10::IValue>& stack);

}  // namespace sae_eval
