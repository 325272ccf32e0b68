/**
 * Whether the weights of a language model are all in memory during a run, or come in block by block
 * because they do not fit. It changes no bit of the numbers.
 */
import type { Bilingual } from '../../bilingual.js';
import type { LanguageModel, ModelConfig } from '../../lm/index.js';
import { bytesPer, modelSize, WeightFiles, type ModelSize } from '../../lm/weight-files.js';
import { usedTensors } from '../../sae/used-tensors.js';
import type { SaeDescription } from '../../sae/description.js';
import type { ResolvedRequest } from '../../schema/index.js';
import { constantsOf } from '../engine/micro-batch.js';
import type { DeviceMemory } from './device-memory.js';

export interface Residency {
  /** Whether blocks are brought in one at a time. */
  streams: boolean;
  size: ModelSize;
  /** Whether files are mapped as they are: their pages are memory that the system can take back. */
  isMapped: boolean;
  /** The memory that the weights did not fit in, or do fit in; null if nobody tells. */
  memoryBytes: number | null;
}

/** Number of values in the tensors that an SAE is made of. */
export function valuesOf(description: SaeDescription): number {
  const { entries } = description.checkpoint;
  return [...usedTensors(description)].reduce((sum, name) => {
    const { shape } = entries.get(name)!;
    return sum + shape.reduce((product, size) => product * size, 1);
  }, 0);
}

/** The least that a run computes at once: one sequence by one lane, for the widest SAE. */
function leastWorkingSet(
  { dataset, dtype, saeDtype, device }: ResolvedRequest & { device: string },
  { width, latents }: { width: number; latents: number },
): number {
  const bytes = { model: bytesPer(dtype), sae: bytesPer(saeDtype) };
  const { blockTemporaries, leastWorkingSet: least } = constantsOf(device);
  // Two residual streams, two states of a lane, an SAE's input twice, dense latents four times.
  const perToken =
    width * ((4 + blockTemporaries) * bytes.model + 4 * bytes.sae) + 4 * latents * bytes.sae;
  return Math.max(least, dataset.seqLen * perToken);
}

/**
 * Decides where the weights are. On a CUDA device, and if they are converted, weights need free
 * memory; weights that are mapped need the memory that this process may have at all.
 */
export async function residencyOf(
  config: ModelConfig,
  {
    request,
    saes,
    memory,
  }: {
    request: ResolvedRequest & { device: string };
    saes: readonly SaeDescription[];
    memory: DeviceMemory | null;
  },
): Promise<Residency | null> {
  // A program is loaded as one.
  if (config.script !== undefined) return null;
  const { device, dtype, saeDtype } = request;
  const files = await WeightFiles.read(config.path);
  const size = modelSize(files, config, dtype);
  const isMapped = files.areMapped({ device, dtype });
  const memoryBytes = memory === null ? null : isMapped ? memory.totalBytes : memory.freeBytes;
  const ofSaes = saes.reduce((sum, one) => sum + valuesOf(one), 0) * bytesPer(saeDtype);
  const latents = Math.max(1, ...saes.map(({ m }) => m));
  const needed = size.bytes + ofSaes + leastWorkingSet(request, { width: config.width, latents });
  return { streams: memoryBytes !== null && needed > memoryBytes, size, isMapped, memoryBytes };
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/** The remark of a result whose model was larger than the memory. */
export function weightsStreamed(
  { size }: Residency,
  { device, heldElsewhere }: Pick<LanguageModel, 'device' | 'heldElsewhere'>,
): Bilingual {
  const held = [...heldElsewhere].map(([name, count]) => `${name} (${count})`).join(', ');
  return {
    en:
      `The language model's weights (${gib(size.bytes)}) do not fit into the memory of ${device} ` +
      'beside what is computed, so its blocks were brought in one after the other' +
      (held === ''
        ? '. '
        : `, from the memory of ${held} and, if they are more, from its files. `) +
      'The numbers are the same; it takes longer.',
    zh:
      `语言模型的权重（${gib(size.bytes)}）与计算所需内存一起放不进 ${device} 的内存，` +
      '因此逐块载入各层' +
      (held === '' ? '' : `（来自 ${held} 的内存，其余来自文件）`) +
      '。数值不变，但耗时更长。',
  };
}
