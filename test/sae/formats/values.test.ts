/**
 * Files that say something beside their tensors, or against them
 * (test/golden/state-dicts/make_values.py): it is honored, or refused by name.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeCheckpoint } from '#src/inspect/describe-checkpoint.js';
import type { LoadSaeOptions } from '#src/sae/index.js';
import { describeSAE } from '#src/sae/load.js';
import { expectReconstruction } from './computes.js';

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../golden/state-dicts/${name}`, import.meta.url));
const file = (name: string): string => golden(`values/${name}`);
const expected = JSON.parse(readFileSync(golden('expected-values.json'), 'utf8')) as {
  h: number[][];
  files: Record<string, { given: LoadSaeOptions; reconstruction: number[][] }>;
};

it.each(Object.entries(expected.files))(
  '%s gives the reconstruction of PyTorch',
  async (name, { given, reconstruction }) => {
    await expectReconstruction(file(name), given, { h: expected.h, reconstruction });
  },
);

describe('refused by name', () => {
  const vanilla = { kind: 'Vanilla' } as const;
  it.each<[string, LoadSaeOptions, RegExp]>([
    ['scaled.pt', vanilla, /norm_factor 2 .*give `normalization`.*`scale`/],
    ['normalized.pt', vanilla, /cfg\.normalize_activations "layer_norm" .*give `normalization`/],
    ['tensor-beside.pt', vanilla, /tensor 'input_scale' would change what the SAE computes/],
    ['post-encoder', {}, /tensor 'post_enc' is not supported.*expected 0/],
    ['glu', {}, /use_glu_encoder is false, and the weights have 'W_E_glu'/],
    ['jumprelu-topk', {}, /with architecture jumprelu, activation "topk" is not supported/],
    ['two-counts', {}, /activation_fn_kwargs\.k 2 is not supported; expected the value of k, 3/],
    ['openai-normalized.pt', {}, /normalize true is not supported with ReLU; expected false/],
    ['dtype', {}, /dtype "int8" is not supported; expected float32/],
  ])('%s', async (name, given, message) => {
    await expect(describeSAE(file(name), given)).rejects.toThrow(message);
  });
});

it('a number that JSON has no word for is refused in a field that is read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-nan-'));
  cpSync(file('two-counts'), folder, { recursive: true });
  const path = join(folder, 'cfg.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...config, k: 'NaN' }).replace('"NaN"', 'NaN'));
  await expect(describeSAE(folder)).rejects.toThrow(/cfg\.json: k: /);
  rmSync(folder, { recursive: true });
});

it('an activation that the file names and the request overrules is noted', async () => {
  const { notes } = await describeSAE(file('normalized.pt'), {
    kind: 'Vanilla',
    normalization: 'none',
  });
  expect(notes.map(({ en }) => en)).toContainEqual(
    expect.stringMatching(/The file says cfg\.activation "topk"; the SAE is computed with relu/),
  );
});

it('a tensor k that was read is not called unused', async () => {
  const { unused, choices } = await describeCheckpoint(file('backup.pt'));
  expect(unused).toEqual([]);
  expect(JSON.stringify(choices)).not.toMatch(/'k' was not used/);
});
