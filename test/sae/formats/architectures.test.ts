/**
 * SAELens' younger architectures and Temporal SAEs (fixtures/make_architectures.py), against plain
 * PyTorch.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convertCheckpoint, loadSAE } from '#src/sae/index.js';
import { denseValues } from '#src/sae/latents.js';
import { describeSAE } from '#src/sae/load.js';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { scope } from '#src/torch/index.js';
import { expectComputed } from './computes.js';

const fixture = (name: string): string =>
  fileURLToPath(
    new URL(`fixtures/${name.includes('/') ? name : `saelens-${name}`}`, import.meta.url),
  );
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const pursuit = { kind: 'matching-pursuit', residualThreshold: 0.01, stopsAtRepetition: true };

const cases: [name: string, expected: Record<string, unknown>, convertedTo: string][] = [
  ['abstopk', { kind: 'TopK', activation: { k: 3, byMagnitude: true } }, 'abstopk'],
  ['abstopk-rescaled', { d: 6, m: 6, decoderNorm: 'latents' }, 'abstopk'],
  [
    'batchtopk',
    {
      kind: 'JumpReLU',
      decoderNorm: 'latents',
      activation: { threshold: { tensor: 'topk_threshold', log: false } },
      notes: [],
    },
    'jumprelu',
  ],
  ['matryoshka_batchtopk', { kind: 'JumpReLU', decoderNorm: 'latents' }, 'jumprelu'],
  [
    'matching_pursuit',
    {
      kind: 'Vanilla',
      activation: { ...pursuit, residualThreshold: 0.9, maxIterations: 6 },
      encoder: { tensor: 'W_dec', transpose: true },
      notes: [],
    },
    'matching_pursuit',
  ],
  [
    'matching_pursuit-steps',
    {
      activation: {
        kind: 'matching-pursuit',
        residualThreshold: 0,
        maxIterations: 9,
        stopsAtRepetition: false,
      },
    },
    'matching_pursuit',
  ],
  [
    'matching_pursuit-raw',
    { activation: { ...pursuit, maxIterations: 6 }, decoderBias: null },
    'matching_pursuit',
  ],
  [
    'temporal',
    {
      format: 'saelens',
      form: 'temporal',
      kind: 'TopK',
      activation: { kind: 'topk', k: 2 },
      encoder: { tensor: 'W_enc', transpose: false, factor: 1 / 24 },
      normalization: { kind: 'scale', factor: 0.5 },
      notes: [],
    },
    'temporal',
  ],
  ['temporal-square', { d: 6, m: 6, encoder: { tensor: 'W_dec', transpose: true } }, 'temporal'],
  [
    'temporal/layer_12/temporal',
    {
      format: 'temporal',
      kind: 'TopK',
      place: { named: 'blocks.12.hook_resid_post', from: 'path' },
      activation: { kind: 'topk', k: 3 },
      normalization: { kind: 'scale', factor: 0.25 },
      heads: 4,
      notes: [],
    },
    'temporal',
  ],
  [
    'temporal/layer_3/untied',
    { kind: 'Vanilla', activation: { kind: 'relu' }, encoder: { tensor: 'E' }, d: 8, m: 12 },
    'temporal',
  ],
];

describe.each(cases)('%s', (name, expected, convertedTo) => {
  const numbers = join(fixture(name), 'expected.safetensors');

  it('is described, and computes what PyTorch computes', async () => {
    expect(await describeSAE(fixture(name))).toMatchObject(expected);
    await expectComputed(fixture(name), numbers);
  });

  it('is the same after a conversion', async () => {
    const out = join(folder, `to-${name.replaceAll('/', '-')}`);
    await convertCheckpoint(fixture(name), out, { to: 'saelens' });
    expect(JSON.parse(readFileSync(join(out, 'cfg.json'), 'utf8'))).toMatchObject({
      architecture: convertedTo,
    });
    await expectComputed(out, numbers);
  });
});

describe('matching pursuit', () => {
  it('chooses among what it found under an override', async () => {
    const sae = await loadSAE(fixture('matching_pursuit'));
    const golden = await readCheckpoint(join(fixture('matching_pursuit'), 'expected.safetensors'));
    scope(() => {
      const tensors = openTensors(golden);
      const found = tensors.get('latents')!;
      const a = sae.preactivate(tensors.get('h')!);
      const two = denseValues(sae.activate(a, { inferK: 2 }));
      expect(two.ne(0).sum([-1]).max().item()).toBe(2);
      expect(
        two
          .sub(found.mul(two.ne(0)))
          .abs()
          .max()
          .item(),
      ).toBeLessThan(1e-5);
      const above = denseValues(sae.activate(a, { theta: 2 }));
      expect(
        above
          .sub(found.mul(found.gt(2)))
          .abs()
          .max()
          .item(),
      ).toBeLessThan(1e-5);
      return null;
    });
    sae.dispose();
  });

  it('is no SAE of the RouteSAE family', async () => {
    await expect(
      convertCheckpoint(fixture('matching_pursuit'), join(folder, 'no.pt'), { to: 'routesae' }),
    ).rejects.toMatchObject({ code: 'conversion-refused' });
  });

  it.each([
    ['max_iterations', 2 ** 40],
    ['max_iterations', 0],
    ['residual_threshold', -1],
    ['residual_threshold', 'NaN'],
    ['stop_on_duplicate_support', 'yes'],
    ['architecture', 'phase_multiplexed'],
  ])('refuses %s %j by name', async (key, value) => {
    const copy = join(folder, `${key}-${JSON.stringify(value).replace(/\W/g, '')}`);
    cpSync(fixture('matching_pursuit'), copy, { recursive: true });
    const path = join(copy, 'cfg.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...config, [key]: value }));
    await expect(describeSAE(copy)).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:checkpoint-format|sae-kind)$/),
      message: expect.stringContaining(key === 'architecture' ? String(value) : key),
    });
  });
});
