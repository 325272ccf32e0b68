/** Weights that can never fit into the memory of a device are refused before any is taken. */
import { SaeEvalError } from '../../errors.js';
import { bytesPer } from '../../lm/weight-files.js';
import type { SaeDescription } from '../../sae/description.js';
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
