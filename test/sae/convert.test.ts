/**
 * Conversions: what is written computes the same latents and reconstructions, or is refused with
 * the reason.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeSAE } from '#src/sae/load.js';
import type { SaeEvalError } from '#src/errors.js';
import { applySAE, convertCheckpoint, loadSAE, type LoadSaeOptions } from '#src/sae/index.js';
import { memory, scope } from '#src/torch/index.js';
import { golden, root, shipped, tensorsOf } from '../golden/load.js';

const layout = (name: string): string =>
  fileURLToPath(new URL(`formats/fixtures/${name}`, import.meta.url));
let folder: string;
let count = 0;
const out = (): string => join(folder, String(count++));
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * The largest deviation of latents and reconstructions, relative to the largest of their values.
 */
async function deviation(
  [a, optionsA]: [string, LoadSaeOptions],
  [b, optionsB]: [string, LoadSaeOptions],
  activations: string,
  name = 'h',
): Promise<number> {
  const saes = [await loadSAE(a, optionsA), await loadSAE(b, optionsB)] as const;
  const tensors = await tensorsOf(activations);
  const worst = scope(() => {
    const [first, second] = saes.map((sae) => applySAE(sae, tensors.get(name)!));
    return Math.max(
      ...(['latents', 'reconstruction'] as const).map(
        (key) => first![key].sub(second![key]).abs().max().item() / first![key].abs().max().item(),
      ),
    );
  });
  for (const owned of [...saes, ...tensors.values()]) owned.dispose();
  return worst;
}

const refused = async (
  path: string,
  options: Parameters<typeof convertCheckpoint>[2],
  at = out(),
): Promise<SaeEvalError> => {
  const error: unknown = await convertCheckpoint(path, at, options).then(
    () => expect.fail('it was converted'),
    (thrown: unknown) => thrown,
  );
  expect(existsSync(at)).toBe(false);
  return error as SaeEvalError;
};

// Both compute in float32 with weights that were rounded once; float32 has 6e-8, sums have at most
// 12 terms.
const tolerance = 1e-6;

const folders: [name: string, architecture: string, given?: LoadSaeOptions][] = [
  ['saelens-standard', 'standard'],
  ['saelens-standard-layer-norm', 'standard'],
  ['saelens-standard-token-norm', 'standard'],
  ['saelens-standard-scale', 'standard', { scale: 0.25 }],
  ['saelens-square', 'standard'],
  ['saelens-topk', 'topk'],
  ['saelens-topk-rescaled', 'topk'],
  ['saelens-topk-before-6', 'topk'],
  ['saelens-jumprelu', 'jumprelu'],
  ['saelens-log-threshold', 'jumprelu'],
  ['saelens-gated', 'gated'],
  ['saelens-half', 'standard'],
  ['dictionary_learning-AutoEncoder', 'standard'],
  ['dictionary_learning-backup', 'standard'],
  ['dictionary_learning-AutoEncoderNew', 'standard'],
  ['dictionary_learning-GatedAutoEncoder', 'gated'],
  ['dictionary_learning-JumpReluAutoEncoder', 'jumprelu'],
  ['dictionary_learning-AutoEncoderTopK', 'topk'],
  ['dictionary_learning-AutoEncoderTopK-old', 'topk'],
  ['dictionary_learning-BatchTopKSAE', 'jumprelu'],
  ['dictionary_learning-BatchTopKSAE-unset', 'jumprelu', { theta: 0.6 }],
  ['dictionary_learning-MatryoshkaBatchTopKSAE', 'jumprelu'],
  ['sparsify/layers.5', 'topk'],
  ['sparsify/expansion/layers.2', 'topk'],
  ['gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71', 'jumprelu'],
  ['gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6', 'jumprelu'],
  ['openai-topk/0.pt', 'topk'],
  ['openai-relu/0.pt', 'standard'],
  ['mlsae', 'topk'],
  ['mlsae-tfm', 'topk'],
  ['openmoss-jumprelu', 'jumprelu'],
  ['openmoss-topk', 'topk'],
  ['openmoss-pt', 'standard'],
  ['openmoss-topk-norms', 'topk'],
  ['openai-legacy/0.pt', 'topk'],
  ['saelens-rounded', 'jumprelu'],
  ['mlsae-tfm-sizes', 'topk'],
  ['llama-scope-norms', 'jumprelu', { scale: 0.2 }],
  ['llama-scope', 'jumprelu', { scale: 0.2 }],
  ['llama-scope-out', 'jumprelu'],
  ['sparsify/signed/layers.1', 'abstopk'],
  ['llama-scope-r1', 'jumprelu', { scale: 0.2 }],
];

