// Calls on which libtorch itself would end the process: the known ones are refused instead.
#pragma once
#include <ATen/core/ivalue.h>
#include <ATen/core/operator_name.h>
#include <napi.h>

#include <vector>

namespace sae_eval {

struct Refusal {
  const char* name;      // name of the operator, `aten::…`
  const char* overload;  // "" for the overload without a name, "*" for all
  // Whether these arguments are fatal; null if all are.
  bool (*fatal)(const std::vector<c10::IValue>& arguments);
  const char* reason;
};

// The row of an overload, or null, as for nearly all. Looked up once, with the operator.
const Refusal* refusalOf(const c10::OperatorName& name);

// Throws `torch-refused` if, by the row, these arguments would end the process.
void requireSafe(const Refusal* refusal, const std::vector<c10::IValue>& arguments);

// The table, for the documentation and its test: [{ operator, reason }].
Napi::Value refusedCalls(const Napi::CallbackInfo& info);

}  // namespace sae_eval
