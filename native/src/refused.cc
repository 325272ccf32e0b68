#include "refused.h"

#include <string>

#include "errors.h"

namespace sae_eval {

namespace {

using Arguments = std::vector<c10::IValue>;

// Found by test/torch/walk, each seen to end a process of PyTorch's too. docs/dispatcher-walk.md lists them.
const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> table{};
  return table;
}

std::string qualified(const Refusal& refusal) {
  const std::string overload = refusal.overload;
  return overload.empty() ? refusal.name : std::string(refusal.name) + "." + overload;
}

}  // namespace

const Refusal* refusalOf(const c10::OperatorName& name) {
  for (const Refusal& refusal : refusals()) {
    if (name.name == refusal.name && (name.overload_name == refusal.overload || std::string(refusal.overload) == "*")) return &refusal;
  }
  return nullptr;
}

void requireSafe(const Refusal* refusal, const Arguments& arguments) {
  if (refusal == nullptr || (refusal->fatal != nullptr && !refusal->fatal(arguments))) return;
  throw CodedError("torch-refused", qualified(*refusal) + ": refused, libtorch would end the process: " + refusal->reason);
}

Napi::Value refusedCalls(const Napi::CallbackInfo& info) {
  Napi::Array rows = Napi::Array::New(info.Env());
  for (const Refusal& refusal : refusals()) {
    Napi::Object row = Napi::Object::New(info.Env());
    row.Set("operator", qualified(refusal));
    row.Set("reason", refusal.reason);
    rows.Set(rows.Length(), row);
  }
  return rows;
}

}  // namespace sae_eval
