/** From the description of a published SAE to one that computes. */
import type { PublishedDescription } from './formats/recognise.js';
import { openTensors } from '../checkpoint/tensors.js';
import type { FloatDtype, SaeKind } from '../schema/request.js';
import { scope, type DType, type Tensor } from '../torch/index.js';
import type { SAE } from './sae.js';
import { publishedKind } from './published/kind.js';
import { PublishedCrosscoder } from './crosscoder.js';
import { PublishedSAE } from './dictionary.js';

export interface LoadPublishedOptions {
  kind?: SaeKind;
  device?: string;
  dtype?: FloatDtype;
}

/**
 * Opens what the description names, and nothing else of the file. The caller disposes of the SAE.
 * @throws SaeEvalError `checkpoint-*` where the file has changed since it was described,
 *   `sae-kind`.
 */
export function loadPublished(
  description: PublishedDescription,
  { kind: wanted, device = 'cpu', dtype = 'float32' }: LoadPublishedOptions = {},
): SAE {
  const kind = publishedKind(description, wanted);
  // Tensors that are only passed through, such as a weight whose transpose is kept, are freed with
  // the scope's end.
  const roundedTo = description.form === 'sae' ? description.roundedTo : undefined;
  const open = (name: string, to: { device: string; dtype: DType }): Tensor =>
    openTensors(description.checkpoint, { names: [name], ...to }).get(name)!;
  const take = (name: string): Tensor =>
    roundedTo === undefined
      ? open(name, { device, dtype })
      : scope(() => open(name, { device, dtype: roundedTo }).to({ dtype }));
  return description.form === 'crosscoder'
    ? new PublishedCrosscoder(description, take)
    : new PublishedSAE(description, take, kind);
}
