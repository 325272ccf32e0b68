/**
 * The sweep block by block gives the bits of one micro-batch after the other, whatever goes through
 * a block together, and brings each block in once in a round.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine, type ComputedBatch } from '#src/evaluation/engine/engine.js';
import type { Strategy, Wanted } from '#src/evaluation/engine/strategies/strategy.js';
import { strategyFor } from '#src/evaluation/engine/strategies/index.js';
import { everyPosition, type PositionSet } from '#src/evaluation/positions.js';
import { loadLanguageModel, type LanguageModel } from '#src/lm/index.js';
import type { Accumulator } from '#src/metrics/accumulator.js';
import type { Sample } from '#src/data/index.js';
import { loadSAE, type SAE } from '#src/sae/index.js';
import { memory, setInferenceMode, setNumThreads, type DType } from '#src/torch/index.js';
import { shipped } from '../../golden/load.js';
import { cases, variants, wants } from './strategy-cases.js';

const T = 6;
/** Two batches of four and two texts, of different lengths. */
const batches = [4, 2].map((count, batch): Sample[] =>
  Array.from({ length: count }, (_, n) => ({
    ids: Int32Array.from({ length: T }, (_, t) => (t === 2 ? 999 : 3 + 40 * batch + 7 * n + t)),
    length: T - ((n + batch) % 3),
    truncated: n,
  })),
);

const saes = new Map<string, SAE>();
beforeAll(async () => {
  setInferenceMode(true);
  setNumThreads(1); // texts are so short that threads would wait for each other
  for (const [name, file, given] of cases) saes.set(name, await loadSAE(shipped(file), given));
});
afterAll(() => {
  for (const sae of saes.values()) sae.dispose();
});

/** The strategies of some cases; each SAE's sums go to an owner of its own. */
function strategies(
  names: readonly string[],
  { wanted, positions }: { wanted: Wanted; positions: PositionSet },
): Strategy[] {
  return cases.flatMap(([name, , , place], n) =>
    names.includes(name)
      ? [
          strategyFor(saes.get(name)!, {
            ...place,
            L: 16,
            variants: variants.map((one) => ({ ...one, owner: `${n}${one.owner}` })),
            wanted,
            positions,
            saeDtype: 'float32',
          }),
        ]
      : [],
  );
}

interface Sums {
  bits: object;
  batches: ComputedBatch[];
  /** Blocks that the engine says it brought in, and would for these samples. */
  blocks: { brought: number; planned: number };
}

async function* stream(
  texts: readonly (readonly Sample[])[] = batches,
): AsyncGenerator<readonly Sample[]> {
  await Promise.resolve();
  yield* texts;
}

const bitsOf = (sums: Accumulator): object => ({
  ...sums.state(),
  columns: new Map([...sums.state().columns].sort()),
});

const every = cases.map(([name]) => name);
const [, everything] = wants[0]!;
const [, , someLeft = everyPosition] = wants[3]!;

