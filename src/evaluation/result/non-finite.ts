/** The cause of a value that is NaN or infinite, read from the sums of the run. */
import type { Accumulator } from '../../metrics/accumulator.js';
import { squaredInput } from '../../metrics/columns.js';
import { cleanKey, slotKey } from '../../metrics/keys.js';
import { squaredReconstruction } from '../../metrics/norm-ratio.js';
import { ownProtocols, type ResolvedRequest } from '../../schema/index.js';
import type { Subject } from './assemble.js';

/** Path of the first value that is not finite; null if all are. */
export function notFinite(values: unknown, path = ''): string | null {
  if (typeof values === 'number') return Number.isFinite(values) ? null : path;
  if (values === null || typeof values !== 'object') return null;
  for (const [key, value] of Object.entries(values)) {
    const found = notFinite(value, path === '' ? key : `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

const isFinite = (values: Float64Array | null): boolean => values?.every(Number.isFinite) ?? true;

const limit = 'float16 holds numbers up to 65,504';

/** The cause as a sentence, with what to do. */
export function causeOf(
  accumulator: Accumulator,
  { owner, slots }: Subject,
  { dtype, saeDtype, protocol }: ResolvedRequest,
): string {
  const column = (name: string): (Float64Array | null)[] =>
    slots.strict.map((_, slot) =>
      accumulator.column(slotKey({ owner, protocol: 'strict', slot }, name)),
    );
  if (ownProtocols(protocol).some((one) => !isFinite(accumulator.column(cleanKey(one, 'ceClean')))))
    return (
      `The language model itself gives NaN or infinity in dtype ${dtype}` +
      (dtype === 'float16' ? ` (${limit}): give dtype bfloat16 or float32.` : '.')
    );
  if (!column(squaredInput.name).every(isFinite))
    return saeDtype === 'float16' && dtype !== 'float16'
      ? `Its inputs leave the range of saeDtype float16 (${limit}): give saeDtype bfloat16 or ` +
          'float32.'
      : `Its inputs hold NaN or infinity: the activations of the language model in ${dtype}` +
          (dtype === 'float16' ? ` (${limit}): give dtype bfloat16 or float32.` : '.');
  if (saeDtype === 'float16')
    return (
      `Its inputs are finite; its latents or reconstructions leave the range of saeDtype float16 ` +
      `(${limit}): give saeDtype bfloat16 or float32.`
    );
  if (!column(squaredReconstruction.name).every(isFinite))
    return (
      'Its inputs are finite and its reconstructions are not: the weights of the checkpoint hold ' +
      'NaN, infinity or numbers that are too large.'
    );
  return (
    'The spliced language model gives NaN or infinity ' +
    `in dtype ${dtype}: the reconstructions are too large for it.`
  );
}
