// Freed CPU blocks kept for the next tensors of the same size.
#pragma once
#include <cstddef>

namespace sae_eval {

// Keeps up to `bytes` of freed blocks, fewer where the process would become much larger by them
// than it has to be; 0, as at the start, keeps none. For the whole process.
void setMemoryCache(size_t bytes);

// Gives the kept blocks back to the system.
void emptyMemoryCache();

}  // namespace sae_eval
