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
    static torch::Library definitions(torch::Library::DEF, "sae_eval", std::nullopt, __FILE__,
                                      __LINE__);
    definitions.def(
        "compare_logits_(Tensor(a!) sums, Tensor clean, Tensor spliced, Tensor labels, int from) "
        "-> Tensor(a!)");
    definitions.def(
        "compare_logits_by_parts_(Tensor(a!) sums, Tensor clean, Tensor spliced, Tensor labels, "
        "int from) -> Tensor(a!)");
    definitions.def(
        "attend(Tensor q, Tensor k, Tensor v, int[] lengths, Tensor? cosines, Tensor? sines, float "
        "scale, int window=0, bool unpadded=False) -> Tensor");
    definitions.def("standardize(Tensor h) -> (Tensor x, Tensor mean, Tensor std)");
    definitions.def("rms_norm(Tensor x, Tensor weight, float eps) -> Tensor");
    definitions.def("linear_from_parts(Tensor x, Tensor weight, Tensor? bias=None) -> Tensor");
    definitions.def("has_bfloat16_unit() -> bool", &canMultiplyParts);
    definitions.def("onednn_is_wider() -> bool", &onednnIsWider);
    definitions.def("keep_largest(Tensor a, int k) -> (Tensor values, Tensor indices)");
    definitions.def("row_products(Tensor x, Tensor y) -> Tensor");
    definitions.def("resampled_sums(Tensor[] columns, int[] state, int resamples) -> Tensor",
                    &resampledSums);
    static torch::Library cpu(torch::Library::IMPL, "sae_eval", c10::DispatchKey::CPU, __FILE__,
                              __LINE__);
    cpu.impl("compare_logits_", &compareLogitsCpu);
    cpu.impl("compare_logits_by_parts_", &compareLogitsByParts);
    cpu.impl("attend", &attendCpu);
    cpu.impl("standardize", &standardizeCpu);
    cpu.impl("rms_norm", &rmsNormCpu);
    cpu.impl("linear_from_parts", &linearFromPartsCpu);
    cpu.impl("keep_largest", &keepLargestCpu);
    cpu.impl("row_products", &rowProductsCpu);
    static torch::Library cuda(torch::Library::IMPL, "sae_eval", c10::DispatchKey::CUDA, __FILE__,
                               __LINE__);
    cuda.impl("compare_logits_", &compareLogitsCuda);
    static torch::Library other(torch::Library::IMPL, "sae_eval",
                                c10::DispatchKey::CompositeExplicitAutograd, __FILE__, __LINE__);
    other.impl("compare_logits_", &compareLogitsComposite);
    other.impl("standardize", &standardizeComposite);
    other.impl("rms_norm", &rmsNormComposite);
    other.impl("linear_from_parts", &linearFromPartsComposite);
    other.impl("keep_largest", &keepLargestComposite);
    other.impl("row_products", &rowProductsComposite);
  });
}

}  // namespace sae_eval
