// Kernels of the simulated devices.
#pragma once

namespace simulated {

// Registers kernels for every operator of ATen.
void registerOperators();

// Registers the kernels of attention, which CUDA chooses by rules of its own.
void registerAttention();

}  // namespace simulated
