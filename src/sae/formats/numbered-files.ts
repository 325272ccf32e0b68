/**
 * Files of a folder that are numbered by layer: `params_layer_0.safetensors`,
 * `W_enc_0.safetensors`.
 */
import { join } from 'node:path';
import { mostParts } from '../../checkpoint/parts.js';
import { SaeEvalError } from '../../errors.js';
import { namesIn as allNamesIn } from '../../files/index.js';

/** Names in a folder; none if it cannot be listed. */
function namesIn(folder: string): string[] {
  try {
    return allNamesIn(folder);
  } catch (thrown) {
    if (thrown instanceof SaeEvalError) throw thrown; // it leads outside
    return [];
  }
}

/**
 * Paths of the files whose names are `begin`, a number and `.safetensors`, by their numbers from 0;
 * null if there is none.
 * @throws SaeEvalError `file-not-found` if one of them is missing.
 */
export function numberedFiles(folder: string, begin: string): string[] | null {
  const pattern = new RegExp(`^${begin}(\\d{1,4})\\.safetensors$`);
  const numbers = namesIn(folder)
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  if (numbers.length === 0) return null;
  const missing = numbers.findIndex((number, i) => number !== i);
  const nameOf = (number: number): string => `${begin}${number}.safetensors`;
  if (missing >= 0 || numbers.length > mostParts)
    throw new SaeEvalError(
      'file-not-found',
      `${folder}: expected a file for each layer from 0 on, at most ${mostParts}, found ` +
        `${nameOf(numbers.at(-1)!)} without ${nameOf(Math.max(missing, 0))}.`,
    );
  return numbers.map((number) => join(folder, nameOf(number)));
}
