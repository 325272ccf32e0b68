/**
 * Cross-layer transcoders of circuit-tracer (github.com/decoderesearch/circuit-tracer): a folder of
 * `W_enc_L.safetensors` and `W_dec_L.safetensors` for every layer, and a `config.yaml` that names
 * the hook points of a block. ReLU, or JumpReLU if there are thresholds; a skip connection adds x
 * W.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { readYamlConfig } from '../../checkpoint/yaml-file.js';
import { isThere } from '../../files/index.js';
import type { Activation, CrossLayerPart } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { FolderParts, Format, FormatDescription, FormatFile } from './format.js';
import { layerDecoder } from './layer-decoder.js';
import { numberedFiles } from './numbered-files.js';
import { Tensors } from './tensors.js';
import { all, Refused, type Keys, type Vocabulary } from './vocabulary.js';

export const hooksSchema = z.looseObject({
  feature_input_hook: z.string().min(1).max(200).nullish(),
  feature_output_hook: z.string().min(1).max(200).nullish(),
});

/** Keys of the configurations of all transcoders. */
export const circuitTracerKeys: Keys = {
  ...all('honored', 'feature_input_hook', 'feature_output_hook'),
  ...all('harmless', 'model_name', 'model_kind', 'scan', 'urls', 'base_model', 'name', 'repo_id'),
};

const vocabulary: Vocabulary = {
  keys: {
    ...circuitTracerKeys,
    model_kind: new Refused('another kind of model', [null, 'cross_layer_transcoder']),
  },
  tensors: all('honored', 'W_enc_*', 'W_dec_*', 'b_enc_*', 'b_dec_*', 'threshold_*', 'W_skip_*'),
};

function parts(folder: string): FolderParts | null {
  const encoders = numberedFiles(folder, 'W_enc_');
  const decoders = encoders === null ? null : numberedFiles(folder, 'W_dec_');
  if (encoders === null || decoders === null) return null;
  const config = join(folder, 'config.yaml');
  return {
    files: [...encoders, ...decoders].map((path) => ({ path, nameOf: (tensor) => tensor })),
    configPath: isThere(config) ? config : null,
  };
}

/** Name of a hook point of a block, from 0, by its name inside the block. */
export const inBlock = (block: number, hook: string): string => `blocks.${block}.${hook}`;

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const config = configPath === null ? {} : readYamlConfig(configPath, hooksSchema);
  const reads = config.feature_input_hook ?? 'hook_resid_mid';
  const predicts = config.feature_output_hook ?? 'hook_mlp_out';
  given.refuse('scale', "circuit-tracer's transcoders read raw activations");
  const tensors = new Tensors(checkpoint);
  const n = [...checkpoint.entries.keys()].filter((name) => /^W_enc_\d+$/.test(name)).length;
  const [, d] = tensors.matrix('W_enc_0', '[m, d]');
  const layers = Array.from({ length: Math.max(n, 1) }, (_, l): CrossLayerPart => {
    const [m] = tensors.matrix(`W_enc_${l}`, '[m, d]');
    const threshold = `threshold_${l}`;
    const activation: Activation = tensors.has(threshold)
      ? {
          kind: 'jumprelu',
          threshold: { tensor: tensors.vector(threshold, [m], [1, m], [], [1]), log: false },
        }
      : { kind: 'relu' };
    const skip = `W_skip_${l}`;
    return {
      encoder: tensors.weight(`W_enc_${l}`, [m, d], 'transposed'),
      encoderBias: tensors.vector(`b_enc_${l}`, [m]),
      activation,
      decoder: layerDecoder(tensors, `W_dec_${l}`, { m, d, l, n }),
      decoderBias: tensors.vector(`b_dec_${l}`, [d]),
      // The library's own code multiplies by it as it stands.
      skip: tensors.has(skip) ? tensors.weight(skip, [d, d], 'as stored') : null,
    };
  });
  const missing = config.feature_input_hook ? [] : [assumed(reads, predicts)];
  return {
    form: 'cross-layer',
    d,
    m: layers.reduce((sum, { encoderBias }) => sum + tensors.shape(encoderBias)[0]!, 0),
    activation: layers[0]!.activation,
    decoderNorm: 'none',
    layers,
    place: {
      over: 'hook points',
      named: layers.map((_, l) => inBlock(l, reads)),
      out: layers.map((_, l) => inBlock(l, predicts)),
    },
    notes: missing,
  };
}

/** Remark on hook points that no configuration names. */
export const assumed = (reads: string, predicts: string) => ({
  en:
    `No config.yaml names its hook points; assumed, as circuit-tracer does: from ${reads} to ` +
    `${predicts}.`,
  zh: `没有 config.yaml 说明其钩点；按 circuit-tracer 的默认：从 ${reads} 到 ${predicts}。`,
});

export const circuitTracerLayers: Format = {
  name: 'circuit-tracer-layers',
  parts,
  vocabulary,
  describe,
};
