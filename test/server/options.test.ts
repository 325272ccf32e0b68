/**
 * Settings: flags over the environment over the file over the defaults, and what is wrong is named.
 */
import { spawn } from 'node:child_process';
import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  environmentVariables,
  resolveServerOptions,
  serverOptionsSchema,
} from '#server/options.js';
import { packageRoot, temporaryFolder } from './harness.js';

const folder = temporaryFolder();
const config = join(folder.path, 'settings.json');
afterAll(() => folder.remove());

const db = join(folder.path, 'x.db');

describe('settings', () => {
  it('refuses a root that is a file, or is not there', () => {
    const file = join(folder.path, 'a-file');
    writeFileSync(file, '');
    expect(() => resolveServerOptions({ roots: [file] }, {})).toThrow(
      /is a file; give an existing/,
    );
    expect(() => resolveServerOptions({ roots: [`${file}2`] }, {})).toThrow(/does not exist/);
  });

  it('come from flags, else the environment, else the file, else the defaults', () => {
    writeFileSync(
      config,
      JSON.stringify({ port: 1, host: '127.0.0.2', maxQueued: 2, bodyLimit: 4096, db }),
    );
    const env = {
      SAE_EVAL_CONFIG: config,
      SAE_EVAL_PORT: '3',
      SAE_EVAL_MAX_QUEUED: '4',
      SAE_EVAL_ROOTS: `${folder.path}:${packageRoot}`,
    };
    const found = resolveServerOptions({ port: 5 }, env);
    expect(found).toMatchObject({
      port: 5,
      maxQueued: 4,
      host: '127.0.0.2',
      bodyLimit: 4096,
      grace: 10,
      roots: [folder.path, packageRoot].map((path) => realpathSync(path)),
      db,
    });
    expect(resolveServerOptions({}, { ...env, SAE_EVAL_PORT: '' })).toMatchObject({ port: 1 });
    expect(resolveServerOptions({}, {})).toMatchObject({
      port: 8787,
      host: '127.0.0.1',
      maxQueued: 1000,
    });
  });

  it('have a variable that sets each of those that have one', () => {
    const values: Record<string, [string, unknown]> = {
      host: ['::1', '::1'],
      port: ['0', 0],
      roots: [folder.path, [realpathSync(folder.path)]],
      db: [db, db],
      apiKeys: ['keys.json', 'keys.json'],
      apiKey: ['a-key-of-some-length', 'a-key-of-some-length'],
      logLevel: ['warn', 'warn'],
      weights: ['read', 'read'],
      shared: ['1', true],
      keepDays: ['0.5', 0.5],
      basePath: ['/lab/sae/', '/lab/sae'],
      queue: ['redis://queue:6379', 'redis://queue:6379'],
      runs: [join(folder.path, 'runs'), join(realpathSync(folder.path), 'runs')],
      localWorkers: ['all', 'all'],
      trustProxy: ['10.0.0.0/8, ::1', ['10.0.0.0/8', '::1']],
      cors: ['https://a.example/, http://b:5173', ['https://a.example', 'http://b:5173']],
    };
    for (const [variable, option] of Object.entries(environmentVariables)) {
      const [text, value] = values[option] ?? ['7', 7];
      expect({ variable, value: resolveServerOptions({}, { [variable]: text })[option] }).toEqual({
        variable,
        value,
      });
    }
    expect(Object.keys(serverOptionsSchema.shape)).toEqual(
      expect.arrayContaining(Object.values(environmentVariables)),
    );
  });

  it.each([
    [{}, { SAE_EVAL_PORT: 'eighty' }, /Setting port/],
    [{ port: 70_000 }, {}, /Setting port/],
    [{}, { SAE_EVAL_API_KEY: 'short' }, /Setting apiKey/],
    [{}, { SAE_EVAL_CONFIG: '/no/such/file.json' }, /\/no\/such\/file\.json/],
    [{}, { SAE_EVAL_LOG_LEVEL: 'loud' }, /Setting logLevel/],
    [{}, { SAE_EVAL_WEIGHTS: 'mmap' }, /Setting weights/],
    [{ basePath: '//evil' }, {}, /Setting basePath/],
    [{}, { SAE_EVAL_TRUST_PROXY: 'proxy.example' }, /Setting trustProxy/],
  ])('name what cannot be used: %j %j', (given, env, message) => {
    expect(() => resolveServerOptions(given, env)).toThrow(
      expect.objectContaining({
        code: 'configuration-invalid',
        message: expect.stringMatching(message),
      }) as Error,
    );
  });

  it('with a name that is none are refused, in the file too', () => {
    writeFileSync(config, '{ "prot": 1 }');
    expect(() => resolveServerOptions({}, { SAE_EVAL_CONFIG: config })).toThrow(/Setting prot/);
    writeFileSync(config, '[1]');
    expect(() => resolveServerOptions({}, { SAE_EVAL_CONFIG: config })).toThrow(/settings\.json/);
  });
});

describe('sae-eval serve', () => {
  it('takes a flag over a variable over the file of --config', { timeout: 30_000 }, async () => {
    writeFileSync(
      config,
      JSON.stringify({
        host: '127.0.0.1',
        port: 1,
        db: join(folder.path, 'file.db'),
        requestsPerMinute: 2,
        logLevel: 'silent',
      }),
    );
    const child = spawn(
      process.execPath,
      [join(packageRoot, 'dist/src/cli/main.js'), 'serve', '--port', '0', '--config', config],
      {
        cwd: folder.path,
        env: { ...process.env, SAE_EVAL_DB: join(folder.path, 'environment.db') },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    try {
      const url = await new Promise<string>((resolve, reject) => {
        let text = '';
        child.stderr.on('data', (data: Buffer) => {
          text += data.toString();
          const found = /listens on (http:\S+)/.exec(text)?.[1];
          if (found !== undefined) resolve(found);
        });
        child.once('exit', () => reject(new Error(text)));
      });
      expect(new URL(url).port).not.toBe('1');
      const answers = [
        await fetch(`${url}/v1/kinds`),
        await fetch(`${url}/v1/kinds`),
        await fetch(`${url}/v1/kinds`),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
      expect(
        resolveServerOptions(
          {},
          { SAE_EVAL_CONFIG: config, SAE_EVAL_DB: join(folder.path, 'environment.db') },
        ).db,
      ).toBe(join(folder.path, 'environment.db'));
    } finally {
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('close', resolve));
    }
  });
});
