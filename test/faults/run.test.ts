/**
 * Runs that are killed at any system call on their journal or their folder of shards, or meet any
 * fault there: what continues has the bits of an undisturbed run, or the error says what is wrong.
 * And a journal with any byte changed is not used.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputFiles } from '#src/evaluation/run/input-files.js';
import { checkInputs } from '#src/evaluation/run/inputs.js';
import { Journal } from '#src/evaluation/run/journal.js';
import { run } from '#src/evaluation/run/run.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { planRun } from '#src/evaluation/shards/make-plan.js';
import { merge } from '#src/evaluation/shards/merge.js';
import { ShardRunner } from '#src/evaluation/shards/runner.js';
import type { EvaluationRequest, SaeResult } from '#src/schema/index.js';
import { shipped } from '../golden/load.js';
import { full } from '../full.js';
import { temporaryFolder } from '../server/harness.js';
import { errorNames, faultLibrary, sample, SystemFaults, type Fault } from './system-faults.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: 8, maxSamples: 12 },
  saes: [{ kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16, label: 'TopK' }],
  batchSize: 2,
  metrics: ['NormMSE', 'ExplainedVariance'],
  protocol: ['strict'],
  device: 'cpu',
};
const requestFile = join(folder.path, 'request.json');
let expected: SaeResult[];
let round = 0;

interface Told {
  results?: SaeResult[];
  warnings?: string[];
  code?: string | null;
  message?: string;
}
interface Life {
  place: string;
  journal: string;
  shards: string;
  told: Told | null;
  signal: NodeJS.Signals | null;
  calls: string[];
}

/** A run in a process with faults: with a journal, or in shards. */
async function live(how: 'journal' | 'shards', faultList: readonly Fault[]): Promise<Life> {
  const place = join(folder.path, `round-${round++}`);
  mkdirSync(place);
  const faults = new SystemFaults(place, `${place}/kept*`);
  faults.set(faultList);
  const journal = join(place, 'kept.journal');
  const shards = join(place, 'kept');
  const script = join(import.meta.dirname, 'run-process.mjs');
  const args = [script, requestFile, journal, ...(how === 'shards' ? [shards] : [])];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...faults.environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  const signal = await new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('close', (_, by) => resolve(by)),
  );
  const told = text === '' ? null : (JSON.parse(text) as Told);
  return { place, journal, shards, told, signal, calls: faults.takeLog() };
}

async function continued({ journal }: Life): Promise<{ results: SaeResult[]; warnings: string[] }> {
  const { results, data } = await run(request, { journal });
  return { results, warnings: data.warnings.map(({ en }) => en) };
}

/** Computes the shards that are missing, and merges all. */
async function continuedShards({ shards }: Life): Promise<SaeResult[]> {
  const store = new FolderStore(shards);
  const plan = await planRun(await checkInputs(request), store, { shardSamples: 4 });
  const cache = new WeightCache();
  const runner = await ShardRunner.open({ store, plan, group: 0, request, cache });
  for (const index of store.missing(plan)) await runner.run(index);
  runner.close();
  return (await merge(store)).results;
}

const spread = <T>(all: readonly T[], few: number): T[] => (full ? [...all] : sample(all, few, 5));

beforeAll(async () => {
  writeFileSync(requestFile, JSON.stringify(request));
  expected = (await run(request)).results;
});

describe.skipIf(faultLibrary() === null)('a run', () => {
  it.each(['journal', 'shards'] as const)(
    'has the same bits after a kill at any call on its %s',
    { timeout: 3e6 },
    async (how) => {
      const { calls, told, place } = await live(how, []);
      expect(told, JSON.stringify(told)).not.toHaveProperty('code');
      expect(calls.length).toBeGreaterThan(how === 'journal' ? 8 : 40);
      const points = calls.flatMap((call, index) =>
        (['kill before', 'kill after'] as const).map((then) => ({ call, first: index + 1, then })),
      );
      const rounds = spread(points, 1);
      for (const { call, first, then } of rounds) {
        const what = `${then} ${first}: ${call.replace(place, '')}`;
        const killed = await live(how, [
          { call: 'any', path: '*/round-*/kept*', first, count: 1, then },
        ]);
        // The time decides how often a journal is written.
        if (how === 'shards') expect(killed.signal, what).toBe('SIGKILL');
        const results =
          how === 'journal' ? (await continued(killed)).results : await continuedShards(killed);
        expect(results, what).toEqual(expected);
      }
      if (full) console.warn(`${rounds.length} kills of a run with its ${how}: 0 wrong`);
    },
  );

  it(
    'has the same bits, or says what is wrong, if any call on its files fails',
    {
      timeout: 3e6,
    },
    async () => {
      const rounds = errorNames.flatMap((then) =>
        (['journal', 'shards'] as const).flatMap((how) =>
          ([1, 'for ever'] as const).map((count) => ({ how, then, count })),
        ),
      );
      const done = spread(rounds, 2);
      for (const { how, then, count } of done) {
        const what = `${then} of ${how}, ${count}`;
        const first = how === 'journal' ? 3 : 30;
        const life = await live(how, [
          { call: 'any', path: '*/round-*/kept*', first, count, then },
        ]);
        expect(life.signal, what).toBeNull();
        const { told } = life;
        if (how === 'journal' && told?.results !== undefined) {
          expect(told.results, what).toEqual(expected);
          if (count === 'for ever')
            expect(told.warnings, what).toEqual([expect.stringContaining('could not be written')]);
        } else if (told !== null && typeof told === 'object')
          expect(told, what).toMatchObject({ code: expect.any(String) as string });
        if (then === 'ENOSPC' || then === 'EDQUOT')
          expect(told?.code ?? 'storage-full', what).toBe('storage-full');
        const results =
          how === 'journal' ? (await continued(life)).results : await continuedShards(life);
        expect(results, what).toEqual(expected);
      }
      if (full) console.warn(`${done.length} faults of runs: 0 wrong`);
    },
  );
});

it('does not use a journal in which any byte was changed', { timeout: 3e6 }, async () => {
  const journal = join(folder.path, 'small.journal');
  const small = { ...request, metrics: ['NormMSE' as const] };
  const controller = new AbortController();
  const stopped = run(small, {
    journal,
    signal: controller.signal,
    onBatch: () => controller.abort(),
  });
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  const written = readFileSync(journal);
  const flipped = join(folder.path, 'flipped.journal');
  const refused = (): string | undefined =>
    new Journal(flipped, { request: null, machine: null }, new InputFiles()).recover().refused?.en;
  writeFileSync(flipped, written);
  expect(refused()).toContain('it belongs to another request');
  const places = [...written.keys()];
  for (const place of full ? places : sample(places, 300, 9)) {
    const bytes = Buffer.from(written);
    bytes[place]! ^= 1 << (place % 8);
    writeFileSync(flipped, bytes);
    expect(refused(), `byte ${place}`).toContain('it is damaged');
  }
  if (full) console.warn(`${written.length} changed bytes of a journal: all told`);
});
