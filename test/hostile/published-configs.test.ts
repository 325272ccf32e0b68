/**
 * Published formats with false configurations and tensors: each is one clear coded error.
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeSAE } from '#src/sae/load.js';
import { SaeEvalError } from '#src/errors.js';
import { safetensorsOf } from './checkpoint-files.js';
import { full } from '../full.js';

const layout = (name: string): string =>
  fileURLToPath(new URL(`../sae/formats/fixtures/${name}`, import.meta.url));
let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function copied(name: string): string {
  const copy = join(folder, String(count++), name);
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(layout(name), copy, { recursive: true });
  return copy;
}

type Json = Record<string, unknown>;
function rewritten(name: string, config: string, change: (json: Json) => unknown): string {
  const copy = copied(name);
  const path = join(copy, config);
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')) as Json)));
  return copy;
}

async function failure(path: string): Promise<SaeEvalError> {
  const error: unknown = await describeSAE(path).then(
    () => expect.fail('it was accepted'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SaeEvalError);
  return error as SaeEvalError;
}

/** Folder, configuration, and the fields that decide sizes or meaning, by dotted path. */
const formats: [name: string, config: string, fields: string[]][] = [
  [
    'saelens-topk',
    'cfg.json',
    [
      'd_in',
      'd_sae',
      'k',
      'architecture',
      'apply_b_dec_to_input',
      'normalize_activations',
      'rescale_acts_by_decoder_norm',
      'metadata',
    ],
  ],
  [
    'saelens-topk-before-6',
    'cfg.json',
    ['d_in', 'd_sae', 'activation_fn_str', 'activation_fn_kwargs', 'hook_point'],
  ],
  [
    'saelens-matching_pursuit',
    'cfg.json',
    ['residual_threshold', 'max_iterations', 'stop_on_duplicate_support'],
  ],
  [
    'saelens-temporal',
    'cfg.json',
    [
      'n_heads',
      'n_attn_layers',
      'bottleneck_factor',
      'sae_diff_type',
      'kval_topk',
      'tied_weights',
      'activation_normalization_factor',
      'metadata.hook_head_index',
    ],
  ],
  [
    'gemma-scope-2-1b-pt/resid_post/layer_12_width_16k_l0_medium',
    'config.json',
    ['width', 'architecture', 'hf_hook_point_in', 'hf_hook_point_out', 'type'],
  ],
  [
    'dictionary_learning-AutoEncoderTopK',
    'config.json',
    [
      'trainer',
      'trainer.dict_class',
      'trainer.activation_dim',
      'trainer.dict_size',
      'trainer.k',
      'trainer.layer',
      'trainer.submodule_name',
    ],
  ],
  [
    'sparsify/layers.5',
    'cfg.json',
    ['d_in', 'k', 'num_latents', 'activation', 'transcode', 'skip_connection'],
  ],
  [
    'openmoss-jumprelu',
    'config.json',
    [
      'd_model',
      'expansion_factor',
      'act_fn',
      'norm_activation',
      'sparsity_include_decoder_norm',
      'use_decoder_bias',
      'hook_point_in',
    ],
  ],
  ['openmoss-crosscoder', 'config.json', ['d_model', 'expansion_factor', 'act_fn', 'hook_points']],
  ['mlsae', 'config.json', ['n_inputs', 'n_latents', 'k', 'standardize']],
  ['crosscoder', 'cfg.json', ['d_in', 'dict_size']],
  [
    'llama-scope',
    'hyperparams.json',
    ['d_model', 'd_sae', 'jump_relu_threshold', 'dataset_average_activation_norm', 'hook_point_in'],
  ],
];
/** Wrong for every one of the fields above. */
const values: [what: string, value: unknown][] = [
  ['a list', [1, [2]]],
  ['a huge number', 1e300],
  ['a number below zero', -7.5],
  ['an object', { toString: 'x', length: 3 }],
];

function withField(json: Json, path: string, value: unknown): Json {
  const [first, ...rest] = path.split('.') as [string, ...string[]];
  return {
    ...json,
    [first]: rest.length === 0 ? value : withField(json[first] as Json, rest.join('.'), value),
  };
}

/** Mutations after which the field holds a value that it may hold. */
const allowed = new Set([
  'metadata as an object',
  'residual_threshold as a huge number',
  'activation_normalization_factor as a huge number',
  'jump_relu_threshold as a huge number',
  'jump_relu_threshold as a number below zero',
]);

describe.each(formats)('%s', (name, config, fields) => {
  // Gemma Scope 2 is described by its path too.
  const needsConfig = !name.startsWith('gemma-scope-2');
  const cases = fields
    .flatMap((field) => values.map(([what, value]) => [field, what, value] as const))
    .filter(([field, what]) => !allowed.has(`${field} as ${what}`));
  it.each(cases)('%s as %s', async (field, _, value) => {
    const error = await failure(rewritten(name, config, (json) => withField(json, field, value)));
    expect([
      'checkpoint-format',
      'checkpoint-shape',
      'checkpoint-keys',
      'sae-kind',
      'sae-option',
    ]).toContain(error.code);
    expect(error.message.length).toBeLessThan(1200);
    expect(error.message).toContain(folder); // the file is named
    // what is wrong comes before what is asked for
    expect(error.message).not.toContain('norm_scaling_factor');
  });

  it.each([
    '',
    '{',
    '[]',
    'null',
    '"text"',
    ...(needsConfig ? ['{"__proto__": {"d_in": 6}}'] : []),
    '\u0000',
    '{"d_in": 6, "d_in": }',
  ])('configuration %j', async (text) => {
    const copy = copied(name);
    writeFileSync(join(copy, config), text);
    expect((await failure(copy)).code).toBe('checkpoint-format');
  });

  it('a configuration of 5 MB, and one nested 100,000 deep', async () => {
    const copy = copied(name);
    writeFileSync(join(copy, config), JSON.stringify({ a: 'x'.repeat(5_000_000) }));
    expect((await failure(copy)).message).toContain('expected at most 4 MiB');
    writeFileSync(join(copy, config), '['.repeat(100_000));
    expect((await failure(copy)).code).toBe('checkpoint-format');
  });

  it.runIf(needsConfig)('a configuration that is a folder or a link to nowhere', async () => {
    const copy = copied(name);
    rmSync(join(copy, config));
    symlinkSync(join(folder, 'nowhere'), join(copy, config));
    expect((await failure(copy)).code).toBe('checkpoint-format');
    rmSync(join(copy, config));
    mkdirSync(join(copy, config));
    expect((await failure(copy)).code).toBe('checkpoint-format');
  });
});

