/** Weights and tables of latents that can never fit are refused before memory is taken. */
import { SaeEvalError } from '../../errors.js';
import { bytesPer } from '../../lm/weight-files.js';
import type { SaeDescription } from '../../sae/description.js';
import { systemMemory } from '../../system-memory.js';
import type { DType } from '../../torch/index.js';
import type { DeviceMemory } from './device-memory.js';
import { valuesOf } from './residency.js';

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/**
 * Compares the least memory that an SAE needs, its weights and the latents of one sequence, with
 * all that the device has.
 * @throws SaeEvalError `device-memory`.
 */
export function checkFits(
  description: SaeDescription,
  {
    label,
    device,
    dtype,
    seqLen,
    memory,
  }: { label: string; device: string; dtype: DType; seqLen: number; memory: DeviceMemory | null },
): void {
  if (memory === null) return;
  const weights = valuesOf(description) * bytesPer(dtype);
  const latents = seqLen * description.m * bytesPer(dtype);
  if (weights + latents <= memory.totalBytes) return;
  throw new SaeEvalError(
    'device-memory',
    `${label}: its weights (${gib(weights)}) and the latents of one sequence (${gib(latents)}) ` +
      `do not fit into the memory of ${device}, ${gib(memory.totalBytes)} in all. Evaluate it ` +
      'where there is more memory, or with a smaller saeDtype or seqLen.',
  );
}

/** Bytes of a latent in a table: its counts and its histogram, and each of its contexts. */
const tableBytes = { latent: 192, context: 16 };

/**
 * Compares the tables of latents of an SAE and those before it, of the run and of the batch that
 * is being added, with the memory of this machine.
 * @throws SaeEvalError `device-memory`.
 */
export function checkTablesFit({
  label,
  latents,
  contexts,
}: {
  label: string;
  /** Latents of this SAE and those before it. */
  latents: number;
  /** Contexts of each latent. */
  contexts: number;
}): void {
  const bytes = 2 * latents * (tableBytes.latent + contexts * tableBytes.context);
  const { totalBytes } = systemMemory();
  if (bytes <= totalBytes) return;
  throw new SaeEvalError(
    'device-memory',
    `${label}: the tables of ${latents} latents, its own and those of SAEs before it ` +
      `(${gib(bytes)}), do not fit into the memory of this machine, ${gib(totalBytes)} in all. ` +
      'Ask for fewer contexts (latents), or evaluate fewer SAEs at once.',
  );
}
