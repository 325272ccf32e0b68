/** API keys, and what holds without them. */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { KeyRing } from '#server/auth/keys.js';
import { addKey, startServer } from '#server/main.js';
import { SaeEvalClient, UnauthorizedError } from '#src/client/index.js';
import { packageRoot, serve, spawnServer, temporaryFolder, until } from '../harness.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** `fetch` does not let its caller set Host. */
function statusWith(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest(`${url}/v1/kinds`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('keys', () => {
  const file = join(folder.path, 'keys.json');

  it('are shown once and stored as hashes, for their owner only', () => {
    const key = addKey({ file, label: 'alice' });
    const text = readFileSync(file, 'utf8');
    expect(key).toMatch(/^sae_[\w-]{43}$/);
    expect(text).not.toContain(key);
    expect(JSON.parse(text).keys[0]).toMatchObject({
      label: 'alice',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const ring = new KeyRing(file, undefined);
    expect(ring.labelOf(key)).toBe('alice');
    expect(ring.labelOf(`${key}x`)).toBeNull();
    expect(() => addKey({ file, label: 'alice' })).toThrow(/already/);
    expect(() => addKey({ file, label: 'a\nb' })).toThrow(/label/);
  });

  it(
    'keep the owner and mode of their file; one that becomes unreadable is logged once and ' +
      'locks nobody out',
    () => {
      const shared = join(folder.path, 'shared.json');
      const key = addKey({ file: shared, label: 'erin' });
      chmodSync(shared, 0o640);
      if (process.getuid?.() === 0) chownSync(shared, 12_345, 12_346);
      const { uid, gid } = statSync(shared);
      addKey({ file: shared, label: 'fred' });
      expect(statSync(shared)).toMatchObject({ uid, gid });
      expect(statSync(shared).mode & 0o777).toBe(0o640);

      const ring = new KeyRing(shared, undefined);
      const faults: unknown[] = [];
      ring.onFault = (error) => faults.push(error);
      writeFileSync(shared, 'half a fi');
      utimesSync(shared, 1, 1);
      expect(ring.labelOf(key)).toBe('erin');
      expect(faults).toEqual([
        expect.objectContaining({
          code: 'configuration-invalid',
          message: expect.stringContaining('shared.json'),
        }),
      ]);
    },
  );

  it('are all stored if several are added at once', async () => {
    const shared = join(folder.path, 'at-once.json');
    const script = `import { addKey } from ${JSON.stringify(
      pathToFileURL(join(packageRoot, 'dist/server/auth/key-file.js')).href,
    )};
      console.log(addKey({ file: ${JSON.stringify(shared)}, label: process.argv[1] }));`;
    const labels = ['a', 'b', 'c', 'd', 'e', 'f'];
    const printed = await Promise.all(
      labels.map(async (label) => {
        const { stdout } = await promisify(execFile)(process.execPath, [
          '--input-type=module',
          '-e',
          script,
          label,
        ]);
        return stdout.trim();
      }),
    );
    const ring = new KeyRing(shared, undefined);
    expect(printed.map((key) => ring.labelOf(key))).toEqual(labels);
  });

  it('open the server, several with their labels; a new one works without a restart', async () => {
    const key = addKey({ file, label: 'bob' });
    const server = await serve(folder.path, { apiKeys: file });
    try {
      for (const path of ['/healthz', '/'])
        expect((await fetch(`${server.url}${path}`)).status).toBe(200);
      expect([200, 503]).toContain((await fetch(`${server.url}/readyz`)).status);
      for (const path of [
        '/v1/kinds',
        '/v1/evaluations',
        '/metrics',
        '/docs',
        '/openapi.json',
        '/v1/nothing',
      ]) {
        const response = await fetch(`${server.url}${path}`);
        expect({ path, status: response.status }).toEqual({ path, status: 401 });
        expect(await response.json()).toMatchObject({ code: 'unauthorized' });
        expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
      }
      const withKey = (value: string): Promise<Response> =>
        fetch(`${server.url}/v1/kinds`, { headers: { authorization: `Bearer ${value}` } });
      expect((await withKey(key)).status).toBe(200);
      expect((await withKey(`${key}A`)).status).toBe(401);
      await expect(
        new SaeEvalClient(server.url, { apiKey: 'wrong' }).kinds(),
      ).rejects.toBeInstanceOf(UnauthorizedError);
      expect(
        await statusWith(server.url, {
          authorization: `Bearer ${key}`,
          host: 'evaluations.example',
        }),
      ).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 1100));
      expect((await withKey(addKey({ file, label: 'carol' }))).status).toBe(200);
    } finally {
      await server.close();
    }
  });

  it('never get into the logs, which have a line for each request with its id', async () => {
    const key = addKey({ file, label: 'dora' });
    const server = await spawnServer(folder.path, {
      SAE_EVAL_API_KEYS: file,
      SAE_EVAL_LOG_LEVEL: 'debug',
    });
    try {
      const withKey = (value: string): Promise<Response> =>
        fetch(`${server.url}/v1/evaluations/none`, {
          headers: { authorization: `Bearer ${value}` },
        });
      const wrong = `${key.slice(0, -4)}AAAA`;
      const lines = (): Record<string, unknown>[] =>
        server
          .output()
          .split('\n')
          .slice(0, -1) // the last one may not be whole
          .filter((line) => line.startsWith('{'))
          .map((line) => JSON.parse(line) as Record<string, unknown>);
      const linesOf = (id: string): Record<string, unknown>[] =>
        lines().filter(({ reqId, msg }) => reqId === id && msg === 'request');
      const answers = await Promise.all([withKey(key), withKey(wrong)]);
      expect(answers.map(({ status }) => status)).toEqual([404, 401]);
      // In the wrong place.
      const misplaced = await fetch(`${server.url}/v1/kinds?api_key=${key}`, {
        headers: { authorization: `Bearer ${key}`, cookie: `key=${key}` },
      });
      expect(misplaced.status).toBe(200);
      await until(() => linesOf(misplaced.headers.get('x-request-id')!).length > 0, {
        what: 'the line of the misplaced key',
      });
      const ids = await Promise.all(
        answers.map(async (answer) => ((await answer.json()) as { instance: string }).instance),
      );
      await until(() => ids.every((id) => linesOf(id).length > 0), {
        what: 'the lines of both requests',
      });
      expect(linesOf(ids[0]!)).toEqual([
        expect.objectContaining({
          method: 'GET',
          url: '/v1/evaluations/none',
          status: 404,
          client: 'dora',
        }),
      ]);
      expect(linesOf(ids[1]!)).toEqual([
        expect.objectContaining({ status: 401, client: '127.0.0.1' }),
      ]);
      for (const secret of [key, wrong]) expect(server.output()).not.toContain(secret);
    } finally {
      server.child.kill('SIGTERM');
      await server.ended;
    }
  });

  it('may come from the environment', () => {
    expect(new KeyRing(undefined, 'a-key-of-some-length').labelOf('a-key-of-some-length')).toBe(
      'SAE_EVAL_API_KEY',
    );
  });
});

describe('without keys', () => {
  it('listens on this machine only', async () => {
    await expect(
      startServer(
        { host: '0.0.0.0', port: 0, roots: [packageRoot], db: join(folder.path, 'x.db') },
        { handleSignals: false },
      ),
    ).rejects.toMatchObject({
      code: 'configuration-invalid',
      message: expect.stringContaining('API keys'),
    });
  });

  it('refuses foreign Host and Origin headers', async () => {
    const server = await serve(folder.path);
    const { port } = new URL(server.url);
    try {
      expect(await statusWith(server.url, { host: `localhost:${port}` })).toBe(200);
      expect(await statusWith(server.url, { host: '[::1]' })).toBe(200);
      for (const host of [
        'evil.example',
        `127.0.0.1.evil.example:${port}`,
        '10.0.0.1',
        '127.0.0.1#.evil',
        '127.0.0.1/evil',
        'localhost\\.evil.example',
        'evil@localhost',
        '2130706433',
      ])
        expect({ host, status: await statusWith(server.url, { host }) }).toEqual({
          host,
          status: 403,
        });
      expect(await statusWith(server.url, { origin: 'https://evil.example' })).toBe(403);
      expect(await statusWith(server.url, { origin: 'null' })).toBe(403);
      expect(
        await statusWith(server.url, {
          host: `127.0.0.1:${port}`,
          origin: `http://127.0.0.1:${port}`,
        }),
      ).toBe(200);
      // An image or a frame of another page sends no Origin; a link may lead here.
      const sites = [
        ['cross-site', 'no-cors', 'image', 403],
        ['same-site', 'no-cors', 'image', 403],
        ['cross-site', 'navigate', 'iframe', 403],
        ['cross-site', 'navigate', 'document', 200],
        ['same-origin', 'cors', 'empty', 200],
        ['none', 'navigate', 'document', 200],
      ] as const;
      for (const [site, mode, dest, status] of sites)
        expect({
          site,
          mode,
          status: await statusWith(server.url, {
            'sec-fetch-site': site,
            'sec-fetch-mode': mode,
            'sec-fetch-dest': dest,
          }),
        }).toEqual({ site, mode, status });
      expect(
        await statusWith(server.url, {
          host: `127.0.0.1:${port}`,
          origin: `http://localhost:1${port}`,
        }),
      ).toBe(403);
    } finally {
      await server.close();
    }
  });

  it('names a setting that cannot be used', async () => {
    await expect(serve(folder.path, { roots: ['/no/such/folder'] })).rejects.toMatchObject({
      code: 'configuration-invalid',
      message: expect.stringContaining('/no/such/folder'),
    });
    await expect(serve(folder.path, { apiKeys: '/no/such/file' })).rejects.toMatchObject({
      code: 'configuration-invalid',
      message: expect.stringContaining('keys add'),
    });
    await expect(serve(folder.path, { maxQueued: -1 })).rejects.toMatchObject({
      code: 'configuration-invalid',
      message: expect.stringContaining('maxQueued'),
    });
  });
});
