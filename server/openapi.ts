/** `/openapi.json` and `/docs`, from the routes' schemas. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyContextConfig, FastifyInstance, FastifySchema } from 'fastify';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { packageVersion } from '../src/version.js';
import { withoutTwins } from './openapi-components.js';
import { pageFolder } from './page-files.js';
import { problems } from './routes/api.js';

const icon = readFileSync(join(pageFolder, 'icon.svg'), 'utf8');
/** The icon of the page with the name beside it. */
const title =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32" height="32">' +
  icon.replace('<svg ', '<svg width="32" height="32" ') +
  '<text x="42" y="22" font-family="sans-serif" font-size="18" font-weight="600" fill="#fff">' +
  'sae-eval</text></svg>';

/** The schema of a route with the answers of the guard, which stands before every call. */
function guarded(
  schema: FastifySchema,
  { isPublic, isReading }: FastifyContextConfig,
  { method, withKeys }: { method: string | readonly string[]; withKeys: boolean },
): FastifySchema {
  if (isPublic === true) return withKeys ? { ...schema, security: [] } : schema;
  const reads = isReading ?? [method].flat().every((one) => one === 'GET' || one === 'HEAD');
  const refusals = withKeys && reads ? problems(401) : problems(401, 403);
  return { ...schema, response: { ...refusals, ...(schema.response as object | undefined) } };
}

/** Call before the routes are registered. `withKeys`: whether calls need an API key. */
export async function registerDocuments(
  app: FastifyInstance,
  { withKeys }: { withKeys: boolean },
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'sae-eval',
        description: 'Evaluates sparse autoencoders on language models.',
        version: packageVersion,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'evaluations', description: 'Submit, watch, cancel.' },
        { name: 'reports', description: 'Results rendered for reading.' },
        {
          name: 'catalogue',
          description: 'Kinds, files, models and devices that a request can name.',
        },
        { name: 'operations', description: 'Health, metrics and problem types.' },
      ],
      ...(withKeys
        ? {
            components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
            security: [{ apiKey: [] }],
          }
        : {}),
    },
    transform: (given) => {
      const { config = {}, method } = given.route;
      const schema = guarded(given.schema ?? {}, config, { method, withKeys });
      return jsonSchemaTransform({ ...given, schema });
    },
    transformObject: (given) => {
      const document = jsonSchemaTransformObject(given);
      return 'paths' in document ? withoutTwins(document) : document;
    },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP:
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src " +
      "'self' data:; connect-src 'self'; font-src 'self'",
    uiConfig: { deepLinking: true, tryItOutEnabled: true, displayRequestDuration: true },
    logo: { type: 'image/svg+xml', content: title, href: '../', target: '_self' },
    theme: {
      title: 'sae-eval: API',
      favicon: [
        { filename: 'icon.svg', rel: 'icon', type: 'image/svg+xml', sizes: 'any', content: icon },
      ],
    },
    // Relative to the address of the document, so that calls work behind a proxy too.
    transformSpecification: (document) => ({ ...document, servers: [{ url: '..' }] }),
  });
  // Its files are found beside an address with a slash at its end, whatever stands before it.
  app.addHook('onRequest', async (request, reply) =>
    /^\/docs(?:\?|$)/.test(request.url)
      ? reply.redirect(request.basePath === null ? 'docs/' : `${request.basePath}/docs/`, 308)
      : undefined,
  );
  app.get('/openapi.json', { schema: { hide: true } }, async () => ({
    ...app.swagger(),
    servers: [{ url: '.' }],
  }));
}
