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
}: {
  signed: boolean;
  byNorms?: boolean;
}): Record<string, unknown> {
  const words = {
    ...(signed ? { keeps_negative: true } : {}),
    ...(byNorms ? { decoder_norm: 'selection' } : {}),
  };
  return Object.keys(words).length === 0 ? {} : { sae_eval: words };
}

/** The positions and the BOS of its training, in the words of SAELens' metadata. */
function ofTheText({ exclusion, prependBos }: Written, notes: string[]): Record<string, unknown> {
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
  { differs, notes }: { differs: string[]; notes: string[] },
): { fields: Record<string, unknown>; tensors: [string, Tensor][] } {
  switch (activation.kind) {
    case 'relu':
      return { fields: { architecture: 'standard' }, tensors: [] };
    case 'matching-pursuit':
      return {
        fields: {
          architecture: 'matching_pursuit',
          residual_threshold: activation.residualThreshold,
          max_iterations: activation.maxIterations,
          stop_on_duplicate_support: activation.stopsAtRepetition,
        },
        tensors: [],
      };
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
        notes.push(
          'architecture abstopk is younger than version 6.50 of SAELens, which refuses it before',
        );
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
          architecture: activation.byMagnitude ? 'abstopk' : 'topk',
          k: activation.k,
          rescale_acts_by_decoder_norm: activation.byNorms,
          ...ownWord({
            signed: activation.signed && !activation.byMagnitude,
            byNorms: activation.byNorms,
          }),
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

/** The part of SAELens' configuration that every SAE has. */
type Written = Pick<
  PlainSAE,
  | 'd'
  | 'm'
  | 'subtracts'
  | 'centered'
  | 'normalization'
  | 'exclusion'
  | 'prependBos'
  | 'head'
  | 'groups'
>;

const normalizationsThere = {
  'layer-norm': 'layer_norm',
  'token-norm': 'constant_norm_rescale',
  none: 'none',
} as const;

/** The tensors and the configuration, with the fields of an architecture. */
export function saelensFile(
  sae: Written,
  {
    hookName,
    fields,
    tensors,
    notes,
  }: {
    hookName: string | null;
    fields: Record<string, unknown>;
    tensors: readonly (readonly [string, Tensor])[];
    notes: string[];
  },
): Conversion {
  const { d, m, normalization, head } = sae;
  const ownEpsilon =
    normalization.kind === 'layer-norm' && normalization.epsilon !== epsilonThere
      ? normalization.epsilon
      : null;
  if (ownEpsilon !== null)
    notes.push(
      `SAELens adds ${epsilonThere} to the standard deviation, this SAE ${ownEpsilon}: ` +
        'there its inputs differ by the factor 1 − ' +
        `${Number((epsilonThere - ownEpsilon).toPrecision(3))} / std. cfg.json has the exact ` +
        'number as layer_norm_epsilon, which sae-eval reads',
    );
  const readsAllHeads = head === null && hookName?.endsWith('.hook_z') === true;
  return {
    notes,
    config: {
      d_in: d,
      d_sae: m,
      dtype: 'float32',
      device: 'cpu',
      apply_b_dec_to_input: sae.subtracts,
      normalize_activations: normalizationsThere[normalization.kind],
      ...(ownEpsilon === null ? {} : { layer_norm_epsilon: ownEpsilon }),
      reshape_activations: readsAllHeads ? 'hook_z' : 'none',
      ...fields,
      ...(sae.groups === undefined ? {} : { matryoshka_widths: [...sae.groups] }),
      metadata: {
        sae_lens_version: writtenAs,
        sae_lens_training_version: null,
        model_name: null,
        hook_name: hookName,
        hook_head_index: head,
        ...ofTheText(sae, notes),
        ...(sae.centered ? { model_from_pretrained_kwargs: { center_writing_weights: true } } : {}),
      },
    },
    tensors: new Map(tensors),
  };
}

/** To be called in a scope. */
export function toSaelens(sae: PlainSAE, { hookName }: { hookName: string | null }): Conversion {
  const differs: string[] = [];
  const notes: string[] = [];
  const { activation } = sae;
  const { fields, tensors } = architectureOf(sae, { differs, notes });
  const isPursuit = activation.kind === 'matching-pursuit';
  const made = saelensFile(sae, {
    hookName,
    fields,
    tensors: [
      // A pursuit's encoder is its decoder.
      ...(isPursuit ? [] : [['W_enc', sae.encoder] as const]),
      ['W_dec', sae.decoder],
      ...(isPursuit || activation.kind === 'gated' ? [] : [['b_enc', sae.encoderBias] as const]),
      ['b_dec', sae.decoderBias],
      ...tensors,
    ],
    notes,
  });
  made.notes.push(
    ...differs.map(
      (what) =>
        `${what}: cfg.json says so under sae_eval, which sae-eval reads and SAELens passes over`,
    ),
  );
  return made;
}
