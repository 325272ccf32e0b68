/**
 * The tarball as npm would publish it, in an empty folder beside the packages it depends on: what
 * it exports loads, and nothing that only development needs is missing. `SAE_EVAL_TEST_FULL=1` lets
 * npm install it instead, and sets it up.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeSqlite } from '#src/sqlite/node-sqlite.js';
import { full } from '../full.js';

const root = resolve(import.meta.dirname, '../..');

describe('the package', () => {
  let folder: string;
  let installed: string;
  let files: string[];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sae-eval-package-'));
    installed = join(folder, 'node_modules', 'sae-eval');
    const packed = execFileSync(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', folder],
      { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const [tarball] = JSON.parse(packed) as [
      { filename: string; version: string; size: number; files: { path: string }[] },
    ];
    expect(tarball.size).toBeLessThan(5e6);
    files = tarball.files.map(({ path }) => path);
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const demo = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
      cwd: join(root, 'checkpoints'),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [demoTarball] = JSON.parse(demo) as [{ filename: string; version: string }];
    // The two are published together.
    expect(demoTarball.version).toBe(tarball.version);
    if (full) {
      const tarballs = [tarball, demoTarball].map(({ filename }) => join(folder, filename));
      execFileSync(
        'npm',
        ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', ...tarballs],
        { cwd: folder, stdio: 'ignore' },
      );
    } else {
      for (const { name, filename } of [
        { name: 'sae-eval', filename: tarball.filename },
        { name: 'sae-eval-demo', filename: demoTarball.filename },
      ]) {
        const target = join(folder, 'node_modules', name);
        mkdirSync(target, { recursive: true });
        const archive = ['-xzf', join(folder, filename), '-C', target, '--strip-components=1'];
        execFileSync('tar', archive);
      }
      linkDependencies(join(folder, 'node_modules'));
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    spawnSync(process.execPath, args, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), ...env },
    });
  const evaluate = (code: string) => run(['--input-type=module', '--eval', code]);

  it('holds what it needs and nothing of the development', () => {
    for (const file of [
      'LICENSE',
      'README.md',
      'dist/src/index.d.ts',
      'native/CMakeLists.txt',
      'docs/guide/install.md',
    ])
      expect(files).toContain(file);
    const ofDevelopment = /^(src|server\/(?!page\/)|test|build|node_modules|checkpoints|\.ci)/;
    const other = /tsbuildinfo|\.(png|log)$/;
    expect(files.filter((file) => ofDevelopment.test(file) || other.test(file))).toEqual([]);
  });

  it('has a client that loads without libtorch', () => {
    const result = evaluate(
      "const { SaeEvalClient } = await import('sae-eval/client'); console.log(typeof " +
        'SaeEvalClient)',
    );
    expect(result).toMatchObject({ stdout: 'function\n', status: 0 });
  });

  it('has a command line that helps without libtorch', () => {
    const bin = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      bin: { 'sae-eval': string };
    };
    const result = run([join(installed, bin.bin['sae-eval']), '--help']);
    expect(result.stdout).toContain('evaluate');
    expect(result.status).toBe(0);
  });

  it('says how to get the files of the demo', () => {
    const demo = join(folder, 'node_modules', 'sae-eval-demo');
    renameSync(demo, `${demo}.aside`);
    const result = run([join(installed, 'dist/src/cli/main.js'), 'demo']);
    renameSync(`${demo}.aside`, demo);
    expect(result.stderr).toMatch(/^sae-eval: .*`npm install sae-eval-demo`.*--from\.\n$/);
    expect(result.status).toBe(2);
  });

  it('says how to get the native part when it is not there', () => {
    const result = evaluate(
      "const { zeros } = await import('sae-eval/torch');" +
        'try { zeros([1]) } catch ({ code, message }) { console.log(code, message) }',
    );
    expect(result.stdout).toMatch(/^setup-missing .*run `npx sae-eval setup`/);
  });

  it.skipIf(full || nodeSqlite() !== null)('says how to get SQLite if Node has none', () => {
    const result = run([join(installed, 'dist/src/cli/main.js'), 'serve', '--port', '0']);
    expect(result.stderr).toMatch(
      /^sae-eval: Node 2\S+ has no SQLite.*better-sqlite3 is not installed: run `npx sae-eval set/,
    );
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect(result.status).toBe(1);
  });

  it.runIf(full)(
    'sets itself up and computes',
    () => {
      const setup = run([join(installed, 'dist/src/cli/main.js'), 'setup'], {
        XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] ?? '',
      });
      expect(setup).toMatchObject({ status: 0 });
      expect(existsSync(join(installed, 'build/addon/sae_eval.node'))).toBe(true);
      const result = evaluate(
        "const { tensor } = await import('sae-eval/torch'); console.log(tensor([1, " +
          '2]).add(1).toArray())',
      );
      expect(result.stdout).toBe('[ 2, 3 ]\n');
    },
    600_000,
  );

  it.skipIf(spawnSync('curl', ['--version']).status !== 0)(
    "runs README's quick starts as they are written, but for the port",
    async () => {
      // The parts that `npx sae-eval setup` would make in this folder.
      if (!existsSync(join(installed, 'build')))
        symlinkSync(join(root, 'build'), join(installed, 'build'));
      const sqlite = join('node_modules', 'better-sqlite3');
      if (nodeSqlite() === null && !existsSync(join(folder, sqlite)))
        symlinkSync(join(root, sqlite), join(folder, sqlite));
      mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
      const bin = join(folder, 'node_modules', '.bin', 'sae-eval');
      if (!existsSync(bin)) symlinkSync('../sae-eval/dist/src/cli/main.js', bin);
      execFileSync('chmod', ['+x', join(installed, 'dist/src/cli/main.js')]);

      const port = await freePort();
      const readme = readFileSync(join(installed, 'README.md'), 'utf8').replaceAll(
        '8787',
        String(port),
      );
      const section = readme.slice(
        readme.indexOf('## Three ways to use it'),
        readme.indexOf('## What is supported'),
      );
      const blocks = (language: string): string[] =>
        [...section.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
          (match) => match[1]!,
        );
      const [prepare, commandLine, http, ...others] = blocks('sh');
      const [client, library, ...rest] = blocks('ts');
      expect([others, rest]).toEqual([[], []]);
      writeFileSync(join(folder, 'client.mjs'), client!);
      writeFileSync(
        join(folder, 'library.mjs'),
        `${library!}\nconsole.log('NormMSE', result.results[0].strict.NormMSE.mean);`,
      );
      const script = [
        prepare!.replace(/^npx sae-eval setup.*\n/, ''),
        commandLine,
        'echo; echo "== http"',
        http,
        'echo; echo "== client"',
        'node client.mjs',
        'echo; echo "== library"',
        'node library.mjs',
      ].join('\n');
      const output = await runScript(script, folder);
      const [onCommandLine, overHttp, byClient, byLibrary] = output.split(/^== .*$/m) as [
        string,
        string,
        string,
        string,
      ];
      expect(onCommandLine).toContain('wrote runs/first/report.md');
      expect(JSON.parse(overHttp)).toMatchObject({
        status: 'succeeded',
        result: { results: [{ label: 'TopK', error: null }] },
      });
      expect(byClient).toMatch(/^# /m);
      expect(byLibrary).toMatch(/NormMSE 0\.\d+/);
    },
    300_000,
  );
});

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Standard output of a shell script; processes that it left running are ended. */
async function runScript(script: string, cwd: string): Promise<string> {
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd,
    detached: true,
    env: { ...process.env, SAE_EVAL_LOG_LEVEL: 'error' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  shell.stdout.on('data', (data: Buffer) => (output += data.toString()));
  shell.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const code = await new Promise<number | null>((done) => shell.once('exit', done));
  process.kill(-shell.pid!, 'SIGTERM');
  expect({ code, errors: code === 0 ? '' : errors }).toEqual({ code: 0, errors: '' });
  return output;
}

/**
 * Links the packages a user would get: those of the lock file that are not marked as development's.
 */
function linkDependencies(target: string): void {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [path, { dev }] of Object.entries(lock.packages)) {
    const name = path.slice('node_modules/'.length);
    if (
      !path.startsWith('node_modules/') ||
      dev === true ||
      name.includes('/node_modules/') ||
      !existsSync(join(root, path))
    )
      continue;
    mkdirSync(dirname(join(target, name)), { recursive: true });
    symlinkSync(join(root, path), join(target, name));
  }
}
