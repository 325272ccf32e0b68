/**
 * Attention SAEs of Connor Kissane and Rob Krzyzanowski (2024, GPT-2 and small models): `NAME.pt`
 * and `NAME_cfg.json`; ReLU with a pre-bias on the outputs of all heads, concatenated.
 */
import { z } from 'zod';
import type { Bilingual } from '../../bilingual.js';
import { readConfig } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import { isFile } from '../../files/index.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, type Vocabulary } from './vocabulary.js';

const schema = z.looseObject({
  act_size: z.int().positive(),
  dict_size: z.int().positive(),
  act_name: z.string(),
});

const names = ['W_enc', 'W_dec', 'b_enc', 'b_dec'];

const vocabulary: Vocabulary = {
  keys: {
    ...all('honored', ...Object.keys(schema.shape)),
    ...all('harmless', 'model_name', 'site', 'layer', 'device', 'enc_dtype', 'seed', 'name'),
    ...all('harmless', 'batch_size', 'model_batch_size', 'buffer_mult', 'buffer_size'),
    ...all('harmless', 'buffer_batches', 'num_tokens', 'seq_len', 'dict_mult', 'lr'),
    ...all('harmless', 'l1_coeff', 'beta1', 'beta2'),
  },
  tensors: all('honored', ...names),
};

/** Path of `NAME_cfg.json` beside `NAME.pt`, if it is there and is of this format. */
function configBeside(path: string): string | null {
  const config = path.replace(/\.[a-z]+$/, '_cfg.json');
  if (!isFile(config)) return null;
  try {
    const found = readConfig(config, z.looseObject({}));
    return Object.keys(schema.shape).some((key) => Object.hasOwn(found, key)) ? config : null;
  } catch (error) {
    // One that cannot be read is not passed over: describing the SAE says why.
    if (error instanceof SaeEvalError) return config;
    throw error;
  }
}

const biasNote: Bilingual = {
  en:
    'These SAEs were trained in TransformerLens, which moves the value biases of the heads ' +
    'behind hook_z by default (fold_value_biases). Here hook_z has them: if the model has ' +
    'value biases, as GPT-2 has, the input differs by them.',
  zh:
    '这些 SAE 在 TransformerLens 中训练，其默认设置（fold_value_biases）把各注意力头的' +
    ' value 偏置移到 hook_z 之后。此处的 hook_z 含这些偏置：若模型有 value 偏置（如 GPT-2），' +
    '输入会相差这些偏置。',
};

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const { act_size: d, dict_size: m, act_name: hook } = readConfig(configPath!, schema);
  given.refuse('scale', 'these SAEs read raw activations');
  const tensors = new Tensors(checkpoint);
  return {
    form: 'dictionary',
    d,
    m,
    place: { over: 'hook point', named: hook, from: 'config' },
    encoder: tensors.weight('W_enc', [d, m], 'as stored'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: true,
    glu: null,
    centered: given.centered(),
    activation: { kind: 'relu' },
    decoderNorm: 'none',
    normalization: { kind: 'none' },
    notes: hook.endsWith('hook_z') ? [biasNote] : [],
  };
}

export const connorRobHookZ: Format = {
  name: 'connor-rob-hook-z',
  vocabulary,
  file: (checkpoint) => {
    if (!names.every((name) => checkpoint.entries.has(name))) return null;
    const configPath = configBeside(checkpoint.path);
    return configPath === null ? null : { checkpoint, configPath };
  },
  describe,
};
