/**
 * The place of an SAE: `hook` of a request, in the words of three libraries; and paths that name a
 * site, which no request moves to the residual stream unasked.
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
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SaeEvalError } from '#src/errors.js';
import { validateRequest, type ValidatedRequest } from '#src/evaluation/request/resolve.js';
import { run } from '#src/evaluation/run/run.js';
import { describeCheckpoint } from '#src/inspect/describe-checkpoint.js';
import type { Estimate, EvaluationRequest } from '#src/schema/index.js';
import { root, shipped } from '../../golden/load.js';

const published = (name: string): string => `${root}test/evaluation/fixtures/published/${name}`;

type Spec = EvaluationRequest['saes'][number];
const request = (spec: Spec, model = shipped('tiny-llama')): EvaluationRequest => ({
  model,
  dataset: { path: shipped('eval'), seqLen: 8, maxSamples: 2 },
  saes: [spec],
});
const valid = async (spec: Spec): Promise<ValidatedRequest['saes'][number]> =>
  (await validateRequest(request(spec))).saes[0]!;
const refusal = async (spec: Spec, model?: string): Promise<SaeEvalError> =>
  validateRequest(request(spec, model)).then(
    () => expect.fail('the request was accepted'),
    (error: unknown) => error as SaeEvalError,
  );

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of a published SAE under another path. */
function moved(name: string, ...to: string[]): string {
  const path = join(folder, ...to);
  cpSync(published(name), path, { recursive: true });
  return path;
}

/** A copy of a SAELens SAE whose configuration names no hook point. */
function nameless(name: string): string {
  const path = moved(name, `nameless-${name.replace(/^site-/, '')}`);
  const file = join(path, 'cfg.json');
  const { metadata: _, ...config } = JSON.parse(readFileSync(file, 'utf8')) as { metadata: object };
  writeFileSync(file, JSON.stringify(config));
  return path;
}

/** A bare state dict under another path. */
function bare(...to: string[]): string {
  const path = join(folder, ...to);
  mkdirSync(dirname(path), { recursive: true });
  copyFileSync(shipped('TopK_tiny.pt'), path);
  return path;
}

