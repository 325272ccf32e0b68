/** Registry of the families of language models: one file and one line for each. */
import { SaeEvalError } from '../../errors.js';
import type { Family } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { multimodalTypes, textModel, type TextModel } from '../multimodal.js';
import { cohere, cohere2 } from './cohere.js';
import { falcon } from './falcon.js';
import { gemma } from './gemma.js';
import { gemma2 } from './gemma2.js';
import { gemma3 } from './gemma3.js';
import { glm, glm4 } from './glm4.js';
import { gptNeo } from './gpt-neo.js';
import { gptOss } from './gpt-oss.js';
import { gptNeoX } from './gpt-neox.js';
import { gpt2 } from './gpt2.js';
import { granite } from './granite.js';
import { gptJ } from './gpt-j.js';
import { olmo } from './olmo.js';
import { olmo3 } from './olmo3.js';
import { opt } from './opt.js';
import { phi } from './phi.js';
import { smolLM3 } from './smollm3.js';
import { llama } from './llama.js';
import { ministral3 } from './ministral3.js';
import { stableLM } from './stablelm.js';
import { llama4 } from './llama4.js';
import { mistral } from './mistral.js';
import { mixtral } from './mixtral.js';
import { olmo2 } from './olmo2.js';
import { olmoe } from './olmoe.js';
import { phi3 } from './phi3.js';
import { qwen2 } from './qwen2.js';
import { qwen2Moe } from './qwen2-moe.js';
import { qwen3 } from './qwen3.js';
import { qwen35 } from './qwen3-5.js';
import { qwen35Moe } from './qwen3-5-moe.js';
import { qwen3Moe } from './qwen3-moe.js';
import { qwen3Next } from './qwen3-next.js';
import { reasonRefused } from './refused.js';

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
  phi,
  phi3,
  olmo,
  olmo2,
  olmo3,
  granite,
  smolLM3,
  gptJ,
  opt,
  ministral3,
  cohere,
  cohere2,
  stableLM,
  glm,
  glm4,
  falcon,
  qwen3Moe,
  gptOss,
  mixtral,
  qwen2Moe,
  olmoe,
  qwen35,
  qwen35Moe,
  qwen3Next,
  llama4,
];

/** Family of that name; undefined for `torchscript`, which stands for models of no family. */
export function familyNamed(name: string): Family | undefined {
  return families.find((family) => family.name === name);
}

/** A model's family, and the part of its `config.json` that the family reads. */
export interface FoundFamily extends TextModel {
  family: Family;
}

/** @throws SaeEvalError `model-unsupported` for quantized weights that are not widened here. */
function refuseQuantized(fields: JsonFields, known: readonly string[] = []): void {
  if (!fields.has('quantization_config')) return;
  const method = fields.section('quantization_config')!.value('quant_method');
  if (typeof method === 'string' && known.includes(method)) return;
  fields.unsupported(
    'quantization_config',
    `none (weights in float32, float16 or bfloat16)${known.map((one) => ` or ${one}`).join('')}; ` +
      'in Python, model.dequantize() gives such weights',
  );
}

/**
 * Family of a model by the `model_type` of its `config.json`.
 * @throws SaeEvalError `model-unsupported` for quantized weights, and for an unknown type with a
 *   list of the known ones.
 */
export function familyOf(config: JsonFields): FoundFamily {
  const found = textModel(config);
  const type = found.text.string('model_type', null);
  const family = families.find(({ modelTypes }) => type !== null && modelTypes.includes(type));
  for (const fields of [config, found.text]) refuseQuantized(fields, family?.quantizations);
  if (family === undefined) {
    const known = [...families.flatMap(({ modelTypes }) => modelTypes), ...multimodalTypes];
    const at = found.multimodal ? 'text_config.model_type' : 'model_type';
    const why = type === null ? null : reasonRefused(type);
    throw new SaeEvalError(
      'model-unsupported',
      `${config.file}: ${at}: ` +
        (why === null
          ? `expected one of ${known.join(', ')}, found ${type ?? 'nothing'}.`
          : `${type} cannot be evaluated: ${why}. Expected one of ${known.join(', ')}.`),
    );
  }
  return { family, ...found };
}
