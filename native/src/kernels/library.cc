#include "library.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <memory>
#include <mutex>

namespace sae_eval {

void registerOperators() {
  static std::once_flag once;
  std::call_once(once, [] {
    // A second copy of the addon in the process finds the operators of the first.
    if (c10::Dispatcher::singleton().findSchema({"sae_eval::compare_logits_", ""})) return;
    static torch::Library definitions(torch::Library::DEF, "sae_eval", std::nullopt, __FILE__, __LINE__);
    definitions.def("compare_logits_(Tensor(a!) sums, Tensor clean, Tensor spliced, Tensor labels, int from) -> Tensor(a!)");
    static torch::Library cpu(torch::Library::IMPL, "sae_eval", c10::DispatchKey::CPU, __FILE__, __LINE__);
    cpu.impl("compare_logits_", &compareLogitsCpu);
    static torch::Library other(torch::Library::IMPL, "sae_eval", c10::DispatchKey::CompositeExplicitAutograd, __FILE__, __LINE__);
    other.impl("compare_logits_", &compareLogitsComposite);
  });
}

}  // namespace sae_eval
