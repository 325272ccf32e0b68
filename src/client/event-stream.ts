/** Reads server-sent events from a response, with a limit on its silence. */
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { ConnectionError } from './errors.js';

/** Awaits a promise. @throws ConnectionError if it takes longer than `seconds`. */
export async function within<T>(seconds: number, waited: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silent = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ConnectionError(`The server sent nothing for ${seconds} s.`)),
      seconds * 1000,
    );
  });
  try {
    return await Promise.race([waited, silent]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Events of a stream until its end. The stream is cancelled if the caller stops reading.
 *
 * @throws ConnectionError after `silence` seconds without a byte.
 */
export async function* readEventStream(
  body: ReadableStream<Uint8Array>,
  { silence }: { silence: number },
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => events.push(event) });
  try {
    for (;;) {
      const { done, value } = await within(silence, reader.read());
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* events.splice(0);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