describe('to SAELens', () => {
  it.each(folders)('%s', async (name, architecture, given = {}) => {
    const at = out();
    const { handles } = memory();
    const { paths } = await convertCheckpoint(layout(name), at, { to: 'saelens', ...given });
    expect(memory().handles).toBe(handles);
    expect(paths).toEqual([join(at, 'sae_weights.safetensors'), join(at, 'cfg.json')]);
    expect(JSON.parse(readFileSync(join(at, 'cfg.json'), 'utf8'))).toMatchObject({
      architecture,
      dtype: 'float32',
      metadata: { sae_lens_version: '6.18.0' },
    });
    const activations = layout(
      name.endsWith('.pt')
        ? join(name, '..', 'expected.safetensors')
        : `${name}/expected.safetensors`,
    );
    expect(await deviation([layout(name), given], [at, {}], activations)).toBeLessThan(tolerance);
  });

  it.each(['Vanilla', 'Gated', 'JumpReLU'] as const)(
    "%s of the RouteSAE family, its epsilon kept beside SAELens' own",
    async (kind) => {
      const at = out();
      const { notes } = await convertCheckpoint(shipped(`${kind}_tiny.pt`), at, {
        to: 'saelens',
        kind,
      });
      expect(notes.join()).toContain('1 − 0.000009 / std');
      expect(await describeSAE(at)).toMatchObject({
        normalization: { kind: 'layer-norm', epsilon: 1e-6 },
      });
      // 128 terms of order 1 to 100 a sum
      expect(
        await deviation(
          [shipped(`${kind}_tiny.pt`), { kind }],
          [at, {}],
          golden('vectors.safetensors'),
          'sae.x',
        ),
      ).toBeLessThan(2e-6);
    },
  );

  it.each([
    ['MLSAE_tiny.pt', { kind: 'MLSAE', k: 16 }, 'reads several layers'],
    ['RouteSAE_tiny.pt', { k: 16 }, 'reads several layers'],
    ['Crosscoder_tiny.pt', {}, 'reads several layers'],
  ] as const)('not %s', async (file, options, reason) => {
    const error = await refused(shipped(file), { to: 'saelens', ...options });
    expect(error.code).toBe('conversion-refused');
    expect(error.message).toContain(reason);
  });

  it.each([
    ['crosscoder', { scale: [1, 1] }, 'no SAEs of several layers'],
    ['openmoss-crosscoder', {}, 'no SAEs of several layers'],
    ['openmoss-glu', {}, 'W_E_glu'],
  ] as const)('not %s', async (name, given, reason) => {
    const error = await refused(layout(name), { to: 'saelens', ...given });
    expect(error.code).toBe('conversion-refused');
    expect(error.message).toContain(reason);
  });

  it('a centred one, and its word for it', async () => {
    const at = out();
    const centred = `${root}test/evaluation/fixtures/centred`;
    await convertCheckpoint(centred, at, { to: 'saelens' });
    expect(await describeSAE(at)).toMatchObject({
      centered: true,
      place: { named: 'blocks.2.hook_resid_pre' },
    });
  });

  it("a TopK that keeps negative values, and says so for SAELens' readers", async () => {
    const at = out();
    const { notes } = await convertCheckpoint(shipped('TopK_tiny.pt'), at, {
      to: 'saelens',
      kind: 'TopK',
      k: 16,
    });
    expect(notes.join()).toContain('sets negative values to 0');
    expect(await describeSAE(at)).toMatchObject({
      activation: { kind: 'topk', k: 16, signed: true },
    });
    expect(
      await deviation(
        [shipped('TopK_tiny.pt'), { kind: 'TopK', k: 16 }],
        [at, {}],
        golden('vectors.safetensors'),
        'sae.x',
      ),
    ).toBeLessThan(2e-6);
  });

  it('asks for what the file does not hold', async () => {
    expect((await refused(layout('llama-scope-norms'), { to: 'saelens' })).code).toBe('sae-option');
    expect((await refused(shipped('TopK_tiny.pt'), { to: 'saelens' })).code).toBe('sae-kind');
  });
});

