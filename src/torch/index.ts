/**
 * The libtorch binding: tensors, every operator of the dispatcher, scopes, mapped files.
 * @module
 */
export { arange, empty, fromTypedArray, full, ones, tensor, zeros, type TensorOptions } from './create.js';
export { TorchError } from './errors.js';
export { mapFile, type MappedFile, type MappedTensorOptions } from './files.js';
export { operator, operatorSchemas, ops } from './ops.js';
export { cuda, devices, manualSeed, memory, noGrad, numThreads, setInferenceMode, setNumThreads, synchronize, trimMemory, versions } from './runtime.js';
export { keep, scope } from './scope.js';
export { isTensor, Tensor, type DType, type NestedNumbers, type Scalar, type TensorData, type TensorInput } from './tensor.js';
