/**
 * What is checked of a request with published SAEs before anything is loaded, and what file names
 * give to bare state dicts.
 */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvaluationRequest } from '#src/schema/index.js';
import { settingsInName } from '#src/sae/formats/file-name.js';
import { validateRequest, type ValidatedRequest } from '#src/evaluation/request/resolve.js';
import type { SaeEvalError } from '#src/errors.js';
import { root, shipped } from '../../golden/load.js';

const published = (name: string): string => `${root}test/evaluation/fixtures/published/${name}`;
const layouts = (name: string): string => `${root}test/sae/formats/fixtures/${name}`;

type Spec = EvaluationRequest['saes'][number];
const request = (spec: Spec, more: Partial<EvaluationRequest> = {}): EvaluationRequest => ({
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: 32, maxSamples: 8 },
  saes: [spec],
  ...more,
});
const valid = async (
  spec: Spec,
  more?: Partial<EvaluationRequest>,
): Promise<ValidatedRequest['saes'][number]> =>
  (await validateRequest(request(spec, more))).saes[0]!;
const refusal = async (spec: Spec, more?: Partial<EvaluationRequest>): Promise<SaeEvalError> =>
  validateRequest(request(spec, more)).then(
    () => expect.fail('the request was accepted'),
    (error: unknown) => error as SaeEvalError,
  );

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of a published fixture with fields of its configuration changed. */
function changed(name: string, config: string, fields: object): string {
  const copy = mkdtempSync(join(folder, 'copy-'));
  cpSync(published(name), copy, { recursive: true });
  const path = join(copy, config);
  writeFileSync(
    path,
    JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...fields }),
  );
  return copy;
}

describe('what a published SAE brings along', () => {
  it('kind, layer and k; the filled-in request says them and is valid itself', async () => {
    const { request: filled, saes } = await validateRequest(
      request({ checkpoint: published('saelens-topk') }),
    );
    expect(saes[0]).toMatchObject({
      layer: 16,
      layers: [16],
      label: 'TopK',
      description: { kind: 'TopK', activation: { k: 8 } },
    });
    expect(filled.saes[0]).toMatchObject({ kind: 'TopK', layer: 16, k: 8 });
    expect((await validateRequest(filled)).request).toEqual(filled);
  });

  it('found by its folder, its weights or its configuration', async () => {
    for (const name of ['', '/sae_weights.safetensors', '/cfg.json'])
      expect(await valid({ checkpoint: published(`saelens-gated${name}`) })).toMatchObject({
        layer: 7,
        description: { kind: 'Gated' },
      });
  });

  it('a TopK may be evaluated on a drawn layer, an mlsae on all routed layers or on one', async () => {
    expect(await valid({ checkpoint: published('saelens-topk'), kind: 'RandomK' })).toMatchObject({
      layer: 5,
      description: { kind: 'RandomK' },
    });
    expect(
      (await refusal({ checkpoint: layouts('mlsae') })).fields.map(({ message }) => message).join(),
    ).toContain('width 128');
  });

  it('a request may give another k', async () => {
    expect(await valid({ checkpoint: published('sparsify/layers.3'), k: 3 })).toMatchObject({
      description: { activation: { k: 3 } },
    });
  });

  it('embeddings are layer 0', async () => {
    const copy = changed('saelens-gated', 'cfg.json', {
      metadata: { hook_name: 'blocks.0.hook_resid_pre' },
    });
    const { request: filled, saes } = await validateRequest(request({ checkpoint: copy }));
    expect(saes[0]).toMatchObject({ layer: 0 });
    expect((await validateRequest(filled)).saes[0]).toMatchObject({ layer: 0 });
  });

  it('a site inside a block', async () => {
    expect(await valid({ checkpoint: published('site-z') })).toMatchObject({
      layer: 9,
      layers: [9],
      site: 'attn_z',
    });
    expect(await valid({ checkpoint: published('site-mlp'), layer: 7 })).toMatchObject({
      layer: 7,
      site: 'mlp_out',
    });
    expect(await valid({ checkpoint: published('sparsify/layers.15.self_attn') })).toMatchObject({
      layer: 16,
      site: 'attn_out',
    });
    expect(await valid({ checkpoint: published('saelens-topk') })).toMatchObject({ site: null });
  });

  it('a path only suggests: the request is believed, and the result says so', async () => {
    const sae = await valid({
      checkpoint: published('gemma-scope/layer_8/width_32/average_l0_9'),
      layer: 4,
    });
    expect(sae).toMatchObject({ layer: 4 });
    expect(sae.notes[0]!.en).toContain('blocks.8.hook_resid_post');
  });
});

