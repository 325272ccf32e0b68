/**
 * A store whose process is killed at any system call, or meets any fault of the disk: what was
 * acknowledged is there once, the step under way is done or not, and nothing else is served. And a
 * database with any byte changed: right, or an error.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Store } from '#server/jobs/store.js';
import { Database } from '#src/sqlite/database.js';
import { full } from '../full.js';
import { temporaryFolder } from '../server/harness.js';
import { stateOf, steps } from './store-steps.mjs';
import { errorNames, faultLibrary, sample, SystemFaults, type Fault } from './system-faults.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** States after each number of steps. */
const states: string[] = [];
/** Calls that the steps make on files of the store. */
let calls: string[] = [];
let round = 0;

interface Life {
  file: string;
  /** Steps that were acknowledged. */
  done: number;
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
}

/** Does the steps in a process with faults. */
async function live(
  fault: Fault | null,
  { tries = 0, of }: { tries?: number | 'read'; of?: string } = {},
): Promise<Life> {
  const place = join(folder.path, `round-${round++}`);
  mkdirSync(place);
  const file = of ?? join(place, 'jobs.db');
  const faults = new SystemFaults(place, '*/jobs.db*');
  faults.set(fault === null ? [] : [fault]);
  const script = join(import.meta.dirname, 'store-process.mjs');
  const child = spawn(process.execPath, [script, file, String(tries)], {
    env: { ...process.env, ...faults.environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('close', (...end) => resolve(end)),
  );
  if (fault === null) calls = faults.takeLog();
  const done = Number(/done (\d+)\n(?![^]*done)/.exec(output)?.[1] ?? 0);
  return { file, done, code, signal, output };
}

/** State that the next server finds. */
function found(file: string): string {
  const store = new Store(file);
  try {
    return stateOf(store);
  } finally {
    store.close();
  }
}

/** Nothing is lost, doubled or wrong. */
function check({ file, done, output }: Life, what: string): void {
  const state = found(file);
  expect([states[done], states[done + 1]], `${what}: ${output}`).toContain(state);
}

beforeAll(async () => {
  const store = new Store(join(folder.path, 'reference.db'));
  states.push(stateOf(store));
  for (const step of steps) {
    step(store);
    states.push(stateOf(store));
  }
  store.close();
  expect(new Set(states).size).toBe(steps.length + 1);
  if (faultLibrary() !== null) await live(null);
});

describe.skipIf(faultLibrary() === null)('a store', () => {
  const spread = <T>(all: readonly T[], few: number): T[] =>
    full ? [...all] : sample(all, few, 1);

  it('loses and doubles nothing if it is killed at any system call', { timeout: 3e6 }, async () => {
    expect(calls.length).toBeGreaterThan(50);
    const points = calls.flatMap((call, index) =>
      (['kill before', 'kill after'] as const).map((then) => ({ call, first: index + 1, then })),
    );
    const rounds = spread(points, 4);
    for (const { call, first, then } of rounds) {
      const life = await live({ call: 'any', path: '*/jobs.db*', first, count: 1, then });
      expect(life.signal, `${then} ${first}: ${call} ${life.output}`).toBe('SIGKILL');
      check(life, `${then} ${first}: ${call}`);
    }
    if (full) console.warn(`${rounds.length} kills of a store: 0 lost, 0 doubled, 0 wrong`);
  });

  it('can be read though its log cannot be written from its opening on', async () => {
    const { file } = await live(null);
    for (const then of full ? errorNames : sample(errorNames, 1, 4)) {
      const fault: Fault = { call: 'write', path: '*/jobs.db-wal', then };
      const life = await live(fault, { tries: 'read', of: file });
      expect(life.output.trim(), then).toBe(states.at(-1));
      expect(life.code, then).toBe(0);
    }
  });

  it(
    'goes on after any error that passes, and stops in good order at one that stays',
    {
      timeout: 3e6,
    },
    async () => {
      const files = ['*/jobs.db', '*/jobs.db-wal', '*/jobs.db.count'];
      const rounds = errorNames.flatMap((then) =>
        files.flatMap((path) => {
          const own = calls.flatMap((call) => (call.endsWith(path.slice(1)) ? [call] : []));
          // Those that make a new store are left out: its server does not start.
          const places = sample([...own.keys()].slice(own.length / 3), full ? 3 : 1, 7);
          return places.flatMap((place) =>
            ([1, 'for ever'] as const).map((count) => ({ then, path, first: place + 1, count })),
          );
        }),
      );
      const done = spread(rounds, 3);
      for (const fault of done) {
        const passes = fault.count === 1;
        const life = await live({ call: 'any', ...fault }, { tries: passes ? 50 : 0 });
        const what = JSON.stringify(fault);
        check(life, what);
        if (passes) expect([life.code, life.done], `${what} ${life.output}`).toEqual([0, 12]);
        else expect([0, 1, 3], `${what} ${life.output}`).toContain(life.code);
      }
      if (full) console.warn(`${done.length} faults of a store: 0 lost, 0 doubled, 0 wrong`);
    },
  );
});

it('is right or an error, whichever byte of a small database is changed', { timeout: 3e6 }, () => {
  const sound = join(folder.path, 'small.db');
  const store = new Store(sound);
  for (const step of steps) step(store);
  const records = new Map(['b', 'c', 'd'].map((id) => [id, store.evaluations.record(id)]));
  store.close();
  const small = new Database(sound);
  small.exec('PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;');
  small.close();
  const bytes = readFileSync(sound);
  const file = join(folder.path, 'flipped.db');
  const positions = [...bytes.keys()];
  let told = 0;
  let served = 0;
  for (const position of full ? positions : sample(positions, 60, 3)) {
    const flipped = Buffer.from(bytes);
    flipped[position]! ^= 1 << (position % 8);
    for (const ending of ['', '-wal', '-shm', '-journal', '.count'])
      rmSync(`${file}${ending}`, { force: true });
    writeFileSync(file, flipped);
    let opened: Store | null = null;
    try {
      opened = new Store(file);
      const { items, damaged } = opened.evaluations.list({ limit: 10 });
      for (const [id, record] of records) {
        const read = opened.evaluations.record(id);
        // One whose id is another now is named in the list.
        if (read === null) expect(damaged, `byte ${position}`).not.toEqual([]);
        else expect(read, `byte ${position}`).toEqual(record);
      }
      expect(items.length + damaged.length, `byte ${position}`).toBe(3);
      served += 1;
    } catch (thrown) {
      if ((thrown as { code?: string }).code === undefined) throw thrown;
      expect((thrown as { code: string }).code).toMatch(
        /^(storage-damaged|configuration-|SQLITE_)/,
      );
      told += 1;
    } finally {
      opened?.close();
    }
  }
  expect(told).toBeGreaterThan(0);
  if (full) console.warn(`${served + told} changed bytes of a database: ${told} told, 0 wrong`);
});
