/**
 * Single-layer files of the RouteSAE family (github.com/swei2001/RouteSAEs and its reproduction) as descriptions, for converting
 * them: bare state dicts whose input is `pre(h)`. Evaluation has its own classes for them (src/sae).
 */
import { SaeEvalError } from '../../errors.js';
import type { SaeKind } from '../../evaluation/schema/request.js';
import type { Checkpoint } from '../read.js';
import { needK, Tensors, type Activation, type GivenSettings, type SaeDescription } from './description.js';

/** @throws SaeEvalError `checkpoint-*`, `sae-option`; `sae-kind` for kinds that are no SAE on one site. */
export function describeRouteSae(checkpoint: Checkpoint, kind: SaeKind, given: GivenSettings): SaeDescription {
  const { path } = checkpoint;
  const tensors = new Tensors(checkpoint);
  const [m, d] = tensors.matrix('encoder.weight', '[m, d]');
  const activation = ((): Activation => {
    switch (kind) {
      case 'Vanilla': return { kind: 'relu' };
      case 'TopK': case 'MLSAE': case 'RandomK': return { kind: 'topk', k: needK(given, undefined, m, path, 'its name'), signed: true };
      case 'JumpReLU': return { kind: 'jumprelu', threshold: { tensor: tensors.vector('threshold', [m]), log: false }, signed: true };
      case 'Gated': return { kind: 'gated', gateBias: tensors.vector('gate_bias', [m]), magnitudeBias: tensors.vector('mag_bias', [m]), logScale: tensors.vector('r_mag', [m]) };
      default: throw new SaeEvalError('sae-kind', `${path}: a ${kind} reads several layers at once; only SAEs on one site can be described so.`);
    }
  })();
  return {
    form: 'sae', source: 'routesae', checkpoint, configPath: null, d, m, activation,
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
    encoderBias: kind === 'Gated' ? null : tensors.vector('latent_bias', [m]),
    decoderBias: tensors.vector('pre_bias', [d]),
    subtractDecoderBias: true,
    glu: null,
    centred: false,
    decoderNorm: 'none',
    normalization: { kind: 'layer-norm', epsilon: 1e-6 },
    hookPoint: null, hookPointFrom: 'path', notes: [],
  };
}
