/** Golden numbers for tests: tensors of safetensors files, and paths of the shipped files. */
import { fileURLToPath } from 'node:url';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import type { Tensor } from '#src/torch/index.js';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const golden = (name: string): string => `${root}test/golden/${name}`;
export const shipped = (name: string): string => `${root}checkpoints/${name}`;

/** All tensors of a file by name. */
export async function tensorsOf(path: string): Promise<Map<string, Tensor>> {
  return openTensors(await readCheckpoint(path), {});
}

/** The largest |a − b|, and the largest |a − b| / max(|b|, floor). */
export function deviation(
  a: Tensor,
  b: Tensor,
  floor = 1e-3,
): { absolute: number; relative: number } {
  const difference = a.to({ dtype: 'float64' }).sub(b.to({ dtype: 'float64' })).abs();
  return {
    absolute: difference.max().item(),
    relative: difference.div(b.to({ dtype: 'float64' }).abs().clamp_min(floor)).max().item(),
  };
}
