/** What SAEs' files say about positions and BOS, and what a request makes of it. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '#src/checkpoint/write-safetensors.js';
import { validateRequest, type ValidatedRequest } from '#src/evaluation/request/resolve.js';
import { run } from '#src/evaluation/run/run.js';
import type { EvaluationRequest, SaeSpec } from '#src/schema/index.js';
import { manualSeed, ops } from '#src/torch/index.js';
import { shipped } from '../../golden/load.js';

const d = 128;
const m = 16;
let folder: string;

/** A folder of SAELens whose configuration has these facts. */
async function saelens(name: string, metadata: Record<string, unknown>): Promise<void> {
  mkdirSync(join(folder, name));
  const tensors = new Map([
    ['W_enc', ops.randn([d, m])],
    ['W_dec', ops.randn([m, d]).div(Math.sqrt(m))],
    ['b_enc', ops.zeros([m])],
    ['b_dec', ops.zeros([d])],
  ]);
  await writeSafetensors(join(folder, name, 'sae_weights.safetensors'), tensors);
  const config = {
    architecture: 'standard',
    d_in: d,
    d_sae: m,
    apply_b_dec_to_input: false,
    metadata: { hook_name: 'blocks.3.hook_resid_post', ...metadata },
  };
  writeFileSync(join(folder, name, 'cfg.json'), JSON.stringify(config));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'positions-'));
  manualSeed(1);
  await saelens('with-bos', { prepend_bos: true });
  await saelens('without-bos', { prepend_bos: false });
  await saelens('silent', {});
  await saelens('no-specials', { exclude_special_tokens: true });
  await saelens('ids', { exclude_special_tokens: [4093, 7], seqpos_slice: [1, null] });
});

const requestFor = (
  saes: readonly (string | SaeSpec)[],
  change: Partial<EvaluationRequest> = {},
): EvaluationRequest => ({
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: 16, maxSamples: 2 },
  saes: saes.map((sae) => (typeof sae === 'string' ? { checkpoint: join(folder, sae) } : sae)),
  device: 'cpu',
  ...change,
});
const validated = (...given: Parameters<typeof requestFor>): Promise<ValidatedRequest> =>
  validateRequest(requestFor(...given));

describe('BOS', () => {
  it('is as the files say, those that say nothing apart', async () => {
    expect((await validated(['with-bos', 'silent'])).prependBos).toBe(true);
    expect((await validated(['without-bos', 'silent'])).prependBos).toBe(false);
    expect((await validated(['silent'])).prependBos).toBeUndefined();
  });

  it('must be given if the files disagree', async () => {
    await expect(validated(['with-bos', 'silent', 'without-bos'])).rejects.toMatchObject({
      code: 'request-invalid',
      fields: [{ path: 'dataset.prependBos', message: expect.stringContaining('saes[0]') }],
    });
    const { dataset } = requestFor([]);
    const given = await validated(['with-bos', 'without-bos'], {
      dataset: { ...dataset, prependBos: false },
    });
    expect(given.prependBos).toBe(false);
  });

  it("is the tokenizer's own way under reference alone, and for token ids", async () => {
    const reference = await validated(['without-bos'], { protocol: ['reference'] });
    expect(reference.prependBos).toBeUndefined();
    const { dataset } = requestFor([]);
    const tokens = await validated(['without-bos'], {
      dataset: { ...dataset, tokensField: 'text' },
    });
    expect(tokens.prependBos).toBeUndefined();
  });
});

describe('positions', () => {
  it('are those of the file, or of the request with a note', async () => {
    const both = await validated(['no-specials', 'ids', 'silent']);
    expect(both.saes.map(({ excluding }) => excluding)).toMatchObject([
      { from: 'file', exclusion: { specials: true, ids: [], kept: null } },
      { from: 'file', exclusion: { specials: false, ids: [4093, 7], kept: [1, null] } },
      { from: 'default', exclusion: { specials: false, ids: [], kept: null } },
    ]);
    const asked = await validated(['no-specials', 'silent'], { exclude: [5] });
    expect(asked.saes.map(({ excluding }) => excluding.exclusion.ids)).toEqual([[5], [5]]);
    expect(asked.saes.map(({ notes }) => notes.some(({ en }) => en.includes('special')))).toEqual([
      true,
      false,
    ]);
    const own = await validated(
      [{ checkpoint: join(folder, 'no-specials'), exclude: 'none' }, 'silent'],
      { exclude: 'specials' },
    );
    expect(own.saes.map(({ excluding }) => excluding.exclusion.specials)).toEqual([false, true]);
  });

  it('of the file are what a run counts', async () => {
    const { results, config } = await run(
      requestFor(['ids', 'with-bos'], { protocol: ['strict'] }),
    );
    const [first, second] = results.map(({ positions }) => positions!);
    expect(config.dataset.prependBos).toBe(true);
    expect(first!.exclude).toEqual([[4093, 7], { positions: [1, null] }]);
    // Two samples, each with BOS at position 0.
    expect(first!.real - first!.counted).toBeGreaterThanOrEqual(2);
    expect(second).toMatchObject({ from: 'default', exclude: [], counted: second!.real });
  });
});