describe('what is refused, with the field and what to do', () => {
  it.each<[string, () => [Spec, Partial<EvaluationRequest>?], string, string, string]>([
    [
      'a scale that was not saved',
      () => [{ checkpoint: published('saelens-scale') }],
      'saes[0].scale',
      'sae-option',
      'norm_scaling_factor',
    ],
    [
      'a scale for a file that needs none',
      () => [{ checkpoint: published('saelens-standard'), scale: 2 }],
      'saes[0].scale',
      'sae-option',
      'leave',
    ],
    [
      'scales for one site',
      () => [{ checkpoint: published('saelens-scale'), scale: [1, 2] }],
      'saes[0].scale',
      'sae-option',
      'one number',
    ],
    [
      'a scale for a bare state dict',
      () => [{ checkpoint: shipped('TopK_tiny.pt'), kind: 'TopK', layer: 3, k: 4, scale: 2 }],
      'saes[0].scale',
      'sae-option',
      'published formats',
    ],
    [
      'another kind',
      () => [{ checkpoint: published('saelens-topk'), kind: 'Vanilla' }],
      'saes[0].kind',
      'sae-kind',
      'TopK or RandomK',
    ],
    [
      'a k for a kind without one',
      () => [{ checkpoint: published('saelens-gated'), k: 4 }],
      'saes[0].k',
      'sae-option',
      'has no k',
    ],
    [
      'a k beyond the latents',
      () => [{ checkpoint: published('saelens-topk'), k: 33 }],
      'saes[0].k',
      'sae-option',
      '1…32',
    ],
    [
      'routing',
      () => [{ checkpoint: published('saelens-topk'), routing: 'hard' }],
      'saes[0].routing',
      'sae-option',
      'RouteSAE only',
    ],
    [
      'the block number instead of the layer',
      () => [{ checkpoint: published('saelens-topk'), layer: 15 }],
      'saes[0].layer',
      'sae-option',
      'blocks.15.hook_resid_post, which is layer 16 here',
    ],
    [
      'no hook point and no layer',
      () => [{ checkpoint: published('openai/sae.pt') }],
      'saes[0].layer',
      'sae-option',
      'names no hook point',
    ],
    [
      'a layer beyond the model',
      () => [{ checkpoint: published('openai/sae.pt'), layer: 17 }],
      'saes[0].layer',
      'sae-option',
      '1…16',
    ],
    [
      'a hook point beyond the model',
      () => [
        {
          checkpoint: changed('saelens-gated', 'cfg.json', {
            metadata: { hook_name: 'blocks.40.hook_resid_post' },
          }),
        },
      ],
      'saes[0].checkpoint',
      'sae-width',
      'layer 41',
    ],
    [
      'a hook point that is none',
      () => [
        {
          checkpoint: changed('saelens-gated', 'cfg.json', {
            metadata: { hook_name: 'blocks.4.hook_surprise' },
          }),
        },
      ],
      'saes[0].checkpoint',
      'sae-option',
      'hook_surprise',
    ],
    [
      'a hook point inside a block for a crosscoder',
      () => [
        {
          checkpoint: changed('openmoss-crosscoder', 'config.json', {
            hook_points: [
              'blocks.4.hook_mlp_out',
              'blocks.5.hook_resid_post',
              'blocks.7.hook_resid_post',
            ],
            norm_activation: 'inference',
          }),
        },
      ],
      'saes[0].checkpoint',
      'sae-option',
      'residual streams',
    ],
    [
      'another width',
      () => [{ checkpoint: layouts('saelens-standard') }],
      'saes[0].checkpoint',
      'sae-width',
      'found 6',
    ],
    [
      'a crosscoder between models',
      () => [{ checkpoint: layouts('crosscoder'), scale: [1, 1] }],
      'saes[0].checkpoint',
      'sae-kind',
      'between 2 models',
    ],
    [
      'layer for a crosscoder',
      () => [{ checkpoint: published('openmoss-crosscoder'), layer: 3 }],
      'saes[0].layer',
      'sae-option',
      'leave layer out',
    ],
    [
      'a threshold never set',
      () => [{ checkpoint: layouts('dictionary_learning-BatchTopKSAE-unset') }],
      'saes[0].theta',
      'sae-option',
      'one `theta`',
    ],
    [
      'a threshold never set, in a sweep',
      () => [
        { checkpoint: layouts('dictionary_learning-BatchTopKSAE-unset') },
        { theta: [0.1, 0.2] },
      ],
      'saes[0].theta',
      'sae-option',
      'one `theta`',
    ],
    [
      'nothing there',
      () => [{ checkpoint: join(folder, 'nothing') }],
      'saes[0].checkpoint',
      'file-not-found',
      'nothing',
    ],
  ])('%s', async (_, make, path, code, text) => {
    const [spec, more] = make();
    const error = await refusal(spec, more);
    expect(error.code).toBe(code);
    expect(error.fields[0]).toMatchObject({ path });
    expect(error.fields[0]!.message).toContain(text);
  });

  it('a crosscoder between models, whatever its width', async () => {
    const { fields } = await refusal({ checkpoint: layouts('crosscoder'), scale: [1, 1] });
    expect(fields.map(({ message }) => message).join('\n')).toContain(
      'between 2 models at one hook point, which no single language model can be evaluated with',
    );
  });

  it('a place that a family does not have', async () => {
    const on = (family: string): Partial<EvaluationRequest> => ({
      model: `${root}test/golden/models/${family}`,
      dataset: { path: shipped('eval'), seqLen: 8 },
    });
    const messages = async (spec: Spec, family: string): Promise<string> =>
      (await refusal(spec, on(family))).fields.map(({ message }) => message).join('\n');
    const between = changed('site-mid', 'cfg.json', {
      metadata: { hook_name: 'blocks.0.hook_resid_mid' },
    });
    expect(await messages({ checkpoint: between }, 'gpt_neox')).toContain('side by side');
    expect(await messages({ checkpoint: between }, 'gpt2')).not.toContain('side by side');
    const module = join(folder, 'sparse', 'layers.0.self_attn');
    cpSync(published('sparsify/layers.15.self_attn'), module, { recursive: true });
    expect(await messages({ checkpoint: module }, 'gemma2')).toContain('before its norm');
    expect(await messages({ checkpoint: module }, 'llama3')).not.toContain('before its norm');
  });

  it('a threshold never set, unless the request has one for it', async () => {
    const { fields } = await refusal(
      { checkpoint: layouts('dictionary_learning-BatchTopKSAE-unset') },
      { theta: 0.5 },
    );
    // only its width is wrong now
    expect(fields.map(({ path }) => path)).toEqual(['saes[0].checkpoint']);
  });
});

