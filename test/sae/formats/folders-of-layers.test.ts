/** Folders of one file for each layer: what is missing or does not fit is named. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { writeSafetensors } from '#src/checkpoint/write-safetensors.js';
import { describeSAE } from '#src/sae/load.js';
import { loadSAE } from '#src/sae/index.js';
import { asyncScope, memory, type Tensor } from '#src/torch/index.js';
import { golden } from '../../golden/load.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  cpSync(golden('transcoders/clt'), folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

const failure = async (path = folder): Promise<unknown> =>
  loadSAE(path).then(
    (sae) => sae.dispose(),
    (thrown: unknown) => thrown,
  );

/** Writes a file of the folder again with its tensors changed. */
async function rewrite(
  name: string,
  change: (tensors: Map<string, Tensor>) => Map<string, Tensor>,
): Promise<void> {
  await asyncScope(async () => {
    const path = join(folder, name);
    const tensors = openTensors(await readCheckpoint(path));
    const own = new Map([...tensors].map(([key, tensor]) => [key, tensor.clone()]));
    rmSync(path);
    await writeSafetensors(path, change(own));
  });
}

describe('a cross-layer transcoder in a folder', () => {
  it('is the same by its folder, one of its files or its configuration', async () => {
    const whole = await describeSAE(folder);
    for (const name of ['W_enc_0.safetensors', 'W_dec_3.safetensors', 'config.yaml'])
      expect(await describeSAE(join(folder, name))).toEqual(whole);
    expect(whole).toMatchObject({ form: 'cross-layer', format: 'circuit-tracer-layers', m: 40 });
  });

  it('without a layer says which', async () => {
    rmSync(join(folder, 'W_enc_1.safetensors'));
    expect(await failure()).toMatchObject({
      code: 'file-not-found',
      message: expect.stringContaining('W_enc_1.safetensors'),
    });
  });

  it('without a decoder says which', async () => {
    rmSync(join(folder, 'W_dec_3.safetensors'));
    expect(await failure()).toMatchObject({
      code: 'checkpoint-keys',
      message: expect.stringContaining("'W_dec_3'"),
    });
  });

  it('with a decoder of too many layers names both shapes', async () => {
    await rewrite('W_dec_2.safetensors', (tensors) => {
      const [[name, tensor]] = [...tensors] as [[string, Tensor]];
      return new Map([[name, tensor.expand([10, 2, 64]).repeat([1, 3, 1])]]);
    });
    expect(await failure()).toMatchObject({
      code: 'checkpoint-shape',
      message: expect.stringContaining('[10, 2, 64] or [10, 4, 64]'),
    });
  });

  it('with NaN in a decoder is refused', async () => {
    await rewrite('W_dec_1.safetensors', (tensors) => {
      const [[name, tensor]] = [...tensors] as [[string, Tensor]];
      return new Map([[name, tensor.mul(Number.NaN)]]);
    });
    const before = memory().handles;
    expect(await failure()).toMatchObject({ code: 'non-finite' });
    expect(memory().handles).toBe(before);
  });

  it('with a file that is none is refused as damaged', async () => {
    writeFileSync(
      join(folder, 'W_enc_2.safetensors'),
      'version https://git-lfs.github.com/spec/v1',
    );
    expect(await failure()).toMatchObject({ code: 'checkpoint-format' });
  });

  it('with a configuration that is no mapping is refused', async () => {
    writeFileSync(join(folder, 'config.yaml'), '- a\n- b\n');
    expect(await failure()).toMatchObject({ code: 'checkpoint-format' });
  });
});
