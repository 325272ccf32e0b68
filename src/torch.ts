/**
 * `sae-eval/torch`: the libtorch binding, and files of tensors.
 * @module
 */
export * from './torch/index.js';
export { SaeEvalError, type ErrorCode } from './errors.js';
export { loadTensors, saveTensors, type SaveOptions } from './checkpoint/tensor-files.js';