describe('hook in the words of three libraries', () => {
  it.each([
    ['blocks.5.hook_resid_post', 6, null],
    ['blocks.5.hook_resid_pre', 5, null],
    ['model.layers.5.output', 6, null],
    ['layers[5].output[0]', 6, null],
    ['model.layers.5.input', 5, null],
    ['transformer.h.3', 4, null],
    ['gpt_neox.layers.3', 4, null],
    ['resid_post_layer_5', 6, null],
    ['blocks.5.hook_mlp_out', 6, 'mlp_out'],
    ['model.layers.5.mlp.output', 6, 'mlp_out'],
    ['layers.5.mlp', 6, 'mlp_out'],
    ['model.layers.5.self_attn.output', 6, 'attn_out'],
    ['blocks.5.hook_resid_mid', 6, 'resid_mid'],
    ['blocks.5.attn.hook_z', 6, 'attn_z'],
    ['model.layers.5.self_attn.o_proj.input', 6, 'attn_z'],
    ['blocks.5.hook_mlp_in', 6, 'mlp_in'],
    ['blocks.5.ln2.hook_normalized', 6, 'ln2_normalized'],
    ['blocks.5.mlp.hook_in', 6, 'ln2_out'],
    ['model.layers.5.mlp.input', 6, 'ln2_out'],
    ['model.layers.5.post_attention_layernorm.output', 6, 'ln2_out'],
    ['model.layers.5.pre_feedforward_layernorm.output', 6, 'ln2_out'],
  ])('%s', async (hook, layer, site) => {
    const filled = await validateRequest(
      request({ checkpoint: shipped('TopK_tiny.pt'), kind: 'TopK', k: 4, hook }),
    );
    expect(filled.saes[0]).toMatchObject({ layer, site, hookPoint: hook, notes: [] });
    expect(filled.request.saes[0]).toMatchObject({ hook });
    expect((await validateRequest(filled.request)).request).toEqual(filled.request);
  });

  it.each([
    ['blocks.5.ln1.hook_normalized', 'that attention reads'],
    ['blocks.5.mlp.hook_pre', 'neurons'],
    ['model.layers.5.mlp.up_proj', 'neurons'],
    ['blocks.5.attn.hook_q', 'queries, keys or values'],
    ['model.layers.5.self_attn.k_proj', 'queries, keys or values'],
    ['model.layers.5.mlp.experts.3.down_proj', 'a part of a mixture of experts'],
    ['model.layers.5.mlp.gate', 'a part of a mixture of experts'],
    ['model.layers.5.linear_attn.in_proj_qkv', 'the inside of linear attention'],
    ['model.norm', 'final norm'],
    ['model.layers.5.post_feedforward_layernorm.output', 'no norm behind its MLP'],
    ['blocks.16.hook_mlp_out', 'has 16 blocks'],
    ['blocks.5.hook_surprise', 'expected one such as blocks.5.hook_resid_post'],
    ['somewhere', 'unknown hook point somewhere'],
  ])('%s is refused by name', async (hook, text) => {
    const { code, fields } = await refusal({
      checkpoint: shipped('TopK_tiny.pt'),
      kind: 'TopK',
      k: 4,
      hook,
    });
    expect(code).toBe('sae-option');
    expect(fields).toEqual([{ path: 'saes[0].hook', message: expect.stringContaining(text) }]);
    expect(fields[0]!.message).toContain(hook);
  });

  it('a norm behind a module, in a family that has one', async () => {
    const width = await refusal(
      {
        checkpoint: shipped('TopK_tiny.pt'),
        kind: 'TopK',
        k: 4,
        hook: 'model.layers.0.post_feedforward_layernorm.output',
      },
      `${root}test/golden/models/gemma2`,
    );
    // Its place is right: only the width of the shipped SAE is not that model's.
    expect(width.fields.map(({ path }) => path)).toEqual(['saes[0].checkpoint']);
    expect(width.code).toBe('sae-width');
  });

  it('excludes layer, and kinds over several layers', async () => {
    const both = await refusal({
      checkpoint: shipped('TopK_tiny.pt'),
      kind: 'TopK',
      k: 4,
      layer: 3,
      hook: 'blocks.2.hook_resid_post',
    });
    expect(both).toMatchObject({ code: 'request-invalid', fields: [{ path: 'saes[0].hook' }] });
    expect(both.fields[0]!.message).toContain('layer and hook exclude each other');
    const several = await refusal({
      checkpoint: shipped('MLSAE_tiny.pt'),
      kind: 'MLSAE',
      k: 4,
      hook: 'blocks.2.hook_resid_post',
    });
    expect(several).toMatchObject({ code: 'sae-option', fields: [{ path: 'saes[0].hook' }] });
  });

  it('puts a RandomK where it says', async () => {
    expect(
      await valid({
        checkpoint: shipped('TopK_tiny.pt'),
        kind: 'RandomK',
        k: 4,
        hook: 'blocks.2.hook_resid_post',
      }),
    ).toMatchObject({ layer: 3, hookPoint: 'blocks.2.hook_resid_post' });
  });
});

describe('hook and what the file says', () => {
  it('contradicts no configuration', async () => {
    const checkpoint = published('site-mlp');
    const { fields } = await refusal({ checkpoint, hook: 'blocks.6.hook_resid_post' });
    expect(fields[0]).toMatchObject({ path: 'saes[0].hook' });
    expect(fields[0]!.message).toContain('blocks.6.hook_mlp_out');
    expect(fields[0]!.message).toContain('blocks.6.hook_resid_post');
    expect(await valid({ checkpoint, hook: 'model.layers.6.mlp' })).toMatchObject({
      layer: 7,
      site: 'mlp_out',
      notes: [],
    });
  });

  it('overrules a path, and the result says so', async () => {
    const sae = await valid({
      checkpoint: published('sparsify/layers.15.self_attn'),
      hook: 'layers.2.mlp',
    });
    expect(sae).toMatchObject({ layer: 3, site: 'mlp_out', hookPoint: 'layers.2.mlp' });
    expect(sae.notes.map(({ en }) => en).join()).toContain('suggests layers.15.self_attn');
  });
});

