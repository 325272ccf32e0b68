// The allocator, the guard and the hooks that libtorch asks about CUDA devices.
#pragma once

namespace simulated {

void registerAllocator();

}  // namespace simulated
