/**
 * The client against real sockets that misbehave: retries, reconnection, abortion, error classes.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readFileSync, readdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  BusyError,
  ConnectionError,
  InvalidRequestError,
  NotFoundError,
  ProblemError,
  resultOf,
  SaeEvalClient,
  valueOf,
  type EvaluationEvent,
  type EvaluationRecord,
  type EvaluationResult,
  type SaeResult,
} from '#src/client/index.js';

type Handler = (
  request: IncomingMessage & { body: string },
  response: ServerResponse,
  call: number,
) => void;
let server: Server | undefined;
let calls = 0;

/** A server that does what a test wants; `call` counts from 1. */
async function listen(handler: Handler): Promise<string> {
  calls = 0;
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => handler(Object.assign(request, { body }), response, ++calls));
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify(body));
}
const problem = (status: number, code: string): object => ({
  type: `/problems/${code}`,
  title: code,
  status,
  detail: `about ${code}`,
  code,
  errors: [{ path: 'saes[0].k', message: 'wrong' }],
});
const request = { model: 'm', dataset: { path: 'd' }, saes: [{ checkpoint: 'c' }] };

describe('errors', () => {
  it.each([
    [422, InvalidRequestError],
    [400, InvalidRequestError],
    [404, NotFoundError],
    [429, BusyError],
    [500, ProblemError],
  ])('%i', async (status, kind) => {
    const client = new SaeEvalClient(
      await listen((_, response) => json(response, status, problem(status, 'request-invalid'))),
      { retries: 0 },
    );
    const error = await client.get('x').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({
      status,
      code: 'request-invalid',
      fields: [{ path: 'saes[0].k', message: 'wrong' }],
      message: 'about request-invalid',
    });
  });

  it('of something that is no sae-eval server, and of none', async () => {
    const url = await listen((_, response) => response.writeHead(502).end('<html>bad gateway'));
    await expect(new SaeEvalClient(url, { retries: 0 }).get('x')).rejects.toMatchObject({
      status: 502,
      message: '<html>bad gateway',
    });
    await expect(
      new SaeEvalClient('http://127.0.0.1:1', { retries: 0 }).kinds(),
    ).rejects.toBeInstanceOf(ConnectionError);
  });
});