describe('names of bare state dicts', () => {
  it.each([
    ['TopK_L12_K64.pt', { layer: 12, k: 64 }],
    ['runs/L12_K64_TopK.pt', { layer: 12, k: 64 }],
    ['Vanilla_L3.safetensors', { layer: 3 }],
    ['MLSAE-K32-final.pt', { k: 32 }],
    ['TopK_L1_L2_K8.pt', { k: 8 }],
    ['TopK_L0_K08.pt', {}],
    ['L12K64.pt', {}],
    ['Layer12_Kernel.pt', {}],
    ['L12_K64/TopK.pt', {}],
  ])('%s', (name, expected) => expect(settingsInName(name)).toEqual(expected));

  it('give layer and k where the request leaves them out, and the result says so', async () => {
    const path = join(folder, 'TopK_L12_K64.pt');
    copyFileSync(shipped('TopK_tiny.pt'), path);
    const named = await valid({ checkpoint: path, kind: 'TopK' });
    const k = (value: number) => ({ activation: { k: value } });
    expect(named).toMatchObject({ layer: 12, description: k(64) });
    expect(named.notes).toEqual([
      {
        en: "From the file's name, TopK_L12_K64.pt: layer 12, k 64.",
        zh: expect.stringContaining('TopK_L12_K64.pt'),
      },
    ]);
    const given = await valid({ checkpoint: path, kind: 'TopK', layer: 3, k: 16 });
    expect(given).toMatchObject({ layer: 3, description: k(16) });
    expect(given.notes.map(({ en }) => en)).toEqual([expect.stringContaining('after block 3')]);
    // drawn, not the name's
    expect(await valid({ checkpoint: path, kind: 'RandomK' })).toMatchObject({
      layer: 5,
      description: k(64),
    });
    expect(await valid({ checkpoint: path, kind: 'Vanilla' })).toMatchObject({
      layer: 12,
      description: { activation: { kind: 'relu' } },
    });
    expect(await valid({ checkpoint: path, kind: 'MLSAE' })).toMatchObject({
      layer: null,
      description: k(64),
    });
  });

  it('are wrong like any other setting', async () => {
    const path = join(folder, 'TopK_L17_K64.pt');
    mkdirSync(folder, { recursive: true });
    copyFileSync(shipped('TopK_tiny.pt'), path);
    expect((await refusal({ checkpoint: path, kind: 'TopK' })).fields[0]).toMatchObject({
      path: 'saes[0].layer',
      message: expect.stringContaining("from the file's name"),
    });
  });
});
