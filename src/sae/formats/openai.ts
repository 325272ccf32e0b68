/**
 * OpenAI's SAEs of GPT-2 (github.com/openai/sparse_autoencoder): one `.pt` with tensors, the
 * activation's name and its state, at `{location}/autoencoders/{layer}.pt`.
 */
import { resolve } from 'node:path';
import type { Checkpoint } from '../../checkpoint/read.js';
import { SaeEvalError } from '../../errors.js';
import type { Activation, Normalization, Place } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, type Vocabulary } from './vocabulary.js';

const vocabulary: Vocabulary = {
  keys: {},
  tensors: {
    ...all('honored', 'pre_bias', 'encoder.weight', 'latent_bias', 'decoder.weight'),
    ...all('harmless', 'stats_last_nonzero', 'latents_activation_frequency'),
    ...all('harmless', 'latents_mean_square'),
  },
  values: all(
    'honored',
    ...['activation', 'activation_state_dict.k', 'activation_state_dict.postact_fn', 'normalize'],
  ),
};

/** Locations in OpenAI's words, as hook points. */
const sites: Readonly<Record<string, string>> = {
  resid_post_mlp: 'hook_resid_post',
  resid_post_attn: 'hook_resid_mid',
  resid_delta_mlp: 'hook_mlp_out',
  resid_delta_attn: 'hook_attn_out',
};

function placeOf(path: string): Place {
  const folder = /(?:^|[/\\])(\w+?)(?:_v\d+(?:_\w+)?)?[/\\]autoencoders[/\\](\d{1,4})\.pt$/;
  const [, location, block] = folder.exec(path) ?? [];
  const from = { over: 'hook point', from: 'path' } as const;
  if (location !== undefined && Object.hasOwn(sites, location))
    return { ...from, named: `blocks.${block}.${sites[location]}` };
  // Such as mlp_post_act, the neurons.
  const isOther = /^(?:resid|mlp|attn)_/.test(location ?? '');
  return { ...from, named: null, ...(isOther ? { suggests: location! } : {}) };
}

function activationOf({ path, values }: Checkpoint, m: number, given: GivenSettings): Activation {
  const name = values.get('activation');
  const text = (value: unknown): string => JSON.stringify(value)?.slice(0, 60) ?? 'none';
  if (name === 'ReLU') return { kind: 'relu' };
  if (name !== 'TopK')
    throw new SaeEvalError(
      'sae-kind',
      `${path}: activation ${text(name)} is not supported; expected TopK or ReLU.`,
    );
  const after = values.get('activation_state_dict.postact_fn') ?? 'ReLU';
  if (after !== 'ReLU' && after !== 'Identity')
    throw new SaeEvalError(
      'sae-kind',
      `${path}: TopK followed by ${text(after)} is not supported; expected ReLU or Identity.`,
    );
  const saved = values.get('activation_state_dict.k');
  const k = given.k({
    saved: typeof saved === 'number' ? saved : null,
    m,
    where: "the activation's state",
  });
  return { kind: 'topk', k, ...(after === 'Identity' ? { signed: true } : {}) };
}

/** How activations become the input: the loader of OpenAI goes by the activation alone. */
function normalizationOf({ path, values }: Checkpoint, { kind }: Activation): Normalization {
  const normalizes = kind === 'topk';
  const said = values.get('normalize');
  if (typeof said === 'boolean' && said !== normalizes)
    throw new SaeEvalError(
      'sae-kind',
      `${path}: normalize ${said} is not supported with ${normalizes ? 'TopK' : 'ReLU'}; ` +
        `expected ${normalizes}, as OpenAI's loader has it.`,
    );
  return normalizes ? { kind: 'layer-norm', epsilon: 1e-5 } : { kind: 'none' };
}

function describe({ checkpoint }: FormatFile, given: GivenSettings): FormatDescription {
  const tensors = new Tensors(checkpoint);
  const [m, d] = tensors.matrix('encoder.weight', '[m, d]');
  const activation = activationOf(checkpoint, m, given);
  given.refuse('scale', "OpenAI's SAEs need no scale");
  return {
    form: 'dictionary',
    d,
    m,
    activation,
    place: placeOf(resolve(checkpoint.path)),
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
    encoderBias: tensors.vector('latent_bias', [m]),
    decoderBias: tensors.vector('pre_bias', [d]),
    subtractDecoderBias: true,
    glu: null,
    centered: given.centered(),
    decoderNorm: 'none',
    normalization: normalizationOf(checkpoint, activation),
    notes: [],
  };
}

export const openAi: Format = {
  name: 'openai',
  vocabulary,
  // RouteSAE's files have the same tensor names; the activation's name beside them tells these
  // apart.
  file: (checkpoint) =>
    typeof checkpoint.values.get('activation') === 'string' &&
    checkpoint.entries.has('pre_bias') &&
    checkpoint.entries.has('latent_bias')
      ? { checkpoint, configPath: null }
      : null,
  describe,
};