describe('to the RouteSAE family', () => {
  // The cases of both conversions, but for SAEs that read several layers.
  it.each(folders)('%s, exactly with the .json beside it', async (name, _, given = {}) => {
    const at = `${out()}.pt`;
    const { paths } = await convertCheckpoint(layout(name), at, { to: 'routesae', ...given });
    expect(paths).toEqual([at, `${at}.json`]);
    const activations = layout(
      name.endsWith('.pt')
        ? join(name, '..', 'expected.safetensors')
        : `${name}/expected.safetensors`,
    );
    expect(await deviation([layout(name), given], [at, {}], activations)).toBeLessThan(tolerance);
    const original = await describeSAE(layout(name), given);
    expect(await describeSAE(at)).toMatchObject({
      format: 'routesae',
      place: { named: original.place.over === 'hook point' ? original.place.named : null },
    });
  });

  it('an SAE behind a layer norm, whose epsilon is named, without the .json too', async () => {
    const at = `${out()}.pt`;
    const { notes } = await convertCheckpoint(layout('saelens-standard-layer-norm'), at, {
      to: 'routesae',
    });
    expect(notes[0]).toContain('1 + 0.000009 / std');
    rmSync(`${at}.json`);
    // The epsilons differ by 9e-6, which is divided by a standard deviation of about 3.
    expect(
      await deviation(
        [layout('saelens-standard-layer-norm'), {}],
        [at, { kind: 'Vanilla' }],
        layout('saelens-standard-layer-norm/expected.safetensors'),
      ),
    ).toBeLessThan(1e-5);
  });

  it("passes over another tool's .json beside a file; nonsense in ours is an error", async () => {
    const at = `${out()}.pt`;
    await convertCheckpoint(layout('saelens-topk'), at, { to: 'routesae' });
    writeFileSync(`${at}.json`, '{"format": "sae-eval-settings", "kind": "TopK"}');
    await expect(describeSAE(at)).rejects.toMatchObject({ code: 'checkpoint-format' });
    for (const text of ['{"a": 1}', '[', '']) {
      writeFileSync(`${at}.json`, text);
      expect(await describeSAE(at, { kind: 'TopK', k: 3 })).toMatchObject({ configPath: null });
    }
  });

  it.each(['Vanilla', 'Gated', 'JumpReLU'] as const)('%s there and back', async (kind) => {
    const [there, back] = [out(), `${out()}.pt`];
    await convertCheckpoint(shipped(`${kind}_tiny.pt`), there, { to: 'saelens', kind });
    await convertCheckpoint(there, back, { to: 'routesae' });
    const [before, after] = [await tensorsOf(shipped(`${kind}_tiny.pt`)), await tensorsOf(back)];
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    for (const [name, tensor] of before) {
      expect(tensor.eq(after.get(name)!).all().item(), name).toBe(true);
    }
    for (const tensor of [...before.values(), ...after.values()]) tensor.dispose();
  });

  it.each(['RouteSAE', 'Crosscoder', 'TopK'])('%s as it is', async (kind) => {
    const at = `${out()}.pt`;
    await convertCheckpoint(shipped(`${kind}_tiny.pt`), at, { to: 'routesae' });
    const [before, after] = [await tensorsOf(shipped(`${kind}_tiny.pt`)), await tensorsOf(at)];
    expect([...after.keys()]).toEqual([...before.keys()]);
    for (const [name, tensor] of before)
      expect(tensor.eq(after.get(name)!).all().item(), name).toBe(true);
    for (const tensor of [...before.values(), ...after.values()]) tensor.dispose();
  });

  it.each([
    ['crosscoder', { scale: [1, 1] }, 'decoder biases'],
    ['openmoss-glu', {}, 'W_E_glu'],
    ['sparsify/transcoder/layers.3.mlp', {}, 'transcoder'],
  ] as const)('not %s', async (name, given, reason) => {
    const error = await refused(layout(name), { to: 'routesae', ...given });
    expect(error.code).toBe('conversion-refused');
    expect(error.message).toContain(reason);
  });
});

describe('on the command line', () => {
  const cli = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [`${root}dist/src/cli/main.js`, ...args], { encoding: 'utf8' });

  it('writes, says what it wrote, and writes nothing over', () => {
    const at = out();
    const first = cli('convert', layout('sparsify/layers.5'), at, '--to', 'saelens');
    expect(first.stderr).toBe('');
    expect(first.stdout).toBe(
      `wrote ${join(at, 'sae_weights.safetensors')}\nwrote ${join(at, 'cfg.json')}\n`,
    );
    expect(JSON.parse(readFileSync(join(at, 'cfg.json'), 'utf8'))).toMatchObject({
      metadata: { hook_name: 'blocks.5.hook_resid_post' },
      k: 3,
    });
    expect(cli('convert', layout('sparsify/layers.5'), at, '--to', 'saelens')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('is there already'),
    });
  });

  it('ends with 2 and the reason where the format cannot hold it', () => {
    const at = out();
    expect(cli('convert', layout('openmoss-glu'), at, '--to', 'routesae')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('W_E_glu'),
    });
    expect(cli('convert', layout('sparsify/layers.5'), at, '--to', 'gguf')).toMatchObject({
      status: 2,
    });
    expect(cli('convert', layout('sparsify/layers.5'), at)).toMatchObject({ status: 2 });
    expect(
      cli('convert', layout('sparsify/layers.5'), at, '--to', 'saelens', '--kind', 'Other'),
    ).toMatchObject({ status: 2, stderr: expect.stringContaining('--kind') });
    expect(
      cli('convert', layout('sparsify/layers.5'), at, '--to', 'saelens', '--k', 'x'),
    ).toMatchObject({ status: 2, stderr: expect.stringContaining('--k') });
  });

  it('gives a state dict its layer', () => {
    const at = out();
    expect(
      cli(
        'convert',
        shipped('Vanilla_tiny.pt'),
        at,
        '--to',
        'saelens',
        '--kind',
        'Vanilla',
        '--layer',
        '16',
      ),
    ).toMatchObject({ status: 0 });
    expect(JSON.parse(readFileSync(join(at, 'cfg.json'), 'utf8'))).toMatchObject({
      metadata: { hook_name: 'blocks.15.hook_resid_post' },
      layer_norm_epsilon: 1e-6,
    });
  });
});
