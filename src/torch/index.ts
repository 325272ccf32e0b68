/**
 * The libtorch binding: tensors, every operator of the dispatcher, scopes, mapped files.
 * @module
 */
import './casts.js';
import './print.js';
export { arange, empty, fromTypedArray, full, ones, scalar, tensor, zeros, type FromTypedArrayOptions, type TensorFromDataOptions, type TensorOptions } from './create.js';
export { TorchError } from './errors.js';
export * as kernels from './kernels.js';
export { mapFile, type MappedFile, type MappedTensorOptions } from './files.js';
export { Generator } from './generator.js';
export { slice, type Index, type IndexPutOptions } from './indexing.js';
export { operator, operatorSchemas, ops, refusedCalls } from './ops.js';
export { cuda, devices, manualSeed, memory, noGrad, numThreads, setInferenceMode, setMemoryCache, setNumThreads, synchronize, trimMemory, versions } from './runtime.js';
export { keep, scope } from './scope.js';
export { isTensor, Tensor, type Complex, type DType, type Layout, type MemoryFormat, type NestedNumbers, type Scalar, type TensorData, type TensorInput } from './tensor.js';
export { float32, float64, int32, rand, type ObjectTensor, type RandomOptions } from './torch-js.js';
