/**
 * Gemma Scope (arXiv:2408.05147): `layer_L/width_W/average_l0_N/params.npz`; JumpReLU without a
 * pre-bias.
 */
import { resolve } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { refuseScale, Tensors, type GivenSettings, type SaeDescription } from '../description.js';

/** @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`, `sae-option`. */
export function describeGemmaScope(checkpoint: Checkpoint, given: GivenSettings): SaeDescription {
  const tensors = new Tensors(checkpoint);
  refuseScale(given, checkpoint.path, "Gemma Scope's SAEs read raw activations");
  const encoder = tensors.either('W_enc', 'w_enc');
  const [d, m] = tensors.matrix(encoder, '[d, m]');
  // Trained on embeddings before Gemma multiplies them by √d: the weights make up for it, the bias
  // does not.
  const path = resolve(checkpoint.path);
  const embedding = /[/\\]embedding[/\\]/.test(path);
  if (/gemma-scope-[^/\\]*transcoder/.test(path))
    throw new SaeEvalError(
      'sae-kind',
      `${checkpoint.path}: a transcoder, which reconstructs another site than it reads; ` +
        'only autoencoders are evaluated.',
    );
  const factor = embedding ? Math.sqrt(d) : 1;
  const scaled = (by: number): { factor?: number } => (embedding ? { factor: by } : {});
  // The site is in the repository's name (…-res, -att, -mlp), not in the file; a folder below may
  // have another name.
  const block = /(?:^|[/\\])layer_(\d{1,4})[/\\]/.exec(path)?.[1];
  const site = /gemma-scope-[^/\\]*-(att|mlp)(?:$|[-/\\])/.exec(path)?.[1];
  const width = /[/\\]width_([\w.]{1,16})[/\\]/.exec(path)?.[1];
  const averageL0 = /[/\\]average_l0_(\d{1,6})[/\\]/.exec(path)?.[1];
  const hook = site === 'att' ? 'attn.hook_z' : site === 'mlp' ? 'hook_mlp_out' : 'hook_resid_post';
  return {
    form: 'sae',
    source: 'gemma-scope',
    checkpoint,
    configPath: null,
    d,
    m,
    encoder: { ...tensors.weight(encoder, [d, m], 'as stored'), ...scaled(1 / factor) },
    decoder: {
      ...tensors.weight(tensors.either('W_dec', 'w_dec'), [m, d], 'as stored'),
      ...scaled(factor),
    },
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: false,
    glu: null,
    centred: given.centred === true,
    activation: {
      kind: 'jumprelu',
      threshold: { tensor: tensors.threshold('threshold', m), log: false },
    },
    decoderNorm: 'none',
    normalization: { kind: 'none' },
    hookPoint: embedding ? 'hook_embed' : block === undefined ? null : `blocks.${block}.${hook}`,
    hookPointFrom: 'path',
    fromPath: {
      ...(width === undefined ? {} : { width }),
      ...(averageL0 === undefined ? {} : { averageL0: Number(averageL0) }),
    },
    notes: [],
  };
}
