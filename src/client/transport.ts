/** Sends requests with an API key, and repeats those that are safe to repeat. */
import { BusyError, ConnectionError, errorOf, ProblemError } from './errors.js';

export interface TransportOptions {
  /** API key, sent with every request. */
  apiKey?: string;
  /** Function that sends requests; default: the global `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** Most repetitions of a request that is safe to repeat; default 3. */
  retries?: number;
}

export interface Call {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  /** A list of values repeats the parameter. */
  query?: Readonly<Record<string, string | number | readonly string[] | undefined>>;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  /** Whether the request is safe to repeat; default: for GET. */
  repeatable?: boolean;
}

/** Text that a header can carry. */
const headerValue = /^[\x20-\x7e]*$/;

/** Seconds; a longer `Retry-After` is an error at once. */
const longestRetryAfter = 60;

/** Waits. @throws the reason of the signal if it aborts first. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Milliseconds before a retry: 500, 1000, 2000, …, randomized so that clients spread out. */
export function backOff(attempt: number, retryAfter: number | null = null): number {
  return retryAfter === null
    ? 500 * 2 ** Math.min(attempt, 5) * (0.75 + Math.random() / 2)
    : retryAfter * 1000;
}

function isPassing(error: unknown): error is ConnectionError | ProblemError {
  if (error instanceof ConnectionError || error instanceof BusyError) return true;
  return error instanceof ProblemError && (error.status === 502 || error.status === 504);
}

export class Transport {
  readonly #base: string;
  readonly #options: TransportOptions;

  /** @throws TypeError for an address or a key with which no request can be sent. */
  constructor(url: string, options: TransportOptions) {
    if (!/^https?:\/\/[^/]/i.test(url) || !URL.canParse(url))
      throw new TypeError(`Expected the server's address, http://… or https://…, found ${url}.`);
    // The key itself is not shown: the message may end in somebody's log.
    if (options.apiKey !== undefined && !headerValue.test(options.apiKey))
      throw new TypeError('apiKey: expected printable ASCII characters on one line.');
    this.#base = url.replace(/\/+$/, '');
    this.#options = options;
  }

  /** A successful answer, its body unread. @throws ProblemError, ConnectionError. */
  async send(call: Call): Promise<Response> {
    return this.#untilItWorks(call, (response) => Promise.resolve(response));
  }

  async json<T>(call: Call): Promise<T> {
    return this.#untilItWorks(
      { ...call, headers: { accept: 'application/json', ...call.headers } },
      async (response) => (await response.json()) as T,
    );
  }

  async text(call: Call): Promise<string> {
    return this.#untilItWorks(call, (response) => response.text());
  }

  /** Sends a request and reads its answer; repeats both if that is safe and may help. */
  async #untilItWorks<T>(
    { repeatable, ...call }: Call,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { retries = 3 } = this.#options;
    const most = (repeatable ?? call.method === 'GET') ? retries : 0;
    for (let attempt = 0; ; attempt++) {
      try {
        const response = await this.#once(call);
        return await read(response).catch((cause: unknown) => {
          call.signal?.throwIfAborted();
          throw new ConnectionError(
            `The answer of ${call.method} ${call.path} broke off or has an unexpected content.`,
            { cause },
          );
        });
      } catch (error) {
        const retryAfter = error instanceof ProblemError ? error.retryAfter : null;
        if (attempt >= most || !isPassing(error) || (retryAfter ?? 0) > longestRetryAfter)
          throw error;
        await pause(backOff(attempt, retryAfter), call.signal);
      }
    }
  }

  async #once({
    method,
    path,
    query = {},
    body,
    headers = {},
    signal,
  }: Omit<Call, 'repeatable'>): Promise<Response> {
    const { apiKey, fetch = globalThis.fetch } = this.#options;
    for (const [name, value] of Object.entries(headers))
      if (!headerValue.test(value))
        throw new TypeError(`${name}: expected printable ASCII characters on one line.`);
    const parameters = new URLSearchParams(
      Object.entries(query).flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [value].flat().map((one) => [name, String(one)]),
      ),
    );
    const target = `${this.#base}${path}${parameters.size > 0 ? `?${parameters.toString()}` : ''}`;
    let response: Response;
    try {
      response = await fetch(target, {
        method,
        headers: {
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (cause) {
      signal?.throwIfAborted();
      throw new ConnectionError(`${method} ${target} did not reach a server: ${reasonOf(cause)}.`, {
        cause,
      });
    }
    if (!response.ok) throw await errorOf(response);
    return response;
  }
}

/** Text of an error of `fetch`, which says in its cause what went wrong. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { cause, message } = thrown;
  return cause instanceof Error && cause.message !== '' ? `${message} (${cause.message})` : message;
}
