/** Events of an evaluation, over as many connections as it takes. */
import type { EvaluationEvent } from '../schema/record.js';
import type { WatchOptions } from './call-options.js';
import { BusyError, ConnectionError, ProblemError, SaeEvalClientError } from './errors.js';
import { readEventStream, within } from './event-stream.js';
import { evaluationPath } from './paths.js';
import { backOff, pause, type Transport } from './transport.js';

export async function* watch(
  transport: Transport,
  id: string,
  { signal, lastEventId = '', attempts = 20, silence = 60, onFailure }: WatchOptions,
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
      const response = await within(
        silence,
        transport.send({
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
      // 204: all events were received before.
      if (response.status === 204 || response.body === null) return;
      for await (const { event, id: eventId = last, data } of readEventStream(response.body, {
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
