// A cache of freed CPU blocks for later tensors of the same size.
#pragma once
#include <cstddef>

namespace sae_eval {

// Sets how many bytes of freed blocks the process keeps; 0, the default, keeps none. Fewer are kept
// if the process would otherwise grow far beyond the most it had in use at one time.
void setMemoryCache(size_t bytes);

// Gives the kept blocks back to the system.
void emptyMemoryCache();

}  // namespace sae_eval
