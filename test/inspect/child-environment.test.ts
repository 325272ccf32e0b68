/** Secrets of the environment do not reach the processes that read untrusted files. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forkChild } from '#src/compute/fork-child.js';
import { childEnvironment } from '#src/inspect/child-environment.js';

const secrets = {
  SAE_EVAL_API_KEY: 'secret-1',
  HF_TOKEN: 'secret-2',
  AWS_SECRET_ACCESS_KEY: 'secret-3',
  AWS_SESSION_TOKEN: 'secret-4',
  DATABASE_URL: 'postgres://user:secret-5@host/db',
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=secret-6',
  SAE_EVAL_QUEUE: 'redis://:secret-7@host',
  REDISCLI_AUTH: 'secret-8',
  NODE_AUTH_TOKEN: 'secret-9',
  TORCH_SECRET: 'secret-10',
  SOMETHING: 'secret-11',
};
const useful = { OMP_NUM_THREADS: '1', CUDA_VISIBLE_DEVICES: '3', LC_ALL: 'C', HF_HOME: '/hub' };

describe('a child', () => {
  it('gets what libraries and settings require, and nothing else', () => {
    const env = { ...secrets, ...useful, SAE_EVAL_WEIGHTS: 'map' };
    expect(childEnvironment({ env })).toEqual({ ...useful, SAE_EVAL_WEIGHTS: 'map' });
  });

  it('gets what the operator names besides', () => {
    const env = { ...secrets, SAE_EVAL_PASS_ENV: 'SOMETHING, AWS_*' };
    const { SOMETHING, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = secrets;
    expect(childEnvironment({ env })).toEqual({
      SOMETHING,
      AWS_SECRET_ACCESS_KEY,
      AWS_SESSION_TOKEN,
      SAE_EVAL_PASS_ENV: env.SAE_EVAL_PASS_ENV,
    });
  });
});

describe.skipIf(process.platform !== 'linux')('the compute process', () => {
  const before = { env: { ...process.env }, execArgv: process.execArgv };
  beforeAll(() => {
    Object.assign(process.env, secrets, useful);
    process.execArgv = []; // vitest loads something ahead, as an SDK for traces would be
  });
  afterAll(() => {
    process.env = before.env;
    process.execArgv = before.execArgv;
  });

  it('has no secret in its memory to begin with', async () => {
    const child = forkChild();
    await new Promise((resolve) => child.once('spawn', resolve));
    const environ = readFileSync(`/proc/${child.pid}/environ`, 'utf8').split('\0');
    child.kill('SIGKILL');
    expect(environ).toContain('OMP_NUM_THREADS=1');
    // Without an SDK that is loaded ahead its settings are not passed on either.
    expect(environ.filter((line) => line.includes('secret-'))).toEqual([]);
  });
});
