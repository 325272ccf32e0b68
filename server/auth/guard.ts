/**
 * Decides who may call. With API keys: callers with a known key whose role allows the call.
 * Without: callers of the server's own user on this machine whose Host and Origin headers are
 * local; otherwise a foreign page in the user's browser could reach the server by DNS rebinding or
 * a plain form.
 */
import bearerAuth from '@fastify/bearer-auth';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SaeEvalError } from '../../src/errors.js';
import { isAllowed } from '../cors.js';
import { isLoopback } from '../options.js';
import type { KeyRing } from './keys.js';
import type { LocalCallers } from './local-token.js';
import type { Role } from '../../src/schema/caller.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Label of the caller's API key; null without keys. */
    keyLabel: string | null;
    /** Role of the caller; without keys `admin`. */
    keyRole: Role;
    /** Aborts when the caller's key is revoked or expires; null without keys. */
    keyRevoked: AbortSignal | null;
  }
  interface FastifyContextConfig {
    /** Whether the route answers without an API key. */
    isPublic?: boolean;
    /** Whether keys of role `read` may call it; default: for GET and HEAD. */
    isReading?: boolean;
  }
}

/** The name in a Host header; empty if it is not `NAME` or `NAME:PORT`. */
function hostName(header: string): string {
  const [, name = '', address = ''] =
    /^(?:([a-z0-9.-]+)|\[([0-9a-f:.]+)\])(?::\d{1,5})?$/i.exec(header) ?? [];
  return (name || address).toLowerCase();
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
  const site = request.headers['sec-fetch-site'];
  const isOwnPage = site === 'same-origin';
  const isOwnOrigin = origin === `http://${host}` || origin === `https://${host}`;
  const isNamed = origin !== undefined && isAllowed(origin, cors);
  if (origin !== undefined && !isOwnOrigin && !isOwnPage && !isNamed) {
    throw new SaeEvalError(
      'origin-refused',
      `The Origin header names ${origin}; without API keys only the server's own page may call ` +
        'it, and those that --cors names.',
    );
  }
  // Images, frames and the like of other pages, which send no Origin; links may lead here.
  const isLink =
    request.method === 'GET' &&
    request.headers['sec-fetch-mode'] === 'navigate' &&
    request.headers['sec-fetch-dest'] === 'document';
  if ((site === 'cross-site' || site === 'same-site') && !isNamed && !isLink)
    throw new SaeEvalError(
      'origin-refused',
      `The Sec-Fetch-Site header says ${site}; without API keys only the server's own page may ` +
        'call it, and those that --cors names.',
    );
}

export interface GuardOptions {
  keys: KeyRing;
  /** Tells users of this machine apart; null with keys. */
  local: LocalCallers | null;
  /** Called before a caller with an unknown key is refused; throws if that happened too often. */
  refused: (request: FastifyRequest) => Promise<void>;
  /** Origins of other pages that may call. */
  cors: readonly string[];
}

/** Registers the hook that lets calls through or refuses them. */
export async function registerGuard(
  app: FastifyInstance,
  { keys, local, refused, cors }: GuardOptions,
): Promise<void> {
  app.decorateRequest('keyLabel', null);
  app.decorateRequest('keyRole', 'admin');
  app.decorateRequest('keyRevoked', null);
  app.decorateRequest('peer', null);
  if (!keys.required) {
    app.addHook('onRequest', async (request) => {
      refuseForeign(request, cors);
      if (request.routeOptions.config.isPublic !== true) await local?.check(request, refused);
    });
    return;
  }
  await app.register(bearerAuth, {
    addHook: false,
    keys: new Set<string>(),
    auth: (given, request) => {
      const key = keys.find(given);
      if (key === null) return false;
      request.keyLabel = key.label;
      request.keyRole = key.role;
      request.keyRevoked = key.revoked;
      return true;
    },
    // Makes the scheme case-insensitive.
    specCompliance: 'rfc6749',
    verifyErrorLogLevel: 'debug',
  });
  const verify = app.verifyBearerAuth!;
  app.addHook('onRequest', async (request, reply) => {
    const { url, config } = request.routeOptions;
    if (config.isPublic === true) return;
    const error = await new Promise<Error | undefined>((resolve) =>
      verify(request, reply, resolve),
    );
    if (error !== undefined) {
      await refused(request);
      throw new SaeEvalError('unauthorized', 'Give a known API key as `Authorization: Bearer …`.', {
        cause: error,
      });
    }
    const { isReading = request.method === 'GET' || request.method === 'HEAD' } = config;
    if (url !== undefined && !isReading && request.keyRole === 'read')
      throw new SaeEvalError(
        'forbidden',
        `The key '${request.keyLabel}' has the role read: it may not submit, cancel or remove.`,
      );
  });
}
