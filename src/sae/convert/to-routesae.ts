/**
 * Writes the RouteSAE family's layout: a bare state dict, with a `.json` beside it for what that
 * cannot say.
 */
import type { RouteSaeSettings } from '../formats/routesae.js';
import { ops, type Tensor } from '../../torch/index.js';
import type { PlainSAE } from './plain.js';
import type { Conversion } from './target.js';

/** `pre(h)` adds this to the standard deviation. */
const epsilonThere = 1e-6;

function activationOf(
  { activation }: PlainSAE,
  moved: Tensor,
  differs: string[],
): { kind: RouteSaeSettings['kind']; tensors: [string, Tensor][] } {
  switch (activation.kind) {
    case 'relu':
      return { kind: 'Vanilla', tensors: [['latent_bias', moved]] };
    // Above a threshold of at least 0 nothing is negative, so that it needs no ReLU.
    case 'jumprelu':
      return {
        kind: 'JumpReLU',
        tensors: [
          ['latent_bias', moved],
          [
            'threshold',
            activation.signed ? activation.threshold : activation.threshold.clamp_min(0),
          ],
        ],
      };
    case 'gated':
      return {
        kind: 'Gated',
        tensors: [
          ['gate_bias', activation.gateBias.add(moved)],
          ['mag_bias', ops.addcmul(activation.magnitudeBias, activation.logScale.exp(), moved)],
          ['r_mag', activation.logScale],
        ],
      };
    case 'matching-pursuit':
      throw new Error('the RouteSAE family has no matching pursuit');
    case 'topk':
      if (!activation.signed)
        differs.push(
          "the family's TopK keeps negative values among the k largest; this SAE sets them to 0",
        );
      if (activation.byMagnitude)
        differs.push("the family's TopK keeps the largest values; this SAE the largest magnitudes");
      if (activation.byNorms)
        differs.push("the family's TopK does not choose by the norms of decoder rows");
      return { kind: 'TopK', tensors: [['latent_bias', moved]] };
  }
}

/** To be called in a scope. */
export function toRouteSae(sae: PlainSAE, { hookName }: { hookName: string | null }): Conversion {
  const differs: string[] = [];
  const notes: string[] = [];
  const { normalization, encoder, decoder, encoderBias, decoderBias, subtracts } = sae;
  const reads = {
    none: 'raw activations (or a fixed multiple of them)',
    'token-norm': 'activations scaled to norm √d',
    'layer-norm': '',
  }[normalization.kind];
  if (normalization.kind !== 'layer-norm')
    differs.push(
      'files of the family are read behind pre(h) = (h − mean) / (std + 1e-6); this SAE ' +
        `reads ${reads}`,
    );
  else if (normalization.epsilon !== epsilonThere)
    notes.push(
      `pre(h) adds ${epsilonThere} to the standard deviation, this SAE ` +
        `${normalization.epsilon}: its inputs become larger by the factor 1 + ` +
        `${Number((normalization.epsilon - epsilonThere).toPrecision(3))} / std`,
    );
  // x W + b = (x − b_dec) W + (b + b_dec W): the family always subtracts what the decoder adds.
  const moved = subtracts ? encoderBias : encoderBias.add(ops.mv(encoder.t(), decoderBias)); // [m]
  const { kind, tensors } = activationOf(sae, moved, differs);
  notes.push(
    'without the .json beside it the file needs kind ' +
      `${kind}${sae.activation.kind === 'topk' ? ` and k ${sae.activation.k}` : ''}`,
  );
  notes.push(
    ...differs.map(
      (what) =>
        `${what}: the .json beside the file says so, which sae-eval reads and the family's ` +
        'scripts do not',
    ),
  );
  const { activation, exclusion, prependBos } = sae;
  return {
    notes,
    config: {
      kind,
      hookName,
      normalization,
      centred: sae.centered,
      ...(activation.kind === 'topk'
        ? {
            k: activation.k,
            keepsNegative: activation.signed,
            byDecoderNorms: activation.byNorms,
            ...(activation.byMagnitude ? { byMagnitude: true } : {}),
          }
        : {}),
      ...(exclusion === null ? {} : { exclusion }),
      ...(prependBos === null ? {} : { prependBos }),
    } satisfies RouteSaeSettings,
    tensors: new Map([
      ['pre_bias', decoderBias],
      ...tensors,
      ['encoder.weight', encoder.t()],
      ['decoder.weight', decoder.t()],
    ]),
  };
}
