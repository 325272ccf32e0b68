/** Refuses calls whose headers ask for, or bring, what the server does not speak. */
import type { FastifyInstance } from 'fastify';
import { SaeEvalError } from '../src/errors.js';
import { acceptable } from './routes/api.js';

/** Checks the Accept and Content-Encoding headers of every call. */
export function registerHeaderChecks(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const { negotiates = false, streams = false } = request.routeOptions.config;
    if (
      !negotiates &&
      !streams &&
      request.method !== 'DELETE' &&
      request.routeOptions.url !== undefined
    )
      acceptable(request, ['application/json', 'application/problem+json']);
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity')
      throw new SaeEvalError(
        'media-type-unsupported',
        `Content-Encoding ${encoding.slice(0, 50)} is not supported; send the body unencoded.`,
      );
  });
}
