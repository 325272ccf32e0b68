/** The client of an sae-eval server, for Node and browsers. */
import type { Caller } from '../schema/caller.js';
import type {
  CheckpointDescription,
  CheckpointEntry,
  DatasetEntry,
  Device,
  Kind,
  MetricEntry,
  ModelEntry,
} from '../schema/catalogue.js';
import type { Latents } from '../schema/latents.js';
import type { EvaluationList } from '../schema/list.js';
import type {
  ComparisonRequest,
  EvaluationEvent,
  EvaluationRecord,
  EvaluationSummary,
} from '../schema/record.js';
import type { EvaluationRequest } from '../schema/request.js';
import type { RunComparison, RunComparisonRequest } from '../schema/run-comparison.js';
import type { ShardList, Worker } from '../schema/shards.js';
import { hasEnded } from '../schema/status.js';
import type {
  CallOptions,
  CancelOptions,
  EvaluateOptions,
  LatentsOptions,
  ListOptions,
  ReportOptions,
  RequestPatch,
  WatchOptions,
} from './call-options.js';
import { ConflictError, EvaluationFailedError } from './errors.js';
import { evaluationPath } from './paths.js';
import { Transport, type TransportOptions } from './transport.js';
import { watch } from './watch.js';

/** Seconds; a timer holds no more milliseconds than 2³¹ − 1. */
const longestTimer = 2_147_483;

export type SaeEvalClientOptions = TransportOptions;

/**
 * Submits, watches and reports evaluations of a server.
 *
 * @example
 * const client = new SaeEvalClient('http://127.0.0.1:8787');
 * const record = await client.evaluate(request, { wait: true });
 * console.log(record.result?.results[0]?.strict?.KLDivPerToken?.mean);
 * console.log(await client.report(record.id, { lang: 'zh' }));
 */
export class SaeEvalClient {
  readonly #transport: Transport;

  /**
   * @param url address of the server, such as `http://127.0.0.1:8787`; in a browser `''` means the
   *   page's own server.
   */
  constructor(url: string, options: SaeEvalClientOptions = {}) {
    this.#transport = new Transport(url, options);
  }

  /**
   * Submits an evaluation. `wait: true` waits for its end; `wait: n` waits up to n seconds and, if
   * the evaluation is still running, returns its current record.
   *
   * @throws InvalidRequestError naming the fields; RangeError for a `wait` that is no number of
   *   seconds, before anything is sent; with `wait` EvaluationFailedError if the evaluation fails
   *   or is cancelled.
   */
  async evaluate(
    request: EvaluationRequest,
    options: EvaluateOptions = {},
  ): Promise<EvaluationRecord> {
    return this.#submit('/v1/evaluations', request, options);
  }

  /**
   * Submits the request of an evaluation again, changed by a JSON Merge Patch: objects are merged,
   * lists are replaced whole, null takes a field back to its default. The new record's `rerunOf` is
   * `id`.
   *
   * @throws what {@link evaluate} throws; NotFoundError.
   */
  async rerun(
    id: string,
    patch: RequestPatch = {},
    options: EvaluateOptions = {},
  ): Promise<EvaluationRecord> {
    return this.#submit(`${evaluationPath(id)}/rerun`, patch, options);
  }

