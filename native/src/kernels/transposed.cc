// A matrix with rows and columns exchanged, in tiles that fit the innermost cache: whole cache
// lines are read and written.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

#include "every_cpu.h"
#include "library.h"

namespace sae_eval {

namespace {

constexpr int64_t tile = 32;

// to[c][r] = from[r][c].
template <typename T>
PART_OF_KERNEL void turnTile(const T* from, int64_t fromStride, int64_t rows, int64_t columns,
                             T* to, int64_t toStride) {
  T buffer[tile][tile];
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) buffer[c][r] = from[r * fromStride + c];
  for (int64_t c = 0; c < columns; ++c) std::copy_n(buffer[c], rows, to + c * toStride);
}

FOR_EVERY_CPU void turnTile(const uint16_t* from, int64_t fromStride, int64_t rows, int64_t columns,
                            uint16_t* to, int64_t toStride) {
  turnTile<uint16_t>(from, fromStride, rows, columns, to, toStride);
}
FOR_EVERY_CPU void turnTile(const uint32_t* from, int64_t fromStride, int64_t rows, int64_t columns,
                            uint32_t* to, int64_t toStride) {
  turnTile<uint32_t>(from, fromStride, rows, columns, to, toStride);
}

template <typename T>
void turn(const at::Tensor& x, at::Tensor& result) {
  const int64_t rows = x.size(0), columns = x.size(1), stride = x.stride(0);
  const auto* from = static_cast<const T*>(x.const_data_ptr());
  auto* to = static_cast<T*>(result.mutable_data_ptr());
  // Rows of the result are shared out, so that two threads never write one page.
  at::parallel_for(0, (columns + tile - 1) / tile, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; r += tile)
      for (int64_t c = begin * tile; c < std::min(columns, end * tile); c += tile)
        turnTile(from + r * stride + c, stride, std::min(tile, rows - r),
                 std::min(tile, columns - c), to + c * rows + r, rows);
  });
}

}  // namespace

at::Tensor transposedComposite(const at::Tensor& x) {
  return x.t().contiguous();
}

at::Tensor transposedCpu(const at::Tensor& x) {
  TORCH_CHECK(x.dim() == 2, "transposed: expected a matrix, found ", x.sizes());
  const int64_t bytes = x.element_size();
  if (x.numel() == 0 || x.stride(1) != 1 || x.is_complex() || (bytes != 2 && bytes != 4))
    return transposedComposite(x);
  at::Tensor result = at::empty({x.size(1), x.size(0)}, x.options());
  if (bytes == 2)
    turn<uint16_t>(x, result);
  else
    turn<uint32_t>(x, result);
  return result;
}

}  // namespace sae_eval
