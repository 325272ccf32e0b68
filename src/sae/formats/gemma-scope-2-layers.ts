/**
 * Gemma Scope 2's SAEs of several layers: cross-layer transcoders (`clt/width_W_l0_medium`) and
 * weakly causal crosscoders (`crosscoder/layer_7_13_17_22_width_W_l0_medium`), each a folder of
 * `params_layer_0.safetensors` and so on with a `config.json`. Each layer has a JumpReLU encoder of
 * its own; its decoder [m, layers, d] writes to every layer from its own on.
 */
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import { isThere } from '../../files/index.js';
import type { CrossLayerPart } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { FolderParts, Format, FormatDescription, FormatFile } from './format.js';
import { affineOf, gemmaScope2Keys, skipName } from './gemma-scope-2.js';
import { layerDecoder } from './layer-decoder.js';
import { numberedFiles } from './numbered-files.js';
import { Tensors } from './tensors.js';
import { all, type Vocabulary } from './vocabulary.js';

const schema = z.looseObject({
  hf_hook_point_in: z.string().nullish(),
  hf_hook_point_out: z.string().nullish(),
  l0: z.number().positive().nullish(),
  affine_connection: z.boolean().nullish(),
});

const names = ['w_enc', 'w_dec', 'b_enc', 'b_dec', 'threshold'];

const vocabulary: Vocabulary = {
  keys: { ...gemmaScope2Keys, width: 'harmless' },
  tensors: all('honored', ...[...names, skipName].map((name) => `${name}.*`)),
};

function parts(folder: string): FolderParts | null {
  const files = numberedFiles(folder, 'params_layer_');
  if (files === null) return null;
  const config = join(folder, 'config.json');
  return {
    files: files.map((path, l) => ({ path, nameOf: (tensor) => `${tensor}.${l}` })),
    configPath: isThere(config) ? config : null,
  };
}

/**
 * `model.layers.{all}.output` or `model.layers.{5,9,12,15}.output`: a name for each of n layers.
 */
function expanded(name: string, n: number, file: string): string[] {
  const found = /\{([^{}]*)\}/.exec(name);
  const list = found?.[1] ?? '';
  const numbers = list === 'all' ? [...Array(n).keys()].map(String) : list.split(',');
  if (
    found === null ||
    numbers.length !== n ||
    !numbers.every((one) => /^\s*\d{1,5}\s*$/.test(one))
  )
    throw new SaeEvalError(
      'sae-kind',
      `${file}: expected a hook point with {all} or a list of ${n} layers in braces, one for ` +
        `each file, found ${JSON.stringify(name.slice(0, 80))}.`,
    );
  return numbers.map((number) => name.replace(found[0], number.trim()));
}

/** Hook points by the names of the folders, for a folder without a configuration. */
function byPath(path: string): { reads: string; predicts: string } | null {
  const layers = /[/\\]crosscoder[^/\\]*[/\\]layer_(\d+(?:_\d+)*)_width/.exec(path)?.[1];
  if (layers !== undefined) {
    const reads = `model.layers.{${layers.replaceAll('_', ',')}}.output`;
    return { reads, predicts: reads };
  }
  const block = 'model.layers.{all}';
  return /[/\\]clt[^/\\]*[/\\]/.test(path)
    ? {
        reads: `${block}.pre_feedforward_layernorm.output`,
        predicts: `${block}.post_feedforward_layernorm.output`,
      }
    : null;
}

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const config = configPath === null ? {} : readConfig(configPath, schema);
  const file = configPath ?? checkpoint.path;
  given.refuse('scale', "Gemma Scope's SAEs read raw activations");
  const tensors = new Tensors(checkpoint);
  const n = [...checkpoint.entries.keys()].filter((name) => /^w_enc\.\d+$/.test(name)).length;
  const [d] = tensors.matrix('w_enc.0', '[d, m]');
  const layers = Array.from({ length: Math.max(n, 1) }, (_, l): CrossLayerPart => {
    const [, m] = tensors.matrix(`w_enc.${l}`, '[d, m]');
    return {
      encoder: tensors.weight(`w_enc.${l}`, [d, m], 'as stored'),
      encoderBias: tensors.vector(`b_enc.${l}`, [m]),
      activation: {
        kind: 'jumprelu',
        threshold: { tensor: tensors.threshold(`threshold.${l}`, m), log: false },
      },
      decoder: layerDecoder(tensors, `w_dec.${l}`, { m, d, l, n }),
      decoderBias: tensors.vector(`b_dec.${l}`, [d]),
      skip: affineOf(tensors, `${skipName}.${l}`, {
        said: config.affine_connection ?? null,
        file,
        shape: [d, d],
      }),
    };
  });
  const { hf_hook_point_in: reads, hf_hook_point_out: predicts } = config;
  const named = reads ? { reads, predicts: predicts || reads } : byPath(resolve(file));
  if (named === null)
    throw new SaeEvalError(
      'sae-kind',
      `${checkpoint.path}: expected a config.json with hf_hook_point_in beside the weights, or a ` +
        'path with clt/ or crosscoder/layer_…, found neither.',
    );
  const hooks = expanded(named.reads, layers.length, file);
  const isTranscoder = named.predicts !== named.reads;
  return {
    form: 'cross-layer',
    d,
    m: layers.reduce((sum, { encoderBias }) => sum + tensors.shape(encoderBias)[0]!, 0),
    activation: layers[0]!.activation,
    decoderNorm: 'none',
    layers,
    skipIsOpen: true,
    place: {
      over: 'hook points',
      named: hooks,
      ...(isTranscoder ? { out: expanded(named.predicts, layers.length, file) } : {}),
    },
    ...(config.l0 ? { publishedL0: config.l0 } : {}),
    notes: [],
  };
}

export const gemmaScope2Layers: Format = {
  name: 'gemma-scope-2-layers',
  parts,
  vocabulary,
  describe,
};
