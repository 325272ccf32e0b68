/** Configurations, weight files and the cache of language models, and the errors of wrong ones. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SaeEvalError } from '#src/errors.js';
import { hubCacheFolder } from '#src/hub-cache.js';
import { loadLanguageModel, readModelConfig, type LanguageModel } from '#src/lm/index.js';
import { pairsToHalves } from '#src/lm/rope.js';
import { modelSize, WeightFiles } from '#src/lm/weight-files.js';
import { scope, tensor } from '#src/torch/index.js';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { root } from './reference.js';
import { full } from '../full.js';

const tiny = JSON.parse(
  readFileSync(`${root}checkpoints/tiny-llama/config.json`, 'utf8'),
) as Record<string, unknown>;

/** A folder with that config.json, and other files. */
function folder(config: unknown, files: Record<string, string | Buffer> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'model-'));
  writeFileSync(
    join(path, 'config.json'),
    typeof config === 'string' ? config : JSON.stringify(config),
  );
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

function without(name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(tiny).filter(([key]) => key !== name));
}

const copy = (of: string): string => {
  const path = mkdtempSync(join(tmpdir(), 'model-'));
  cpSync(of, path, { recursive: true });
  return path;
};

describe('config.json', () => {
  it('is read in both styles alike', async () => {
    const { rope_parameters: parameters, ...rest } = tiny;
    const { rope_theta, ...scaling } = parameters as Record<string, unknown>;
    const [now, before] = [
      await readModelConfig(folder(tiny)),
      await readModelConfig(folder({ ...rest, rope_theta, rope_scaling: scaling })),
    ];
    expect({ ...before, path: '' }).toEqual({ ...now, path: '' });
    expect(now).toMatchObject({
      family: 'llama',
      layers: 16,
      width: 128,
      vocabulary: 4096,
      maxPositions: 2048,
      heads: 4,
      keyValueHeads: 2,
      headDim: 32,
      mlpWidth: 384,
      tiedHead: true,
    });
    expect(now.ropes[15]).toEqual({
      theta: 500_000,
      dim: 32,
      scaling: {
        kind: 'llama3',
        factor: 32,
        lowFreqFactor: 1,
        highFreqFactor: 4,
        originalPositions: 256,
      },
    });
  });

  it('says how much memory the weights need, from headers', async () => {
    const size = async (path: string, dtype: string): Promise<ReturnType<typeof modelSize>> =>
      modelSize(await WeightFiles.read(path), await readModelConfig(path), dtype);
    const tinyLlama = await size(`${root}checkpoints/tiny-llama`, 'bfloat16');
    expect(tinyLlama).toMatchObject({ parameters: 3_674_240, bytes: 7_348_480 });
    // Its 16 blocks are alike.
    expect(16 * tinyLlama.blockBytes + tinyLlama.endBytes).toBe(tinyLlama.bytes);
    for (const name of ['gpt2', 'gpt_neox', 'gemma2', 'olmo2']) {
      const path = `${root}test/golden/models/${name}`;
      const model = await loadLanguageModel(path);
      expect(await size(path, 'float32')).toMatchObject({
        parameters: model.parameters,
        bytes: model.weightBytes,
      });
      model.dispose();
    }
  });

  it.each([
    ['is not JSON', '{', 'model-invalid', /config\.json: expected JSON/],
    ['is no object', '[]', 'model-invalid', /expected an object/],
    [
      'is of no family',
      { ...tiny, model_type: 'bert' },
      'model-unsupported',
      /model_type: expected one of llama, .*olmo2.*, found bert/,
    ],
    [
      'is of a family that cannot be measured',
      { ...tiny, model_type: 'gemma3n_text' },
      'model-unsupported',
      /model_type: gemma3n_text cannot be evaluated: .*keys and values.*Expected one of llama, /,
    ],
    ['names no family', without('model_type'), 'model-unsupported', /found nothing/],
    [
      'lacks a size',
      without('hidden_size'),
      'model-invalid',
      /hidden_size: expected a number, found nothing/,
    ],
    [
      'has a size of another type',
      { ...tiny, vocab_size: '4096' },
      'model-invalid',
      /vocab_size: expected a number, found "4096"/,
    ],
    [
      'has a size below one',
      { ...tiny, num_hidden_layers: 0 },
      'model-invalid',
      /num_hidden_layers: expected a whole number from 1/,
    ],
    [
      'has layers without end',
      { ...tiny, num_hidden_layers: 1e9 },
      'model-invalid',
      /num_hidden_layers: expected a whole number from 1 to 10000/,
    ],
    [
      'has heads that do not divide',
      { ...tiny, num_key_value_heads: 3 },
      'model-invalid',
      /num_key_value_heads: expected a divisor of the 4/,
    ],
    [
      'has an unknown activation',
      { ...tiny, hidden_act: 'xielu' },
      'model-unsupported',
      /hidden_act: expected one of .*found "xielu"/,
    ],
    [
      'is quantized',
      { ...tiny, quantization_config: { quant_method: 'bitsandbytes' } },
      'model-unsupported',
      /quantization_config/,
    ],
    [
      'rotates a share with a scaling',
      {
        ...tiny,
        partial_rotary_factor: 0.5,
        rope_parameters: { rope_type: 'linear', factor: 2, rope_theta: 10000 },
      },
      'model-unsupported',
      /partial_rotary_factor/,
    ],
    [
      'has an unknown scaling',
      { ...tiny, rope_parameters: { rope_type: 'other' } },
      'model-unsupported',
      /rope_parameters\.rope_type: expected one of default/,
    ],
    [
      'lacks a scaling factor',
      { ...tiny, rope_parameters: { rope_type: 'linear' } },
      'model-invalid',
      /rope_parameters\.factor: expected a number/,
    ],
    [
      'has a list too short',
      {
        ...tiny,
        model_type: 'phi3',
        rope_parameters: { rope_type: 'longrope', long_factor: [1], short_factor: [1] },
      },
      'model-invalid',
      /short_factor: expected a list of 16/,
    ],
    [
      'has layer types too few',
      { ...tiny, model_type: 'gemma2', layer_types: ['full_attention'] },
      'model-invalid',
      /layer_types: expected a list of 16/,
    ],
    [
      'has a window of nothing',
      { ...tiny, model_type: 'mistral', sliding_window: 0 },
      'model-invalid',
      /sliding_window: expected a whole number from 1/,
    ],
    [
      'has older and newer settings of its full layers',
      {
        ...tiny,
        model_type: 'gemma3_text',
        rope_parameters: { full_attention: { rope_type: 'default', rope_theta: 10000 } },
        rope_scaling: { rope_type: 'linear', factor: 8 },
      },
      'model-unsupported',
      /rope_scaling: expected nothing beside rope_parameters/,
    ],
    [
      'has a ramp that is not rounded, in a section of a sort of layers',
      {
        ...tiny,
        model_type: 'gemma3_text',
        rope_parameters: { full_attention: { rope_type: 'yarn', factor: 4, truncate: false } },
      },
      'model-unsupported',
      /full_attention\.truncate: expected true/,
    ],
    [
      'scales an odd number of dimensions by YaRN',
      {
        ...tiny,
        model_type: 'gpt_neox',
        rotary_pct: 0.1,
        rope_parameters: { rope_type: 'yarn', factor: 4 },
      },
      'model-unsupported',
      /rope_type: expected an even number of rotated dimensions/,
    ],
    [
      'is not causal',
      { ...tiny, model_type: 'gemma3_text', use_bidirectional_attention: true },
      'model-unsupported',
      /use_bidirectional_attention/,
    ],
  ])('that %s is refused', async (_, config, code, message) => {
    const path = folder(config);
    await expect(readModelConfig(path)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    await expect(readModelConfig(path)).rejects.toThrow(path);
  });

  it('that is not there is missed', async () => {
    await expect(readModelConfig(join(tmpdir(), 'no-such-model'))).rejects.toMatchObject({
      code: 'file-not-found',
    });
    await expect(readModelConfig(mkdtempSync(join(tmpdir(), 'empty-')))).rejects.toMatchObject({
      code: 'file-not-found',
      message: expect.stringContaining('no config.json'),
    });
  });
});

/** Settings that transformers 5.18 takes, wherever the file says something else too. */
describe('rotary settings', () => {
  const { rope_parameters: _, ...bare } = tiny;
  const ropes = async (config: object): Promise<readonly unknown[]> =>
    (await readModelConfig(folder({ ...bare, ...config }))).ropes;

  it('of GPT-NeoX go by its own names', async () => {
    const neox = { model_type: 'gpt_neox', rope_theta: 500, partial_rotary_factor: 0.5 };
    const [rope] = await ropes(neox);
    expect(rope).toEqual({ theta: 10_000, dim: 8, scaling: { kind: 'default' } });
    const [own] = await ropes({ ...neox, rotary_emb_base: 70, rotary_pct: 1 });
    expect(own).toMatchObject({ theta: 70, dim: 32 });
  });

  it('of Phi-3 have a trained length of 4096, whatever the section says', async () => {
    const factors = Array.from({ length: 16 }, () => 1.1);
    const section = {
      rope_type: 'longrope',
      short_factor: factors,
      long_factor: factors,
      original_max_position_embeddings: 16,
    };
    const phi3 = { model_type: 'phi3', rope_parameters: section };
    expect((await ropes(phi3))[0]).toMatchObject({ scaling: { originalPositions: 4096 } });
    expect((await ropes({ ...phi3, original_max_position_embeddings: 32 }))[0]).toMatchObject({
      scaling: { originalPositions: 32 },
    });
  });

  it('of Gemma 3’s sorts of layers do not go by what is outside their sections', async () => {
    const gemma3 = {
      model_type: 'gemma3_text',
      layer_types: Array.from({ length: 16 }, (__, i) =>
        i % 2 === 0 ? 'sliding_attention' : 'full_attention',
      ),
      rope_theta: 1e6,
      rope_local_base_freq: 50,
      original_max_position_embeddings: 32,
      rope_parameters: {
        full_attention: { rope_type: 'llama3', factor: 2, low_freq_factor: 1, high_freq_factor: 4 },
        sliding_attention: { rope_type: 'default' },
      },
    };
    const [local, whole] = await ropes(gemma3);
    expect(local).toMatchObject({ theta: 50 });
    expect(whole).toMatchObject({ theta: 1e6, scaling: { originalPositions: 2048 } });
  });

  it('of gpt-oss are the usual ones if the section is empty', async () => {
    const [rope] = await ropes({ model_type: 'gpt_oss', rope_scaling: {} });
    expect(rope).toMatchObject({ theta: 150_000, scaling: { kind: 'yarn', factor: 32 } });
    const [plain] = await ropes({ model_type: 'gpt_oss', rope_parameters: {} });
    expect(plain).toMatchObject({ scaling: { kind: 'default' } });
  });

  it('of YaRN take 0 for none, and null for false', async () => {
    const yarn = { rope_type: 'yarn', factor: 4, beta_fast: 0, beta_slow: 0, truncate: null };
    const [rope] = await ropes({ rope_scaling: yarn });
    expect(rope).toMatchObject({ scaling: { betaFast: 32, betaSlow: 1, truncate: false } });
  });

  it('of pairs that lie together count an odd dimension as the next even one', () => {
    const x = tensor([[[[1, 2, 3, 4, 5, 6]]]]);
    expect(pairsToHalves(x, 3).toArray()).toEqual(pairsToHalves(x, 4).toArray());
    expect(pairsToHalves(x, 3).toArray()).toEqual([[[[1, 3, 2, 4, 5, 6]]]]);
  });
});

describe('mutated config.json files', () => {
  const models = [
    'models/gemma2',
    'models/gemma3_text',
    'models/gpt2',
    'models/gpt_neox',
    'models/llama3',
    'models/qwen2',
    'models-odd/phi3-longrope',
    'models-odd/opt-post-norm',
    'models-odd/falcon-grouped',
    'models-odd/ministral3',
    'models-odd/smollm3',
    'models-odd/cohere',
    'models-odd/llama-yarn-mscale',
  ];
  const hostile = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(
      0,
      -1,
      1e9,
      1e308,
      2 ** 53,
      0.5,
      '',
      'linear',
      'yarn',
      'longrope',
      [],
      {},
      null,
      '__proto__',
    ),
  );

  it.each(models)(
    '%s are read, or refused with a code, and what is read computes or is refused',
    async (name) => {
      const original = JSON.parse(
        readFileSync(`${root}test/golden/${name}/config.json`, 'utf8'),
      ) as Record<string, unknown>;
      const path = copy(`${root}test/golden/${name}`);
      const keys = [
        ...Object.keys(original),
        ...Object.keys(original['rope_parameters'] ?? original['rope_scaling'] ?? {}).map(
          (key) => `rope.${key}`,
        ),
      ];
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.constantFrom(...keys), hostile), { minLength: 1, maxLength: 3 }),
          async (changes) => {
            const config = structuredClone(original);
            for (const [key, value] of changes) {
              const section = (config['rope_parameters'] ?? config['rope_scaling']) as
                Record<string, unknown> | undefined;
              if (!key.startsWith('rope.')) config[key] = value;
              else if (section !== null && typeof section === 'object')
                section[key.slice(5)] = value;
            }
            writeFileSync(join(path, 'config.json'), JSON.stringify(config));
            let model: LanguageModel | null = null;
            try {
              model = await loadLanguageModel(path);
              const loaded = model;
              scope(() => {
                const context = loaded.context([3, 1], 3);
                loaded.block(
                  1,
                  loaded.embed(
                    tensor(
                      [
                        [1, 2, 3],
                        [4, 0, 0],
                      ],
                      { dtype: 'int64' },
                    ),
                  ),
                  context,
                );
                context.dispose();
                return null;
              });
            } catch (thrown) {
              expect(thrown).toBeInstanceOf(SaeEvalError);
              expect((thrown as SaeEvalError).code).not.toBe('internal');
            } finally {
              model?.dispose();
            }
          },
        ),
        { seed: 7, numRuns: !full ? 60 : 1250 },
      );
    },
  );
});

