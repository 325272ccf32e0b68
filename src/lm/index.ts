/** Language models and their tokenizers. */
export { readModelConfig, type ModelConfig } from './config.js';
export { findInHubCache, locateModel } from './hub-cache.js';
export type { AttentionContext, LanguageModel } from './model.js';
export { loadLanguageModel, type LoadModelOptions } from './registry.js';
export { loadTokenizer, type Tokenizer } from './tokenizer.js';
export { readModelSize, type ModelSize } from './weight-files.js';