describe('what cannot be sent', () => {
  it('is refused before it is sent, and shows no key', async () => {
    for (const url of ['127.0.0.1:8787', 'localhost:8787', 'ftp://x', ''])
      expect(() => new SaeEvalClient(url)).toThrow(/the server's address, http:\/\//);
    for (const apiKey of ['sae_secret\nline', 'ключ'])
      expect(() => new SaeEvalClient('http://127.0.0.1:1', { apiKey })).toThrow(
        /^apiKey: expected printable ASCII characters on one line\.$/,
      );
    const url = await listen((_, response) => json(response, 202, { id: 'a', status: 'queued' }));
    const client = new SaeEvalClient(url);
    for (const wait of [-1, NaN, Infinity])
      await expect(client.evaluate(request, { wait })).rejects.toThrow(/^wait: expected seconds/);
    await expect(client.evaluate(request, { idempotencyKey: '中' })).rejects.toThrow(
      /^idempotency-key: expected printable ASCII/,
    );
    expect(calls).toBe(0);
  });
});

describe('retries', () => {
  it('GET and keyed POST are sent again, with the same key', async () => {
    const keys = new Set<string>();
    const url = await listen((incoming, response, call) => {
      keys.add(String(incoming.headers['idempotency-key']));
      if (call === 1) incoming.socket.destroy();
      else if (call === 2) json(response, 503, problem(503, 'unavailable'), { 'retry-after': '0' });
      else json(response, 202, { id: 'a', status: 'queued' });
    });
    expect(await new SaeEvalClient(url).evaluate(request)).toMatchObject({ id: 'a' });
    expect(calls).toBe(3);
    expect(keys.size).toBe(1);
  });

  it('cancel is sent again, and only cancels: what ended meanwhile is left alone', async () => {
    const targets: string[] = [];
    const url = await listen((incoming, response, call) => {
      targets.push(`${incoming.method} ${incoming.url}`);
      if (call === 1) incoming.socket.destroy();
      else if (incoming.method === 'DELETE') json(response, 409, problem(409, 'already-ended'));
      else json(response, 200, { id: 'a', status: 'succeeded', result: { results: [] } });
    });
    expect(await new SaeEvalClient(url).cancel('a')).toEqual({ id: 'a', status: 'succeeded' });
    expect(targets).toEqual([
      'DELETE /v1/evaluations/a?expect=active',
      'DELETE /v1/evaluations/a?expect=active',
      'GET /v1/evaluations/a?fields=summary',
    ]);
  });

  it('remove is not: a second one would find nothing', async () => {
    const url = await listen((incoming) => incoming.socket.destroy());
    await expect(new SaeEvalClient(url).remove('a')).rejects.toBeInstanceOf(ConnectionError);
    expect(calls).toBe(1);
  });

  it('an answer that breaks off is asked for again; its error is the client’s', async () => {
    const broken = (response: ServerResponse): void => {
      response
        .writeHead(200, { 'content-type': 'text/markdown', 'content-length': 100 })
        .write('# Rep');
      setTimeout(() => response.destroy(), 20);
    };
    const url = await listen((_, response, call) =>
      call === 1 ? broken(response) : response.end('# Report'),
    );
    expect(await new SaeEvalClient(url).report('a')).toBe('# Report');
    server!
      .removeAllListeners('request')
      .on('request', (_, response: ServerResponse) => broken(response));
    await expect(new SaeEvalClient(url, { retries: 0 }).report('a')).rejects.toBeInstanceOf(
      ConnectionError,
    );
    await expect(new SaeEvalClient(url, { retries: 0 }).get('a')).rejects.toBeInstanceOf(
      ConnectionError,
    );
  });

  it('nobody is kept waiting for an hour', async () => {
    const url = await listen((_, response) =>
      json(response, 429, problem(429, 'rate-limited'), { 'retry-after': '3600' }),
    );
    await expect(new SaeEvalClient(url).kinds()).rejects.toMatchObject({
      name: 'BusyError',
      retryAfter: 3600,
    });
    expect(calls).toBe(1);
  });

  it('stop at what repeating cannot mend', async () => {
    const url = await listen((_, response) => json(response, 422, problem(422, 'sae-option')));
    await expect(new SaeEvalClient(url).evaluate(request)).rejects.toBeInstanceOf(
      InvalidRequestError,
    );
    expect(calls).toBe(1);
  });
});

describe('watch', () => {
  const event = (id: number, name = 'progress'): string =>
    `id: ${id}\r\nevent: ${name}\r\ndata: {"n":\r\ndata: ${id}}\r\n\r\n`;

  it('reconnects after the last event, whatever the pieces it comes in', async () => {
    const seen: (string | undefined)[] = [];
    const url = await listen((incoming, response, call) => {
      seen.push(incoming.headers['last-event-id'] as string | undefined);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (call === 1) {
        const text =
          `retry: 100\n: comment\n\n${event(1)}${event(2)}` + 'id: 3\nevent: progress\ndata: half';
        let at = 0;
        const timer = setInterval(() => {
          if (at >= text.length) {
            clearInterval(timer);
            response.destroy();
          } else response.write(text.slice(at, (at += 7)));
        }, 1);
      } else response.end(`${event(3)}${event(4, 'end')}`);
    });
    const events: EvaluationEvent[] = [];
    for await (const item of new SaeEvalClient(url).watch('a')) events.push(item);
    expect(events.map(({ event: name, id, data }) => [name, id, data])).toEqual([
      ['progress', '1', { n: 1 }],
      ['progress', '2', { n: 2 }],
      ['progress', '3', { n: 3 }],
      ['end', '4', { n: 4 }],
    ]);
    expect(seen).toEqual([undefined, '2']);
  });

  it('reopens a connection that went silent, and one that ended too early', async () => {
    const failures: unknown[] = [];
    const url = await listen((_, response, call) => {
      // The first never answers, the second says nothing after an event, the third ends without
      // one.
      if (call === 1) return;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (call === 2) response.write(event(1));
      else response.end(call === 3 ? ': nothing\n\n' : event(2, 'end'));
    });
    const events: string[] = [];
    for await (const { id } of new SaeEvalClient(url).watch('a', {
      silence: 0.2,
      onFailure: (error) => failures.push(error),
    }))
      events.push(id);
    expect(events).toEqual(['1', '2']);
    expect(failures.map((error) => error instanceof ConnectionError)).toEqual([true, true, true]);
  });

  it('gives up after so many attempts, and waits as long as a busy server says', async () => {
    let isOver = false;
    const busy = await listen((_, response, call) => {
      if (call === 1) {
        // Of two timers of the same length the one that is set first ends first.
        setTimeout(() => (isOver = true), 1000);
        json(response, 429, problem(429, 'rate-limited'), { 'retry-after': '1' });
        return;
      }
      expect(isOver).toBe(true);
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(event(2, 'end'));
    });
    for await (const { id } of new SaeEvalClient(busy).watch('a')) expect(id).toBe('2');
    expect(isOver).toBe(true);
    await expect(
      new SaeEvalClient('http://127.0.0.1:1').watch('a', { attempts: 1 }).next(),
    ).rejects.toBeInstanceOf(ConnectionError);
  });

  it('ends with 204, throws what is final, closes when its reader stops', async () => {
    let closed = 0;
    const url = await listen((incoming, response) => {
      if (incoming.url?.includes('ended') === true) response.writeHead(204).end();
      else if (incoming.url?.includes('missing') === true)
        json(response, 404, problem(404, 'not-found'));
      else {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event(1));
        response.on('close', () => (closed += 1));
      }
    });
    const client = new SaeEvalClient(url);
    for await (const _ of client.watch('ended')) expect.unreachable();
    await expect(client.watch('missing').next()).rejects.toBeInstanceOf(NotFoundError);
    for await (const _ of client.watch('open')) break;
    const controller = new AbortController();
    const watching = (async () => {
      for await (const _ of client.watch('open', { signal: controller.signal }))
        controller.abort(new Error('enough'));
    })();
    await expect(watching).rejects.toThrow('enough');
    await vi.waitUntil(() => closed === 2, { timeout: 10_000 });
  });
});

