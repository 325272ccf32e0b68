// Rows of bfloat16 to and from float32, at the CPU's width.
#pragma once
#include "every_cpu.h"

namespace sae_eval {

FOR_EVERY_CPU static inline void widenRow(const uint16_t* bfloat16, int64_t count, float* out) {
  widen(bfloat16, count, out);
}
FOR_EVERY_CPU static inline void narrowRow(const float* row, int64_t count, uint16_t* bfloat16) {
  narrow(row, count, bfloat16);
}

}  // namespace sae_eval
