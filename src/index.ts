/**
 * sae-eval: evaluates sparse autoencoders on language models.
 * @module
 */
export { errorTable, SaeEvalError, type ErrorCode, type FieldError } from './errors.js';
export { evaluate, type EvaluateOptions } from './compute/evaluate.js';
export * from './schema/index.js';
export { validateRequest, type ValidatedRequest } from './evaluation/request/resolve.js';
export {
  compareDictionaries,
  type CompareDictionariesOptions,
  type DictionaryFile,
} from './evaluation/dictionaries/compare-files.js';
export { loadLanguageModel, type LanguageModel } from './lm/index.js';
export { renderReport } from './report/index.js';
export {
  applySAE,
  convertCheckpoint,
  loadSAE,
  registry,
  type ConvertOptions,
  type SAE,
} from './sae/index.js';
