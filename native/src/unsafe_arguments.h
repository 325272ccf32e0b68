// Checks for operators that trust their caller: of sizes, and of indices held in tensors.
// Each says whether these arguments would lead outside memory (or divide by zero); an error thrown
// here is as good as libtorch's own.
#pragma once
#include <ATen/core/ivalue.h>

#include <vector>

namespace sae_eval::unsafe {

using Arguments = std::vector<c10::IValue>;

bool batchNorm(const Arguments& arguments);  // (input, weight, bias, mean, variance, training, …)
bool batchNormNoUpdate(const Arguments& arguments);      // (input, weight, bias, mean, variance, …)
bool batchNormWithUpdate(const Arguments& arguments);    // (input, weight, bias, mean, variance, …)
bool batchNormNoStatistics(const Arguments& arguments);  // (input, weight, bias, training, …)
bool batchNormStatistics(const Arguments& arguments);    // (input, mean, variance, …)
bool batchNormBackward(const Arguments& arguments);  // (grad, input, weight, mean, variance, saved,
                                                     // saved, training, …)
bool batchNormIndexBackward(const Arguments& arguments);  // (index, input, grad, …)
bool cumulativeHelper(const Arguments& arguments);        // (self, values, indices, dim)
bool choleskyHelper(const Arguments& arguments);          // (self, A, upper)
bool withoutDimensions(const Arguments& arguments);       // (tensors, …)
bool csrIndices(const Arguments& arguments);              // (crow, col, …)
bool cooIndices(const Arguments& arguments);              // (indices, size, …)
bool transformDims(const Arguments& arguments);           // (self, dims, …)
bool lentMemory(const Arguments& arguments);              // (self)
bool listsDifferInLength(const Arguments& arguments);     // (list, list, …)
bool threeListsDiffer(const Arguments& arguments);        // (list, list, list, …)
bool fourListsDiffer(const Arguments& arguments);         // (list, list, list, list, …)
bool firstTwoDiffer(const Arguments& arguments);          // (tensor, tensor, …) of one shape
bool empty(const Arguments& arguments);                   // (tensor, …)
bool integers(const Arguments& arguments);                // (tensor, tensor, …)
bool packConvolution(const Arguments& arguments);         // (input, weight, bias, …)
bool packedBatches(const Arguments& arguments);           // (data, batchSizes, …)
bool pairDistances(const Arguments& arguments);           // (grad, self, p, distances)
bool crossDistances(const Arguments& arguments);          // (grad, x1, x2, p, distances)
bool aliasOutside(const Arguments& arguments);            // (self, size, stride)
bool weightNorm(const Arguments& arguments);              // (v, g, dim)
bool weightNormBackward(const Arguments& arguments);      // (grad, v, g, norms, dim)
bool noiseIntoOut(
    const Arguments& arguments);  // (self, noise, lower, upper, training, generator, out)
bool kernelOfOtherSize(const Arguments& arguments);     // (self, weight, kernelSize, …)
bool rangeStepBelowOne(const Arguments& arguments);     // (start, end, step, dtype, …)
bool rangeOutStepBelowOne(const Arguments& arguments);  // (start, end, step, out)
bool batchDimsOutside(const Arguments& arguments);      // (self, other, count)
bool sobolState(const Arguments& arguments);            // (state, dimension)
bool paddedGradient(const Arguments& arguments);        // (grad, self, padding, …)
bool unfoldedGradient(const Arguments& arguments);      // (grad, sizes, …)
bool projectedHeads(const Arguments& arguments);        // (qkv, bias, heads)
bool observedRanges(const Arguments& arguments);  // (self, on, on, min, max, scale, zeroPoint, …)
bool bags(const Arguments&
              arguments);  // (weight, indices, offsets, scale, mode, sparse, weights, last, …)
bool segments(
    const Arguments& arguments);  // (data, reduce, lengths, indices, offsets, axis, unsafe, …)
bool packed4Bit(const Arguments& arguments);           // (input, packed weights, block, in, out)
bool combination(const Arguments& arguments);          // (input, coefficients, out?)
bool embeddingGradient(const Arguments& arguments);    // (grad, indices, rows, …)
bool quantizedParameters(const Arguments& arguments);  // (input, numel, bins, ratio, bits)
bool pack4Bit(const Arguments& arguments);             // (weights, scales, bias, block, in, out)
bool pooledGradient2d(const Arguments& arguments);     // (grad, self, indices)
bool pooledGradient3d(const Arguments& arguments);     // (grad, self, indices)
bool nestedSizes(const Arguments& arguments);          // (sizes)
bool recurrentWeights(
    const Arguments& arguments);  // (input, hidden, weights, biases, layers, …, bidirectional, …)
bool packedRecurrentWeights(
    const Arguments& arguments);  // (data, batchSizes, hidden, weights, biases, layers, …)

}  // namespace sae_eval::unsafe
