/** Processes that read results: bounded in memory and time, and never the end of the server. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ResultReaders, type ResultText } from '#server/result-readers.js';
import { run } from '#src/evaluation/run/run.js';
import { shipped } from '../golden/load.js';

let small: ResultText;
let large: ResultText;
const pools: ResultReaders[] = [];
const pool = (limits = {}): ResultReaders => {
  const made = new ResultReaders(limits);
  pools.push(made);
  return made;
};

beforeAll(async () => {
  const { results, ...rest } = await run({
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), seqLen: 8, maxSamples: 12 },
    saes: [{ kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 }],
    batchSize: 4,
    device: 'cpu',
  });
  const text = (count: number): string =>
    JSON.stringify({
      ...rest,
      results: Array.from({ length: count }, (_, i) => ({ ...results[0]!, label: `SAE ${i}` })),
    });
  small = { id: 'small', text: text(1), hash: null };
  large = { id: 'large', text: text(6000), hash: null };
});
afterAll(() => Promise.all(pools.map((one) => one.close())));

/** Ids of the processes that this one started. */
const childrenOfThis = (): number[] =>
  readdirSync('/proc/self/task')
    .flatMap((task) =>
      readFileSync(`/proc/self/task/${task}/children`, 'latin1').trim().split(' ').map(Number),
    )
    .filter((pid) => pid > 0);

const turn = { client: 'c' };
const report = (readers: ResultReaders, result: ResultText): Promise<string> =>
  readers.render({ count: 1, read: () => result }, { format: 'csv', lang: 'en' }, turn);

describe('a report', () => {
  it('that does not fit into its heap is refused in a sentence; the next one is made', async () => {
    const readers = pool({ heapMebibytes: 24 });
    expect(await report(readers, small)).toContain('TopK');
    await expect(report(readers, large)).rejects.toMatchObject({
      code: 'request-invalid',
      message: expect.stringContaining('takes more than 24 MiB of memory') as string,
      fields: [{ path: 'evaluations' }],
    });
    await expect(readers.split(large, turn)).rejects.toMatchObject({ code: 'request-invalid' });
    expect(await report(readers, small)).toContain('TopK');
  });

  it('that takes too long is given up, and its process with it', async () => {
    // No process starts within a millisecond.
    const readers = pool({ longestMs: 1 });
    for (let i = 0; i < 3; i++)
      await expect(report(readers, large)).rejects.toMatchObject({
        code: 'request-invalid',
        message: expect.stringContaining('takes more than 0.001 s') as string,
      });
  });

  it('is given up if its caller leaves, and makes room for the next', async () => {
    const readers = pool();
    const left = new AbortController();
    const first = readers.render(
      {
        count: 2,
        read: () => {
          left.abort();
          return large;
        },
      },
      { format: 'html', lang: 'en' },
      { ...turn, signal: left.signal },
    );
    const second = report(readers, small);
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    expect(await second).toContain('TopK');
  });

  it('of a damaged result is refused, and the process goes on', async () => {
    const readers = pool();
    const damaged = { ...small, hash: '0'.repeat(64) };
    await expect(report(readers, damaged)).rejects.toMatchObject({ code: 'storage-damaged' });
    const [one] = await readers.split(small, turn);
    expect(JSON.parse(one!)).toMatchObject({ label: 'SAE 0' });
  });
});

it('a reader that died while it was idle costs no answer', async () => {
  const readers = pool();
  const before = new Set(childrenOfThis());
  expect(await report(readers, small)).toContain('TopK');
  const idle = childrenOfThis().filter((pid) => !before.has(pid));
  expect(idle).toHaveLength(1);
  // The pool does not know yet: the exit of a process is an event.
  process.kill(idle[0]!, 'SIGKILL');
  expect(await report(readers, small)).toContain('TopK');
});

it('readers end with the server, whatever they are at', async () => {
  const readers = pool();
  const under = readers.render(
    { count: 1, read: () => large },
    { format: 'html', lang: 'en' },
    turn,
  );
  const refused = expect(under).rejects.toMatchObject({ code: 'unavailable' });
  await readers.close();
  await refused;
  await expect(report(readers, small)).rejects.toMatchObject({ code: 'unavailable' });
});
