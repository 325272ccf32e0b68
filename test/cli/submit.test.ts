/** `submit` against a real server: waiting, gates, refusals, and Ctrl-C. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { root } from '../golden/load.js';
import { serve, temporaryFolder, until } from '../server/harness.js';
import { commandLines, type Answer } from './command-lines.js';

const folder = temporaryFolder();
const key = 'a-key-of-the-tests-of-submit';
let server: RunningServer;
let client: SaeEvalClient;
let answers: Answer[];

const request: EvaluationRequest = {
  model: 'checkpoints/tiny-llama',
  dataset: { path: 'checkpoints/eval', seqLen: 16, maxSamples: 4 },
  saes: [{ kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 }],
};
const lines = (url: string): string[][] =>
  [
    ['--wait', '--name', 'first', '--set', 'saes.0.k=8'],
    ['--wait', '--json', '--fail-if', 'TopK.strict.L0 > 1'],
    [],
    ['--wait', '--set', 'saes.0.layer=17'],
    ['--fail-if', 'TopK.strict.L0 > 1'],
    ['--wait', '--fail-if', 'TopK > 1'],
  ].map((flags) => ['submit', 'request.json', '--server', url, ...flags]);

beforeAll(async () => {
  process.env['SAE_EVAL_API_KEY'] = key; // of the server in this process, too
  server = await serve(folder.path);
  client = new SaeEvalClient(server.url, { apiKey: key });
  writeFileSync(join(folder.path, 'request.json'), JSON.stringify(request));
  const cwd = folder.path;
  answers = await commandLines(lines(server.url), { cwd });
  const [refused] = await commandLines([['submit', 'request.json', '--server', server.url]], {
    cwd,
    env: { SAE_EVAL_API_KEY: 'another' },
  });
  const [unreachable] = await commandLines(
    [['submit', 'request.json', '--server', 'http://127.0.0.1:9']],
    { cwd },
  );
  answers.push(refused!, unreachable!);
});
afterAll(async () => {
  delete process.env['SAE_EVAL_API_KEY'];
  await server.close();
  folder.remove();
});

it('waits, and prints what evaluate prints', () => {
  const { status, stdout, stderr } = answers[0]!;
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/^Summary\n.*│ L0 .*│ +8/s);
  expect(stderr).toMatch(/^submitted [\w-]+$/m);
});

it('prints the result as JSON, and ends with 3 if a gate fires', () => {
  const { status, stdout, stderr } = answers[1]!;
  expect(status).toBe(3);
  expect((JSON.parse(stdout) as EvaluationResult).results[0]!.strict!.L0!.mean).toBe(16);
  expect(stderr).toContain('TopK.strict.L0 is 16, the limit > 1');
});

it('prints the id alone if it does not wait', async () => {
  const { status, stdout } = answers[2]!;
  expect(status).toBe(0);
  expect((await client.get(stdout.trim())).request.saes[0]!.k).toBe(16);
});

it('ends with 2 where the server refuses, and before anything is submitted', async () => {
  expect(answers[3]).toMatchObject({ status: 2, stdout: '' });
  expect(answers[3]!.stderr).toMatch(/^sae-eval: saes\[0\]\.layer: expected 1…16/m);
  expect(answers[4]).toMatchObject({ status: 2 });
  expect(answers[4]!.stderr).toMatch(/--fail-if looks at a result: give --wait too/);
  expect(answers[5]).toMatchObject({ status: 2 });
  expect(answers[6]).toMatchObject({ status: 2 });
  expect(answers[6]!.stderr).toMatch(/the key is read from SAE_EVAL_API_KEY/);
  expect(answers[7]).toMatchObject({ status: 1 });
  expect(answers[7]!.stderr).toMatch(/^sae-eval: --server http:\/\/127\.0\.0\.1:9: /);
  expect((await client.list()).items).toHaveLength(3);
});

it('leaves the evaluation running on Ctrl-C, and says how to cancel it', async () => {
  const flags = ['--wait', '--set', 'dataset.seqLen=256', 'dataset.maxSamples=10000'];
  const main = join(root, 'dist/src/cli/main.js');
  const child = spawn(
    process.execPath,
    [main, 'submit', 'request.json', '--server', server.url, ...flags],
    { cwd: folder.path, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await until(() => /submitted [\w-]+\n/.test(stderr), { what: 'the submission' });
  await new Promise((resolve) => setTimeout(resolve, 100)); // it waits for events by now
  child.kill('SIGINT');
  expect(await ended).toBe(1);
  const id = /submitted ([\w-]+)/.exec(stderr)![1]!;
  expect(stderr).toContain(`evaluation ${id} goes on. To cancel it: curl -X DELETE ${server.url}`);
  expect(stderr).toContain('-H "authorization: Bearer $SAE_EVAL_API_KEY"');
  expect(['queued', 'running']).toContain((await client.get(id)).status);
  await client.cancel(id);
});