describe('a path that names a site', () => {
  it('is not moved to the residual stream by a layer', async () => {
    const checkpoint = published('sparsify/layers.15.self_attn');
    const { code, fields } = await refusal({ checkpoint, layer: 4 });
    expect(code).toBe('sae-option');
    expect(fields[0]!.path).toBe('saes[0].layer');
    for (const text of ['layers.15.self_attn', 'give hook', 'blocks.3.hook_resid_post'])
      expect(fields[0]!.message).toContain(text);
    expect(await valid({ checkpoint, layer: 16 })).toMatchObject({ layer: 16, site: 'attn_out' });
    const mlp = moved('gemma-scope', 'gemma-scope-2b-pt-mlp');
    expect(
      (await refusal({ checkpoint: join(mlp, 'layer_8/width_32/average_l0_9'), layer: 4 }))
        .fields[0]!.message,
    ).toContain('blocks.8.hook_mlp_out');
  });

  it('whatever the format', async () => {
    const spec = { kind: 'TopK', k: 4 } as const;
    const site = async (...to: string[]) => valid({ ...spec, checkpoint: bare(...to) });
    expect(await site('layers.5.mlp', 'TopK.pt')).toMatchObject({ layer: 6, site: 'mlp_out' });
    expect(await site('mlp_out_layer_5', 'trainer_0', 'TopK.pt')).toMatchObject({
      layer: 6,
      site: 'mlp_out',
    });
    expect(await site('gpt2_blocks.5.attn.hook_z_768.pt')).toMatchObject({ site: 'attn_z' });
    expect(await site('TopK_attn_out_L5_K4.pt')).toMatchObject({ layer: 5, site: 'attn_out' });
    expect(await site('TopK_L5_K4.pt')).toMatchObject({ layer: 5, site: null });
    const asked = await refusal({ ...spec, checkpoint: bare('TopK_mlp_out_K4.pt'), layer: 5 });
    expect(asked.fields[0]!.message).toMatch(/the path names mlp_out.*give hook/);
    const neurons = await refusal({ ...spec, checkpoint: bare('blocks.5.mlp.hook_post', 'a.pt') });
    expect(neurons).toMatchObject({ code: 'sae-width', fields: [{ path: 'saes[0].checkpoint' }] });
    expect(neurons.fields[0]!.message).toContain('neurons');
    const two = await refusal({
      ...spec,
      checkpoint: bare('layers.5.mlp', 'TopK_L2.pt'),
      layer: 2,
    });
    expect(two.fields[0]!.message).toContain('layers.5.mlp');
  });

  it('that was renamed is asked about', async () => {
    const checkpoint = moved('sparsify/layers.15.self_attn', 'my-sae');
    const { fields } = await refusal({ checkpoint });
    expect(fields[0]!.path).toBe('saes[0].layer');
    expect(fields[0]!.message).toContain("'my-sae' is no hook point");
    expect(fields[0]!.message).toContain('hook');
    const { needs, choices } = await describeCheckpoint(checkpoint);
    expect(needs).toContainEqual(expect.stringContaining('layer or hook'));
    expect(choices[0]!.fields).toContainEqual(
      expect.objectContaining({ field: 'layer', state: 'required', instead: 'hook' }),
    );
    expect(choices[0]!.fields).toContainEqual(
      expect.objectContaining({ field: 'hook', state: 'optional' }),
    );
    const given = await valid({ checkpoint, layer: 4 });
    expect(given.notes.map(({ en }) => en).join()).toContain('does not say where it belongs');
  });
});

interface Expected {
  seqLen: number;
  maxSamples: number;
  batchSize: number;
  results: Record<string, { strict: Record<string, number> }>;
}

it('measures where hook says: the numbers of PyTorch with hooks there', async () => {
  const { results, batchSize, seqLen, maxSamples } = JSON.parse(
    readFileSync(published('expected.json'), 'utf8'),
  ) as Expected;
  const hooks = {
    'site-mid': 'blocks.10.hook_resid_mid',
    'site-mlp': 'model.layers.6.mlp.output',
    'site-z': 'model.layers.8.self_attn.o_proj.input',
    'sparsify/layers.15.self_attn': 'model.layers.15.self_attn.output',
  };
  const { results: found } = await run({
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), seqLen, maxSamples },
    batchSize,
    protocol: ['strict'],
    metrics: ['NormMSE', 'KLDiv'],
    saes: Object.entries(hooks).map(([name, hook]) => ({
      checkpoint: name.startsWith('site') ? nameless(name) : moved(name, 'renamed'),
      hook,
    })),
  });
  for (const [index, [name, hook]] of Object.entries(hooks).entries()) {
    const { strict, hookPoint, error } = found[index]!;
    expect({ hookPoint, error }).toEqual({ hookPoint: hook, error: null });
    for (const field of ['NormMSE', 'KLDivPerToken'] as const) {
      const value = results[name]!.strict[field]!;
      const { mean } = strict![field] as Estimate;
      // As in published.test.ts: float32 through 16 blocks in another order of sums.
      expect(Math.abs(mean - value), `${name} ${field}`).toBeLessThanOrEqual(1e-4 * value);
    }
  }
}, 60_000);
