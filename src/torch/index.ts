/**
 * The libtorch binding: tensors, every operator of the dispatcher, scopes, mapped files.
 * @module
 */
import './casts.js';
import './autograd.js';
import './print.js';
export {
  enableGrad,
  grad,
  inferenceMode,
  isGradEnabled,
  noGrad,
  setInferenceMode,
  type BackwardOptions,
  type GradOptions,
  type GraphOptions,
} from './autograd.js';
export {
  arange,
  empty,
  fromTypedArray,
  full,
  ones,
  scalar,
  tensor,
  zeros,
  type FromTypedArrayOptions,
  type TensorFromDataOptions,
  type TensorOptions,
} from './create.js';
export { cuda, type CudaMemory } from './cuda.js';
export { TorchError } from './errors.js';
export { kernels } from './kernels.js';
export {
  mapFile,
  type MapFileOptions,
  type MappedFile,
  type MappedTensorOptions,
} from './files.js';
export { Generator } from './generator.js';
export { slice, type Index, type IndexPutOptions } from './indexing.js';
export * as optim from './optim/index.js';
export { operator, operatorSchemas, ops, refusedCalls } from './ops.js';
export {
  devices,
  manualSeed,
  memory,
  numThreads,
  setMemoryCache,
  setNumThreads,
  synchronize,
  trimMemory,
  versions,
  type MemoryCounts,
} from './runtime.js';
export {
  addLinear,
  linear,
  linearWidened,
  multipliesNatively,
  PackedWeights,
  type LinearOptions,
} from './linear.js';
export { ScriptModule, type ScriptValue } from './script-module.js';
export { asyncScope, freedIfThrown, keep, scope } from './scope.js';
export {
  isTensor,
  Tensor,
  type Complex,
  type DType,
  type Floats,
  type Int,
  type Ints,
  type Layout,
  type MemoryFormat,
  type NestedNumbers,
  type Scalar,
  type TensorData,
  type TensorInput,
} from './tensor.js';
export {
  float32,
  float64,
  int32,
  rand,
  type ObjectTensor,
  type RandomOptions,
} from './torch-js.js';
