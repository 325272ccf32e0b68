/**
 * The client of an sae-eval server. Imports nothing native and nothing of Node: it runs in browsers
 * too.
 */
import type {
  CheckpointDescription,
  CheckpointEntry,
  ComparisonRequest,
  DatasetEntry,
  Device,
  EvaluationEvent,
  EvaluationList,
  EvaluationRecord,
  EvaluationStatus,
  EvaluationSummary,
  Kind,
  ModelEntry,
  ReportFormat,
  ReportLanguage,
} from '../schema/record.js';
import type { EvaluationRequest } from '../schema/request.js';
import { hasEnded } from '../schema/status.js';
import {
  BusyError,
  ConflictError,
  ConnectionError,
  EvaluationFailedError,
  ProblemError,
  SaeEvalClientError,
} from './errors.js';
import { readEventStream, within } from './event-stream.js';
import { backOff, pause, Transport, type TransportOptions } from './transport.js';

export type SaeEvalClientOptions = TransportOptions;

export interface CallOptions {
  /** Gives the call up; its reason is thrown. It does not cancel the evaluation. */
  signal?: AbortSignal;
}

export interface EvaluateOptions extends CallOptions {
  /**
   * Waits for the end, or for at most so many seconds; the record of an ended evaluation has the
   * result. Default: returns as soon as it is accepted.
   */
  wait?: boolean | number;
  /**
   * The same key and request give the same evaluation. Default: a new key, so that a lost answer is
   * no second evaluation.
   */
  idempotencyKey?: string;
  /** Each event while waiting. */
  onEvent?: (event: EvaluationEvent) => void;
}

export interface ListOptions extends CallOptions {
  status?: EvaluationStatus | readonly EvaluationStatus[];
  /** Only evaluations of an SAE with this label. */
  label?: string;
  limit?: number;
  cursor?: string;
}

export interface ReportOptions extends CallOptions {
  /** Default md. */
  format?: ReportFormat;
  /** Default en. */
  lang?: ReportLanguage;
}

export interface WatchOptions extends CallOptions {
  /** Continues after this event. */
  lastEventId?: string;
  /**
   * How often in a row the connection may fail before its error is thrown; default 20, about three
   * minutes.
   */
  attempts?: number;
  /**
   * Seconds without a sign of life, heartbeats included, after which a connection is taken for
   * dead; default 60.
   */
  silence?: number;
  /** Told of each failure, before the connection is opened again. */
  onFailure?: (error: unknown) => void;
}

const evaluationPath = (id: string): string => `/v1/evaluations/${encodeURIComponent(id)}`;

/**
 * @example
 * const client = new SaeEvalClient('http://127.0.0.1:8787');
 * const record = await client.evaluate(request, { wait: true });
 * console.log(record.result?.results[0]?.strict?.KLDivPerToken?.mean);
 * console.log(await client.report(record.id, { lang: 'zh' }));
 */
export class SaeEvalClient {
  readonly #transport: Transport;

  /**
   * @param url of the server, such as `http://127.0.0.1:8787`; in a browser `''` for the page's
   *   own.
   */
  constructor(url: string, options: SaeEvalClientOptions = {}) {
    this.#transport = new Transport(url, options);
  }

