// The comparison of logits by the parts of logit_parts.h: on CUDA devices as one launch, and on the
// CPU by the same text, so that it can be checked where there is no device.
#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda_driver.h"
#include "library.h"
#include "logit_parts_text.h"

#include <cmath>

using std::exp;
#include "logit_parts.h"

namespace sae_eval {

namespace {

constexpr int threads = 256;  // as in logit_parts.h

const char* kernelFor(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "compare_float";
    case at::kBFloat16:
      return "compare_bfloat16";
    case at::kHalf:
      return "compare_float16";
    default:
      return nullptr;
  }
}

// The program of a device, compiled at the first use; null where that cannot be done.
std::shared_ptr<DeviceProgram> programOf(int device) {
  static std::mutex mutex;
  static std::map<int, std::shared_ptr<DeviceProgram>> programs;
  const std::lock_guard lock(mutex);
  const auto found = programs.find(device);
  if (found != programs.end()) return found->second;
  return programs[device] = DeviceProgram::load(logitPartsText, device);
}

template <typename T>
void compareOnHost(const at::Tensor& sums, const at::Tensor& clean, const at::Tensor& lanes,
                   const at::Tensor& labels, int64_t from) {
  using logit_parts::Part;
  const int64_t n = clean.size(0), columns = clean.size(1);
  const T* a = static_cast<const T*>(clean.const_data_ptr());
  const T* b = static_cast<const T*>(lanes.const_data_ptr());
  auto* rows = sums.mutable_data_ptr<double>();
  const auto* next = labels.const_data_ptr<int64_t>();
  std::vector<Part> parts(threads);
  for (int64_t lane = 0; lane < lanes.size(0); ++lane) {
    for (int64_t row = 0; row < n; ++row) {
      const T* rowA = a + row * columns;
      const T* rowB = b + (lane * n + row) * columns;
      for (int thread = 0; thread < threads; ++thread)
        parts[thread] = logit_parts::partOfRow(rowA, rowB, columns, thread, threads);
      for (int half = threads / 2; half > 0; half /= 2)
        for (int thread = 0; thread < half; ++thread)
          logit_parts::merge(parts[thread], parts[thread + half]);
      logit_parts::addToRow(rows + (lane * n + row) * 7, parts[0], rowA, rowB, columns,
                            next[row] - from);
    }
  }
}

}  // namespace

at::Tensor& compareLogitsCuda(at::Tensor& sums, const at::Tensor& clean, const at::Tensor& spliced,
                              const at::Tensor& labels, int64_t from) {
  checkComparison(sums, clean, spliced, labels);
  const c10::DeviceGuard guard(clean.device());
  const char* kernel = kernelFor(clean.scalar_type());
  const auto program = kernel == nullptr ? nullptr : programOf(clean.device().index());
  if (!program) return compareLogitsComposite(sums, clean, spliced, labels, from);
  if (spliced.numel() == 0) return sums;
  const at::Tensor a = clean.contiguous(), b = spliced.contiguous(), next = labels.contiguous();
  void* pointers[] = {sums.mutable_data_ptr(), const_cast<void*>(a.const_data_ptr()),
                      const_cast<void*>(b.const_data_ptr()),
                      const_cast<void*>(next.const_data_ptr())};
  long long first = from, columns = a.size(1);
  void* arguments[] = {&pointers[0], &pointers[1], &pointers[2], &pointers[3], &first, &columns};
  program->launch(kernel, static_cast<unsigned>(a.size(0)), static_cast<unsigned>(b.size(0)),
                  threads, arguments);
  return sums;
}

at::Tensor& compareLogitsByParts(at::Tensor& sums, const at::Tensor& clean,
                                 const at::Tensor& spliced, const at::Tensor& labels,
                                 int64_t from) {
  checkComparison(sums, clean, spliced, labels);
  const at::Tensor a = clean.contiguous(), b = spliced.contiguous(), next = labels.contiguous();
  switch (clean.scalar_type()) {
    case at::kFloat:
      compareOnHost<float>(sums, a, b, next, from);
      break;
    case at::kBFloat16:
      compareOnHost<logit_parts::Bfloat16>(sums, a, b, next, from);
      break;
    case at::kHalf:
      compareOnHost<logit_parts::Float16>(sums, a, b, next, from);
      break;
    default:
      TORCH_CHECK_NOT_IMPLEMENTED(false, "compare_logits_by_parts_: no kernel for ",
                                  clean.scalar_type());
  }
  return sums;
}

}  // namespace sae_eval
