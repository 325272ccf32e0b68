/** Decoders of a layer that write to several layers: one tensor [m, layers, d]. */
import { SaeEvalError } from '../../errors.js';
import type { CrossLayerPart } from '../description.js';
import type { Tensors } from './tensors.js';

/**
 * The decoders of layer `l` of n: of every layer, or of those from its own on.
 * @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`.
 */
export function layerDecoder(
  tensors: Tensors,
  name: string,
  { m, d, l, n }: { m: number; d: number; l: number; n: number },
): CrossLayerPart['decoder'] {
  const shape = tensors.shape(name);
  const [rows, layers, width] = shape;
  const isRight = shape.length === 3 && rows === m && width === d;
  if (isRight && layers === n) return { tensor: name, first: 0 };
  if (isRight && layers === n - l) return { tensor: name, first: l };
  throw new SaeEvalError(
    'checkpoint-shape',
    `${tensors.checkpoint.path}: expected '${name}' of shape [${m}, ${n - l}, ${d}] or ` +
      `[${m}, ${n}, ${d}] for layer ${l} of ${n}, found [${shape.join(', ')}].`,
  );
}
