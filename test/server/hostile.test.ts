/**
 * A matrix of hostile requests: each gets its documented status, the server lives, nothing outside
 * the roots is read.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addKey, type RunningServer } from '#server/main.js';
import { full } from '../full.js';
import { packageRoot, post, serve, smallRequest, temporaryFolder, untilReady } from './harness.js';

const folder = temporaryFolder();
const root = join(folder.path, 'root');
let server: RunningServer;

beforeAll(async () => {
  mkdirSync(root);
  writeFileSync(join(folder.path, 'secret.pt'), 'secret');
  symlinkSync(join(folder.path, 'secret.pt'), join(root, 'link.pt'));
  writeFileSync(join(root, 'not-a-checkpoint.pt'), 'PK\u0003\u0004 and so on');
  writeFileSync(join(root, 'empty.pt'), '');
  writeFileSync(
    join(root, 'truncated.pt'),
    readFileSync(join(packageRoot, 'checkpoints', 'TopK_tiny.pt')).subarray(0, 500_000),
  );
  mkdirSync(join(root, 'folder.pt'));
  execFileSync('mkfifo', [join(root, 'pipe.pt')]);
  mkdirSync(join(root, 'piped'));
  execFileSync('mkfifo', [join(root, 'pipe.jsonl'), join(root, 'piped', 'a.jsonl')]);
  mkdirSync(join(root, 'linked-model'));
  symlinkSync('/etc/passwd', join(root, 'linked-model', 'config.json'));
  symlinkSync('loop.pt', join(root, 'loop.pt'));
  mkdirSync(join(root, 'link-to-pipe'));
  symlinkSync(join(root, 'pipe.jsonl'), join(root, 'link-to-pipe', 'a.jsonl'));
  mkdirSync(join(root, 'blank'));
  writeFileSync(join(root, 'blank', 'a.jsonl'), '{"text": "  "}\nnot json\n{"text": 3}\n');
  server = await serve(folder.path, {
    roots: [root, packageRoot],
    requestTimeout: 1,
    maxQueuedPerClient: 3,
    requestsPerMinute: 1_000_000,
    submissionsPerMinute: 1_000_000,
  });
  await untilReady(server.url);
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

const topK = { kind: 'TopK' as const, checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 };

/** Answer of a socket to these bytes, sent `piece` at a time. */
function raw(
  text: string,
  { piece = text.length, everyMs = 0 }: { piece?: number; everyMs?: number } = {},
): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => {
      let at = 0;
      const timer = setInterval(() => {
        if (at >= text.length || socket.destroyed) return clearInterval(timer);
        socket.write(text.slice(at, at + piece), 'latin1');
        at += piece;
      }, everyMs);
    });
    socket.on('data', (data) => (answer += data.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}

describe('requests that name the wrong things', () => {
  const cases: [string, object, string, string][] = [
    [
      'a missing file',
      { saes: [{ ...topK, checkpoint: 'nothing.pt' }] },
      'file-not-found',
      'saes[0].checkpoint',
    ],
    [
      'a path with ..',
      { saes: [{ ...topK, checkpoint: '../secret.pt' }] },
      'path-outside-roots',
      'saes[0].checkpoint',
    ],
    [
      'an absolute path',
      { saes: [{ ...topK, checkpoint: '/etc/passwd' }] },
      'path-outside-roots',
      'saes[0].checkpoint',
    ],
    [
      'a link that leads outside',
      { saes: [{ ...topK, checkpoint: 'link.pt' }] },
      'path-outside-roots',
      'saes[0].checkpoint',
    ],
    [
      'a NUL character',
      { saes: [{ ...topK, checkpoint: 'a\0.pt' }] },
      'request-invalid',
      'saes[0].checkpoint',
    ],
    [
      'something else than a checkpoint',
      { saes: [{ ...topK, checkpoint: 'not-a-checkpoint.pt' }] },
      'checkpoint-format',
      'saes[0].checkpoint',
    ],
    [
      'a zip of something else',
      { saes: [{ ...topK, checkpoint: 'test/checkpoint/fixtures/bad-other.zip' }] },
      'checkpoint-format',
      'saes[0].checkpoint',
    ],
    [
      'a pickle that calls os.system',
      { saes: [{ ...topK, checkpoint: 'test/checkpoint/fixtures/bad-os-system.pt' }] },
      'checkpoint-forbidden',
      'saes[0].checkpoint',
    ],
    [
      'a truncated file',
      { saes: [{ ...topK, checkpoint: 'truncated.pt' }] },
      'checkpoint-format',
      'saes[0].checkpoint',
    ],
    [
      'an SAE of another width than the model',
      {
        model: 'test/golden/models/llama3',
        dataset: { path: 'checkpoints/eval', seqLen: 16 },
        saes: [{ ...topK, layer: 1 }],
      },
      'sae-width',
      'saes[0].checkpoint',
    ],
    [
      'an empty file',
      { saes: [{ ...topK, checkpoint: 'empty.pt' }] },
      'checkpoint-format',
      'saes[0].checkpoint',
    ],
    [
      'a folder as a checkpoint',
      { saes: [{ ...topK, checkpoint: 'folder.pt' }] },
      'checkpoint-format',
      'saes[0].checkpoint',
    ],
    [
      'a pipe as a checkpoint',
      { saes: [{ ...topK, checkpoint: 'pipe.pt' }] },
      'file-unreadable',
      'saes[0].checkpoint',
    ],
    ['a pipe as the texts', { dataset: { path: 'pipe.jsonl' } }, 'file-unreadable', 'dataset.path'],
    [
      'a link to itself',
      { saes: [{ ...topK, checkpoint: 'loop.pt' }] },
      'file-not-found',
      'saes[0].checkpoint',
    ],
    ['a model whose files lead outside', { model: 'linked-model' }, 'path-outside-roots', 'model'],
    [
      'a file below a file',
      { saes: [{ ...topK, checkpoint: 'empty.pt/x' }] },
      'file-not-found',
      'saes[0].checkpoint',
    ],
    [
      'a folder with a link that leads outside',
      { saes: [{ ...topK, checkpoint: '.' }] },
      'path-outside-roots',
      'saes[0].checkpoint',
    ],
    [
      'a folder with a pipe as the texts',
      { dataset: { path: 'piped' } },
      'file-unreadable',
      'dataset.path',
    ],
    [
      'a folder with a link to a pipe',
      { dataset: { path: 'link-to-pipe' } },
      'file-unreadable',
      'dataset.path',
    ],
    ['a model that is none', { model: 'checkpoints/eval' }, 'file-not-found', 'model'],
    [
      'a text folder that is missing',
      { dataset: { path: 'nowhere' } },
      'file-not-found',
      'dataset.path',
    ],
    ['an unknown kind', { saes: [{ ...topK, kind: 'Sparse' }] }, 'request-invalid', 'saes[0].kind'],
    ['layer 17 of 16', { saes: [{ ...topK, layer: 17 }] }, 'sae-option', 'saes[0].layer'],
    ['a k larger than the latents', { saes: [{ ...topK, k: 1025 }] }, 'sae-option', 'saes[0].k'],
    [
      'no k',
      { saes: [{ kind: 'TopK', checkpoint: topK.checkpoint, layer: 16 }] },
      'sae-option',
      'saes[0].k',
    ],
    [
      'the wrong kind for a file',
      { saes: [{ ...topK, checkpoint: 'checkpoints/RouteSAE_tiny.pt' }] },
      'checkpoint-keys',
      'saes[0].checkpoint',
    ],
    [
      'a kind that the file cannot tell',
      { saes: [{ checkpoint: topK.checkpoint, layer: 16, k: 16 }] },
      'sae-kind',
      'saes[0].kind',
    ],
    ['a device that is not there', { device: 'cuda:97' }, 'device-unavailable', 'device'],
    [
      'sequences longer than the positions',
      { dataset: { path: 'checkpoints/eval', seqLen: 4096 } },
      'request-invalid',
      'dataset.seqLen',
    ],
    [
      'a label twice',
      {
        saes: [
          { ...topK, label: 'x' },
          { ...topK, label: 'x' },
        ],
      },
      'request-invalid',
      'saes[1].label',
    ],
    [
      'a name that every object has',
      { saes: [{ ...topK, checkpoint: '__proto__' }] },
      'file-not-found',
      'saes[0].checkpoint',
    ],
  ];
  it.each(cases)('%s', async (_, change, code, field) => {
    const response = await post(server.url, { ...smallRequest(), ...change });
    const body = await response.json();
    expect({
      status: response.status,
      code: body.code,
      fields: (body.errors ?? []).map(({ path }: { path: string }) => path),
    }).toEqual({ status: 422, code, fields: expect.arrayContaining([field]) });
    expect(JSON.stringify(body)).not.toContain(folder.path);
  });

  it.each([
    ['../secret.pt', 422],
    ['/etc/passwd', 422],
    ['a%00b', 422],
    ['', 422],
    ['nothing', 422],
    ['not-a-checkpoint.pt', 422],
  ])('inspection of %j', async (path, status) => {
    const response = await fetch(`${server.url}/v1/checkpoints/inspect?path=${path}`);
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain(folder.path);
  });
});

describe('requests that are not well-formed HTTP', () => {
  const head = 'Host: 127.0.0.1\r\n';
  it.each([
    ['no HTTP at all', 'hello\r\n\r\n', /^HTTP\/1.1 400 /],
    [
      'headers without end',
      `GET / HTTP/1.1\r\n${head}X: ${'a'.repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1.1 431 /,
    ],
    [
      'two lengths',
      `POST /v1/evaluations HTTP/1.1\r\n${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      /^HTTP\/1.1 400 /,
    ],
    [
      'length and chunks',
      `POST /v1/evaluations HTTP/1.1\r\n${head}Content-Type: ` +
        `application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      /^HTTP\/1.1 400 /,
    ],
    ['an unknown method', `BREW / HTTP/1.1\r\n${head}\r\n`, /^HTTP\/1.1 400 /],
    [
      "dots in the page's path",
      `GET /page/../../package.json HTTP/1.1\r\n${head}Connection: close\r\n\r\n`,
      /^HTTP\/1.1 404 /,
    ],
    [
      'encoded dots',
      `GET /page/%2e%2e%2f%2e%2e%2fpackage.json HTTP/1.1\r\n${head}Connection: close\r\n\r\n`,
      /^HTTP\/1.1 404 /,
    ],
    [
      'dots among the files of the documentation',
      `GET /docs/static/../../package.json HTTP/1.1\r\n${head}Connection: close\r\n\r\n`,
      /^HTTP\/1.1 404 /,
    ],
    [
      'two Hosts',
      `GET /v1/kinds HTTP/1.1\r\n${head}Host: evil.example\r\nConnection: close\r\n\r\n`,
      /^HTTP\/1.1 403 /,
    ],
    [
      'a negative length',
      `POST /v1/evaluations HTTP/1.1\r\n${head}Content-Type: ` +
        `application/json\r\nContent-Length: -1\r\n\r\n{}`,
      /^HTTP\/1.1 400 /,
    ],
    [
      'a chunk that is none',
      `POST /v1/evaluations HTTP/1.1\r\n${head}Content-Type: ` +
        `application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      /^HTTP\/1.1 400 /,
    ],
    [
      'chunks without end',
      `POST /v1/evaluations HTTP/1.1\r\n${head}Content-Type: ` +
        `application/json\r\nTransfer-Encoding: chunked\r\nConnection: ` +
        `close\r\n\r\n${`20000\r\n${'a'.repeat(0x20000)}\r\n`.repeat(9)}`,
      /^HTTP\/1.1 413 /,
    ],
    ['a NUL in a header', `GET /v1/kinds HTTP/1.1\r\n${head}X: a\0b\r\n\r\n`, /^HTTP\/1.1 400 /],
    [
      'an expectation of its own',
      `GET /v1/kinds HTTP/1.1\r\n${head}Expect: wonders\r\nConnection: close\r\n\r\n`,
      /^HTTP\/1.1 417 /,
    ],
    ['the start of TLS', '\x16\x03\x01\x02\x00', /^HTTP\/1.1 400 /],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1.1 400 /],
    [
      'two requests at once',
      `GET /healthz HTTP/1.1\r\n${head}\r\nGET /v1/nothing HTTP/1.1\r\n${head}Connection: ` +
        `close\r\n\r\n`,
      /^HTTP\/1.1 200 [^]*HTTP\/1.1 404 /,
    ],
    [
      'a body of another JSON',
      `POST /v1/evaluations HTTP/1.1\r\n${head}Content-Type: ` +
        `application/merge-patch+json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      /^HTTP\/1.1 415 /,
    ],
    [
      'a body that is not UTF-8',
      `POST /v1/evaluations HTTP/1.1\r\n${head}Content-Type: ` +
        `application/json\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\xff\xfe{}`,
      /^HTTP\/1.1 400 /,
    ],
    ['no Host', 'GET /v1/kinds HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1.1 400 /],
    [
      'an address that is too long',
      `GET /v1/evaluations/${'a'.repeat(1000)} HTTP/1.1\r\n${head}Connection: close\r\n\r\n`,
      /^HTTP\/1.1 404 /,
    ],
  ])('%s', async (_, text, expected) => {
    expect(await raw(text)).toMatch(expected);
  });

  it('a body that comes too slowly is given up', async () => {
    const body =
      `POST /v1/evaluations HTTP/1.1\r\n${head}Content-Type: ` +
      `application/json\r\nContent-Length: 100\r\n\r\n${' '.repeat(100)}`;
    expect(await raw(body, { piece: 10, everyMs: 300 })).toMatch(/^HTTP\/1.1 408 /);
  });

  it('of a key that comes twice the last counts', async () => {
    const response = await fetch(`${server.url}/v1/evaluations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...smallRequest(), seed: 1 }).replace(
        '"seed":1',
        '"seed":1,"seed":"two"',
      ),
    });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      code: 'request-invalid',
      errors: [{ path: 'seed' }],
    });
  });

  it('of a parameter that comes twice neither counts', async () => {
    for (const path of [
      '/v1/evaluations?limit=1&limit=2',
      '/v1/checkpoints/inspect?path=checkpoints/TopK_tiny.pt&path=empty.pt',
      '/v1/evaluations?status=failed&status=queued',
    ]) {
      const response = await fetch(`${server.url}${path}`);
      expect({ path, status: response.status, code: (await response.json()).code }).toEqual({
        path,
        status: 422,
        code: 'request-invalid',
      });
    }
  });

  it('deep nesting is an ordinary mistake', async () => {
    const response = await fetch(`${server.url}/v1/evaluations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `${'['.repeat(200_000)}${']'.repeat(200_000)}`,
    });
    expect(response.status).toBe(422);
  });
});

describe('too much', () => {
  it('asks of the documentation what it cannot have', async () => {
    const [, style] = /href="\.\/(static\/[\w-]+\.css)"/.exec(
      await (await fetch(`${server.url}/docs/`)).text(),
    )!;
    for (const [name, value] of [
      ['range', 'bytes=99999999-'],
      ['range', 'junk'],
      ['if-match', 'x'],
      ['if-unmodified-since', 'Thu, 01 Jan 1970 00:00:00 GMT'],
    ] as const) {
      const { status } = await fetch(`${server.url}/docs/${style}`, { headers: { [name]: value } });
      expect({ name, value, isFault: status >= 500 }).toEqual({ name, value, isFault: false });
    }
  });

  it('a full queue refuses what comes', { timeout: full ? 900_000 : 120_000 }, async () => {
    const count = full ? 10_000 : 60;
    const statuses = new Map<number, number>();
    for (let sent = 0; sent < count; sent += 20) {
      const batch = Array.from({ length: 20 }, () =>
        post(
          server.url,
          smallRequest({ dataset: { path: 'checkpoints/eval', maxSamples: 2000, seqLen: 512 } }),
        ),
      );
      for (const { status } of await Promise.all(batch))
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses.keys()].sort()).toEqual(expect.arrayContaining([202, 429]));
    expect([...statuses.keys()].every((status) => [202, 429, 503].includes(status))).toBe(true);
    expect(statuses.get(202)).toBeLessThanOrEqual(5);
    const { items } = await (
      await fetch(`${server.url}/v1/evaluations?status=queued,running`)
    ).json();
    for (const { id } of items)
      expect((await fetch(`${server.url}/v1/evaluations/${id}`, { method: 'DELETE' })).status).toBe(
        202,
      );
  });

  it('text without a usable sample fails the evaluation with the reason', async () => {
    const response = await fetch(`${server.url}/v1/evaluations?wait=60`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...smallRequest(), dataset: { path: 'blank', seqLen: 16 } }),
    });
    const record = (await response.json()) as {
      status: string;
      error: { code: string; message: string };
    };
    expect(record).toMatchObject({ status: 'failed', error: { code: 'dataset-invalid' } });
    expect(record.error.message).not.toMatch(/\n\s+at /);
  });

  it('and the server lives', async () => {
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });
});

describe('rate limit', () => {
  it(
    'holds for addresses that are none, and for callers without a known key, apart from ' +
      'those with one',
    async () => {
      const other = temporaryFolder();
      const file = join(other.path, 'keys.json');
      const key = addKey({ file, label: 'known' });
      const limited = await serve(other.path, { requestsPerMinute: 3, apiKeys: file });
      const statuses = async (path: string, value: string): Promise<number[]> => {
        const found: number[] = [];
        for (let sent = 0; sent < 4; sent++) {
          const answer = await fetch(`${limited.url}${path}`, {
            headers: { authorization: `Bearer ${value}` },
          });
          found.push(answer.status);
          if (answer.status === 429)
            expect({
              code: (await answer.json()).code,
              after: Number(answer.headers.get('retry-after')) > 0,
            }).toEqual({ code: 'rate-limited', after: true });
        }
        return found;
      };
      try {
        expect(await statuses('/v1/kinds', 'guessed')).toEqual([401, 401, 401, 429]);
        expect(await statuses('/nothing', key)).toEqual([404, 404, 404, 429]);
        expect((await fetch(`${limited.url}/healthz`)).status).toBe(200);
      } finally {
        await limited.close();
        other.remove();
      }
    },
  );

  it('answers 429 and says when to come back', async () => {
    const other = temporaryFolder();
    const limited = await serve(other.path, { requestsPerMinute: 3 });
    try {
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => fetch(`${limited.url}/v1/kinds`)),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429]);
      const refused = answers.find(({ status }) => status === 429)!;
      expect(await refused.json()).toMatchObject({ code: 'rate-limited' });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    } finally {
      await limited.close();
      other.remove();
    }
  });
});
