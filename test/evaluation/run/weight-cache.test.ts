/**
 * Models and SAEs that stay loaded: same bits, loaded once, loaded again when their file changed,
 * freed for room.
 */
import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '#src/evaluation/run/run.js';
import {
  resolvedRequestSchema,
  type EvaluationResult,
  type ResolvedRequest,
} from '#src/schema/index.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { memory } from '#src/torch/index.js';

const shipped = (name: string): string =>
  fileURLToPath(new URL(`../../../checkpoints/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sae-eval-cache-'));
cpSync(shipped('tiny-llama'), join(folder, 'model'), { recursive: true });
copyFileSync(shipped('TopK_tiny.pt'), join(folder, 'sae.pt'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function request(overrides: Partial<ResolvedRequest> = {}): ResolvedRequest {
  return resolvedRequestSchema.parse({
    model: join(folder, 'model'),
    dataset: { path: shipped('eval'), maxSamples: 4, seqLen: 16 },
    batchSize: 4,
    device: 'cpu',
    saes: [
      { kind: 'TopK', checkpoint: join(folder, 'sae.pt'), layer: 16, k: 16 },
      { kind: 'RouteSAE', checkpoint: shipped('RouteSAE_tiny.pt'), k: 16 },
    ],
    ...overrides,
  });
}
const numbers = ({ results }: EvaluationResult): string => JSON.stringify(results);
const plenty = 2 ** 30;

describe('WeightCache', () => {
  it('without a limit keeps nothing', async () => {
    const cache = new WeightCache();
    await run(request(), { cache });
    expect(cache.counts()).toMatchObject({ bytes: 0, entries: 0, hits: 0, loads: 4 });
    expect(memory().handles).toBe(0);
  });

  it.each(['float32', 'bfloat16'] as const)(
    '%s: gives the same bits, loads once, and frees everything at last',
    async (dtype) => {
      const alone = await run(request({ dtype }));
      const cache = new WeightCache({ limitBytes: plenty });
      const first = await run(request({ dtype }), { cache });
      expect(cache.counts()).toMatchObject({ entries: 4, hits: 0, loads: 4, evictions: 0 });
      const { handles, bytes } = memory();
      for (let again = 1; again <= 3; again++) {
        expect(numbers(await run(request({ dtype }), { cache }))).toBe(numbers(alone));
        expect(cache.counts()).toMatchObject({ entries: 4, hits: 4 * again, loads: 4 });
        expect(memory()).toMatchObject({ handles, bytes });
      }
      expect(numbers(first)).toBe(numbers(alone));
      cache.clear();
      expect(memory()).toMatchObject({ handles: 0, bytes: 0 });
    },
  );

  it('tells apart SAEs loaded differently from one file, not those used differently', async () => {
    const cache = new WeightCache({ limitBytes: plenty });
    const topK = { kind: 'TopK' as const, checkpoint: join(folder, 'sae.pt'), layer: 16, k: 16 };
    await run(
      request({
        saes: [
          { ...topK, label: 'a' },
          { ...topK, label: 'b', layer: 8 },
          { ...topK, label: 'c', k: 8 },
        ],
      }),
      { cache },
    );
    // The model, its tokenizer, the SAE with k 16 and with k 8.
    expect(cache.counts()).toMatchObject({ loads: 4, hits: 1 });
    await run(request({ dtype: 'bfloat16', saes: [topK] }), { cache });
    expect(cache.counts()).toMatchObject({ loads: 5, hits: 3 });
    cache.clear();
  });

  it('loads the file that TopK and RandomK share once, whichever comes first', async () => {
    const topK = { kind: 'TopK' as const, checkpoint: join(folder, 'sae.pt'), layer: 16, k: 16 };
    const randomK = { kind: 'RandomK' as const, checkpoint: join(folder, 'sae.pt'), k: 16 };
    const alone = (await run(request({ saes: [randomK] }))).results[0]!;
    for (const saes of [
      [topK, randomK],
      [randomK, topK],
    ]) {
      const cache = new WeightCache({ limitBytes: plenty });
      const { results } = await run(request({ saes }), { cache });
      expect(cache.counts()).toMatchObject({ loads: 3, hits: 1 });
      const together = results.find(({ kind }) => kind === 'RandomK')!;
      expect([together.layers, together.reference!.NormMSE]).toEqual([
        alone.layers,
        alone.reference!.NormMSE,
      ]);
      expect(together.reference!.NormMSE).not.toBe(
        results.find(({ kind }) => kind === 'TopK')!.reference!.NormMSE,
      );
      cache.clear();
    }
    expect(memory()).toMatchObject({ handles: 0, bytes: 0 });
  });

  it('loads a file again that was replaced, also by one of the same size and time', async () => {
    const cache = new WeightCache({ limitBytes: plenty });
    const sae = join(folder, 'sae.pt');
    const before = await run(request(), { cache });
    const replaceBy = (file: string): void => {
      const { atime, mtime } = statSync(sae);
      copyFileSync(file, `${sae}.new`);
      utimesSync(`${sae}.new`, atime, mtime);
      renameSync(`${sae}.new`, sae);
    };
    // The same shapes, other numbers.
    replaceBy(shipped('MLSAE_tiny.pt'));
    const after = await run(request(), { cache });
    expect(cache.counts()).toMatchObject({ loads: 5, hits: 3, evictions: 1 });
    expect(numbers(after)).not.toBe(numbers(before));
    expect(numbers(after)).toBe(numbers(await run(request())));
    replaceBy(sae);
    await run(request(), { cache });
    expect(cache.counts()).toMatchObject({ loads: 6, hits: 6, evictions: 2 });

    const config = join(folder, 'model', 'config.json');
    utimesSync(config, new Date(), new Date());
    await run(request(), { cache });
    // The model and its tokenizer lie in one folder.
    expect(cache.counts()).toMatchObject({ loads: 8, hits: 8, evictions: 4 });
    copyFileSync(shipped('TopK_tiny.pt'), sae);
    cache.clear();
  });

  it('frees what was used longest ago, never what is in use', async () => {
    const spec = (k: number): ResolvedRequest['saes'] => [
      { kind: 'TopK', checkpoint: join(folder, 'sae.pt'), layer: 16, k },
    ];
    const cache = new WeightCache({ limitBytes: plenty });
    await run(request({ saes: spec(16) }), { cache });
    const one = cache.counts().bytes;
    await run(request({ saes: spec(8) }), { cache });
    const perSae = cache.counts().bytes - one;
    expect(perSae).toBeGreaterThan(1024 * 128 * 4 * 2);
    cache.limitBytes = one + perSae;
    await run(request({ saes: spec(4) }), { cache });
    expect(cache.counts()).toMatchObject({
      bytes: one + perSae,
      entries: 4,
      loads: 5,
      evictions: 1,
    });
    await run(request({ saes: spec(8) }), { cache });
    expect(cache.counts().loads).toBe(5);
    await run(request({ saes: spec(16) }), { cache });
    expect(cache.counts()).toMatchObject({ loads: 6, evictions: 2 });
    // Less than a run needs: it runs all the same, and nothing is left.
    cache.limitBytes = 1;
    expect(cache.counts()).toMatchObject({ bytes: 0, entries: 0 });
    expect((await run(request({ saes: spec(8) }), { cache })).status).toBe('succeeded');
    expect(cache.counts()).toMatchObject({ bytes: 0, entries: 0 });
    expect(memory().handles).toBe(0);
  });

  it('keeps what two runs share until both are done', async () => {
    const cache = new WeightCache();
    const [one, two] = await Promise.all([run(request(), { cache }), run(request(), { cache })]);
    expect(numbers(one)).toBe(numbers(two));
    expect(cache.counts()).toMatchObject({ bytes: 0, entries: 0 });
    expect(memory().handles).toBe(0);
  });
});
