/**
 * Published layouts with odd sizes, dtypes and names: d = m, halves, renamed weights
 * (fixtures/make_variants.py), against plain PyTorch.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadSaeOptions } from '#src/sae/index.js';
import { describeSAE } from '#src/sae/load.js';
import { expectComputed } from './computes.js';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

const cases: [path: string, expected: Record<string, unknown>, given?: LoadSaeOptions][] = [
  [
    'goodfire-square/Llama-3.1-8B-Instruct-SAE-l19.pth',
    {
      kind: 'Vanilla',
      d: 6,
      m: 6,
      subtractDecoderBias: false,
      place: { named: 'blocks.19.hook_resid_post' },
    },
  ],
  [
    'goodfire-half/Llama-3.3-70B-Instruct-SAE-l50.pt',
    { kind: 'Vanilla', m: 10, place: { named: 'blocks.50.hook_resid_post' } },
    { kind: 'Vanilla' },
  ],
  [
    'deepseek/DeepSeek-R1-Distill-Llama-8B-SAE-l19.safetensors',
    { kind: 'Vanilla', d: 10, m: 6, place: { named: 'blocks.19.hook_resid_post' } },
  ],
  [
    'SAE-Res-Qwen3.5-2B-Base-W1K-L0_3/layer7.sae.pt',
    { format: 'qwen-scope', d: 6, m: 6, place: { named: 'blocks.7.hook_resid_post' } },
  ],
  [
    'Qwen-sae-W1K-L0_3/layer_2.safetensors',
    { format: 'qwen-scope', activation: { k: 3 }, place: { named: 'blocks.2.hook_resid_post' } },
  ],
  [
    'attn_out_all/layer_4_width_16k_l0_big/weights.pt',
    { format: 'gemma-scope-2', place: { named: 'model.layers.4.self_attn.o_proj.input' } },
  ],
  [
    'renamed/gemma/sae.safetensors',
    {
      format: 'gemma-scope-2',
      publishedL0: 4,
      place: { named: 'model.layers.3.output', from: 'config' },
    },
  ],
  [
    'hook-z/gpt2-small_L3_Hcat_z.safetensors',
    { format: 'connor-rob-hook-z', place: { named: 'blocks.3.attn.hook_z' } },
  ],
];

it.each(cases)('%s', async (name, expected, given = {}) => {
  const path = fixture(`variants/${name}`);
  expect(await describeSAE(path, given)).toMatchObject(expected);
  await expectComputed(path, join(dirname(path), 'expected.safetensors'), given);
});

describe('weights under other names', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A copy of a fixture without its numbers, and with files renamed. */
  function renamed(name: string, names: Readonly<Record<string, string>>): string {
    const copy = mkdtempSync(join(folder, name.replaceAll('/', '-')));
    cpSync(fixture(name), copy, { recursive: true });
    rmSync(join(copy, 'expected.safetensors'));
    for (const [from, to] of Object.entries(names)) {
      mkdirSync(dirname(join(copy, to)), { recursive: true });
      renameSync(join(copy, from), join(copy, to));
    }
    return copy;
  }

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['saelens-topk-rescaled', { 'sae_weights.safetensors': 'weights.safetensors' }, 'saelens'],
    ['saelens-matching_pursuit', { 'sae_weights.safetensors': 'x.safetensors' }, 'saelens'],
    ['sparsify/layers.5', { 'sae.safetensors': 'model.safetensors' }, 'sparsify'],
    ['dictionary_learning-AutoEncoder', { 'ae.pt': 'sae.pth' }, 'dictionary_learning'],
    ['openmoss-topk', { 'sae_weights.safetensors': 'final.safetensors' }, 'openmoss'],
    [
      'llama-scope-published',
      { 'checkpoints/final.safetensors': 'checkpoints/last.safetensors' },
      'llama-scope',
    ],
    [
      'gemma-scope-2-1b-pt/resid_post/layer_12_width_16k_l0_medium',
      { 'params.safetensors': 'sae.safetensors' },
      'gemma-scope-2',
    ],
    [
      'temporal/layer_12/temporal',
      { 'conf.yaml': 'config.yaml', 'latest_ckpt.safetensors': 'model.safetensors' },
      'temporal',
    ],
    // Names that other libraries use: the keys of the configuration tell whose they are.
    ['saelens-standard', { 'sae_weights.safetensors': 'sae.safetensors' }, 'saelens'],
    [
      'saelens-square',
      { 'cfg.json': 'config.json', 'sae_weights.safetensors': 'sae_weights.safetensors' },
      'saelens',
    ],
    [
      'saelens-topk-rescaled',
      { 'cfg.json': 'config.json', 'sae_weights.safetensors': 'weights.safetensors' },
      'saelens',
    ],
    [
      'openmoss-topk',
      { 'config.json': 'cfg.json', 'sae_weights.safetensors': 'sae.safetensors' },
      'openmoss',
    ],
    [
      'sparsify/layers.5',
      { 'cfg.json': 'config.json', 'sae.safetensors': 'model.safetensors' },
      'sparsify',
    ],
    [
      'dictionary_learning-AutoEncoder',
      { 'config.json': 'cfg.json', 'ae.pt': 'cc_weights.pt' },
      'dictionary_learning',
    ],
  ])('%s', async (name, names, format) => {
    const copy = renamed(name, names);
    const numbers = join(fixture(name), 'expected.safetensors');
    const file = join(copy, Object.values(names).at(-1)!);
    expect(await describeSAE(file)).toMatchObject({ format, configPath: expect.any(String) });
    await expectComputed(file, numbers);
    // The folder does as well if its weights are the only ones.
    const own = readdirSync(copy).filter((one) => /\.(?:pth?|safetensors)$/.test(one));
    if (own.length === 1 && format !== 'temporal') await expectComputed(copy, numbers);
  });

  it('a configuration that does not describe them is not theirs', async () => {
    const copy = renamed('saelens-standard', { 'sae_weights.safetensors': 'other.safetensors' });
    cpSync(fixture('sparsify/layers.5/sae.safetensors'), join(copy, 'other.safetensors'));
    expect(await describeSAE(join(copy, 'other.safetensors'), { kind: 'Vanilla' })).toMatchObject({
      format: 'plain',
      configPath: null,
    });
    // With the published weights beside it, the configuration is theirs.
    cpSync(fixture('saelens-square/sae_weights.safetensors'), join(copy, 'other.safetensors'));
    cpSync(
      fixture('saelens-standard/sae_weights.safetensors'),
      join(copy, 'sae_weights.safetensors'),
    );
    expect(await describeSAE(join(copy, 'other.safetensors'), { kind: 'Vanilla' })).toMatchObject({
      format: 'plain',
    });
  });

  it('a transcoder of sparsify in a folder of another name: neither place is guessed', async () => {
    const copy = renamed('sparsify/transcoder/layers.3.mlp', {});
    expect(await describeSAE(copy)).toMatchObject({ form: 'transcoder', place: { out: null } });
  });

  it('Qwen Scope under neither name: by its orientation, nothing subtracted', async () => {
    const from = 'variants/Qwen-sae-W1K-L0_3';
    const copy = join(folder, 'neither', 'first.safetensors');
    cpSync(fixture(`${from}/layer_2.safetensors`), copy);
    await expectComputed(copy, join(fixture(from), 'expected.safetensors'), { kind: 'TopK', k: 3 });
    expect(await describeSAE(copy, { kind: 'TopK', k: 3, preBias: true })).toMatchObject({
      subtractDecoderBias: true,
    });
  });
});