describe('weights', () => {
  const golden = (name: string): string => `${root}test/golden/models/${name}`;

  it('that are not there are missed', async () => {
    await expect(loadLanguageModel(folder(tiny))).rejects.toMatchObject({
      code: 'model-invalid',
      message: expect.stringContaining('model.safetensors'),
    });
  });

  it('of another shape than the config says are refused by name', async () => {
    const path = copy(golden('llama2'));
    const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, intermediate_size: 95 }));
    await expect(loadLanguageModel(path)).rejects.toMatchObject({
      code: 'checkpoint-shape',
      message: expect.stringMatching(
        /mlp\.gate_proj\.weight: expected shape \[95, 48\] by config\.json, found \[96, 48\]/,
      ),
    });
    writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: 5 }));
    await expect(loadLanguageModel(path)).rejects.toMatchObject({
      code: 'checkpoint-keys',
      message: expect.stringContaining('layers.4.'),
    });
  });

  it('sharded with a shard missing are an error that names it', async () => {
    const path = copy(golden('llama3'));
    rmSync(join(path, 'model-00004-of-00011.safetensors'));
    await expect(loadLanguageModel(path)).rejects.toMatchObject({
      code: 'file-not-found',
      message: expect.stringContaining('model-00004-of-00011'),
    });
  });

  it.each(['../model.safetensors', '/etc/passwd', '..', ''])(
    'whose index names %j are refused',
    async (name) => {
      const path = folder(tiny, {
        'model.safetensors.index.json': JSON.stringify({
          weight_map: { 'model.norm.weight': name },
        }),
      });
      await expect(loadLanguageModel(path)).rejects.toMatchObject({
        code: 'model-invalid',
        message: expect.stringContaining('expected the name of a file beside it'),
      });
    },
  );
});