  async #submit(
    path: string,
    body: unknown,
    { wait = false, idempotencyKey = newKey(), onEvent, signal }: EvaluateOptions,
  ): Promise<EvaluationRecord> {
    // Before anything is sent: what was submitted would have no id for the caller.
    if (typeof wait === 'number' && !(wait >= 0 && wait <= longestTimer))
      throw new RangeError(`wait: expected seconds from 0 to ${longestTimer}, found ${wait}.`);
    const record = await this.#transport.json<EvaluationRecord>({
      method: 'POST',
      path,
      body,
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

  /** Record of an evaluation, with its result if it has ended. */
  async get(id: string, { signal }: CallOptions = {}): Promise<EvaluationRecord> {
    return this.#transport.json({ method: 'GET', path: evaluationPath(id), signal });
  }

  /** Record of an evaluation without its result, which may be large. */
  async summary(id: string, { signal }: CallOptions = {}): Promise<EvaluationSummary> {
    // A server of 0.1.0 passes over `fields` and sends the result too.
    const { result: _, ...summary } = await this.#transport.json<
      EvaluationSummary & { result?: unknown }
    >({
      method: 'GET',
      path: evaluationPath(id),
      query: { fields: 'summary' },
      signal,
    });
    return summary;
  }

  /** A page of evaluations with their headline numbers, newest first or as `sort` says. */
  async list({ status, signal, ...query }: ListOptions = {}): Promise<EvaluationList> {
    const statuses = status === undefined ? undefined : [status].flat().join(',');
    return this.#transport.json({
      method: 'GET',
      path: '/v1/evaluations',
      query: { ...query, status: statuses },
      signal,
    });
  }

  /**
   * Cancels a waiting or running evaluation. An ended evaluation is left alone.
   *
   * @returns the evaluation after the call; a running one ends within a batch (`watch` tells).
   */
  async cancel(id: string, { keep, signal }: CancelOptions = {}): Promise<EvaluationSummary> {
    try {
      // Without `expect`, an evaluation that has ended meanwhile would be removed.
      return await this.#transport.json({
        method: 'DELETE',
        path: evaluationPath(id),
        query: { expect: 'active', keep },
        signal,
        repeatable: true,
      });
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      return this.summary(id, signal === undefined ? {} : { signal });
    }
  }

  /**
   * Removes an ended evaluation.
   *
   * @throws ConflictError if it has not ended: cancel it first.
   */
  async remove(id: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#transport.send({
      method: 'DELETE',
      path: evaluationPath(id),
      query: { expect: 'ended' },
      signal,
    });
  }

  /** The same as {@link remove}. */
  async delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.remove(id, options);
  }

  /** Report of an ended evaluation. */
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

  /** Report that compares several evaluations. */
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

  /**
   * Latents of an ended evaluation one by one, if its request has `latents`.
   * @throws NotFoundError if it has no latents table.
   */
  async latents(id: string, { signal, ...query }: LatentsOptions = {}): Promise<Latents> {
    return this.#transport.json({
      method: 'GET',
      path: `${evaluationPath(id)}/latents`,
      query,
      signal,
    });
  }

  /**
   * Paired differences of evaluations on the same text from one of them.
   * @throws InvalidRequestError `not-comparable` if text, positions, model or protocol differ.
   */
  async compareInPairs(
    request: RunComparisonRequest,
    { signal }: CallOptions = {},
  ): Promise<RunComparison> {
    return this.#transport.json({
      method: 'POST',
      path: '/v1/comparisons',
      body: request,
      signal,
      repeatable: true,
    });
  }

  /** Content of a checkpoint and the kinds it can be evaluated as. */
  async inspect(path: string, { signal }: CallOptions = {}): Promise<CheckpointDescription> {
    return this.#transport.json({
      method: 'GET',
      path: '/v1/checkpoints/inspect',
      query: { path },
      signal,
    });
  }

  /** Label and role of the client's API key; without keys `null` and `admin`. */
  async caller({ signal }: CallOptions = {}): Promise<Caller> {
    return this.#transport.json({ method: 'GET', path: '/v1/caller', signal });
  }

  /** Kinds of SAE. */
  async kinds(options: CallOptions = {}): Promise<Kind[]> {
    return this.#items('/v1/kinds', options);
  }

  async metrics(options: CallOptions = {}): Promise<MetricEntry[]> {
    return this.#items('/v1/metrics', options);
  }

  /** Devices of the server. */
  async devices(options: CallOptions = {}): Promise<Device[]> {
    return this.#items('/v1/devices', options);
  }

  /** Shards of an evaluation that several workers compute, with the state of each. */
  async shards(id: string, { signal }: CallOptions = {}): Promise<ShardList> {
    return this.#transport.json({ method: 'GET', path: `${evaluationPath(id)}/shards`, signal });
  }

  /** Workers of the server's queue; none if it has no queue. */
  async workers(options: CallOptions = {}): Promise<Worker[]> {
    return this.#items('/v1/workers', options);
  }

  /** Checkpoint files below the server's roots. */
  async checkpoints(options: CallOptions = {}): Promise<CheckpointEntry[]> {
    return this.#items('/v1/checkpoints', options);
  }

  /** Models below the server's roots and in its Hugging Face cache. */
  async models(options: CallOptions = {}): Promise<ModelEntry[]> {
    return this.#items('/v1/models', options);
  }

  /** Text files below the server's roots. */
  async datasets(options: CallOptions = {}): Promise<DatasetEntry[]> {
    return this.#items('/v1/datasets', options);
  }

  /**
   * Events of an evaluation until its end. A broken or silent connection is reopened and continues
   * after the last event. Stop early with `break` or the signal.
   *
   * @example
   * for await (const { event, data } of client.watch(id))
   *   if (event === 'progress') console.log(data.progress?.samples);
   */
  async *watch(
    id: string,
    options: WatchOptions = {},
  ): AsyncGenerator<EvaluationEvent, void, undefined> {
    yield* watch(this.#transport, id, options);
  }

  async #items<T>(path: string, { signal }: CallOptions): Promise<T[]> {
    return (await this.#transport.json<{ items: T[] }>({ method: 'GET', path, signal })).items;
  }
}

/** Not `crypto.randomUUID`: browsers have it in secure contexts only, not over plain HTTP. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}
