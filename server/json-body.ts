/** Reads JSON bodies, and JSON Merge Patches if the route takes them. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SaeEvalError } from '../src/errors.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the body is a JSON Merge Patch, which may be left out. */
    takesPatches?: boolean;
  }
}

const mergePatchType = 'application/merge-patch+json';

export function registerJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>(
    ['application/json', mergePatchType],
    { parseAs: 'string' },
    (request: FastifyRequest, body, done) => {
      const { takesPatches = false } = request.routeOptions.config;
      const isPatch = request.headers['content-type']?.startsWith(mergePatchType) === true;
      if (isPatch && !takesPatches)
        return done(
          new SaeEvalError('media-type-unsupported', 'Expected Content-Type: application/json.'),
        );
      if (takesPatches && body.trim() === '') return done(null, undefined);
      // To the framework, null is the same as no body.
      if (takesPatches && body.trim() === 'null')
        return done(
          new SaeEvalError('request-invalid', 'The body: expected an object, found null.'),
        );
      return parse(request, body, done);
    },
  );
}