  /**
   * Submits an evaluation, and waits for its end if asked to. When the seconds of `wait` are over
   * first, the record is the running one's.
   * @throws InvalidRequestError naming the fields; with `wait` EvaluationFailedError when it
   *   fails or is cancelled.
   */
  async evaluate(
    request: EvaluationRequest,
    { wait = false, idempotencyKey = newKey(), onEvent, signal }: EvaluateOptions = {},
  ): Promise<EvaluationRecord> {
    const record = await this.#transport.json<EvaluationRecord>({
      method: 'POST',
      path: '/v1/evaluations',
      body: request,
      signal,
      headers: { 'idempotency-key': idempotencyKey },
      repeatable: true,
    });
    if (wait === false || wait === 0) return record;
    const options = signal === undefined ? {} : { signal };
    const limit = typeof wait === 'number' ? AbortSignal.timeout(wait * 1000) : undefined;
    const both = [signal, limit].filter((one) => one !== undefined);
    try {
      for await (const event of this.watch(
        record.id,
        both.length === 0 ? {} : { signal: AbortSignal.any(both) },
      ))
        onEvent?.(event);
    } catch (error) {
      signal?.throwIfAborted();
      if (limit?.aborted !== true) throw error;
    }
    const latest = await this.get(record.id, options);
    if (latest.result === null && hasEnded(latest.status)) throw new EvaluationFailedError(latest);
    return latest;
  }

  /** The record of an evaluation, with its result once it has ended. */
  async get(id: string, { signal }: CallOptions = {}): Promise<EvaluationRecord> {
    return this.#transport.json({ method: 'GET', path: evaluationPath(id), signal });
  }

  /** One page of evaluations, newest first. */
  async list({ status, label, limit, cursor, signal }: ListOptions = {}): Promise<EvaluationList> {
    const statuses = status === undefined ? undefined : [status].flat().join(',');
    return this.#transport.json({
      method: 'GET',
      path: '/v1/evaluations',
      query: { status: statuses, label, limit, cursor },
      signal,
    });
  }

  /**
   * Cancels a waiting or running evaluation; one that has ended stays as it is, and is what is
   * returned.
   */
  async cancel(id: string, { signal }: CallOptions = {}): Promise<EvaluationSummary> {
    try {
      // Not what has ended meanwhile: without `expect` that would be removed.
      return await this.#transport.json({
        method: 'DELETE',
        path: evaluationPath(id),
        query: { expect: 'active' },
        signal,
        repeatable: true,
      });
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      const { result: _, ...summary } = await this.#transport.json<EvaluationRecord>({
        method: 'GET',
        path: evaluationPath(id),
        signal,
      });
      return summary;
    }
  }

  /**
   * Removes an evaluation that has ended. @throws ConflictError for one that has not: cancel it
   * first.
   */
  async remove(id: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#transport.send({
      method: 'DELETE',
      path: evaluationPath(id),
      query: { expect: 'ended' },
      signal,
    });
  }

  /** The report of an evaluation that has ended, as text. */
  async report(
    id: string,
    { format = 'md', lang = 'en', signal }: ReportOptions = {},
  ): Promise<string> {
    return this.#transport.text({
      method: 'GET',
      path: `${evaluationPath(id)}/report`,
      query: { format, lang },
      signal,
    });
  }

  /** One report that compares several evaluations. */
  async compare(
    evaluations: readonly string[],
    { format = 'md', lang = 'en', signal }: ReportOptions = {},
  ): Promise<string> {
    const body: ComparisonRequest = { evaluations: [...evaluations], format, lang };
    return this.#transport.text({
      method: 'POST',
      path: '/v1/reports',
      body,
      signal,
      repeatable: true,
    });
  }

  /** What is in a checkpoint file and what it can be. */
  async inspect(path: string, { signal }: CallOptions = {}): Promise<CheckpointDescription> {
    return this.#transport.json({
      method: 'GET',
      path: '/v1/checkpoints/inspect',
      query: { path },
      signal,
    });
  }

  async kinds(options: CallOptions = {}): Promise<Kind[]> {
    return this.#items('/v1/kinds', options);
  }

  async devices(options: CallOptions = {}): Promise<Device[]> {
    return this.#items('/v1/devices', options);
  }

  async checkpoints(options: CallOptions = {}): Promise<CheckpointEntry[]> {
    return this.#items('/v1/checkpoints', options);
  }

  async models(options: CallOptions = {}): Promise<ModelEntry[]> {
    return this.#items('/v1/models', options);
  }

  async datasets(options: CallOptions = {}): Promise<DatasetEntry[]> {
    return this.#items('/v1/datasets', options);
  }

  /**
   * The events of an evaluation until its end. A connection that breaks is opened again and
   * continues after the last event, and so does one that went silent: a laptop that slept is not
   * told that its connection is gone. Stop early with `break` or the signal.
   *
   * @example
   * for await (const event of client.watch(id)) if (event.event === 'progress') console.log(event.data.progress?.samples);
   */
  async *watch(
    id: string,
    { signal, lastEventId = '', attempts = 20, silence = 60, onFailure }: WatchOptions = {},
  ): AsyncGenerator<EvaluationEvent, void, undefined> {
    let last = lastEventId;
    let retryAfter: number | null = null;
    for (let failures = 0; ; failures++) {
      if (failures > 0)
        await pause(
          Math.max(Math.min(backOff(failures - 1), 10_000), (retryAfter ?? 0) * 1000),
          signal,
        );
      retryAfter = null;
      const connection = new AbortController();
      const give = (): void => connection.abort(signal?.reason);
      signal?.addEventListener('abort', give, { once: true });
      try {
        // This loop is what tries again.
        const response = await within(
          silence,
          this.#transport.send({
            method: 'GET',
            path: `${evaluationPath(id)}/events`,
            signal: connection.signal,
            repeatable: false,
            headers: {
              accept: 'text/event-stream',
              ...(last === '' ? {} : { 'last-event-id': last }),
            },
          }),
        );
        // 204: everything was received before.
        if (response.status === 204 || response.body === null) return;
        for await (const { event, id: eventId, data } of readEventStream(response.body, {
          silence,
        })) {
          last = eventId;
          failures = 0;
          yield { event, id: eventId, data: JSON.parse(data) as unknown } as EvaluationEvent;
          if (event === 'end') return;
        }
        throw new ConnectionError(`The events of evaluation ${id} broke off.`);
      } catch (error) {
        signal?.throwIfAborted();
        const isBusy = error instanceof BusyError;
        if (error instanceof ProblemError && error.status < 500 && !isBusy) throw error;
        if (failures >= attempts)
          throw error instanceof SaeEvalClientError
            ? error
            : new ConnectionError(`The events of evaluation ${id} broke off.`, { cause: error });
        if (isBusy) ({ retryAfter } = error);
        onFailure?.(error);
      } finally {
        signal?.removeEventListener('abort', give);
        connection.abort();
      }
    }
  }

  async #items<T>(path: string, { signal }: CallOptions): Promise<T[]> {
    return (await this.#transport.json<{ items: T[] }>({ method: 'GET', path, signal })).items;
  }
}

/**
 * `crypto.randomUUID` exists in secure contexts only; a lab's server may be reached over plain
 * HTTP.
 */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}
