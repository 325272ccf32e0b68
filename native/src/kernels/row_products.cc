// Squared norms and inner products of the rows of two matrices in one pass over memory, where ATen
// makes three matrices of products first.
#include <ATen/Parallel.h>

#include <cstdint>

#include "every_cpu.h"
#include "fresh.h"
#include "library.h"

namespace sae_eval {

namespace {

// Partial sums of a row: independent of each other, so that they fill vectors.
constexpr int64_t parts = 16;

FOR_EVERY_CPU void addRow(const float* x, const float* y, int64_t count, double* totals) {
  double squareX[parts] = {}, squareError[parts] = {}, squareY[parts] = {}, product[parts] = {};
  const int64_t whole = count - count % parts;
  for (int64_t from = 0; from < whole; from += parts)
    for (int64_t i = 0; i < parts; ++i) {
      const double a = x[from + i], b = y[from + i];
      const double error = b - a;
      squareX[i] += a * a;
      squareError[i] += error * error;
      squareY[i] += b * b;
      product[i] += a * b;
    }
  for (int64_t i = 0; i < count - whole; ++i) {
    const double a = x[whole + i], b = y[whole + i];
    const double error = b - a;
    squareX[i] += a * a;
    squareError[i] += error * error;
    squareY[i] += b * b;
    product[i] += a * b;
  }
  for (int64_t i = 0; i < parts; ++i) {
    totals[0] += squareX[i];
    totals[1] += squareError[i];
    totals[2] += squareY[i];
    totals[3] += product[i];
  }
}

}  // namespace

at::Tensor rowProductsCpu(const at::Tensor& left, const at::Tensor& right) {
  TORCH_CHECK(left.dim() == 2 && left.sizes() == right.sizes(),
              "row_products: expected two matrices [n, d], found ", left.sizes(), " and ",
              right.sizes());
  if (left.scalar_type() != at::kFloat || right.scalar_type() != at::kFloat)
    return rowProductsComposite(left, right);
  const at::Tensor x = left.contiguous(), y = right.contiguous();
  const int64_t n = x.size(0), d = x.size(1);
  at::Tensor result = fresh({4, n}, at::kDouble);
  const float* fromX = x.const_data_ptr<float>();
  const float* fromY = y.const_data_ptr<float>();
  double* to = result.mutable_data_ptr<double>();
  at::parallel_for(0, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      double totals[4] = {};
      addRow(fromX + row * d, fromY + row * d, d, totals);
      for (int64_t i = 0; i < 4; ++i) to[i * n + row] = totals[i];
    }
  });
  return result;
}

}  // namespace sae_eval
