/** Language models and their tokenizers. */
export { readModelConfig, type ModelConfig } from './config.js';
export { forwardCost, type ForwardCost } from './flops.js';
export { modelFiles, type ModelFiles } from './model-files.js';
export { parseHookName, type BlockSite, type HookPoint } from './hook-names.js';
export type { AttentionContext, LanguageModel, Tap, VocabularyRange } from './model.js';
export { loadLanguageModel, type LoadModelOptions } from './load.js';
export { loadTokenizer, type EncodeOptions, type Tokenizer } from './tokenizer.js';
