/**
 * `/v1/evaluations/:id/events`: server-sent events (WHATWG HTML, 9.2) with ids and heartbeats; a
 * watcher can resume.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import { hasEnded, type EvaluationEvent, type EvaluationSummary } from '../../src/schema/record.js';
import { endIdOf, resultIdOf } from '../jobs/events.js';
import { presenceOf, refuseIfGone } from '../presence.js';
import type { Services } from '../services.js';
import { readResult, splitResult } from '../split-result.js';
import { acceptable, problems, type Api } from './api.js';
import { clientOf } from '../submission.js';
import type { UnreadAnswers } from '../unread.js';
import { existingSummary, idParameters } from './records.js';

const eventHeaders = z.object({
  'last-event-id': z
    .string()
    .max(100)
    .optional()
    .describe('Id of the last event received; the stream resumes after it.'),
});
/** Bytes that may wait for a slow watcher before it is cut off. The watcher can resume. */
const mostBuffered = 4 * 1024 * 1024;

/** Characters of a stored result up to which reading it delays others less than a thread would. */
const quicklyRead = 128 * 1024;

const eventText = (event: string, id: number | string, data: string): string =>
  `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;

/** Texts of events, made once for all watchers. */
const texts = new WeakMap<EvaluationEvent, string>();

function textOf(event: EvaluationEvent): string {
  let text = texts.get(event);
  if (text === undefined)
    texts.set(event, (text = eventText(event.event, event.id, JSON.stringify(event.data))));
  return text;
}

function write(stream: ServerResponse, event: EvaluationEvent): void {
  if (stream.writableEnded || stream.destroyed) return;
  if (stream.writableLength > mostBuffered) return void stream.destroy();
  stream.write(textOf(event));
  if (event.event === 'end') stream.end();
}

/** Events of an ended evaluation that a watcher has not seen, who saw those up to `after`. */
async function endingTexts(
  { store, reads }: Services,
  { request, signal }: { request: FastifyRequest; signal: AbortSignal },
  { summary, after }: { summary: EvaluationSummary; after: number },
): Promise<string[]> {
  const end = endIdOf(summary);
  // A later id is that of a progress from before the clock was set back.
  const seen = after > end ? 0 : after;
  if (seen === end) return [];
  const stored = store.evaluations.resultText(summary.id);
  let results: string[] = [];
  if (stored !== null)
    results =
      stored.text.length <= quicklyRead
        ? splitResult(readResult(stored))
        : await reads.split(stored, { client: clientOf(request), signal });
  return [
    ...results.flatMap((data, index) => {
      const id = resultIdOf(summary, index);
      return id > seen ? [eventText('result', id, data)] : [];
    }),
    eventText('end', end, JSON.stringify(summary)),
  ];
}

/** Open streams by client, so that they can be counted and ended. */
export class Streams {
  readonly #open = new Map<ServerResponse, string>();

  get size(): number {
    return this.#open.size;
  }

  sizeOf(client: string): number {
    let count = 0;
    for (const owner of this.#open.values()) if (owner === client) count += 1;
    return count;
  }

  /** @param revoked aborts when the watcher's key is revoked, which ends the stream. */
  add(
    stream: ServerResponse,
    { client, revoked }: { client: string; revoked: AbortSignal | null },
  ): void {
    const end = (): void => void stream.end(': the API key was revoked\n\n');
    this.#open.set(stream, client);
    revoked?.addEventListener('abort', end, { once: true });
    stream.once('close', () => {
      revoked?.removeEventListener('abort', end);
      this.#open.delete(stream);
    });
  }

  endAll(): void {
    for (const stream of this.#open.keys()) stream.end(': the server stops\n\n');
  }
}

export function registerEvents(
  app: Api,
  services: Services,
  { streams, unread }: { streams: Streams; unread: UnreadAnswers },
): void {
  const { hub, options } = services;
  app.route({
    method: 'GET',
    url: '/evaluations/:id/events',
    exposeHeadRoute: false,
    config: { streams: true },
    schema: {
      operationId: 'watchEvaluation',
      tags: ['evaluations'],
      summary: 'Watch an evaluation: events `progress`, `result` (current values of an SAE), `end`',
      params: idParameters,
      headers: eventHeaders,
      response: {
        200: {
          description: 'Stream of events.',
          content: { 'text/event-stream': { schema: z.string() } },
        },
        204: z.undefined().describe('The caller has received all events, the end included.'),
        ...problems(404, 406, 422, 500, 503),
      },
    },
    handler: async (request, reply) => {
      acceptable(request, ['text/event-stream']);
      const record = existingSummary(services, request, request.params.id);
      const last = Number(request.headers['last-event-id']);
      const after = Number.isFinite(last) ? last : 0;
      const signal = presenceOf(request, reply);
      const ended = hasEnded(record.status)
        ? await endingTexts(services, { request, signal }, { summary: record, after })
        : null;
      refuseIfGone(signal);
      if (ended?.length === 0) return reply.code(204).send();
      if (services.queue.stopping) throw new SaeEvalError('unavailable', 'The server is stopping.');
      if (streams.size >= options.maxWatchers)
        throw new SaeEvalError(
          'unavailable',
          `${options.maxWatchers} event streams are open, the server's limit; try again in ` +
            'a moment.',
        );
      const client = clientOf(request);
      if (streams.sizeOf(client) >= options.maxWatchersPerClient)
        throw new SaeEvalError(
          'unavailable',
          `You have ${options.maxWatchersPerClient} open event streams, the limit for one ` +
            'client; close some.',
        );

      if (ended !== null)
        unread.add(
          reply,
          ended.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
        );

      reply.hijack();
      const stream = reply.raw;
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) stream.setHeader(name, value);
      stream.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
      });
      stream.write('retry: 2000\n\n');
      stream.on('error', () => stream.destroy());
      streams.add(stream, { client, revoked: request.keyRevoked });
      if (ended !== null) {
        Readable.from(ended).pipe(stream);
        return reply;
      }
      const heartbeat = setInterval(
        () => stream.write(': heartbeat\n\n'),
        options.heartbeat * 1000,
      );
      const unwatch = hub.watch(record, after, (event) => write(stream, event));
      stream.once('close', () => {
        clearInterval(heartbeat);
        unwatch();
      });
      return reply;
    },
  });
}
