/**
 * An SAE trained on a centred residual stream, on a model with LayerNorm, against a copy of it that
 * is centred (fixtures/make_centred.py).
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Assembly } from '#src/evaluation/result/assemble.js';
import { Engine } from '#src/evaluation/engine/engine.js';
import { validateRequest } from '#src/evaluation/request/resolve.js';
import { strategyFor } from '#src/evaluation/engine/strategies/index.js';
import { loadLanguageModel, type LanguageModel } from '#src/lm/index.js';
import { loadSAE } from '#src/sae/index.js';
import { setInferenceMode } from '#src/torch/index.js';
import { golden, root, shipped } from '../golden/load.js';

const fixtures = `${root}test/evaluation/fixtures/`;
const read = <T>(name: string): T => JSON.parse(readFileSync(`${fixtures}${name}`, 'utf8')) as T;
let folder: string;
let model: LanguageModel;

beforeAll(async () => {
  setInferenceMode(true);
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  const config = JSON.parse(readFileSync(golden('models/gpt2/config.json'), 'utf8')) as object;
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, n_layer: 4 }));
  symlinkSync(golden('models/gpt2/model.safetensors'), join(folder, 'model.safetensors'));
  model = await loadLanguageModel(folder);
});
afterAll(() => {
  model.dispose();
  rmSync(folder, { recursive: true });
});

async function measured(centered?: boolean): Promise<Record<string, number>> {
  const { ids, lengths } = read<{ ids: number[][]; lengths: number[] }>('gpt2-strict-4.json');
  const sae = await loadSAE(`${fixtures}centred`, centered === undefined ? {} : { centered });
  const wanted = { protocols: new Set(['strict'] as const), splice: true, zero: false };
  const strategy = strategyFor(sae, {
    layer: 2,
    layers: [2],
    L: 4,
    variants: [{ owner: 'x', sparsity: null }],
    wanted,
    saeDtype: 'float32',
  });
  const engine = new Engine({
    model,
    strategies: [strategy],
    wanted,
    saeDtype: 'float32',
    microBatch: { sequences: 8, lanesPerCall: 1, logits: 100_000 },
  });
  const sums = await engine.batch(
    ids.map((row, i) => ({ ids: Int32Array.from(row), length: lengths[i]!, truncated: 0 })),
    { first: 0 },
  );
  const subject = { owner: 'x', width: model.width, slots: strategy.slots };
  const strict = new Assembly(sums, ['NormMSE', 'KLDiv', 'L0'], {
    seed: 1,
    intervals: false,
    subjects: [subject],
  }).strict(subject);
  engine.dispose();
  sae.dispose();
  return {
    NormMSE: strict.NormMSE!.mean,
    KLDivPerToken: strict.KLDivPerToken!.mean,
    L0: strict.L0!.mean,
  };
}

describe('a centred residual stream', () => {
  it('is what the SAE reads and what its reconstruction replaces', async () => {
    const found = await measured();
    const expected = read<Record<string, number>>('centred/expected.json');
    // The centred copy's weights were rounded to float32 once more: 1e-7 in each, through four
    // blocks.
    for (const [field, value] of Object.entries(expected))
      expect(Math.abs(found[field]! - value), `${field}: found ${found[field]}`).toBeLessThan(
        1e-4 * value,
      );
    expect(Math.abs((await measured(false))['NormMSE']! - expected['NormMSE']!)).toBeGreaterThan(
      0.01 * expected['NormMSE']!,
    );
  });
});

describe('a request', () => {
  const sae = `${root}test/evaluation/fixtures/published/saelens-gated`;
  const request = (spec: object): object => ({
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), seqLen: 32 },
    saes: [spec],
  });

  it(
    'may say that it was; a model whose norms keep the mean does not take it off by the ' +
      "file's word",
    async () => {
      expect(
        (await validateRequest(request({ checkpoint: sae, centered: true }))).saes[0]!.description,
      ).toMatchObject({ centered: true });
      expect(
        (await validateRequest(request({ checkpoint: sae }))).saes[0]!.description,
      ).toMatchObject({
        centered: false,
      });
      const copy = join(folder, 'sae');
      cpSync(sae, copy, { recursive: true });
      const config = JSON.parse(readFileSync(join(copy, 'cfg.json'), 'utf8')) as object;
      writeFileSync(
        join(copy, 'cfg.json'),
        JSON.stringify({
          ...config,
          model_from_pretrained_kwargs: { center_writing_weights: true },
        }),
      );
      expect(
        (await validateRequest(request({ checkpoint: copy }))).saes[0]!.description,
      ).toMatchObject({ centered: false });
    },
  );

  it('is reminded where a GPT-2 is evaluated and neither says so', async () => {
    // As the published SAEs of GPT-2's residual stream have it.
    const copy = join(folder, 'minimal');
    cpSync(`${fixtures}centred`, copy, { recursive: true });
    writeFileSync(
      join(copy, 'cfg.json'),
      JSON.stringify({
        d_in: model.width,
        d_sae: 24,
        hook_point: 'blocks.2.hook_resid_pre',
        hook_point_layer: 2,
        model_name: 'gpt2-small',
        dataset_path: 'x',
        context_size: 128,
        dtype: 'torch.float32',
      }),
    );
    const on = (spec: object): object => ({
      ...request({ checkpoint: copy, ...spec }),
      model: folder,
    });
    const [silent, said] = [
      (await validateRequest(on({}))).saes[0]!,
      (await validateRequest(on({ centered: true }))).saes[0]!,
    ];
    expect(silent).toMatchObject({
      layer: 2,
      description: { kind: 'Vanilla', centered: false, subtractDecoderBias: true },
    });
    expect(silent.notes[0]!.en).toContain('centered: true');
    expect(said).toMatchObject({ description: { centered: true }, notes: [] });
    expect(
      (await validateRequest({ ...request({ checkpoint: `${fixtures}centred` }), model: folder }))
        .saes[0]!.description,
    ).toMatchObject({ centered: true });
  });

  it('may not for files of the RouteSAE family', async () => {
    await expect(
      validateRequest(
        request({
          checkpoint: shipped('TopK_tiny.pt'),
          kind: 'TopK',
          layer: 3,
          k: 4,
          centered: true,
        }),
      ),
    ).rejects.toMatchObject({ fields: [{ path: 'saes[0].centered' }] });
  });
});
