/**
 * Two runs at once, parents that are killed, folders that cannot be written and names that are not
 * UTF-8: each as a person would expect.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownJournal } from '#src/cli/own-journal.js';
import { takeLock } from '#src/cli/run-lock.js';
import { makeFolder } from '#src/files/index.js';
import type { EvaluationRequest } from '#src/schema/index.js';
import { root, shipped } from '../golden/load.js';
import { isRunning } from '../running.js';
import { commandLines } from './command-lines.js';

const main = `${root}dist/src/cli/main.js`;
const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: 16, maxSamples: 4 },
  batchSize: 4,
  metrics: ['NormMSE'],
  saes: [{ kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 }],
};
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-at-once-'));
  writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a lock', () => {
  it("is one process's until it gives it back", () => {
    const lock = join(folder, 'one.lock');
    const release = takeLock(lock);
    expect(takeLock(lock)).toEqual({ heldBy: `process ${process.pid}` });
    (release as () => void)();
    expect(existsSync(lock)).toBe(false);
    (takeLock(lock) as () => void)();
  });

  it('of a process that was killed is taken over, that of another machine is not', () => {
    const lock = join(folder, 'two.lock');
    const url = new URL('../../dist/src/cli/run-lock.js', import.meta.url).href;
    spawnSync(process.execPath, [
      '--input-type=module',
      '-e',
      `import { takeLock } from ${JSON.stringify(url)};
       takeLock(${JSON.stringify(lock)}); process.kill(process.pid, 'SIGKILL');`,
    ]);
    const left = readFileSync(lock, 'utf8');
    (takeLock(lock) as () => void)();
    writeFileSync(lock, left.replace(/\n.*\n$/, '\nanother-host\n'));
    expect(takeLock(lock)).toEqual({
      heldBy: expect.stringMatching(/ on another-host$/) as string,
    });
    // One that is just being written is somebody's; after a while it is nobody's.
    writeFileSync(lock, '');
    expect(takeLock(lock)).toEqual({ heldBy: 'another process' });
    utimesSync(lock, 1, 1);
    expect(takeLock(lock)).toBeInstanceOf(Function);
  });
});

describe('evaluate', () => {
  it('refuses a folder that another run writes to, and computes without a home', async () => {
    const out = join(folder, 'out');
    mkdirSync(out);
    const release = takeLock(join(out, '.lock')) as () => void;
    const [refused, homeless] = await commandLines(
      [
        ['evaluate', 'request.json', '--out', 'out'],
        ['evaluate', 'request.json'],
      ],
      { cwd: folder, env: { HOME: '/proc/no-home', XDG_STATE_HOME: '' } },
    );
    release();
    expect(refused!.status).toBe(2);
    expect(refused!.stderr).toMatch(
      new RegExp(`--out: process ${process.pid} is writing to out: wait for its end, or choose`),
    );
    expect(homeless!.status, homeless!.stderr).toBe(0);
    expect(homeless!.stderr).toMatch(
      /sae-eval: No journal is kept, so that this run cannot be continued: .*XDG_STATE_HOME names/,
    );
    expect(homeless!.stdout).toContain('NormMSE');
  });

  it('that is killed leaves no process behind', async () => {
    writeFileSync(
      join(folder, 'long.json'),
      JSON.stringify({ ...request, dataset: { ...request.dataset, seqLen: 512, maxSamples: 400 } }),
    );
    const cli = spawn(process.execPath, [main, 'evaluate', 'long.json', '--out', 'long'], {
      cwd: folder,
      stdio: 'ignore',
    });
    const children = (): number[] =>
      readFileSync(`/proc/${cli.pid}/task/${cli.pid}/children`, 'utf8')
        .split(' ')
        .filter((pid) => pid !== '')
        .map(Number);
    const until = async (is: () => boolean): Promise<void> => {
      for (const end = Date.now() + 20_000; !is() && Date.now() < end;)
        await new Promise((resolve) => setTimeout(resolve, 20));
    };
    // The journal's folder is taken: the process that computes is there.
    await until(() => existsSync(join(folder, 'long', '.lock')) && children().length > 0);
    const found = children();
    expect(found.length).toBeGreaterThan(0);
    cli.kill('SIGKILL');
    await until(() => !found.some(isRunning));
    expect(found.filter(isRunning)).toEqual([]);
  }, 60_000);

  it('says of a path that is not UTF-8 what it is, and touches no other', () => {
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', `'${process.execPath}' '${main}' evaluate request.json --out $'caf\\xe9'`],
      { cwd: folder, encoding: 'utf8' },
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(/^sae-eval: the argument caf\\xe9 is not UTF-8, and would name another/);
    expect(existsSync(join(folder, 'caf\ufffd'))).toBe(false);
  });
});

describe("the folder of the user's state", () => {
  it('loses journals that nobody continued for a month, and keeps others', () => {
    const before = process.env['XDG_STATE_HOME'];
    process.env['XDG_STATE_HOME'] = join(folder, 'state');
    const state = join(folder, 'state', 'sae-eval');
    makeFolder(state);
    const [old, young] = ['0', '1'].map((digit) => join(state, `${digit.repeat(32)}.journal`));
    for (const path of [old!, young!, join(state, 'other')]) writeFileSync(path, '');
    for (const path of [old!, join(state, 'other')]) utimesSync(path, 1, 1);
    const { path, release } = ownJournal(request);
    expect(path).toMatch(/[0-9a-f]{32}\.journal$/);
    expect([old!, young!, join(state, 'other')].map((one) => existsSync(one))).toEqual([
      false,
      true,
      true,
    ]);
    // The same run at once goes without.
    expect(ownJournal(request).path).toBeNull();
    release();
    process.env['XDG_STATE_HOME'] = before;
    if (before === undefined) delete process.env['XDG_STATE_HOME'];
  });
});

it('makes no folder below /proc, and does not try for ever', () => {
  expect(() => makeFolder('/proc/none/inner')).toThrow(/ENOENT/);
  makeFolder(join(folder, 'a/b/c'));
  makeFolder(join(folder, 'a/b/c'));
  expect(() => makeFolder(join(folder, 'request.json', 'x'))).toThrow(/ENOTDIR/);
});
