/** OpenAI's SAEs (github.com/openai/sparse_autoencoder): one `.pt` with tensors, the activation's name and its state. */
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../read.js';
import { Tensors, type Activation, type GivenSettings, type SaeDescription } from './description.js';

/** RouteSAE's files have the same tensor names; the activation's name beside them tells these apart. */
export function looksLikeOpenAi({ values, entries }: Checkpoint): boolean {
  return typeof values.get('activation') === 'string' && entries.has('pre_bias') && entries.has('latent_bias');
}

/** @throws SaeEvalError `checkpoint-*`, `sae-kind`, `sae-option`. */
export function describeOpenAi(checkpoint: Checkpoint, given: GivenSettings): SaeDescription {
  const tensors = new Tensors(checkpoint);
  const shape = tensors.shape('encoder.weight');
  if (shape.length !== 2) throw new SaeEvalError('checkpoint-shape', `${checkpoint.path}: expected 'encoder.weight' of shape [m, d], found [${shape.join(', ')}].`);
  const [m, d] = shape as [number, number];
  const name = checkpoint.values.get('activation');
  let activation: Activation;
  if (name === 'ReLU') activation = { kind: 'relu' };
  else if (name === 'TopK') {
    const k = given.k ?? checkpoint.values.get('activation_state_dict.k');
    const after = checkpoint.values.get('activation_state_dict.postact_fn') ?? 'ReLU';
    if (after !== 'ReLU') throw new SaeEvalError('sae-kind', `${checkpoint.path}: TopK followed by ${JSON.stringify(after)} is not supported; expected ReLU.`);
    if (typeof k !== 'number' || !Number.isInteger(k) || k < 1 || k > m) throw new SaeEvalError('sae-option', `${checkpoint.path}: expected k of 1…${m} in its activation's state, found ${typeof k === 'number' ? k : 'none'}. Give k in the request.`, { fields: [{ path: 'k', message: `expected 1…${m}` }] });
    activation = { kind: 'topk', k };
  } else throw new SaeEvalError('sae-kind', `${checkpoint.path}: activation ${typeof name === 'string' ? JSON.stringify(name.slice(0, 60)) : 'of no name'} is not supported; expected TopK or ReLU.`);
  return {
    source: 'openai', checkpoint, d, m, activation,
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
    encoderBias: tensors.vector('latent_bias', [m]),
    decoderBias: tensors.vector('pre_bias', [d]),
    subtractDecoderBias: true,
    decoderNorm: 'none', skip: null,
    normalization: name === 'TopK' ? { kind: 'layer-norm', epsilon: 1e-5 } : { kind: 'none' },
    hookPoint: null, layer: given.layer ?? null, notes: [],
  };
}
