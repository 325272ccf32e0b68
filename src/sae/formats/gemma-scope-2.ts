/**
 * Gemma Scope 2 (2025, SAEs of Gemma 3): `config.json` and `params.safetensors` in
 * `resid_post/layer_L_width_W_l0_medium`; JumpReLU on raw activations, without a pre-bias. Its
 * transcoders read the output of the norm before the MLP and predict that of the norm behind it;
 * those with an affine connection add x Wᵀ. The weights alone are recognized by their tensors; then
 * the path says the site.
 */
import { resolve } from 'node:path';
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import type { DictionaryForm, Place, Weight } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { transcoding } from '../transcoding.js';
import { all, Refused, type Keys, type Vocabulary } from './vocabulary.js';

const schema = z.looseObject({
  hf_hook_point_in: z.string().nullish(),
  hf_hook_point_out: z.string().nullish(),
  width: z.int().positive().nullish(),
  l0: z.number().positive().nullish(),
  apply_b_dec_to_input: z.boolean().nullish(),
  affine_connection: z.boolean().nullish(),
  type: z.string().nullish(),
});

const names = ['w_enc', 'w_dec', 'b_enc', 'b_dec', 'threshold'];
export const skipName = 'affine_skip_connection';

/** Keys of all configurations of the release. */
export const gemmaScope2Keys: Keys = {
  ...all('honored', 'hf_hook_point_in', 'hf_hook_point_out', 'width', 'l0', 'type'),
  ...all('honored', 'apply_b_dec_to_input', 'affine_connection'),
  architecture: new Refused('another activation', [null, 'jump_relu', 'jumprelu']),
  ...all('harmless', 'model_name', 'dtype'),
};

const vocabulary: Vocabulary = {
  keys: gemmaScope2Keys,
  tensors: all('honored', ...names, skipName),
};

/** Hook points of the folders' sites in a block, and what a transcoder predicts. */
const sites: Readonly<Record<string, readonly [reads: string, predicts?: string]>> = {
  resid_post: ['output'],
  attn_out: ['self_attn.o_proj.input'],
  mlp_out: ['post_feedforward_layernorm.output'],
  transcoder: ['pre_feedforward_layernorm.output', 'post_feedforward_layernorm.output'],
};

/** Facts in the names of the folders, such as `mlp_out_all/layer_5_width_16k_l0_small`. */
function readPath(path: string) {
  const named = /(?:^|[/\\])([a-z_]{1,40})[/\\]layer_(\d{1,4})_width_([\da-z.]{1,16})(?:_|[/\\]|$)/;
  const [, folder = '', block, width] = named.exec(path) ?? [];
  const site = folder.replace(/_all$/, '');
  const [reads, predicts] = Object.hasOwn(sites, site) ? sites[site]! : [];
  const inBlock = (module: string | undefined): string | null =>
    module === undefined ? null : `model.layers.${block}.${module}`;
  return {
    isOther: /[/\\](?:clt|crosscoder)(?:_all)?[/\\]/.test(path),
    isTranscoder: /^transcoder/.test(site),
    hook: inBlock(reads),
    out: inBlock(predicts),
    fromPath: width === undefined ? {} : { width },
  };
}

/**
 * The affine connection, x Wᵀ, which the configuration and the tensors must agree on.
 * @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`.
 */
export function affineOf(
  tensors: Tensors,
  name: string,
  { said, file, shape }: { said: boolean | null; file: string; shape: [number, number] },
): Weight | null {
  if (said === false && tensors.has(name))
    throw new SaeEvalError(
      'checkpoint-keys',
      `${file}: affine_connection false: expected no tensor '${name}', found one.`,
    );
  return said === true || tensors.has(name) ? tensors.weight(name, shape, 'transposed') : null;
}

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const config = configPath === null ? {} : readConfig(configPath, schema);
  const { hf_hook_point_in: hook, hf_hook_point_out: hookOut, type } = config;
  const file = configPath ?? checkpoint.path;
  const path = readPath(resolve(checkpoint.path));
  const tensors = new Tensors(checkpoint);
  if (['clt', 'crosscoder'].includes(type ?? '') || (path.isOther && !hook))
    throw new SaeEvalError(
      'sae-kind',
      `${file}: one layer of a ${type ?? 'cross-layer transcoder or crosscoder'}; expected the ` +
        'folder with params_layer_0.safetensors and those of the other layers.',
    );
  given.refuse('scale', "Gemma Scope's SAEs read raw activations");
  const [d, stored] = tensors.matrix('w_enc', '[d, m]');
  const m = config.width ?? stored;
  const said = config.affine_connection ?? null;
  const isTranscoder =
    type === 'transcoder' ||
    (hookOut ? hookOut !== hook : !hook && path.isTranscoder) ||
    said === true ||
    tensors.has(skipName);
  const dOut = isTranscoder ? tensors.matrix('w_dec', '[m, d]')[1] : d;
  const place: Place = hook
    ? { over: 'hook point', named: hook, from: 'config' }
    : { over: 'hook point', named: path.hook, from: 'path' };
  const dictionary: FormatDescription & DictionaryForm = {
    form: 'dictionary',
    d,
    m,
    place,
    encoder: tensors.weight('w_enc', [d, m], 'as stored'),
    decoder: tensors.weight('w_dec', [m, dOut], 'as stored'),
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [dOut]),
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
  if (!isTranscoder) return dictionary;
  return {
    ...transcoding(dictionary, {
      dOut,
      out: hookOut || path.out,
      skip: affineOf(tensors, skipName, { said, file, shape: [dOut, d] }),
    }),
    skipIsOpen: d === dOut,
  };
}

export const gemmaScope2: Format = {
  name: 'gemma-scope-2',
  folder: { weights: ['params.safetensors'], config: 'config.json' },
  file: (checkpoint) =>
    names.every((name) => checkpoint.entries.has(name)) ? { checkpoint, configPath: null } : null,
  vocabulary,
  describe,
};
