/** The decoder rows of an SAE as unit vectors, straight from its file. */
import { openTensors } from '../../checkpoint/tensors.js';
import { SaeEvalError } from '../../errors.js';
import { readsOnePlace, type SaeDescription } from '../../sae/description.js';
import { oriented } from '../../sae/dictionary.js';
import { ops, scope, type Tensor } from '../../torch/index.js';

/** Norm below which a decoder row has no direction. */
const smallest = 1e-20;

export interface DecoderRows {
  /** [n, d] float32 unit vectors of the latents that have a direction; the caller's. */
  rows: Tensor;
  /** Latents without a direction. */
  leftOut: number;
}

/**
 * @throws SaeEvalError `sae-kind` for an SAE with several decoders, `non-finite`, `checkpoint-*`.
 */
export function decoderRows(
  description: SaeDescription,
  { label, device = 'cpu' }: { label: string; device?: string },
): DecoderRows {
  if (!readsOnePlace(description))
    throw new SaeEvalError(
      'sae-kind',
      `${label}: a ${description.kind} over several places has a decoder for each; expected SAEs ` +
        'with one decoder. Leave it out.',
    );
  const { checkpoint, decoder } = description;
  let leftOut = 0;
  const rows = scope(() => {
    const stored = oriented(decoder, (name) =>
      openTensors(checkpoint, { names: [name], device, dtype: 'float32' }).get(name)!,
    ); // [m, d]
    if (!stored.isfinite().all().item())
      throw new SaeEvalError(
        'non-finite',
        `${checkpoint.path}: ${decoder.tensor} holds NaN or infinity; expected finite values.`,
      );
    const norms = ops.linalg_vector_norm(stored, 2, [-1], true, { dtype: 'float64' }); // [m, 1]
    const has = norms.squeeze(-1).gt(smallest);
    const kept = ops.nonzero(has).squeeze(-1);
    leftOut = stored.shape[0]! - kept.shape[0]!;
    const unit = stored.to({ dtype: 'float64' }).div(norms.clamp_min(smallest));
    return unit.to({ dtype: 'float32' }).index_select(0, kept);
  });
  return { rows, leftOut };
}
