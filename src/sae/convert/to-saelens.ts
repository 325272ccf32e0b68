/**
 * Writes SAELens' layout, version 6 (github.com/decoderesearch/SAELens): `cfg.json` and
 * `sae_weights.safetensors`.
 */
import type { Tensor } from '../../torch/index.js';
import type { PlainSAE } from './plain.js';
import type { Conversion } from './target.js';

/** Number that SAELens adds to the standard deviation; it has no other. */
const epsilonThere = 1e-5;
/** From this version on, `cfg.json` is read as it stands. */
const writtenAs = '6.18.0';

/**
 * Settings that SAELens has no field for, under a name of ours: SAELens passes over it, sae-eval
 * reads it back.
 */
function ownWord({
  signed,
  byNorms = false,
  byMagnitude = false,
}: {
  signed: boolean;
  byNorms?: boolean;
  byMagnitude?: boolean;
}): Record<string, unknown> {
  const words = {
    ...(signed ? { keeps_negative: true } : {}),
    ...(byNorms ? { decoder_norm: 'selection' } : {}),
    ...(byMagnitude ? { by_magnitude: true } : {}),
  };
  return Object.keys(words).length === 0 ? {} : { sae_eval: words };
}

/** The positions and the BOS of its training, in the words of SAELens' metadata. */
function ofTheText({ exclusion, prependBos }: PlainSAE, notes: string[]): Record<string, unknown> {
  const { specials = false, ids = [], kept = null } = exclusion ?? {};
  if (specials && ids.length > 0)
    notes.push(
      'SAELens says either that special tokens are left out or which ids are: ids left out ' +
        `beside the special tokens are not written (${ids.slice(0, 8).join(', ')})`,
    );
  return {
    ...(prependBos === null ? {} : { prepend_bos: prependBos }),
    ...(exclusion === null ? {} : { exclude_special_tokens: specials || (ids.length > 0 && ids) }),
    ...(kept === null ? {} : { seqpos_slice: kept }),
  };
}

function architectureOf(
  { activation }: PlainSAE,
  differs: string[],
): { fields: Record<string, unknown>; tensors: [string, Tensor][] } {
  switch (activation.kind) {
    case 'relu':
      return { fields: { architecture: 'standard' }, tensors: [] };
    case 'gated':
      return {
        fields: { architecture: 'gated' },
        tensors: [
          ['b_gate', activation.gateBias],
          ['b_mag', activation.magnitudeBias],
          ['r_mag', activation.logScale],
        ],
      };
    case 'topk':
      if (activation.byMagnitude)
        differs.push("SAELens' topk keeps the largest values; this SAE the largest magnitudes");
      else if (activation.signed)
        differs.push(
          "SAELens' topk sets negative values to 0 after the choice; this SAE keeps them",
        );
      if (activation.byNorms)
        differs.push(
          "SAELens' topk that chooses by the norms of decoder rows keeps these norms in " +
            'its latents; this SAE takes them out (reconstructions are the same)',
        );
      return {
        fields: {
          architecture: 'topk',
          k: activation.k,
          rescale_acts_by_decoder_norm: activation.byNorms,
          ...ownWord(activation),
        },
        tensors: [],
      };
    case 'jumprelu':
      if (activation.signed && activation.threshold.lt(0).any().item())
        differs.push(
          "SAELens' jumprelu sets negative values to 0; this SAE has thresholds below 0 " +
            'and keeps what is above them',
        );
      return {
        fields: { architecture: 'jumprelu', ...ownWord({ signed: activation.signed }) },
        tensors: [['threshold', activation.threshold]],
      };
  }
}

/** To be called in a scope. */
export function toSaelens(sae: PlainSAE, { hookName }: { hookName: string | null }): Conversion {
  const differs: string[] = [];
  const notes: string[] = [];
  const { d, m, normalization, activation } = sae;
  const { fields, tensors } = architectureOf(sae, differs);
  const ownEpsilon =
    normalization.kind === 'layer-norm' && normalization.epsilon !== epsilonThere
      ? normalization.epsilon
      : null;
  if (ownEpsilon !== null) {
    notes.push(
      `SAELens adds ${epsilonThere} to the standard deviation, this SAE ${ownEpsilon}: ` +
        'there its inputs differ by the factor 1 − ' +
        `${Number((epsilonThere - ownEpsilon).toPrecision(3))} / std. cfg.json has the exact ` +
        'number as layer_norm_epsilon, which sae-eval reads',
    );
  }
  notes.push(
    ...differs.map(
      (what) =>
        `${what}: cfg.json says so under sae_eval, which sae-eval reads and SAELens passes over`,
    ),
  );
  return {
    notes,
    config: {
      ...fields,
      d_in: d,
      d_sae: m,
      dtype: 'float32',
      device: 'cpu',
      apply_b_dec_to_input: sae.subtracts,
      normalize_activations:
        normalization.kind === 'layer-norm'
          ? 'layer_norm'
          : normalization.kind === 'token-norm'
            ? 'constant_norm_rescale'
            : 'none',
      ...(ownEpsilon === null ? {} : { layer_norm_epsilon: ownEpsilon }),
      reshape_activations: hookName?.endsWith('.hook_z') === true ? 'hook_z' : 'none',
      metadata: {
        sae_lens_version: writtenAs,
        sae_lens_training_version: null,
        model_name: null,
        hook_name: hookName,
        hook_head_index: null,
        ...ofTheText(sae, notes),
        ...(sae.centered ? { model_from_pretrained_kwargs: { center_writing_weights: true } } : {}),
      },
    },
    tensors: new Map([
      ['W_enc', sae.encoder],
      ['W_dec', sae.decoder],
      ...(activation.kind === 'gated' ? [] : [['b_enc', sae.encoderBias] as const]),
      ['b_dec', sae.decoderBias],
      ...tensors,
    ]),
  };
}
