/** From a model folder to a language model that computes. */
import { freemem } from 'node:os';
import { SaeEvalError } from '../errors.js';
import type { DType } from '../torch/index.js';
import { readModelConfig, type ModelConfig } from './config.js';
import type { Decoder } from './decoder.js';
import type { FamilyName } from './families.js';
import { gemma2 } from './gemma2.js';
import { gemma3 } from './gemma3.js';
import { gptNeoX } from './gpt-neox.js';
import { gpt2 } from './gpt2.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';
import type { LanguageModel } from './model.js';
import { olmo2 } from './olmo2.js';
import { phi3 } from './phi3.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';
import { ScriptLanguageModel } from './script-model.js';
import { modelSize, WeightFiles } from './weight-files.js';
import { Weights } from './weights.js';

interface FamilyForward {
  /** What may precede the names of the decoder's tensors in files of the whole model. */
  prefixes: readonly string[];
  create: (config: ModelConfig, weights: Weights) => Decoder;
}

const forwards: Readonly<Record<FamilyName, FamilyForward>> = {
  llama: { prefixes: ['model.'], create: llama },
  mistral: { prefixes: ['model.'], create: mistral },
  qwen2: { prefixes: ['model.'], create: qwen2 },
  qwen3: { prefixes: ['model.'], create: qwen3 },
  gpt2: { prefixes: ['transformer.'], create: gpt2 },
  'gpt-neox': { prefixes: ['gpt_neox.'], create: gptNeoX },
  gemma2: { prefixes: ['model.'], create: gemma2 },
  gemma3: {
    prefixes: ['model.', 'language_model.model.', 'model.language_model.'],
    create: gemma3,
  },
  phi3: { prefixes: ['model.'], create: phi3 },
  olmo2: { prefixes: ['model.'], create: olmo2 },
};

export interface LoadModelOptions {
  device?: string;
  dtype?: DType;
}

/** Memory this process may still take: less than the machine's in a container. */
function freeMemory(): number {
  return typeof process.availableMemory === 'function' ? process.availableMemory() : freemem();
}

/**
 * Refuses a model whose converted weights cannot fit. Weights used as stored are mapped: the system
 * can drop their pages.
 */
function checkMemory(
  files: WeightFiles,
  config: ModelConfig,
  { device, dtype }: Required<LoadModelOptions>,
): void {
  const { parameters, bytes } = modelSize(files, config, dtype);
  const free = freeMemory();
  if (device !== 'cpu' || files.stores(dtype) || bytes <= free) return;
  const gib = (count: number): string => `${(count / 2 ** 30).toFixed(2)} GiB`;
  throw new SaeEvalError(
    'device-memory',
    `${config.path}: ${parameters} parameters in ${dtype} need ${gib(bytes)}, ${device} ` +
      `has ${gib(free)} free. Use a smaller dtype, best the one the files are stored in ` +
      '(nothing is copied then), or a machine with more memory.',
  );
}

/**
 * Loads a language model from a Hugging Face folder, or by name from the local Hugging Face cache.
 * Weights are mapped from the files; those of another dtype than the wanted one are converted. A
 * folder with the manifest of a TorchScript export is run as the program in it, which is code of
 * its author. The caller disposes the model.
 *
 * @example
 * const model = await loadLanguageModel('checkpoints/tiny-llama');
 * @throws SaeEvalError `model-unsupported`, `model-invalid`, `checkpoint-*`, `file-*`,
 *   `device-memory`.
 */
export async function loadLanguageModel(
  path: string,
  { device = 'cpu', dtype = 'float32' }: LoadModelOptions = {},
): Promise<LanguageModel> {
  const config = await readModelConfig(path);
  if (config.family === 'torchscript') return new ScriptLanguageModel(config, { device, dtype });
  const { prefixes, create } = forwards[config.family];
  const files = await WeightFiles.read(config.path);
  checkMemory(files, config, { device, dtype });
  const weights = new Weights(files, prefixes, { device, dtype });
  try {
    return create(config, weights);
  } catch (thrown) {
    weights.dispose();
    throw thrown;
  }
}
