/** Companions: other threads compute micro-batches of a run, and change no bit of it. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Companions, Offer } from '#src/evaluation/engine/companions.js';
import { companionsOf } from '#src/evaluation/run/companions-of.js';
import { CompanionThreads } from '#src/evaluation/run/companion-threads.js';
import { openInputs, type RunInputs } from '#src/evaluation/run/inputs.js';
import type { Decisions } from '#src/evaluation/run/journal.js';
import { LoadedRun } from '#src/evaluation/run/loaded-run.js';
import { arraysOf } from '#src/evaluation/run/accumulator-arrays.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { openSamples, type Sample } from '#src/data/index.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import { setNumThreads } from '#src/torch/index.js';
import { shipped } from '../../golden/load.js';

const request = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), maxSamples: 20, seqLen: 32 },
  saes: [
    { kind: 'TopK' as const, checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 },
    { kind: 'MLSAE' as const, checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
  ],
  batchSize: 8,
  spliceSamples: 13,
};

let inputs: RunInputs;
let loaded: LoadedRun;
let decisions: Decisions;
let batches: Sample[][];
let expected: Accumulator[];

beforeAll(async () => {
  inputs = await openInputs(request, { cache: new WeightCache(), device: 'cpu' });
  loaded = await LoadedRun.load(inputs, { products: 'float32' });
  decisions = { ...loaded.decide(), threads: 1 };
  decisions.microBatch = { ...decisions.microBatch, sequences: 1 };
  batches = [];
  const { path, maxSamples, seqLen } = request.dataset;
  const { tokenizer } = loaded;
  const { batchSize } = request;
  const vocabulary = loaded.model.vocabulary;
  const stream = await openSamples({ path, tokenizer, vocabulary, seqLen, maxSamples, batchSize });
  for await (const batch of stream) batches.push([...batch]);
  const engine = loaded.soleEngine(decisions);
  expected = [];
  let first = 0;
  for (const batch of batches) {
    expected.push(await engine.batch(batch, { first }));
    first += batch.length;
  }
  engine.dispose();
});
afterAll(() => inputs.loans.release());

const arrays = (accumulator: Accumulator) => [...arraysOf(accumulator)];

/** Companions that tell what they computed. */
class Watched implements Companions {
  computed = 0;

  constructor(private readonly own: Companions) {}

  get most(): number {
    return this.own.most;
  }

  call(): void {
    this.own.call();
  }

  offer(offer: Offer): () => Promise<void> {
    return this.own.offer({
      ...offer,
      onSums: (place, sums) => {
        this.computed += 1;
        offer.onSums(place, sums);
      },
    });
  }

  close(): void {
    this.own.close();
  }
}

const task = (over: object = {}) => ({
  request: inputs.request,
  paths: null,
  decisions,
  turnedSkips: [],
  ...over,
});

