/** `loadTensors` and `saveTensors` of `sae-eval/torch`: a file of named tensors in one call. */
import { extname } from 'node:path';
import { SaeEvalError } from '../errors.js';
import type { Tensor } from '../torch/index.js';
import { readCheckpoint } from './read.js';
import { openTensors, type OpenOptions } from './tensors.js';
import { writePt } from './write-pt.js';
import { writeSafetensors } from './write-safetensors.js';

/**
 * Tensors of a `.pt` (zip or legacy), `.safetensors` or `.npz` file by name. The file is mapped, so
 * its pages are read when they are used. No code of a pickle is run. The caller disposes the
 * tensors.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `checkpoint-format`,
 *   `checkpoint-forbidden`, `checkpoint-module`, `checkpoint-keys`.
 * @example
 * const tensors = await loadTensors('sae.pt', { names: ['weight'] });
 * const weight = tensors.get('weight');
 */
export async function loadTensors(
  path: string,
  options: OpenOptions = {},
): Promise<Map<string, Tensor>> {
  return openTensors(await readCheckpoint(path), options);
}

export interface SaveOptions {
  /** Texts for the header of a safetensors file. */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes tensors of any device and strides to a file that `torch.load(weights_only=True)` (`.pt`,
 * `.pth`, `.bin`) or the safetensors library (`.safetensors`) reads. The ending of the name
 * decides. The file appears only when it is complete.
 * @throws SaeEvalError `checkpoint-format` for another ending, `checkpoint-shape` for a dtype the
 *   format lacks, `file-unreadable`.
 * @example await saveTensors('sae.safetensors', { weight });
 */
export async function saveTensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  { metadata }: SaveOptions = {},
): Promise<void> {
  const named =
    tensors instanceof Map
      ? (tensors as ReadonlyMap<string, Tensor>)
      : new Map(Object.entries(tensors));
  const ending = extname(path);
  if (ending === '.safetensors')
    return writeSafetensors(path, named, metadata === undefined ? {} : { metadata });
  if (!['.pt', '.pth', '.bin'].includes(ending))
    throw new SaeEvalError(
      'checkpoint-format',
      `${path}: expected a name that ends in .safetensors, .pt, .pth or .bin, found '${ending}'.`,
    );
  return writePt(path, named);
}
