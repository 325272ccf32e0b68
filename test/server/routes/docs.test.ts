/**
 * The documents say what is so: the table of errors is the code's, the settings are the schema's,
 * the examples run.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { environmentVariables, serverOptionsSchema } from '#server/options.js';
import { errorTable } from '#src/errors.js';
import { packageRoot, serve, temporaryFolder, untilReady } from '../harness.js';

const read = (name: string): string => readFileSync(`${packageRoot}docs/reference/${name}`, 'utf8');
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1]!,
  );

describe('errors.md', () => {
  it('mirrors the table', () => {
    const rows = [
      ...read('errors.md').matchAll(/^\| `([\w-]+)` \| (\d+) \| (\d+) \| (.+) \|$/gm),
    ].map(([, code, status, exitCode, title]) => ({
      code,
      status: Number(status),
      exitCode: Number(exitCode),
      title,
    }));
    expect(rows).toEqual(Object.entries(errorTable).map(([code, row]) => ({ code, ...row })));
  });
});

describe('operations.md', () => {
  it('names every setting and variable', () => {
    const text = read('operations.md');
    for (const name of [
      ...Object.keys(serverOptionsSchema.shape),
      ...Object.keys(environmentVariables),
    ])
      expect(text).toContain(`\`${name}\``);
  });
});

describe('http.md', () => {
  const folder = temporaryFolder();
  let server: RunningServer;
  beforeAll(async () => {
    server = await serve(folder.path);
    await untilReady(server.url);
  });
  afterAll(async () => {
    await server.close();
    folder.remove();
  });
  const here = (text: string): string => text.replaceAll('http://127.0.0.1:8787', server.url);
  const has = (command: string, ...args: string[]): boolean =>
    spawnSync(command, args, { stdio: 'ignore' }).status === 0;

  it.skipIf(!has('curl', '--version') || !has('jq', '--version'))(
    'curl examples run as written',
    async () => {
      const { stdout, status, stderr } = await run('bash', [
        '--norc',
        '-euo',
        'pipefail',
        '-c',
        here(blocks(read('http.md'), 'sh').join('\n')),
      ]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('event: end');
      expect(stdout.trim().endsWith('"succeeded"')).toBe(true);
      expect(readFileSync(`${folder.path}/report.md`, 'utf8')).toContain('RouteSAE');
    },
  );

  it.skipIf(!has('python3', '-c', 'import requests'))(
    'the Python example runs as written',
    async () => {
      const { stdout, status, stderr } = await run('python3', [
        '-c',
        here(blocks(read('http.md'), 'python').join('\n')),
      ]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/TopK \{'mean': 0\.\d+, 'ci95': \[/);
      expect(stdout).not.toContain('None');
    },
  );

  it('client.md: the TypeScript examples run as written', async () => {
    const script = here(blocks(read('client.md'), 'ts').join('\n'));
    const { stdout, status, stderr } = await run(
      process.execPath,
      ['--input-type=module', '-e', script],
      packageRoot,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^0\.\d+ \[ 0\.\d+, 0\.\d+ \]$/m);
    expect(stdout).not.toContain('undefined');
    expect(stdout).toMatch(/^TopK 0\.\d+/m);
  });

  /** Not in this thread: it serves. */
  async function run(
    command: string,
    args: string[],
    cwd = folder.path,
  ): Promise<{ stdout: string; stderr: string; status: number }> {
    const { execFile } = await import('node:child_process');
    return new Promise((resolve) => {
      execFile(command, args, { cwd, encoding: 'utf8' }, (error, stdout, stderr) =>
        resolve({ stdout, stderr, status: error === null ? 0 : Number(error.code ?? 1) }),
      );
    });
  }
});

describe('deploy', () => {
  it('the unit file is one that systemd accepts, where systemd is', () => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) return;
    expect(() =>
      execFileSync(
        'systemd-analyze',
        ['verify', '--man=no', `${packageRoot}deploy/sae-eval.service`],
        { stdio: 'pipe' },
      ),
    ).not.toThrow(/Unknown/);
  });
});