describe('a result', () => {
  const sae = (label: string): SaeResult => ({
    ...({} as SaeResult),
    label,
    reference: { NormMSE: 0.25, KLDiv: null } as SaeResult['reference'],
    strict: { KLDivPerToken: { mean: 0.125, ci95: [0.1, 0.2] } } as SaeResult['strict'],
  });
  const result = { id: 'e', results: [sae('TopK'), sae('step 2')] } as EvaluationResult;
  const record = { id: 'e', status: 'succeeded', error: null, result } as EvaluationRecord;

  it('has one SAE for each label, and numbers by name', () => {
    const found = resultOf(record, 'step 2');
    expect(found).toBe(result.results[1]);
    expect(resultOf(result, 'TopK')).toBe(result.results[0]);
    expect(valueOf(found, 'reference.NormMSE')).toBe(0.25);
    expect(valueOf(found, 'strict.KLDivPerToken')).toBe(0.125);
    expect(valueOf(found, 'reference.KLDiv')).toBeNull();
    expect(valueOf(found, 'strict.L0')).toBeNull();
    expect(valueOf({ ...found, strict: null }, 'strict.L0')).toBeNull();
    // @ts-expect-error a histogram is no number
    valueOf(found, 'strict.DensityHistogram');
  });

  it('says which labels there are, or why there is none', () => {
    expect(() => resultOf(result, 'step2')).toThrow(
      "Evaluation e has no SAE labelled 'step2'; did you mean step 2? Its labels are TopK, step 2.",
    );
    const error = { code: 'cancelled', message: 'It was cancelled.' };
    expect(() => resultOf({ ...record, status: 'cancelled', error, result: null }, 'x')).toThrow(
      'Evaluation e (cancelled) has no result: It was cancelled.',
    );
  });
});

describe('signals', () => {
  it('give up a call, also while it waits to be sent again', async () => {
    const url = await listen((_, response) =>
      json(response, 429, problem(429, 'rate-limited'), { 'retry-after': '60' }),
    );
    await expect(
      new SaeEvalClient(url, { retries: 100 }).kinds({ signal: AbortSignal.timeout(300) }),
    ).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});

describe('the built client', () => {
  it('imports only what runs in browsers: itself, three small files and a parser', () => {
    const folder = fileURLToPath(new URL('../../dist/src/client/', import.meta.url));
    for (const name of ['schema/status.js', 'nearest-name.js'])
      expect(readFileSync(`${folder}../${name}`, 'utf8')).not.toMatch(/^import/m);
    expect(readFileSync(`${folder}../schema/result-of.js`, 'utf8').match(/^import.*/gm)).toEqual([
      "import { didYouMean } from '../nearest-name.js';",
    ]);
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.js'))) {
      for (const [, specifier] of readFileSync(folder + name, 'utf8').matchAll(
        /(?:from|import)\s*\(?'([^']+)'/g,
      ))
        expect(specifier).toMatch(
          /^(?:(?:\.\/[\w-]+|\.\.\/schema\/(?:status|result-of))\.js|eventsource-parser)$/,
        );
    }
  });
});
