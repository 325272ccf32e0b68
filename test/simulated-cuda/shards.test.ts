/** A run whose shards two simulated GPUs share, from the command line, also if one is lost. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import type { EvaluationResult } from '#src/schema/index.js';
import { full } from '../full.js';
import { packageRoot, temporaryFolder, until } from '../server/harness.js';
import { simulatedEnvironment } from './device.js';
import { writeSmallFiles } from './small-files.js';

const folder = temporaryFolder();
const lossFile = join(folder.path, 'lost');
const request = join(folder.path, 'request.json');
const samples = 80;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  writeSmallFiles(folder.path, { records: samples });
  env = await simulatedEnvironment({ devices: 2, bytes: 2 ** 31, lossFile });
  writeFileSync(
    request,
    JSON.stringify({
      model: join(folder.path, 'model'),
      dataset: { path: join(folder.path, 'text.jsonl'), maxSamples: samples, seqLen: 16 },
      saes: [{ kind: 'TopK', checkpoint: join(folder.path, 'sae.safetensors'), layer: 4, k: 4 }],
      batchSize: 4,
    }),
  );
});
afterAll(() => folder.remove());

interface Outcome {
  code: number | null;
  stderr: string;
}

function evaluate(...options: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, ['dist/src/cli/main.js', 'evaluate', request, ...options], {
    cwd: packageRoot,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

function resultIn(out: string): EvaluationResult {
  return JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as EvaluationResult;
}

it('has the bits of a run on one, and costs a shard if one is lost', async () => {
  const [one, both, lossy] = ['one', 'both', 'lossy'].map((name) => join(folder.path, name));
  expect(await evaluate('--device', 'cuda:0', '--out', one!)).toMatchObject({ code: 0 });
  const single = resultIn(one!);
  if (full) {
    expect(await evaluate('--devices', 'all', '--out', both!)).toMatchObject({ code: 0 });
    const shared = resultIn(both!);
    expect(shared.results).toEqual(single.results);
    expect(shared.comparisons).toEqual(single.comparisons);
  }

  const store = new FolderStore(lossy!);
  const running = evaluate('--devices', 'cuda:0,cuda:1', '--out', lossy!);
  await until(
    () => existsSync(join(lossy!, 'plan.json')) && store.missing(store.plan()!).length <= 18,
    { what: 'two shards', seconds: 60 },
  );
  writeFileSync(`${lossFile}.1`, '');
  const { code, stderr } = await running;
  rmSync(`${lossFile}.1`);
  expect(code).toBe(0);
  expect(stderr).toMatch(/cuda:1 is given up: .*CUDA error/);
  const result = resultIn(lossy!);
  expect(result.results).toEqual(single.results);
  expect(result.comparisons).toEqual(single.comparisons);
  expect(result.config.plan).toMatchObject({ shards: 20, merged: 20 });
}, 300_000);

it('is refused beside a device of the request, and for devices that are not there', async () => {
  const out = join(folder.path, 'refused');
  expect(await evaluate('--devices', 'all', '--device', 'cuda:0', '--out', out)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('give one or the other') as string,
  });
  expect(await evaluate('--devices', 'cuda:0,cuda:5', '--out', out)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('some of cpu, cuda:0, cuda:1') as string,
  });
});
