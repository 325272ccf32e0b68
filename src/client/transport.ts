/**
 * Requests with an API key, time-outs by signal, and retries where repeating a request cannot do
 * harm.
 */
import { BusyError, ConnectionError, errorOf, ProblemError } from './errors.js';

export interface TransportOptions {
  apiKey?: string;
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch;
  /** How often a request that is safe to repeat is tried again; default 3. */
  retries?: number;
}

export interface Call {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  /** Whether sending it twice does what sending it once does. Default: for GET. */
  repeatable?: boolean;
}

/** Seconds: who is told to come back later than this is told so, not kept waiting. */
const longestRetryAfter = 60;

/** Waits, unless the signal comes first. */
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

/**
 * Half a second, one, two, … with some chance in it, so that clients do not come back all at once.
 */
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

  constructor(url: string, options: TransportOptions) {
    this.#base = url.replace(/\/+$/, '');
    this.#options = options;
  }

  /**
   * The answer, a success, its body unread. @throws ProblemError, ConnectionError, the signal's
   * reason.
   */
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

  /** Sends and reads; both again where that can help and can do no harm. */
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
            `The answer of ${call.method} ${call.path} broke off or is not what was asked for.`,
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
    const parameters = new URLSearchParams(
      Object.entries(query).flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [[name, String(value)]],
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
      throw new ConnectionError(
        `${method} ${target} did not reach a server: ` +
          `${cause instanceof Error ? cause.message : String(cause)}.`,
        { cause },
      );
    }
    if (!response.ok) throw await errorOf(response);
    return response;
  }
}
