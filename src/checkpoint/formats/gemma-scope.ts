/** Gemma Scope (arXiv:2408.05147): `layer_L/width_W/average_l0_N/params.npz`; JumpReLU without a pre-bias. */
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../read.js';
import { Tensors, type GivenSettings, type SaeDescription } from './description.js';

/** @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`. */
export function describeGemmaScope(checkpoint: Checkpoint, given: GivenSettings): SaeDescription {
  const tensors = new Tensors(checkpoint);
  const [d, m] = tensors.shape('W_enc');
  if (tensors.shape('W_enc').length !== 2) throw new SaeEvalError('checkpoint-shape', `${checkpoint.path}: expected 'W_enc' of shape [d, m], found [${tensors.shape('W_enc').join(', ')}].`);
  if (/(^|[/\\])embedding[/\\]/.test(checkpoint.path)) throw new SaeEvalError('sae-kind', `${checkpoint.path}: an SAE on the embeddings, whose weights are scaled by the width; not supported.`);
  // The site is in the repository's name (…-res, -att, -mlp), not in the file; a folder below may have another name.
  const block = /(?:^|[/\\])layer_(\d{1,4})[/\\]/.exec(checkpoint.path)?.[1];
  const site = /gemma-scope-[^/\\]*-(att|mlp)(?:$|[-/\\])/.exec(checkpoint.path)?.[1];
  return {
    source: 'gemma-scope', checkpoint, d: d!, m: m!,
    encoder: tensors.weight('W_enc', [d!, m!], 'as stored'),
    decoder: tensors.weight('W_dec', [m!, d!], 'as stored'),
    encoderBias: tensors.vector('b_enc', [m!]),
    decoderBias: tensors.vector('b_dec', [d!]),
    subtractDecoderBias: false,
    activation: { kind: 'jumprelu', threshold: { tensor: tensors.vector('threshold', [m!]), log: false } },
    decoderNorm: 'none', skip: null, normalization: { kind: 'none' },
    hookPoint: block === undefined ? null : `blocks.${block}.${site === 'att' ? 'attn.hook_z' : site === 'mlp' ? 'hook_mlp_out' : 'hook_resid_post'}`,
    layer: given.layer ?? (block === undefined || site !== undefined ? null : Number(block) + 1),
    notes: [],
  };
}
