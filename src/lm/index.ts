/** Language models and their tokenizers. */
export { readModelConfig, type ModelConfig } from './config.js';
export { forwardCost, type ForwardCost } from './flops.js';
export { locateModel } from './locate-model.js';
export { blockSites, parseHookName, type BlockSite, type HookPoint } from './hook-names.js';
export type { AttentionContext, LanguageModel, Tap, VocabularyRange } from './model.js';
export { loadLanguageModel, type LoadModelOptions } from './registry.js';
export { loadTokenizer, type Tokenizer } from './tokenizer.js';
export { readModelSize, type ModelSize } from './weight-files.js';
