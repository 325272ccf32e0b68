/** Loads a language model from its folder. */
import { SaeEvalError } from '../errors.js';
import { systemMemory } from '../system-memory.js';
import { cuda, type DType } from '../torch/index.js';
import { Builder } from './builder.js';
import { readModelConfig, type ModelConfig } from './config.js';
import { familyNamed } from './families/index.js';
import type { LanguageModel } from './model.js';
import { multimodalPrefixes } from './multimodal.js';
import { ScriptLanguageModel } from './script-model.js';
import { modelSize, WeightFiles } from './weight-files.js';
import { Weights } from './weights.js';

export interface LoadModelOptions {
  device?: string;
  dtype?: DType;
  /** Whether the model may be a TorchScript program, which is code of its author; default false. */
  allowProgram?: boolean;
  /**
   * Whether the blocks' weights are brought in one block at a time, for a model that is larger than
   * the memory. Default false: all are loaded.
   */
  streamBlocks?: boolean;
  /**
   * Other CUDA devices whose memory may hold blocks that are brought in, such as `['cuda:1']`.
   * Default none: they come from the files.
   */
  weightDevices?: readonly string[];
}

/**
 * Bytes that this process may still take: of a container's share, or of a CUDA device with what
 * this process keeps there for its next tensors.
 */
function freeMemory(device: string): number {
  if (device !== 'cpu') {
    const { freeBytes, reservedBytes, allocatedBytes } = cuda.memory(device);
    return freeBytes + reservedBytes - allocatedBytes;
  }
  return systemMemory().freeBytes;
}

/**
 * Refuses a model whose weights do not fit into memory, before they are copied: all of them, or if
 * blocks are streamed one block beside what lies outside of the blocks. On the CPU weights in their
 * stored dtype are mapped, so the system can drop their pages.
 * @throws SaeEvalError `device-memory`.
 */
function checkMemory(
  files: WeightFiles,
  config: ModelConfig,
  {
    device,
    dtype,
    streamBlocks,
  }: Required<Omit<LoadModelOptions, 'allowProgram' | 'weightDevices'>>,
): void {
  const { parameters, bytes, endBytes, blockBytes } = modelSize(files, config, dtype);
  const free = freeMemory(device);
  const needed = streamBlocks ? endBytes + blockBytes : bytes;
  if (files.areMapped({ device, dtype }) || needed <= free) return;
  const gib = (count: number): string => `${(count / 2 ** 30).toFixed(2)} GiB`;
  throw new SaeEvalError(
    'device-memory',
    `${config.path}: ${parameters} parameters in ${dtype} need ${gib(bytes)}, ` +
      (streamBlocks ? `one block beside embedding and head ${gib(needed)}, ` : '') +
      `${device} has ${gib(free)} free. Use a smaller dtype` +
      (device === 'cpu'
        ? ', best the one the files are stored in (nothing is copied then), or a machine with ' +
          'more memory.'
        : ', or a device with more memory.'),
  );
}

/**
 * Loads a language model from a Hugging Face folder, or by name from the local Hugging Face cache.
 * Weights are mapped from the files, and converted if they are stored in another dtype. The program
 * of a TorchScript export is its author's code: it runs only with `allowProgram`. The caller
 * disposes the model.
 *
 * @example
 * const model = await loadLanguageModel('checkpoints/tiny-llama');
 * @throws SaeEvalError `model-unsupported`, `model-invalid`, `checkpoint-*`, `file-*`,
 *   `device-memory`.
 */
export async function loadLanguageModel(
  path: string,
  {
    device = 'cpu',
    dtype = 'float32',
    allowProgram = false,
    streamBlocks = false,
    weightDevices = [],
  }: LoadModelOptions = {},
): Promise<LanguageModel> {
  const config = await readModelConfig(path, { allowProgram });
  const family = familyNamed(config.family);
  if (family === undefined) return new ScriptLanguageModel(config, { device, dtype });
  const files = await WeightFiles.read(config.path);
  checkMemory(files, config, { device, dtype, streamBlocks });
  const prefixes = [...family.prefixes, ...multimodalPrefixes];
  const weights = new Weights(files, prefixes, { device, dtype });
  try {
    const builder = new Builder(config, weights, { streams: streamBlocks, weightDevices });
    const model = family.create(builder);
    // Blocks that are streamed are opened again and again.
    if (!streamBlocks) weights.finish();
    return model;
  } catch (thrown) {
    weights.dispose();
    throw thrown;
  }
}