describe.each(['float32', 'bfloat16'] as const)('in %s', (dtype: DType) => {
  let whole: LanguageModel;
  let parts: LanguageModel;
  /** Blocks in the order in which they were brought in. */
  const brought: number[] = [];
  beforeAll(async () => {
    whole = await loadLanguageModel(shipped('tiny-llama'), { dtype });
    parts = await loadLanguageModel(shipped('tiny-llama'), { dtype, streamBlocks: true });
    const bring = parts.bring.bind(parts);
    parts.bring = (i, next) => {
      brought.push(i);
      return bring(i, next);
    };
  });
  afterAll(() => {
    whole.dispose();
    parts.dispose();
  });

  async function sums(
    model: LanguageModel,
    {
      names = every,
      superBatch = 1,
      lanes,
      wanted = everything,
      spliceSamples,
      texts = batches,
    }: {
      names?: readonly string[];
      superBatch?: number;
      lanes?: number;
      wanted?: Wanted;
      spliceSamples?: number;
      texts?: readonly (readonly Sample[])[];
    },
  ): Promise<Sums> {
    const before = memory().handles;
    const isWarm = brought.length > 0;
    const engine = new Engine({
      model,
      strategies: strategies(names, { wanted, positions: someLeft }),
      wanted,
      saeDtype: 'float32',
      microBatch: { sequences: 2, lanesPerCall: 8, logits: 50_000, lanes },
      superBatch,
      spliceSamples,
    });
    const all: ComputedBatch[] = [];
    for await (const one of engine.each(stream(texts), { first: 0 })) all.push(one);
    const samples = texts.flat().length;
    const planned = engine.blocksFor(samples, { batchSize: 4 });
    const blocks = { brought: engine.brought.blocks, planned };
    engine.dispose();
    // A streamed model holds its last block. What is made at a first use stays.
    if (model === whole && isWarm) expect(memory().handles).toBe(before);
    return { bits: all.map((one) => bitsOf(one.sums)), batches: all, blocks };
  }

  let alone: Promise<Sums> | null = null;
  it.each(dtype === 'float32' ? [3, 2, 1] : [3])(
    '%i micro-batches at once have the bits of each alone',
    async (superBatch) => {
      const expected = await (alone ??= sums(whole, {}));
      brought.length = 0;
      const found = await sums(parts, { superBatch });
      expect(found.bits).toEqual(expected.bits);
      expect(found.batches.map(({ batch, left }) => [batch.length, left])).toEqual([
        [4, null],
        [2, null],
      ]);
      // 2 + 1 micro-batches, and lanes in a round of their own, since some need several layers.
      const supers = { 1: 3, 2: 2, 3: 1 }[superBatch]!;
      const once = Array.from({ length: 16 }, (_, i) => i + 1);
      expect(brought).toEqual(Array.from({ length: 2 * supers }, () => once).flat());
      expect(found.blocks).toEqual({ brought: brought.length, planned: brought.length });
      expect(expected.blocks).toEqual({ brought: 0, planned: 0 });
    },
  );

  if (dtype === 'bfloat16') return;

  it('lanes go along with the clean stream if each needs one layer alone', async () => {
    const names = ['a layer', 'the last layer', 'a site', 'each layer'];
    const expected = await sums(whole, { names });
    brought.length = 0;
    expect((await sums(parts, { names, superBatch: 3 })).bits).toEqual(expected.bits);
    expect(brought).toHaveLength(16);
  });

  it('samples that are only measured bring in the blocks up to the last SAE, once', async () => {
    const options = { names: ['a layer', 'hard routing'], spliceSamples: 2 };
    const expected = await sums(whole, options);
    brought.length = 0;
    const found = await sums(parts, { ...options, superBatch: 1 });
    expect(found.bits).toEqual(expected.bits);
    // Two rounds for the first micro-batch; the two others end at layer 12.
    expect(brought).toHaveLength(2 * 16 + 2 * 12);
    expect(found.blocks).toEqual({ brought: brought.length, planned: brought.length });
  });

  it('short texts go together, in micro-batches of so many tokens', async () => {
    const lengths = [2, 1, 3, 2, 1, 6, 1, 1];
    const short = [0, 4].map((from) =>
      lengths.slice(from, from + 4).map((length, n): Sample => {
        const ids = Int32Array.from({ length: T }, (_, t) => 3 + 7 * (from + n) + t);
        return { ids, length, truncated: 0 };
      }),
    );
    const [, wanted] = wants.find(([name]) => name === 'strict without zero')!;
    const options = { wanted, names: ['a layer', 'hard routing'], texts: short };
    const expected = await sums(whole, options);
    brought.length = 0;
    const found = await sums(parts, { ...options, superBatch: 2 });
    expect(found.bits).toEqual(expected.bits);
    // Each batch is a micro-batch of 8 or 9 of 12 tokens; both go through the blocks together.
    expect(brought).toHaveLength(2 * 16);
    expect(found.blocks).toEqual({ brought: 2 * 16, planned: 2 * 2 * 16 });
  });

  it('lanes in groups take a round for each', async () => {
    const expected = await sums(whole, { lanes: 30 });
    expect((await sums(parts, { lanes: 30, superBatch: 2 })).bits).toEqual(expected.bits);
  });

  it.each(wants.filter(([name]) => /^strict|^reference|no splice/.test(name)))(
    'wanting %s',
    async (_, wanted) => {
      const expected = await sums(whole, { wanted });
      expect((await sums(parts, { wanted, superBatch: 2 })).bits).toEqual(expected.bits);
    },
  );
});

describe('a sweep that ends early', () => {
  const wanted = everything;
  const microBatch = { sequences: 2, lanesPerCall: 3, logits: 50_000 };
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadLanguageModel(shipped('tiny-llama'), { streamBlocks: true });
  });
  afterAll(() => model.dispose());

  const engineOf = (superBatch: number): Engine =>
    new Engine({
      model,
      strategies: strategies(['a layer', 'hard routing'], { wanted, positions: everyPosition }),
      wanted,
      saeDtype: 'float32',
      microBatch,
      superBatch,
    });

  it('is cancelled between blocks, and leaves nothing behind', async () => {
    const first = engineOf(3);
    await first.batch(batches[1]!, { first: 0 }); // what is made at a first use stays
    first.dispose();
    await model.bring(1, null);
    const before = memory().handles;
    const cancel = new AbortController();
    const engine = engineOf(3);
    const done: number[] = [];
    await expect(
      engine.batch(batches[0]!, {
        first: 0,
        signal: cancel.signal,
        onMicroBatch: (samples) => {
          done.push(samples);
          if (done.length === 20) cancel.abort(new Error('enough'));
        },
      }),
    ).rejects.toThrow('enough');
    engine.dispose();
    expect(done).toHaveLength(20);
    expect([...done].sort((a, b) => a - b)).toEqual(done);
    expect(Math.max(...done)).toBeLessThan(4);
    await model.bring(1, null);
    expect(memory().handles).toBe(before);
  });

  it('is stopped after a super-batch, and tells the samples that were read', async () => {
    const stop = new AbortController();
    const engine = engineOf(1);
    const all: ComputedBatch[] = [];
    const options = {
      first: 0,
      stop: stop.signal,
      onMicroBatch: (samples: number) => (samples === 2 ? stop.abort() : undefined),
    };
    for await (const one of engine.each(stream(), options)) all.push(one);
    engine.dispose();
    expect(all.map(({ sums, left }) => [sums.sequences, left?.length])).toEqual([[2, 2]]);

    const together = engineOf(9);
    const none: ComputedBatch[] = [];
    for await (const one of together.each(stream(), options)) none.push(one);
    together.dispose();
    expect(none.map(({ sums, left }) => [sums.sequences, left?.length])).toEqual([[0, 6]]);
  });
});
