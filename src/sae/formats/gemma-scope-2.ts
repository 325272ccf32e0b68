/**
 * Gemma Scope 2 (2025, SAEs of Gemma 3): `config.json` and `params.safetensors` in
 * `resid_post/layer_L_width_W_l0_medium`; JumpReLU on raw activations, without a pre-bias. The
 * weights alone are recognized by their tensors; then the path says the site.
 */
import { resolve } from 'node:path';
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import type { Place } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, Refused, type Vocabulary } from './vocabulary.js';

const schema = z.looseObject({
  hf_hook_point_in: z.string().nullish(),
  hf_hook_point_out: z.string().nullish(),
  width: z.int().positive().nullish(),
  l0: z.number().positive().nullish(),
  apply_b_dec_to_input: z.boolean().nullish(),
});

const otherKind = 'a transcoder or crosscoder; only autoencoders are evaluated';
const names = ['w_enc', 'w_dec', 'b_enc', 'b_dec', 'threshold'];

const vocabulary: Vocabulary = {
  keys: {
    ...all('honored', 'hf_hook_point_in', 'hf_hook_point_out', 'width', 'l0'),
    ...all('honored', 'apply_b_dec_to_input'),
    architecture: new Refused('another activation', [null, 'jump_relu', 'jumprelu']),
    affine_connection: new Refused('a transcoder with an affine skip connection'),
    type: new Refused(otherKind, [null, 'sae']),
    ...all('harmless', 'model_name', 'dtype'),
  },
  tensors: {
    ...all('honored', ...names),
    affine_skip_connection: new Refused('a transcoder with an affine skip connection'),
  },
};

/** Hook points of the folders' sites in a block. */
const sites: Readonly<Record<string, string>> = {
  resid_post: 'output',
  attn_out: 'self_attn.o_proj.input',
  mlp_out: 'post_feedforward_layernorm.output',
};

/** Facts in the names of the folders, such as `mlp_out_all/layer_5_width_16k_l0_small`. */
function readPath(path: string) {
  const named = /(?:^|[/\\])([a-z_]{1,40})[/\\]layer_(\d{1,4})_width_([\da-z.]{1,16})(?:_|[/\\]|$)/;
  const [, folder = '', block, width] = named.exec(path) ?? [];
  const site = folder.replace(/_all$/, '');
  const isOther = /^(?:transcoder|clt|crosscoder)/.test(site);
  return {
    isOther: isOther || /[/\\](?:clt|crosscoder)(?:_all)?[/\\]/.test(path),
    hook: Object.hasOwn(sites, site) ? `model.layers.${block}.${sites[site]}` : null,
    fromPath: width === undefined ? {} : { width },
  };
}

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const config = configPath === null ? {} : readConfig(configPath, schema);
  const { hf_hook_point_in: hook, hf_hook_point_out: out } = config;
  const file = configPath ?? checkpoint.path;
  if (out && out !== hook)
    throw new SaeEvalError(
      'sae-kind',
      `${file}: hf_hook_point_out: a transcoder from ${hook ?? 'somewhere'} to ${out}; only ` +
        'autoencoders are evaluated.',
    );
  const path = readPath(resolve(checkpoint.path));
  if (path.isOther && !hook) throw new SaeEvalError('sae-kind', `${file}: ${otherKind}.`);
  given.refuse('scale', "Gemma Scope's SAEs read raw activations");
  const tensors = new Tensors(checkpoint);
  const [d, stored] = tensors.matrix('w_enc', '[d, m]');
  const m = config.width ?? stored;
  const place: Place = hook
    ? { over: 'hook point', named: hook, from: 'config' }
    : { over: 'hook point', named: path.hook, from: 'path' };
  return {
    form: 'dictionary',
    d,
    m,
    place,
    encoder: tensors.weight('w_enc', [d, m], 'as stored'),
    decoder: tensors.weight('w_dec', [m, d], 'as stored'),
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: config.apply_b_dec_to_input === true,
    glu: null,
    centered: given.centered(),
    activation: {
      kind: 'jumprelu',
      threshold: { tensor: tensors.threshold('threshold', m), log: false },
    },
    decoderNorm: 'none',
    normalization: { kind: 'none' },
    fromPath: path.fromPath,
    ...(config.l0 ? { publishedL0: config.l0 } : {}),
    notes: [],
  };
}

export const gemmaScope2: Format = {
  name: 'gemma-scope-2',
  folder: { weights: ['params.safetensors'], config: 'config.json' },
  file: (checkpoint) =>
    checkpoint.format === 'safetensors' && names.every((name) => checkpoint.entries.has(name))
      ? { checkpoint, configPath: null }
      : null,
  vocabulary,
  describe,
};
