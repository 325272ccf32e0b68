/**
 * `serve` from an installation whose better-sqlite3 has no native part, as after `npm ci` or
 * `setup --without-server`: it builds the part and serves, or says what is missing.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeSqlite } from '#src/sqlite/node-sqlite.js';
import { full } from '../full.js';
import { packageRoot, temporaryFolder, until, untilReady } from './harness.js';

const folder = temporaryFolder();
const copy = join(folder.path, 'sae-eval');
const native = join(copy, 'node_modules', 'better-sqlite3', 'build');
afterAll(() => folder.remove());

beforeAll(() => {
  mkdirSync(join(copy, 'node_modules'), { recursive: true });
  // A module that is linked would find what it imports beside itself.
  for (const name of ['dist', 'server/page', 'package.json', 'native'])
    cpSync(join(packageRoot, name), join(copy, name), { recursive: true });
  symlinkSync(join(packageRoot, 'build'), join(copy, 'build'));
  const modules = join(packageRoot, 'node_modules');
  for (const name of readdirSync(modules))
    if (name !== 'better-sqlite3')
      symlinkSync(join(modules, name), join(copy, 'node_modules', name));
  cpSync(join(modules, 'better-sqlite3'), join(copy, 'node_modules', 'better-sqlite3'), {
    recursive: true,
    filter: (path) => path !== join(modules, 'better-sqlite3', 'build'),
  });
});

const options = (): string[] => ['--port', '0', '--root', copy, '--db', join(folder.path, 'a.db')];
const main = join(copy, 'dist/src/cli/main.js');

// Node's own SQLite needs nothing.
describe.skipIf(nodeSqlite() !== null)('a server without SQLite’s native part', () => {
  it('says what it needs if the part cannot be built', () => {
    const found = spawnSync(process.execPath, [main, 'serve', ...options()], {
      encoding: 'utf8',
      timeout: 60_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, PATH: dirname(main) },
    });
    expect(found.stderr).toContain('npm is not on the PATH');
    expect(found.stderr).toContain('use Node 22.13 or later');
    expect(found.stderr).not.toMatch(/^\s+at /m);
    expect(found.status).toBe(1);
  });

  // A minute of compiling, and the headers of Node from the network if they are not there.
  it.skipIf(!full)(
    'builds it and serves',
    async () => {
      const child: ChildProcess = spawn(process.execPath, [main, 'serve', ...options()]);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      try {
        let output = '';
        for (const stream of [child.stdout!, child.stderr!])
          stream.on('data', (text: Buffer) => (output += text.toString()));
        await until(() => /listens on http/.test(output) || child.exitCode !== null, {
          what: 'the server',
          seconds: 280,
        });
        expect(output).toContain('building the native part of better-sqlite3');
        const url = /listens on (http:\S+)/.exec(output)?.[1];
        expect(url, output).toBeDefined();
        await untilReady(url!);
        child.kill('SIGTERM');
        expect(await ended).toBe(0);
      } finally {
        child.kill('SIGKILL');
        await ended;
        rmSync(native, { recursive: true, force: true });
      }
    },
    300_000,
  );
});
