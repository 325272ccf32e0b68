/** Reads server-sent events from a response (WHATWG HTML, 9.2.6). */
import { ConnectionError } from './errors.js';

export interface StreamEvent {
  event: string;
  id: string;
  data: string;
}

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
): AsyncGenerator<StreamEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let event = '';
  let id = '';
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await within(silence, reader.read());
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const lines = text.split(/\r\n|\n|\r(?!$)/);
      text = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { event: event || 'message', id, data: data.join('\n') };
          event = '';
          data = [];
          continue;
        }
        const colon = line.indexOf(':');
        if (colon === 0) continue;
        const field = colon === -1 ? line : line.slice(0, colon);
        const content = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
        if (field === 'event') event = content;
        else if (field === 'id') id = content;
        else if (field === 'data') data.push(content);
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
