/** Reads JSON bodies, and JSON Merge Patches if the route takes them. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SaeEvalError } from '../src/errors.js';
import { jsonFault, placeIn } from '../src/json-fault.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the body is a JSON Merge Patch, which may be left out. */
    takesPatches?: boolean;
  }
}

const mergePatchType = 'application/merge-patch+json';

/** The error of a body that is not JSON; null if it is, so that something else is wrong with it. */
function malformed(body: string): SaeEvalError | null {
  if (body.trim() === '') return null;
  const fault = jsonFault(body.replace(/^\uFEFF/, ''), { what: 'body' });
  if (fault === null)
    return /"__proto__"|"constructor"/.test(body)
      ? new SaeEvalError(
          'body-malformed',
          'The body is not accepted: no object in it may have a key __proto__ or constructor.',
        )
      : null;
  const { line, col } = placeIn(body, fault.at);
  return new SaeEvalError(
    'body-malformed',
    `The body is not valid JSON: line ${line}, column ${col}: ${fault.message}.`,
  );
}

export function registerJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>(
    ['application/json', mergePatchType],
    { parseAs: 'string' },
    (request: FastifyRequest, body, done) => {
      const { config, schema } = request.routeOptions;
      const { takesPatches = false } = config;
      const isPatch = request.headers['content-type']?.startsWith(mergePatchType) === true;
      if (isPatch && !takesPatches)
        return done(
          new SaeEvalError('media-type-unsupported', 'Expected Content-Type: application/json.'),
        );
      // Some clients declare JSON with every call.
      const mayBeEmpty = takesPatches || schema?.body === undefined;
      if (mayBeEmpty && body.trim() === '') return done(null, undefined);
      // To the framework, null is the same as no body.
      if (takesPatches && body.trim() === 'null')
        return done(
          new SaeEvalError('request-invalid', 'The body: expected an object, found null.'),
        );
      return parse(request, body, (error, value) => {
        if (error === null) return done(null, value);
        return done(malformed(body) ?? error);
      });
    },
  );
}
