/**
 * OpenAI's SAEs (github.com/openai/sparse_autoencoder): one `.pt` with tensors, the activation's
 * name and its state.
 */
import { resolve } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import {
  needK,
  refuseScale,
  Tensors,
  type Activation,
  type GivenSettings,
  type SaeDescription,
} from '../description.js';
import { openAiHookPoint } from './hook-point.js';

/**
 * RouteSAE's files have the same tensor names; the activation's name beside them tells these apart.
 */
export function looksLikeOpenAi({ values, entries }: Checkpoint): boolean {
  return (
    typeof values.get('activation') === 'string' &&
    entries.has('pre_bias') &&
    entries.has('latent_bias')
  );
}

/** @throws SaeEvalError `checkpoint-*`, `sae-kind`, `sae-option`. */
export function describeOpenAi(checkpoint: Checkpoint, given: GivenSettings): SaeDescription {
  const { path, values } = checkpoint;
  const tensors = new Tensors(checkpoint);
  const [m, d] = tensors.matrix('encoder.weight', '[m, d]');
  const name = values.get('activation');
  let activation: Activation;
  if (name === 'ReLU') activation = { kind: 'relu' };
  else if (name === 'TopK') {
    const after = values.get('activation_state_dict.postact_fn') ?? 'ReLU';
    if (after !== 'ReLU' && after !== 'Identity')
      throw new SaeEvalError(
        'sae-kind',
        `${path}: TopK followed by ${JSON.stringify(after).slice(0, 60)} is not supported; ` +
          'expected ReLU or Identity.',
      );
    const k = values.get('activation_state_dict.k');
    activation = {
      kind: 'topk',
      k: needK(given, typeof k === 'number' ? k : null, m, path, "its activation's state"),
      ...(after === 'Identity' ? { signed: true } : {}),
    };
  } else
    throw new SaeEvalError(
      'sae-kind',
      `${path}: activation ` +
        (typeof name === 'string' ? JSON.stringify(name.slice(0, 60)) : 'of no name') +
        ' is not supported; expected TopK or ReLU.',
    );
  refuseScale(given, path, "OpenAI's SAEs need no scale");
  return {
    form: 'sae',
    source: 'openai',
    checkpoint,
    configPath: null,
    d,
    m,
    activation,
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
    encoderBias: tensors.vector('latent_bias', [m]),
    decoderBias: tensors.vector('pre_bias', [d]),
    subtractDecoderBias: true,
    glu: null,
    centred: given.centred === true,
    decoderNorm: 'none',
    normalization: name === 'TopK' ? { kind: 'layer-norm', epsilon: 1e-5 } : { kind: 'none' },
    hookPoint: openAiHookPoint(resolve(path)),
    hookPointFrom: 'path',
    notes: [],
  };
}
