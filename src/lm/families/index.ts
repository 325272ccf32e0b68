/** Registry of the families of language models: one file and one line for each. */
import { SaeEvalError } from '../../errors.js';
import type { Family } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { gemma } from './gemma.js';
import { gemma2 } from './gemma2.js';
import { gemma3 } from './gemma3.js';
import { gptNeo } from './gpt-neo.js';
import { gptNeoX } from './gpt-neox.js';
import { gpt2 } from './gpt2.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';
import { mixtral } from './mixtral.js';
import { olmo2 } from './olmo2.js';
import { olmoe } from './olmoe.js';
import { phi3 } from './phi3.js';
import { qwen2 } from './qwen2.js';
import { qwen2Moe } from './qwen2-moe.js';
import { qwen3 } from './qwen3.js';
import { qwen3Moe } from './qwen3-moe.js';

export const families: readonly Family[] = [
  llama,
  mistral,
  qwen2,
  qwen3,
  gpt2,
  gptNeoX,
  gptNeo,
  gemma,
  gemma2,
  gemma3,
  phi3,
  olmo2,
  qwen3Moe,
  mixtral,
  qwen2Moe,
  olmoe,
];

/** Family of that name; undefined for `torchscript`, which stands for models of no family. */
export function familyNamed(name: string): Family | undefined {
  return families.find((family) => family.name === name);
}

/**
 * Family of a model by the `model_type` of its `config.json`.
 * @throws SaeEvalError `model-unsupported` for quantized weights, and for an unknown type with a
 *   list of the known ones.
 */
export function familyOf(config: JsonFields): Family {
  if (config.has('quantization_config'))
    config.unsupported(
      'quantization_config',
      'none (weights in float32, float16 or bfloat16); in Python, model.dequantize() gives ' +
        'such weights',
    );
  const type = config.string('model_type', null);
  const found = families.find(({ modelTypes }) => type !== null && modelTypes.includes(type));
  if (found === undefined) {
    const known = families.flatMap(({ modelTypes }) => modelTypes).join(', ');
    throw new SaeEvalError(
      'model-unsupported',
      `${config.file}: model_type: expected one of ${known}, found ${type ?? 'nothing'}.`,
    );
  }
  return found;
}