describe('the local Hugging Face cache', () => {
  const before = process.env['HF_HUB_CACHE'];
  afterEach(() => {
    if (before === undefined) delete process.env['HF_HUB_CACHE'];
    else process.env['HF_HUB_CACHE'] = before;
  });

  it('has models by name and revision', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'hub-'));
    process.env['HF_HUB_CACHE'] = cache;
    const snapshot = join(cache, 'models--some-org--Tiny.Model-1', 'snapshots', 'abc123');
    mkdirSync(join(snapshot, '..', '..', 'refs', 'pr'), { recursive: true });
    cpSync(`${root}test/golden/models/llama2`, snapshot, { recursive: true });
    writeFileSync(join(snapshot, '..', '..', 'refs', 'main'), 'abc123\n');
    writeFileSync(join(snapshot, '..', '..', 'refs', 'pr', '1'), '../../../..');
    expect((await readModelConfig('some-org/Tiny.Model-1')).path).toBe(snapshot);
    expect((await readModelConfig('some-org/Tiny.Model-1@abc123')).path).toBe(snapshot);
    const model = await loadLanguageModel('some-org/Tiny.Model-1');
    expect(model.layers).toBe(4);
    model.dispose();
    // the oldest models have no organisation; the folder is found by each of the library's
    // variables
    cpSync(join(cache, 'models--some-org--Tiny.Model-1'), join(cache, 'models--gpt2'), {
      recursive: true,
    });
    expect((await readModelConfig('gpt2')).path).toBe(
      join(cache, 'models--gpt2', 'snapshots', 'abc123'),
    );
    expect(hubCacheFolder({ HF_HOME: '/a' })).toBe('/a/hub');
    expect(hubCacheFolder({ XDG_CACHE_HOME: '/a', HUGGINGFACE_HUB_CACHE: '/b' })).toBe('/b');
    expect(hubCacheFolder({ XDG_CACHE_HOME: '/a' })).toBe('/a/huggingface/hub');
    for (const name of [
      'some-org/Other',
      'some-org/Tiny.Model-1@v2',
      'some-org/Tiny.Model-1@pr/1',
      'some-org/Tiny.Model-1@../main',
      '../x/y',
      'x',
    ]) {
      await expect(readModelConfig(name)).rejects.toMatchObject({ code: 'file-not-found' });
    }
  });
});
