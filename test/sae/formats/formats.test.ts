/** Published layouts (fixtures/make.py): recognized, loaded and computed, against plain PyTorch. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GivenFields } from '#src/sae/given.js';
import { describeCheckpoint } from '#src/inspect/describe-checkpoint.js';
import { describeSAE } from '#src/sae/load.js';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { applySAE, loadSAE } from '#src/sae/index.js';
import { memory, scope } from '#src/torch/index.js';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
const gemma = 'gemma-scope-2b-pt-res';
const gemma2 = 'gemma-scope-2-1b-pt';
const qwen = 'SAE-Res-Qwen3-0.6B-Base-W1K-L0_3/layer12.sae.pt';
const hookZ = 'connor-rob-hook-z/gpt2-small_L9_Hcat_z_lr1.20e-03_l11.20e+00_ds10_v9.pt';

const cases: [folder: string, expected: Record<string, unknown>, given?: GivenFields][] = [
  [
    'saelens-standard',
    {
      format: 'saelens',
      d: 6,
      m: 10,
      place: { named: 'blocks.3.hook_resid_pre', from: 'config' },
    },
  ],
  [
    'saelens-standard-layer-norm',
    { subtractDecoderBias: false, normalization: { kind: 'layer-norm', epsilon: 1e-5 } },
  ],
  ['saelens-standard-token-norm', { normalization: { kind: 'token-norm' } }],
  ['saelens-standard-scale', { normalization: { kind: 'scale', factor: 0.25 } }, { scale: 0.25 }],
  ['saelens-square', { d: 6, m: 6 }],
  ['saelens-topk', { activation: { kind: 'topk', k: 3 } }],
  ['saelens-topk-rescaled', { decoderNorm: 'latents' }],
  [
    'saelens-topk-before-6',
    { activation: { kind: 'topk', k: 3 }, place: { named: 'blocks.7.hook_resid_post' } },
  ],
  [
    'saelens-jumprelu',
    { activation: { kind: 'jumprelu', threshold: { tensor: 'threshold', log: false } } },
  ],
  ['saelens-gated', { encoderBias: null }],
  [
    'dictionary_learning-AutoEncoder',
    {
      format: 'dictionary_learning',
      place: { named: 'blocks.4.hook_resid_post' },
      decoderNorm: 'latents',
    },
  ],
  ['dictionary_learning-backup', { normalization: { kind: 'scale', factor: 1 / 8 } }],
  ['dictionary_learning-AutoEncoderNew', { subtractDecoderBias: false }],
  ['dictionary_learning-GatedAutoEncoder', {}],
  ['dictionary_learning-JumpReluAutoEncoder', {}],
  ['dictionary_learning-AutoEncoderTopK', { decoderBias: 'b_dec' }],
  ['dictionary_learning-AutoEncoderTopK-old', { decoderBias: 'bias' }],
  ['dictionary_learning-BatchTopKSAE', {}],
  ['dictionary_learning-MatryoshkaBatchTopKSAE', {}],
  ['sparsify/layers.5', { format: 'sparsify', place: { named: 'layers.5' }, m: 10 }],
  ['sparsify/expansion/layers.2', { place: { named: 'layers.2' }, m: 12 }],
  [
    'sparsify/signed/layers.1',
    { activation: { kind: 'topk', k: 3, byMagnitude: true }, place: { named: 'layers.1' } },
  ],
  [
    `${gemma}/layer_20/width_16k/average_l0_71`,
    {
      format: 'gemma-scope',
      place: { named: 'blocks.20.hook_resid_post', from: 'path' },
      fromPath: { width: '16k', averageL0: 71 },
      publishedL0: 71,
    },
  ],
  [`${gemma}/layer_3/width_16k/average_l0_9`, { place: { named: 'blocks.3.hook_resid_post' } }],
  [
    'gemma-scope-2-1b-pt/resid_post/layer_12_width_16k_l0_medium',
    {
      format: 'gemma-scope-2',
      kind: 'JumpReLU',
      place: { named: 'model.layers.12.output', from: 'config' },
      fromPath: { width: '16k' },
      publishedL0: 3,
      subtractDecoderBias: false,
      notes: [],
    },
  ],
  [
    'gemma-scope-2-1b-pt/mlp_out_all/layer_5_width_65k_l0_small',
    {
      format: 'gemma-scope-2',
      configPath: null,
      place: { named: 'model.layers.5.post_feedforward_layernorm.output', from: 'path' },
    },
  ],
  [
    'gemma-scope-2-1b-pt/attn_out/layer_7_width_16k_l0_big',
    { place: { named: 'model.layers.7.self_attn.o_proj.input', from: 'config' } },
  ],
  [
    'openai-topk/0.pt',
    {
      format: 'openai',
      activation: { kind: 'topk', k: 3 },
      normalization: { kind: 'layer-norm', epsilon: 1e-5 },
    },
  ],
  ['openai-relu/0.pt', { activation: { kind: 'relu' }, normalization: { kind: 'none' } }],
  [
    qwen,
    {
      format: 'qwen-scope',
      kind: 'TopK',
      d: 6,
      m: 10,
      place: { named: 'blocks.12.hook_resid_post', from: 'path' },
      activation: { kind: 'topk', k: 3 },
      fromPath: { width: '1K' },
      subtractDecoderBias: false,
      normalization: { kind: 'none' },
      notes: [],
    },
  ],
  [
    hookZ,
    {
      format: 'connor-rob-hook-z',
      kind: 'Vanilla',
      d: 6,
      m: 10,
      place: { named: 'blocks.9.attn.hook_z', from: 'config' },
      activation: { kind: 'relu' },
      subtractDecoderBias: true,
      notes: [{ en: expect.stringContaining('fold_value_biases') as string }],
    },
  ],
  ['mlsae', { format: 'mlsae', encoderBias: null }],
  ['mlsae-tfm', { decoderBias: 'autoencoder.pre_encoder_bias' }],
  [
    'openmoss-jumprelu',
    {
      format: 'openmoss',
      decoderNorm: 'selection',
      normalization: { kind: 'scale', factor: Math.sqrt(6) / 7.5 },
      place: { named: 'blocks.12.hook_resid_post' },
    },
  ],
  [
    'openmoss-topk',
    { decoderNorm: 'none', decoderBias: null, normalization: { kind: 'token-norm' } },
  ],
  [
    'dictionary_learning-BatchTopKSAE-unset',
    { activation: { kind: 'jumprelu', threshold: { value: 0.6 } } },
    { theta: 0.6 },
  ],
  [
    'dictionary_learning-BatchTopKSAE-unset-k',
    { activation: { kind: 'topk', k: 3 } },
    { inferK: 3 },
  ],
  ['dictionary_learning-submodule', { place: { named: 'blocks.4.hook_mlp_out', from: 'config' } }],
  [
    `${gemma}/embedding/width_4k/average_l0_6`,
    {
      place: { named: 'hook_embed' },
      encoder: { tensor: 'W_enc', transpose: false, factor: 1 / Math.sqrt(6) },
    },
  ],
  ['saelens-rc', { place: { named: 'blocks.1.hook_resid_post' }, normalization: { kind: 'none' } }],
  ['saelens-boolean-norm', { normalization: { kind: 'scale', factor: 0.5 } }, { scale: 0.5 }],
  [
    'saelens-log-threshold',
    { activation: { kind: 'jumprelu', threshold: { tensor: 'log_threshold', log: true } } },
  ],
  ['saelens-half', { activation: { kind: 'relu' } }],
  [
    'llama-scope-r1',
    {
      format: 'openmoss',
      activation: { kind: 'jumprelu', threshold: { tensor: 'log_jumprelu_threshold', log: true } },
      decoderNorm: 'none',
    },
    { scale: Math.sqrt(6) / 12 },
  ],
  ['openmoss-topk-norms', { decoderNorm: 'selection', normalization: { kind: 'none' } }],
  ['openmoss-glu', { glu: { bias: 'b_E_glu' } }],
  ['openmoss-pt', { activation: { kind: 'relu' } }],
  [
    'crosscoder',
    {
      form: 'crosscoder',
      format: 'crosscoder',
      sites: 2,
      place: { over: 'models', count: 2 },
      normalizations: [
        { kind: 'scale', factor: 0.25 },
        { kind: 'scale', factor: 0.5 },
      ],
    },
    { scale: [0.25, 0.5] },
  ],
  [
    'openmoss-crosscoder',
    {
      form: 'crosscoder',
      format: 'openmoss',
      sites: 3,
      place: {
        named: ['blocks.2.hook_resid_post', 'blocks.3.hook_resid_post', 'blocks.5.hook_resid_post'],
      },
    },
  ],
  ['openmoss-crosscoder-topk', { form: 'crosscoder', activation: { kind: 'topk', k: 3 } }],
  [
    'saelens-rounded',
    {
      d: 6,
      m: 10,
      roundedTo: 'bfloat16',
      activation: { kind: 'jumprelu', threshold: { tensor: 'threshold', log: false } },
    },
  ],
  [
    'sparsify/transcoder/layers.3.mlp',
    {
      form: 'transcoder',
      subtractDecoderBias: false,
      place: { named: 'layers.3.mlp.input', out: 'layers.3.mlp.output' },
      skip: null,
    },
  ],
  ['mlsae-tfm-sizes', { d: 6, m: 10, normalization: { kind: 'none' } }],
  ['openai-legacy/0.pt', { activation: { kind: 'topk', k: 7, signed: true } }],
  [
    'llama-scope-norms',
    {
      decoderNorm: 'selection',
      decoderBias: null,
      activation: { kind: 'jumprelu', threshold: { value: 0.125 } },
    },
    { scale: 0.25 },
  ],
  [
    'llama-scope-published',
    { normalization: { kind: 'scale', factor: Math.sqrt(6) / 7.5 }, notes: [] },
  ],
  ['llama-scope-out', { subtractDecoderBias: true, decoderBiasFactor: 4 / 7.5 }],
  [
    'llama-scope',
    {
      format: 'llama-scope',
      activation: { kind: 'jumprelu', threshold: { value: (0.5 * Math.sqrt(6)) / 12 } },
      place: { named: 'blocks.15.hook_resid_post' },
    },
  ],
];

describe.each(cases)('%s', (name, expected, given = {}) => {
  it('is described, and computes what PyTorch computes', async () => {
    const description = await describeSAE(fixture(name), given);
    expect(description).toMatchObject(expected);
    const golden = await readCheckpoint(
      join(fixture(name), name.endsWith('.pt') ? '..' : '', 'expected.safetensors'),
    );
    const { handles } = memory();
    const sae = await loadSAE(fixture(name), given);
    scope(() => {
      const wanted = openTensors(golden);
      const made = applySAE(sae, wanted.get('h')!);
      // Values are of order 10 and float32 sums run over at most 12 terms: rounding stays below
      // 1e-5 relative.
      for (const key of ['latents', 'reconstruction'] as const) {
        const reference = wanted.get(key)!;
        expect(made[key].shape).toEqual(reference.shape);
        expect(
          made[key].sub(reference).abs().div(reference.abs().clamp_min(1)).max().item(),
          key,
        ).toBeLessThan(1e-5);
      }
      expect(
        made.latents.ne(0).eq(wanted.get('latents')!.ne(0)).all().item(),
        'the same latents are active',
      ).toBe(true);
      expect(wanted.get('latents')!.ne(0).sum().item(), 'latents are not all zero').toBeGreaterThan(
        0,
      );
      return null;
    });
    sae.dispose();
    expect(memory().handles).toBe(handles);
  });
});

describe('Llama Scope with a scale of the request', () => {
  it('the threshold and the ratio of the scales go with it', async () => {
    // The file's own scale given again, and another one: the threshold is raw.
    const own = Math.sqrt(6) / 7.5;
    for (const scale of [own, 2])
      expect(await describeSAE(fixture('llama-scope-out'), { scale })).toMatchObject({
        normalization: { kind: 'scale', factor: scale },
        activation: { kind: 'jumprelu', threshold: { value: 0.8 * scale } },
        decoder: { factor: 4 / 7.5 },
      });
  });
});

describe('what is refused', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A copy of a fixture with fields of its configuration changed. */
  function changed(
    name: string,
    config: string,
    change: (json: Record<string, unknown>) => unknown,
  ): string {
    const copy = join(folder, name);
    cpSync(fixture(name), copy, { recursive: true });
    writeFileSync(
      join(copy, config),
      JSON.stringify(change(JSON.parse(readFileSync(join(copy, config), 'utf8')))),
    );
    return copy;
  }

  it.each([
    ['a factor that was not saved', () => fixture('saelens-standard-scale'), 'sae-option', 'scale'],
    [
      'a norm that was not saved',
      () => fixture('llama-scope-norms'),
      'sae-option',
      'dataset_average_activation_norm.in',
    ],
    [
      "a width that is not the tensors'",
      () => changed('saelens-standard', 'cfg.json', (json) => ({ ...json, d_sae: 11 })),
      'checkpoint-shape',
      "'W_enc' of shape [6, 11], found [6, 10]",
    ],
    [
      'the other orientation',
      () => changed('saelens-jumprelu', 'cfg.json', (json) => ({ ...json, d_in: 10, d_sae: 6 })),
      'checkpoint-shape',
      'found [10]',
    ],
    [
      'an unknown architecture',
      () => changed('saelens-topk', 'cfg.json', (json) => ({ ...json, architecture: 'magic' })),
      'sae-kind',
      'magic',
    ],
    [
      'an unknown normalization',
      () =>
        changed('saelens-square', 'cfg.json', (json) => ({
          ...json,
          normalize_activations: 'magic',
        })),
      'sae-kind',
      'magic',
    ],
    [
      'no k',
      () => changed('saelens-topk-rescaled', 'cfg.json', ({ k: _, ...json }) => json),
      'sae-option',
      'k of 1…10',
    ],
    [
      'a k beyond the latents',
      () => changed('sparsify/layers.5', 'cfg.json', (json) => ({ ...json, k: 11 })),
      'sae-option',
      'found 11',
    ],
    [
      'a transcoder that skips without the weights',
      () =>
        changed('sparsify/expansion', 'layers.2/cfg.json', (json) => ({
          ...json,
          transcode: true,
          skip_connection: true,
        })).concat('/layers.2'),
      'checkpoint-keys',
      "expected a tensor 'W_skip'",
    ],
    [
      'a transcoder of Llama Scope',
      () =>
        changed('llama-scope-norms', 'hyperparams.json', (json) => ({
          ...json,
          hook_point_out: 'blocks.15.hook_mlp_out',
        })),
      'sae-kind',
      'transcoder',
    ],
    [
      'keys of another class',
      () =>
        changed('dictionary_learning-AutoEncoder', 'config.json', (json) => ({
          trainer: { ...(json['trainer'] as object), dict_class: 'AutoEncoderNew' },
        })),
      'checkpoint-keys',
      "'decoder.bias'",
    ],
    [
      'an unknown class',
      () =>
        changed('dictionary_learning-AutoEncoderNew', 'config.json', (json) => ({
          trainer: { ...(json['trainer'] as object), dict_class: 'constructor' },
        })),
      'sae-kind',
      'constructor',
    ],
    [
      'a configuration that is a list',
      () => changed('mlsae', 'config.json', () => []),
      'checkpoint-format',
      'config.json',
    ],
    ['a folder of something else', () => folder, 'checkpoint-format', 'params.npz'],
    [
      'a transcoder of OpenMOSS',
      () =>
        changed('openmoss-jumprelu', 'config.json', (json) => ({
          ...json,
          hook_point_out: 'blocks.12.hook_mlp_out',
        })),
      'sae-kind',
      'transcoder',
    ],
    [
      'an affine connection of Gemma Scope 2 without the weights',
      () =>
        changed(`${gemma2}/attn_out/layer_7_width_16k_l0_big`, 'config.json', (json) => ({
          ...json,
          hf_hook_point_out: 'model.layers.7.post_feedforward_layernorm.output',
          affine_connection: true,
        })),
      'checkpoint-keys',
      "expected a tensor 'affine_skip_connection'",
    ],
    [
      'a cross-layer transcoder of Gemma Scope 2, by its path',
      () => {
        const at = join(folder, 'clt', 'layer_5_width_16k_l0_big');
        cpSync(fixture(`${gemma2}/mlp_out_all/layer_5_width_65k_l0_small`), at, {
          recursive: true,
        });
        return join(at, 'params.safetensors');
      },
      'sae-kind',
      'crosscoder',
    ],
    ['nothing', () => join(folder, 'none'), 'file-not-found', 'none'],
  ])('%s', async (_, path, code, text) => {
    const error: unknown = await describeSAE(path()).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain(text);
  });

  it('not a backup under its own name, a folder below its configuration', async () => {
    const [trainer, at] = [
      join(folder, 'trainer_0'),
      join(folder, 'trainer_0', 'checkpoints', 'ae_100.pt'),
    ];
    mkdirSync(join(trainer, 'checkpoints'), { recursive: true });
    cpSync(join(fixture('dictionary_learning-backup'), 'ae.pt'), at);
    // Without a configuration it is a plain SAE, whose kind must be given.
    await expect(describeSAE(at)).rejects.toMatchObject({ code: 'sae-kind' });
    cpSync(
      join(fixture('dictionary_learning-backup'), 'config.json'),
      join(trainer, 'config.json'),
    );
    expect(await describeSAE(at)).toMatchObject({
      format: 'dictionary_learning',
      normalization: { kind: 'scale', factor: 1 / 8 },
    });
  });

  it('weights of Gemma Scope 2 under any name are told by their tensors', async () => {
    const at = join(folder, 'renamed.safetensors');
    cpSync(
      join(fixture(`${gemma2}/mlp_out_all/layer_5_width_65k_l0_small`), 'params.safetensors'),
      at,
    );
    expect(await describeSAE(at, { kind: 'JumpReLU' })).toMatchObject({
      format: 'gemma-scope-2',
      place: { named: null, from: 'path' },
    });
  });

  it('Qwen Scope: a renamed folder asks for k, a renamed file for the layer', async () => {
    const renamed = join(folder, 'qwen', 'layer12.sae.pt');
    cpSync(fixture(qwen), renamed);
    await expect(describeSAE(renamed)).rejects.toMatchObject({
      code: 'sae-option',
      message: expect.stringMatching(/k: expected k of 1…10.*the folder's name/) as string,
    });
    expect(await describeSAE(renamed, { k: 3 })).toMatchObject({
      format: 'qwen-scope',
      activation: { kind: 'topk', k: 3 },
      place: { named: 'blocks.12.hook_resid_post' },
    });
    const inspected = await describeCheckpoint(renamed);
    expect(inspected.published).toMatchObject({ format: 'qwen-scope', layers: [13] });
    expect(inspected.choices[0]).toMatchObject({ kind: 'TopK' });
    expect(inspected.choices[0]!.fields).toContainEqual(
      expect.objectContaining({ field: 'k', state: 'required' }),
    );
    const cached = 'models--Qwen--SAE-Res-Qwen3-8B-Base-W64K-L0_4/snapshots/0a1b/first.pt';
    cpSync(fixture(qwen), join(folder, cached));
    expect(await describeSAE(join(folder, cached))).toMatchObject({
      format: 'qwen-scope',
      activation: { k: 4 },
      fromPath: { width: '64K' },
      place: { named: null },
    });
    // Of neither name it is a plain SAE, whose kind must be given.
    cpSync(fixture(qwen), join(folder, 'qwen', 'first.pt'));
    await expect(describeSAE(join(folder, 'qwen', 'first.pt'))).rejects.toMatchObject({
      code: 'sae-kind',
    });
  });

  it('Qwen Scope: a k beyond its latents is not taken', async () => {
    const at = join(folder, 'SAE-Res-Qwen3-8B-Base-W64K-L0_50', 'layer0.sae.pt');
    cpSync(fixture(qwen), at);
    await expect(describeSAE(at)).rejects.toThrow(/k: expected k of 1…10.*found 50/);
  });

  it('hook_z: the configuration beside the file counts if it is one', async () => {
    const at = join(folder, 'hook_z.pt');
    const beside = join(folder, 'hook_z_cfg.json');
    cpSync(fixture(hookZ), at);
    await expect(describeSAE(at)).rejects.toMatchObject({ code: 'sae-kind' }); // plain
    writeFileSync(beside, '{ "of": "another tool" }');
    await expect(describeSAE(at)).rejects.toMatchObject({ code: 'sae-kind' });
    writeFileSync(beside, '{ "act_size": 6, ');
    await expect(describeSAE(at)).rejects.toThrow(/hook_z_cfg\.json/);
    const config = { act_size: 6, dict_size: 10, act_name: 'blocks.0.hook_mlp_out' };
    writeFileSync(beside, JSON.stringify({ ...config, dict_size: 12 }));
    await expect(describeSAE(at)).rejects.toMatchObject({
      code: 'checkpoint-shape',
      message: expect.stringContaining("'W_enc' of shape [6, 12]") as string,
    });
    writeFileSync(beside, JSON.stringify({ ...config, of_tomorrow: 1 }));
    expect(await describeSAE(at)).toMatchObject({
      format: 'connor-rob-hook-z',
      place: { named: 'blocks.0.hook_mlp_out' },
      notes: [{ en: expect.stringContaining("'of_tomorrow'") as string }],
    });
    expect((await describeCheckpoint(fixture(hookZ))).published).toMatchObject({
      hookPoints: ['blocks.9.attn.hook_z'],
      layers: [10],
      obstacle: null,
    });
  });

  it('a bare state dict is of the RouteSAE family', async () => {
    const path = fileURLToPath(new URL('../../../checkpoints/TopK_tiny.pt', import.meta.url));
    expect(await describeSAE(path, { kind: 'TopK', k: 4 })).toMatchObject({ format: 'routesae' });
  });
});
