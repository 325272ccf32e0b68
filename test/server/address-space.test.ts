/** Processes that may have few addresses (`ulimit -v`), as some schedulers start them. */
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { packageRoot, post, smallRequest, temporaryFolder, until, untilReady } from './harness.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Fewer than V8 reserves for one WebAssembly program. */
const kibibytes = 8 * 1024 * 1024;
const limited = `ulimit -v ${kibibytes} && exec "$0" "$@"`;
const can = spawnSync('bash', ['-c', limited, 'true']).status === 0;

it.skipIf(!can)('a server with 8 GB of addresses answers and evaluates', async () => {
  const child = spawn(
    'bash',
    ['-c', limited, process.execPath, join(packageRoot, 'dist/server/serve.js')],
    {
      env: {
        ...process.env,
        SAE_EVAL_PORT: '0',
        SAE_EVAL_ROOTS: packageRoot,
        SAE_EVAL_DB: join(folder.path, 'jobs.db'),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    let url: string | undefined;
    await until(() => (url = /listens on (http:\S+)/.exec(output)?.[1]) !== undefined, {
      what: 'the server',
    });
    await untilReady(url!);
    const evaluated = await post(`${url!}`, smallRequest(), {});
    const { id } = (await evaluated.json()) as { id: string };
    await until(
      async () => {
        const answer = await fetch(`${url!}/v1/evaluations/${id}?fields=summary`);
        return ((await answer.json()) as { status: string }).status === 'succeeded';
      },
      { what: 'the evaluation', seconds: 60 },
    );
    for (const format of ['html', 'csv'])
      expect(
        (await fetch(`${url!}/v1/evaluations/${id}/report?format=${format}`)).status,
        format,
      ).toBe(200);
    expect(child.exitCode).toBeNull();
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
});

it.skipIf(!can)('a command line with them says what it cannot do, and computes', () => {
  const file = join(folder.path, 'request.json');
  writeFileSync(file, JSON.stringify(smallRequest()));
  const command = (...args: string[]): { status: number | null; output: string } => {
    const main = join(packageRoot, 'dist/src/cli/main.js');
    const { status, stdout, stderr } = spawnSync(
      'bash',
      ['-c', limited, process.execPath, main, ...args],
      { encoding: 'utf8', cwd: packageRoot },
    );
    return { status, output: stdout + stderr };
  };
  // Port 9 has no server; the client says so, whatever kept it from asking.
  const asked = command('submit', file, '--server', 'http://127.0.0.1:1', '--no-wait');
  expect(asked.output).toContain('sae-eval: ');
  expect(asked.output).not.toMatch(/^\s+at /m);
  expect(asked.status).not.toBe(0);
  const computed = command('evaluate', file, '--out', join(folder.path, 'out'));
  expect(computed, computed.output).toMatchObject({ status: 0 });
});