/** Mulberry32: a seeded source of numbers from 0 to 1. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const pieces = [
  'null',
  '-1',
  '1e999',
  '0',
  '[]',
  '{}',
  '""',
  'true',
  '"\\u0000"',
  '99999999999999999999',
  '"__proto__"',
  ',',
  ':',
  '{',
  '"',
];
/** Some bytes changed, left out, doubled or replaced by a piece of JSON. */
function mutated(text: string, random: () => number): string {
  let result = text;
  for (let n = 1 + Math.floor(random() * 3); n > 0; n--) {
    const at = Math.floor(random() * result.length);
    const length = Math.floor(random() * 12);
    const kept = result.slice(at, at + length);
    const insert = [
      String.fromCharCode(Math.floor(random() * 128)),
      '',
      kept + kept,
      pieces[Math.floor(random() * pieces.length)]!,
    ][Math.floor(random() * 4)]!;
    result = result.slice(0, at) + insert + result.slice(at + length);
  }
  return result;
}

const rounds = !full ? 60 : 10_000;

describe(`${rounds} mutations of each configuration`, () => {
  it.each(formats)(
    '%s',
    async (name, config) => {
      const copy = copied(name);
      const path = join(copy, config);
      const text = readFileSync(path, 'utf8');
      const random = seeded(7);
      let refused = 0;
      for (let round = 0; round < rounds; round++) {
        writeFileSync(path, mutated(text, random));
        const found = await describeSAE(copy, { scale: 1 }).catch((error: unknown) => error);
        // a change that means nothing, or something else that fits
        if (!(found instanceof Error)) continue;
        refused += 1;
        if (!(found instanceof SaeEvalError) || found.code === 'internal')
          expect.fail(`round ${round}: ${found.stack ?? found.message}`);
      }
      console.log(
        `${name}: ${rounds - refused} described, ${refused} refused; peak memory ` +
          `${Math.round(process.resourceUsage().maxRSS / 1024)} MB`,
      );
      expect(refused).toBeGreaterThan(rounds / 4);
    },
    900_000,
  );
});

describe('tensors', () => {
  const config = {
    d_in: 4,
    d_sae: 8,
    architecture: 'jumprelu',
    normalize_activations: 'none',
    apply_b_dec_to_input: false,
  };
  const tensors = {
    W_enc: [4, 8],
    W_dec: [8, 4],
    b_enc: [8],
    b_dec: [4],
    threshold: [8],
  } as Record<string, number[]>;
  function saelens(
    change: (tensors: Record<string, { dtype: string; shape: number[] }>) => void,
  ): string {
    const described = Object.fromEntries(
      Object.entries(tensors).map(([name, shape]) => [name, { dtype: 'F32', shape }]),
    );
    change(described);
    const size = { F32: 4, I64: 8, BOOL: 1 } as Record<string, number>;
    let at = 0;
    const header = Object.fromEntries(
      Object.entries(described).map(([name, { dtype, shape }]) => {
        const end = at + shape.reduce((product, one) => product * one, 1) * size[dtype]!;
        const entry = { dtype, shape, data_offsets: [at, end] as [number, number] };
        at = end;
        return [name, entry];
      }),
    );
    const copy = join(folder, String(count++));
    mkdirSync(copy);
    writeFileSync(join(copy, 'cfg.json'), JSON.stringify(config));
    writeFileSync(join(copy, 'sae_weights.safetensors'), safetensorsOf(header, at));
    return copy;
  }

  it('as they should be', async () =>
    expect(await describeSAE(saelens(() => {}))).toMatchObject({ d: 4, m: 8 }));

  it.each(Object.keys(tensors))('without %s', async (name) => {
    const error = await failure(saelens((all) => delete all[name]));
    expect(error.code).toBe('checkpoint-keys');
    expect(error.message).toContain(`expected a tensor '${name}'`);
  });

  it.each(Object.keys(tensors))('%s turned or of another rank', async (name) => {
    for (const shape of [
      [...tensors[name]!].reverse().concat(1),
      [1, ...tensors[name]!],
      name === 'threshold' ? [3] : [],
      [2],
    ]) {
      // one threshold may stand for all
      const error = await failure(saelens((all) => void (all[name]!.shape = shape)));
      expect(error.code).toBe('checkpoint-shape');
      expect(error.message).toContain(`'${name}' of shape [${tensors[name]!.join(', ')}]`);
      expect(error.message).toContain(`, found [${shape.join(', ')}]`);
    }
  });

  it('whole numbers and truth values for weights', async () => {
    for (const dtype of ['I64', 'BOOL'])
      expect((await failure(saelens((all) => void (all['W_enc']!.dtype = dtype)))).code).toBe(
        'checkpoint-shape',
      );
  });
});