describe('companions', () => {
  it('change no bit, whoever computes which micro-batch', async () => {
    const companions = new Watched(new CompanionThreads(task(), 2));
    const engine = loaded.soleEngine(decisions, companions);
    companions.call();
    // They take a moment to come: the batches are computed again until they have had some.
    for (let round = 0; companions.computed < 8 && round < 200; round++) {
      let first = 0;
      for (const [n, batch] of batches.entries()) {
        expect(arrays(await engine.batch(batch, { first }))).toEqual(arrays(expected[n]!));
        first += batch.length;
      }
    }
    expect(companions.computed).toBeGreaterThanOrEqual(8);
    engine.dispose();
    companions.close();
  });

  it('stay for the next engine, as a run in shards has one for each', async () => {
    const companions = new Watched(new CompanionThreads(task(), 2));
    companions.call();
    for (let n = 0; n < 3; n++) {
      const engine = loaded.soleEngine(decisions, companions);
      const before = companions.computed;
      while (companions.computed === before)
        expect(arrays(await engine.batch(batches[0]!, { first: 0 }))).toEqual(arrays(expected[0]!));
      engine.dispose();
    }
    companions.close();
  });

  it('of a loaded run stay as long as the same was decided, and end with it', () => {
    const closed = vi.spyOn(CompanionThreads.prototype, 'close');
    // A machine with one processor has none.
    const made = companionsOf(inputs, loaded, decisions) === null ? 0 : 1;
    const engine = (own: Decisions): void => loaded.engine(own).dispose();
    engine(decisions);
    engine(structuredClone(decisions));
    expect(closed).toHaveBeenCalledTimes(0);
    engine({ ...decisions, microBatch: { ...decisions.microBatch, sequences: 2 } });
    expect(closed).toHaveBeenCalledTimes(made);
    loaded.close();
    expect(closed).toHaveBeenCalledTimes(2 * made);
    closed.mockRestore();
  });

  it('change no bit of micro-batches without padding', async () => {
    const strict = await openInputs(
      { ...request, protocol: ['strict'] },
      { cache: new WeightCache(), device: 'cpu' },
    );
    const run = await LoadedRun.load(strict, { products: 'float32' });
    const texts = batches[0]!.map((sample, n) => ({ ...sample, length: 1 + ((11 * n) % 32) }));
    const alone = run.soleEngine(decisions);
    const wanted = arrays(await alone.batch(texts, { first: 0 }));
    alone.dispose();
    const companions = new Watched(new CompanionThreads(task({ request: strict.request }), 2));
    const engine = run.soleEngine(decisions, companions);
    companions.call();
    while (companions.computed < 3)
      expect(arrays(await engine.batch(texts, { first: 0 }))).toEqual(wanted);
    engine.dispose();
    companions.close();
    strict.loans.release();
  });

  it('that fail leave their micro-batches to the run', async () => {
    // These find no model.
    const companions = new Watched(
      new CompanionThreads(task({ request: { ...inputs.request, model: '/nowhere' } }), 2),
    );
    const engine = loaded.soleEngine(decisions, companions);
    companions.call();
    for (let round = 0; round < 4; round++)
      expect(arrays(await engine.batch(batches[0]!, { first: 0 }))).toEqual(arrays(expected[0]!));
    expect(companions.computed).toBe(0);
    engine.dispose();
    companions.close();
  });

  it('that end in the middle of a micro-batch leave it to the run', async () => {
    const taken: number[] = [];
    // Takes the first micro-batch and never computes it.
    const companions: Companions = {
      most: 1,
      call: () => {},
      offer: ({ queue }) => {
        taken.push(queue.take()!);
        return () => Promise.resolve();
      },
      close: () => {},
    };
    const engine = loaded.soleEngine(decisions, companions);
    const sums = await engine.batch(batches[0]!, { first: 0 });
    expect(taken).toEqual([0]);
    expect(arrays(sums)).toEqual(arrays(expected[0]!));
    engine.dispose();
  });

  it('stop with the run, which keeps the samples that follow each other', async () => {
    const companions = new Watched(new CompanionThreads(task(), 2));
    const engine = loaded.soleEngine(decisions, companions);
    companions.call();
    while (companions.computed === 0) await engine.batch(batches[0]!, { first: 0 });
    const stop = new AbortController();
    const done: number[] = [];
    async function* stream() {
      yield* batches;
    }
    const onMicroBatch = (samples: number): void => {
      done.push(samples);
      stop.abort();
    };
    const parts = [];
    for await (const part of engine.each(stream(), { first: 0, stop: stop.signal, onMicroBatch }))
      parts.push(part);
    expect(done[0]).toBe(1);
    const sequences = parts.reduce((sum, { sums }) => sum + sums.sequences, 0);
    expect(sequences).toBeGreaterThanOrEqual(1);
    expect(sequences).toBeLessThanOrEqual(request.batchSize);
    expect(parts.at(-1)!.left).not.toBeNull();
    // The same samples in batches of their own, in one thread. Companions may have computed a whole
    // batch before the run's thread hears of its end.
    const alone = loaded.soleEngine(decisions);
    let first = 0;
    for (const { sums } of parts) {
      const samples = batches.flat().slice(first, first + sums.sequences);
      const whole =
        samples.length === 0 ? new Accumulator() : await alone.batch(samples, { first });
      expect(arrays(sums)).toEqual(arrays(whole));
      first += samples.length;
    }
    alone.dispose();
    engine.dispose();
    companions.close();
  });

  it('stop when the run is cancelled', async () => {
    const companions = new Watched(new CompanionThreads(task(), 2));
    const engine = loaded.soleEngine(decisions, companions);
    companions.call();
    const cancel = new AbortController();
    const running = engine.batch(batches[0]!, {
      first: 0,
      signal: cancel.signal,
      onMicroBatch: () => cancel.abort(),
    });
    await expect(running).rejects.toThrow(/abort/i);
    engine.dispose();
    companions.close();
  });

  it('are none if the sums cannot be handed over or the paths are unknown', () => {
    setNumThreads(2);
    const of = (over: object, more: object = {}) =>
      companionsOf({ ...inputs, ...over }, Object.assign(Object.create(loaded), more), decisions);
    expect(of({ paths: undefined })).toBeNull();
    expect(of({ allowProgram: true })).toBeNull();
    expect(of({}, { wanted: { ...loaded.wanted, contexts: 3 } })).toBeNull();
    expect(companionsOf(inputs, loaded, { ...decisions, threads: 2 })).toBeNull();
  });
});
