/** Paths that lead to no SAE: what they lead to instead. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { describeSAE } from '#src/sae/load.js';
import { describeFolder } from '#src/inspect/describe-folder.js';
import { root, shipped } from '../../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-not-'));
afterAll(() => rmSync(folder, { recursive: true }));

it.each(['tiny-llama', 'tiny-llama/model.safetensors', 'tiny-llama/config.json'])(
  'says that %s is a language model',
  async (path) => {
    await expect(describeSAE(shipped(path))).rejects.toMatchObject({
      code: 'checkpoint-format',
      message:
        `${shipped(path)}: this is a language model (llama), expected an SAE; a request names it ` +
        'as `model`.',
    });
  },
);

it.each(['model-00001-of-00002.safetensors', 'model.safetensors.index.json'])(
  'says that %s is one of several files',
  async (name) => {
    const path = join(folder, name);
    copyFileSync(shipped('TopK_tiny.pt'), path);
    await expect(describeSAE(path)).rejects.toThrow('weights divided into several files');
    rmSync(path);
  },
);

it('says that the configuration of SAELens is missing', async () => {
  copyFileSync(
    `${root}test/evaluation/fixtures/published/saelens-standard/sae_weights.safetensors`,
    join(folder, 'sae_weights.safetensors'),
  );
  await expect(describeSAE(folder)).rejects.toThrow(
    'sae_weights.safetensors looks like SAELens weights; cfg.json, which belongs beside it, is ' +
      'missing',
  );
  const alone = join(folder, 'sae_weights.safetensors');
  await expect(describeSAE(alone)).rejects.toThrow('look like SAELens weights; cfg.json');
  const { notes } = await describeSAE(alone, { kind: 'Vanilla', layer: 1 });
  expect(notes[0]!.en).toContain('look like SAELens weights; cfg.json');
});

it('names the checkpoints in a folder, and describes each', async () => {
  const checkpoints = shipped('.');
  await expect(describeSAE(checkpoints)).rejects.toThrow(
    'a folder of checkpoints, which are given one by one: Crosscoder_tiny.pt, Gated_tiny.pt, ' +
      'JumpReLU_tiny.pt, MLSAE_tiny.pt, RouteSAE_tiny.pt, TopK_tiny.pt and 1 more',
  );
  const found = await describeFolder(checkpoints);
  expect(found).toHaveLength(7); // the seven files, and no language model
  expect(found.every((one) => 'description' in one)).toBe(true);
  expect(await describeFolder(shipped('TopK_tiny.pt'))).toEqual([]);
});

it('tells of a file in a folder that cannot be read', async () => {
  writeFileSync(join(folder, 'broken.pt'), 'nothing');
  const found = await describeFolder(folder);
  const broken = found.find(({ path }) => path.endsWith('broken.pt'));
  expect(broken).toMatchObject({ error: { code: 'checkpoint-format' } });
});
