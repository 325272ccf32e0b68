/**
 * The class that transformers 5 gives a tokenizer, by the rules of its `AutoTokenizer`. Most
 * classes take `tokenizer.json` as it stands. Those in `tokenizer-classes.ts` build the tokenizer
 * anew around the vocabulary and the merges in the file.
 */
import type { JsonFields } from './json-fields.js';

/** Classes of model types that have one of their own (`TOKENIZER_MAPPING_NAMES`). */
const registered = new Map([
  ['gemma', 'GemmaTokenizer'],
  ['gemma2', 'GemmaTokenizer'],
  ['gemma3', 'GemmaTokenizer'],
  ['gemma3_text', 'GemmaTokenizer'],
  ['gpt2', 'GPT2Tokenizer'],
  ['gpt_neo', 'GPT2Tokenizer'],
  ['gptj', 'GPT2Tokenizer'],
  ['opt', 'GPT2Tokenizer'],
  ['phi', 'GPT2Tokenizer'],
  ['olmo', 'GPTNeoXTokenizer'],
  ['cohere', 'CohereTokenizer'],
  ['cohere2', 'CohereTokenizer'],
  ['qwen2_vl', 'Qwen2Tokenizer'],
  ['qwen2_5_vl', 'Qwen2Tokenizer'],
  ['qwen3_vl', 'Qwen2Tokenizer'],
  ['internvl', 'Qwen2Tokenizer'],
  ['gpt_neox', 'GPTNeoXTokenizer'],
  ['qwen2', 'Qwen2Tokenizer'],
  ['qwen3', 'Qwen2Tokenizer'],
  ['qwen2_moe', 'Qwen2Tokenizer'],
  ['qwen3_moe', 'Qwen2Tokenizer'],
  ['qwen3_next', 'Qwen2Tokenizer'],
  ['qwen3_5', 'Qwen3_5Tokenizer'],
  ['qwen3_5_text', 'Qwen3_5Tokenizer'],
  ['qwen3_5_moe', 'Qwen3_5Tokenizer'],
  ['qwen3_5_moe_text', 'Qwen3_5Tokenizer'],
  ['olmoe', 'GPTNeoXTokenizer'],
  // Files of these name other classes, and are taken as they stand.
  ['mistral', 'TokenizersBackend'],
  ['mixtral', 'TokenizersBackend'],
  ['olmo2', 'TokenizersBackend'],
  ['phi3', 'TokenizersBackend'],
  ['olmo3', 'TokenizersBackend'],
  ['granite', 'TokenizersBackend'],
  ['stablelm', 'TokenizersBackend'],
  ['ministral', 'TokenizersBackend'],
  ['ministral3', 'TokenizersBackend'],
  ['mistral3', 'TokenizersBackend'],
  ['glm', 'TokenizersBackend'],
  ['glm4', 'TokenizersBackend'],
  ['llava', 'TokenizersBackend'],
  ['llava_next', 'TokenizersBackend'],
  ['smolvlm', 'TokenizersBackend'],
]);

/** Model types whose own class wins over the one in the files. */
const filesAreWrong = new Set([
  ...['phi3', 'qwen2'],
  ...['qwen3_5', 'qwen3_5_moe', 'qwen3_5_moe_text'],
]);

/** `LlamaTokenizerFast` and `LlamaTokenizer` are one class. */
function withoutFast(name: string): string {
  return name.replace(/Fast$/, '');
}

/**
 * Name of the class.
 * @param files `tokenizer_config.json` and the model's `config.json`.
 */
export function tokenizerClassOf({
  settings,
  model,
}: {
  settings: JsonFields | null;
  model: JsonFields | null;
}): string | null {
  const textOf = (fields: JsonFields | null, name: string): string | null => {
    const value = fields?.value(name) ?? null;
    return typeof value === 'string' && value !== '' ? withoutFast(value) : null;
  };
  const own = registered.get(textOf(model, 'model_type') ?? '') ?? null;
  const inFiles = textOf(settings, 'tokenizer_class') ?? textOf(model, 'tokenizer_class');
  if (inFiles === null) return own;
  // Code of the author is never run. Beside it, transformers goes by the name in the files.
  if (own === null || own === inFiles || settings?.has('auto_map') === true) return inFiles;
  if (own === 'TokenizersBackend') return own;
  return filesAreWrong.has(textOf(model, 'model_type')!) ? own : inFiles;
}
