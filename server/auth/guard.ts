/**
 * Decides who may call. With API keys: callers with a known key. Without: callers on this machine
 * whose Host and Origin headers are local; otherwise a foreign page in the user's browser could
 * reach the server by DNS rebinding or a plain form.
 */
import bearerAuth from '@fastify/bearer-auth';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SaeEvalError } from '../../src/errors.js';
import { isAllowed } from '../cors.js';
import { isLoopback } from '../options.js';
import type { KeyRing } from './keys.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Label of the caller's API key; null without keys. */
    keyLabel: string | null;
  }
  interface FastifyContextConfig {
    /** Whether the route answers without an API key. */
    isPublic?: boolean;
  }
}

function hostName(header: string): string {
  try {
    return new URL(`http://${header}`).hostname.replace(/^\[|\]$/g, '');
  } catch {
    return '';
  }
}

function refuseForeign(request: FastifyRequest, cors: readonly string[]): void {
  const { host, origin } = request.headers;
  if (host === undefined || !isLoopback(hostName(host))) {
    throw new SaeEvalError(
      'origin-refused',
      `The Host header names ${host ?? 'nothing'}; without API keys the server answers to ` +
        'localhost only. Set an API key to serve other names.',
    );
  }
  if (request.raw.headersDistinct['host']?.length !== 1)
    throw new SaeEvalError('origin-refused', 'Expected one Host header, found several.');
  // A proxy may put another Host in; the browser says whether the page and the address agree.
  const isOwnPage = request.headers['sec-fetch-site'] === 'same-origin';
  const isOwnOrigin = origin === `http://${host}` || origin === `https://${host}`;
  if (origin !== undefined && !isOwnOrigin && !isOwnPage && !isAllowed(origin, cors)) {
    throw new SaeEvalError(
      'origin-refused',
      `The Origin header names ${origin}; without API keys only the server's own page may call ` +
        'it, and those that --cors names.',
    );
  }
}

export interface GuardOptions {
  /** Called before a caller with an unknown key is refused; throws if that happened too often. */
  refused: (request: FastifyRequest) => Promise<void>;
  /** Origins of other pages that may call. */
  cors: readonly string[];
}

/** Registers the hook that lets calls through or refuses them. */
export async function registerGuard(
  app: FastifyInstance,
  keys: KeyRing,
  { refused, cors }: GuardOptions,
): Promise<void> {
  app.decorateRequest('keyLabel', null);
  if (!keys.required) {
    app.addHook('onRequest', async (request) => refuseForeign(request, cors));
    return;
  }
  await app.register(bearerAuth, {
    addHook: false,
    keys: new Set<string>(),
    auth: (key, request) => {
      request.keyLabel = keys.labelOf(key);
      return request.keyLabel !== null;
    },
    // Makes the scheme case-insensitive.
    specCompliance: 'rfc6749',
    verifyErrorLogLevel: 'debug',
  });
  const verify = app.verifyBearerAuth!;
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.isPublic === true) return;
    const error = await new Promise<Error | undefined>((resolve) =>
      verify(request, reply, resolve),
    );
    if (error === undefined) return;
    await refused(request);
    throw new SaeEvalError('unauthorized', 'Give a known API key as `Authorization: Bearer …`.', {
      cause: error,
    });
  });
}
